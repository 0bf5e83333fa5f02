"""Rows of a window that need no closer look, found by the compiled part (trace/settle.c); all are looked at without it.

They are counted here; the judging of all others, by the one rule there is, is in compare/comparison.py.
"""

from __future__ import annotations

import ctypes as ct
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trace_parity.compare.scales import combined
from trace_parity.compare.tolerance_table import LARGEST, NAMED, NORM, UNIT, ToleranceTable
from trace_parity.pair.vocabulary import ABSENT
from trace_parity.trace import native
from trace_parity.trace.rows import Rows

if TYPE_CHECKING:
    from trace_parity.compare.comparison import Comparison

SAFE = 1 - 1e-9
"""Bounds are taken by this factor to the safe side: the arithmetic of the rule rounds."""


class Settled:
    """What is known of each variable: bounds within which a number of it is neither divergent nor the worst."""

    def __init__(self, found: Comparison) -> None:
        self.found, self.loops = found, len(found.vocabulary.loops)
        self.lib = native.library()
        self._worst: list[Any] = []
        self._table: ToleranceTable | None = None
        self._scales = 0

    def _limits(self, table: ToleranceTable) -> None:
        count, scales = len(self.found.tallies), self.found.scales
        if table is not self._table or self._scales != len(scales.kept):
            self._table, self._scales, self._worst = table, len(scales.kept), [None] * count
            targets = np.zeros(count, np.bool_)
            targets[list(scales.numbers)] = True
            self.targets = targets
            self.limit = table.relative * SAFE
            self.floor = np.where(np.isin(table.kind, (NORM, LARGEST)), table.floor * SAFE, 0.0)
            self.absolute = np.where(table.kind == UNIT, table.floor * SAFE, 0.0)
            for n in np.flatnonzero((table.kind == NAMED) & (table.floor > 0)).tolist():
                self.absolute[n] = table.floor[n] * SAFE * self._scale(n)
            self.needed, self.relative = np.zeros(count), np.zeros(count)
            self.size = np.full(count, -1, np.int64)
            self.worst = np.zeros((count, self.loops), np.int32)
        for n, tally in enumerate(self.found.tallies):
            worst = tally.worst
            if worst is self._worst[n]:
                continue
            self._worst[n] = worst
            if worst is not None and not self.targets[n]:
                is_bad, needed, relative = worst.badness
                self.needed[n], self.relative[n] = (math.inf if is_bad else needed), relative
                self.worst[n] = worst.key
                self.size[n] = self.found.names.variables[n].size

    def _scale(self, n: int) -> float:
        """The scale of a variable's tolerance where it is one of the whole run and known; else 0."""
        scale = self.found.names.variables[n].tolerance.scale
        targets = self.found.vocabulary.named(scale.name) if scale is not None else []
        key = (ABSENT,) * self.loops
        values = [self.found.scales.kept.get((self.found.names.number(target), key)) for target in targets]
        if scale is None or len(targets) != 1 or targets[0].scope.loops or values[0] is None:
            return 0.0
        found = combined(scale, values[0])
        return found if math.isfinite(found) else 0.0

    def rest(self, c: Rows, py: Rows, table: ToleranceTable) -> tuple[Rows, Rows]:
        """The rows that are left, after the others have been counted."""
        found = self.found
        if not len(c) or not len(py) or found.sides[0].first_key is None or found.sides[1].first_key is None:
            return c, py
        self._limits(table)
        compared = np.zeros(len(found.tallies), np.int64)
        left = [(rows.line == rows.line.max()).astype(np.uint8) for rows in (c, py)]  # a log's last number is reported
        sides = [_side(rows, flags) for rows, flags in zip((c, py), left, strict=True)]
        arrays = (self.limit, self.floor, self.absolute, self.needed, self.relative, self.size, table.whole)
        limits = native.Limits(*(a.ctypes.data for a in (*arrays, self.worst, compared)))
        outer = self._outer()
        words = (self.loops, outer.ctypes.data, ct.byref(sides[0][0]), ct.byref(sides[1][0]), ct.byref(limits))
        if not self.lib.ts_settle(*words):
            return c, py
        for n in np.flatnonzero(compared).tolist():
            found.tallies[n].compared += int(compared[n])
            found.met.add(n)
        for tally, (side, _) in zip(found.sides, sides, strict=True):
            tally.numbers += side.numbers
            if side.numbers:
                tally.shared = max(tally.shared, (side.shared_line, side.shared_pos))
        return c.take(np.flatnonzero(left[0])), py.take(np.flatnonzero(left[1]))

    def _outer(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The loops that make a place (see Comparison.place_loops)."""
        made = np.zeros(self.loops, np.uint8)
        made[self.found.place_loops()] = 1
        return made


def _side(rows: Rows, left: Any) -> tuple[Any, list[Any]]:
    """One side as the compiled part takes it, and what must not be freed meanwhile."""
    kinds = (np.int32, np.int32, np.int32, np.int32, np.int64, np.int64, np.int32, np.uint8, np.float64)
    columns = (
        rows.keys, rows.variable, rows.first, rows.count, rows.start, rows.line, rows.pos, rows.flags, rows.values,
    )  # fmt: skip
    held = [np.ascontiguousarray(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return native.ColumnPointers(*(a.ctypes.data for a in (*held, left)), len(rows), 0, -1, -1), held


def settled_of(found: Comparison) -> Settled | None:
    """None where there is no compiled part, or where every row is wanted."""
    if found.every or (found.wanted is not None and len(found.wanted.number)):
        return None
    try:
        return Settled(found)
    except native.NoCompilerError:
        return None
