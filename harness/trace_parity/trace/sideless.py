"""`TRACE: ...` lines, written by hand into an instrumented program: they name no side, and some are prose.

TRACE:   a = [1, 2, 3] |a| = 3.7 Angstroms          two values; units behind them are left out
TRACE: V_cell = 24682.3, V_star = 4.05e-05           several
TRACE:   V_star = a_star . (b_star x c_star) = 4e-5  what is printed of a formula is its value
TRACE:   After conversion: a = [1, 2, 3]             after_conversion.a
TRACE: V_cell 12.5                                   as behind a side
TRACE: After the correction:                  prose
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trace_parity.trace.lines import BadLineError, ParsedLine, numbers_of
from trace_parity.trace.number import NotANumberError, looks_numeric, split_numbers, without_keywords

_LABEL = re.compile(r"([^=:\[\]]+):\s+(?=[^=]*=)")
_VALUE = re.compile(r"\s*=\s*")
_NEXT = re.compile(r"(?<=[\d.\])])[,;]?\s+(?=(?:\|\w+\||[A-Za-z_][\w.()]*)\s*=)")
_UNIT = re.compile(r"\s+[A-Za-z%°Å²³^][^\s\[\]()=,]*(?:\s+[A-Za-z][^\s\[\]()=,]*)*$")


def parse_sideless(text: str, side: str) -> ParsedLine | None:
    """The values of what follows `TRACE:`, as of `side`; None for prose. Raises BadLineError."""
    text = without_keywords(text.strip())
    if "=" not in text:
        name, *words = text.split()[:1] + split_or_nothing(text)
        if not words or not all(map(looks_numeric, words)):
            return None
        try:
            return ParsedLine(side, {}, [(name, numbers_of(words))])
        except NotANumberError:
            return None
    if text.endswith(":") or text.startswith(("===", "---")):
        return None
    within, label = "", _LABEL.match(text)
    if label is not None:
        within, text = f"{_name(label[1])}.", text[label.end() :]
    made = ParsedLine(side)
    for name, value in _assigned(text):
        _add(made, within + name, value)
    return made


def split_or_nothing(text: str) -> list[str]:
    """The words behind the first; none where brackets do not match."""
    try:
        return split_numbers(text.partition(" ")[2])
    except NotANumberError:
        return []


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    """(name, value as printed) of each `name = value` or `name = formula = value`."""
    for part in _NEXT.split(text):
        name, *values = _VALUE.split(part)
        if values and name:
            yield _name(name), values[-1].strip()


def _name(words: str) -> str:
    """A name of one word."""
    words = words.strip()
    return words if words.startswith("|") else re.sub(r"\W+", "_", words.lower() if " " in words else words).strip("_")


def _add(made: ParsedLine, name: str, value: str) -> None:
    bare = _UNIT.sub("", value)
    try:
        words = split_numbers(bare)
        if not words:
            raise BadLineError(f"{name} has no value")
        if any(map(looks_numeric, words)):
            made.values.append((name, numbers_of(words)))
        else:
            made.texts.append((name, value))
    except NotANumberError as error:
        raise BadLineError(str(error), error.hint) from error
