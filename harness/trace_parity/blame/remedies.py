"""What should have been printed at a place, derived from the other log and the unit factors of a domain.

A printed value that is the other log's times a unit factor, or with its axes swapped, is put right by undoing exactly
that: the small difference that the two programs have anyway stays in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product

import numpy as np

from trace_parity.blame.equation import Domain, Equation
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.evaluation import evaluate
from trace_parity.blame.log_values import Array
from trace_parity.pair.vocabulary import Key

Place = tuple[str, Key]
Change = Callable[[Array], Array]
SAME = 1000
"""Two programs that agree differ by less than this many times the rounding of one value."""
AGREES = 1e-2
"""The other log confirms a value that is apart from its own by less than this part of what it would be wrong by."""
WHOLE = (2.0, 3.0, 4.0, 5.0)
"""Factors that are undone where what uses the value proves them."""
LIKE = 1e-2
"""How close, relatively, a value with a known mistake undone must come to the other log's."""


@dataclass(frozen=True)
class Remedy:
    """What should be printed at a place, and how well that is known."""

    value: Array
    spread: Array


World = Mapping[Place, Remedy]


class Witness:
    """The values of the other log at the places of one variable."""

    def __init__(self, side: EvaluatedLog, other: EvaluatedLog | None) -> None:
        self.side, self.other = side, other
        self._made: dict[str, dict[Key, Remedy]] = {}

    def remedy(self, place: Place, broken: Equation, key: Key) -> Remedy | None:
        """What the other log has there, if that is something else and fits the equation there."""
        if self.other is None or self.is_same(place) is not False:
            return None
        obeys = self.other.found[broken.id].outcomes.get(key)
        value = self.other.view.at(*place)
        if value is None or obeys is None or not obeys.ok or not np.isfinite(value).all():
            return None
        undone = self._undone(place, value)
        if undone is not None:
            return Remedy(undone, self.side.view.uncertainty(place[0], undone[None])[0])
        own, made = self.side.view.at(*place), self._as_the_other_makes_it(place)
        if made is not None and own is not None and _size(made.value - value) <= LIKE * _size(own - value):
            return made
        return Remedy(value, self.other.view.uncertainty(place[0], value[None])[0])

    def _as_the_other_makes_it(self, place: Place) -> Remedy | None:
        """What the equation that the other log obeys there gives from own inputs, with the constants of that log.

        It is nearer than the other's value, which is made from other inputs.
        """
        variable, key = place
        if self.other is None:
            return None
        if variable not in self._made:
            made = self._made[variable] = {}
            for equation in self.side.domain.equations:
                if equation.output == variable and not equation.backward and not equation.table:
                    made |= self._made_by(equation, self.other)
        return self._made[variable].get(key)

    def _made_by(self, equation: Equation, other: EvaluatedLog) -> dict[Key, Remedy]:
        theirs = other.found[equation.id]
        if theirs.equation is None or theirs.equation.relation is not None or not theirs.equation.inputs:
            return {}
        if self.side.found[equation.id].outcomes:
            return {}
        found = evaluate(theirs.equation, self.side.view)
        obeyed = {key for key, outcome in theirs.outcomes.items() if outcome.ok}
        return {k: Remedy(o.expected, o.allowed) for k, o in found.outcomes.items() if k in obeyed}

    def is_same(self, place: Place) -> bool | None:
        """Whether both logs have the same value there; None if the other has none."""
        a = self.side.view.at(*place)
        b = self.theirs(place)
        if a is None or b is None or a.shape != b.shape:
            return None
        spread = self.side.view.uncertainty(place[0], a[None])[0]
        with np.errstate(invalid="ignore"):
            return bool(((np.abs(a - b) <= SAME * spread) | (a == b) | (np.isnan(a) & np.isnan(b))).all())

    def theirs(self, place: Place) -> Array | None:
        """What the other log has there."""
        return self.other.view.at(*place) if self.other is not None else None

    def confirms(self, place: Place, remedy: Remedy, off: float = 0.0) -> bool:
        """Whether the other log has the same there, or next to the same for what the value would be wrong by.

        `off`: what it would be wrong by in any case, which more than one step has added.
        """
        same = self.is_same(place)
        a = self.side.view.at(*place)
        b = self.theirs(place)
        if same is not False or a is None or b is None:
            return same is True
        with np.errstate(all="ignore"):
            return bool(_size(a - b) <= AGREES * max(_size(remedy.value - a), off))

    def apart(self, variable: str, key: Key) -> Array | None:
        """The difference of the two logs at a place, component by component."""
        a = self.side.view.at(variable, key)
        b = self.other.view.at(variable, key) if self.other is not None else None
        return None if a is None or b is None or a.shape != b.shape else np.abs(a - b)

    def has_mistake(self, places: Iterable[Place]) -> bool:
        """Whether the value is a known mistake away from the other log's at all places."""
        found = []
        for place in places:
            theirs = self.theirs(place)
            found.append(theirs is not None and self._undone(place, theirs) is not None)
        return bool(found) and all(found)

    def in_unit(self, place: Place) -> Array | None:
        """Own value in another unit, if that makes it like the other log's."""
        own, theirs = self.side.view.at(*place), self.theirs(place)
        if own is None or theirs is None or own.shape != theirs.shape or _like(own, theirs):
            return None
        return next((own * factor for factor in self._factors() if _like(own * factor, theirs)), None)

    def _factors(self) -> list[float]:
        return [power for factor, _ in self.side.domain.unit_factors for power in (factor, 1 / factor)]

    def _undone(self, place: Place, theirs: Array) -> Array | None:
        """Own value with a known mistake undone, if that makes it like the other log's."""
        own = self.side.view.at(*place)
        if own is None or own.shape != theirs.shape or _like(own, theirs):
            return None
        like = (changed for changed in _changes(own, self._factors()) if _like(changed, theirs))
        return min(like, key=lambda changed: _size(changed - theirs), default=None)


def _size(v: Array) -> float:
    return float(np.sqrt(np.nansum(v * v)))


def _like(a: Array, b: Array) -> bool:
    return bool(np.isfinite(a).all()) and _size(b) > 0 and _size(a - b) <= LIKE * _size(b)


def _changes(own: Array, factors: list[float]) -> Iterator[Array]:
    yield -own
    for factor in factors:
        yield own * factor
    for change in _moves(own):
        yield change(own)


def known_changes(domain: Domain, own: Array) -> Iterator[Change]:
    """Corrections of a wrong print of that shape: a unit, a small whole factor, the sign, the axes."""
    factors = {factor for factor, _ in domain.unit_factors} | set(WHOLE)
    yield np.negative
    for factor in (*factors, *(1 / factor for factor in factors)):
        yield partial(np.multiply, factor)
    yield from _moves(own)


def _moves(own: Array) -> Iterator[Change]:
    if len(own) == 3:
        for order in permutations(range(3)):
            for signs in product((1, -1), repeat=3):
                yield partial(_moved, order, np.array(signs))
    if len(own) == 9:
        yield _transposed


def _moved(order: tuple[int, ...], signs: Array, value: Array) -> Array:
    moved: Array = value[list(order)] * signs
    return moved


def _transposed(value: Array) -> Array:
    return value.reshape(3, 3).T.reshape(9)
