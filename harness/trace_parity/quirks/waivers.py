"""Waivers: known quirks that a run accepts. What they explain passes, the rest still fails.

A waiver whose quirk no longer occurs, or that has expired, fails by itself (exit 7): it would hide the next fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trace_parity.errors import Exit, HarnessError
from trace_parity.nearest import nearest_names
from trace_parity.printable import plural

if TYPE_CHECKING:
    from datetime import date

    from trace_parity.blame.findings import Blame, BlameFinding
    from trace_parity.compare.sites import Examined
    from trace_parity.quirks.recognise import Quirk


@dataclass(frozen=True)
class Waiver:
    """One waiver of a run and its state.

    state: `used`; `stale` (the quirk does not show); `expired` (it shows, but its day has passed); `exceeded` (it shows
    larger than the ledger allows, and explains nothing); `unchecked` (it shows, but nothing in the logs confirms the
    other side's values, so it explains nothing); `unused` (it does not show, and need not in this case).
    `matched` places show it, the largest by `largest` (relative) of the `allowed`; `expires` is ISO, empty for never.
    """

    id: str
    state: str
    matched: int
    largest: float | None
    allowed: float
    owner: str
    expires: str
    reference: str

    @property
    def why(self) -> str:
        """Why it fails; empty where it does not."""
        return {
            "stale": f"waiver {self.id}: its divergence is gone; remove the waiver",
            "expired": f"waiver {self.id}: expired on {self.expires}; owner {self.owner}",
            "unchecked": f"waiver {self.id}: it occurs, but nothing confirms the other side's values: not waived",
            "exceeded": f"waiver {self.id}: its largest difference is {self.largest or 0:.3g}, "
            f"more than the {self.allowed:.3g} allowed",
        }.get(self.state, "")


@dataclass(frozen=True)
class Waived:
    """The states of the waivers of a run; `left` is what none of them explains."""

    waivers: tuple[Waiver, ...]
    left: tuple[str, ...]

    @property
    def seen(self) -> tuple[str, ...]:
        """Those that explain something."""
        return tuple(w.id for w in self.waivers if w.state in ("used", "expired"))

    @property
    def failing(self) -> tuple[str, ...]:
        """Why waivers fail by themselves."""
        return tuple(w.why for w in self.waivers if w.state in ("stale", "expired"))

    @property
    def explains_all(self) -> bool:
        """Whether every divergence is that of a waived quirk or inherited from one."""
        return bool(self.seen) and not self.left


def with_unchecked(waived: Waived, seen: Mapping[str, int]) -> Waived:
    """`waived`, where `seen` says at how many places each quirk shows, checked or not.

    A waiver whose quirk shows there and in no finding of the equations is not stale: it explains nothing.
    """
    waivers = tuple(
        replace(w, state="unchecked", matched=seen[w.id]) if w.state in ("stale", "unused") and w.id in seen else w
        for w in waived.waivers
    )
    return Waived(waivers, (*waived.left, *(w.why for w in waivers if w.state == "unchecked")))


def check_ids(ids: Iterable[str], quirks: Sequence[Quirk]) -> None:
    """Raises HarnessError (exit 2) for an id that no quirk has, or whose quirk no comparison can show."""
    known = sorted(quirk.id for quirk in quirks)
    if unknown := sorted(set(ids) - set(known)):
        near = nearest_names(unknown[0], known)
        raise HarnessError(
            Exit.USAGE,
            f"no quirk {unknown[0]!r}",
            where="--waive",
            expected="one of " + ", ".join(known),
            hint=f"did you mean {near[0]}?" if near else "",
        )
    if fixed := [q for q in quirks if q.id in set(ids) and not q.can_be_waived]:
        raise HarnessError(
            Exit.USAGE,
            f"no comparison shows quirk {fixed[0].id!r} ({fixed[0].kind}), there is nothing to waive",
            where="--waive",
            expected="one of " + ", ".join(sorted(q.id for q in quirks if q.can_be_waived)),
        )


def apply_waivers(
    ids: Sequence[str],
    quirks: Sequence[Quirk],
    blame: Blame | None,
    vocabulary_order: Sequence[str],
    today: date,
    *,
    examined: Examined | None = None,
    may_be_unused: bool = False,
) -> Waived:
    """Compare the findings with the waivers. Raises HarnessError (exit 2) for an id that no quirk has.

    A divergence is explained when the side that breaks its equation shows a waived quirk no larger than the ledger
    says, or when it is inherited. `vocabulary_order` lists variables in order of evaluation: what is inherited before
    the first waived variable has another cause. What was not examined (`examined`) is not explained.
    `may_be_unused`: a quirk that does not show is not a failure.
    """
    check_ids(ids, quirks)
    known = {quirk.id: quirk for quirk in quirks}
    findings = blame.findings if blame is not None else ()
    explained = [f for f in findings if _is_waived(f, ids, known)]
    place = {name: i for i, name in reversed(list(enumerate(vocabulary_order)))}
    last = len(place)
    first = min((place.get(f.variable, last) for f in explained), default=last)
    left = [
        f"{f.variable}: {f.kind} by {f.side}" if f.kind == "introduced" else f"{f.variable}: {f.kind}"
        for f in findings
        if f not in explained and not (f.kind == "inherited" and place.get(f.variable, last) > first)
    ]
    if examined is not None:
        left.append(
            f"{plural(examined.unseen, 'number')} in sites that were not examined (--blame-sites N examines more)"
        )
    waivers = [_waiver(known[i], findings, explained, today, may_be_unused) for i in dict.fromkeys(ids)]
    return Waived(tuple(waivers), tuple(dict.fromkeys(left)))


def _is_waived(finding: BlameFinding, ids: Sequence[str], known: dict[str, Quirk]) -> bool:
    return finding.quirk in ids and finding.residual <= known[finding.quirk].largest


def _waiver(
    quirk: Quirk,
    findings: Sequence[BlameFinding],
    explained: Sequence[BlameFinding],
    today: date,
    may_be_unused: bool,
) -> Waiver:
    shown = [f for f in findings if f.quirk == quirk.id]
    if not shown:
        state = "unused" if may_be_unused else "stale"
    elif not any(f in explained for f in shown):
        state = "exceeded"
    else:
        state = "expired" if quirk.expires is not None and today > quirk.expires else "used"
    return Waiver(
        id=quirk.id,
        state=state,
        matched=sum(f.count for f in shown),
        largest=max((f.residual for f in shown), default=None),
        allowed=quirk.largest,
        owner=quirk.owner,
        expires="" if quirk.expires is None else quirk.expires.isoformat(),
        reference=quirk.reference,
    )
