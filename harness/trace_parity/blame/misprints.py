"""The words for a value that is wrong in print only, or that nothing is computed from."""

from __future__ import annotations

import numpy as np

from trace_parity.blame.accused import Accused
from trace_parity.blame.changes import Hint, smells, units
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.findings import UNREAD
from trace_parity.blame.shape import EXPLAINS
from trace_parity.pair.dependencies import downstream, inputs

ONLY_PRINTED = "wrong in print only"


def in_words(accused: Accused, side: EvaluatedLog, hint: Hint | None, text: str) -> str:
    """`text`, which says what a wrong value looks like, with what it means that the print alone is wrong."""
    if accused.manner == "probe":
        unit = hint if hint is not None and hint.if_printed else _in_another_unit(accused, side)
        if unit is not None and unit.if_printed:
            return unit.if_printed
        copied = _copied(accused, side) if hint is None or hint.kind == "constant" else ""
        return _led(ONLY_PRINTED, copied or text or _times(accused))
    if accused.manner or not _is_unread(accused.variable, side):
        return text
    unit = _in_another_unit(accused, side)
    return _led(UNREAD, unit.text if unit is not None else text)


def _copied(accused: Accused, side: EvaluatedLog) -> str:
    """The variable of which it is the value at all places: also one that is computed from it, as its rounding is."""
    view = side.view
    own = view.variables[accused.variable]
    for variable in view.variables.values():
        if variable.size != own.size or variable.name == own.name or sum(len(o.got) for o in accused.outcomes) < 2:
            continue
        places = [view.find(variable.id, o.key) for o in accused.outcomes]
        values = [view.at(*place) for place in places if place is not None]
        pairs = zip(values, accused.outcomes, strict=False)
        if len(values) == len(places) and all(np.array_equal(np.asarray(v), o.got) for v, o in pairs):
            return f"the value of {variable.name}"
    return ""


def _times(accused: Accused) -> str:
    """By what a single number is off, which no hypothesis explains; empty for more numbers, or where it is 0."""
    numbers = [(o.got, o.expected) for o in accused.outcomes]
    if len(numbers) != 1 or len(numbers[0][0]) != 1 or not numbers[0][1][0]:
        return ""
    ratio = float(numbers[0][0][0] / numbers[0][1][0])
    return f"{ratio:.6g} times what it should be" if np.isfinite(ratio) else ""


def _led(words: str, text: str) -> str:
    return f"{words}: {text}" if text else words


def _is_unread(variable: str, side: EvaluatedLog) -> bool:
    """Whether nothing is made from a variable, as the vocabulary says, and it is not what a site ends in."""
    return variable not in side.finals and not downstream(inputs(side.view.vocabulary), [variable])


def _in_another_unit(accused: Accused, side: EvaluatedLog) -> Hint | None:
    """The unit of all printed numbers, where it is another one than that of the right ones."""
    unit = side.view.variables[accused.variable].unit
    for factor, smell in smells(side.domain, unit):
        for power in (factor, 1 / factor):
            words = units(smell, power == factor, unit)
            if words and all(_size(o.got - o.expected * power) <= EXPLAINS * _size(o.got) for o in accused.outcomes):
                word = (
                    f"too large by a factor of {power:.6g}"
                    if power > 1
                    else f"too small by a factor of {1 / power:.6g}"
                )
                return Hint("scale", f"{word}: {smell}", words)
    return None


def _size(value: np.ndarray) -> float:
    return float(np.sqrt(np.nansum(value * value)))
