"""How many digits a log prints, and the error that this hides.

`%.15g` does not carry all bits of a double: two programs that agree to the last bit differ by up to a unit of the last
digit in such logs. What printing can hide is added to every tolerance, and reported.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from trace_parity.errors import HarnessError
from trace_parity.pair.vocabulary import Tolerance, Vocabulary
from trace_parity.trace.log_file import LogFile
from trace_parity.trace.prefix import find_trace

FULL_DIGITS = 17
"""A double printed with this many digits loses nothing."""
SAMPLE_BYTES = 1 << 18
"""How many characters of a log are examined: the rest is assumed to have the same digits."""
ENOUGH_NUMBERS, ENOUGH_DIGITS = 20, 6
"""Fewer numbers, or shorter ones, do not show how the log was printed; they are then taken for exact."""

# Begins outside of a word and never gives digits back: a line of many digits is read once, not once per digit.
_NUMBER = re.compile(r"(?<![\w.])[-+]?(\d++\.\d*+|\.\d++|\d++(?=[eE]))(?:[eE][-+]?\d++)?(?![\w.])")


def significant_digits(number: str) -> int:
    """Of a printed number without its sign and exponent; leading zeros do not count."""
    return len(number.replace(".", "").lstrip("0"))


def printed_digits(path: Path) -> int:
    """The most significant digits that a number of the log at `path` shows; FULL_DIGITS if unknown.

    A log that cannot be read as text (columns, a missing file) is taken for exact; reading it will report the error.
    """
    try:
        log = LogFile(path)
        try:
            with log.guard():
                text = log.buffered().read(SAMPLE_BYTES).decode("utf-8", "replace")
        finally:
            log.close()
    except HarnessError:
        return FULL_DIGITS
    found = (find_trace(line) for line in text.split("\n")[:-1] if "TRACE_" in line)
    lines = (one.text.partition(" ")[2] for one in found if one is not None)
    digits = []
    for line in lines:
        digits += [significant_digits(number) for number in _NUMBER.findall(line)]
        if digits and digits[-1] >= FULL_DIGITS:
            return FULL_DIGITS
    if len(digits) < ENOUGH_NUMBERS or max(digits) < ENOUGH_DIGITS:
        return FULL_DIGITS
    return min(max(digits), FULL_DIGITS)


def hidden(digits: int) -> float:
    """The relative error that printing with this many digits can hide: half a unit of the last digit."""
    return 0.0 if digits >= FULL_DIGITS else 0.5 * 10.0 ** (1 - digits)


def with_precision(vocabulary: Vocabulary, logs: Mapping[str, Path]) -> tuple[Vocabulary, tuple[str, ...]]:
    """The vocabulary with every tolerance widened by what both logs' printing hides, and a line per log that does."""
    digits = {side: printed_digits(path) for side, path in logs.items()}
    extra = sum(hidden(d) for d in digits.values())
    if not extra:
        return vocabulary, ()

    def widened(tolerance: Tolerance) -> Tolerance:
        return dataclasses.replace(tolerance, hidden=extra)

    wider = dataclasses.replace(
        vocabulary,
        tolerances={name: widened(tolerance) for name, tolerance in vocabulary.tolerances.items()},
        variables=tuple(dataclasses.replace(v, tolerance=widened(v.tolerance)) for v in vocabulary.variables),
    )
    notes = tuple(
        f"{side} prints {d} significant digits: every tolerance but exact ones is wider by {hidden(d):.1g} relative"
        for side, d in digits.items()
        if hidden(d)
    )
    return wider, notes
