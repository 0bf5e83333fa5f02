"""Which side breaks its own equation: a third opinion on two logs, or on one.

Every equation of a domain is evaluated on each side's own inputs and compared with that side's own output. A number
that differs is then *introduced* (a side breaks the equation that makes it), *inherited* (the equation is obeyed and
its inputs differ already) or *unexplained* (no equation makes it, or an input is not in the log). One pass finds all
faults: one that lies downstream of another still breaks its own equation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trace_parity.blame.accused import Accused
from trace_parity.blame.changes import Hint
from trace_parity.blame.counts import miscounted
from trace_parity.blame.culprits import culprits, culprits_of_both
from trace_parity.blame.equation import Domain, Equation, Outcome, asked
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.findings import Blame, BlameFinding
from trace_parity.blame.forms_of_both import hold_to_the_other
from trace_parity.blame.iterations import due_to, uneven_loops
from trace_parity.blame.iterations_of_the_other import elsewhere
from trace_parity.blame.misprints import in_words
from trace_parity.blame.origins import WITHIN, origins
from trace_parity.blame.ranking import ranked
from trace_parity.blame.reach import as_far_as
from trace_parity.blame.remedies import LIKE
from trace_parity.blame.settings import settings_of
from trace_parity.blame.shares import Shares
from trace_parity.blame.torch_rounding import with_rounding_hints
from trace_parity.blame.undone import behind_prints
from trace_parity.blame.unison import in_unison, together
from trace_parity.blame.unsettled import Placed, Sides, unsettled
from trace_parity.compare.align import Alignment
from trace_parity.compare.carried import Known, of_both
from trace_parity.compare.judge import Judged, Judgement
from trace_parity.pair.quirk_ledger import blamed_quirk
from trace_parity.pair.vocabulary import Key, Vocabulary
from trace_parity.trace.table import TraceTable

OFF_LENGTH = 1e-9
"""A relative error of a length above this is not the rounding of a rotation."""

__all__ = ["Blame", "BlameFinding", "blame_log", "blame_pair"]


@np.errstate(all="ignore")  # a log may hold NaN and infinity
def blame_log(table: TraceTable, vocabulary: Vocabulary, domain: Domain) -> Blame:
    """Whether one log obeys the equations. Conditional equations are not evaluated."""
    side = EvaluatedLog(table, vocabulary, domain)
    guilty = {
        e.id: [o for o in side.found[e.id].outcomes.values() if not o.ok and not o.conditional] for e in asked(domain)
    }
    placed = [_accusation("self-inconsistent", side.name, a, side) for a in culprits(side, guilty)]
    return _blame(placed, [side])


@np.errstate(all="ignore")
def blame_pair(alignment: Alignment, judgement: Judgement, domain: Domain, argv: tuple[str, ...] = ()) -> Blame:
    """Who introduced what, who inherited what, and what no equation explains; `argv` is the command line, if known."""
    vocabulary = alignment.vocabulary
    c, py = (EvaluatedLog(table, vocabulary, domain) for table in (alignment.c, alignment.py))
    hold_to_the_other(c, py)
    hold_to_the_other(py, c)
    differing = _differing(judgement)
    uneven = uneven_loops(c.view, py.view, domain, argv)
    guilty = {
        e.id: _guilty(e, c, py, differing, is_excused=due_to(e.output, uneven) is not None) for e in asked(domain)
    }
    _without_settled(guilty, domain)
    placed: list[Placed] = []
    settled: set[tuple[str, Key]] = set()
    by_side = [{i: found[name] for i, found in guilty.items()} for name in ("C", "PY")]
    culprits_found = culprits_of_both(c, py, *by_side)
    both_accused = [
        (*found, *miscounted(side, other, differing))
        for found, side, other in zip(culprits_found.accused, (c, py), (py, c), strict=True)
    ]
    meant = [_as_meant(side, found) for side, found in zip((c, py), both_accused, strict=True)]
    for name, side, all_accused in zip(("C", "PY"), (c, py), both_accused, strict=True):
        members: list[tuple[Accused, Placed]] = []
        other = meant[1] if side is c else meant[0]
        for accused in all_accused:
            made = _accusation("introduced", name, accused, side, other)
            if made.finding.quirk and not _other_is_right(accused, other):
                made = replace(made, finding=replace(made.finding, quirk="", quirk_too=""))
            members.append((accused, made))
            settled |= {(accused.variable, o.key) for o in accused.outcomes}
        placed += in_unison(members, side)
    for accused in culprits(c, {i: found["both"] for i, found in guilty.items()}):
        placed.append(_accusation("self-inconsistent", "both", accused, c))
        settled |= {(accused.variable, o.key) for o in accused.outcomes}
    cleared = dict(zip(("C", "PY"), culprits_found.cleared, strict=True))
    printed = frozenset(p.variable for p in placed if p.finding.manner == "probe")
    pair = Sides(c, py, cleared, printed, uneven, argv)
    accused_of = {p.variable for p in placed}
    placed += together(list(unsettled(differing, settled, pair)), pair)
    placed += together(behind_prints(placed, differing, (meant[0], meant[1]), pair), pair)
    placed += origins(placed, differing, pair)
    found = _blame(placed, [c, py], Shares(pair))
    inherited = {p.variable for p in placed if p.finding.kind == "inherited"}
    settings = settings_of(pair, inherited, accused_of)
    loops = tuple(str(one) for one in uneven if one.is_sure)
    known = Known(differing.keys(), lambda variable, key: _is_obeyed(variable, key, (c, py)))
    notes = of_both(alignment, domain.quirks, known)
    return replace(with_rounding_hints(found), notes=notes, settings=settings, loops=loops)


def _as_meant(side: EvaluatedLog, accused: Sequence[Accused]) -> EvaluatedLog:
    """A log with corrected values where only the print is wrong."""
    return side.with_values(
        {(a.variable, o.key): o.expected for a in accused if a.manner == "probe" for o in a.outcomes}
    )


def _is_obeyed(variable: str, key: Key, sides: Sequence[EvaluatedLog]) -> bool:
    """Whether a value agrees with one of its equations, in any of the logs."""
    outcomes = [
        side.found[e.id].outcomes.get(key)
        for side in sides
        for e in side.domain.equations
        if e.output == variable and not e.backward
    ]
    return any(outcome is not None and outcome.ok for outcome in outcomes)


def _without_settled(guilty: dict[str, dict[str, list[Outcome]]], domain: Domain) -> None:
    """Leave out conditional equations where another equation accuses the same value already."""
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
    equation: Equation,
    c: EvaluatedLog,
    py: EvaluatedLog,
    differing: dict[tuple[str, Key], Judged],
    *,
    is_excused: bool,
) -> dict[str, list[Outcome]]:
    """The broken places by side. If both sides break it alike, the equation lacks a setting; that is not a fault.

    Where a conditional equation `is_excused`, the sides are known to have other settings: it accuses neither side.
    """
    ours, theirs = c.found[equation.id].outcomes, py.found[equation.id].outcomes
    guilty: dict[str, list[Outcome]] = {"C": [], "PY": [], "both": []}
    for key in dict.fromkeys([*ours, *theirs]):
        a, b = ours.get(key), theirs.get(key)
        wrong = {
            name: one
            for name, one, other in (("C", a, b), ("PY", b, a))
            if one is not None and _wrong(one, None if is_excused else other)
        }
        same = (equation.output, key) not in differing and len(wrong) == 2 and _alike(*wrong.values())
        if same or (len(wrong) == 2 and _carried_alike(c, py, equation.output, key)):
            guilty["both"].append(wrong["C"])
            continue
        for name, outcome in wrong.items():
            guilty[name].append(outcome)
    return guilty


def _wrong(own: Outcome, other: Outcome | None) -> bool:
    """Whether it is certainly broken; if it holds for some settings only, whether the other side obeys it."""
    return not own.ok and (not own.conditional or (other is not None and other.ok))


def _carried_alike(c: EvaluatedLog, py: EvaluatedLog, variable: str, key: Key) -> bool:
    """Whether both sides have their own value of the same other tick there, in all digits."""

    def same_as(side: EvaluatedLog) -> set[Key]:
        own = side.view.at(variable, key)
        keys = side.view.keys(variable)
        near = [k for k in keys if k != key and sum(i != n for i, n in zip(k, key, strict=True)) == 1]
        return {k for k in near if own is not None and np.array_equal(own, np.asarray(side.view.at(variable, k)))}

    return bool(same_as(c) & same_as(py))


def _alike(a: Outcome, b: Outcome) -> bool:
    """Whether both sides miss by about the same."""
    return abs(a.residual - b.residual) <= 1e-3 * max(a.residual, b.residual)


VAGUE = ("length", "turned")
"""Hints that only describe a shape: of a unit vector just the length is known, and the other log gives more."""
CLEAR = ("scale", "sign", "axes", "transposed", "index")
"""Hints that name a mistake, also when derived from the other log's value."""


def _is_another(accused: Accused, other: EvaluatedLog) -> bool:
    """Whether the other log, where it obeys, has something else than is expected here: a form that guesses a unit."""
    theirs = other.found[accused.equation.id].outcomes
    for outcome in accused.outcomes:
        value, obeys = other.view.at(accused.variable, outcome.key), theirs.get(outcome.key)
        if value is None or obeys is None or not obeys.ok or value.shape != outcome.got.shape:
            return False
        if np.max(np.abs(value - outcome.expected)) <= LIKE * np.max(np.abs(value)):
            return False
    return True


def _from_the_other(accused: Accused, side: EvaluatedLog, other: EvaluatedLog, least: int = 2) -> Hint | None:
    """How a wrong value relates to the other log's where that obeys the equation; for `least` numbers or more."""
    theirs = other.found[accused.equation.id].outcomes
    beside = []
    for outcome in accused.outcomes:
        value, obeys = other.view.at(accused.variable, outcome.key), theirs.get(outcome.key)
        if value is None or obeys is None or not obeys.ok or value.shape != outcome.got.shape:
            return None
        beside.append(replace(outcome, expected=value))
    if sum(len(o.got) for o in beside) < least:
        return None
    hint = side.hint_of_value(replace(accused.equation, output=accused.variable, inputs=(), variants=()), beside)
    return hint if hint is not None and hint.kind in CLEAR else None


def _accusation(
    kind: str, name: str, accused: Accused, side: EvaluatedLog, other: EvaluatedLog | None = None
) -> Placed:
    vocabulary, equation = side.view.vocabulary, accused.equation
    variable = side.view.variables[accused.variable]
    first = min(accused.outcomes, key=lambda o: vocabulary.order(variable, o.key, 0))
    worst = max(accused.outcomes, key=lambda o: o.residual)
    if accused.is_output:
        hint = side.hint(equation, accused.outcomes, accused.found)
    else:
        hint = side.hint_of_value(replace(equation, output=accused.variable, inputs=(), variants=()), accused.outcomes)
    if other is not None and accused.is_output and _is_another(accused, other):
        hint = _from_the_other(accused, side, other, least=1) or hint
    elif other is not None and accused.is_output and (hint is None or hint.kind in VAGUE):
        hint = _from_the_other(accused, side, other) or hint
    elif other is not None and accused.is_output and hint is not None and hint.kind == "scale" and not hint.if_printed:
        whole = _from_the_other(accused, side, other)  # of a constant that is read off the log only an input is left
        hint = whole if whole is not None and whole.if_printed else hint
    text = hint.text if hint else ""
    if other is not None and not text:
        text = elsewhere(accused.variable, [o.key for o in accused.outcomes], side, other)
    text = in_words(accused, side, hint, text)
    right = (
        [key for key, outcome in side.found[equation.id].outcomes.items() if outcome.ok] if accused.is_output else []
    )
    text = as_far_as(text, accused.variable, {o.key for o in accused.outcomes}, right, side.view)
    quirk = _quirk(equation, name, accused.outcomes, hint, side) if accused.is_output else ""
    if other is not None and accused.is_output and not quirk and _other_is_right(accused, other):
        text += _quirk_of_the_other(accused, name, hint, side)
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
        hint=text,
        missing=(),
        quirk=quirk,
        quirk_too=_quirk_too(quirk, accused.outcomes, side.domain),
        instead=accused.instead,
        manner=accused.manner,
    )
    expected = {o.key: o.expected for o in accused.outcomes}
    return Placed(vocabulary.order(variable, first.key, 0), finding, accused.variable, expected)


def _other_is_right(accused: Accused, other: EvaluatedLog) -> bool:
    """Whether the other log obeys the equation where this one shows a quirk, or has the value that it should have.

    The rest of the difference would be waived with the quirk.
    """
    theirs, tolerance = other.found[accused.equation.id].outcomes, other.view.variables[accused.variable].tolerance
    for outcome in accused.outcomes:
        if (own := theirs.get(outcome.key)) is not None:
            if not own.ok:
                return False
            continue
        value = other.view.at(accused.variable, outcome.key)
        limit = max(outcome.permitted, tolerance.rtol + tolerance.floor) * outcome.scale
        if value is None:  # a value that is missing hides nothing
            continue
        if value.shape != outcome.expected.shape or not np.sqrt(np.sum((value - outcome.expected) ** 2)) <= limit:
            return False
    return True


def _quirk_too(quirk: str, broken: Sequence[Outcome], domain: Domain) -> str:
    """The second quirk to show where the lengths differ too, or empty."""
    also = next((q.blame.if_off_length for q in domain.quirks if q.id == quirk and q.blame is not None), "")
    lengths = [(np.sqrt(np.sum(o.got**2)), np.sqrt(np.sum(o.expected**2)), o.permitted) for o in broken]
    is_off = any(e > 0 and abs(g / e - 1) > max(OFF_LENGTH, 2 * allowed) for g, e, allowed in lengths)
    return also if is_off else ""


def _quirk(equation: Equation, name: str, broken: Sequence[Outcome], hint: Hint | None, side: EvaluatedLog) -> str:
    def at(variable: str, key: Key) -> float | None:
        place = side.view.find(variable, key)
        value = side.view.at(*place) if place is not None else None
        return None if value is None else float(value[0])

    kind = hint.kind if hint else ""
    return blamed_quirk(
        side.domain.quirks, equation.id, name, kind, lambda variable: [at(variable, o.key) for o in broken]
    )


def _quirk_of_the_other(accused: Accused, name: str, hint: Hint | None, side: EvaluatedLog) -> str:
    """A note if one side shows a quirk that the ledger lists for the other side only."""
    theirs = "PY" if name == "C" else "C"
    quirk = _quirk(accused.equation, theirs, accused.outcomes, hint, side)
    return f"; {name} shows quirk {quirk}, a known quirk of {theirs}" if quirk else ""


def _blame(placed: list[Placed], sides: list[EvaluatedLog], shares: Shares | None = None) -> Blame:
    ordered = sorted(placed, key=lambda p: p.order)
    findings = [p.finding for p in ordered]
    if shares is not None:
        shared = [
            f for f in shares.of(ordered) if not f.hint.startswith(WITHIN) or not (f.share is None or f.is_harmless)
        ]
        findings = ranked(shared, shares.apart(), shares.graph)
    asked = {name for s in sides for name, found in s.found.items() if found.outcomes}
    return Blame(
        tuple(findings),
        len(asked),
        sum(len(found.outcomes) for s in sides for found in s.found.values()),
        _never_asked(sides),
        {s.name: s.view.digits for s in sides},
        shares.final.rpartition(".")[2] if shares is not None else "",
        next((p.finding.variable for p in ordered if p.finding.variable in {f.variable for f in findings}), ""),
    )


def _never_asked(sides: list[EvaluatedLog]) -> tuple[str, ...]:
    """One line per equation whose output is in a log but that could not be evaluated anywhere in it.

    Conditional and fallback equations are left out.
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
                # The first iteration of a recurrence has no previous one: not worth reporting.
                every = list(dict.fromkeys(words))
                lacks = ", ".join([w for w in every if "@" not in w] or every)
                lines.setdefault((equation.text, lacks), []).append(side.name)
    return tuple(f"{', '.join(names)}: {text}: lacks {lacks}" for (text, lacks), names in lines.items())
