"""What a number that no equation makes looks like beside the other side's: a default, a unit, another tick."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from trace_parity.blame.changes import angle, length
from trace_parity.blame.equation import Domain, Equation, same_but
from trace_parity.blame.evaluated_log import Side
from trace_parity.blame.hints import EXPLAINS
from trace_parity.blame.log_values import Array
from trace_parity.pair.vocabulary import ABSENT, Key
from trace_parity.trace.precision import significant_digits

AS_READ = 9
"""Digits of a number as it stands in a table; one that is interpolated has COMPUTED or more."""
COMPUTED = 12


def default_of(variable: str, c: Array | None, py: Array | None, domain: Domain) -> str:
    """Which side has the default of a setting where the other has another value; empty where neither has."""
    default = domain.defaults.get(variable)
    if default is None or c is None or py is None or c.shape != py.shape or len(c) != len(default.values):
        return ""
    at = [bool((np.abs(v - default.values) <= EXPLAINS * np.abs(default.values)).all()) for v in (c, py)]
    if at[0] == at[1]:
        return ""
    name, other, value = ("C", "PY", py) if at[0] else ("PY", "C", c)
    spelled = " ".join(f"{float(x):.6g}" for x in value)
    return f"{name} has the default, {other} a value that was set, {spelled}: {name} ignores {default.flag}"


def neighbour(variable: str, key: Key, c: Side, py: Side) -> str:
    """That PY has what C has at the tick before or after, of any loop; empty where it has not."""
    a, b = c.view.at(variable, key), py.view.at(variable, key)
    if a is None or b is None:
        return ""
    for place in reversed(range(len(key))):
        for step, word in ((-1, "previous"), (1, "next")):
            there = c.view.at(variable, same_but(key, place, key[place] + step)) if key[place] != ABSENT else None
            if there is None or there.shape != b.shape or np.array_equal(there, a):
                continue
            if length(b - there) <= EXPLAINS * length(b):
                return f"PY has C's value of the {word} {c.view.vocabulary.loops[place]}: off by one tick"
    return ""


def nearest_or_interpolated(equation: Equation, c: Side, py: Side) -> str:
    """That one side takes the nearest number of a table where the other interpolates; empty where both do alike."""
    kinds = {side.name: _takes_nearest(equation, side) for side in (c, py)}
    if kinds["C"] is None or kinds["PY"] is None or kinds["C"] == kinds["PY"]:
        return ""
    name, other = ("C", "PY") if kinds["C"] else ("PY", "C")
    return f"{name} takes the nearest value of the table where {other} interpolates: a setting differs"


def _takes_nearest(equation: Equation, side: Side) -> bool | None:
    """Whether a log shows one number per entry of the table, as it was read; None where it does not tell."""
    groups: dict[tuple[float, ...], set[float]] = {}
    for key in side.view.keys(equation.output):
        place, value = side.view.find(equation.table, key), side.view.at(equation.output, key)
        words = side.view.at(*place) if place is not None else None
        if words is not None and value is not None:
            groups.setdefault(tuple(float(w) for w in words), set()).add(float(value[0]))
    if any(len(values) > 1 for values in groups.values()):
        return False
    digits = [_digits(value) for values in groups.values() for value in values]
    if digits and max(digits) <= AS_READ:
        return True
    return False if digits and min(digits) >= COMPUTED else None


def _digits(value: float) -> int:
    mantissa = repr(value).lstrip("-").partition("e")[0]
    return significant_digits(mantissa.replace(".", "").rstrip("0"))


def between_sides(c: Array | None, py: Array | None, domain: Domain) -> str:
    """For a number that no equation makes: how PY's looks beside C's, or empty."""
    if (
        c is None
        or py is None
        or c.shape != py.shape
        or not (np.isfinite(c).all() and np.isfinite(py).all())
        or not np.any(c)
    ):
        return ""
    close = EXPLAINS * max(float(length(py)), float(length(c)))
    if length(py + c) <= close:
        return "PY = -C: the sign of one side is wrong"
    for factor, smell in domain.unit_factors:
        for power, word in ((factor, f"{factor:.6g}"), (1 / factor, f"1/{factor:.6g}")):
            if length(py - c * power) <= EXPLAINS * float(length(py)):
                return f"PY = {word} · C: {smell}"
    with np.errstate(over="ignore"):
        if (c.astype(np.float32) == py.astype(np.float32)).all():
            return "equal in float32: one side is done in single precision"
    if len(c) == 3:
        for order in list(permutations(range(3)))[1:]:
            if length(py - c[list(order)]) <= close:
                return f"PY has the components {' '.join('xyz'[i] for i in order)} of C: axes swapped or cycled"
    if len(c) == 3 and abs(length(c) / length(py) - 1) <= EXPLAINS * angle(c, py):
        return f"of the same length on both sides, turned by {float(angle(c, py)) * 180 / np.pi:.4g}°"
    if len(c) == 9 and length(py - c.reshape(3, 3).T.reshape(9)) <= close:
        return "PY is the transpose of C"
    return ""
