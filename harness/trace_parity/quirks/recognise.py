"""Which of the known quirks (harness/trace_parity/pair/quirk_ledger.py) a set of divergences shows.

A quirk is named only when its signature is seen in the numbers, never because a run was expected to have it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from trace_parity.compare.align import Alignment
from trace_parity.compare.carried import Ticks
from trace_parity.compare.judge import Judged, Judgement
from trace_parity.pair.quirk_ledger import ALWAYS_READ, Fallback, Quirk, Stale
from trace_parity.pair.vocabulary import Key, Variable, Vocabulary
from trace_parity.trace.precision import significant_digits
from trace_parity.trace.table import TraceTable

if TYPE_CHECKING:
    from trace_parity.blame.findings import Blame, BlameFinding


__all__ = ["Quirk", "QuirkFinding", "find_quirks", "name_unexplained", "quirks_of_blame"]


@dataclass(frozen=True)
class QuirkFinding:
    """A quirk seen in a comparison: at how many places, and what the first shows.

    `whole`: the variables whose divergent numbers all show its signature, with the other side's values as its other
    ticks predict them: only for these does the quirk explain the difference.
    """

    quirk: Quirk
    places: int
    evidence: str
    first_is_it: bool
    downstream: int
    whole: tuple[str, ...] = ()


def quirks_of_blame(
    blame: Blame, quirks: tuple[Quirk, ...], judgement: Judgement, vocabulary: Vocabulary
) -> tuple[QuirkFinding, ...]:
    """The quirks that the findings of `blame` name, with the first of each as evidence."""
    found: dict[str, list[BlameFinding]] = {}
    for finding in blame.findings:
        if finding.quirk:
            found.setdefault(finding.quirk, []).append(finding)
    first = judgement.first.row if judgement.first is not None else None
    named = []
    for quirk in quirks:
        if not (findings := found.get(quirk.id)):
            continue
        variables = {f.variable for f in findings}
        evidence = f"{findings[0].variable} of {quirk.side} at {findings[0].place}: {findings[0].hint}"
        is_first = first is not None and any(
            (f.variable, f.place) == (first.variable.name, vocabulary.describe(first.id.key)) for f in findings
        )
        downstream = _downstream(vocabulary, judgement, variables)
        named.append(QuirkFinding(quirk, max(f.count for f in findings), evidence, is_first, downstream))
    return tuple(named)


def name_unexplained(blame: Blame, findings: Sequence[QuirkFinding]) -> Blame:
    """`blame` with the quirk named on what no equation explains, where all of a variable's divergences show it."""
    ids = {name: f.quirk.id for f in findings for name in f.whole}
    told = (
        replace(f, quirk=ids[f.variable]) if f.kind == "unexplained" and f.variable in ids and not f.quirk else f
        for f in blame.findings
    )
    return replace(blame, findings=tuple(told))


def find_quirks(alignment: Alignment, judgement: Judgement, quirks: tuple[Quirk, ...]) -> tuple[QuirkFinding, ...]:
    """The quirks whose signature is in the divergent rows."""
    findings = (_find(alignment, judgement, quirk) for quirk in quirks)
    return tuple(finding for finding in findings if finding is not None)


def _find(alignment: Alignment, judgement: Judgement, quirk: Quirk) -> QuirkFinding | None:
    signature = quirk.signature
    if signature is None or judgement.first is None:
        return None
    names = signature.variables
    held = {variable.name for table in (alignment.c, alignment.py) for variable in table.variables.values()}
    if isinstance(signature, Stale) and not held & set(names):
        names = signature.instead
    divergent = [r for r in judgement.rows if r.status == "divergent" and r.row.variable.name in names]
    if isinstance(signature, Fallback):  # with other inputs it proves nothing
        elsewhere = {
            r.row.id.key for r in judgement.rows if r.status != "match" and r.row.variable.name in signature.given
        }
        divergent = [r for r in divergent if r.row.id.key not in elsewhere]
    places: dict[tuple[Key, str], str] = {}
    unchecked: set[str] = set()
    for judged, evidence, is_checked in (
        _stale(alignment, divergent, quirk.side, signature)
        if isinstance(signature, Stale)
        else _fallen_back(alignment, divergent, quirk.side, signature)
    ):
        places.setdefault((judged.row.id.key, judged.row.variable.name), evidence)
        if not is_checked:
            unchecked.add(judged.row.variable.name)
    if not places:
        return None
    first = judgement.first.row
    return QuirkFinding(
        quirk,
        len(places),
        next(iter(places.values())),
        (first.id.key, first.variable.name) in places,
        _downstream(alignment.vocabulary, judgement, set(names)),
        tuple(
            n
            for n in names
            if n not in unchecked
            and {(r.row.id.key, n) for r in divergent if r.row.variable.name == n} <= places.keys()
        ),
    )


def _stale(
    alignment: Alignment, divergent: list[Judged], side: str, signature: Stale
) -> Iterator[tuple[Judged, str, bool]]:
    seen: set[tuple[Key, str]] = set()
    place_of_loop = alignment.vocabulary.loops.index(signature.loop)

    @cache
    def of(from_c: bool, variable: str) -> Ticks:
        return Ticks(alignment.c if from_c else alignment.py, variable, place_of_loop)

    def ticks(table: TraceTable, variable: str) -> Ticks:
        return of(table is alignment.c, variable)

    for judged in divergent:
        place = (judged.row.id.key, judged.row.variable.name)
        if place not in seen and (evidence := _evidence(alignment, judged, side, signature, ticks)):
            seen.add(place)
            yield judged, evidence, _is_predicted(alignment, judged, side, signature, ticks)


def _is_predicted(
    alignment: Alignment, judged: Judged, side: str, signature: Stale, ticks: Callable[[TraceTable, str], Ticks]
) -> bool:
    """Whether the other side's value is the one that its own other ticks predict."""
    witness = alignment.py if side == "C" else alignment.c
    condition = next((v.id for v in alignment.vocabulary.named(signature.when_variable)), "")
    return ticks(witness, judged.row.id.variable).is_predicted(
        judged.row.id.key,
        lambda key: value if (value := witness.value(key, condition)) is not None else math.nan,
        signature.rtol,
    )


def _fallen_back(
    alignment: Alignment, divergent: list[Judged], side: str, signature: Fallback
) -> list[tuple[Judged, str, bool]]:
    """The divergent rows, if all of them are of a side that fell back for good; else none."""
    suspect, witness = (alignment.c, alignment.py) if side == "C" else (alignment.py, alignment.c)
    found = []
    for judged in divergent:
        key, variable = judged.row.id.key, judged.row.id.variable
        read, computed = suspect.value(key, variable), witness.value(key, variable)
        if read is None or computed is None:
            return []
        if _digits(read) > signature.digits or _digits(computed) <= signature.digits:
            return []
        name, other = judged.row.variable.name, witness.side
        told = f"{name} of {side} is {read:.{signature.digits}g}, a number as it is read; {other} has computed one"
        found.append((judged, told, False))  # what the other side should have is in no log
    if not found:
        return []
    vocabulary = alignment.vocabulary
    begins = min(vocabulary.order(judged.row.variable, judged.row.id.key, 0) for judged in divergent)
    variables = {judged.row.id.variable: judged.row.variable for judged in divergent}
    own = [(place, number.value) for place, number in suspect.rows.items() if place[1] in variables]
    computed_ones = [(key, v, n) for (key, v, n), value in own if _digits(value) > signature.digits]
    if any(vocabulary.order(variables[v], key, n) > begins for key, v, n in computed_ones):
        return []
    if not computed_ones:
        return [(judged, f"{told}; {side} {ALWAYS_READ}", whole) for judged, told, whole in found]
    return found


def _digits(value: float) -> int:
    """How many significant digits the shortest decimal for a double has."""
    mantissa = repr(value).lstrip("-").partition("e")[0]
    return significant_digits(mantissa.replace(".", "").rstrip("0"))


def _evidence(
    alignment: Alignment, judged: Judged, side: str, signature: Stale, ticks: Callable[[TraceTable, str], Ticks]
) -> str | None:
    """The evidence that this row is stale, or None."""
    row = judged.row
    place = alignment.vocabulary.loops.index(signature.loop)
    suspect, witness = (alignment.c, alignment.py) if side == "C" else (alignment.py, alignment.c)
    condition = next((v.id for v in alignment.vocabulary.named(signature.when_variable)), "")
    if suspect.value(row.id.key, condition) != signature.when_equals:
        return None
    stale = suspect.vector(row.id.key, row.id.variable)
    tick = row.id.key[place]
    if ticks(witness, row.id.variable).carried_from(row.id.key) is not None:
        return None  # the other side does so as well: what differs has another cause
    for other in _ticks(row.id.key, place, witness.rows):
        if other == tick:
            continue
        value = witness.vector((*row.id.key[:place], other, *row.id.key[place + 1 :]), row.id.variable)
        if len(value) == len(stale) and _same(stale, value, signature.rtol):
            return (
                f"{row.variable.name} of {side} at {signature.loop}={tick} "
                f"({signature.when_variable}={signature.when_equals:g}) is the value of {signature.loop}={other}"
            )
    own = ticks(suspect, row.id.variable).carried_from(row.id.key)
    if own is None:
        return None
    return (
        f"{row.variable.name} of {side} at {signature.loop}={tick} ({signature.when_variable}="
        f"{signature.when_equals:g}) is, in all digits, its own value of {signature.loop}={own}"
    )


def _ticks(key: Key, place: int, rows: object) -> list[int]:
    """Every tick of the loop at `place` that has rows at otherwise the same indices."""
    assert isinstance(rows, dict)
    rest = (key[:place], key[place + 1 :])
    return sorted({k[place] for k, _, _ in rows if (k[:place], k[place + 1 :]) == rest})


def _same(a: tuple[float, ...], b: tuple[float, ...], rtol: float) -> bool:
    return math.dist(a, b) <= rtol * max(math.hypot(*a), math.hypot(*b))


def _downstream(vocabulary: Vocabulary, judgement: Judgement, variables: set[str]) -> int:
    """How many divergent numbers belong to variables that are computed from those."""
    reached = set(variables)
    grew = True
    while grew:
        new = {v.name for v in vocabulary.variables if v.name not in reached and _uses(v, reached)}
        grew = bool(new)
        reached |= new
    reached -= variables
    return sum(1 for row in judgement.rows if row.status != "match" and row.row.variable.name in reached)


def _uses(variable: Variable, names: set[str]) -> bool:
    return any(name in names for name in variable.depends_on)
