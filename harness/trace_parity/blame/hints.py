"""What a wrong number looks like: a unit, a sign, swapped axes, a stale value, float32.

A hint is said when a hypothesis gives the number that stands in the log. For it not to be said by chance, it must
explain the residual to one part in a million (or to the rounding), at every place looked at, and the residual must
stand a thousandfold above the rounding in the first place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from trace_parity.blame.changes import Change, Hint, angle, changes, length, one_based, rearranged, units
from trace_parity.blame.equation import Domain, Equation, Evaluated, Outcome, same_but
from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.dependencies import downstream, inputs
from trace_parity.pair.vocabulary import ABSENT, Key

EXPLAINS = 1e-6
"""Part of the residual that a hypothesis may leave unexplained: some 200 hypotheses are tried, each hits this by chance
once in a million."""
CONTRAST = 1000
"""A residual below this many times the rounding is too blunt to tell one hypothesis from another."""
FLOAT32 = 2.0**-24
FLOAT32_STEPS = 64
"""A stage done in float32 is off by up to this many of its roundings; more is not rounding."""
PLACES = 3
"""Broken places that a hypothesis must explain: the first, the last and the worst."""


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
    places = _places(suspect.broken)
    if not places:
        return None
    if _is_float32(suspect, places):
        return Hint("float32", "these numbers are float32: a stage is done in single precision")
    for hint, guess in _hypotheses(suspect):
        with np.errstate(all="ignore"):
            if _explains_all(hint, places, [guess(outcome) for outcome in places]):
                return hint
    with np.errstate(all="ignore"):
        return _never_updated(suspect) or _shape(places) or _single_arithmetic(suspect, places)


def _single_arithmetic(suspect: Suspect, places: list[Outcome]) -> Hint | None:
    """Off by some roundings of float32, though the numbers themselves are not float32."""
    worst = max(o.residual for o in places)
    if FLOAT32 / 16 <= worst <= FLOAT32_STEPS * FLOAT32 and suspect.view.digits > 8:
        return Hint("float32", f"off by {worst / FLOAT32:.2g} roundings of float32: float32 arithmetic before this")
    return None


def _never_updated(suspect: Suspect) -> Hint | None:
    """One value at all broken places, where the right ones are several."""
    got, expected = ([getattr(o, name) for o in suspect.broken] for name in ("got", "expected"))
    if len(got) < 2 or any(not np.array_equal(got[0], g) for g in got[1:]):
        return None
    moves = max(float(length(e - expected[0])) for e in expected)
    allowed = max(float(length(np.nan_to_num(o.allowed))) for o in suspect.broken)
    if not moves > CONTRAST * allowed:
        return None
    return Hint("constant", f"the same at all {len(got)} places, where the right one changes: never updated")


def _places(broken: tuple[Outcome, ...]) -> list[Outcome]:
    """Those worth looking at; empty unless all of them stand out from the rounding."""
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
        yield Hint("variant", form.name), partial(_row, suspect, form.function)
    yield from _copies(suspect)
    yield from _other_ticks(suspect)
    yield from _changed_output(suspect)
    yield from _changed_inputs(suspect)


def _row(suspect: Suspect, function: Callable[..., Array], outcome: Outcome) -> Array | None:
    n = suspect.found.row.get(outcome.key)
    if n is None:
        return None
    value: Array = function(suspect.found.values)[n]
    return value


def _other_ticks(suspect: Suspect) -> Iterator[Hypothesis]:
    """The value that another tick of some loop should have (or has): a stale variable, or a loop off by one."""
    loops = suspect.view.vocabulary.loops
    outcomes = suspect.found.outcomes

    def at(key: Key | None) -> Array | None:
        other = outcomes.get(key) if key is not None else None
        return None if other is None else other.expected

    def moved(place: int, step: int, ticks: list[int], o: Outcome) -> Array | None:
        return at(_moved(o.key, place, step, ticks))

    def stale(place: int, tick: int, o: Outcome) -> Array | None:
        return at(same_but(o.key, place, tick)) if o.key[place] not in (tick, ABSENT) else None

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


def _nearby(ticks: list[int]) -> list[int]:
    """The ticks worth trying: all of a short loop, both ends of a long one."""
    return ticks if len(ticks) <= 16 else [*ticks[-8:], *ticks[:8]]


def _moved(key: Key, place: int, step: int, ticks: list[int]) -> Key | None:
    return same_but(key, place, key[place] + step) if key[place] + step in ticks else None


def _copies(suspect: Suspect) -> Iterator[Hypothesis]:
    """Another variable of the same size and unit stands there; not one that is itself made from this."""
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


def _changed_output(suspect: Suspect) -> Iterator[Hypothesis]:
    def changed(change: Change) -> Guess:
        return lambda o: change(o.expected)

    yield Hint("zero", "zero, which it is not: never set"), changed(np.zeros_like)
    yield Hint("sign", "the sign is wrong"), changed(np.negative)
    for factor, smell in suspect.domain.unit_factors:
        for power in (factor, 1 / factor):
            word = f"too large by a factor of {power:.6g}" if power > 1 else f"too small by a factor of {1 / power:.6g}"
            yield (
                Hint("scale", f"{word}: {smell}", units(smell, power == factor)),
                changed(partial(np.multiply, power)),
            )
    for hint, change in rearranged():
        yield hint, changed(change)
    for step, word in ((1, "one-based where zero-based is meant"), (-1, "zero-based where one-based is meant")):
        text = f"one too {'many' if step > 0 else 'few'}: {word}"
        yield Hint("index", text), changed(partial(one_based, step))
    for label, values in suspect.found.values.items():
        sources = suspect.found.sources.get(label, [])
        if values.shape[1:] == (3,) and all(p is not None and p[0] != suspect.equation.output for p in sources):
            yield Hint("length", f"not normalised: of the length of {label}"), partial(_unnormalised, suspect, label)


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
        one = {name: array[n : n + 1] for name, array in values.items()}
        value: Array = forms[outcome.key].function({**one, label: changed[None]})[0]
        return value

    def row(outcome: Outcome, label: str) -> Array | None:
        n = suspect.found.row.get(outcome.key)
        return None if n is None else values[label][n]

    def changing(label: str, change: Change) -> Guess:
        def guess(o: Outcome) -> Array | None:
            value = row(o, label)
            return None if value is None else result(o, label, change(value))

        return guess

    for label in suspect.found.values:
        if label in ("loops", "one"):
            continue
        for hint, change in changes(suspect.domain, label):
            yield hint, changing(label, change)
        yield from _stale_inputs(suspect, label, result)


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


def _shape(places: list[Outcome]) -> Hint | None:
    """What can be said without a hypothesis: right length or direction, or one factor throughout."""
    if all(len(o.got) == 3 and not np.isnan(o.got).any() for o in places):
        lengths = [(length(o.got), length(o.expected)) for o in places]
        angles = [float(angle(o.got, o.expected)) for o in places]
        if all(abs(g / e - 1) < EXPLAINS * o.residual for (g, e), o in zip(lengths, places, strict=True) if e):
            degrees = max(angles) * 180 / np.pi
            return Hint("turned", f"of the right length, but turned by {degrees:.4g}°")
        if all(angle < max(1e-9, EXPLAINS * o.residual) for angle, o in zip(angles, places, strict=True)):
            ratio = float(lengths[0][0] / lengths[0][1])
            more = ratio - 1
            return Hint("length", f"in the right direction, but {ratio:.12g} times too long (1{more:+.3g})")
    ratios = np.concatenate([(o.got / o.expected)[(o.expected != 0) & ~np.isnan(o.got)] for o in places])
    blunt = 4 * max(o.permitted for o in places)
    if len(ratios) > 1 and np.ptp(ratios) <= max(EXPLAINS * np.max(np.abs(ratios - 1)), blunt):
        ratio = float(ratios[0])
        word = f"too large by a factor of {ratio:.9g}" if ratio > 1 else f"too small by a factor of {1 / ratio:.9g}"
        return Hint("scale", f"{word if ratio > 0 else f'times {ratio:.9g}'} throughout")
    return None
