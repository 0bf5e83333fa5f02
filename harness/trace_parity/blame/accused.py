"""The data of the search for wrong values: broken equations, and the variables accused of breaking them."""

from __future__ import annotations

from dataclasses import dataclass

from trace_parity.blame.equation import Equation, Evaluated, Outcome
from trace_parity.blame.use import Manner
from trace_parity.pair.vocabulary import Key


@dataclass(frozen=True)
class Accused:
    """A variable that is wrong at the places of `outcomes`.

    `equation` is one that it breaks, as its output or as an input. `instead` names what would explain as much.
    `manner`: whether the value was only printed wrong. `found`: the equation with inputs put right that are wrong in
    print only, where there are such.
    """

    variable: str
    equation: Equation
    outcomes: tuple[Outcome, ...]
    is_output: bool
    instead: tuple[str, ...] = ()
    manner: Manner = ""
    found: Evaluated | None = None


Cleared = frozenset[tuple[str, Key]]
"""Broken equations, by id and key, that hold once the other wrong values are corrected."""


@dataclass(frozen=True)
class BrokenEquation:
    """One equation with the places at which it is broken."""

    equation: Equation
    outcomes: tuple[Outcome, ...]

    @property
    def output(self) -> str:
        """The id of the variable that the equation makes."""
        return self.equation.output
