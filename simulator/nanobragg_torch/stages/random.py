"""The original's random numbers, to the bit: one table, streams that share it, single-precision results.

Park–Miller minimal standard behind a Bays–Durham shuffle (Press et al., Numerical Recipes, "ran1"; Park & Miller,
Comm. ACM 31 (1988) 1192). Plain Python: it runs once per domain or noise pixel. Source: model section 9.
"""

from __future__ import annotations

import math
import struct

_MULTIPLIER, _MODULUS = 16807, 2147483647
_TABLE = 32
_DIVIDER = 1 + (_MODULUS - 1) // _TABLE
_SCALE = 1.0 / _MODULUS
_LARGEST = 1.0 - 1.2e-7


_FLOAT = struct.Struct("f")
_pack, _unpack = _FLOAT.pack, _FLOAT.unpack


def single(x: float) -> float:
    """`x` rounded to single precision; too large a number becomes infinite.

    Sums, products and roots of single-precision numbers may be taken in double and rounded by this: the result is
    that of single-precision arithmetic.
    """
    try:
        rounded: float = _unpack(_pack(x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)
    return rounded


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

    def draw(self) -> float:
        """The next uniform deviate, above 0 and below 1: a single-precision number."""
        shared = self.generator
        state = self.state
        if state <= 0 or shared.last == 0:
            state = max(abs(state), 1)
            for slot in range(_TABLE + 7, -1, -1):
                state = state * _MULTIPLIER % _MODULUS
                if slot < _TABLE:
                    shared.table[slot] = state
            shared.last = shared.table[0]
        self.state = state = state * _MULTIPLIER % _MODULUS
        slot = shared.last // _DIVIDER
        shared.last = last = shared.table[slot]
        shared.table[slot] = state
        value = _SCALE * last
        return single(value if value < _LARGEST else _LARGEST)


def powf(base: float, exponent: float) -> float:
    """Single-precision power, rounded once from the double one, as a correctly rounded library has it."""
    return single(math.pow(base, exponent))


def axis_and_angle_factor(stream: Stream) -> tuple[tuple[float, float, float], float]:
    """A random rotation axis, and the factor that makes an angle of a spread; three draws."""
    r1, r2, r3 = (2.0 * stream.draw() - 1.0 for _ in range(3))
    across = math.sqrt(1.0 - r2 * r2)
    axis = (across * math.sin(math.pi * r1), across * math.cos(math.pi * r1), r2)
    return axis, powf(single(1.0 - r3 * r3), single(1.0 / 3.0))


def spread_angle(spread_rad: float, factor: float) -> float:
    """The rotation angle of a domain: a product of single-precision numbers."""
    return single(single(spread_rad) * factor)
