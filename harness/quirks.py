"""The ledger of known quirks, and which of them a set of divergences shows.

A quirk is named only when its signature is seen in the numbers, never because a run was expected to have it.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import TYPE_CHECKING

from harness.align import Alignment
from harness.judge import Judged, Judgement
from harness.vocabulary import Key, Variable, Vocabulary

if TYPE_CHECKING:
    from harness.blame_findings import Blame, BlameFinding


@dataclass(frozen=True)
class Signature:
    """On one side, where `when_variable` equals `when_equals`, a variable has its value of another tick of `loop`."""

    loop: str
    variables: tuple[str, ...]
    when_variable: str
    when_equals: float
    rtol: float


NO_SIGNATURE = Signature("", (), "", 0.0, 0.0)
"""Of a quirk that only shows in a broken equation: no divergence fits it."""


@dataclass(frozen=True)
class BlameSignature:
    """On the quirk's side one of `equations` is broken, with a hint of one of `hints`, wherever `when` holds."""

    equations: tuple[str, ...]
    hints: tuple[str, ...]
    when_variable: str = ""
    when_equals: float = 0.0


@dataclass(frozen=True)
class Quirk:
    """One entry of the ledger."""

    id: str
    kind: str
    side: str
    title: str
    explanation: str
    remedy: str
    owner: str
    reference: str
    largest: float  # relative; a broken equation that is off by more is not this quirk
    expires: date | None  # of a waiver
    signature: Signature
    blame: BlameSignature | None = None


@dataclass(frozen=True)
class QuirkFinding:
    """A quirk seen in a comparison: at how many places, and what the first shows."""

    quirk: Quirk
    places: int
    evidence: str
    first_is_it: bool
    downstream: int


def load_quirks() -> tuple[Quirk, ...]:
    """The shipped ledger."""
    data = tomllib.loads((resources.files("traces") / "quirks.toml").read_text(encoding="utf-8"))
    return tuple(_quirk(entry) for entry in data["quirks"])


def _quirk(entry: dict[str, object]) -> Quirk:
    words = ("id", "kind", "side", "title", "explanation", "remedy", "owner", "reference")
    fields = {name: str(entry[name]).strip() for name in words}
    expires = entry.get("expires")
    assert expires is None or isinstance(expires, date)
    s, b = entry.get("signature"), entry.get("blame")
    signature, blame = NO_SIGNATURE, None
    if isinstance(s, dict):
        signature = Signature(s["loop"], tuple(s["variables"]), s["when"]["variable"], s["when"]["equals"], s["rtol"])
    if isinstance(b, dict):
        when = b.get("when", {"variable": "", "equals": 0.0})
        blame = BlameSignature(tuple(b["equations"]), tuple(b["hints"]), when["variable"], when["equals"])
    return Quirk(**fields, largest=float(str(entry["largest"])), expires=expires, signature=signature, blame=blame)


def blamed_quirk(
    quirks: tuple[Quirk, ...],
    equation: str,
    side: str,
    hint: str,
    values: Callable[[str], Sequence[float | None]],
) -> str:
    """The id of the quirk that a broken equation shows, or empty. `values` gives a variable at the broken places."""
    for quirk in quirks:
        blame = quirk.blame
        if blame is None or side != quirk.side or equation not in blame.equations or hint not in blame.hints:
            continue
        if not blame.when_variable or all(value == blame.when_equals for value in values(blame.when_variable)):
            return quirk.id
    return ""


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


def find_quirks(alignment: Alignment, judgement: Judgement, quirks: tuple[Quirk, ...]) -> tuple[QuirkFinding, ...]:
    """The quirks whose signature stands in the divergent rows."""
    findings = (_find(alignment, judgement, quirk) for quirk in quirks)
    return tuple(finding for finding in findings if finding is not None)


def _find(alignment: Alignment, judgement: Judgement, quirk: Quirk) -> QuirkFinding | None:
    signature = quirk.signature
    places: dict[tuple[Key, str], str] = {}
    for judged in judgement.rows:
        row = judged.row
        if judged.status != "divergent" or row.variable.name not in signature.variables:
            continue
        place = (row.id.key, row.variable.name)
        if place not in places and (evidence := _evidence(alignment, judged, quirk.side, signature)):
            places[place] = evidence
    if not places or judgement.first is None:
        return None
    first = judgement.first.row
    return QuirkFinding(
        quirk,
        len(places),
        next(iter(places.values())),
        (first.id.key, first.variable.name) in places,
        _downstream(alignment.vocabulary, judgement, set(signature.variables)),
    )


def _evidence(alignment: Alignment, judged: Judged, side: str, signature: Signature) -> str | None:
    """What shows that this row is stale, or None."""
    row = judged.row
    place = alignment.vocabulary.loops.index(signature.loop)
    suspect, witness = (alignment.c, alignment.py) if side == "C" else (alignment.py, alignment.c)
    condition = next((v.id for v in alignment.vocabulary.named(signature.when_variable)), "")
    if suspect.value(row.id.key, condition) != signature.when_equals:
        return None
    stale = suspect.vector(row.id.key, row.id.variable)
    tick = row.id.key[place]
    for other in _ticks(row.id.key, place, witness.rows):
        if other == tick:
            continue
        value = witness.vector((*row.id.key[:place], other, *row.id.key[place + 1 :]), row.id.variable)
        if len(value) == len(stale) and _same(stale, value, signature.rtol):
            return (
                f"{row.variable.name} of {side} at {signature.loop}={tick} "
                f"({signature.when_variable}={signature.when_equals:g}) is the value of {signature.loop}={other}"
            )
    return None


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
