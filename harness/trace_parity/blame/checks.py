"""Check equations: their names are in the vocabulary, and the logs of a run in parity obey them."""

from __future__ import annotations

import difflib

import numpy as np

from trace_parity.blame.equation import Domain, Equation, Form, Input
from trace_parity.blame.evaluation import evaluate
from trace_parity.blame.log_values import LogView
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace.table import TraceTable


def check_names(domain: Domain, vocabulary: Vocabulary) -> None:
    """Outputs are ids of variables (`scope.name`), inputs ids or names; HarnessError (exit 2) for any other."""
    check_tuples(domain)
    ids = {v.id for v in vocabulary.variables}
    names = {v.name for v in vocabulary.variables}
    for equation in domain.equations:
        where = f"equation {equation.id!r}"
        if equation.output not in ids:
            raise _unknown(where, "output", equation.output, ids, "the id of a variable, SCOPE.NAME")
        for wanted in equation.inputs:
            if wanted.computed is None and wanted.ref not in ids | names:
                raise _unknown(where, "input", wanted.ref, ids | names, "the name of a variable, or its id")
        if equation.table and equation.table not in ids | names:
            raise _unknown(where, "table", equation.table, ids | names, "the name of a variable, or its id")


def check_tuples(domain: Domain) -> None:
    """HarnessError (exit 2) if equations, inputs, forms or variants are a single object instead of a tuple."""
    _check_sequence(f"the domain {domain.title!r}", "equations", domain.equations, Equation)
    for equation in domain.equations:
        where = f"equation {equation.id!r}"
        _check_sequence(where, "inputs", equation.inputs, Input)
        for what, forms in (("forms", equation.forms), ("variants", equation.variants)):
            if not callable(forms):
                _check_sequence(where, what, forms, Form)


def _check_sequence(where: str, what: str, found: object, kind: type) -> None:
    if not isinstance(found, (tuple, list)) or not all(isinstance(one, kind) for one in found):
        shown = type(found).__name__ if not isinstance(found, (tuple, list)) else ", ".join(map(_kind, found))
        expected, hint = f"a tuple of {kind.__name__}", f"({kind.__name__}(…),) with a comma is a tuple of one"
        raise HarnessError(Exit.USAGE, f"{what}: {shown or 'nothing'}", where=where, expected=expected, hint=hint)


def _kind(value: object) -> str:
    return type(value).__name__


def _unknown(where: str, what: str, name: str, known: set[str], expected: str) -> HarnessError:
    whole = sorted(i for i in known if i.endswith(f".{name}"))
    near = whole or difflib.get_close_matches(name, sorted(known), n=3)
    hint = f"near it are {', '.join(near)}" if near else ""
    return HarnessError(Exit.USAGE, f"no variable {name!r} for its {what}", where=where, expected=expected, hint=hint)


@np.errstate(all="ignore")  # a log may hold NaN and infinity
def check_equation(equation: Equation, log: TraceTable, vocabulary: Vocabulary) -> int:
    """Check one equation on a log that is known to be right, and return at how many places it was evaluated.

    For the tests of a pair's own equations. Raises AssertionError with the worst place where it does not hold, with
    what is missing where it could be evaluated nowhere; HarnessError (exit 2) for a name that the vocabulary lacks.
    """
    check_names(Domain("", (equation,)), vocabulary)
    view = LogView(log, vocabulary)
    found = evaluate(equation, view)
    broken = [outcome for outcome in found.outcomes.values() if not outcome.ok]
    if broken:
        worst = max(broken, key=lambda outcome: outcome.residual)
        raise AssertionError(
            f"{equation.id}: {equation.text} fails at {len(broken)} of {len(found.outcomes)} places, worst at "
            f"{vocabulary.describe(worst.key)}: {_spelled(worst.got)} in the log, {_spelled(worst.expected)} expected, "
            f"off by {worst.residual:.3g} where rounding explains {worst.permitted:.3g}"
        )
    if not found.outcomes:
        lacks = ", ".join(dict.fromkeys(word for words in found.missing.values() for word in words))
        why = f"lacks {lacks}" if lacks else f"has no {equation.output}"
        raise AssertionError(f"{equation.id}: {equation.text} could not be evaluated anywhere: the log {why}")
    return len(found.outcomes)


def _spelled(values: np.ndarray) -> str:
    return " ".join(f"{float(value):.9g}" for value in values)
