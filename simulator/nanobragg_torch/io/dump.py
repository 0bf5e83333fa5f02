"""Dump files of the reflection grid: a text line of ranges, a form feed, then native doubles, h outermost.

Each axis is one longer than its range, the last entry 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.atomic import write_bytes
from nanobragg_torch.io.text import read_bytes
from nanobragg_torch.settings import Reflections


def write_dump(path: Path, reflections: Reflections, default_F: float, flag: str = "-dump") -> None:
    """Write the grid, unlisted points as default_F."""
    grid = np.asarray(reflections.F, dtype=np.float64)
    padded = np.zeros([n + 1 for n in grid.shape])
    padded[:-1, :-1, :-1] = np.where(np.isnan(grid), default_F, grid)
    ranges = " ".join(f"{low} {low + n - 1}" for low, n in zip(reflections.lowest, grid.shape, strict=True))
    write_bytes(path, ranges.encode() + b"\n\f" + padded.tobytes(), flag)


def read_dump(path: Path, flag: str = "-dump") -> Reflections:
    """The grid of a dump file."""
    data = read_bytes(path, flag)
    text, separator, body = data.partition(b"\f")
    try:
        ranges = [int(word) for word in text.split()]
    except ValueError:
        ranges = []
    if not separator or len(ranges) != 6 or any(ranges[i] > ranges[i + 1] for i in (0, 2, 4)):
        raise ExperimentError(f"{flag}: {path} is not a dump file, expected a line of six ranges and a form feed")
    shape = [ranges[i + 1] - ranges[i] + 2 for i in (0, 2, 4)]
    expected = 8 * shape[0] * shape[1] * shape[2]
    if len(body) < expected:
        raise ExperimentError(f"{flag}: {path} is short: {len(body)} bytes of structure factors, expected {expected}")
    grid = np.frombuffer(body[:expected], dtype=np.float64).reshape(shape)[:-1, :-1, :-1].copy()
    return Reflections(lowest=(ranges[0], ranges[2], ranges[4]), F=grid)
