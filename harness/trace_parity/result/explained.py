"""What rounding explains of a comparison, with the error of float32 where the port computes in that."""

from __future__ import annotations

import numpy as np

from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.blame.single_precision import errors_in_float32
from trace_parity.compare.align import Alignment
from trace_parity.compare.found import Found
from trace_parity.compare.rounding import Rounding, classify
from trace_parity.compare.sites import WHOLE_NUMBERS
from trace_parity.pair.calibration import Calibration
from trace_parity.pair.pair import Pair

LEAST_SHARE = 0.1
"""The part of the port's numbers that must be float32 numbers, where C's are not, for it to be a float32 port."""


def explained_by_rounding(found: Found, calibration: Calibration, pair: Pair | None) -> Rounding:
    """The three classes of numbers, and the port's error in units of that of float32 for a float32 port."""
    if sum(found.numbers) > WHOLE_NUMBERS:
        return classify(found, calibration, {})
    alignment = found.read(None)
    names = float32_variables(alignment)
    if not names:
        return classify(found, calibration, {})
    single = dict(calibration.with_loops(found.vocabulary.loops).single)
    domain = domain_of_pair(pair) if pair is not None and not single else None
    if domain is not None:
        single = errors_in_float32(alignment.c, found.vocabulary, domain)
    return classify(found, calibration, {number: error for number, error in single.items() if number[0] in names})


def float32_variables(alignment: Alignment) -> set[str]:
    """The variables whose numbers are all float32 numbers in the port's log and are none in C's; empty: no such port.

    A double is a float32 number by chance once in 5e8.
    """
    seen: dict[str, list[bool]] = {}
    for row in alignment.rows:
        c, py = row.c.value, row.py.value
        if row.c.whole is None and np.isfinite(c) and np.isfinite(py) and not _is_single(c):
            seen.setdefault(row.id.variable, []).append(_is_single(py))
    names = {name for name, single in seen.items() if all(single)}
    numbers = sum(len(single) for single in seen.values())
    return names if sum(len(seen[name]) for name in names) >= max(1, LEAST_SHARE * numbers) else set()


def _is_single(value: float) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(value)) == value
