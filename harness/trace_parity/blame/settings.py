"""Settings in both logs that differ: a program's input, as far as its trace shows it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from trace_parity.blame.defaults import default_of, in_words, is_entered
from trace_parity.blame.iterations import due_to
from trace_parity.blame.iterations_of_the_other import unmoved
from trace_parity.blame.log_values import Array
from trace_parity.blame.unsettled import Sides
from trace_parity.pair.vocabulary import Key, Variable

MOST_NUMBERS = 3
"""Longer values are worked out from a setting."""


def settings_of(pair: Sides, inherited: Collection[str], accused: Collection[str]) -> tuple[str, ...]:
    """A line per setting in both logs that differs: numbers of iterations, then the others in order of evaluation.

    A setting is what the domain has a default of, or a value of the whole run that no equation makes. One that is
    `inherited` counts where it looks entered on both sides; one that a side is `accused` of does not count.
    """
    made = {e.output for e in pair.domain.equations}
    sure = [one for one in pair.uneven if one.is_sure]
    lines = [str(one) for one in sure]
    for variable in pair.vocabulary.variables:
        known = variable.id in pair.domain.defaults
        if variable.id in accused or due_to(variable.id, sure) is not None:
            continue
        if not (known or (not variable.scope.loops and variable.id not in made)):
            continue
        key, values = _first_that_differ(variable, pair)
        if values is None or (variable.id in inherited and not all(map(is_entered, values))):
            continue
        told = default_of(variable.id, key, pair.views, pair.domain, pair.argv)
        default = pair.domain.defaults.get(variable.id)
        if default is not None and default.first_of:
            told = told or unmoved(variable.id, *pair.views, pair.domain)
        if not told and (len(values[0]) > MOST_NUMBERS or (default is not None and default.first_of)):
            continue
        words = in_words(*values)
        lines.append(f"{variable.name}: C {words[0]}, PY {words[1]}" + (f" ({told})" if told else ""))
    return tuple(lines)


def _first_that_differ(variable: Variable, pair: Sides) -> tuple[Key, tuple[Array, Array] | None]:
    for key in pair.c.view.keys(variable.id):
        c, py = (s.view.at(variable.id, key) for s in pair.both)
        if c is None or py is None or c.shape != py.shape:
            continue
        if (np.abs(c - py) > variable.tolerance.rtol * np.maximum(np.abs(c), np.abs(py))).any():
            return key, (c, py)
    return (), None
