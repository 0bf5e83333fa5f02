"""How many samples of a quantity, over which range, in which steps: what was not given is filled in.

A range, step or count that was not given is None; the original reads a negative one as not given, so do we. The
rules differ from quantity to quantity and are the original's. Source: model section 3.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from nanobragg_torch.units import Number, deg, plain


class Sampling(NamedTuple):
    """`ticks` samples, `step` apart, over `range` (in the unit of the quantity)."""

    ticks: int
    range: Number
    step: Number


def _given(value: Number | None) -> Number | None:
    return None if value is None or plain(value) < 0 else value


def _step(value: Number | None) -> Number | None:
    """A step of 0 is as one that was not given."""
    return None if value is None or plain(value) <= 0 else value


def _intervals(range_: Number, step: Number) -> int:
    return math.ceil(plain(range_) / plain(step)) if plain(step) > 0 else 0


def sample_phi(count: int | None, range_rad: Number | None, step_rad: Number | None) -> Sampling:
    """The φ scan (radians). A count of 0 means 1; one tick without a range spans one degree per count."""
    range_, step = _given(range_rad), _step(step_rad)
    if count is None or count < 0:
        if range_ is None:
            return Sampling(1, 0.0, 0.0) if step is None else Sampling(2, step, step)
        if step is None:
            return Sampling(2, range_, range_ / 2)
        return Sampling(_intervals(range_, step), range_, step)  # quirk no-steps: none for a range of zero
    count = max(count, 1)
    if range_ is None:
        if step is not None:
            return Sampling(2, step, step)
        one_degree = deg(1.0)
        return Sampling(count, one_degree, one_degree / count)
    if step_rad is not None and plain(step_rad) == 0:  # with count and range, a step of 0 counts as given
        return Sampling(count, range_, 0.0)
    return Sampling(count, range_, range_ / count if step is None else step)


def sample_spread(count: int | None, range_: Number | None, step: Number | None) -> Sampling:
    """Divergence (radians, each direction alone) or dispersion (fraction)."""
    range_, step = _given(range_), _step(step)
    if count is None or count <= 0:
        if range_ is None:
            chosen = Sampling(1, 0.0, 0.0) if step is None else Sampling(2, step, step)
        elif step is None:
            chosen = Sampling(2, range_, range_)
        else:
            chosen = Sampling(_intervals(range_, step), range_, step)
    elif range_ is None:
        chosen = Sampling(count, 1.0, 1.0 / count) if step is None else Sampling(2, step, step)
    elif step is None:
        count = max(count, 2)
        chosen = Sampling(count, range_, range_ / (count - 1))
    else:
        chosen = Sampling(count, range_, step)
    return _single_if_empty(chosen)


def sample_thickness(count: int | None, thickness_m: Number) -> Sampling:
    """Detector layers: `range` is the sensor thickness (m), `step` the depth of one layer (m)."""
    if count is None or count <= 0:
        chosen = Sampling(2, thickness_m, thickness_m / 2)
    else:
        count = max(count, 2)
        chosen = Sampling(count, thickness_m, thickness_m / (count - 1))
    return _single_if_empty(chosen)


def mosaic_domain_count(count: int | None, spread_deg: Number | None) -> int:
    """How many mosaic domains: one without a spread, ten when only a spread is given.

    A spread of 0 is none, unless it is a tensor.
    """
    if spread_deg is None or plain(spread_deg) < 0 or (plain(spread_deg) == 0 and isinstance(spread_deg, float | int)):
        return 1
    return 10 if count is None or count <= 0 else count


def recommended_oversample(extent_m: float, wavelength_m: float, distance_m: float, pixel_m: float) -> int:
    """Sub-pixels per axis that resolve the spots of a crystal of that extent."""
    recommended = math.ceil(3.0 * extent_m / (wavelength_m * distance_m / pixel_m))
    return max(recommended, 1)


def pixel_count(count: int | None, size_m: float, pixel_m: float) -> tuple[int, float]:
    """(pixels, detector size in m) along one axis; a given count wins over the size."""
    if count is not None:
        size_m = pixel_m * count
    return math.ceil(size_m / pixel_m - 0.5), size_m


def _single_if_empty(chosen: Sampling) -> Sampling:
    if plain(chosen.range) <= 0 or plain(chosen.step) <= 0 or chosen.ticks <= 0:
        return Sampling(1, 0.0, 0.0)
    return chosen
