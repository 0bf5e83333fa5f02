"""Waivers: known quirks that a run accepts. What they explain is let through, what is left over still fails.

A waiver whose quirk does not show any more, or that has expired, fails by itself (exit 7): it would hide the next
fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from harness.blame_findings import Blame, BlameFinding
from harness.errors import Exit, HarnessError
from harness.quirks import Quirk


@dataclass(frozen=True)
class Waived:
    """What came of the waivers of a run.

    `seen` are those whose quirk shows, `stale` says of the others why they fail, `left` what no waiver explains.
    """

    seen: tuple[str, ...]
    stale: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def explains_all(self) -> bool:
        """Whether every divergence is that of a waived quirk or inherited from one."""
        return bool(self.seen) and not self.left


def apply_waivers(
    ids: Sequence[str], quirks: Sequence[Quirk], blame: Blame | None, vocabulary_order: Sequence[str], today: date
) -> Waived:
    """Hold the findings against the waivers. Raises HarnessError (exit 2) for an id that no quirk has.

    A divergence is explained when the side that breaks its equation shows a waived quirk no larger than the ledger
    says, or when it is inherited. `vocabulary_order` lists variables in order of evaluation: what is inherited before
    the first waived variable has another cause.
    """
    known = {quirk.id: quirk for quirk in quirks}
    if unknown := sorted(set(ids) - known.keys()):
        raise HarnessError(
            Exit.USAGE, f"no quirk {unknown[0]!r}", where="--waive", expected="one of " + ", ".join(sorted(known))
        )
    if fixed := [i for i in ids if not known[i].can_be_waived]:
        raise HarnessError(
            Exit.USAGE,
            f"no comparison shows quirk {fixed[0]!r} ({known[fixed[0]].kind}), there is nothing to waive",
            where="--waive",
            expected="one of " + ", ".join(sorted(q.id for q in quirks if q.can_be_waived)),
        )
    findings = blame.findings if blame is not None else ()
    explained = [f for f in findings if _is_waived(f, ids, known)]
    seen = tuple(i for i in ids if any(f.quirk == i for f in explained))
    stale = [_why_stale(known[i], i in seen, today) for i in ids]
    first = min((vocabulary_order.index(f.variable) for f in explained), default=len(vocabulary_order))
    left = [
        f"{f.variable}: {f.kind} by {f.side}" if f.kind == "introduced" else f"{f.variable}: {f.kind}"
        for f in findings
        if f not in explained and not (f.kind == "inherited" and vocabulary_order.index(f.variable) > first)
    ]
    return Waived(seen, tuple(why for why in stale if why), tuple(dict.fromkeys(left)))


def _is_waived(finding: BlameFinding, ids: Sequence[str], known: dict[str, Quirk]) -> bool:
    return finding.quirk in ids and finding.residual <= known[finding.quirk].largest


def _why_stale(quirk: Quirk, seen: bool, today: date) -> str:
    if not seen:
        return f"waiver {quirk.id}: its divergence is gone; remove the waiver"
    if quirk.expires is not None and today > quirk.expires:
        return f"waiver {quirk.id}: expired on {quirk.expires}; owner {quirk.owner}"
    return ""
