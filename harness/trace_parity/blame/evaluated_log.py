"""One log with all equations of a domain evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from trace_parity.blame.changes import Hint
from trace_parity.blame.checks import check_names
from trace_parity.blame.equation import Domain, Equation, Evaluated, Outcome
from trace_parity.blame.evaluation import evaluate
from trace_parity.blame.hints import hint_for
from trace_parity.blame.log_values import LogView
from trace_parity.blame.suspect import Suspect
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace.table import TraceTable


class EvaluatedLog:
    """The values of one log and the result of each equation on them, by equation id."""

    def __init__(self, table: TraceTable, vocabulary: Vocabulary, domain: Domain) -> None:
        check_names(domain, vocabulary)
        self.view = LogView(table, vocabulary)
        self.name = table.side
        self.domain = domain
        self.found: dict[str, Evaluated] = {}
        for equation in domain.equations:
            covered = {k for name in equation.fallback_for for k in self.found[name].outcomes}
            needed = not covered or any(key not in covered for key in self.view.keys(equation.output))
            found = evaluate(equation, self.view) if needed else Evaluated()
            for key in covered:
                found.outcomes.pop(key, None)
                found.missing.pop(key, None)
            self.found[equation.id] = found

    def hint(self, equation: Equation, broken: Sequence[Outcome]) -> Hint | None:
        """What the wrong output of an equation looks like."""
        return hint_for(Suspect(equation, self.found[equation.id], self.view, self.domain, tuple(broken)))

    def hint_of_value(self, equation: Equation, broken: Sequence[Outcome]) -> Hint | None:
        """The same of an input of other equations, from what it should have been alone."""
        found = Evaluated({outcome.key: outcome for outcome in broken})
        return hint_for(Suspect(equation, found, self.view, self.domain, tuple(broken)))
