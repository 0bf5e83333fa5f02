"""Values that no equation of a log makes: the other log's, where all that feeds them is as in that log.

Two programs that do the same make the same of the same. So a change can be followed through a number that is looked
up, drawn or interpolated, and through an equation that lacks a setting, as long as it leads to where the other log is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from trace_parity.blame.equation import Equation
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.log_values import Array
from trace_parity.blame.remedies import SAME, Place
from trace_parity.pair.dependencies import Graph, downstream, inputs
from trace_parity.pair.dependency import parse_dependency
from trace_parity.pair.vocabulary import ABSENT, Key

NEXT_TO = 1e-5
"""An input is as in the other log when what is left is less than this part of what the logs were apart by."""


@dataclass(frozen=True)
class Vouched:
    """What the other log vouches for on `side`; not for `suspects`, which may be wrong in either log themselves."""

    side: EvaluatedLog
    other: EvaluatedLog
    suspects: Collection[str]

    def value(self, place: Place, values: dict[Place, Array], unknown: Collection[Place]) -> Array | None:
        """The value at a place once `values` are put in; None where the other log does not decide."""
        variable, key = place
        if variable in self.suspects or self._looks_back(variable):
            return None
        theirs, own = self.other.view.at(variable, key), self.side.view.at(variable, key)
        if theirs is None or own is None or theirs.shape != own.shape:
            return None
        feeding = self._feeding(variable, key)
        if not feeding or not all(self._is_theirs(one, values, unknown) for one in feeding):
            return None
        return theirs

    def before(
        self, equation: Equation | None, touched: Collection[str], unknown: Collection[str]
    ) -> dict[str, list[Key]]:
        """Where variables that come before the output of an equation have none of their own, if made from `touched`.

        With None all variables. Those that are `unknown` somewhere are among them. One that is looked up in a table, or
        that an equation makes from what is made from it, comes before its own equation.
        """
        names = [v.id for v in self.side.view.vocabulary.variables]
        end = len(names)
        if equation is not None and equation.output in names:
            end = names.index(equation.output) + (bool(equation.table) or self._is_circular(equation))
        unmade = self._unmade()
        waiting = [name for name in names[:end] if name not in self.suspects and (unmade[name] or name in unknown)]
        if not waiting:
            return {}
        made = downstream(self._graph(), {*touched, *unknown})
        return {name: unmade[name] for name in waiting if name in made}

    def _unmade(self) -> dict[str, list[Key]]:
        """The places of each variable at which no equation makes it; empty where an equation may fail to."""
        name = "places that no equation computes"
        if name not in self.side.view.memo:
            made: dict[str, set[Key]] = {}
            for equation in self.side.domain.equations:
                if not equation.backward and not equation.table and not self._is_circular(equation):
                    outcomes = self.side.found[equation.id].outcomes
                    keys = (k for k, o in outcomes.items() if o.ok or equation.conditional is not True)
                    made.setdefault(equation.output, set()).update(keys)
            self.side.view.memo[name] = {
                v.id: [k for k in self.side.view.keys(v.id) if k not in made.get(v.id, ())]
                for v in self.side.view.vocabulary.variables
            }
        unmade: dict[str, list[Key]] = self.side.view.memo[name]
        return unmade

    def _is_circular(self, equation: Equation) -> bool:
        """Whether an equation makes its output from what is made from it: all of these change at once."""
        name = f"circular {equation.id}"
        if name not in self.side.view.memo:
            made = downstream(self._graph(), [equation.output])
            found = self.side.found[equation.id]
            feeding = {place[0] for n in list(found.row.values())[:1] for place in found.feeding(n)}
            self.side.view.memo[name] = bool(feeding & made - {equation.output})
        circular: bool = self.side.view.memo[name]
        return circular

    def _graph(self) -> Graph:
        if "graph" not in self.side.view.memo:
            self.side.view.memo["graph"] = inputs(self.side.view.vocabulary)
        graph: Graph = self.side.view.memo["graph"]
        return graph

    def _looks_back(self, variable: str) -> bool:
        known = self.side.view.variables.get(variable)
        words = map(parse_dependency, known.depends_on) if known is not None else ()
        return any(word is not None and word.back for word in words) or variable in self._graph().get(variable, ())

    def _feeding(self, variable: str, key: Key) -> list[Place]:
        """Where the inputs are, and of one that both logs lack what feeds it; none where only one log has some."""
        waiting, seen, found = list(self._graph().get(variable, ())), set(), []
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            own, theirs = (self._within(log, name, key) for log in (self.side, self.other))
            if own != theirs:
                return []
            found += [(name, where) for where in own]
            if not own:
                waiting += self._graph().get(name, ())
        return found

    def _within(self, log: EvaluatedLog, name: str, key: Key) -> list[Key]:
        """Where a variable is at a place, or at all iterations inside it."""
        vocabulary = log.view.vocabulary
        here = {loop for loop, index in zip(vocabulary.loops, key, strict=True) if index != ABSENT}
        found = log.view.find(name, key)
        if set(log.view.variables[name].scope.loops) <= here:
            return [found[1]] if found is not None and found[0] == name else []
        keys = log.view.keys(name)
        return [k for k in keys if all(a == b or ABSENT in (a, b) for a, b in zip(k, key, strict=True))]

    def _is_theirs(self, place: Place, values: dict[Place, Array], unknown: Collection[Place]) -> bool:
        own, theirs = self.side.view.at(*place), self.other.view.at(*place)
        if place in unknown or own is None or theirs is None or own.shape != theirs.shape:
            return False
        now = values.get(place, own)
        spread = SAME * self.side.view.uncertainty(place[0], own[None])[0]
        with np.errstate(invalid="ignore"):
            apart = np.abs(now - theirs)
            left = NEXT_TO * float(np.max(np.abs(own - theirs)))
            return bool(
                ((apart <= spread) | (apart <= left) | (now == theirs) | (np.isnan(now) & np.isnan(theirs))).all()
            )
