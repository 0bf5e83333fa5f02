"""Judge an alignment: each pair of numbers under its tolerance, then the whole under the coverage contract.

Two numbers agree when |c - py| <= rtol * max(|c|, |py|) + floor * scale; the scale is a value that the traces carry.
A NaN agrees with nothing, not with another NaN either: where both programs lost the number there is no evidence.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from trace_parity.compare.align import AlignedRow, Alignment
from trace_parity.pair.vocabulary import DEFAULT_TOLERANCE, Key, Scale, Tolerance, Variable
from trace_parity.trace.table import TraceTable

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
    """What came of one variable over all its indices and components."""

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


def judge(alignment: Alignment, *, rtol: float | None = None) -> Judgement:
    """Judge every aligned row; `rtol` replaces the relative part of every tolerance but those that are exact."""
    scale = _scales(alignment)
    rows = tuple(_judge_row(row, row.variable.tolerance, scale, rtol) for row in alignment.rows)
    first = next((row for row in rows if row.status != "match"), None)
    needed = max((row.needed_rtol for row in rows), default=0.0)
    return Judgement(rows, _summaries(alignment, rows), first, needed)


ScaleOf = Callable[[Scale, AlignedRow], float]


def _judge_row(row: AlignedRow, tolerance: Tolerance, scale_of: ScaleOf, rtol: float | None) -> Judged:
    c, py = row.c.value, row.py.value
    if math.isnan(c) or math.isnan(py):
        return Judged(row, "nan", math.nan, math.nan, math.nan, 0.0, math.inf)
    relative, floor = tolerance.under(rtol)
    larger = max(abs(c), abs(py))
    absolute = 0.0 if c == py else abs(c - py)
    absolute_part = floor * scale_of(tolerance.scale, row) if tolerance.scale is not None and floor else 0.0
    allowed = (relative * larger if relative and math.isfinite(larger) else 0.0) + absolute_part
    agrees = c == py or (math.isfinite(absolute) and absolute <= allowed) or ulp_distance(c, py) <= tolerance.ulps
    return Judged(
        row,
        "match" if agrees else "divergent",
        absolute,
        absolute / larger if larger and math.isfinite(absolute) else (math.inf if absolute else 0.0),
        ulp_distance(c, py),
        allowed,
        _needed(absolute, larger, absolute_part, tolerance, relative),
    )


def _needed(absolute: float, larger: float, absolute_part: float, tolerance: Tolerance, relative: float) -> float:
    """The relative tolerance under which the row would just pass, its scale and floor being what they are."""
    if absolute == 0.0:
        return 0.0
    if not math.isfinite(absolute) or tolerance.rtol == tolerance.floor == 0.0:
        return math.inf
    if relative:
        return max(0.0, absolute - absolute_part) / larger
    return absolute / (absolute_part / tolerance.floor) if absolute_part else math.inf


def _scales(alignment: Alignment) -> ScaleOf:
    """How large the named quantity of a tolerance is at a row. Where neither log carries it, the row's own vector."""
    inputs: dict[tuple[str, Key], float] = {}

    def norm(row: AlignedRow) -> float:
        c = alignment.c.vector(row.id.key, row.id.variable)
        py = alignment.py.vector(row.id.key, row.id.variable)
        lengths = [math.hypot(*v) for v in (c, py) if v and all(map(math.isfinite, v))]
        return max(lengths, default=max(abs(row.c.value), abs(row.py.value)))

    def named(scale: Scale, row: AlignedRow) -> float:
        cached = inputs.get((repr(scale), row.id.key))
        if cached is None:
            vector = _vector_in_scope(alignment.c, alignment, scale.name, row.id.key)
            cached = _combine(scale, vector) if vector else math.nan
            inputs[(repr(scale), row.id.key)] = cached
        return cached if math.isfinite(cached) else max(abs(row.c.value), abs(row.py.value))

    largest: dict[str, float] = {}

    def of_variable(row: AlignedRow) -> float:
        if not largest:
            for table in (alignment.c, alignment.py):
                for (_, variable, _), number in table.rows.items():
                    if math.isfinite(number.value):
                        largest[variable] = max(largest.get(variable, 0.0), abs(number.value))
        return largest.get(row.id.variable, 0.0)

    def scale_of(scale: Scale, row: AlignedRow) -> float:
        if scale.kind == "unit":
            return 1.0
        if scale.kind == "largest":
            return of_variable(row)
        return norm(row) if scale.kind == "norm" else named(scale, row)

    return scale_of


def _vector_in_scope(table: TraceTable, alignment: Alignment, name: str, key: Key) -> tuple[float, ...]:
    """The value of `name` at the loops of `key` that its scope sits in; empty where the log lacks it."""
    loops = alignment.vocabulary.loops
    for variable in reversed(alignment.vocabulary.named(name)):
        outer = tuple(i if loop in variable.scope.loops else -1 for loop, i in zip(loops, key, strict=True))
        if vector := table.vector(outer, variable.id):
            return vector
    return ()


def _combine(scale: Scale, vector: tuple[float, ...]) -> float:
    if scale.how == "product":
        return abs(math.prod(vector))
    if scale.how == "inverse":
        return math.inf if vector[0] == 0 else abs(1.0 / vector[0])
    return abs(vector[scale.component]) if scale.component < len(vector) else math.nan


def _summaries(alignment: Alignment, rows: tuple[Judged, ...]) -> tuple[VariableSummary, ...]:
    by_variable: dict[str, list[Judged]] = {}
    for row in rows:
        by_variable.setdefault(row.row.id.variable, []).append(row)
    lonely: dict[str, list[int]] = {}
    for side, ids in enumerate((alignment.c_only, alignment.py_only)):
        for lone in ids:
            lonely.setdefault(lone.variable, [0, 0])[side] += 1
    variables = {**alignment.py.variables, **alignment.c.variables}
    ordered = sorted(variables.values(), key=lambda v: (v.place, v.id))
    found = []
    for variable in ordered:
        judged = by_variable.get(variable.id, [])
        c_only, py_only = lonely.get(variable.id, [0, 0])
        divergent = sum(1 for row in judged if row.status != "match")
        worst = max(judged, key=_badness, default=None)
        found.append(VariableSummary(variable, len(judged), divergent, c_only, py_only, worst))
    return tuple(found)


def default_rule(variables: Iterable[Variable]) -> tuple[str, ...]:
    """A line that states the rule for those of the variables that have no tolerance of their own; none: nothing."""
    every = list(variables)
    names = sorted({v.name for v in every if v.tolerance.name == DEFAULT_TOLERANCE.name})
    if not names:
        return ()
    rule = next(v.tolerance for v in every if v.name == names[0])
    which = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    floor = f" plus {rule.floor:g} of the largest magnitude of the variable" if rule.floor else ""
    return (f"no tolerance is given for {which}: they agree to {rule.rtol:g} relative{floor}",)


def _badness(row: Judged) -> tuple[bool, float, float]:
    return (row.status != "match", row.needed_rtol, row.rel_diff if not math.isnan(row.rel_diff) else math.inf)


def ulp_distance(a: float, b: float) -> float:
    """How many doubles lie between a and b; NaN where one is NaN, infinite where one is infinite and the other not."""
    if math.isnan(a) or math.isnan(b):
        return math.nan
    if a == b:
        return 0.0
    if math.isinf(a) or math.isinf(b):
        return math.inf
    return float(abs(_ordinal(a) - _ordinal(b)))


def _ordinal(x: float) -> int:
    """Doubles in order as whole numbers: neighbours differ by 1, both zeros are 0."""
    (bits,) = struct.unpack("<q", struct.pack("<d", x))
    return int(bits) if bits >= 0 else -(int(bits) & 0x7FFFFFFFFFFFFFFF)
