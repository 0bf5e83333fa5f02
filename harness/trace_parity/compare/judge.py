"""The findings of a comparison for reports: rows judged one by one, and a summary per variable.

The formula is in compare/tolerance_table.py, the counting in compare/comparison.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from trace_parity.compare.align import AlignedRow, Alignment, in_order
from trace_parity.compare.comparison import Comparison
from trace_parity.compare.tally import Kept
from trace_parity.compare.tolerance_table import STATUS, ordinals
from trace_parity.pair.vocabulary import DEFAULT_TOLERANCE, Variable

Status = Literal["match", "divergent", "nan"]


@dataclass(frozen=True)
class Judged:
    """One row with its differences. `rel` is against the larger magnitude; `needed_rtol` would just pass it."""

    row: AlignedRow
    status: Status
    abs_diff: float
    rel_diff: float
    ulp_diff: float
    allowed: float
    needed_rtol: float


@dataclass(frozen=True)
class VariableSummary:
    """One variable over all its indices and components."""

    variable: Variable
    compared: int
    divergent: int
    c_only: int
    py_only: int
    worst: Judged | None


@dataclass(frozen=True)
class Judgement:
    """Every row judged, in order of evaluation, and a summary per variable in vocabulary order."""

    rows: tuple[Judged, ...]
    summaries: tuple[VariableSummary, ...]
    first: Judged | None
    needed_rtol: float

    @property
    def num_divergent(self) -> int:
        """How many numbers diverge."""
        return sum(1 for row in self.rows if row.status != "match")


def agrees(judgement: Judgement, variable: str) -> bool:
    """Whether a variable, by its id or name, was compared and is within tolerance everywhere."""
    found = [s for s in judgement.summaries if variable in (s.variable.id, s.variable.name) and s.compared]
    return bool(found) and not any(s.divergent for s in found)


RowOf = Callable[[Kept], AlignedRow]


def judge(alignment: Alignment, *, rtol: float | None = None) -> Judgement:
    """Judge every aligned row; `rtol` replaces the relative part of every tolerance but those that are exact."""
    found = alignment.compare(rtol=rtol, every=True)
    rows = tuple(judged(kept, alignment.row(kept, found)) for kept in in_order(found))
    first = next((row for row in rows if row.status != "match"), None)
    return Judgement(rows, summaries(found, lambda kept: alignment.row(kept, found)), first, found.needed_rtol)


def judged(kept: Kept, row: AlignedRow) -> Judged:
    """A kept number with its differences."""
    return Judged(
        row,
        cast(Status, STATUS[kept.status]),
        kept.absolute,
        kept.relative,
        ulp_distance(kept.c, kept.py),
        kept.allowed,
        kept.needed,
    )


def summaries(found: Comparison, row_of: RowOf) -> tuple[VariableSummary, ...]:
    """Per variable that either log has, in vocabulary order."""
    made = []
    for n in sorted(found.met, key=lambda n: (found.names.variables[n].place, found.names.variables[n].id)):
        tally = found.tallies[n]
        worst = None if tally.worst is None else judged(tally.worst, row_of(tally.worst))
        made.append(
            VariableSummary(
                found.names.variables[n], tally.compared, tally.divergent, tally.only[0], tally.only[1], worst
            )
        )
    return tuple(made)


def default_rule(variables: Iterable[Variable]) -> tuple[str, ...]:
    """A line with the rule for the variables that have no tolerance of their own; empty if there are none."""
    every = list(variables)
    names = sorted({v.name for v in every if v.tolerance.name == DEFAULT_TOLERANCE.name})
    if not names:
        return ()
    rule = next(v.tolerance for v in every if v.name == names[0])
    which = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    floor = f" plus {rule.floor:g} of the variable's largest magnitude" if rule.floor else ""
    return (f"{which}: no own tolerance, compared to {rule.rtol:g} relative{floor}",)


def ulp_distance(a: float, b: float) -> float:
    """How many doubles lie between a and b; NaN where one is NaN, infinite where one is infinite and the other not."""
    if math.isnan(a) or math.isnan(b):
        return math.nan
    if a == b:
        return 0.0
    if math.isinf(a) or math.isinf(b):
        return math.inf
    first, second = (int(x) for x in ordinals(np.array([a, b])))
    return float(abs(first - second))
