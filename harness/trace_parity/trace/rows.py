"""The numbers of one log in columns: a row per line or run of consecutive components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

WHOLE, ALIASED = 1, 2
"""Flags of a row: all its numbers were printed as whole numbers; its name is an older one."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass
class Rows:
    """`count[i]` numbers of variable `variable[i]` at loop indices `keys[i]` from component `first[i]` on.

    Rows that follow each other are mostly at the same indices: `keys` are `table[key]`. The numbers are
    `values[start[i] : start[i] + count[i]]`. `line`, `offset` and `pos` say where the first of them is in the log;
    `exact` has whole numbers that no double holds, by (line, place in the line).
    """

    table: npt.NDArray[np.int32]  # (any, loops), -1 where a row sits in no such loop
    key: npt.NDArray[np.int32]
    variable: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    count: npt.NDArray[np.int32]
    start: Ints
    flags: npt.NDArray[np.uint8]
    line: Ints
    offset: Ints
    pos: npt.NDArray[np.int32]
    values: Floats
    exact: dict[tuple[int, int], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.variable)

    @property
    def numbers(self) -> int:
        """How many numbers the rows have."""
        return len(self.values)

    @cached_property
    def keys(self) -> npt.NDArray[np.int32]:
        """The loop indices of all rows, shape (rows, loops)."""
        made: npt.NDArray[np.int32] = self.table[self.key]
        return made

    def at(self, row: int) -> tuple[int, ...]:
        """The loop indices of a row."""
        made: tuple[int, ...] = tuple(self.table[self.key[row]].tolist())
        return made

    def with_own_keys(self) -> Rows:
        """The same rows with a table of their keys in the order of the rows, so that a run of rows has a run of it."""
        fresh = np.r_[True, self.key[1:] != self.key[:-1]] if len(self) else np.empty(0, np.bool_)
        return replace(self, table=self.table[self.key[fresh]], key=np.cumsum(fresh, dtype=np.int32) - np.int32(1))

    def part(self, begin: int, end: int) -> Rows:
        """A run of rows whose numbers lie behind one another, without copying them."""
        if begin >= end:
            return self.take(slice(begin, begin))
        rows, low = slice(begin, end), int(self.start[begin])
        return Rows(
            self.table,
            self.key[rows],
            self.variable[rows],
            self.first[rows],
            self.count[rows],
            self.start[rows] - low,
            self.flags[rows],
            self.line[rows],
            self.offset[rows],
            self.pos[rows],
            self.values[low : int(self.start[end - 1] + self.count[end - 1])],
            self.exact,
        )

    def take(self, which: Any) -> Rows:
        """Some of the rows, in the given order, with their numbers only."""
        count, table, key = self.count[which], self.table, self.key[which]
        if 2 * len(key) < len(table):  # do not hold a long table for few rows
            table, key = table[key], np.arange(len(key), dtype=np.int32)
        return Rows(
            table,
            key,
            self.variable[which],
            self.first[which],
            count,
            starts(count),
            self.flags[which],
            self.line[which],
            self.offset[which],
            self.pos[which],
            self.values[spread(self.start[which], count)],
            self.exact,
        )


def empty(loops: int) -> Rows:
    """No rows."""
    int32 = np.empty(0, np.int32)
    int64 = np.empty(0, np.int64)
    keys = np.empty((0, loops), np.int32)
    flags = np.empty(0, np.uint8)
    return Rows(keys, int32, int32, int32, int32, int64, flags, int64, int64, int32, np.empty(0, np.float64))


def joined(parts: Sequence[Rows], loops: int) -> Rows:
    """Rows behind one another."""
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else empty(loops)
    exact: dict[tuple[int, int], int] = {}
    for part in parts:
        if part.exact is not exact:
            exact.update(part.exact)
    shift = np.cumsum([0, *(part.numbers for part in parts)])
    tables = [_own_keys(part) for part in parts]
    lower = np.cumsum([0, *(len(table) for table, _ in tables)]).astype(np.int32)
    return Rows(
        np.concatenate([table for table, _ in tables]),
        np.concatenate([key + low for (_, key), low in zip(tables, lower, strict=False)]),
        np.concatenate([p.variable for p in parts]),
        np.concatenate([p.first for p in parts]),
        np.concatenate([p.count for p in parts]),
        np.concatenate([p.start + s for p, s in zip(parts, shift, strict=False)]),
        np.concatenate([p.flags for p in parts]),
        np.concatenate([p.line for p in parts]),
        np.concatenate([p.offset for p in parts]),
        np.concatenate([p.pos for p in parts]),
        np.concatenate([p.values for p in parts]),
        exact,
    )


def _own_keys(rows: Rows) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The keys that occur and the rows' places in them; those of a log as it comes make a run of the table."""
    low, high = int(rows.key.min()), int(rows.key.max())
    if high - low >= 2 * len(rows):
        return rows.keys, np.arange(len(rows), dtype=np.int32)
    return rows.table[low : high + 1], rows.key - np.int32(low)


def starts(count: npt.NDArray[Any]) -> Ints:
    """Where each row's numbers begin when they lie behind one another."""
    made: Ints = np.zeros(len(count), np.int64)
    np.cumsum(count[:-1], out=made[1:])
    return made


def distinct(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The different ones of some whole numbers, sorted: np.unique would import numpy.ma."""
    ordered = np.sort(numbers)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


def among(numbers: npt.NDArray[Any], known: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether each number is among the known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(numbers), np.bool_)
    found: npt.NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, numbers), len(known) - 1)] == numbers
    return found


def spread(start: npt.NDArray[Any], count: npt.NDArray[Any]) -> Ints:
    """The places of all numbers of rows that begin at `start`, row by row."""
    ends = np.cumsum(count, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    made: Ints = np.arange(total, dtype=np.int64) + np.repeat(start - (ends - count), count)
    return made


class RowList:
    """Rows that are gathered one by one."""

    def __init__(self, loops: int) -> None:
        self.loops = loops
        self.heads: list[tuple[int, int, int, int, int, int, int]] = []
        self.keys: list[tuple[int, ...]] = []
        self.values: list[float] = []
        self.exact: dict[tuple[int, int], int] = {}

    def add(
        self, key: tuple[int, ...], variable: int, first: int, values: Sequence[float], at: tuple[int, int, int, int]
    ) -> None:
        """One row; `at` is (flags, line, offset, place in the line)."""
        self.keys.append(key)
        self.heads.append((variable, first, len(values), *at))
        self.values.extend(values)

    def rows(self) -> Rows:
        """All of them."""
        if not self.heads:
            return empty(self.loops)
        heads = np.array(self.heads, np.int64)
        count = heads[:, 2].astype(np.int32)
        return Rows(
            np.array(self.keys, np.int32).reshape(len(heads), self.loops),
            np.arange(len(heads), dtype=np.int32),
            heads[:, 0].astype(np.int32),
            heads[:, 1].astype(np.int32),
            count,
            starts(count),
            heads[:, 3].astype(np.uint8),
            heads[:, 4],
            heads[:, 5],
            heads[:, 6].astype(np.int32),
            np.array(self.values, np.float64),
            self.exact,
        )
