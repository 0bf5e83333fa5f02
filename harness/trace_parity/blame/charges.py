"""From the variables that are wrong to accusations: where, whether in print only, and what should be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from trace_parity.blame.accused import Accused, BrokenEquation, Cleared
from trace_parity.blame.changes import Hint
from trace_parity.blame.equation import Equation, Outcome
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.evaluation import result_of
from trace_parity.blame.log_values import Array
from trace_parity.blame.remedies import Place, Remedy, known_changes
from trace_parity.blame.use import Manner, manner_of
from trace_parity.blame.worlds import Worlds
from trace_parity.pair.vocabulary import Key

NEAR = 0.1
"""A print is undone if the value that the program used is within this fraction of the correct one."""
MOVED = 3
"""Components of a vector whose axes may be swapped or negated."""
NEXT_TO = 1e-2
"""Largest relative difference between components of vectors that differ only in axes and signs."""
ROUNDS = 3
"""Passes over the uses of a value: a wrong print downstream may be recognised first."""


class Charges:
    """The accusations that follow from `chosen`, and the broken equations that these clear."""

    def __init__(
        self,
        worlds: Worlds,
        inputs: Sequence[set[str]],
        chosen: set[str],
        instead: Mapping[str, tuple[str, ...]],
        slack: float,
    ) -> None:
        self.worlds, self.side, self.slack = worlds, worlds.side, slack
        self.world = worlds.of(chosen)
        found, cleared = self._outputs(chosen, instead)
        for variable in [v.id for v in self.side.view.vocabulary.variables if v.id in chosen - worlds.own.keys()]:
            places = worlds.fed[variable]
            uses = (c.equation for c, i in zip(worlds.broken, inputs, strict=True) if variable in i)
            equation = next(uses, None) or self._equation_of(variable)
            wrong = tuple(self._as_outcome(place, remedy) for place, remedy in places.items())
            found.append(Accused(variable, equation, wrong, False, instead.get(variable, ())))
        self.had: dict[Place, Array] = {}
        split = [one for accused in self._as_meant(self._with_manner(found)) for one in self._split(accused)]
        split = self._without_cleared(split, cleared) if self.had else split
        self.accused = [*split, *self._hidden(split, cleared)]
        self.cleared: Cleared = frozenset(cleared)

    def _outputs(self, chosen: set[str], instead: Mapping[str, tuple[str, ...]]) -> tuple[list[Accused], set[Place]]:
        found: list[Accused] = []
        cleared: set[tuple[str, Key]] = set()
        for broken in self.worlds.broken:
            also = instead.get(broken.output, ())
            left = broken.outcomes if also else self._still_broken(broken)
            if broken.output in chosen and left:
                outcomes = (*left, *self._only_as_inputs(broken.output, found))
                found.append(Accused(broken.output, broken.equation, outcomes, True, also))
            still = {o.key for o in left} if broken.output in chosen else set()
            cleared |= {(broken.equation.id, o.key) for o in broken.outcomes if o.key not in still}
        return found, cleared

    def _equation_of(self, variable: str) -> Equation:
        """An equation that contains the value, for a value that no broken equation uses."""
        equations = [e for e in self.side.domain.equations if not e.backward]
        made = (e for e in equations if e.output == variable)
        return next(made, None) or next(e for e in equations if variable in self.worlds.feeding(e))

    def _only_as_inputs(self, variable: str, found: list[Accused]) -> list[Outcome]:
        """Further places of a wrong output, which only the equations that use it determine; once per variable."""
        if any(a.variable == variable for a in found):
            return []
        places = self.worlds.fed.get(variable, {}).items()
        return [self._as_outcome(place, remedy) for place, remedy in places if place not in self.worlds.own[variable]]

    def _still_broken(self, broken: BrokenEquation) -> list[Outcome]:
        """Without the places at which the equation holds once its inputs are put right; one place cannot clear another
        that is itself cleared."""
        holds = self.worlds.holds(broken, self.world, slack=self.slack, is_known=True)
        if not holds.any():
            return list(broken.outcomes)
        found = self.side.found[broken.equation.id]
        kept: dict[Key, Outcome] = {}
        for outcome, cleared in zip(broken.outcomes, holds, strict=True):
            feeding = found.feeding(found.row[outcome.key])
            wrong = [p for p in feeding if p in self.world and p != (broken.output, outcome.key)]
            if not cleared or not any(p[0] != broken.output or p[1] in kept for p in wrong):
                kept[outcome.key] = outcome
        return list(kept.values())

    def _as_outcome(self, place: Place, remedy: Remedy) -> Outcome:
        got = self.side.view.at(*place)
        assert got is not None
        return Outcome(place[1], got, remedy.value, remedy.spread, frozenset())

    # In print only, or computed with.

    def _with_manner(self, found: list[Accused]) -> list[Accused]:
        names = list(dict.fromkeys(accused.variable for accused in found))
        manners: dict[str, Manner] = {}
        for _ in range(ROUNDS):
            before = dict(manners)
            for variable in names:
                probes = [name for name, manner in manners.items() if name != variable and manner == "probe"]
                printed = self.worlds.of(probes)
                manners[variable] = manner_of(variable, self.world, self.worlds, printed)
            if manners == before:
                break
        for accused in found:
            if accused.is_output and not manners[accused.variable] and self._is_clearer(accused):
                manners[accused.variable] = "probe"
        return [replace(accused, manner=manners[accused.variable]) for accused in found]

    def _is_clearer(self, accused: Accused) -> bool:
        """Whether what uses a value is wrong in a known way once the value is corrected, and only then."""
        right = self.side.with_values({(accused.variable, o.key): o.expected for o in accused.outcomes})
        clearer = 0
        for equation in self._uses(accused.variable):
            broken = [o for o in self.side.found[equation.id].outcomes.values() if not o.ok]
            still = [o for o in right.found[equation.id].outcomes.values() if not o.ok]
            if broken and still:
                before, after = self.side.hint(equation, broken), right.hint(equation, still)
                clearer += _known(after) - _known(before)
        return clearer > 0

    def _uses(self, variable: str) -> list[Equation]:
        equations = (e for e in self.side.domain.equations if not e.backward and e.output != variable)
        return [e for e in equations if variable in self.worlds.feeding(e)]

    def _split(self, accused: Accused) -> list[Accused]:
        """A value that is computed wrong and also printed wrong: what uses it shows what the program had computed."""
        if not accused.is_output or accused.manner == "computation" or accused.instead:
            return [accused]
        uses = self._uses(accused.variable)

        def held(log: EvaluatedLog) -> list[bool]:
            return [o.ok for e in uses for o in log.found[e.id].outcomes.values() if e.conditional is not True]

        right = {(accused.variable, o.key): o.expected for o in accused.outcomes}
        best = held(self.side.with_values(right))
        if all(best):
            return [accused]
        for had in self._in_hand(accused):
            log = self.side.with_values(had)
            own = log.found[accused.equation.id].outcomes
            if all(held(log)) and not any(own[o.key].ok for o in accused.outcomes if o.key in own):
                computed = tuple(own[o.key] for o in accused.outcomes if o.key in own)
                found = log.found[accused.equation.id]
                self.had |= had
                return [
                    replace(accused, outcomes=_expected(accused, had), manner="probe", is_output=False, found=None),
                    replace(accused, outcomes=computed, manner="computation", found=found),
                ]
        theirs = {place: self.worlds.others[place].value for place in right if place in self.worlds.others}
        if len(theirs) == len(right) and sum(held(self.side.with_values(theirs))) > sum(best):
            return [replace(accused, outcomes=_expected(accused, theirs))]
        return [accused]

    def _in_hand(self, accused: Accused) -> list[dict[Place, Array]]:
        """The value that the program may have used: close to the correct one, or that one with other signs or axes."""
        near: list[dict[Place, Array]] = []
        moved: list[dict[Place, Array]] = []
        right = [self._right(accused.variable, o) for o in accused.outcomes]
        places = [(accused.variable, o.key) for o in accused.outcomes]
        for change in known_changes(self.side.domain, accused.outcomes[0].got):
            made = [change(o.got) for o in accused.outcomes]
            if all(_is_near(value, other) for value, other in zip(made, right, strict=True)):
                near.append(dict(zip(places, made, strict=True)))
            elif all(_is_moved(value, other) for value, other in zip(made, right, strict=True)):
                moved.append(dict(zip(places, made, strict=True)))
        return [*near, *moved]

    def _right(self, variable: str, outcome: Outcome) -> Array:
        value = self.worlds.witness.theirs((variable, outcome.key))
        return outcome.expected if value is None or value.shape != outcome.got.shape else value

    def _without_cleared(self, found: list[Accused], cleared: set[Place]) -> list[Accused]:
        """Without what holds once the print of another value is undone; that is added to what is cleared."""
        log = self.side.with_values(self.had)
        for broken in self.worlds.broken:
            outcomes = log.found[broken.equation.id].outcomes
            now = {o.key for o in broken.outcomes if o.key in outcomes and outcomes[o.key].ok}
            cleared |= {(broken.equation.id, key) for key in now}
        undone = {variable for variable, _ in self.had}
        held = {(a.variable, o.key) for a in found for o in a.outcomes if (a.equation.id, o.key) in cleared}
        return [
            a
            for a in found
            if a.variable in undone or not a.is_output or any((a.variable, o.key) not in held for o in a.outcomes)
        ]

    def _hidden(self, found: list[Accused], cleared: set[Place]) -> list[Accused]:
        """What was let pass as small next to the mistake in a print, and is still broken with that undone.

        Of a print that is known to be undone in all digits, since another equation that uses it holds with it.
        """
        printed = {(a.variable, o.key): o.expected for a in found if a.manner == "probe" for o in a.outcomes}
        if not printed:
            return []
        log, names = self.side.with_values(printed), {variable for variable, _ in printed}
        accused = {(a.variable, o.key) for a in found for o in a.outcomes}
        still: dict[str, tuple[Outcome, ...]] = {}
        for broken in self.worlds.broken:
            outcomes = log.found[broken.equation.id].outcomes
            at = [o.key for o in broken.outcomes if (broken.output, o.key) not in accused]
            left = tuple(outcomes[key] for key in at if key in outcomes and not outcomes[key].ok)
            if left and self.worlds.feeding(broken.equation) & names and broken.equation.conditional is not True:
                still[broken.equation.id] = left
        proven = {name for name in names if any(e.id not in still for e in self._proofs(name, log))}
        hidden = []
        for broken in self.worlds.broken:
            if broken.equation.id in still and self.worlds.feeding(broken.equation) & names <= proven:
                left = still[broken.equation.id]
                cleared -= {(broken.equation.id, o.key) for o in left}
                evaluated = log.found[broken.equation.id]
                hidden.append(Accused(broken.output, broken.equation, left, True, found=evaluated))
        return hidden

    def _proofs(self, variable: str, log: EvaluatedLog) -> list[Equation]:
        """Equations that use a variable and hold throughout."""
        return [
            e
            for e in self._uses(variable)
            if log.found[e.id].outcomes and all(o.ok for o in log.found[e.id].outcomes.values())
        ]

    def _as_meant(self, found: list[Accused]) -> list[Accused]:
        """With what equations give from what was meant where their inputs are wrong in print only."""
        printed = self.worlds.of({a.variable for a in found if a.manner == "probe"})
        return [self._followed(self._refitted(a, printed)) if printed and a.is_output else a for a in found]

    def _refitted(self, accused: Accused, printed: Mapping[Place, Remedy]) -> Accused:
        found = self.side.found[accused.equation.id]
        made = tuple(o for o in accused.outcomes if o.key in found.row)
        others = {place: remedy for place, remedy in printed.items() if place[0] != accused.variable}
        broken = BrokenEquation(accused.equation, made)
        changed = self.worlds.substituted(accused.equation, others)
        fitted = self.worlds.fitted(broken, others) if made and changed is not None else None
        if fitted is None or changed is None:
            return accused
        new = {}
        for n, outcome in enumerate(made):
            expected, allowed = fitted.at(found.form[outcome.key].name, n)
            new[outcome.key] = replace(outcome, expected=expected, allowed=allowed)
        outcomes = tuple(new.get(o.key, o) for o in accused.outcomes)
        values, spreads = changed
        evaluated = replace(found, values=values, spreads=spreads, outcomes={**found.outcomes, **new})
        return replace(accused, outcomes=outcomes, found=evaluated)

    def _followed(self, accused: Accused) -> Accused:
        """With what a recurrence gives from what should have been printed at the places before, in print only."""
        found = accused.found or self.side.found[accused.equation.id]
        right: dict[Place | None, Array] = {(accused.variable, o.key): o.expected for o in accused.outcomes}
        looks_back = any(s[n] in right for s in found.sources.values() for n in found.row.values())
        if accused.manner != "probe" or not looks_back or self._reads_constants(accused):
            return accused
        values, new = {label: array.copy() for label, array in found.values.items()}, {}
        known = {o.key: o for o in accused.outcomes}
        for key in self.side.view.keys(accused.variable):
            n = found.row.get(key)
            if key not in known or n is None:
                continue
            for label, sources in found.sources.items():
                if (before := right.get(sources[n])) is not None:
                    values[label][n, : len(before)] = before
            row = {label: array[n : n + 1] for label, array in values.items()}
            made = result_of(accused.equation, found.form[key], row, (1, len(known[key].got)))[0]
            right[(accused.variable, key)] = made
            new[key] = replace(known[key], expected=made)
        outcomes = tuple(new.get(o.key, o) for o in accused.outcomes)
        return replace(
            accused, outcomes=outcomes, found=replace(found, values=values, outcomes={**found.outcomes, **new})
        )

    def _reads_constants(self, accused: Accused) -> bool:
        """Whether an equation reads something off the whole log, the very value that it makes among it."""
        found = self.side.found[accused.equation.id]
        own = ((accused.variable, key) in (s[n] for s in found.sources.values()) for key, n in found.row.items())
        return accused.equation.settled is not None or accused.equation.relation is not None or any(own)


def _known(hint: Hint | None) -> int:
    """How specific a hint is: a domain's own mistakes come first."""
    return 0 if hint is None else 2 if hint.kind == "variant" else 1


def _expected(accused: Accused, values: Mapping[Place, Array]) -> tuple[Outcome, ...]:
    """The places of an accusation with other expected values."""
    return tuple(replace(o, expected=values[(accused.variable, o.key)]) for o in accused.outcomes)


def _is_moved(value: Array, right: Array) -> bool:
    """Whether a vector is another one in its axes and signs only."""
    if len(value) < MOVED or not np.isfinite(value).all():
        return False
    sizes = [np.sort(np.abs(v)) for v in (value, right)]
    off = float(np.max(np.abs(sizes[0] - sizes[1])))
    return off <= NEXT_TO * float(np.max(sizes[1])) < float(np.max(np.abs(value - right)))


def _is_near(value: Array, right: Array) -> bool:
    size, apart = (float(np.sqrt(np.sum(v * v))) for v in (right, value - right))
    return 0 < apart <= NEAR * size
