"""Photon-counting noise: one Poisson deviate per rendered pixel, to the bit of the original.

Single-precision arithmetic where the original has it; plain Python, since each draw depends on the one before.
Source: model section 9; Press et al., Numerical Recipes ("poidev", "gasdev", "gammln").
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulator.random import Stream

_GAUSSIAN_ABOVE = 1e6
_PRODUCT_BELOW = 12.0
_LANCZOS = (
    76.18009172947146,
    -86.50532032941677,
    24.01409824083091,
    -1.231739572450155,
    0.001208650973866179,
    -0.000005395239384953,
)
_MOST_COUNTS = 65535.0
f32 = np.float32


def log_gamma(x: np.float32) -> np.float32:
    """ln Γ(x) by the six-term Lanczos series, in double, rounded once."""
    wide = float(x)
    shifted = wide + 5.5
    shifted -= (wide + 0.5) * math.log(shifted)
    series = 1.000000000190015
    for place, coefficient in enumerate(_LANCZOS, 1):
        series += coefficient / (wide + place)
    return f32(-shifted + math.log(2.5066282746310005 * series / wide))


class Poisson:
    """Poisson deviates from one stream of uniform ones."""

    def __init__(self, stream: Stream) -> None:
        self.draw: Callable[[], np.float32] = stream.draw
        self.spare: np.float32 | None = None

    def deviate(self, mean: np.float32) -> np.float32:
        """A count with this mean (for large means rounded nowhere)."""
        if mean > _GAUSSIAN_ABOVE:
            return f32(float(mean) + math.sqrt(float(mean)) * float(self.gaussian()))
        if mean < _PRODUCT_BELOW:
            return self._by_product(mean)
        return self._by_rejection(mean)

    def gaussian(self) -> np.float32:
        """Polar Box–Muller: two deviates per successful try, the second kept for the next call."""
        if self.spare is not None:
            spare, self.spare = self.spare, None
            return spare
        while True:
            v1 = f32(2.0 * float(self.draw()) - 1.0)
            v2 = f32(2.0 * float(self.draw()) - 1.0)
            square = f32(v1 * v1 + v2 * v2)
            if 0.0 < square < 1.0:
                break
        factor = f32(math.sqrt(-2.0 * math.log(float(square)) / float(square)))
        self.spare = f32(v1 * factor)
        return f32(v2 * factor)

    def _by_product(self, mean: np.float32) -> np.float32:
        limit = f32(math.exp(-float(mean)))
        count = 0
        product = self.draw()
        while product > limit:
            count += 1
            product = f32(product * self.draw())
        return f32(count)

    def _by_rejection(self, mean: np.float32) -> np.float32:
        root = f32(math.sqrt(2.0 * float(mean)))
        log_mean = f32(math.log(float(mean)))
        peak = f32(f32(mean * log_mean) - log_gamma(f32(float(mean) + 1.0)))
        while True:
            while True:
                y = f32(math.tan(math.pi * float(self.draw())))
                count = f32(f32(root * y) + mean)
                if count >= 0.0:
                    break
            count = f32(math.floor(float(count)))
            exponent = f32(f32(f32(count * log_mean) - log_gamma(f32(float(count) + 1.0))) - peak)
            t = f32(0.9 * (1.0 + float(f32(y * y))) * math.exp(float(exponent)))
            if not self.draw() > t:
                return count


def noise_image(
    image: np.ndarray, rendered: np.ndarray, stream: Stream, adc_offset: float
) -> tuple[np.ndarray, float, int]:
    """(pixels, photons, overloads) of a float32 image (slow, fast); `rendered` says which pixels draw, row by row.

    Pixels are unsigned 16-bit counts with the ADC offset; those that were not rendered are 0.
    """
    counts = np.zeros(image.shape, dtype=np.uint16)
    flat, out = image.reshape(-1), counts.reshape(-1)
    deviate = Poisson(stream).deviate
    photons, overloads = 0.0, 0
    with np.errstate(over="ignore"):  # the tangent of the rejection may leave single precision
        for index in np.flatnonzero(rendered.reshape(-1)).tolist():
            count = float(deviate(flat[index]))
            photons += count
            value = count + adc_offset
            if value > _MOST_COUNTS:
                value = _MOST_COUNTS
                overloads += 1
            out[index] = int(value) if value > 0 else 0
    return counts, photons, overloads
