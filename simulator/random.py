"""The original's random numbers, to the bit: one table, streams that share it, single-precision results.

Park–Miller minimal standard behind a Bays–Durham shuffle (Press et al., Numerical Recipes, "ran1"; Park & Miller,
Comm. ACM 31 (1988) 1192). Plain Python and NumPy: it runs once per domain or noise pixel. Source: model section 9.
"""

from __future__ import annotations

import math

import numpy as np

_MULTIPLIER, _MODULUS, _QUOTIENT, _REST = 16807, 2147483647, 127773, 2836
_TABLE = 32
_DIVIDER = 1 + (_MODULUS - 1) // _TABLE
_SCALE = 1.0 / _MODULUS
_LARGEST = 1.0 - 1.2e-7


class Generator:
    """The table that all streams of one program run share."""

    def __init__(self) -> None:
        self.table = [0] * _TABLE
        self.last = 0


class Stream:
    """One seed running through a shared generator. A seed of 0 or less reloads the table at the first draw."""

    def __init__(self, generator: Generator, seed: int) -> None:
        self.generator = generator
        self.state = seed

    def draw(self) -> np.float32:
        """The next uniform deviate, above 0 and below 1."""
        shared = self.generator
        if self.state <= 0 or shared.last == 0:
            self.state = max(abs(self.state), 1)
            for slot in range(_TABLE + 7, -1, -1):
                self._advance()
                if slot < _TABLE:
                    shared.table[slot] = self.state
            shared.last = shared.table[0]
        self._advance()
        slot = shared.last // _DIVIDER
        shared.last = shared.table[slot]
        shared.table[slot] = self.state
        value = np.float32(_SCALE * shared.last)
        return value if value <= _LARGEST else np.float32(_LARGEST)

    def _advance(self) -> None:
        quotient = self.state // _QUOTIENT
        self.state = _MULTIPLIER * (self.state - quotient * _QUOTIENT) - _REST * quotient
        if self.state < 0:
            self.state += _MODULUS


def powf(base: np.float32, exponent: np.float32) -> np.float32:
    """Single-precision power, rounded once from the double one, as a correctly rounded library has it."""
    return np.float32(math.pow(float(base), float(exponent)))


def axis_and_angle_factor(stream: Stream) -> tuple[tuple[float, float, float], np.float32]:
    """A random rotation axis, and the factor that makes an angle of a spread; three draws."""
    r1, r2, r3 = (2.0 * float(stream.draw()) - 1.0 for _ in range(3))
    across = math.sqrt(1.0 - r2 * r2)
    axis = (across * math.sin(math.pi * r1), across * math.cos(math.pi * r1), r2)
    return axis, powf(np.float32(1.0 - r3 * r3), np.float32(1.0 / 3.0))


def spread_angle(spread_rad: float, factor: np.float32) -> float:
    """The rotation angle of a domain: a product of single-precision numbers."""
    return float(np.float32(spread_rad) * factor)
