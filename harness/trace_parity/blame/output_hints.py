"""Hypotheses on an output: the value of another variable or iteration, a unit, an order, a factor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from trace_parity.blame.changes import Change, Hint, length, one_based, rearranged, scaled, smells, units
from trace_parity.blame.equation import Outcome, same_but
from trace_parity.blame.log_values import Array
from trace_parity.blame.shape import EXPLAINS
from trace_parity.blame.suspect import Guess, Hypothesis, Suspect, is_made_from, nearby
from trace_parity.pair.dependencies import downstream, inputs
from trace_parity.pair.vocabulary import ABSENT, Key


def other_iterations(suspect: Suspect) -> Iterator[Hypothesis]:
    """The value that another tick of some loop should have (or has): a stale variable, or a loop off by one."""
    loops = suspect.view.vocabulary.loops
    outcomes = suspect.found.outcomes

    def at(o: Outcome, key: Key | None) -> Array | None:
        other = outcomes.get(key) if key is not None else None
        if other is None or key is None or is_made_from(suspect, key, o.key):
            return None
        is_chance = _is_common(key, o.key, outcomes)
        return np.full_like(other.expected, np.nan) if is_chance else other.expected

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
        for tick in nearby(ticks):
            text = f"the value of {loops[place]}={tick}: stale"
            yield Hint("stale", text), partial(stale, place, tick)


def _is_common(key: Key, own: Key, outcomes: Mapping[Key, Outcome]) -> bool:
    """Whether half of the other iterations have the value of `key` as well, so that meeting it again is chance."""
    place = next((n for n, (a, b) in enumerate(zip(key, own, strict=True)) if a != b), 0)
    line = [o for k, o in outcomes.items() if k not in (key, own) and same_but(k, place, 0) == same_but(own, place, 0)]
    value = outcomes[key].expected
    same = sum(np.array_equal(o.expected, value, equal_nan=True) for o in line)
    return len(line) > 1 and 2 * same >= len(line)


def _moved(key: Key, place: int, step: int, ticks: list[int]) -> Key | None:
    return same_but(key, place, key[place] + step) if key[place] + step in ticks else None


def copies(suspect: Suspect) -> Iterator[Hypothesis]:
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


def of_expected(change: Change, outcome: Outcome) -> Array | None:
    """What the change makes of the right value."""
    return change(outcome.expected)


def in_another_unit(suspect: Suspect) -> Iterator[Hypothesis]:
    """The value in a unit of the same kind as that of its variable."""
    for power, smell, if_printed in _units_of(suspect):
        if if_printed:
            yield _scaled(power, smell, if_printed), partial(of_expected, partial(np.multiply, power))


def _units_of(suspect: Suspect) -> Iterator[tuple[float, str, str]]:
    """The unit factors and their inverses, what they smell of, and the words for a print in that unit."""
    variable = suspect.view.variables.get(suspect.equation.output)
    unit = variable.unit if variable is not None else ""
    for factor, smell in smells(suspect.domain, unit):
        for power in (factor, 1 / factor):
            yield power, smell, units(smell, power == factor, unit)


def _scaled(power: float, smell: str, if_printed: str) -> Hint:
    word = f"too large by a factor of {power:.6g}" if power > 1 else f"too small by a factor of {1 / power:.6g}"
    return Hint("scale", f"{word}: {smell}", if_printed)


def changed_output(suspect: Suspect) -> Iterator[Hypothesis]:
    """The right value changed: a unit of another kind, an order, an index, a factor, a power."""

    def changed(change: Change) -> Guess:
        return partial(of_expected, change)

    variable = suspect.view.variables.get(suspect.equation.output)
    unit, size = (variable.unit, variable.size) if variable is not None else ("", 1)
    for power, smell, if_printed in _units_of(suspect):
        if not if_printed:
            yield _scaled(power, smell, ""), changed(partial(np.multiply, power))
    for hint, change in rearranged():
        yield hint, changed(change)
    yield from _counted(suspect, size)
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


def _counted(suspect: Suspect, size: int | None) -> Iterator[Hypothesis]:
    """Whole numbers that are one too many or too few at all places: of an index it is the base, else a count."""
    broken, variable = suspect.broken, suspect.view.variables.get(suspect.equation.output)
    if len(broken) < len(suspect.found.outcomes) or not all(_is_whole(o.got, o.expected) for o in broken):
        return
    is_index = variable is not None and variable.integer and _varies(broken)
    for step, base in ((1, "one-based where zero-based is meant"), (-1, "zero-based where one-based is meant")):
        text = f"one too {'many' if step > 0 else 'few'}{': ' + base if is_index else ''}"
        for component in (None, *range(3 if size == 3 else 0)):
            change = partial(one_based, step, component)
            if all(_gives(o, change(o.expected)) for o in broken):
                where = "" if component is None else f"component {'xyz'[component]} "
                yield Hint("index", f"{where}{text}"), partial(of_expected, change)


def _gives(outcome: Outcome, guess: Array | None) -> bool:
    return guess is not None and bool((np.isnan(outcome.expected) | (guess == outcome.got)).all())


def _is_whole(*values: Array) -> bool:
    return all(bool((np.isnan(v) | (v == np.round(v))).all()) for v in values)


def _varies(broken: Sequence[Outcome]) -> bool:
    """Whether a value is of some iteration, and not one number everywhere, as a count is."""
    in_loops = all(any(index != ABSENT for index in o.key) for o in broken)
    return in_loops and (
        len(broken[0].expected) > 1
        or any(not np.array_equal(o.expected, broken[0].expected, equal_nan=True) for o in broken)
    )


def _power(exponent: float, value: Array) -> Array | None:
    return None if value[0] <= 0 or value[0] == 1 else value**exponent


ROUND_DIGITS = 2
"""A number of no more digits is a factor of much, and its power of ten says nothing."""


def _is_round(number: float) -> bool:
    return abs(float(f"{number:.{ROUND_DIGITS - 1}e}") - number) <= EXPLAINS * abs(number)


def _factors(suspect: Suspect) -> Iterator[Hypothesis]:
    """A number of the log that is multiplied in, or left out: a normalisation, mostly."""
    view, own = suspect.view, suspect.equation.output
    later = downstream(inputs(view.vocabulary), [own])

    def value(variable: str, o: Outcome) -> np.longdouble | None:
        place = view.find(variable, o.key)
        found = view.at(*place) if place is not None else None
        if found is None or found[0] in (0, 1) or (variable not in fed and _is_round(float(found[0]))):
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
