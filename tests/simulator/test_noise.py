"""Random numbers and noise: the generator's published check value, the shared table, the deviates' moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from nanobragg_torch.stages.noise import Poisson, log_gamma, noise_image
from nanobragg_torch.stages.random import Generator, Stream, axis_and_angle_factor, powf, single, spread_angle


def test_the_minimal_standard() -> None:
    """Park and Miller: from a seed of 1, the 10000th number of the bare generator is 1043618065."""
    stream = Stream(Generator(), -1)
    stream.draw()  # loads the table with 40 numbers and makes one
    for _ in range(10000 - 41):
        stream.draw()
    assert stream.state == 1043618065


def test_draws_are_single_precision_and_inside_the_unit_interval() -> None:
    stream = Stream(Generator(), -1)
    draws = [stream.draw() for _ in range(2000)]
    assert all(x == float(np.float32(x)) for x in draws)
    assert min(draws) > 0
    assert max(draws) < 1
    assert np.mean(draws) == pytest.approx(0.5, abs=0.03)


def test_seeds() -> None:
    def first(seed: int) -> float:
        return Stream(Generator(), seed).draw()

    assert first(5) == first(-5)  # the first call loads the table whatever the sign
    assert first(0) == first(1)
    assert first(5) != first(6)


def test_streams_share_one_table() -> None:
    generator = Generator()
    Stream(generator, -3).draw()
    shared = Stream(generator, 7).draw()  # a positive seed does not reload the table
    assert shared != (Stream(Generator(), 7).draw())
    assert (Stream(generator, -7).draw()) == (Stream(Generator(), -7).draw())


def test_powf_rounds_once() -> None:
    x = single(0.7)
    assert powf(x, single(1 / 3)) == float(np.float32(x ** float(np.float32(1 / 3))))


def test_single_is_numpys_rounding() -> None:
    for x in (0.1, -1 / 3, 1e-46, 3.5e38, 1e300, -1e300, 16777217.0):
        with np.errstate(over="ignore"):
            assert single(x) == float(np.float32(x))


def test_random_axes_are_unit_vectors() -> None:
    stream = Stream(Generator(), -12345678)
    for _ in range(20):
        axis, factor = axis_and_angle_factor(stream)
        assert math.hypot(*axis) == pytest.approx(1.0)
        assert 0 <= factor <= 1
        assert spread_angle(0.1, factor) == float(np.float32(0.1) * np.float32(factor))


@pytest.mark.parametrize("x", [1.0, 2.0, 10.5, 1000.0])
def test_log_gamma(x: float) -> None:
    assert float(log_gamma(x)) == pytest.approx(math.lgamma(x), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("mean", [0.0, 0.5, 5.0, 30.0, 1000.0, 2e6])
def test_moments(mean: float) -> None:
    poisson = Poisson(Stream(Generator(), -99))
    counts = np.array([float(poisson.deviate(mean)) for _ in range(3000)])
    assert counts.mean() == pytest.approx(mean, abs=5 * math.sqrt(mean / 3000))
    if mean > 0:
        assert counts.var() == pytest.approx(mean, rel=0.15)


def test_overloads_and_skipped_pixels() -> None:
    image = np.array([[1e5, 0.0, np.nan, 3.0]], dtype=np.float32)
    rendered = np.array([[True, True, True, False]])
    counts, photons, overloads = noise_image(image, rendered, Stream(Generator(), -1), 40.0)
    assert counts.tolist() == [[65535, 40, 40, 0]]
    assert overloads == 1
    assert photons == pytest.approx(1e5, rel=0.02)
