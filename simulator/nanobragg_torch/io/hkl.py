"""Reflection lists: text lines `h k l F`, read until a line is not four numbers; later duplicates win."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.atomic import write_bytes
from nanobragg_torch.io.shelx import is_hklf4
from nanobragg_torch.io.text import as_float, read_text
from nanobragg_torch.settings import Reflections

_LARGEST_GRID = 200_000_000
_PIECE = 1 << 18  # characters


def read_hkl(path: Path, flag: str = "-hkl") -> Reflections:
    """The list on a grid over its own ranges, NaN where nothing is listed. Raises ExperimentError."""
    return read_with_warnings(path, flag)[0]


def read_with_warnings(path: Path, flag: str = "-hkl") -> tuple[Reflections, list[str]]:
    """The list as `read_hkl` gives it, and a warning about irregular lines, with the number of the first one.

    Such lines are read nevertheless, four numbers at a time across line ends, as the original does.
    """
    text = read_text(path, flag)
    if is_hklf4(text):
        raise ExperimentError(
            f"{flag}: {path} is a SHELX list (HKLF 4: h k l F² sigma), expected h k l F: convert it with python -m "
            f"nanobragg_torch.io.xtal {path.name} OUT.hkl --column I --cell a b c al be ga --space-group NAME"
        )
    rows = _rows(text)
    if rows.shape[0] == 0:
        raise ExperimentError(f"{flag}: {path} holds no reflections, expected lines of `h k l F`")
    try:
        reflections = on_grid(rows[:, :3].astype(np.int64), rows[:, 3])
    except ExperimentError as error:
        raise ExperimentError(f"{flag}: {path}: {error}") from None
    return reflections, _warnings(path, text, rows[:, :3])


def _warnings(path: Path, text: str, indices: np.ndarray) -> list[str]:
    lines = text.splitlines()
    columns_of = [len(line.split()) for line in lines]
    is_all_read = sum(columns_of) == 4 * len(indices)
    if is_all_read and set(columns_of) <= {0, 4} and np.array_equal(indices, np.floor(indices)):
        return []  # nearly all lists; line by line takes a second
    odd, fractional = [], []
    for number, line in enumerate(lines, start=1):
        values = [as_float(word) for word in line.split()]
        if any(value is None or not math.isfinite(value) for value in values):
            break
        if values and len(values) != 4:
            odd.append((number, len(values)))
        if fraction := next((value for value in values[:3] if value is not None and value != math.floor(value)), None):
            fractional.append((number, fraction))
    if odd:
        number, columns = odd[0]
        return [
            f"file '{path}', line {number}: {columns} columns ({len(odd)} such lines), expected h k l F: "
            "numbers are read four at a time, wherever lines end (quirk list-columns)"
        ]
    if fractional:
        number, index = fractional[0]
        return [
            f"file '{path}', line {number}: Miller index {index:g} ({len(fractional)} such lines), expected "
            f"whole numbers: truncated to {math.trunc(index)}"
        ]
    return []


def on_grid(indices: np.ndarray, F: np.ndarray) -> Reflections:
    """Amplitudes (n,) of integer indices (n, 3) on a grid over their ranges; the last of duplicates wins."""
    low, high = indices.min(0), indices.max(0)
    shape = high - low + 1
    if int(np.prod(shape.astype(object))) > _LARGEST_GRID:
        raise ExperimentError(f"the reflections span {shape.tolist()} indices, more than memory should hold")
    if not np.isfinite(F).all():
        raise ExperimentError(f"the F of {indices[~np.isfinite(F)][0].tolist()} is not finite, expected a number")
    grid = np.full(tuple(shape.tolist()), np.nan)
    flat = np.ravel_multi_index(tuple((indices - low).T), grid.shape)
    # The last of duplicates wins: the first from behind.
    places, from_behind = np.unique(flat[::-1], return_index=True)
    grid.reshape(-1)[places] = F[::-1][from_behind]
    return Reflections(lowest=(int(low[0]), int(low[1]), int(low[2])), F=grid, listed=len(F))


def write_hkl(path: Path, reflections: Reflections, flag: str = "-hkl") -> None:
    """Write what is listed, with the digits that bring every number back to the last bit."""
    grid = np.asarray(reflections.F, dtype=np.float64)
    listed = np.argwhere(~np.isnan(grid))
    rows = zip((listed + np.array(reflections.lowest)).tolist(), grid[tuple(listed.T)].tolist(), strict=True)
    write_bytes(path, "".join(f"{h} {k} {l} {F!r}\n" for (h, k, l), F in rows).encode(), flag)


def _rows(text: str) -> np.ndarray:
    pieces = []
    for words in _pieces(text):
        try:
            numbers = np.array(list(map(float, words)))
        except ValueError:
            parsed = (as_float(word) for word in words)
            numbers = np.array(list(takewhile(lambda number: number is not None, parsed)), dtype=float)
        pieces.append(numbers)
        if len(numbers) < len(words):
            break
    numbers = np.concatenate(pieces) if pieces else np.empty(0)
    rows = numbers[: len(numbers) - len(numbers) % 4].reshape(-1, 4)
    good = np.isfinite(rows).all(1) & (np.abs(rows[:, :3]) < 1e6).all(1)
    return rows if good.all() else rows[: int(np.argmin(good))]


def _pieces(text: str) -> Iterator[list[str]]:
    """The words of a text, some at a time: all at once take twenty times the memory of the text."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        while end < len(text) and not text[end].isspace():
            end += 1
        yield text[start:end].split()
        start = end
