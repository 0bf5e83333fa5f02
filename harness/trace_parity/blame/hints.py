"""What a wrong number looks like: a unit, a sign, swapped axes, a stale value, float32.

A hint is given when a hypothesis yields the number in the log. To exclude chance, it must
explain the residual to one part in a million (or to the rounding), at every place looked at, and the residual must
be a thousand times the rounding in the first place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from trace_parity.blame.changes import (
    Change,
    Hint,
    changes,
    length,
    one_based,
    rearranged,
    scaled,
    signs,
    single,
    smells,
    units,
)
from trace_parity.blame.equation import Domain, Equation, Evaluated, Form, Outcome, same_but
from trace_parity.blame.evaluation import result_of
from trace_parity.blame.log_values import Array, LogView
from trace_parity.blame.shape import CONTRAST, EXPLAINS, FLOAT32, FLOAT32_STEPS, never_updated, shape, single_arithmetic
from trace_parity.pair.dependencies import downstream, inputs
from trace_parity.pair.vocabulary import ABSENT, Key

OTHER = 1.0137
"""A factor that no mistake has."""
PLACES = 3
"""Broken places that a hypothesis must explain: the first, the last and the worst."""
SINGLE = 1e-5
"""Inputs in float32 miss by less than this, relatively. With a constant read off the log they would fit more."""
MUCH = 10
"""A form that misses by so many times more is not the one meant, if only a shape speaks for it."""


@dataclass(frozen=True)
class Suspect:
    """A broken equation on one side, as the hypotheses want it."""

    equation: Equation
    found: Evaluated
    view: LogView
    domain: Domain
    broken: tuple[Outcome, ...]


Guess = Callable[[Outcome], Array | None]
Hypothesis = tuple[Hint, Guess]


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
                if _explains_all(hint, places, [guess(outcome) for outcome in places]):
                    return hint
        most = MUCH * max(o.residual for o in tried[0][1])
        for one, places in (pair for pair in tried if max(o.residual for o in pair[1]) <= most):
            if hint_of_shape := never_updated(one.broken) or shape(places):
                return hint_of_shape
        return single_arithmetic(tried[0][1], suspect.view.digits)


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
            yield replace(suspect, broken=broken)


def _places(broken: tuple[Outcome, ...]) -> list[Outcome]:
    """Those worth looking at; empty unless all of them exceed the rounding."""
    worst = max(broken, key=lambda o: o.residual)
    chosen = {o.key: o for o in (broken[0], broken[-1], worst)}
    places = list(chosen.values())[:PLACES]
    clear = [o for o in places if np.isfinite(o.residual) and o.residual > CONTRAST * o.permitted]
    return clear if len(clear) == len(places) else []


def _explains_all(hint: Hint, places: list[Outcome], guesses: list[Array | None]) -> bool:
    """Every place; a loop off by one has no value to offer where it begins or ends, and one must be left."""
    offered = [pair for pair in zip(places, guesses, strict=True) if pair[1] is not None or hint.kind != "tick"]
    return bool(offered) and all(_explains(outcome, guess) for outcome, guess in offered)


def _explains(outcome: Outcome, guess: Array | None) -> bool:
    if guess is None:
        return False
    left = np.abs(outcome.got - np.broadcast_to(guess, outcome.got.shape))[~np.isnan(outcome.expected)]
    if not np.isfinite(left).all():
        return False
    size = float(np.max(np.abs(outcome.got[~np.isnan(outcome.expected)]), initial=0)) or outcome.scale
    own = np.nan_to_num(outcome.allowed, nan=0.0, posinf=0.0)[~np.isnan(outcome.expected)] * size / outcome.scale
    blunt = np.minimum(4 * own, size / CONTRAST)
    return bool((left <= np.maximum(blunt, EXPLAINS * min(outcome.residual * outcome.scale, size))).all())


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
    variants = suspect.equation.variants
    forms = variants(suspect.view) if callable(variants) else variants
    for form in forms:
        yield Hint("variant", form.name), partial(_row, suspect, form)
    yield Hint("zero", "zero, which it is not: never set"), lambda o: np.zeros_like(o.expected)
    for hint, change in signs():  # before copies: another axis is easily the opposite of this one
        yield hint, partial(_of_expected, change)
    yield from _copies(suspect)
    yield from _other_ticks(suspect)
    yield from _changed_output(suspect)
    yield from _changed_inputs(suspect)


def _row(suspect: Suspect, form: Form, outcome: Outcome) -> Array | None:
    n = suspect.found.row.get(outcome.key)
    if n is None:
        return None
    shape = (len(suspect.found.row), len(outcome.got))
    value: Array = result_of(suspect.equation, form, suspect.found.values, shape)[n]
    return value


def _other_ticks(suspect: Suspect) -> Iterator[Hypothesis]:
    """The value that another tick of some loop should have (or has): a stale variable, or a loop off by one."""
    loops = suspect.view.vocabulary.loops
    outcomes = suspect.found.outcomes

    def at(o: Outcome, key: Key | None) -> Array | None:
        other = outcomes.get(key) if key is not None else None
        return None if other is None or key is None or _is_made_from(suspect, key, o.key) else other.expected

    def moved(place: int, step: int, ticks: list[int], o: Outcome) -> Array | None:
        return at(o, _moved(o.key, place, step, ticks))

    def stale(place: int, tick: int, o: Outcome) -> Array | None:
        return at(o, same_but(o.key, place, tick)) if o.key[place] not in (tick, ABSENT) else None

    for place in reversed(range(len(loops))):
        ticks = sorted({key[place] for key in outcomes if key[place] != ABSENT})
        if len(ticks) < 2:
            continue
        for step, word in ((-1, "previous"), (1, "next")):
            text = f"the value of the {word} {loops[place]}: off by one tick"
            yield Hint("tick", text), partial(moved, place, step, ticks)
        for tick in _nearby(ticks):
            text = f"the value of {loops[place]}={tick}: stale"
            yield Hint("stale", text), partial(stale, place, tick)


def _is_made_from(suspect: Suspect, key: Key, source: Key) -> bool:
    """Whether the output at `key` is made from that at `source`, so that the two being equal says nothing."""
    n = suspect.found.row.get(key)
    place = (suspect.equation.output, source)
    return n is not None and any(sources[n] == place for sources in suspect.found.sources.values())


def _nearby(ticks: list[int]) -> list[int]:
    """The ticks worth trying: all of a short loop, both ends of a long one."""
    return ticks if len(ticks) <= 16 else [*ticks[-8:], *ticks[:8]]


def _moved(key: Key, place: int, step: int, ticks: list[int]) -> Key | None:
    return same_but(key, place, key[place] + step) if key[place] + step in ticks else None


def _copies(suspect: Suspect) -> Iterator[Hypothesis]:
    """The value is that of another variable of the same size and unit, which is not computed from this one."""
    view, own = suspect.view, suspect.view.variables[suspect.equation.output]
    later = downstream(inputs(view.vocabulary), [own.id])
    if own.tolerance.rtol == own.tolerance.floor == 0.0:
        return

    def value(variable: str, o: Outcome) -> Array | None:
        place = view.find(variable, o.key)
        return view.at(*place) if place is not None else None

    for variable in view.variables.values():
        if (
            variable.id != own.id
            and variable.id not in later
            and variable.size == own.size
            and variable.unit == own.unit
        ):
            at_run = variable.scope.loops == () and own.scope.loops != ()
            text = f"the value of {variable.name}" + (" of the run" if at_run else "")
            yield Hint("copy", text), partial(value, variable.id)


def _of_expected(change: Change, outcome: Outcome) -> Array | None:
    return change(outcome.expected)


def _changed_output(suspect: Suspect) -> Iterator[Hypothesis]:
    def changed(change: Change) -> Guess:
        return partial(_of_expected, change)

    variable = suspect.view.variables.get(suspect.equation.output)
    unit, size = (variable.unit, variable.size) if variable is not None else ("", 1)
    for factor, smell in smells(suspect.domain, unit):
        for power in (factor, 1 / factor):
            word = f"too large by a factor of {power:.6g}" if power > 1 else f"too small by a factor of {1 / power:.6g}"
            yield (
                Hint("scale", f"{word}: {smell}", units(smell, power == factor, unit)),
                changed(partial(np.multiply, power)),
            )
    for hint, change in rearranged():
        yield hint, changed(change)
    for step, word in ((1, "one-based where zero-based is meant"), (-1, "zero-based where one-based is meant")):
        text = f"one too {'many' if step > 0 else 'few'}: {word}"
        yield Hint("index", text), changed(partial(one_based, step, None))
        for component in range(3 if size == 3 else 0):
            yield Hint("index", f"component {'xyz'[component]} {text}"), changed(partial(one_based, step, component))
    for component in range(3 if size == 3 else 0):
        for factor, smell in smells(suspect.domain, unit):
            for power, word in ((factor, f"{factor:.6g}"), (1 / factor, f"1/{factor:.6g}")):
                text = f"component {'xyz'[component]} times {word}: {smell}"
                yield Hint("scale", text), changed(partial(scaled, component, power))
    for label, values in suspect.found.values.items():
        sources = suspect.found.sources.get(label, [])
        if values.shape[1:] == (3,) and all(p is not None and p[0] != suspect.equation.output for p in sources):
            yield (
                Hint("unnormalised", f"not normalised: of the length of {label}"),
                partial(_unnormalised, suspect, label),
            )
    yield from _factors(suspect)
    if size == 1:
        for word, power in (("its square", 2.0), ("its square root", 0.5), ("its inverse", -1.0), ("its cube", 3.0)):
            yield Hint("power", f"{word}, not itself"), changed(partial(_power, power))


def _power(exponent: float, value: Array) -> Array | None:
    return None if value[0] <= 0 or value[0] == 1 else value**exponent


FEW = 4
"""A whole number up to this is a factor of much."""


def _factors(suspect: Suspect) -> Iterator[Hypothesis]:
    """A number of the log that is multiplied in, or left out: a normalisation, mostly."""
    view, own = suspect.view, suspect.equation.output
    later = downstream(inputs(view.vocabulary), [own])

    def value(variable: str, o: Outcome) -> np.longdouble | None:
        place = view.find(variable, o.key)
        found = view.at(*place) if place is not None else None
        if found is None or found[0] in (0, 1) or (variable not in fed and found[0] in range(FEW + 1)):
            return None
        number: np.longdouble = found[0]
        return number

    def times(variable: str, o: Outcome) -> Array | None:
        factor = value(variable, o)
        return None if factor is None else o.expected * factor

    def over(variable: str, o: Outcome) -> Array | None:
        factor = value(variable, o)
        return None if factor is None else o.expected / factor

    fed = {place[0] for sources in suspect.found.sources.values() for place in sources if place is not None}
    for variable in view.variables.values():
        shown = value(variable.id, suspect.broken[0]) if variable.size == 1 else None
        if shown is None or variable.id == own or variable.id in later:
            continue
        name, number = variable.name, f"{float(shown):.6g}"
        text = f"off by the factor {name} ({number}): not divided by it, or multiplied by it once too often"
        yield Hint("scale", text), partial(times, variable.id)
        text = f"off by the factor 1/{name} (1/{number}): not multiplied by it, or divided by it once too often"
        yield Hint("scale", text), partial(over, variable.id)


def _unnormalised(suspect: Suspect, label: str, outcome: Outcome) -> Array | None:
    """The right direction with the length of an input."""
    n = suspect.found.row.get(outcome.key)
    if n is None or len(outcome.expected) != 3:
        return None
    value: Array = outcome.expected / length(outcome.expected) * length(suspect.found.values[label][n])
    return value


def _changed_inputs(suspect: Suspect) -> Iterator[Hypothesis]:
    """The equation's result with one input changed."""
    forms, values = suspect.found.form, suspect.found.values

    def result(outcome: Outcome, label: str, changed: Array | None) -> Array | None:
        n = suspect.found.row.get(outcome.key)
        if n is None or changed is None or np.array_equal(changed, values[label][n], equal_nan=True):
            return None
        if reads_itself:  # constants are read off the whole log, of which one place alone would say itself
            whole = values[label].copy()
            whole[n] = changed
            value: Array = forms[outcome.key].function({**values, label: whole})[n]
        else:
            one = {name: array[n : n + 1] for name, array in values.items()}
            value = forms[outcome.key].function({**one, label: changed[None]})[0]
        return value

    def row(outcome: Outcome, label: str) -> Array | None:
        n = suspect.found.row.get(outcome.key)
        return None if n is None else values[label][n]

    def changing(label: str, change: Change) -> Guess:
        def guess(o: Outcome) -> Array | None:
            value = row(o, label)
            return None if value is None else result(o, label, change(value))

        return guess

    labels = [label for label in values if label not in ("loops", "one")]
    reads_itself = any(_is_made_from(suspect, o.key, o.key) for o in suspect.broken)

    def in_single(o: Outcome) -> Array | None:
        n = suspect.found.row.get(o.key)
        if n is None or o.residual > SINGLE:
            return None
        one = {name: single(v[n : n + 1]) if name in labels else v[n : n + 1] for name, v in values.items()}
        value: Array = forms[o.key].function(one)[0]
        return value

    def fits_anyhow(label: str) -> bool:
        """Whether the equation gives what the log has with any other value: it reads a constant off the log then."""
        o = suspect.broken[0]
        value = row(o, label) if reads_itself else None
        return value is not None and _explains(o, result(o, label, value * OTHER))

    for label in labels:
        if fits_anyhow(label):
            continue
        for hint, change in changes(suspect.domain, label):
            yield hint, changing(label, change)
        yield from _stale_inputs(suspect, label, result)
    if len(labels) > 1:
        yield Hint("float32", "fits with all inputs in float32: stored in single precision"), in_single


def _stale_inputs(
    suspect: Suspect, label: str, result: Callable[[Outcome, str, Array | None], Array | None]
) -> Iterator[Hypothesis]:
    view, loops = suspect.view, suspect.view.vocabulary.loops
    ref = next((i.ref for i in suspect.equation.inputs if i.label == label), label)

    def of_tick(place: int, tick: int, o: Outcome) -> Array | None:
        if o.key[place] in (ABSENT, tick) or tick < 0:
            return None
        at = view.find(ref, same_but(o.key, place, tick))
        return result(o, label, view.at(*at) if at is not None else None)

    def moved(place: int, step: int, o: Outcome) -> Array | None:
        return of_tick(place, o.key[place] + step, o)

    for place in reversed(range(len(loops))):
        name = loops[place]
        for step, word in ((-1, "previous"), (1, "next")):
            hint = Hint("tick", f"fits with {label} of the {word} {name}: off by one tick")
            yield hint, partial(moved, place, step)
        ticks = sorted({o.key[place] for o in suspect.found.outcomes.values() if o.key[place] != ABSENT})
        for tick in _nearby(ticks):
            hint = Hint("stale", f"fits with {label} of {name}={tick}: stale")
            yield hint, partial(of_tick, place, tick)
