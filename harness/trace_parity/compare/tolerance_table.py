"""Every variable's tolerance in columns, and the one formula by which two numbers are judged.

Two numbers agree when |c - py| <= rtol * max(|c|, |py|) + floor * scale, or when they are no more than `ulps` doubles
apart. A NaN agrees with nothing, not with another NaN either: where both programs lost the number there is no evidence.
Whole numbers of a variable that has no tolerance of its own agree when they are equal, whatever their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trace_parity.pair.vocabulary import Variable

MATCH, DIVERGENT, NAN = 0, 1, 2
STATUS = ("match", "divergent", "nan")
NO_SCALE, UNIT, NORM, NAMED, LARGEST = range(5)
_KINDS = {"unit": UNIT, "norm": NORM, "variable": NAMED, "largest": LARGEST}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ToleranceTable:
    """One entry per variable."""

    relative: Floats
    floor: Floats
    own_floor: Floats
    ulps: Floats
    kind: npt.NDArray[np.int8]
    hopeless: npt.NDArray[np.bool_]  # no relative tolerance would let a difference pass
    whole: npt.NDArray[np.bool_]  # whole numbers must be equal


def table_of(variables: Sequence[Variable], rtol: float | None) -> ToleranceTable:
    """The tolerances of numbered variables; `rtol` replaces the relative part of all but exact ones."""
    tolerances = [v.tolerance for v in variables]
    under = [t.under(rtol) for t in tolerances]
    return ToleranceTable(
        np.array([relative for relative, _ in under], np.float64),
        np.array([floor for _, floor in under], np.float64),
        np.array([t.floor for t in tolerances], np.float64),
        np.array([t.ulps for t in tolerances], np.float64),
        np.array([NO_SCALE if t.scale is None else _KINDS[t.scale.kind] for t in tolerances], np.int8),
        np.array([t.rtol == t.floor == 0.0 for t in tolerances], np.bool_),
        np.array(
            [v.integer or (not v.listed and not t.own) for v, t in zip(variables, tolerances, strict=True)], np.bool_
        ),
    )


@dataclass
class Differences:
    """Numbers of both sides, judged."""

    status: npt.NDArray[np.int8]
    absolute: Floats
    relative: Floats
    allowed: Floats
    needed: Floats


def judge_numbers(
    c: Floats,
    py: Floats,
    variable: npt.NDArray[Any],
    scale: Floats,
    whole: npt.NDArray[np.bool_],
    table: ToleranceTable,
) -> Differences:
    """Judge pairs of numbers.

    `scale` is what a floor is a fraction of, NaN where there is none; `whole` says where both were printed as whole.
    """
    relative, floor = table.relative[variable], table.floor[variable]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        lost = np.isnan(c) | np.isnan(py)
        larger = np.maximum(np.abs(c), np.abs(py))
        absolute = np.abs(c - py)
        absolute[c == py] = 0.0
        absolute_part = np.where((floor > 0) & (scale == scale), floor * scale, 0.0)
        exactly = whole & table.whole[variable]
        if exactly.any():
            relative = np.where(exactly, 0.0, relative)
            absolute_part = np.where(exactly, 0.0, absolute_part)
        allowed = np.where(np.isfinite(larger) & (relative > 0), relative * larger, 0.0) + absolute_part
        agrees = (c == py) | (np.isfinite(absolute) & (absolute <= allowed))
        ulps = np.where(exactly, 0.0, table.ulps[variable])
        if ulps.any():
            agrees |= ulp_distances(c, py) <= ulps
        rel = np.where(np.isfinite(absolute) & (larger > 0), absolute / larger, np.where(absolute > 0, np.inf, 0.0))
        needed = np.where(
            relative > 0,
            np.maximum(0.0, absolute - absolute_part) / larger,
            np.where(absolute_part > 0, absolute / (absolute_part / table.own_floor[variable]), np.inf),
        )
        needed[~np.isfinite(absolute) | table.hopeless[variable] | exactly] = np.inf
        needed[absolute == 0.0] = 0.0
    status = np.where(agrees, MATCH, DIVERGENT).astype(np.int8)
    if lost.any():
        status[lost] = NAN
        absolute[lost] = rel[lost] = np.nan
        allowed[lost], needed[lost] = 0.0, np.inf
    return Differences(status, absolute, rel, allowed, needed)


def ulp_distances(a: Floats, b: Floats) -> Floats:
    """How many doubles lie between a and b; NaN where one is NaN, infinite where only one is infinite."""
    first, second = ordinals(a), ordinals(b)
    steps = np.abs(first.astype(np.float64) - second.astype(np.float64))
    # Near neighbours exactly: the difference of two large ordinals is lost in a double.
    near = steps < 2.0**60
    steps[near] = np.abs(first[near] - second[near]).astype(np.float64)
    steps[a == b] = 0.0
    steps[(np.isinf(a) | np.isinf(b)) & (a != b)] = np.inf
    steps[np.isnan(a) | np.isnan(b)] = np.nan
    return steps


def ordinals(x: Floats) -> npt.NDArray[np.int64]:
    """Doubles in order as whole numbers: neighbours differ by 1, both zeros are 0."""
    bits = np.ascontiguousarray(x, np.float64).view(np.int64)
    return np.where(bits >= 0, bits, -(bits & np.int64(0x7FFFFFFFFFFFFFFF)))
