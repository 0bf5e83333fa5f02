"""What a wrong number looks like: a unit, a sign, swapped axes, a stale value, float32.

A hint is given when a hypothesis yields the number in the log. To exclude chance, it must
explain the residual to one part in a million (or to the rounding), at every place looked at, and the residual must
be a thousand times the rounding in the first place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from trace_parity.blame.changes import Hint, signs
from trace_parity.blame.equation import Form, Forms, Outcome
from trace_parity.blame.evaluation import result_of
from trace_parity.blame.fitted_hints import added, replaced_inputs, scaled_input
from trace_parity.blame.input_hints import changed_inputs
from trace_parity.blame.log_values import Array
from trace_parity.blame.output_hints import changed_output, copies, in_another_unit, of_expected, other_iterations
from trace_parity.blame.shape import (
    CONTRAST,
    FLOAT32,
    FLOAT32_STEPS,
    never_updated,
    shape,
    single_arithmetic,
    typed_factor,
)
from trace_parity.blame.suspect import Guess, Hypothesis, Suspect, explains

CLEAR = 0.75
"""Fraction of the broken places that must be clear: at others, such as a peak, a small mistake hardly shows."""
MUCH = 10
"""A form whose error is this many times larger is not the one meant, if only a shape supports it."""


def hint_for(suspect: Suspect) -> Hint | None:
    """The first hypothesis that explains every place looked at; None when none does."""
    tried = [(one, places) for one in (suspect, *_by_other_forms(suspect)) if (places := _places(one.broken))]
    if not tried or tried[0][0] is not suspect:
        return None
    if _is_float32(suspect, tried[0][1]):
        return Hint("float32", "these numbers are float32: a stage is done in single precision")
    with np.errstate(all="ignore"):
        for one, places in tried:
            for hint, guess in _hypotheses(one):
                if explains_all(hint, places, guess):
                    return _plainer(hint, places)
        most = MUCH * max(o.residual for o in tried[0][1])
        near = [pair for pair in tried if max(o.residual for o in pair[1]) <= most]
        fitted = (_by_fit_or_shape(one, places) for one, places in near)
        described = next(filter(None, fitted), None) or single_arithmetic(tried[0][1], suspect.view.digits)
        return described or typed_factor(tried[0][1])


def _plainer(hint: Hint, places: list[Outcome]) -> Hint:
    """One factor throughout, where a slip in the expression comes to no more than that."""
    described = shape(places) if hint.kind == "slip" else None
    return described if described is not None and described.kind == "scale" else hint


def _by_fit_or_shape(one: Suspect, places: list[Outcome]) -> Hint | None:
    """Hypotheses with a fitted parameter, and descriptions without a hypothesis: the most specific first."""
    for hint, guess in replaced_inputs(one):
        if explains_all(hint, places, guess):
            return hint
    described = never_updated(one.broken) or shape(places)
    if described is not None and described.kind != "turned":
        return described
    return added(one, places) or scaled_input(one, places) or described


def _by_other_forms(suspect: Suspect) -> Iterator[Suspect]:
    """The same with what another form of the equation gives: the form that misses least need not be the one meant."""
    equation, found = suspect.found.equation, suspect.found
    if equation is None or any(o.key not in found.row for o in suspect.broken):
        return
    forms = equation.forms(suspect.view) if callable(equation.forms) else equation.forms
    for form in forms if len(forms) > 1 else ():
        with np.errstate(all="ignore"):
            values = form.function(found.values)
        broken = tuple(
            replace(o, expected=np.where(np.isnan(o.expected), np.nan, np.broadcast_to(v, o.got.shape)))
            for o in suspect.broken
            for v in [values[found.row[o.key]]]
        )
        if all(np.isfinite(o.expected).any() for o in broken):
            yield replace(suspect, broken=broken, found=replace(found, form=dict.fromkeys(found.form, form)))


def _places(broken: tuple[Outcome, ...]) -> list[Outcome]:
    """The first, the last, the worst and the one in the middle; empty unless most of all exceed the rounding by far."""
    clear = [o for o in broken if np.isfinite(o.residual) and o.residual > CONTRAST * o.permitted]
    if len(clear) < CLEAR * len(broken):
        return []
    worst = max(clear, key=lambda o: o.residual)
    return list({o.key: o for o in (clear[0], clear[-1], worst, clear[len(clear) // 2])}.values())


def explains_all(hint: Hint, places: list[Outcome], guess: Guess) -> bool:
    """Every place; a loop off by one has no value to offer where it begins or ends, and one must be left."""
    offered = [(o, value) for o in places if (value := guess(o)) is not None or hint.kind != "tick"]
    return bool(offered) and all(explains(outcome, value) for outcome, value in offered)


def _is_float32(suspect: Suspect, places: list[Outcome]) -> bool:
    """All numbers fit float32, the right ones would not, and they are off by no more than its rounding."""
    for outcome in places:
        here = ~np.isnan(outcome.expected)
        got = outcome.got[here]
        with np.errstate(all="ignore"):
            single = got.astype(np.float64).astype(np.float32).astype(np.longdouble)
        printed = suspect.view.uncertainty(suspect.equation.output, outcome.got)[here]
        if not (np.abs(single - got) <= printed).all() or outcome.residual > FLOAT32_STEPS * FLOAT32:
            return False
    return suspect.view.digits > 8


def _hypotheses(suspect: Suspect) -> Iterator[Hypothesis]:
    """Most telling first: a domain's own known mistakes, a whole wrong value, the output changed, an input changed."""
    yield from _forms(suspect, suspect.equation.variants)
    yield Hint("zero", "zero, but it should not be: never set"), lambda o: np.zeros_like(o.expected)
    for hint, change in signs():  # before copies: another axis is easily the opposite of this one
        yield hint, partial(of_expected, change)
    yield from in_another_unit(suspect)  # before copies: a number of few digits is easily that of another variable
    yield from copies(suspect)
    yield from other_iterations(suspect)
    yield from changed_output(suspect)
    yield from _forms(suspect, suspect.equation.slips, "slip")
    yield from changed_inputs(suspect)


def _forms(suspect: Suspect, given: Forms, kind: str = "variant") -> Iterator[Hypothesis]:
    """Wrong ways to compute it, by their names."""
    for form in given(suspect.view) if callable(given) else given:
        yield Hint(kind, form.name), partial(_row, suspect, form)


def _row(suspect: Suspect, form: Form, outcome: Outcome) -> Array | None:
    n = suspect.found.row.get(outcome.key)
    if n is None:
        return None
    shape = (len(suspect.found.row), len(outcome.got))
    value: Array = result_of(suspect.equation, form, suspect.found.values, shape)[n]
    return value


def fits(suspect: Suspect, text: str) -> bool:
    """Whether the hypothesis of that text explains every place looked at."""
    places = _places(suspect.broken)
    with np.errstate(all="ignore"):
        hypotheses = (one for one in _hypotheses(suspect) if one[0].text == text)
        return bool(places) and any(explains_all(hint, places, guess) for hint, guess in hypotheses)
