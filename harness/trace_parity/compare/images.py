"""Two float images: read, and measured against each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import ImageTolerance

Image = npt.NDArray[np.floating[Any]]
"""(slow, fast); what is read is single precision."""


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
    unit: str = ""

    @property
    def warning(self) -> str:
        """The message for two images that are zero everywhere: an image that was never rendered looks like that."""
        return (
            "both images are zero everywhere, so their agreement proves nothing"
            if self.max_c == self.max_py == 0
            else ""
        )


HOT = 1e4
"""One hot pixel does not make all others faint: floors are relative to the maximum, or to this many times the 99th
percentile of the nonzero pixels if that is less."""


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
        unit=tolerance.unit,
    )


def _correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Pearson's r; 1 for two images that are constant and equal, NaN when only one is constant."""
    x, y = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((x * x).sum() * (y * y).sum()))
    if norm == 0.0:
        return 1.0 if np.array_equal(a, b) else float("nan")
    return float((x * y).sum() / norm)
