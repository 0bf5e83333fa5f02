"""A broken equation in the form that hypotheses need, and when a hypothesis explains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trace_parity.blame.changes import Hint
from trace_parity.blame.equation import Domain, Equation, Evaluated, Outcome
from trace_parity.blame.log_values import Array, LogView
from trace_parity.blame.shape import CONTRAST, EXPLAINS
from trace_parity.pair.vocabulary import Key


@dataclass(frozen=True)
class Suspect:
    """A broken equation on one side, in the form that hypotheses need."""

    equation: Equation
    found: Evaluated
    view: LogView
    domain: Domain
    broken: tuple[Outcome, ...]


Guess = Callable[[Outcome], Array | None]
Hypothesis = tuple[Hint, Guess]


def explains(outcome: Outcome, guess: Array | None) -> bool:
    """Whether a hypothesis gives the number of the log, within the residual that is allowed."""
    if guess is None:
        return False
    left = np.abs(outcome.got - np.broadcast_to(guess, outcome.got.shape))[~np.isnan(outcome.expected)]
    if not np.isfinite(left).all():
        return False
    size = float(np.max(np.abs(outcome.got[~np.isnan(outcome.expected)]), initial=0)) or outcome.scale
    own = np.nan_to_num(outcome.allowed, nan=0.0, posinf=0.0)[~np.isnan(outcome.expected)] * size / outcome.scale
    blunt = np.minimum(4 * own, size / CONTRAST)
    return bool((left <= np.maximum(blunt, EXPLAINS * min(outcome.residual * outcome.scale, size))).all())


def is_made_from(suspect: Suspect, key: Key, source: Key) -> bool:
    """Whether the output at `key` is made from that at `source`, so that the two being equal says nothing."""
    n = suspect.found.row.get(key)
    place = (suspect.equation.output, source)
    return n is not None and any(sources[n] == place for sources in suspect.found.sources.values())


def nearby(ticks: list[int]) -> list[int]:
    """The ticks worth trying: all of a short loop, both ends of a long one."""
    return ticks if len(ticks) <= 16 else [*ticks[-8:], *ticks[:8]]
