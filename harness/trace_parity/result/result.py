"""The result of a comparison as one object: the only input of renderers and result.json.

It contains no time, no absolute path and no duration: the same run twice gives the same result.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trace_parity.blame.findings import Blame
from trace_parity.compare.coverage import Coverage
from trace_parity.compare.images import ImageMetrics
from trace_parity.compare.rounding import Rounding
from trace_parity.compare.sites import Examined
from trace_parity.compare.tick_table import TickRow
from trace_parity.pair.source_lines import SourceLine
from trace_parity.quirks.waivers import Waiver

if TYPE_CHECKING:
    pass


SCHEMA = 1
KEPT_DIVERGENCES = 1000
"""How many divergent numbers are listed one by one; the count covers all, and both logs are in the bundle."""


@dataclass(frozen=True)
class Divergence:
    """One number that differs."""

    variable: str
    scope: str
    component: int | None
    loops: dict[str, int]
    place: str
    status: str
    c_value: float
    py_value: float
    c_text: str
    py_text: str
    c_line: int
    py_line: int
    abs_diff: float
    rel_diff: float
    ulp_diff: float
    allowed: float
    unit: str
    description: str
    depends_on: tuple[str, ...]
    tolerance: str
    quirk: str | None = None

    @property
    def name(self) -> str:
        """`rot_a_angstroms[1]`: the variable, with its component when it is a vector."""
        return self.variable if self.component is None else f"{self.variable}[{self.component}]"


@dataclass(frozen=True)
class VariableResult:
    """One variable over all its indices; the `worst_` fields are of its worst number."""

    name: str
    scope: str
    unit: str
    description: str
    tolerance: str
    compared: int
    divergent: int
    c_only: int
    py_only: int
    worst_c: float | None
    worst_py: float | None
    worst_abs: float | None
    worst_rel: float | None
    worst_ulp: float | None
    worst_at: str
    depends_on: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """`match`, `divergent`, or `missing` when one side lacks it at some place."""
        if self.divergent:
            return "divergent"
        return "missing" if self.c_only or self.py_only else "match"


@dataclass(frozen=True)
class QuirkResult:
    """A known quirk that the divergences show."""

    id: str
    kind: str
    side: str
    title: str
    explanation: str
    remedy: str
    places: int
    evidence: str
    first_is_it: bool
    downstream: int
    largest: float | None = None  # relative, of the broken equations that show it
    allowed: float | None = None  # what of that is still this quirk
    owner: str = ""
    expires: str = ""  # of a waiver
    reference: str = ""

    @property
    def further(self) -> str:
        """How many other numbers come from those that show it, as a clause; empty where none does."""
        numbers = "number is" if self.downstream == 1 else "numbers are"
        return f"{self.downstream:,} further divergent {numbers} computed from these" if self.downstream else ""


@dataclass(frozen=True)
class LogResult:
    """The contents of one log."""

    lines: int
    trace_lines: int
    numbers: int
    aliased: dict[str, str]
    unreadable: tuple[str, ...]
    notes: dict[str, str]


@dataclass(frozen=True)
class CaseResult:
    """The case that was run, or the logs that were compared."""

    id: str
    title: str
    argv: tuple[str, ...] = ()
    against: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    expectation: dict[str, str] = field(default_factory=dict)
    places: tuple[tuple[int, ...], ...] = ()  # those traced, in the pair's focus
    picked: tuple[str, ...] = ()  # why each place was picked; empty if the case names them


EXPLAIN, INJECT, AGAINST = "explain", "inject", "against"
"""What a next step may name although not every pair supports it: `explain`, `inject`, variants of the programs."""


@dataclass(frozen=True)
class Result:
    """The whole result."""

    schema: int
    case: CaseResult
    verdict: str
    exit_code: int
    headline: str
    num_divergent: int
    compared: int
    rtol: float | None
    needed_rtol: float
    first_divergence: Divergence | None
    coverage: Coverage
    problems: tuple[str, ...]
    quirks: tuple[QuirkResult, ...]
    variables: tuple[VariableResult, ...]
    divergences: tuple[Divergence, ...]
    logs: dict[str, LogResult]
    per_tick: tuple[TickRow, ...]
    images: ImageMetrics | None = None
    sources: dict[str, dict[str, SourceLine]] = field(default_factory=dict)
    """Where each program prints a variable: `scope.name`, then side; filled in when the bundle is written."""
    precision: tuple[str, ...] = ()
    """Notes on logs that print fewer digits than a double has, and on the rule for variables without a tolerance."""
    blame: Blame | None = None
    """Which side breaks its own equation; none if nothing differs or the pair has no equations."""
    settings: tuple[str, ...] = ()
    """A line per setting that the two programs resolved differently; they come before every number."""
    waivers: tuple[Waiver, ...] = ()
    """The quirks that are waived, and the state of each waiver."""
    loops: tuple[str, ...] = ()
    """The loops that name a place: those with more than one iteration in the logs, and those of the pair's focus."""
    tick_loop: str = ""
    """The loop of `per_tick`."""
    examined: Examined | None = None
    """How much of the divergence was examined for quirks and blame; none where that was all."""
    tick_name: str = ""
    """The name of the files of `per_tick` in a bundle; empty in a result of an older version."""
    tick_title: str = ""
    """The title of that table in a report."""
    rounding: Rounding | None = field(default=None, metadata={"plain": "where set"})
    """What rounding explains, where the case is calibrated; not in result.json where it is not."""
    lacks: tuple[str, ...] = field(default=(), metadata={"plain": "where set"})
    """Those of EXPLAIN, INJECT and AGAINST that the pair does not support; not in result.json if it supports all."""
    pair_option: str = field(default="", metadata={"plain": False})
    """The value of --pair as typed; for commands to copy, not in result.json."""
    typed: tuple[str, ...] = field(default=(), metadata={"plain": False})
    """The command line, as it was typed, from `trace-diff` on; for commands to copy, not in result.json."""
    typed_logs: tuple[str, ...] = field(default=(), metadata={"plain": False})
    """The two logs of a comparison as they were typed; for commands to copy, not in result.json."""
    bundle: str = field(default="", metadata={"plain": False})
    """The folder of the bundle that the result was read from or written to; not in result.json."""

    def with_precision(self, lines: Sequence[str]) -> Result:
        """The result with more lines on what the logs' printing hides, before its own."""
        return dataclasses.replace(self, precision=(*lines, *self.precision))


def _is_plain(kept: bool | str, value: Any) -> bool:
    """Whether a field goes into JSON: those marked `where set` only if they are set."""
    return bool(kept) and not (kept == "where set" and not value)


def plain(value: Any) -> Any:
    """`value` as JSON data: dataclasses become objects, numbers that JSON lacks the strings nan, inf, -inf."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        kept = [f for f in fields if _is_plain(f.metadata.get("plain", True), getattr(value, f.name))]
        return {f.name: plain(getattr(value, f.name)) for f in kept}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def to_json(value: Any) -> str:
    """Indented JSON, stable from run to run."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
