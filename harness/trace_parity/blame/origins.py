"""Where a difference comes from that is larger downstream than its cause: inputs that differ within their tolerance.

An input in float32 is off by 3e-8, which no tolerance minds; what cancels or oscillates may make a number of that which
differs. Used only where nothing else is the cause.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np

from trace_parity.blame.between import between_sides
from trace_parity.blame.equation import Equation, asked
from trace_parity.blame.findings import BlameFinding
from trace_parity.blame.remedies import Place
from trace_parity.blame.unsettled import Placed, Sides, differing_inputs
from trace_parity.pair.dependencies import inputs, upstream
from trace_parity.pair.vocabulary import Key

WITHIN = "within its own tolerance"
MOST_PLACES = 2000
"""Places that are gone through; the first of a variable say as much as all."""


def origins(placed: Iterable[Placed], differing: Collection[Place], pair: Sides) -> list[Placed]:
    """A finding per variable that differs within its tolerance, and from which something inherits."""
    placed = list(placed)
    causes = {p.variable for p in placed if p.finding.is_cause and p.finding.manner != "probe"}
    graph = inputs(pair.vocabulary)
    heirs = {p.variable for p in placed if not p.finding.is_cause and not causes & upstream(graph, [p.variable])}
    known = {p.variable for p in placed}
    waiting = [place for place in differing if place[0] in heirs]
    seen: set[Place] = set(waiting)
    found: dict[str, list[Place]] = {}
    while waiting and len(seen) < MOST_PLACES:
        variable, key = place = waiting.pop()
        equations = [e for e in asked(pair.domain) if e.output == variable]
        feeding = [d[2][0] for d in differing_inputs(equations, key, pair) if d[2] is not None]
        feeding += _differing_parts(equations, key, pair)
        if not feeding and variable not in known and place not in differing and _is_in_both(place, pair):
            found.setdefault(variable, []).append(place)
        waiting += [one for one in dict.fromkeys(feeding) if one not in seen]
        seen |= set(feeding)
    return [_placed(places, pair) for places in found.values()]


def _differing_parts(equations: Iterable[Equation], key: Key, pair: Sides) -> Iterator[Place]:
    """The values of sums that differ by more than their rounding."""
    for equation in equations:
        found = pair.c.found[equation.id]
        for parts in found.parts.values() if key in found.row else ():
            for place in parts[found.row[key]]:
                a, b = (s.view.at(*place) for s in pair.both)
                if a is None or b is None or a.shape != b.shape:
                    continue
                spread = sum(s.view.uncertainty(place[0], v) for s, v in zip(pair.both, (a, b), strict=True))
                if (np.abs(a - b) > spread).any():
                    yield place


def _is_in_both(place: Place, pair: Sides) -> bool:
    """Whether both logs have the value there: one may have it in fewer loops, or not all of its components."""
    c, py = (side.view.at(*place) for side in pair.both)
    return c is not None and py is not None and c.shape == py.shape


def _placed(places: list[Place], pair: Sides) -> Placed:
    vocabulary = pair.vocabulary
    variable = pair.c.view.variables[places[0][0]]
    key = min((key for _, key in places), key=lambda k: vocabulary.order(variable, k, 0))
    c, py = (s.view.at(variable.id, key) for s in pair.both)
    assert c is not None
    assert py is not None
    size = float(np.sqrt(np.sum(np.maximum(c * c, py * py)))) or 1.0
    hint = between_sides(c, py, pair.domain, variable.unit)
    finding = BlameFinding(
        kind="unexplained",
        side="both",
        variable=variable.name,
        scope=variable.scope.name,
        equation="",
        equation_text="",
        section="",
        count=len(places),
        place=vocabulary.describe(key),
        residual=float(np.max(np.abs(c - py))) / size,
        allowed=variable.tolerance.rtol,
        hint="; ".join([WITHIN, *([hint] if hint else [])]),
        missing=(),
    )
    return Placed(vocabulary.order(variable, key, 0), finding, variable.id)
