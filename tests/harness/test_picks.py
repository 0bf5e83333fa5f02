from __future__ import annotations

import numpy as np
import pytest
from trace_parity.compare.picks import Pick, parse_picks, pick_pixels
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import shipped

TOLERANCE = shipped().vocabulary.image


@pytest.fixture
def image() -> np.ndarray:
    """Lit in rows 2..9 and columns 3..12, as a region of interest leaves it."""
    c = np.zeros((12, 16), np.float32)
    c[2:10, 3:13] = np.random.default_rng(1).uniform(1, 2, (8, 10))
    c[5, 6] = 100.0
    c[7, 8] = 0.01
    return c


def pixels(c: np.ndarray, py: np.ndarray, text: str) -> list[tuple[int, int]]:
    return [(p.slow, p.fast) for p in pick_pixels(c, py, parse_picks(text), TOLERANCE)]


def test_the_language() -> None:
    assert parse_picks("worst:5, random:10@42") == (Pick("worst", 5), Pick("random", 10, 42))
    for wrong in ("", "worst", "worst:0", "worst:-1", "best:1", "worst:1@3", "worst:1,,weak:1"):
        with pytest.raises(HarnessError) as caught:
            parse_picks(wrong)
        assert caught.value.code == Exit.USAGE


def test_brightest_and_weakest(image: np.ndarray) -> None:
    assert pixels(image, image, "brightest:1,weak:1") == [(5, 6), (7, 8)]


def test_worst_is_worst_against_what_is_allowed(image: np.ndarray) -> None:
    py = image.copy()
    py[5, 6] += 1e-3  # 10 times what 100 is allowed
    py[7, 8] += 1e-5  # 1000 times what 0.01 is allowed
    assert pixels(image, py, "worst:5") == [(7, 8), (5, 6)]
    py[3, 4] = np.nan
    assert pixels(image, py, "worst:1") == [(3, 4)]


def test_images_that_do_not_differ_have_no_worst_pixel(image: np.ndarray) -> None:
    assert pixels(image, image, "worst:2,brightest:1") == [(5, 6)]
    with pytest.raises(HarnessError, match="no worst pixel"):
        pixels(image, image, "worst:2")


def test_edges_are_those_of_what_was_rendered(image: np.ndarray) -> None:
    found = pixels(image, image, "edge:8")
    assert len(found) == 8
    assert all(slow in (2, 9) or fast in (3, 12) for slow, fast in found)
    assert {slow for slow, _ in found} >= {2, 9}


def test_random_ones_follow_the_seed_and_have_values(image: np.ndarray) -> None:
    found = pixels(image, image, "random:20@3")
    assert len(set(found)) == 20
    assert found == pixels(image, image, "random:20@3") != pixels(image, image, "random:20@4")
    assert all(image[at] for at in found)
    assert len(pixels(image, image, "random:1000@3")) == 80


def test_a_pixel_is_traced_once(image: np.ndarray) -> None:
    assert pixels(image, image, "brightest:2,brightest:1").count((5, 6)) == 1


def test_nothing_to_pick() -> None:
    zero = np.zeros((3, 3), np.float32)
    with pytest.raises(HarnessError, match="zero everywhere") as caught:
        pixels(zero, zero, "brightest:1")
    assert caught.value.code == Exit.NOTHING_TO_COMPARE
