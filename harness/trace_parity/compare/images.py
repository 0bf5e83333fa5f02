"""Two float images: read, measured against each other, and made visible."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import ImageTolerance

Image = npt.NDArray[np.floating[Any]]
"""(slow, fast); what is read is single precision."""

PREVIEW_PIXELS = 800
"""Longest side of a preview; larger images are pooled by their maximum, so that single-pixel spots stay visible."""


@dataclass(frozen=True)
class ImageMetrics:
    """How alike two images are. Positions are (slow, fast)."""

    shape: tuple[int, int]
    correlation: float
    rmse: float
    max_abs_diff: float
    max_abs_at: tuple[int, int]
    max_abs_c: float
    max_abs_py: float
    max_rel_diff: float
    sum_c: float
    sum_py: float
    sum_ratio: float
    max_c: float
    max_py: float
    pixels_differing: int
    pixels_beyond: int
    not_finite: int

    @property
    def warning(self) -> str:
        """The message for two images that are zero everywhere: an image that was never rendered looks the same."""
        return "both images are zero everywhere: that they agree says nothing" if self.max_c == self.max_py == 0 else ""


HOT = 1e4
"""One hot pixel does not make all others faint: floors go by the maximum, or by so many times the brightness that 99 %
of the pixels with light do not reach, where that is less."""


def floor_scale(image: npt.NDArray[np.float64]) -> float:
    """What the floor of an image's tolerance is a fraction of."""
    size = np.abs(image)
    lit = size[size > 0]
    if not lit.size:
        return 0.0
    at = int(0.99 * (lit.size - 1))
    return min(float(lit.max()), HOT * float(np.partition(lit, at)[at]))


def read_image(path: Path, shape: tuple[int, int]) -> Image:
    """The raw float32 image (slow, fast) at `path`. Raises HarnessError: exit 5 unreadable, 4 another size."""
    try:
        data = np.fromfile(path, dtype="<f4")
    except OSError as error:
        raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(path)) from error
    if data.size != shape[0] * shape[1]:
        raise HarnessError(
            Exit.SHAPE_MISMATCH,
            f"holds {data.size} float32 values",
            where=str(path),
            expected=f"{shape[0]} x {shape[1]} (slow x fast) = {shape[0] * shape[1]}",
        )
    return data.reshape(shape)


def compare_images(c: Image, py: Image, tolerance: ImageTolerance, rtol: float | None = None) -> ImageMetrics:
    """Correlation, errors and sums in float64.

    `max_rel_diff` is over the pixels that are not faint (`floor_scale`); `pixels_beyond` counts those that differ by
    more than the tolerance allows (`rtol` replaces its relative part), and those that are not finite on either side.
    """
    a, b = c.astype(np.float64), py.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(finite, a, 0.0), np.where(finite, b, 0.0)
    diff = np.abs(a - b)
    slow, fast = np.unravel_index(int(np.argmax(diff)), diff.shape)
    floor = tolerance.floor * floor_scale(a)
    allowed = np.maximum((tolerance.rtol if rtol is None else rtol) * np.abs(a), floor)
    measurable = (np.abs(a) * tolerance.rtol >= floor) & (a != 0)
    relative = diff[measurable] / np.abs(a[measurable])
    sum_c, sum_py = float(a.sum()), float(b.sum())
    return ImageMetrics(
        shape=(int(a.shape[0]), int(a.shape[1])),
        correlation=_correlation(a, b),
        rmse=float(np.sqrt(np.mean(diff**2))),
        max_abs_diff=float(diff[slow, fast]),
        max_abs_at=(int(slow), int(fast)),
        max_abs_c=float(a[slow, fast]),
        max_abs_py=float(b[slow, fast]),
        max_rel_diff=float(relative.max()) if relative.size else 0.0,
        sum_c=sum_c,
        sum_py=sum_py,
        sum_ratio=sum_py / sum_c if sum_c else float("nan"),
        max_c=float(np.abs(a).max()),
        max_py=float(np.abs(b).max()),
        pixels_differing=int((diff > 0).sum()),
        pixels_beyond=int(((diff > allowed) | ~finite).sum()),
        not_finite=int((~finite).sum()),
    )


def _correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Pearson's r; 1 for two images that are constant and equal, NaN when only one is constant."""
    x, y = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((x * x).sum() * (y * y).sum()))
    if norm == 0.0:
        return 1.0 if np.array_equal(a, b) else float("nan")
    return float((x * y).sum() / norm)


def write_previews(c: Image, py: Image, folder: Path, marks: list[tuple[int, int]]) -> list[str]:
    """`c.png`, `py.png` on one logarithmic grey scale and `difference.png` (py - c), traced pixels circled."""
    with _DRAWING:
        return _draw_previews(c, py, folder, marks)


_DRAWING = threading.Lock()
"""matplotlib is not safe to draw with from two threads."""


def _draw_previews(c: Image, py: Image, folder: Path, marks: list[tuple[int, int]]) -> list[str]:
    import matplotlib as mpl  # slow to import, used here only

    mpl.use("Agg")
    from matplotlib.colors import LogNorm, SymLogNorm

    pooled_c, factor = _pool(c.astype(np.float64))
    pooled_py, _ = _pool(py.astype(np.float64))
    difference = _pool_signed(py.astype(np.float64) - c.astype(np.float64), factor)
    top = max(float(pooled_c.max()), float(pooled_py.max())) or 1.0
    spots = LogNorm(vmin=top * 1e-7, vmax=top, clip=True)
    largest = float(np.abs(difference).max())
    signed = SymLogNorm(linthresh=largest * 1e-3 or 1.0, vmin=-(largest or 1.0), vmax=largest or 1.0)
    circles = [(s / factor, f / factor) for s, f in marks]
    _save(pooled_c, "C: photons per pixel", folder / "c.png", spots, "Greys", circles)
    _save(pooled_py, "PY: photons per pixel", folder / "py.png", spots, "Greys", circles)
    title = f"PY - C, largest {largest:.3g} photons" if largest else "PY - C: no pixel differs"
    _save(difference, title, folder / "difference.png", signed, "RdBu_r", circles)
    return ["c.png", "py.png", "difference.png"]


def _save(
    image: npt.NDArray[np.float64], title: str, path: Path, norm: Any, cmap: str, circles: list[tuple[float, float]]
) -> None:
    from matplotlib.figure import Figure

    # Places by hand: to have them worked out costs more than all the drawing, and a gate draws hundreds.
    figure = Figure(figsize=(6.2, 5.6), dpi=110)
    axes = figure.add_axes((0.05, 0.06, 0.78, 0.87))
    drawn = axes.imshow(np.ma.masked_invalid(image), norm=norm, cmap=cmap, interpolation="nearest")
    for slow, fast in circles:
        axes.plot(fast, slow, "o", mfc="none", mec="tab:orange", ms=12, mew=1.5)
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("fast →", loc="left", fontsize=8)
    axes.set_ylabel("← slow", loc="top", fontsize=8)
    figure.colorbar(drawn, cax=figure.add_axes((0.85, 0.12, 0.03, 0.75))).minorticks_off()
    figure.savefig(path, metadata={"Software": None})


def _pool(image: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], int]:
    factor = max(1, -(-max(image.shape) // PREVIEW_PIXELS))
    return _blocks(image, factor).max(axis=(1, 3)), factor


def _pool_signed(image: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    blocks = _blocks(image, factor)
    high, low = blocks.max(axis=(1, 3)), blocks.min(axis=(1, 3))
    picked: npt.NDArray[np.float64] = np.where(np.abs(high) >= np.abs(low), high, low)
    return picked


def _blocks(image: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    slow, fast = (-(-n // factor) * factor for n in image.shape)
    padded = np.pad(image, ((0, slow - image.shape[0]), (0, fast - image.shape[1])), mode="edge")
    return padded.reshape(slow // factor, factor, fast // factor, factor)
