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
"""Safety factor of the bounds, because the arithmetic of the rule rounds."""
_HOW = {"inverse": -1, "product": -2}


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
            self.limit = table.relative * SAFE
            self.floor = np.where(np.isin(table.kind, (NORM, LARGEST)), table.floor * SAFE, 0.0)
            self.absolute = np.where(table.kind == UNIT, table.floor * SAFE, 0.0)
            self._named(table)
            self.needed, self.relative = np.zeros(count), np.zeros(count)
            self.size = np.full(count, -1, np.int64)
            self.worst = np.zeros((count, self.loops), np.int32)
        for n, tally in enumerate(self.found.tallies):
            worst = tally.worst
            if worst is self._worst[n]:
                continue
            self._worst[n] = worst
            if worst is not None and n not in self.needed_whole:
                is_bad, needed, relative = worst.badness
                self.needed[n], self.relative[n] = (math.inf if is_bad else needed), relative
                self.worst[n] = worst.key
                self.size[n] = self.found.names.variables[n].size

    def _named(self, table: ToleranceTable) -> None:
        """Tolerances in units of another variable: of the whole run, or of the row that the compiled part finds.

        Where the log lacks it, the larger of both numbers is the unit (Scales.of).
        """
        count, whole = len(self.found.tallies), (ABSENT,) * self.loops
        self.target, self.how = np.full(count, -1, np.int32), np.zeros(count, np.int32)
        self.inside, self.part = np.zeros((count, self.loops), np.uint8), np.zeros(count)
        self.needed_whole: set[int] = set()
        """Variables of which every row must be judged, because they set the scale of others in a way not known here."""
        for n in np.flatnonzero((table.kind == NAMED) & (table.floor > 0)).tolist():
            scale, part = self.found.names.variables[n].tolerance.scale, table.floor[n] * SAFE
            targets = self.found.vocabulary.named(scale.name) if scale is not None else []
            numbers = [self.found.names.number(target) for target in targets]
            if scale is None or len(targets) != 1:
                self.needed_whole.update(numbers)
            elif loops := targets[0].scope.loops:
                self.target[n], self.how[n], self.part[n] = numbers[0], _HOW.get(scale.how, scale.component), part
                self.inside[n] = [loop in loops for loop in self.found.vocabulary.loops]
            else:
                values = self.found.scales.kept.get((numbers[0], whole))
                found = combined(scale, values) if values else math.nan
                if math.isfinite(found):
                    self.absolute[n] = part * found
                else:
                    self.floor[n] = part

    def rest(self, c: Rows, py: Rows, table: ToleranceTable) -> tuple[Rows, Rows]:
        """The rows that are left, after the others have been counted."""
        found = self.found
        if not len(c) or not len(py) or found.sides[0].first_key is None or found.sides[1].first_key is None:
            return c, py
        self._limits(table)
        compared = np.zeros(len(found.tallies), np.int64)
        left = [(rows.line == rows.line.max()).astype(np.uint8) for rows in (c, py)]  # a log's last number is reported
        sides = [_side(rows, flags) for rows, flags in zip((c, py), left, strict=True)]
        limits = native.Limits(*(a.ctypes.data for a in (*self._arrays(table), compared)))
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

    def _arrays(self, table: ToleranceTable) -> tuple[Any, ...]:
        """As native.Limits names them."""
        numbers = (self.limit, table.own_floor, self.floor, self.absolute, self.needed, self.relative)
        return (*numbers, self.size, table.whole, self.worst, self.target, self.how, self.inside, self.part)

    def _outer(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The loops that make a place (see Comparison.place_loops)."""
        made = np.zeros(self.loops, np.uint8)
        made[self.found.place_loops()] = 1
        return made


def _side(rows: Rows, left: Any) -> tuple[Any, list[Any]]:
    """One side in the form that the compiled part takes, and the objects that must stay alive meanwhile."""
    kinds = (np.int32, np.int32, np.int32, np.int32, np.int32, np.int64, np.int64, np.int32, np.uint8, np.float64)
    columns = (
        rows.table, rows.key, rows.variable, rows.first, rows.count,
        rows.start, rows.line, rows.pos, rows.flags, rows.values,
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
