"""In which order findings are listed: what explains most of the final difference comes first.

A share that is not known is not a share of nothing. What has none comes before what explains little, unless the known
shares leave nothing to explain; a known quirk comes first of these, and last what differs by far less than the final
value does.
"""

from __future__ import annotations

from collections.abc import Sequence

from trace_parity.blame.findings import BlameFinding
from trace_parity.pair.dependencies import Graph, upstream

MOST = 0.5
"""A share that is further from 1 does not explain most of the difference."""
NOTHING_LEFT = 0.1
"""Known shares that add up to 1 to within this leave nothing for those that are not known."""
SLIGHT = 1e-5
"""What differs, relatively, by less than this part of the final difference is not likely to be the cause of it."""


def ranked(findings: Sequence[BlameFinding], apart: float, graph: Graph) -> list[BlameFinding]:
    """The findings in order of their shares, else as they come; `apart`: by how much the final values differ."""
    known = {(f.side, frozenset((f.variable, *f.together))): f.share for f in findings if f.is_cause and f.share}
    is_whole = abs(1 - sum(known.values())) <= NOTHING_LEFT
    unknown = {_id(f) for f in findings if f.kind == "introduced" and f.share is None and not _is_slight(f, apart)}

    def rank(finding: BlameFinding) -> tuple[int, float]:
        if not finding.is_cause:
            return 6, 0.0
        if finding.share is None:
            return (1, 0.0) if finding.quirk else (4 if _is_slight(finding, apart) else 2, 0.0)
        off = round(abs(1 - finding.share), 2)
        if finding.is_harmless:
            return 7, 0.0
        if finding.is_unasked and upstream(graph, [_id(finding)]) & unknown:
            return 3, off  # no equation checks it, so it may only pass on what is wrong upstream
        return (0 if off <= MOST or is_whole else 1 if finding.quirk else 3), off

    return sorted(findings, key=rank)


def _id(finding: BlameFinding) -> str:
    return f"{finding.scope}.{finding.variable}"


def _is_slight(finding: BlameFinding, apart: float) -> bool:
    return finding.residual < SLIGHT * apart
