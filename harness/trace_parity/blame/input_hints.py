"""Hypotheses on the inputs of an equation: what it gives with one of them changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations

import numpy as np

from trace_parity.blame.changes import Change, Hint, changes, other_units, single, single_in
from trace_parity.blame.equation import Outcome, same_but
from trace_parity.blame.log_values import Array
from trace_parity.blame.suspect import Hypothesis, Suspect, explains, is_made_from, nearby
from trace_parity.pair.vocabulary import ABSENT

OTHER = 1.0137
"""A factor that no mistake has."""
MOST_MIXED = 5
"""Inputs of which every selection is tried."""
SINGLE = 1e-5
"""Inputs in float32 miss by less than this, relatively. With a constant read off the log they would fit more."""


class Changed:
    """What the equation of a suspect gives with one of its inputs replaced."""

    def __init__(self, suspect: Suspect) -> None:
        self.suspect, self.values = suspect, suspect.found.values
        self._twins: dict[str, list[str]] = {}
        self.labels = self._once([label for label in self.values if label not in ("loops", "one")])
        self._reads_itself = any(is_made_from(suspect, o.key, o.key) for o in suspect.broken)

    def _once(self, labels: list[str]) -> list[str]:
        """Labels of different values: a value may be an input twice, for its roundings, and changes in both."""
        sources = self.suspect.found.sources
        firsts: list[str] = []
        for label in labels:
            first = next((f for f in firsts if label in sources and sources.get(f) == sources[label]), None)
            if first is None:
                firsts.append(label)
            self._twins.setdefault(first or label, []).append(label)
        return firsts

    def row(self, outcome: Outcome, label: str) -> Array | None:
        """The input as the log has it."""
        n = self.suspect.found.row.get(outcome.key)
        return None if n is None else self.values[label][n]

    def result(self, outcome: Outcome, label: str, changed: Array | None) -> Array | None:
        """The output with that input; None for one that is as it was."""
        n, forms = self.suspect.found.row.get(outcome.key), self.suspect.found.form
        if n is None or changed is None or np.array_equal(changed, self.values[label][n], equal_nan=True):
            return None
        if self._reads_itself:  # constants are read off the whole log, of which one place alone would say itself
            whole = self.values[label].copy()
            whole[n] = changed
            put_in = dict.fromkeys(self._twins[label], whole)
            value: Array = forms[outcome.key].function({**self.values, **put_in})[n]
        else:
            one = {name: array[n : n + 1] for name, array in self.values.items()}
            value = forms[outcome.key].function({**one, **dict.fromkeys(self._twins[label], changed[None])})[0]
        return value

    def fits_anyhow(self, label: str) -> bool:
        """Whether the equation gives what the log has with any other value: it reads a constant off the log then."""
        o = self.suspect.broken[0]
        value = self.row(o, label) if self._reads_itself else None
        return value is not None and explains(o, self.result(o, label, value * OTHER))

    def in_single(self, labels: Sequence[str], outcome: Outcome) -> Array | None:
        """The output with some inputs in float32."""
        n = self.suspect.found.row.get(outcome.key)
        if n is None or outcome.residual > SINGLE:
            return None
        every = {name for label in labels for name in self._twins[label]}
        cut = {name: v[n : n + 1] for name, v in self.values.items()}
        one = {name: single(v) if name in every else v for name, v in cut.items()}
        value: Array = self.suspect.found.form[outcome.key].function(one)[0]
        return value


def changed_inputs(suspect: Suspect) -> Iterator[Hypothesis]:
    """The equation's result with one input changed."""
    inputs = Changed(suspect)

    def changing(label: str, change: Change, o: Outcome) -> Array | None:
        value = inputs.row(o, label)
        return None if value is None else inputs.result(o, label, change(value))

    for label in inputs.labels:
        if inputs.fits_anyhow(label):
            continue
        for hint, change in changes(suspect.domain, label, is_whole=_is_whole(suspect, label)):
            yield hint, partial(changing, label, change)
        for factor, unit in other_units(suspect.domain, _unit(suspect, label)):
            text = f"fits with {label} in {unit} in float32: stored in single precision"
            yield Hint("float32", text), partial(changing, label, partial(single_in, factor))
        yield from _stale_inputs(suspect, label, inputs)
    for few in _several(inputs.labels):
        whole = len(few) == len(inputs.labels)
        named = "all inputs" if whole else f"{', '.join(few[:-1])} and {few[-1]}"
        text = f"fits with {named} in float32: stored in single precision"
        yield Hint("float32", text), partial(inputs.in_single, few)


def _several(labels: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Two inputs or more, the most first; of many inputs all of them alone."""
    sizes = range(len(labels), 1, -1) if len(labels) <= MOST_MIXED else range(len(labels), len(labels) - 1, -1)
    for size in sizes if len(labels) > 1 else ():
        yield from combinations(labels, size)


def _unit(suspect: Suspect, label: str) -> str:
    place = next((p for p in suspect.found.sources.get(label, ()) if p is not None), None)
    variable = suspect.view.variables.get(place[0]) if place is not None else None
    return variable.unit if variable is not None else ""


def _is_whole(suspect: Suspect, label: str) -> bool:
    """Whether an input is a variable of whole numbers."""
    place = next((p for p in suspect.found.sources.get(label, ()) if p is not None), None)
    variable = suspect.view.variables.get(place[0]) if place is not None else None
    return variable is not None and (variable.integer or variable.tolerance.rtol == variable.tolerance.floor == 0)


def _stale_inputs(suspect: Suspect, label: str, inputs: Changed) -> Iterator[Hypothesis]:
    view, loops = suspect.view, suspect.view.vocabulary.loops
    ref = next((i.ref for i in suspect.equation.inputs if i.label == label), label)

    def of_tick(place: int, tick: int, o: Outcome) -> Array | None:
        if o.key[place] in (ABSENT, tick) or tick < 0:
            return None
        at = view.find(ref, same_but(o.key, place, tick))
        return inputs.result(o, label, view.at(*at) if at is not None else None)

    def moved(place: int, step: int, o: Outcome) -> Array | None:
        return of_tick(place, o.key[place] + step, o)

    for place in reversed(range(len(loops))):
        name = loops[place]
        for step, word in ((-1, "previous"), (1, "next")):
            hint = Hint("tick", f"fits with {label} of the {word} {name}: off by one tick")
            yield hint, partial(moved, place, step)
        ticks = sorted({o.key[place] for o in suspect.found.outcomes.values() if o.key[place] != ABSENT})
        for tick in nearby(ticks):
            hint = Hint("stale", f"fits with {label} of {name}={tick}: stale")
            yield hint, partial(of_tick, place, tick)
