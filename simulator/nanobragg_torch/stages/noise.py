"""Photon-counting noise: one Poisson deviate per rendered pixel, to the bit of the original.

Single-precision arithmetic where the original has it; plain Python, since each draw depends on the one before.
Source: model section 9; Press et al., Numerical Recipes ("poidev", "gasdev", "gammln").
"""

from __future__ import annotations

import math

import numpy as np

from nanobragg_torch.stages.random import Stream, single

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


def log_gamma(x: float) -> float:
    """ln Γ(x) by the six-term Lanczos series, in double, rounded once to single."""
    shifted = x + 5.5
    shifted -= (x + 0.5) * math.log(shifted)
    series = 1.000000000190015
    for place, coefficient in enumerate(_LANCZOS, 1):
        series += coefficient / (x + place)
    return single(-shifted + math.log(2.5066282746310005 * series / x))


class Poisson:
    """Poisson deviates from one stream of uniform ones. All numbers in and out are single-precision ones."""

    def __init__(self, stream: Stream) -> None:
        self.draw = stream.draw
        self.spare: float | None = None

    def deviate(self, mean: float) -> float:
        """A count with this mean; for very large means a Gaussian deviate, which is not a whole number."""
        if mean < _PRODUCT_BELOW:
            return self._by_product(mean)
        if mean > _GAUSSIAN_ABOVE:
            return single(mean + math.sqrt(mean) * self.gaussian())
        return self._by_rejection(mean)

    def gaussian(self) -> float:
        """Polar Box–Muller: two deviates per successful try, the second kept for the next call."""
        if self.spare is not None:
            spare, self.spare = self.spare, None
            return spare
        while True:
            v1 = single(2.0 * self.draw() - 1.0)
            v2 = single(2.0 * self.draw() - 1.0)
            square = single(single(v1 * v1) + single(v2 * v2))
            if 0.0 < square < 1.0:
                break
        factor = single(math.sqrt(-2.0 * math.log(square) / square))
        self.spare = single(v1 * factor)
        return single(v2 * factor)

    def _by_product(self, mean: float) -> float:
        limit = single(math.exp(-mean))
        count = 0
        product = self.draw()
        while product > limit:
            count += 1
            product = single(product * self.draw())
        return float(count)

    def _by_rejection(self, mean: float) -> float:
        root = single(math.sqrt(2.0 * mean))
        log_mean = single(math.log(mean))
        peak = single(single(mean * log_mean) - log_gamma(single(mean + 1.0)))
        while True:
            count = -1.0
            while count < 0.0:
                y = single(math.tan(math.pi * self.draw()))
                count = single(single(root * y) + mean)
            count = float(math.floor(count))
            exponent = single(single(single(count * log_mean) - log_gamma(single(count + 1.0))) - peak)
            t = single(0.9 * (1.0 + single(y * y)) * math.exp(exponent))
            if not self.draw() > t:
                return count


def noise_image(
    image: np.ndarray, rendered: np.ndarray, stream: Stream, adc_offset: float
) -> tuple[np.ndarray, float, int]:
    """(pixels, photons, overloads) of a float32 image (slow, fast); `rendered` says which pixels draw, row by row.

    Pixels are unsigned 16-bit counts with the ADC offset; those that were not rendered are 0.
    """
    counts = np.zeros(image.shape, dtype=np.uint16)
    deviate = Poisson(stream).deviate
    photons, overloads = 0.0, 0
    drawn = []
    for mean in image[rendered].tolist():
        count = deviate(mean) if mean == mean else 0.0  # a NaN has no deviate, and would search forever
        photons += count
        value = count + adc_offset
        if value > _MOST_COUNTS:
            value = _MOST_COUNTS
            overloads += 1
        drawn.append(value if value > 0.0 else 0.0)
    counts[rendered] = np.array(drawn).astype(np.uint16)
    return counts, photons, overloads
