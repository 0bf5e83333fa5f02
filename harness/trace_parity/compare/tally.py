"""What a comparison counts and keeps as windows of rows go by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from trace_parity.pair.vocabulary import ABSENT, Key
from trace_parity.trace.rows import Rows

Place = tuple[int, int, int]
"""The place of a number in a log: line, offset of the line, place in the line."""


class Kept(NamedTuple):
    """One number on both sides, judged; its texts are looked up when it is reported."""

    variable: int
    key: Key
    component: int
    c: float
    py: float
    places: tuple[Place, Place]
    status: int
    absolute: float
    relative: float
    allowed: float
    needed: float

    @property
    def badness(self) -> tuple[bool, float, float]:
        """The larger, the worse it is."""
        rel = self.relative
        return self.status != 0, self.needed, rel if rel == rel else float("inf")


class Wrong(NamedTuple):
    """A vector that both logs have in another size than the vocabulary says."""

    line: int
    key: Key
    size: int


class Mismatch(NamedTuple):
    """A vector that has more numbers on one side."""

    side: int
    line: int
    variable: int
    key: Key
    c_size: int
    py_size: int


@dataclass
class VariableTally:
    """One variable."""

    compared: int = 0
    divergent: int = 0
    only: list[int] = field(default_factory=lambda: [0, 0])
    places: list[int] = field(default_factory=lambda: [0, 0])
    first_only: list[tuple[tuple[int, int], Key] | None] = field(default_factory=lambda: [None, None])
    wrong_places: int = 0
    first_wrong: Wrong | None = None
    worst: Kept | None = None


@dataclass
class SideTally:
    """One log. `last` is its last number and the other side's there; `shared` the last place that both logs have."""

    numbers: int = 0
    only: int = 0
    first_only: tuple[tuple[int, int], int, Key] | None = None  # (line, place), variable, loop indices
    open_end: bool = False  # where it begins to lack rows, its place has not been closed
    shared: tuple[int, int] = (-1, -1)
    last_line: int = -1
    last: tuple[Place, Place | None] | None = None
    last_mismatched: bool = False
    first_key: Key | None = None  # of the rows in a place, that of the first line
    first_line: int = -1

    def begin(self, rows: Rows) -> None:
        """Note where the log's first row in a place is; windows do not come in the order of the lines."""
        if self.first_key is not None and int(rows.line.min()) >= self.first_line:
            return
        within = np.flatnonzero((rows.keys != ABSENT).any(axis=1))
        if not len(within):
            return
        first = int(within[np.argmin(rows.line[within])])
        line = int(rows.line[first])
        if self.first_key is None or line < self.first_line:
            self.first_key, self.first_line = rows.at(first), line
