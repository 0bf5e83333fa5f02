"""Whether a wrong value was used, or is only printed wrong.

What uses a value tells: where equations downstream hold with the printed number, the program went on with it; where
they hold only with what should have been printed, the print alone is wrong. Where they hold with neither, since
something else is wrong there as well, the nearer of the two tells if it is far nearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from trace_parity.blame.equation import Equation, Outcome
from trace_parity.blame.remedies import World
from trace_parity.pair.dependencies import downstream, inputs

if TYPE_CHECKING:
    from trace_parity.blame.worlds import Worlds

Manner = Literal["probe", "computation", ""]
"""Empty if nothing in the log shows it."""
NEARER = 0.1
"""One of two values is the one in use where the equation misses with it by no more than this part of the other miss."""


@dataclass
class Votes:
    """Places that hold with a value as printed, and with the right one."""

    printed: int = 0
    right: int = 0

    @property
    def manner(self) -> Manner:
        """The combined result."""
        if self.right and not self.printed:
            return "probe"
        return "computation" if self.printed and not self.right else ""


def manner_of(variable: str, world: World, worlds: Worlds, printed: World) -> Manner:
    """How the values of a variable are wrong.

    `world` has the right ones of everything, `printed` those of other variables that are wrong in print only. What
    feeds nothing itself is heard last: it may be made for the print alone.
    """
    wrong = {place: remedy for place, remedy in world.items() if place[0] == variable}
    rest = {place: remedy for place, remedy in world.items() if place[0] != variable}
    name = variable.rpartition(".")[2]
    side = worlds.side
    graph = inputs(side.view.vocabulary)
    used, last, near = Votes(), Votes(), Votes()
    for equation in side.domain.equations:
        if equation.backward or equation.output.rpartition(".")[2] == name:
            continue
        found = side.found[equation.id]
        uses = tuple(
            outcome
            for key, outcome in found.outcomes.items()
            if key in found.row and any(place in wrong for place in found.feeding(found.row[key]))
        )
        if not uses:
            continue
        output = {place: remedy for place, remedy in printed.items() if place[0] == equation.output} or None
        with_right = worlds.refit(equation, uses, world, (variable,), output)
        with_printed = worlds.refit(equation, uses, rest, (), output)
        if with_right is None:
            continue
        as_printed = [o.ok and output is None for o in uses]
        if with_printed is not None:
            as_printed = [ok or here for ok, here in zip(as_printed, with_printed, strict=True)]
        votes = used if downstream(graph, [equation.output]) or equation.output in side.finals else last
        votes.printed += sum(p and not r for p, r in zip(as_printed, with_right, strict=True))
        votes.right += sum(r and not p for p, r in zip(as_printed, with_right, strict=True))
        if output is None and not any(as_printed) and not any(with_right):
            _nearer(equation, uses, wrong, worlds, near)
    return used.manner or (last.manner if used == Votes() else "") or (near.manner if used == last == Votes() else "")


def _nearer(equation: Equation, uses: tuple[Outcome, ...], wrong: World, worlds: Worlds, votes: Votes) -> None:
    """Where an equation misses by far less with one of the two values."""
    fitted = worlds.fitted_at(equation, uses, wrong)
    if fitted is None:
        return
    for n, outcome in enumerate(uses):
        right = min(miss(outcome.got, expected[n]) for expected in fitted.expected)
        printed = miss(outcome.got, outcome.expected)
        votes.right += right <= NEARER * printed
        votes.printed += printed <= NEARER * right


def miss(got: np.ndarray, expected: np.ndarray) -> float:
    """The distance of two values; of positive numbers, of their logarithms."""
    with np.errstate(all="ignore"):
        if (got > 0).all() and (expected > 0).all():
            got, expected = np.log(got), np.log(expected)
        return float(np.nan_to_num(np.max(np.abs(got - expected)), nan=np.inf))
