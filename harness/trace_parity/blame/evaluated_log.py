"""One log with all equations of a domain evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from trace_parity.blame.changes import Hint
from trace_parity.blame.checks import check_names
from trace_parity.blame.equation import Domain, Equation, Evaluated, Outcome, Place
from trace_parity.blame.evaluation import evaluate
from trace_parity.blame.hints import fits, hint_for
from trace_parity.blame.log_values import Array, LogView
from trace_parity.blame.reads import with_dependencies
from trace_parity.blame.suspect import Suspect
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace.table import TraceTable


class EvaluatedLog:
    """The values of one log and the result of each equation on them, by equation id."""

    def __init__(self, table: TraceTable, vocabulary: Vocabulary, domain: Domain) -> None:
        check_names(domain, vocabulary)
        vocabulary = with_dependencies(vocabulary, domain)
        self.view = LogView(table, vocabulary)
        self.name = table.side
        self.domain = domain
        self._instead: dict[str, Equation] = {}
        self.found: dict[str, Evaluated] = {}
        for equation in domain.equations:
            self.found[equation.id] = self._evaluated(equation)

    def _evaluated(self, equation: Equation) -> Evaluated:
        covered = {k for name in equation.fallback_for for k in self.found[name].outcomes}
        needed = not covered or any(key not in covered for key in self.view.keys(equation.output))
        found = evaluate(self._instead.get(equation.id, equation), self.view) if needed else Evaluated()
        for key in covered:
            found.outcomes.pop(key, None)
            found.missing.pop(key, None)
        return found

    def evaluate_as(self, equation: Equation, instead: Equation) -> None:
        """Evaluate an equation that reads constants off the log as one that has them."""
        self._instead = {**self._instead, equation.id: instead}
        for one in self.domain.equations:
            if one is equation or equation.id in one.fallback_for:
                self.found[one.id] = self._evaluated(one)

    @property
    def finals(self) -> tuple[str, ...]:
        """The variables that a site may end in: the domain's own, else the last that the log has."""
        held = [v.id for v in self.view.vocabulary.variables if self.view.keys(v.id)]
        return self.domain.finals or tuple(held[-1:])

    def with_values(self, values: Mapping[Place, Array]) -> EvaluatedLog:
        """The log with other values at some places, and with the equations that these are in evaluated again."""
        if not values:
            return self
        made = copy(self)
        made.view, made.found = self.view.with_values(values), {}
        names = {variable for variable, _ in values}
        for equation in self.domain.equations:
            found = self.found[equation.id]
            used = {equation.output, *(place[0] for n in found.row.values() for place in found.feeding(n))}
            made.found[equation.id] = made._evaluated(equation) if used & names else found
        return made

    def hint(self, equation: Equation, broken: Sequence[Outcome], found: Evaluated | None = None) -> Hint | None:
        """The hint for the wrong output of an equation; `found`: the equation with other inputs."""
        found = found or self.found[equation.id]
        return hint_for(Suspect(equation, found, self.view, self.domain, tuple(broken)))

    def fits(self, equation: Equation, broken: Sequence[Outcome], text: str) -> bool:
        """Whether the hypothesis of a hint explains the wrong output of an equation as well."""
        return fits(Suspect(equation, self.found[equation.id], self.view, self.domain, tuple(broken)), text)

    def hint_of_value(self, equation: Equation, broken: Sequence[Outcome]) -> Hint | None:
        """The same of an input of other equations, from what it should have been alone."""
        found = Evaluated({outcome.key: outcome for outcome in broken})
        return hint_for(Suspect(equation, found, self.view, self.domain, tuple(broken)))
