"""Which form of an equation a log breaks: the one that the other log obeys there, where it obeys one.

The form that misses least need not be the one meant: a factor that is twice too large may be nearer to another form.
"""

from __future__ import annotations

from dataclasses import replace

from trace_parity.blame.equation import Equation, Form
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.evaluation import fit, outputs
from trace_parity.pair.vocabulary import Key


def hold_to_the_other(side: EvaluatedLog, other: EvaluatedLog) -> None:
    """For each broken place of `side`, use the form that `other` obeys there."""
    for equation in side.domain.equations:
        found = side.found[equation.id]
        meant = {
            key: forms
            for key, outcome in found.outcomes.items()
            if not outcome.ok and key in found.row and (forms := _obeyed(equation, key, other))
            if found.form[key].name not in forms
        }
        if not meant or found.equation is None:
            continue
        keys = list(found.row)
        got = outputs(found.equation, side.view, keys)
        fitted = fit(found.equation, side.view, keys, got, found.values, found.spreads)
        for key, forms in meant.items():
            n, outcome = found.row[key], found.outcomes[key]
            few = [form for form in fitted.forms if form.name in forms]
            few = [form for form in few if not _reads_constants(equation, form, side)] or few
            if few:
                form = fitted.nearest(n, outcome.got, few)
                expected, allowed = fitted.at(form.name, n)
                found.form[key] = form
                found.outcomes[key] = replace(outcome, expected=expected, allowed=allowed)


def _obeyed(equation: Equation, key: Key, other: EvaluatedLog) -> frozenset[str]:
    outcome = other.found[equation.id].outcomes.get(key)
    return outcome.forms if outcome is not None else frozenset()


def _reads_constants(equation: Equation, form: Form, side: EvaluatedLog) -> bool:
    """Whether a form reads constants off the log, which fit what is wrong there."""
    found = side.found[equation.id]
    return equation.settled is not None and (
        equation.settled(side.view, form.name, found.values, found.values) is not None
    )
