"""Which values are wrong when equations are broken: the smallest set that explains all of them.

A broken equation alone does not say whether its output is wrong or one of its inputs. A value is taken for wrong when
putting the right one in its place makes every equation hold that it was broken with; what is right, one of the
equations that make it says, or the other log, where that one obeys. Between the sides, values that are the same in both
logs are believed first. Where several sets of values explain as much, all of them are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from trace_parity.blame.accused import Accused, BrokenEquation, Cleared
from trace_parity.blame.charges import Charges
from trace_parity.blame.equation import Equation, Outcome
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.remedies import Place, Remedy, World
from trace_parity.blame.units_apart import in_another_unit
from trace_parity.blame.use import NEARER, miss
from trace_parity.blame.worlds import Worlds
from trace_parity.pair.vocabulary import Key

MOST_TRIED = 500
"""Sets of values tried on one group of broken equations; past that their outputs are accused."""
SLACK = 1e-3
"""With another log's value in place of a wrong one, an equation may miss by this part of what it missed by: the two
programs differ a little in what that value was made from."""


Guilty = Mapping[str, Sequence[Outcome]]
"""Broken places by equation id."""


def culprits(side: EvaluatedLog, guilty: Guilty) -> list[Accused]:
    """The accusations for one log."""
    return _Search(side, None, guilty).accused()


@dataclass(frozen=True)
class Found:
    """The accusations for each of two logs, and what these clear."""

    accused: tuple[list[Accused], list[Accused]]
    cleared: tuple[Cleared, Cleared]


def culprits_of_both(c: EvaluatedLog, py: EvaluatedLog, of_c: Guilty, of_py: Guilty) -> Found:
    """The same of two logs, each with the other as a witness.

    An equation that holds for some settings only accuses since the other side obeys it. If that side does so only with
    values that are themselves wrong, or certainly breaks the same equation elsewhere, it is not a witness.
    """
    searches = _Search(c, py, of_c), _Search(py, c, of_py)
    found = [search.accused() for search in searches]
    lost = [[a for a in found[n] if _has_no_witness(a, searches[1 - n])] for n in (0, 1)]
    if lost[0] and lost[1]:  # each takes away the other's witness: the smaller explanation stays
        size = [len({a.variable for a in accused}) for accused in found]
        lost = [lost[n] if size[n] > size[1 - n] else [] for n in (0, 1)]
    kept = [[a for a in found[n] if a not in lost[n]] for n in (0, 1)]
    return Found((kept[0], kept[1]), (searches[0].cleared, searches[1].cleared))


def _has_no_witness(accused: Accused, other: _Search) -> bool:
    is_always = accused.equation.conditional is True
    is_sure = any(not o.conditional for o in accused.outcomes) if accused.is_output else not is_always
    if is_sure or accused.equation.fallback_for:
        return False
    if any(c.equation is accused.equation and not all(o.conditional for o in c.outcomes) for c in other.broken):
        return True
    if not is_always:
        return False
    theirs = other.side.found[accused.equation.id]
    held = tuple(o for o in theirs.outcomes.values() if o.ok and o.key in theirs.row)
    fitted = other.worlds.fitted(BrokenEquation(accused.equation, held), other.world) if held else None
    return fitted is not None and not fitted.fine.any(axis=0).any()


class _Search:
    def __init__(self, side: EvaluatedLog, other: EvaluatedLog | None, guilty: Guilty) -> None:
        self.side, self.other = side, other
        self.slack = 0.0
        self.broken = [BrokenEquation(e, tuple(guilty[e.id])) for e in side.domain.equations if guilty.get(e.id)]
        self.worlds = Worlds(side, other, self.broken)
        self.witness, self.own, self.fed = self.worlds.witness, self.worlds.own, self.worlds.fed
        self.world: World = {}
        self.cleared: Cleared = frozenset()
        self.backward: set[str] = set()
        self.inputs = [self._inputs(broken) for broken in self.broken]

    # What could be wrong.

    def _inputs(self, broken: BrokenEquation) -> set[str]:
        """The inputs of a broken equation that may be wrong; what they should be goes to `fed`."""
        found: set[str] = set()
        evaluated = self.side.found[broken.equation.id]
        rows = [(o.key, evaluated.row[o.key]) for o in broken.outcomes if o.key in evaluated.row]
        for key, n in rows:
            for place in evaluated.feeding(n):
                if place[0] == broken.output:
                    continue
                if place in self.own.get(place[0], {}):
                    found.add(place[0])
                elif remedy := self._remedy(place, broken.equation, key):
                    self.fed.setdefault(place[0], {})[place] = remedy
                    found.add(place[0])
        return found

    def _remedy(self, place: Place, broken: Equation, key: Key) -> Remedy | None:
        for equation in self.side.domain.equations:
            if equation.backward and equation.output == place[0]:
                outcome = self.side.found[equation.id].outcomes.get(place[1])
                if outcome is not None and not outcome.ok:
                    self.backward.add(place[0])
                    return Remedy(outcome.expected, outcome.allowed)
        return self.witness.remedy(place, broken, key)

    def _differs(self, variable: str) -> bool:
        """Whether a variable is another one than in the other log at any place where it may be wrong."""
        places = {**self.fed.get(variable, {}), **self.own.get(variable, {})}
        off = self.worlds.so_far(variable)
        return any(not self.witness.confirms(place, remedy, off.get(place, 0.0)) for place, remedy in places.items())

    def _explained(self, broken: BrokenEquation, chosen: set[str], world: World, *, is_known: bool) -> bool:
        return broken.output in chosen or bool(
            self.worlds.holds(broken, world, slack=self.slack, is_known=is_known).all()
        )

    # The search.

    def accused(self) -> list[Accused]:
        chosen = {broken.output for broken, inputs in zip(self.broken, self.inputs, strict=True) if not inputs}
        instead: dict[str, tuple[str, ...]] = {}
        while True:
            world = self.worlds.of(chosen)
            rest = [
                n for n, broken in enumerate(self.broken) if not self._explained(broken, chosen, world, is_known=True)
            ]
            if not rest:
                self.world = world
                charges = Charges(self.worlds, self.inputs, chosen | self._misprinted(chosen), instead, self.slack)
                self.cleared = charges.cleared
                return charges.accused
            sets = self._smallest(self._group(rest, chosen), chosen)
            for one in sets:
                for variable in one:
                    others = [o for o in sets if variable not in o]
                    instead[variable] = tuple(self._named(o) for o in others)
            chosen |= set().union(*sets)

    def _group(self, rest: list[int], chosen: set[str]) -> list[int]:
        """Those of the remaining broken equations that are connected with the first."""
        group, variables = [rest[0]], self._variables(rest[0], chosen)
        grew = True
        while grew:
            more = [n for n in rest if n not in group and self._variables(n, chosen) & variables]
            grew = bool(more)
            for n in more:
                group.append(n)
                variables |= self._variables(n, chosen)
        return sorted(group)

    def _variables(self, n: int, chosen: set[str]) -> set[str]:
        return ({self.broken[n].output} | self.inputs[n]) - chosen

    def _smallest(self, group: list[int], chosen: set[str]) -> list[set[str]]:
        """The smallest sets that explain the whole group."""
        order = [v.id for v in self.side.view.vocabulary.variables]
        pool = set().union(*(self._variables(n, chosen) for n in group))
        everyone = sorted(pool, key=lambda v: order.index(v) if v in order else len(order))
        suspects = [v for v in everyone if self._differs(v)] if self.other is not None else everyone
        tries = [(suspects, 0.0), (suspects, SLACK), (everyone, 0.0)] if suspects != everyone else [(everyone, 0.0)]
        before = self.slack
        for few, slack in tries:
            if few is everyone and self.other is not None and (one := self._in_another_unit(group, chosen)):
                return [one]
            self.slack = max(before, slack)
            if sets := self._explaining(few, group, chosen):
                most = max(self._vouched(one) for one in sets)
                sets = [one for one in sets if self._vouched(one) == most]
                return [one for one in sets if self._is_of_one_kind(one)] or sets
        self.slack = before
        return [{self.broken[n].output for n in group} - chosen]

    def _in_another_unit(self, group: list[int], chosen: set[str]) -> set[str]:
        return in_another_unit(self.worlds, [self.broken[n] for n in group], chosen)

    def _misprinted(self, chosen: set[str]) -> set[str]:
        """Inputs of what is accused that are a known mistake away from the other log's, and far nearer without it."""
        found = set()
        for broken, inputs in zip(self.broken, self.inputs, strict=True):
            for variable in inputs - chosen - self.own.keys() if broken.output in chosen else ():
                if self.witness.has_mistake(self.fed[variable]) and self._is_nearer(broken, variable):
                    found.add(variable)
        return found

    def _is_nearer(self, broken: BrokenEquation, variable: str) -> bool:
        fitted = self.worlds.fitted(broken, self.fed[variable])
        if fitted is None:
            return False
        left = [min(miss(o.got, e[n]) for e in fitted.expected) for n, o in enumerate(broken.outcomes)]
        missed = [miss(o.got, o.expected) for o in broken.outcomes]
        return sum(left) <= NEARER * sum(missed)

    def _explaining(self, pool: list[str], group: list[int], chosen: set[str]) -> list[set[str]]:
        tried = 0
        for size in range(1, len(pool) + 1):
            sets: list[set[str]] = []
            for few in combinations(pool, size):
                tried += 1
                if tried > MOST_TRIED:
                    return sets
                with_them = chosen | set(few)
                world = self.worlds.of(with_them)
                explain = all(self._explained(self.broken[n], with_them, world, is_known=False) for n in group)
                if explain and not self._is_in_use(set(few), world):
                    sets.append(set(few))
            if sets:
                return sets
        return []

    def _is_in_use(self, few: set[str], world: World) -> bool:
        """Whether an equation that holds does so only with the very values that would be wrong as inputs.

        The program went on with them, so that what was not made from them is what is wrong. Not tested for inputs that
        feed only what holds for some settings, which need not be made from them, and is the same in the other log.
        """
        fed = {v for v in few if v not in self.own and not self._feeds_settings_only(v)}
        wrong = {place: remedy for place, remedy in world.items() if place[0] in fed}
        if not wrong:
            return False
        guilty = {broken.equation.id for broken in self.broken}
        for equation in self.side.domain.equations:
            found = self.side.found[equation.id]
            names = {place[0].rpartition(".")[2] for place in wrong}
            if equation.backward or equation.id in guilty or equation.output.rpartition(".")[2] in names:
                continue  # the same quantity again does not count as a use
            held = tuple(o for o in found.outcomes.values() if o.ok and o.key in found.row)
            fitted = self.worlds.fitted(BrokenEquation(equation, held), wrong) if held else None
            if fitted is not None and not fitted.fine.any(axis=0).all():
                return True
        return False

    def _feeds_settings_only(self, variable: str) -> bool:
        pairs = zip(self.broken, self.inputs, strict=True)
        fed = [broken for broken, inputs in pairs if variable in inputs]
        return all(broken.equation.conditional is True and not self._differs(broken.output) for broken in fed)

    def _vouched(self, variables: set[str]) -> int:
        """How many have their right value in the other log: then a match here is not chance."""
        return sum(1 for v in variables if v not in self.own and v not in self.backward)

    def _is_of_one_kind(self, variables: set[str]) -> bool:
        """All outputs of broken equations, or all inputs: half of each says the same as either."""
        return not variables & self.own.keys() or variables <= self.own.keys()

    def _named(self, variables: set[str]) -> str:
        order = [v.id for v in self.side.view.vocabulary.variables]
        return " and ".join(v.rpartition(".")[2] for v in sorted(variables, key=order.index))
