"""Central differences of a function of one number against its derivative, over a series of steps.

The error of (f(h) − f(−h))/2h falls as h² until the rounding of f, of size σ, leaves σ/h. A derivative that is wrong
leaves an error that does not fall. So the steps go down until rounding would be seen, and the order is fitted to the
last few above that: there nothing but h² is left, and a wrong derivative has the most weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# An error above this many times σ/h is taken for truncation, below for rounding.
ABOVE_ROUNDING = 20.0
AT_ROUNDING = 10.0
# The fit: this many steps, each half of the one before, so that the error falls to 1/64.
FITTED = 4
LARGEST, SMALLEST = 4, -24  # powers of 2 of the scale
START = -3
ORDER = 2.0
ORDER_MAY_DIFFER = 0.2


@dataclass(frozen=True)
class Series:
    """The result of checking a derivative with differences."""

    analytic: float
    difference: float
    """The central difference whose error should be the smallest."""
    error: float
    """Its distance from the analytic derivative."""
    order: float | None
    """The fitted power of the error in the step; None if there was only rounding."""
    verdict: str
    """`ok`, `exact` (the differences have no error but rounding), `none` (no dependence at all) or `wrong`."""
    steps: int


def noise(f: Callable[[float], float], scale: float) -> float:
    """σ, the rounding of f, from fourth differences of values so close that f's own are below it (1e-20 of it).

    Not closer: the rounding of neighbours is alike, and would be taken for less than it is.
    """
    values = np.array([f(scale * 1e-5 * (j + 1)) for j in range(9)])
    # The fourth difference of independent errors σ has variance 70 σ².
    spread = float(np.sqrt(np.mean(np.diff(values, 4) ** 2) / 70))
    return max(spread, 2**-53 * float(np.abs(values).max()))


def check(f: Callable[[float], float], slope: float, scale: float) -> Series:
    """Compare `slope` with central differences of f at 0; `scale` is a step over which f changes markedly."""
    sigma = noise(f, scale)
    measured: dict[int, tuple[float, float]] = {}

    def at(power: int) -> tuple[float, float]:
        """(central difference, its error) with the step scale·2^power."""
        if power not in measured:
            h = scale * 2.0**power
            difference = (f(h) - f(-h)) / (2 * h)
            measured[power] = difference, abs(difference - slope)
        return measured[power]

    def rounding(power: int) -> float:
        return sigma / (scale * 2.0**power)

    def series(power: int, order: float | None, verdict: str) -> Series:
        difference, error = at(power)
        return Series(slope, difference, error, order, verdict, len(measured))

    powers = [START - 2, START, 0]
    if all(at(p)[0] == 0.0 for p in powers) and slope == 0.0:
        return series(START, None, "none")
    if all(at(p)[1] <= AT_ROUNDING * rounding(p) for p in powers):
        return series(0, None, "exact")
    power = START
    while power > SMALLEST and at(power - 1)[1] > ABOVE_ROUNDING * rounding(power - 1):
        power -= 1
    while power < LARGEST - FITTED + 1 and at(power)[1] <= ABOVE_ROUNDING * rounding(power):
        power += 1
    fitted = range(power, power + FITTED)
    errors = [at(p)[1] for p in fitted]
    if min(errors) <= 0.0:
        return series(power, None, "wrong")
    order = float(np.polyfit(list(fitted), [math.log2(e) for e in errors], 1)[0])
    return series(power, order, "ok" if abs(order - ORDER) <= ORDER_MAY_DIFFER else "wrong")
