"""Whether a wrong value was computed with, or only printed wrong.

What uses a value tells: where equations downstream hold with the printed number, the program went on with it; where
they hold only with what should have been printed, the print alone is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

from trace_parity.blame.equation import Equation, Outcome
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.remedies import World

Manner = Literal["probe", "computation", ""]
"""Empty where nothing in the log tells."""
Refit = Callable[[Equation, tuple[Outcome, ...], World], list[bool] | None]


def manner_of(variables: Collection[str], world: World, side: EvaluatedLog, refit: Refit) -> Manner:
    """How the values of `variables`, which are wrong together, are wrong; `world` has the right ones of everything."""
    wrong = {place: remedy for place, remedy in world.items() if place[0] in variables}
    rest = {place: remedy for place, remedy in world.items() if place[0] not in variables}
    names = {variable.rpartition(".")[2] for variable in variables}
    printed = right = 0
    for equation in side.domain.equations:
        if equation.backward or equation.output.rpartition(".")[2] in names or equation.output in variables:
            continue
        found = side.found[equation.id]
        uses = tuple(
            outcome
            for key, outcome in found.outcomes.items()
            if key in found.row and any(place in wrong for place in found.feeding(found.row[key]))
        )
        if not uses:
            continue
        with_right, with_printed = refit(equation, uses, world), refit(equation, uses, rest)
        if with_right is None:
            continue
        as_printed = [o.ok for o in uses]
        if with_printed is not None:
            as_printed = [ok or here for ok, here in zip(as_printed, with_printed, strict=True)]
        printed += sum(p and not r for p, r in zip(as_printed, with_right, strict=True))
        right += sum(r and not p for p, r in zip(as_printed, with_right, strict=True))
    if right and not printed:
        return "probe"
    return "computation" if printed and not right else ""
