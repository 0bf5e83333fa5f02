"""Which form of an equation a log breaks: the one that the other log obeys there, where it obeys one.

The form that misses least need not be the one meant: a factor that is twice too large may be nearer to another form.
Nor need one that holds: a constant that is read off a wrong print makes an equation of it. Where the outputs of both
logs agree far better than a log obeys the other's form, it is the inputs that are not what they should be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trace_parity.blame.equation import Equation, Form, Outcome
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.evaluation import fit, outputs
from trace_parity.blame.use import NEARER
from trace_parity.pair.vocabulary import Key


def hold_to_the_other(side: EvaluatedLog, other: EvaluatedLog) -> None:
    """For each place of `side` that does not obey the form that `other` obeys there, use that form."""
    _with_constants_of(side, other)
    for equation in side.domain.equations:
        found = side.found[equation.id]
        meant = {
            key: forms
            for key, outcome in found.outcomes.items()
            if key in found.row and (forms := _obeyed(equation, key, other)) and not outcome.forms & forms
            if outcome.ok or found.form[key].name not in forms
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
                made = replace(outcome, expected=expected, allowed=allowed, forms=frozenset())
                if outcome.ok and not _is_like(made, equation, other):
                    continue
                found.form[key] = form
                found.outcomes[key] = made


def _with_constants_of(side: EvaluatedLog, other: EvaluatedLog) -> None:
    """Evaluate equations with the constants that the other log shows where a log shows none, nor obeys another one."""
    for equation in side.domain.equations:
        made, theirs = side.found[equation.id], other.found[equation.id].equation
        if made.outcomes or not made.missing or theirs is None or theirs.relation is not None or not theirs.inputs:
            continue
        instead = [e for e in side.domain.equations if e.output == equation.output and not e.backward]
        if not any(outcome.ok for e in instead for outcome in side.found[e.id].outcomes.values()):
            side.evaluate_as(equation, theirs)


def _obeyed(equation: Equation, key: Key, other: EvaluatedLog) -> frozenset[str]:
    outcome = other.found[equation.id].outcomes.get(key)
    return outcome.forms if outcome is not None else frozenset()


def _is_like(outcome: Outcome, equation: Equation, other: EvaluatedLog) -> bool:
    """Whether a place misses, and the other log has nearly the same output for what it misses by."""
    theirs = other.view.at(equation.output, outcome.key)
    if theirs is None or theirs.shape != outcome.got.shape:
        return False
    with np.errstate(all="ignore"):
        missed = np.abs(outcome.expected - outcome.got)
        return bool(
            (missed > outcome.allowed).any() and np.max(np.abs(theirs - outcome.got)) <= NEARER * np.max(missed)
        )


def _reads_constants(equation: Equation, form: Form, side: EvaluatedLog) -> bool:
    """Whether a form reads constants off the log, which fit what is wrong there."""
    found = side.found[equation.id]
    return equation.settled is not None and (
        equation.settled(side.view, form.name, found.values, found.values) is not None
    )
