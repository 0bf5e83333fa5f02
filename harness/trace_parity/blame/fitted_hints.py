"""Hypotheses with something to find out first: which variable an input was taken for, and by which factor it is off.

A factor that is fitted must be the same at all places: that is evidence only where there are more numbers than factors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from trace_parity.blame.changes import Hint
from trace_parity.blame.equation import Outcome, same_but
from trace_parity.blame.input_hints import Changed
from trace_parity.blame.log_values import Array
from trace_parity.blame.shape import EXPLAINS
from trace_parity.blame.suspect import Hypothesis, Suspect, explains, is_made_from

ROUNDS = 12
"""Steps of Newton's method: the factor of a product takes one."""
STEP = np.longdouble(1e-9)
NEAR_ONE = 1e-6
"""A factor nearer to 1 is that of a number in float32."""
MOST_PLACES = 8


def replaced_inputs(suspect: Suspect) -> Iterator[Hypothesis]:
    """Another variable of the same size and unit in place of an input, at the same iteration or the one before."""
    inputs, view = Changed(suspect), suspect.view
    loops = view.vocabulary.loops

    def result(label: str, variable: str, loop: int | None, o: Outcome) -> Array | None:
        key = o.key if loop is None else same_but(o.key, loop, o.key[loop] - 1)
        place = view.find(variable, key) if loop is None or o.key[loop] > 0 else None
        value = view.at(*place) if place is not None else None
        return inputs.result(o, label, value)

    for label in inputs.labels:
        own = next((place[0] for place in suspect.found.sources.get(label, ()) if place is not None), "")
        if not own or inputs.fits_anyhow(label):
            continue
        kind = view.variables[own].size, view.variables[own].unit
        for variable in view.variables.values():
            if (variable.size, variable.unit) != kind or variable.id in (own, suspect.equation.output):
                continue
            for loop in (None, *(n for n, name in enumerate(loops) if name in variable.scope.loops)):
                before = "" if loop is None else f" of the previous {loops[loop]}"
                hint = Hint("input", f"fits with {variable.name}{before} in place of {label}")
                yield hint, partial(result, label, variable.id, loop)


def added(suspect: Suspect, places: Sequence[Outcome]) -> Hint | None:
    """The increment is a constant times what it should be."""
    inputs = Changed(suspect)
    for label in inputs.labels:
        sources = [place for place in suspect.found.sources.get(label, ()) if place is not None]
        if not sources or any(place[0] != suspect.equation.output for place in sources):
            continue
        if any(is_made_from(suspect, o.key, o.key) for o in places):
            continue
        before = [inputs.row(o, label) for o in places]
        factors = [_ratio(o.got - b, o.expected - b) for o, b in zip(places, before, strict=True) if b is not None]
        factor = _common(factors, places) if len(factors) == len(places) else None
        if factor is not None and abs(factor) > EXPLAINS:
            made = [b + (o.expected - b) * factor for o, b in zip(places, before, strict=True) if b is not None]
            if all(map(explains, places, made)):
                word = "twice" if abs(factor - 2) <= EXPLAINS else f"{float(factor):.9g} times"
                return Hint("scale", f"what is added to the previous value is {word} what it should be")
        for word, power in _POWERS if len(before) == len(places) else ():
            pairs = zip(places, before, strict=True)
            raised = [None if b is None else b + np.abs(o.expected - b) ** power for o, b in pairs]
            if all(map(explains, places, raised)):
                return Hint("power", f"what is added to the previous value is {word} of what it should be")
    return None


_POWERS = (("the square root", 0.5), ("the square", 2.0))


def scaled_input(suspect: Suspect, places: Sequence[Outcome]) -> Hint | None:
    """One input is off by one factor at all places."""
    inputs = Changed(suspect)
    more = {o.key: o for o in (*places, *suspect.broken[:: max(1, len(suspect.broken) // MOST_PLACES)])}
    if len(more) < 2:  # a vector added at one place is as well a factor of another vector there
        return None
    for label in inputs.labels:
        if inputs.fits_anyhow(label):
            continue
        found = [_factor(inputs, label, o) for o in places]
        factors = [f for f in found if f is not None]
        if len(factors) < len(places) or (factor := _common(factors, places)) is None:
            continue
        rows = {key: inputs.row(o, label) for key, o in more.items()}
        made = [
            inputs.result(o, label, row * factor)
            for (_, o), row in zip(more.items(), rows.values(), strict=True)
            if row is not None
        ]
        if len(made) == len(more) and all(map(explains, more.values(), made)):
            return Hint("scale", f"fits with {label} times {float(factor):.9g}")
    return None


def _factor(inputs: Changed, label: str, outcome: Outcome) -> np.longdouble | None:
    """The factor of an input with which the equation gives what the log has; None where no factor does."""
    row = inputs.row(outcome, label)
    if row is None or not row.any() or not np.isfinite(row).all():
        return None
    factor, here = np.longdouble(1), ~np.isnan(outcome.expected)
    for _ in range(ROUNDS):
        there = factor * (1 + STEP)
        values = [outcome.expected if f == 1 else inputs.result(outcome, label, row * f) for f in (factor, there)]
        if values[0] is None or values[1] is None:
            return None
        slope = ((values[1] - values[0]) / (there - factor))[here]
        if not np.isfinite(slope).all() or not slope.any():
            return None
        step = np.sum((outcome.got - values[0])[here] * slope) / np.sum(slope * slope)
        factor = factor + step
        if not np.isfinite(factor) or factor == 0:
            return None
        if abs(step) <= EXPLAINS * abs(factor - 1):
            break
    return (
        factor
        if abs(factor - 1) > NEAR_ONE and explains(outcome, inputs.result(outcome, label, row * factor))
        else None
    )


def _ratio(got: Array, expected: Array) -> np.longdouble:
    """The factor between two rows of numbers, by least squares."""
    whole = np.nansum(expected * expected)
    ratio: np.longdouble = np.nansum(got * expected) / whole if whole else np.longdouble(np.nan)
    return ratio


def _common(factors: Sequence[np.longdouble], places: Sequence[Outcome]) -> np.longdouble | None:
    """The common factor of all places, from the clearest of them; None if there is none, or no evidence for it."""
    numbers = sum(int(np.sum(~np.isnan(o.expected))) for o in places)
    if numbers < 2 or not np.isfinite(factors).all():
        return None
    sure = [o.residual / max(o.permitted, 1e-30) for o in places]
    best = factors[int(np.argmax(sure))]
    off = abs(best - 1)
    blunt = [max(EXPLAINS, 4 / s) * off for s in sure]
    return best if off > NEAR_ONE and all(abs(f - best) <= b for f, b in zip(factors, blunt, strict=True)) else None
