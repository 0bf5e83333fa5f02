"""Describe wrong numbers without a hypothesis: a factor, an offset, a rotation, a value that never changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trace_parity.blame.changes import Hint, angle, length
from trace_parity.blame.equation import Outcome
from trace_parity.blame.log_values import Array

EXPLAINS = 1e-6
"""Part of the residual that a hypothesis may leave unexplained: some 200 hypotheses are tried, each hits this by chance
once in a million."""
CONTRAST = 1000
"""A residual below this many times the rounding cannot distinguish hypotheses."""
FLOAT32 = 2.0**-24
FLOAT32_STEPS = 64
"""A stage done in float32 is off by up to this many of its roundings; more is not rounding."""


def never_updated(broken: Sequence[Outcome]) -> Hint | None:
    """One value at all broken places, where the right ones are several."""
    got, expected = ([getattr(o, name) for o in broken] for name in ("got", "expected"))
    if len(got) < 2 or any(not np.array_equal(got[0], g) for g in got[1:]):
        return None
    moves = max(float(length(e - expected[0])) for e in expected)
    allowed = max(float(length(np.nan_to_num(o.allowed))) for o in broken)
    if not moves > CONTRAST * allowed:
        return None
    return Hint("constant", f"the same at all {len(got)} places, but it should change: never updated")


def single_arithmetic(places: Sequence[Outcome], digits: int) -> Hint | None:
    """Off by a few roundings of float32, although the numbers themselves are not float32."""
    worst = max(o.residual for o in places)
    if FLOAT32 / 16 <= worst <= FLOAT32_STEPS * FLOAT32 and digits > 8:
        return Hint("float32", f"off by {worst / FLOAT32:.2g} roundings of float32: float32 arithmetic before this")
    return None


CLOSE = 0.1
"""A ratio that is nearer to 1 is also given as what it is off by."""


def shape(places: Sequence[Outcome]) -> Hint | None:
    """A description without a hypothesis: right length or direction, or one factor throughout."""
    if all(len(o.got) == 3 and not np.isnan(o.got).any() for o in places):
        lengths = [(length(o.got), length(o.expected)) for o in places]
        angles = [float(angle(o.got, o.expected)) for o in places]
        if all(abs(g / e - 1) < EXPLAINS * o.residual for (g, e), o in zip(lengths, places, strict=True) if e):
            degrees = max(angles) * 180 / np.pi
            return Hint("turned", f"of the right length, but turned by {degrees:.4g}°")
        if all(angle < max(1e-9, EXPLAINS * o.residual) for angle, o in zip(angles, places, strict=True)):
            ratio = float(lengths[0][0] / lengths[0][1])
            word = "times too long" if ratio > 1 else "times as long"
            apart = f" (1{ratio - 1:+.3g})" if abs(ratio - 1) < CLOSE else ""
            return Hint("length", f"in the right direction, but {ratio:.12g} {word}{apart}")
    ratios = np.concatenate([(o.got / o.expected)[(o.expected != 0) & ~np.isnan(o.got)] for o in places])
    blunt = 4 * max(o.permitted for o in places)
    if len(ratios) == 1 and (whole := _whole(ratios[0], blunt)):
        return Hint("scale", whole)
    if len(ratios) > 1 and (word := _one_factor(ratios, blunt)):
        return Hint("scale", f"{word} throughout")
    return _offset(places)


NEARLY = 1e-2
"""By how much of what they differ from 1 ratios may be apart, three or more, for there to be about one factor."""


def _one_factor(ratios: np.ndarray, blunt: float) -> str:
    """The factor that all ratios have, in as many digits as they share; empty where they share none."""
    middle, apart = float(np.median(ratios)), float(np.ptp(ratios))
    off = float(np.max(np.abs(ratios - 1)))
    is_exact = apart <= max(EXPLAINS * off, blunt)
    if not is_exact and not (len(ratios) > 2 and 0 < apart <= NEARLY * min(off, abs(middle))):
        return ""
    if middle <= 0:  # 0 where double precision has none so small
        return f"times {middle:.9g}"
    number = middle if middle > 1 else 1 / middle
    digits = 9 if is_exact else 1 + max(0, -int(np.floor(np.log10(apart / abs(middle)))))
    spelled = f"{number:.{digits}g}"
    return "" if spelled == "1" else f"too {'large' if middle > 1 else 'small'} by a factor of {spelled}"


LARGEST = 1e6
"""A whole ratio above this can as easily be chance."""


def _whole(ratio: np.longdouble, blunt: float) -> str:
    """A single ratio, where it or its inverse is a whole number: any other says no more than the residual."""
    for number, word in ((ratio, "too large"), (1 / ratio if ratio else ratio, "too small")):
        if 1.5 < number < LARGEST and abs(number / np.round(number) - 1) <= max(EXPLAINS, blunt):
            return f"{word} by a factor of {int(np.round(number))}"
    return ""


TYPED = 5
"""Significant digits of a number that somebody types."""
EXACT = 1e-9
"""Relatively: how close a number comes to the one that was typed."""


def as_typed(number: np.longdouble) -> np.longdouble:
    """The number of few digits that this one is; NaN where it is none. By chance one in some 50,000 numbers is."""
    if not np.isfinite(number) or not number:
        return np.longdouble(np.nan)
    typed = np.longdouble(f"{number:.{TYPED}g}")
    return typed if abs(number / typed - 1) <= EXACT else np.longdouble(np.nan)


def typed_factor(places: Sequence[Outcome]) -> Hint | None:
    """A single ratio of few digits."""
    if len(places) != 1 or len(places[0].got) != 1 or places[0].permitted > EXACT or not places[0].expected[0]:
        return None
    typed = as_typed(places[0].got[0] / places[0].expected[0])
    if typed == 1 or not 1 / LARGEST < abs(typed) < LARGEST:
        return None
    return Hint("scale", f"too large by a factor of {typed:g}" if typed > 1 else f"times {typed:g}")


def _offset(places: Sequence[Outcome]) -> Hint | None:
    """The same added to all of several numbers, or to one component at several places."""
    apart = np.concatenate([(o.got - o.expected)[~np.isnan(o.expected) & ~np.isnan(o.got)] for o in places])
    blunt = 4 * max(float(np.max(np.nan_to_num(o.allowed), initial=0)) for o in places)

    def is_one(numbers: np.ndarray) -> bool:
        return len(numbers) > 1 and bool(np.ptp(numbers) <= max(EXPLAINS * np.max(np.abs(numbers)), blunt))

    where, added = "", float(apart[0]) if len(apart) else 0.0
    if not is_one(apart):
        if len({o.got.shape for o in places}) != 1 or len(places[0].got) > len(AXES):
            return None
        rows = np.array([o.got - o.expected for o in places])
        off = [n for n in range(rows.shape[1]) if not (np.abs(rows[:, n]) <= blunt).all()]
        if len(off) != 1 or rows.shape[1] < 2 or not is_one(rows[:, off[0]]):
            return None
        where, added = f"component {AXES[off[0]]} ", float(rows[0, off[0]])
    return Hint(
        "offset", f"{where}{abs(added):.6g} too {'large' if added > 0 else 'small'} throughout: something is added"
    )


AXES = "xyz"
"""What components are called."""


def turn_between(before: Array, after: Array) -> float | None:
    """The angle in degrees of the rotation that takes the rows of one 3×3 matrix to those of another; None for none."""
    first, second = before.astype(float), after.astype(float)
    if not (np.isfinite(first).all() and np.isfinite(second).all()) or abs(np.linalg.det(first)) == 0:
        return None
    turn = np.linalg.solve(first, second)
    if not np.allclose(turn @ turn.T, np.eye(3), rtol=0, atol=EXPLAINS) or np.linalg.det(turn) < 0:
        return None
    axis = np.array([turn[1, 2] - turn[2, 1], turn[2, 0] - turn[0, 2], turn[0, 1] - turn[1, 0]])
    angle = float(np.degrees(np.arctan2(np.sqrt(np.sum(axis * axis)) / 2, (np.trace(turn) - 1) / 2)))
    return angle or None
