"""Check equations: their names are in the vocabulary, and the logs of a run in parity obey them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from trace_parity.blame.equation import Domain, Equation, Evaluated, Form, Input
from trace_parity.blame.evaluation import evaluate, result_of
from trace_parity.blame.log_values import LogView
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace.table import TraceTable

AN_ID = "the id of a variable, SCOPE.NAME"
A_NAME = "the name of a variable, or its id"


def check_names(domain: Domain, vocabulary: Vocabulary) -> None:
    """Every id that a domain gives is one: of a variable (`scope.name`), a loop, an equation; inputs may be names.

    HarnessError (exit 2) with the nearest ones for any other.
    """
    check_tuples(domain)
    ids = {v.id for v in vocabulary.variables}
    names = ids | {v.name for v in vocabulary.variables}
    loops, equations = set(vocabulary.loops), [e.id for e in domain.equations]
    for equation in domain.equations:
        where = f"equation {equation.id!r}"
        if equations.count(equation.id) > 1:
            raise HarnessError(Exit.USAGE, f"{equations.count(equation.id)} equations of one id", where=where)
        _known(where, "output", [equation.output], ids, AN_ID)
        _known(where, "input", [i.ref for i in equation.inputs if i.computed is None], names, A_NAME)
        _known(where, "table", [equation.table] if equation.table else [], names, A_NAME)
        _known(where, "needs_loops", equation.needs_loops, loops, "a loop", "loop")
        others = set(equations) - {equation.id}
        _known(where, "fallback_for", equation.fallback_for, others, "the id of another equation", "equation")
    where = f"the domain {domain.title!r}"
    _known(where, "finals", domain.finals, ids, AN_ID)
    _known(where, "defaults", domain.defaults, ids, AN_ID)
    _known(where, "first_of", [d.first_of for d in domain.defaults.values() if d.first_of], loops, "a loop", "loop")
    _known(where, "hints", domain.hints, ids, AN_ID)
    _known(where, "loops", domain.loops, loops, "a loop", "loop")
    _known(where, "by", [name for s in domain.loops.values() for name in s.by], ids, AN_ID)
    _known(where, "iterations", [domain.iterations] if domain.iterations else [], ids, AN_ID)


def _known(where: str, what: str, given: Iterable[str], known: set[str], expected: str, kind: str = "variable") -> None:
    if isinstance(given, str):
        comma = "(NAME,) with a comma is a tuple of one"
        raise HarnessError(Exit.USAGE, f"{what}: str", where=where, expected="a tuple of names", hint=comma)
    for name in given:
        if name not in known:
            whole = sorted(i for i in known if i.endswith(f".{name}"))
            near = whole or difflib.get_close_matches(name, sorted(known), n=3)
            hint = f"near it are {', '.join(near)}" if near else ""
            raise HarnessError(
                Exit.USAGE, f"no {kind} {name!r} for its {what}", where=where, expected=expected, hint=hint
            )


def check_tuples(domain: Domain) -> None:
    """HarnessError (exit 2) if equations, inputs, forms or variants are a single object instead of a tuple."""
    _check_sequence(f"the domain {domain.title!r}", "equations", domain.equations, Equation)
    for equation in domain.equations:
        where = f"equation {equation.id!r}"
        _check_sequence(where, "inputs", equation.inputs, Input)
        for what, forms in (("forms", equation.forms), ("variants", equation.variants)):
            if not callable(forms):
                _check_sequence(where, what, forms, Form)
        if equation.forms == () and equation.relation is None:
            raise HarnessError(Exit.USAGE, "forms: none", where=where, expected="a Form or more")
        _check_labels(where, [wanted.label for wanted in equation.inputs])


OWN_LABELS = ("loops", "one")
"""What a form is given without an input of that name."""


def _check_labels(where: str, labels: list[str]) -> None:
    """Each input has a name of its own."""
    for label in labels:
        if label in OWN_LABELS or labels.count(label) > 1:
            what = f"the name {label!r} is taken" if label in OWN_LABELS else f"two inputs are named {label!r}"
            hint = "Input(VARIABLE, NAME) gives one another name"
            raise HarnessError(Exit.USAGE, what, where=where, expected="a name of its own for each input", hint=hint)


def _check_sequence(where: str, what: str, found: object, kind: type) -> None:
    if not isinstance(found, (tuple, list)) or not all(isinstance(one, kind) for one in found):
        shown = type(found).__name__ if not isinstance(found, (tuple, list)) else ", ".join(map(_kind, found))
        expected, hint = f"a tuple of {kind.__name__}", f"({kind.__name__}(…),) with a comma is a tuple of one"
        raise HarnessError(Exit.USAGE, f"{what}: {shown or 'nothing'}", where=where, expected=expected, hint=hint)


def _kind(value: object) -> str:
    return type(value).__name__


@np.errstate(all="ignore")  # a log may hold NaN and infinity
def check_equation(equation: Equation, log: TraceTable, vocabulary: Vocabulary) -> int:
    """Check one equation on a log that is known to be right, and return at how many places it was evaluated.

    For the tests of a pair's own equations. Raises AssertionError with the worst place where it does not hold, with
    what is missing where it could be evaluated nowhere; HarnessError (exit 2) for a name that the vocabulary lacks.
    """
    check_names(Domain("", (replace(equation, fallback_for=()),)), vocabulary)
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
    _try_variants(equation, found, view)
    if not found.outcomes:
        lacks = ", ".join(dict.fromkeys(word for words in found.missing.values() for word in words))
        why = f"lacks {lacks}" if lacks else f"has no {equation.output}"
        raise AssertionError(f"{equation.id}: {equation.text} could not be evaluated anywhere: the log {why}")
    return len(found.outcomes)


def _try_variants(equation: Equation, found: Evaluated, view: LogView) -> None:
    """Evaluate the known mistakes as well: one that does not work is an error here, and not at the first fault."""
    if not found.row:
        return
    shape = (len(found.row), max(len(outcome.got) for outcome in found.outcomes.values()))
    for forms in (equation.variants, equation.slips):
        for form in forms(view) if callable(forms) else forms:
            result_of(equation, form, found.values, shape)


def _spelled(values: np.ndarray) -> str:
    return " ".join(f"{float(value):.9g}" for value in values)
