"""Compare a number that no equation computes with the other side's: a unit, a table, a rotation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trace_parity.blame.changes import angle, length, rearranged, single, smells
from trace_parity.blame.equation import Domain, Equation, Evaluated, Outcome
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.hints import hint_for
from trace_parity.blame.log_values import Array
from trace_parity.blame.shape import EXPLAINS, FLOAT32, turn_between
from trace_parity.blame.suspect import Suspect
from trace_parity.pair.vocabulary import Key, Variable
from trace_parity.trace.precision import significant_digits

AS_READ = 9
"""Digits of a number read from a table; an interpolated one has COMPUTED or more."""
COMPUTED = 12
NOISE = 1e-6
"""Numbers of one entry of a table that are apart by less, relatively, are one number."""
FEW_STEPS = 8
"""Roundings of float32 by which two values that no equation makes may be apart for float32 to be named."""


def nearest_or_interpolated(equation: Equation, c: EvaluatedLog, py: EvaluatedLog) -> str:
    """A note if one side takes the nearest table entry and the other interpolates; empty if both do the same."""
    kinds = {side.name: takes_nearest(equation, side) for side in (c, py)}
    if kinds["C"] is None or kinds["PY"] is None or kinds["C"] == kinds["PY"]:
        return ""
    name, other = ("C", "PY") if kinds["C"] else ("PY", "C")
    return f"{name} takes the nearest value of the table where {other} interpolates: a setting differs"


def takes_nearest(equation: Equation, side: EvaluatedLog) -> bool | None:
    """Whether a log shows one number per entry of the table, whatever the place between entries.

    If no entry is looked up twice, numbers of few digits count as table entries; None if not even
    these decide.
    """
    name = f"how {equation.id} is looked up"
    if name not in side.view.memo:
        side.view.memo[name] = _looked_up(equation, side)
    nearest: bool | None = side.view.memo[name][0]
    return nearest


def interpolates(equation: Equation, side: EvaluatedLog) -> bool:
    """Whether a log has several numbers for one entry of the table."""
    takes_nearest(equation, side)
    several: bool = side.view.memo[f"how {equation.id} is looked up"][1]
    return several


def _looked_up(equation: Equation, side: EvaluatedLog) -> tuple[bool | None, bool]:
    """The hints of takes_nearest and interpolates."""
    groups: dict[tuple[float, ...], set[float]] = {}
    met: dict[tuple[float, ...], set[tuple[float, ...]]] = {}
    between = side.view.vocabulary.named(equation.table.rpartition(".")[2])
    feeding = [name for variable in between for name in variable.depends_on]
    for key in side.view.keys(equation.output):
        place, value = side.view.find(equation.table, key), side.view.at(equation.output, key)
        words = side.view.at(*place) if place is not None else None
        if words is not None and value is not None:
            entry = tuple(float(w) for w in words)
            groups.setdefault(entry, set()).add(float(value[0]))
            exact = [side.view.at(*at) for name in feeding if (at := side.view.find(name, key)) is not None]
            met.setdefault(entry, set()).add(tuple(float(x) for v in exact if v is not None for x in v))
    if any(max(values) - min(values) > NOISE * max(map(abs, values)) for values in groups.values()):
        return False, True
    if any(len(places) > 1 for places in met.values()):
        return True, False
    digits = [digits_of(value) for values in groups.values() for value in values]
    if digits and max(digits) <= AS_READ:
        return True, False
    return (False if digits and min(digits) >= COMPUTED else None), False


def digits_of(value: float) -> int:
    """The significant digits of a number, as short as it can be written."""
    mantissa = repr(value).lstrip("-").partition("e")[0]
    return significant_digits(mantissa.replace(".", "").rstrip("0"))


def of_domain(variable: Variable, c: EvaluatedLog, py: EvaluatedLog) -> str:
    """What the pair itself has to say of how a variable differs; empty for nothing."""
    hint = c.domain.hints.get(variable.id)
    return hint(c.view, py.view) if hint is not None else ""


def between_sides(c: Array | None, py: Array | None, domain: Domain, unit: str = "") -> str:
    """For a number that no equation computes: how PY's relates to C's, or empty."""
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
    for factor, smell in smells(domain, unit):
        for power, word in ((factor, f"{factor:.6g}"), (1 / factor, f"1/{factor:.6g}")):
            if length(py - c * power) <= EXPLAINS * float(length(py)):
                return f"PY = {word} · C: {smell}"
    with np.errstate(over="ignore"):
        if (c.astype(np.float32) == py.astype(np.float32)).all() and (stored := _in_float32(c, py)):
            return stored
    for hint, change in rearranged():
        changed = change(c)
        if changed is not None and length(py - changed) <= close:
            return f"PY against C: {hint.text}"
    turn = turn_between(c.reshape(3, 3), py.reshape(3, 3)) if len(c) == 9 else None
    if turn is not None:
        return f"a matrix turned by {turn:.4g}° from one side to the other"
    if len(c) == 3 and abs(length(c) / length(py) - 1) <= EXPLAINS * angle(c, py):
        return f"of the same length on both sides, turned by {float(angle(c, py)) * 180 / np.pi:.4g}°"
    off = float(np.max(np.abs(py - c)) / max(length(c), length(py)))
    if FLOAT32 / 16 <= off <= FEW_STEPS * FLOAT32:
        return f"apart by {off / FLOAT32:.2g} roundings of float32: float32 arithmetic, or a constant of fewer digits"
    return ""


def _in_float32(c: Array, py: Array) -> str:
    """Which of two values is the other rounded to float32; empty if neither is."""
    rounded = single(c)
    close = 1e-3 * float(np.max(np.abs(py - c)))
    for name, value in (("C", c), ("PY", py)):
        if (np.abs(value - rounded) <= close).all():
            return f"equal in float32, and {name}'s is a float32: {name} stores it in single precision"
    return ""


def throughout(variable: Variable, keys: Sequence[Key], c: EvaluatedLog, py: EvaluatedLog) -> str:
    """How PY's values relate to C's at all places together: a factor, an offset, an index, another tick."""
    outcomes, wanted = {}, set(keys)
    for key in c.view.keys(variable.id):
        a, b = c.view.at(variable.id, key), py.view.at(variable.id, key)
        if a is None or b is None or a.shape != b.shape:
            if key in wanted:
                return ""
            continue
        spread = c.view.uncertainty(variable.id, a[None])[0] + py.view.uncertainty(variable.id, b[None])[0]
        outcomes[key] = Outcome(key, b, a, spread, frozenset())
    made = Equation(variable.id, "", "", variable.id)
    broken = tuple(o for o in outcomes.values() if o.key in wanted and (np.abs(o.got - o.expected) > o.allowed).any())
    hint = hint_for(Suspect(made, Evaluated(outcomes), py.view, py.domain, broken)) if broken else None
    return f"PY against C: {hint.text}" if hint is not None else ""
