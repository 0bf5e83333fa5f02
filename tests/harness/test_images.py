from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import pytest
from trace_parity.compare.images import compare_images, read_image
from trace_parity.compare.previews import MARGIN, NOT_FINITE, SMALLEST, write_previews
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import shipped

RNG = np.random.default_rng(7)
compare = functools.partial(compare_images, tolerance=shipped().vocabulary.image)


def test_metrics_of_two_images() -> None:
    c = RNG.random((30, 40)).astype(np.float32)
    py = c.copy()
    py[3, 17] += 2.5
    m = compare(c, py)
    assert m.shape == (30, 40)
    assert m.max_abs_at == (3, 17)
    assert m.max_abs_diff == pytest.approx(2.5)
    assert m.rmse == pytest.approx(2.5 / math.sqrt(1200))
    assert m.pixels_differing == 1
    assert m.sum_ratio == pytest.approx(float(py.sum(dtype=np.float64) / c.sum(dtype=np.float64)))
    wanted = np.corrcoef(c.astype(np.float64).ravel(), py.astype(np.float64).ravel())[0, 1]
    assert m.correlation == pytest.approx(wanted, abs=1e-12)


def test_metrics_of_equal_images() -> None:
    c = RNG.random((5, 6)).astype(np.float32)
    m = compare(c, c)
    assert m.correlation == pytest.approx(1.0)
    assert (m.rmse, m.sum_ratio, m.max_rel_diff) == (0.0, 1.0, 0.0)
    flat = np.ones((5, 6), np.float32)
    assert compare(flat, flat).correlation == 1.0
    assert math.isnan(compare(flat, c).correlation)


def test_what_was_never_written_is_counted() -> None:
    c = np.ones((4, 4), np.float32)
    py = c.copy()
    py[0, 0] = np.inf
    assert compare(c, py).not_finite == 1
    assert compare(c, py).pixels_beyond == 1


def test_bright_pixels_are_held_to_themselves_and_faint_ones_to_the_maximum() -> None:
    c = np.zeros((4, 4), np.float32)
    c[0] = [1000.0, 1.0, 1e-4, 0.0]
    for pixel, difference, beyond in [
        ((0, 0), 0.0009, 0),
        ((0, 0), 0.002, 1),
        ((0, 1), 2e-6, 1),
        ((0, 2), 0.9e-9, 0),
        ((0, 2), 2e-9, 1),
        ((0, 3), 0.9e-9, 0),
        ((0, 3), 2e-9, 1),
    ]:
        py = c.astype(np.float64)
        py[pixel] += difference
        assert compare(c, py).pixels_beyond == beyond, (pixel, difference)
    assert compare(c, c * np.float32(1.00001), rtol=1e-4).pixels_beyond == 0
    zero = np.zeros((4, 4), np.float32)
    assert compare(zero, zero).pixels_beyond == 0
    assert compare(zero, c).pixels_beyond == 3


@pytest.mark.parametrize("shape", [(8, 8), (100, 100)])
@pytest.mark.parametrize("wrong", ["one", "all"])
def test_a_hot_pixel_does_not_hide_faint_ones(shape: tuple[int, int], wrong: str) -> None:
    c = (RNG.random(shape) * 1e-3 + 5e-4).astype(np.float32)
    c[2, 3] = 1e10
    py = c.copy()
    hit = (c < 1) if wrong == "all" else (np.indices(shape) == np.array([2, 4]).reshape(2, 1, 1)).all(axis=0)
    py[hit] *= 5
    assert compare(c, py).pixels_beyond == hit.sum()
    assert compare(c, py).max_rel_diff == pytest.approx(4, rel=1e-6)
    assert compare(c, c).pixels_beyond == 0


def test_remnants_under_bright_spots_are_held_to_the_spots() -> None:
    c = (RNG.random((100, 100)) * 1e-12).astype(np.float32)
    c[::5, ::5] = 1.0
    assert compare(c, c * np.float32(1.5) * (c < 0.5) + c * (c > 0.5)).pixels_beyond == 0


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.bin"
    RNG.random(12).astype("<f4").tofile(path)
    assert read_image(path, (3, 4)).shape == (3, 4)
    with pytest.raises(HarnessError, match="holds 12 float32 values") as caught:
        read_image(path, (3, 5))
    assert caught.value.code == Exit.SHAPE_MISMATCH


@pytest.mark.parametrize("shape", [(20, 30), (1701, 903)])
def test_previews_show_single_bright_pixels(tmp_path: Path, shape: tuple[int, int]) -> None:
    from PIL import Image

    c = np.zeros(shape, np.float32)
    c[5, 7] = 1000.0
    names = write_previews(c, c * np.float32(1.1), tmp_path, [])
    assert names == ["c.png", "py.png", "difference.png"]
    factor, times = -(-max(shape) // 800), max(1, SMALLEST // max(shape))
    at = (MARGIN + 7 // factor * times + times // 2, MARGIN + 5 // factor * times + times // 2)
    shades = [Image.open(tmp_path / name).getpixel(at) for name in names]
    assert isinstance(shades[0], tuple)
    assert max(shades[0]) < 5
    assert shades[1] == (0, 0, 0)
    assert shades[2] == (178, 24, 43)  # more in PY
    blank = write_previews(np.zeros(shape, np.float32), np.zeros(shape, np.float32), tmp_path, [(5, 7)])
    assert len(blank) == 3


def test_previews_of_images_without_finite_pixels(tmp_path: Path) -> None:
    from PIL import Image

    c = np.full((20, 30), np.nan, np.float32)
    py = np.full((20, 30), np.inf, np.float32)
    for name in write_previews(c, py, tmp_path, []):
        assert Image.open(tmp_path / name).getpixel((MARGIN + 3, MARGIN + 3)) == NOT_FINITE
