"""Which differences rounding explains, by the spreads that `trace-diff calibrate` measured for a case."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trace_parity.compare.judge import Judged, judge
from trace_parity.compare.sites import WHOLE_NUMBERS, in_a_site
from trace_parity.printable import plural

if TYPE_CHECKING:
    from trace_parity.compare.found import Found
    from trace_parity.pair.calibration import Calibration
    from trace_parity.pair.variables import Variable
    from trace_parity.pair.vocabulary import Vocabulary

WITHIN, BEYOND_ROUNDING, BEYOND_TOLERANCE = (
    "within rounding",
    "beyond rounding but inside tolerance",
    "beyond tolerance",
)
LISTED = 1000
"""How many numbers beyond rounding are listed one by one."""


@dataclass(frozen=True)
class Limit:
    """One number that a verdict depends on, and why it is what it is."""

    value: float
    reason: str


LIMITS = {
    "k": Limit(
        4.0,
        "spreads that still count as rounding: a port rounds in another order than any of the builds, and a dozen runs "
        "do not find the worst case",
    ),
    "ulps": Limit(
        1.0,
        "smallest spread assumed, in units in the last place of the number (of the length of its vector, in float32 if "
        "C stores the variable so): a number is not exact because all builds round it alike",
    ),
    "blind": Limit(1000.0, "a tolerance that is this many times what rounding explains is called blind"),
}
"""The only numbers of this page; docs/how-to/rounding.md shows them."""
_FLOAT64, _FLOAT32 = (float(np.finfo(kind).eps) for kind in (np.float64, np.float32))
SHORT_BITS = 13
"""Bits of the mantissa up to which a number is short."""


@dataclass(frozen=True)
class RoundedNumber:
    """A number that rounding does not explain. `times` is its difference over what rounding explains there."""

    variable: str
    scope: str
    component: int | None
    place: str
    verdict: str
    difference: float
    spread: float
    explained: float
    times: float

    @property
    def name(self) -> str:
        """The variable, with its component when it is a vector."""
        return self.variable if self.component is None else f"{self.variable}[{self.component}]"


@dataclass(frozen=True)
class RoundedVariable:
    """One variable: how many of its numbers are in each class, its largest spread, and what its tolerance allows.

    tolerance: "unreachable" where it is tighter than the spread at some place, "blind" where it allows more than
    LIMITS["blind"] times what rounding explains at every place, else empty. `allowed_times`: the least that it allows,
    in units of what rounding explains. float32_ratio: the port's error over that of float32; see `Rounding`.
    """

    name: str
    scope: str
    within: int
    beyond_rounding: int
    beyond_tolerance: int
    largest_spread: float
    worst_times: float
    allowed_times: float
    tolerance: str
    float32_ratio: float | None = None


@dataclass(frozen=True)
class Rounding:
    """The result of applying a calibration to a comparison. `unknown` numbers are at places that it lacks.

    `first` is the first number, in order of evaluation, that rounding does not explain, within its tolerance or not;
    `divergence` the same of the first divergence, whatever rounding explains of it. `float32_of` says what the port's
    error is compared with if the port computes in float32: "C in float32" or "the equations in float32"; ratios are
    of root mean squares over a variable's numbers.
    """

    measured: str
    k: float
    within: int
    beyond_rounding: int
    beyond_tolerance: int
    unknown: int
    first: RoundedNumber | None
    divergence: RoundedNumber | None
    numbers: tuple[RoundedNumber, ...]
    variables: tuple[RoundedVariable, ...]
    float32_of: str = ""
    float32_ratio: float | None = None


def classify(
    found: Found, calibration: Calibration, single: Mapping[tuple[str, tuple[int, ...], int], float]
) -> Rounding:
    """Sort the numbers of both logs into the three classes. `single`: the error of float32 by number, or empty."""
    calibration = calibration.with_loops(found.vocabulary.loops)
    few = sum(found.numbers) <= WHOLE_NUMBERS
    depth = found.vocabulary.site_depth
    measured = {key[:depth] for _, key, _ in calibration.spreads}
    sites = None if few else {site for site in measured if in_a_site(site)}
    rows = judge(found.read(sites), rtol=found.comparison.rtol).rows
    tally = _Tally(calibration, found.vocabulary, _least(rows), single)
    for row in rows:
        tally.take(row)
    of = "the equations in float32" if single and not calibration.single else "C in float32"
    return tally.rounding(of if single else "")


def _least(rows: Iterable[Judged]) -> dict[tuple[str, tuple[int, ...]], float]:
    """The smallest spread of C's vectors: a unit in the last place of the length, in the precision that C has."""
    lengths: dict[tuple[str, tuple[int, ...]], float] = {}
    values: dict[str, list[float]] = {}
    for judged in rows:
        place, value = (judged.row.id.variable, judged.row.id.key), judged.row.c.value
        if math.isfinite(value):
            lengths[place] = math.hypot(lengths.get(place, 0.0), value)
            values.setdefault(judged.row.id.variable, []).append(value)
    epsilon = {name: _FLOAT32 if kept_in_float32(of) else _FLOAT64 for name, of in values.items()}
    return {place: LIMITS["ulps"].value * epsilon[place[0]] * length for place, length in lengths.items()}


def kept_in_float32(values: Iterable[float]) -> bool:
    """Whether all values are float32 numbers, and one is not a short number such as 0.5, which any type holds."""
    with np.errstate(over="ignore", under="ignore"):
        array = np.array(list(values))
        single = array.astype(np.float32) == array
    return bool(single.all()) and any(math.frexp(v)[0] * 2**SHORT_BITS % 1 for v in array.tolist())


@dataclass
class _OfVariable:
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys((WITHIN, BEYOND_ROUNDING, BEYOND_TOLERANCE), 0)
    )
    spread: float = 0.0
    worst: float = 0.0
    allowed: float = math.inf
    unreachable: bool = False
    port: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)


class _Tally:
    """Counts by variable as rows go by."""

    def __init__(
        self,
        calibration: Calibration,
        vocabulary: Vocabulary,
        least: Mapping[tuple[str, tuple[int, ...]], float],
        single: Mapping[tuple[str, tuple[int, ...], int], float],
    ) -> None:
        self.calibration, self.vocabulary, self.least, self.single = calibration, vocabulary, least, single
        self.found: dict[str, tuple[Variable, _OfVariable]] = {}
        self.numbers: list[RoundedNumber] = []
        self.divergence: RoundedNumber | None = None
        self.unknown = 0

    def take(self, judged: Judged) -> None:
        """One number."""
        row, variable = judged.row, judged.row.variable
        number = (row.id.variable, row.id.key, row.id.component)
        spread = self.calibration.spreads.get(number)
        if spread is None:
            self.unknown += 1
            return
        hidden = variable.tolerance.hidden * abs(row.c.value)
        least = self.least.get(number[:2], 0.0)
        whole = variable.tolerance.exact
        explained = LIMITS["k"].value * (spread if whole else max(spread, least)) + (0.0 if whole else hidden)
        apart = judged.abs_diff if judged.status != "nan" else math.inf
        times = apart / explained if explained > 0 else (0.0 if apart == 0 else math.inf)
        times = times if not math.isnan(times) else 0.0
        verdict = BEYOND_TOLERANCE if judged.status != "match" else WITHIN if times <= 1 else BEYOND_ROUNDING
        of = self.found.setdefault(variable.id, (variable, _OfVariable()))[1]
        of.counts[verdict] += 1
        of.spread, of.worst = max(of.spread, spread), max(of.worst, times)
        if not whole:
            allowed = judged.allowed if judged.status != "nan" else math.nan
            of.unreachable |= allowed < spread
            if explained > 0 and allowed == allowed:
                of.allowed = min(of.allowed, allowed / explained)
        if (error := self.single.get(number)) is not None and math.isfinite(error) and math.isfinite(apart):
            of.port.append(apart)
            of.single.append(error)
        if verdict == WITHIN:
            return
        component = row.id.component if variable.size != 1 and (variable.size or row.id.component) else None
        place = self.vocabulary.describe(row.id.key)
        known = (variable.name, variable.scope.name, component, place, verdict, apart, spread, explained, times)
        if verdict == BEYOND_TOLERANCE and self.divergence is None:
            self.divergence = RoundedNumber(*known)
        if times > 1 and len(self.numbers) < LISTED:
            self.numbers.append(RoundedNumber(*known))

    def rounding(self, float32_of: str) -> Rounding:
        """All that was counted."""
        ordered = sorted(self.found.values(), key=lambda entry: (entry[0].place, entry[0].id))
        totals = {c: sum(of.counts[c] for _, of in ordered) for c in (WITHIN, BEYOND_ROUNDING, BEYOND_TOLERANCE)}
        members = [member for member in self.calibration.members if not member.skipped and member.kind != "float32"]
        of_single = [(of.port, of.single) for _, of in ordered if of.single]
        ratios = [ratio for port, single in of_single if (ratio := _ratio(port, single)) is not None]
        return Rounding(
            measured=f"{plural(len(members), 'run')} of {self.calibration.origin.case} on "
            f"{self.calibration.origin.date}",
            k=LIMITS["k"].value,
            within=totals[WITHIN],
            beyond_rounding=totals[BEYOND_ROUNDING],
            beyond_tolerance=totals[BEYOND_TOLERANCE],
            unknown=self.unknown,
            first=self.numbers[0] if self.numbers else None,
            divergence=self.divergence,
            numbers=tuple(self.numbers),
            variables=tuple(_variable(variable, of) for variable, of in ordered),
            float32_of=float32_of if ratios else "",
            float32_ratio=float(np.median(ratios)) if ratios else None,
        )


def _variable(variable: Variable, of: _OfVariable) -> RoundedVariable:
    blind = math.isfinite(of.allowed) and of.allowed > LIMITS["blind"].value
    return RoundedVariable(
        variable.name,
        variable.scope.name,
        of.counts[WITHIN],
        of.counts[BEYOND_ROUNDING],
        of.counts[BEYOND_TOLERANCE],
        of.spread,
        of.worst,
        of.allowed,
        "unreachable" if of.unreachable else "blind" if blind else "",
        _ratio(of.port, of.single),
    )


def _ratio(port: list[float], single: list[float]) -> float | None:
    """Root mean square error of the port over that of float32; None where float32 makes none."""
    if not single or not any(single):
        return None
    return float(np.sqrt(np.mean(np.square(port)) / np.mean(np.square(single))))
