"""Mistakes that any value can have, whatever its equation: a unit, a sign, swapped axes, off by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product

import numpy as np

from trace_parity.blame.equation import Domain
from trace_parity.blame.log_values import Array

Change = Callable[[Array], Array | None]


@dataclass(frozen=True)
class Hint:
    """`kind` is for machines: scale, sign, axes, transposed, stale, copy, tick, constant, offset, index, float32,
    turned, length, unnormalised, power, zero, variant, slip or input. `if_printed`: its words for a wrong print."""

    kind: str
    text: str
    if_printed: str = ""


def units(smell: str, is_larger: bool, unit: str) -> str:
    """`Å for m or m for Å` as a fault of the print: a number times the factor is in Å, and was meant in m.

    Of a number per metre the larger one is that per metre. Empty where the variable's `unit` is another kind.
    """
    first, found, second = smell.partition(" or ")[0].partition(" for ")
    above, _, below = _SPELLED.sub(lambda m: _SPELLINGS[m[0]], unit).partition("/")
    if not found or (unit and not {first, second} & {above, below}):
        return ""
    per = "1/" if {first, second} & {below} else ""
    printed, used = (first, second) if is_larger != bool(per) else (second, first)
    return f"printed in {per}{printed}, used in {per}{used}"


def smells(domain: Domain, unit: str) -> list[tuple[float, str]]:
    """The unit factors by which a variable may be off, those of its own `unit` first, each factor once."""
    fitting = [pair for pair in domain.unit_factors if unit not in ("", "1") and units(pair[1], True, unit)]
    known = {factor for factor, _ in fitting}
    return [*fitting, *(pair for pair in domain.unit_factors if pair[0] not in known and pair[0] not in RARE)]


def other_units(domain: Domain, unit: str) -> Iterator[tuple[float, str]]:
    """What a number of a variable's `unit` is multiplied by to be in another unit of the domain, and that unit."""
    own = _SPELLED.sub(lambda m: _SPELLINGS[m[0]], unit)
    for factor, smell in domain.unit_factors:
        first, _, second = smell.partition(" or ")[0].partition(" for ")
        if second and own == first:
            yield 1 / factor, second
        elif second and own == second:
            yield factor, first


def single_in(factor: float, value: Array) -> Array:
    """In float32 while in another unit."""
    rounded: Array = single(value * factor) / factor
    return rounded


RARE = (10.0,)
"""Factors that have other common causes in a number without a unit."""
_SPELLINGS = {"m2": "m²", "m3": "m³", "Å2": "Å²", "Å3": "Å³", "deg": "degrees", "rad": "radians"}
_SPELLED = re.compile(r"\b(m2|m3|Å2|Å3|deg|rad)\b")


def _take(order: tuple[int, ...], signs: tuple[int, ...], value: Array) -> Array | None:
    return value[list(order)] * np.array(signs) if len(value) == len(order) else None


def _named(order: tuple[int, ...], signs: tuple[int, ...]) -> Hint | None:
    """A description of components in another order or with other signs; None if nothing changed."""
    flipped = ["xyz"[i] for i, sign in enumerate(signs) if sign < 0]
    if order == (0, 1, 2):
        if not flipped:
            return None
        if len(flipped) == 1:
            return Hint("sign", f"component {flipped[0]} has the wrong sign")
        return Hint("sign", f"components {' and '.join(flipped)} have the wrong sign") if len(flipped) == 2 else None
    kind = "cycled" if all(i != n for n, i in enumerate(order)) else "swapped"
    spelled = " ".join(f"{'-' if sign < 0 else ''}{'xyz'[i]}" for i, sign in zip(order, signs, strict=True))
    more = " and with the opposite sign" if flipped else ""
    return Hint("axes", f"components {kind}{more}: {spelled} for x y z")


def rearranged() -> Iterator[tuple[Hint, Change]]:
    """Axes swapped or cycled, single components with the wrong sign, a 3×3 matrix transposed."""
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            if (hint := _named(order, signs)) is not None:
                yield hint, partial(_take, order, signs)
    yield Hint("transposed", "the matrix is transposed"), partial(_take, (0, 3, 6, 1, 4, 7, 2, 5, 8), (1,) * 9)


def signs() -> Iterator[tuple[Hint, Change]]:
    """All or some components with the wrong sign."""
    yield Hint("sign", "the sign is wrong"), np.negative
    yield from ((hint, change) for hint, change in rearranged() if hint.kind == "sign")


def changes(domain: Domain, label: str, *, is_whole: bool = False) -> Iterator[tuple[Hint, Change]]:
    """What an input of that name may have been changed to; one of whole numbers to the next whole number."""
    yield Hint("input", f"fits without {label}"), lambda v: v * 0
    yield Hint("sign", f"fits with {label} of the opposite sign"), np.negative
    for factor, smell in smells(domain, ""):
        for power, word in ((factor, f"{factor:.6g}"), (1 / factor, f"1/{factor:.6g}")):
            yield Hint("scale", f"fits with {label} times {word}: {smell}"), partial(np.multiply, power)
    for step in (-1, 1) if is_whole else ():
        text = f"fits with {label} {'decreased' if step < 0 else 'increased'} by one"
        yield Hint("input", text), partial(_nudged, step)
    for word, power in (("the square root", 0.5), ("the square", 2.0), ("the inverse", -1.0)):
        yield Hint("power", f"fits with {word} of {label}"), partial(_power, power)
    for hint, change in rearranged():
        yield Hint(hint.kind, f"fits with {label} changed: {hint.text}"), change
    for component in range(3):
        for factor, smell in domain.unit_factors:
            if smell.startswith("degrees"):
                text = f"fits with component {'xyz'[component]} of {label} times"
                yield Hint("scale", f"{text} {factor:.6g}: {smell}"), partial(scaled, component, factor)
                yield Hint("scale", f"{text} 1/{factor:.6g}: {smell}"), partial(scaled, component, 1 / factor)
    yield Hint("float32", f"fits with {label} in float32: stored in single precision"), single


def scaled(component: int, factor: float, value: Array) -> Array | None:
    """One component of several in another unit."""
    if component >= len(value) or len(value) < 2:
        return None
    moved = value.copy()
    moved[component] *= factor
    return moved


def _power(exponent: float, value: Array) -> Array | None:
    """A power of one number, keeping its sign; None where it changes nothing."""
    if len(value) != 1 or abs(value[0]) in (0, 1):
        return None
    raised: Array = np.sign(value) * np.abs(value) ** exponent
    return raised


def _nudged(step: int, value: Array) -> Array | None:
    """Whole numbers, each off by one."""
    return value + step if (value == np.round(value)).all() else None


def length(v: Array) -> np.longdouble:
    """|v|."""
    value: np.longdouble = np.sqrt(np.sum(v * v))
    return value


def angle(a: Array, b: Array) -> np.longdouble:
    """The angle between two vectors, in radians."""
    value: np.longdouble = np.arctan2(length(np.cross(a, b)), np.sum(a * b))
    return value


def single(value: Array) -> Array:
    """In float32, as extended precision."""
    rounded: Array = value.astype(np.float32).astype(np.longdouble)
    return rounded


INDEX = 1e-3
"""Smaller magnitudes are not indices: adding 1 to them gives 1."""


def one_based(step: int, component: int | None, value: Array) -> Array | None:
    """Indices that are counted from one instead of zero, or the other way round: all components, or one of several."""
    if not (np.abs(value) > INDEX).any() and value.any():
        return None
    if component is None:
        return value + step
    if len(value) < 2 or component >= len(value):
        return None
    moved = value.copy()
    moved[component] += step
    return moved
