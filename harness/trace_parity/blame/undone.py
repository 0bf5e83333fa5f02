"""What is left of a difference where a print is wrong: with the print undone, the sides may still differ there.

A value in another unit may also be another value. Nothing of that shows at its place as long as the print is taken for
all that is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.remedies import SAME, Place
from trace_parity.blame.unsettled import Placed, Sides, unsettled
from trace_parity.compare.judge import Judged
from trace_parity.pair.vocabulary import Key


def behind_prints(
    placed: Sequence[Placed],
    differing: Mapping[Place, Judged],
    meant: tuple[EvaluatedLog, EvaluatedLog],
    pair: Sides,
) -> list[Placed]:
    """What differs in both logs as they are `meant`, and no equation explains, at the places of wrong prints."""
    printed = [p for p in placed if p.finding.manner == "probe" and p.finding.kind == "introduced"]
    computed = {p.variable for p in placed if p.finding.manner != "probe" and p.finding.is_cause}
    undone = replace(pair, c=meant[0], py=meant[1])
    left: dict[Place, Judged] = {}
    for one in printed:
        for key in one.expected if one.variable not in computed else ():
            place = (one.variable, key)
            if place in differing and (judged := _judged(differing[place], place[1], undone)) is not None:
                left[place] = judged
    return [p for p in unsettled(left, set(), undone) if p.finding.kind == "unexplained"]


def _judged(judged: Judged, key: Key, undone: Sides) -> Judged | None:
    """By how much the two values differ as they are meant; None where that is within the tolerance or the rounding."""
    variable = judged.row.variable
    c, py = (view.at(variable.id, key) for view in undone.views)
    if c is None or py is None or c.shape != py.shape:
        return None
    spread = sum(view.uncertainty(variable.id, v[None])[0] for view, v in zip(undone.views, (c, py), strict=True))
    with np.errstate(all="ignore"):
        apart, size = np.abs(c - py), float(np.sqrt(np.nansum(np.maximum(c * c, py * py))))
        limit = variable.tolerance.rtol * size
        if not (apart > np.maximum(limit, SAME * spread)).any():
            return None
        by = float(np.max(apart))
    return replace(judged, abs_diff=by, rel_diff=by / size, allowed=limit)
