"""What a set of wrong values explains: a broken equation with them put right, in print only or in the computation too.

A wrong value that the program computed with is in what follows from it as printed; of one that is only printed wrong,
what follows holds with the right one. So each that is accused itself is tried both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from trace_parity.blame.accused import BrokenEquation
from trace_parity.blame.equation import Equation, Outcome
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.evaluation import Fitted, fit, outputs
from trace_parity.blame.log_values import Array
from trace_parity.blame.remedies import Place, Remedy, Witness, World

MOST_MIXED = 5
"""Wrong outputs feeding one equation that are tried in all mixtures of printed and right."""


class Worlds:
    """The broken equations of one log, and what should be at the places that may be wrong.

    own: of the outputs of broken equations, what these say; fed: of further values, what makes the equations hold that
    use them; others: what the other log has.
    """

    def __init__(self, side: EvaluatedLog, other: EvaluatedLog | None, broken: Sequence[BrokenEquation]) -> None:
        self.side, self.broken = side, broken
        self.witness = Witness(side, other)
        self.own: dict[str, dict[Place, Remedy]] = {}
        self.fed: dict[str, dict[Place, Remedy]] = {}
        self.others: dict[Place, Remedy] = {}
        self._memo: dict[tuple[object, ...], Fitted | None] = {}
        self._feeds: dict[str, frozenset[str]] = {}
        for one in broken:
            world = self.own.setdefault(one.output, {})
            for outcome in one.outcomes:
                place = (one.output, outcome.key)
                world.setdefault(place, Remedy(outcome.expected, outcome.allowed))
                if remedy := self.witness.remedy(place, one.equation, outcome.key):
                    self.others[place] = remedy

    def put(self, variable: str, remedies: World) -> None:
        """Take these for what should be at the places of a variable."""
        self._memo.clear()
        own = self.own.get(variable, {})
        for place, remedy in remedies.items():
            if place in own:
                own[place] = remedy
            else:
                self.fed.setdefault(variable, {})[place] = remedy

    def so_far(self, variable: str) -> dict[Place, float]:
        """What a sum that is made step by step would be wrong by, all the steps before a place together."""
        total: dict[Place, float] = {}
        for broken in self.broken if variable in self.own else ():
            found = self.side.found[broken.equation.id]
            before = [s for s in found.sources.values() if any(p is not None and p[0] == variable for p in s)]
            if broken.output != variable or not before:
                continue
            for outcome in broken.outcomes:
                source = before[0][found.row[outcome.key]]
                miss = float(np.nan_to_num(np.max(np.abs(outcome.got - outcome.expected)), nan=0.0, posinf=0.0))
                total[(variable, outcome.key)] = miss + (total.get(source, 0.0) if source is not None else 0.0)
        return total

    def plain(self, chosen: Iterable[str]) -> dict[Place, Remedy]:
        """Everything in `chosen` put right, from what is printed."""
        world: dict[Place, Remedy] = {}
        for variable in chosen:
            world |= {**self.fed.get(variable, {}), **self.own.get(variable, {})}
        return world

    def of(self, chosen: Iterable[str]) -> dict[Place, Remedy]:
        """Everything in `chosen` put right, what follows from another of them once more."""
        chosen = set(chosen)
        world = self.plain(chosen)
        for broken in self.broken:
            if broken.output in chosen and (fitted := self.fitted(broken, world)) is not None:
                for n, outcome in enumerate(broken.outcomes):
                    form = self.side.found[broken.equation.id].form[outcome.key].name
                    world[(broken.output, outcome.key)] = Remedy(*fitted.at(form, n))
        return world

    def fitted(self, broken: BrokenEquation, world: World, printed: World | None = None) -> Fitted | None:
        """An equation in that world at its outcomes' places; None where nothing of it is another there.

        `printed`: what should have been printed as its output.
        """
        found = self.side.found[broken.equation.id]
        changed = self.substituted(broken.equation, world)
        if found.equation is None or (changed is None and printed is None):
            return None
        keys, (values, spreads) = list(found.row), changed or (found.values, found.spreads)
        view = self.side.view
        got = outputs(found.equation, view, keys)
        for n, key in enumerate(keys):
            if printed is not None and (right := printed.get((broken.output, key))) is not None:
                got[n, : len(right.value)] = right.value
        fitted = fit(found.equation, view, keys, got, values, spreads)
        rows = [found.row[o.key] for o in broken.outcomes]
        return replace(
            fitted,
            expected=[e[rows] for e in fitted.expected],
            allowed=[a[rows] for a in fitted.allowed],
            fine=fitted.fine[:, rows],
        )

    def fitted_at(self, equation: Equation, outcomes: tuple[Outcome, ...], world: World) -> Fitted | None:
        """The same of any equation at some places."""
        return self.fitted(BrokenEquation(equation, outcomes), world)

    def substituted(self, equation: Equation, world: World) -> tuple[dict[str, Array], dict[str, Array]] | None:
        """The inputs of an equation in that world, and how well these are known; None where none is another there."""
        found = self.side.found[equation.id]
        keys = list(found.row)
        values, spreads, changed = dict(found.values), dict(found.spreads), False
        for label, sources in found.sources.items():
            at = [
                (n, world[place])
                for n, place in enumerate(sources)
                if place is not None and place in world and place != (equation.output, keys[n])
            ]
            if at:
                changed = True
                values[label], spreads[label] = values[label].copy(), spreads[label].copy()
                for n, remedy in at:
                    values[label][n, : len(remedy.value)] = remedy.value
                    spreads[label][n, : len(remedy.value)] = np.nan_to_num(remedy.spread, nan=0.0)
        replaced = {place: remedy.value for place, remedy in world.items()}
        for label in found.parts:
            made = [(n, value) for n in range(len(keys)) if (value := found.made_again(label, n, replaced)) is not None]
            if made:
                changed, values[label] = True, values[label].copy()
                for n, value in made:
                    values[label][n, : len(value)] = value
        return (values, spreads) if changed else None

    def feeding(self, equation: Equation) -> frozenset[str]:
        """The variables that feed an equation in this log."""
        if equation.id not in self._feeds:
            found = self.side.found[equation.id]
            names = {place[0] for n in found.row.values() for place in found.feeding(n)}
            self._feeds[equation.id] = frozenset(names)
        return self._feeds[equation.id]

    def fits(self, broken: BrokenEquation, world: World, right: Iterable[str] = ()) -> Iterator[Fitted]:
        """An equation with what is wrong put right, in every mixture with outputs that are taken as printed.

        `right` are variables that are put right in all of them. Each also with the other log's values.
        """
        theirs = {**world, **{place: self.others[place] for place in world.keys() & self.others.keys()}}
        whole = [world, theirs] if self.others else [world]
        yield from (fitted for w in whole if (fitted := self.fitted(broken, w)) is not None)
        known = {place[0] for place in world} & self.feeding(broken.equation)
        mixed = sorted(known & self.own.keys() - set(right))
        for count in range(len(mixed) + 1) if len(mixed) <= MOST_MIXED else ():
            for left in combinations(mixed, count):
                if fitted := self._plainly(broken, known - set(left)):
                    yield fitted

    def _plainly(self, broken: BrokenEquation, variables: set[str]) -> Fitted | None:
        """The same with some variables put right from what is printed."""
        places = tuple(o.key for o in broken.outcomes)
        name = (broken.equation.id, places, tuple((v, len(self.fed.get(v, ()))) for v in sorted(variables)))
        if name not in self._memo:
            self._memo[name] = self.fitted(broken, self.plain(variables)) if variables else None
        return self._memo[name]

    def holds(self, broken: BrokenEquation, world: World, *, slack: float, is_known: bool) -> np.ndarray:
        """Where a broken equation holds in that world, or with the other log's values in place of what is wrong.

        A conditional equation accuses neither side where an input `is_known` to be wrong. `slack`: what may be left of
        a miss, as a part of it.
        """
        holds = np.zeros(len(broken.outcomes), dtype=bool)
        for fitted in self.fits(broken, world):
            holds |= fitted.fine.any(axis=0)
            if slack:
                holds |= self._nearly(broken, fitted, slack)
            if holds.all():
                return holds
        if is_known and broken.equation.conditional is True and not broken.equation.fallback_for:
            found = self.side.found[broken.equation.id]
            for sources in found.sources.values():
                holds |= np.array([sources[found.row[o.key]] in world for o in broken.outcomes])
        return holds

    def _nearly(self, broken: BrokenEquation, fitted: Fitted, slack: float) -> np.ndarray:
        """Where what is left of a miss is no more than the two logs are apart there anyway."""
        near = np.zeros(len(broken.outcomes), dtype=bool)
        for expected, allowed in zip(fitted.expected, fitted.allowed, strict=True):
            for n, outcome in enumerate(broken.outcomes):
                apart = self.witness.apart(broken.output, outcome.key)
                if apart is not None:
                    left, missed = np.abs(outcome.got - expected[n]), np.abs(outcome.got - outcome.expected)
                    known = np.minimum(np.max(apart), slack * np.max(missed))
                    near[n] |= bool((left <= allowed[n] + 2 * known).all())
        return near

    def refit(
        self,
        equation: Equation,
        outcomes: tuple[Outcome, ...],
        world: World,
        right: Iterable[str],
        output: World | None,
    ) -> list[bool] | None:
        """Where an equation holds in that world, `right` put right in any case; None where it is not touched."""
        broken = BrokenEquation(equation, outcomes)
        if output is not None:
            fitted = self.fitted(broken, world, output)
            return [bool(at) for at in np.asarray(fitted.fine.any(axis=0))] if fitted is not None else None
        fine = [np.asarray(fitted.fine.any(axis=0)) for fitted in self.fits(broken, world, right)]
        return [bool(at) for at in np.any(fine, axis=0)] if fine else None
