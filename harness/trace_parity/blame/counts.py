"""Numbers of iterations that are printed wrong: the log itself has as many iterations as the other log prints."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from trace_parity.blame.accused import Accused
from trace_parity.blame.equation import Equation, Outcome
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.iterations import size_of
from trace_parity.pair.vocabulary import Key


def miscounted(side: EvaluatedLog, other: EvaluatedLog, differing: Collection[tuple[str, Key]]) -> Iterator[Accused]:
    """Variables that the vocabulary calls the size of a loop, where `side` goes through it as often as `other` prints.

    A log of some iterations only tells nothing: the other one must have as many as it prints.
    """
    view = side.view
    for loop, name in view.vocabulary.loop_sizes.items():
        sizes = size_of(view, loop, other.view), size_of(other.view, loop, view)
        if not isinstance(name, str) or sizes[0] is None or sizes[0] != sizes[1]:
            continue
        size = np.array([sizes[0]], np.longdouble)
        for variable in (v.id for v in view.vocabulary.named(name)):
            keys = [key for key in view.keys(variable) if (variable, key) in differing]
            rows = [(key, view.at(variable, key), other.view.at(variable, key)) for key in keys]
            wrong = [
                Outcome(key, own, size, np.zeros(1), frozenset())
                for key, own, theirs in rows
                if own is not None and theirs is not None and own.shape == (1,) and theirs == size != own
            ]
            if wrong:
                made = Equation(f"size of {loop}", f"{name} = the number of iterations of {loop}", "", variable)
                yield Accused(variable, made, tuple(wrong), is_output=False, manner="probe")
