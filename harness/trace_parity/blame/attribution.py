"""Who breaks its own equation: the third opinion on two logs, or on one.

Every equation of a domain is evaluated on each side's own inputs and compared with that side's own output. A number
that differs is then *introduced* (a side breaks the equation that makes it), *inherited* (the equation is obeyed and
its inputs differ already) or *unexplained* (no equation makes it, or an input is not in the log). One pass finds all
faults: one that lies downstream of another still breaks its own equation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trace_parity.blame.culprits import Accused, culprits, culprits_of_both
from trace_parity.blame.equation import Domain, Equation, Input, Outcome
from trace_parity.blame.evaluated_log import Side
from trace_parity.blame.findings import Blame, BlameFinding
from trace_parity.blame.hints import Hint, between_sides
from trace_parity.compare.align import Alignment
from trace_parity.compare.judge import Judged, Judgement
from trace_parity.pair.vocabulary import ABSENT, Key, Vocabulary
from trace_parity.quirks.recognise import blamed_quirk, load_quirks
from trace_parity.trace.table import TraceTable

__all__ = ["Blame", "BlameFinding", "blame_log", "blame_pair"]

EXPLAINED = 8
"""Places of one variable whose inputs are looked at one by one; others that stand alike are taken as these."""
NAMED_INPUTS = 4
"""How many differing inputs, or missing lines, a finding lists."""


@dataclass(frozen=True)
class _Placed:
    order: tuple[object, ...]
    finding: BlameFinding


@np.errstate(all="ignore")  # a log may hold NaN and infinity
def blame_log(table: TraceTable, vocabulary: Vocabulary, domain: Domain) -> Blame:
    """Whether one log obeys the equations. Those that hold for some settings only are not asked."""
    side = Side(table, vocabulary, domain)
    guilty = {
        e.id: [o for o in side.found[e.id].outcomes.values() if not o.ok and not o.conditional] for e in asked(domain)
    }
    placed = [_accusation("self-inconsistent", side.name, a, side) for a in culprits(side, guilty)]
    return _blame(placed, [side])


def asked(domain: Domain) -> list[Equation]:
    """The equations that accuse someone when they are broken."""
    return [e for e in domain.equations if not e.backward]


@np.errstate(all="ignore")
def blame_pair(alignment: Alignment, judgement: Judgement, domain: Domain) -> Blame:
    """Who introduced what, who inherited what, and what no equation explains."""
    vocabulary = alignment.vocabulary
    c, py = (Side(table, vocabulary, domain) for table in (alignment.c, alignment.py))
    differing = _differing(judgement)
    guilty = {e.id: _guilty(e, c, py, differing) for e in asked(domain)}
    _without_settled(guilty, domain)
    placed: list[_Placed] = []
    settled: set[tuple[str, Key]] = set()
    by_side = [{i: found[name] for i, found in guilty.items()} for name in ("C", "PY")]
    for name, side, all_accused in zip(("C", "PY"), (c, py), culprits_of_both(c, py, *by_side), strict=True):
        for accused in all_accused:
            placed.append(_accusation("introduced", name, accused, side))
            settled |= {(accused.variable, o.key) for o in accused.outcomes}
    for equation in asked(domain):
        if alike := guilty[equation.id]["both"]:
            accused = Accused(equation.output, equation, tuple(alike), True)
            placed.append(_accusation("self-inconsistent", "both", accused, c))
            settled |= {(equation.output, o.key) for o in alike}
    placed += _unsettled(differing, settled, c, py, domain, vocabulary)
    return _blame(placed, [c, py])


def _without_settled(guilty: dict[str, dict[str, list[Outcome]]], domain: Domain) -> None:
    """What holds for some settings only is not asked where another equation accuses the same value already."""
    settled = {
        (e.output, o.key)
        for e in asked(domain)
        if e.conditional is not True
        for outcomes in guilty[e.id].values()
        for o in outcomes
    }
    for equation in asked(domain):
        if equation.conditional is True:
            for name, outcomes in guilty[equation.id].items():
                guilty[equation.id][name] = [o for o in outcomes if (equation.output, o.key) not in settled]


def _differing(judgement: Judgement) -> dict[tuple[str, Key], Judged]:
    """Worst number of each variable and key that differs."""
    found: dict[tuple[str, Key], Judged] = {}
    for row in judgement.rows:
        if row.status != "match":
            place = (row.row.id.variable, row.row.id.key)
            if place not in found or row.rel_diff > found[place].rel_diff:
                found[place] = row
    return found


def _guilty(
    equation: Equation, c: Side, py: Side, differing: dict[tuple[str, Key], Judged]
) -> dict[str, list[Outcome]]:
    """The broken places by side. Broken alike on both sides is a setting that the equation does not know: no one's."""
    ours, theirs = c.found[equation.id].outcomes, py.found[equation.id].outcomes
    guilty: dict[str, list[Outcome]] = {"C": [], "PY": [], "both": []}
    for key in dict.fromkeys([*ours, *theirs]):
        a, b = ours.get(key), theirs.get(key)
        wrong = {
            name: one for name, one, other in (("C", a, b), ("PY", b, a)) if one is not None and _wrong(one, other)
        }
        if len(wrong) == 2 and (equation.output, key) not in differing and _alike(*wrong.values()):
            guilty["both"].append(wrong["C"])
            continue
        for name, outcome in wrong.items():
            guilty[name].append(outcome)
    return guilty


def _wrong(own: Outcome, other: Outcome | None) -> bool:
    """Broken for sure: or, where the equation holds for some settings only, broken while the other side obeys."""
    return not own.ok and (not own.conditional or (other is not None and other.ok))


def _alike(a: Outcome, b: Outcome) -> bool:
    """Whether both miss by about the same."""
    return abs(a.residual - b.residual) <= 1e-3 * max(a.residual, b.residual)


def _accusation(kind: str, name: str, accused: Accused, side: Side) -> _Placed:
    vocabulary, equation = side.view.vocabulary, accused.equation
    variable = side.view.variables[accused.variable]
    first = min(accused.outcomes, key=lambda o: vocabulary.order(variable, o.key, 0))
    worst = max(accused.outcomes, key=lambda o: o.residual)
    if accused.is_output:
        hint = side.hint(equation, accused.outcomes)
    else:
        hint = side.hint_of_value(replace(equation, output=accused.variable, inputs=(), variants=()), accused.outcomes)
    finding = BlameFinding(
        kind=kind,
        side=name,
        variable=variable.name,
        scope=variable.scope.name,
        equation=equation.id,
        equation_text=equation.text,
        section=equation.section,
        count=len(accused.outcomes),
        place=vocabulary.describe(first.key),
        residual=worst.residual,
        allowed=worst.permitted,
        hint=hint.text if hint else "",
        missing=(),
        quirk=_quirk(equation, name, accused.outcomes, hint, side) if accused.is_output else "",
        instead=accused.instead,
    )
    return _Placed(vocabulary.order(variable, first.key, 0), finding)


def _quirk(equation: Equation, name: str, broken: Sequence[Outcome], hint: Hint | None, side: Side) -> str:
    def at(variable: str, key: Key) -> float | None:
        place = side.view.find(variable, key)
        value = side.view.at(*place) if place is not None else None
        return None if value is None else float(value[0])

    kind = hint.kind if hint else ""
    return blamed_quirk(load_quirks(), equation.id, name, kind, lambda variable: [at(variable, o.key) for o in broken])


def _unsettled(
    differing: dict[tuple[str, Key], Judged],
    settled: set[tuple[str, Key]],
    c: Side,
    py: Side,
    domain: Domain,
    vocabulary: Vocabulary,
) -> Iterable[_Placed]:
    """What differs although no one broke an equation there: one finding per variable and kind."""
    groups: dict[tuple[str, str], list[tuple[Judged, BlameFinding]]] = {}
    alike: dict[tuple[object, ...], list[BlameFinding]] = {}
    for (variable, key), judged in differing.items():
        if (variable, key) in settled:
            continue
        equations = [e for e in asked(domain) if e.output == variable]
        told = alike.setdefault((variable, *(_standing(e, s, key) for e in equations for s in (c, py))), [])
        if len(told) < EXPLAINED:
            told.append(_explain(judged, equations, c, py, domain, vocabulary))
        groups.setdefault((variable, told[-1].kind), []).append((judged, told[-1]))
    for members in groups.values():
        first, finding = members[0]
        worst = max(members, key=lambda m: m[0].rel_diff)[0]
        scale = worst.abs_diff / worst.rel_diff if worst.rel_diff and np.isfinite(worst.rel_diff) else 1.0
        values = {**finding.__dict__, "count": len(members)}
        values |= {"residual": worst.rel_diff, "allowed": worst.allowed / scale}
        values["missing"] = tuple(dict.fromkeys(w for _, f in members for w in f.missing))
        order = vocabulary.order(first.row.variable, first.row.id.key, 0)
        yield _Placed(order, BlameFinding(**values))


def _standing(equation: Equation, side: Side, key: Key) -> object:
    """How an equation stands at a place: what is missing, or which forms are obeyed."""
    found = side.found[equation.id]
    outcome = found.outcomes.get(key)
    return found.missing.get(key) if outcome is None else outcome.forms


def _explain(
    judged: Judged, equations: list[Equation], c: Side, py: Side, domain: Domain, vocabulary: Vocabulary
) -> BlameFinding:
    """Inherited or unexplained, for one number. A side that obeys is cleared though the other cannot be asked."""
    key, variable = judged.row.id.key, judged.row.variable
    asked = [(e, s) for e in equations for s in (c, py) if key in s.found[e.id].outcomes]
    obeyed = {s.name for e, s in asked if s.found[e.id].outcomes[key].ok}
    unasked = [(e, s) for e in equations for s in (c, py) if key in s.found[e.id].missing and s.name not in obeyed]
    missing = _by_line((s.name, w) for e, s in unasked for w in s.found[e.id].missing[key])
    equation = next((e for e, s in asked if s.found[e.id].outcomes[key].ok), equations[0] if equations else None)
    kind, hint = "unexplained", ""
    if equation is not None and obeyed:
        kind, hint = _inherited(equation, equations, key, c, py, obeyed)
    if not hint:
        values = [s.view.at(variable.id, key) for s in (c, py)]
        hint = between_sides(values[0], values[1], domain)
    if not hint and not equations:
        hint = "no equation makes it: a setting of the run, or data"
    return BlameFinding(
        kind=kind,
        side="both",
        variable=variable.name,
        scope=variable.scope.name,
        equation=equation.id if equation else "",
        equation_text=equation.text if equation else "",
        section=equation.section if equation else "",
        count=1,
        place=vocabulary.describe(key),
        residual=judged.rel_diff,
        allowed=0.0,
        hint=hint,
        missing=missing,
    )


def _by_line(lacks: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """`F_latt_b (C, PY)`: each missing line with the sides that lack it; loop indices only where nothing else lacks."""
    sides: dict[str, list[str]] = {}
    for side, line in lacks:
        if side not in sides.setdefault(line, []):
            sides[line].append(side)
    lines = [line for line in sides if "(loop index)" not in line] or list(sides)
    return tuple(f"{line} ({', '.join(sides[line])})" for line in lines)


def _inherited(
    equation: Equation, equations: list[Equation], key: Key, c: Side, py: Side, obeyed: set[str]
) -> tuple[str, str]:
    forms = [s.found[equation.id].outcomes[key].forms for s in (c, py) if key in s.found[equation.id].outcomes]
    if len(forms) == 2 and not forms[0] & forms[1]:
        names = [" or ".join(sorted(f)) or "neither form" for f in forms]
        return "unexplained", f"C follows '{names[0]}', PY '{names[1]}': a setting differs"
    inputs = _differing_inputs([equation], key, c, py) or _differing_inputs(equations, key, c, py)
    if not inputs:
        return "unexplained", "both obey, and none of the inputs in both logs differs: what feeds it is not in the logs"
    has = {s.name for e in equations for s in (c, py) if key in s.found[e.id].outcomes}
    unasked = " and ".join(name for name in ("C", "PY") if name not in obeyed | has)
    caveat = f"; {unasked} could not be asked" if unasked else ""
    return "inherited", f"from {', '.join(inputs)}{caveat}"


def _differing_inputs(equations: list[Equation], key: Key, c: Side, py: Side) -> list[str]:
    """Inputs that differ between the sides by more than their rounding, with how much (relative)."""
    found: dict[str, str] = {}
    for equation in equations:
        for wanted in equation.inputs:
            differs = _difference(wanted, equation.output, key, c, py)
            if differs is not None:
                found.setdefault(differs[0], f"{differs[0]} ({differs[1]:.2g})")
    return list(found.values())[:NAMED_INPUTS]


def _difference(wanted: Input, output: str, key: Key, c: Side, py: Side) -> tuple[str, float] | None:
    """Name and relative difference of an input that differs; None where it does not, or stands in one log only."""
    where = [wanted.pick(s.view, key) if wanted.pick else key for s in (c, py)]
    places = [s.view.find(wanted.ref, k) if k is not None else None for s, k in zip((c, py), where, strict=True)]
    if None in places:
        places = [s.view.find(wanted.ref, (ABSENT,) * len(key)) for s in (c, py)]
    if places[0] is None or places[1] is None or (output == places[0][0] and places[0][1] == key):
        return None
    a, b = c.view.at(*places[0]), py.view.at(*places[1])
    if a is None or b is None or a.shape != b.shape:
        return None
    spread = c.view.uncertainty(places[0][0], a) + py.view.uncertainty(places[1][0], b)
    name = places[0][0].rpartition(".")[2]
    if (np.isnan(a) != np.isnan(b)).any():
        return name, float("nan")
    if not (np.abs(a - b) > spread).any():
        return None
    size = float(np.sqrt(np.nansum(np.maximum(a * a, b * b)))) or 1.0
    return name, float(np.nanmax(np.abs(a - b), initial=0)) / size


def _blame(placed: list[_Placed], sides: list[Side]) -> Blame:
    ordered = sorted(placed, key=lambda p: p.order)
    asked = {name for s in sides for name, found in s.found.items() if found.outcomes}
    return Blame(
        tuple(p.finding for p in ordered),
        len(asked),
        sum(len(found.outcomes) for s in sides for found in s.found.values()),
        _never_asked(sides),
        {s.name: s.view.digits for s in sides},
    )


def _never_asked(sides: list[Side]) -> tuple[str, ...]:
    """One line per equation whose output stands in a log and that could not be asked anywhere in it.

    Not those that hold for some settings only, and not those that stand in for another.
    """
    lines: dict[tuple[str, str], list[str]] = {}
    for equation in sides[0].domain.equations:
        if equation.conditional is True or equation.fallback_for or equation.backward:
            continue
        instead = [e.id for e in sides[0].domain.equations if equation.id in e.fallback_for]
        for side in sides:
            found = side.found[equation.id]
            if not found.outcomes and found.missing and not any(side.found[e].outcomes for e in instead):
                words = (w for lacking in found.missing.values() for w in lacking)
                lacks = ", ".join(dict.fromkeys(words))
                lines.setdefault((equation.text, lacks), []).append(side.name)
    return tuple(f"{', '.join(names)}: {text}: lacks {lacks}" for (text, lacks), names in lines.items())
