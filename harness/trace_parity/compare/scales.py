"""The scale of the absolute part of a tolerance.

The length of the row's vector, a named quantity of the C log, a unit, or the largest magnitude of the variable.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trace_parity.compare.join import SortedRows, Window
from trace_parity.compare.tolerance_table import LARGEST, NAMED, NORM, UNIT, ToleranceTable
from trace_parity.pair.vocabulary import ABSENT, Key, Scale
from trace_parity.trace.names import Names
from trace_parity.trace.rows import Rows, among, distinct

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Scales:
    """Scales of the rows of windows. Values of the whole run in the C log are remembered (`remember`)."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.vocabulary = names.vocabulary
        self.kept: dict[tuple[int, Key], tuple[float, ...]] = {}
        self.largest: dict[int, float] = {}
        self.numbers = {
            names.number(target)
            for v in self.vocabulary.variables
            if v.tolerance.scale is not None and v.tolerance.scale.kind == "variable"
            for target in self.vocabulary.named(v.tolerance.scale.name)
        }

    def remember(self, rows: Rows) -> bool:
        """Keep those of C's rows that are scales; whether one was not known before."""
        fresh = False
        for i in np.flatnonzero(among(rows.variable, np.array(sorted(self.numbers), np.int32))):
            if rows.first[i] == 0:
                at = (int(rows.variable[i]), rows.at(int(i)))
                if at not in self.kept:
                    fresh = True
                    start = int(rows.start[i])
                    self.kept[at] = tuple(rows.values[start : start + int(rows.count[i])].tolist())
        return fresh

    def note_largest(self, rows: Rows, without: Collection[tuple[int, int]] = ()) -> None:
        """Keep the largest magnitude of each variable; `without` numbers at some lines and places in them."""
        if not len(rows):
            return
        order = np.argsort(rows.variable, kind="stable")
        size = np.abs(rows.values)
        size[~np.isfinite(size)] = 0.0
        for line, place in without:
            for i in np.flatnonzero((rows.line == line) & (rows.pos <= place) & (place < rows.pos + rows.count)):
                size[rows.start[i] + place - rows.pos[i]] = 0.0
        per_row = np.maximum.reduceat(size, rows.start) if len(size) else size
        begins = np.flatnonzero(np.r_[True, np.diff(rows.variable[order]) != 0])
        for variable, top in zip(
            rows.variable[order][begins].tolist(), np.maximum.reduceat(per_row[order], begins).tolist(), strict=True
        ):
            self.largest[variable] = max(self.largest.get(variable, 0.0), top)

    def of(
        self, window: Window, run: Ints, variable: npt.NDArray[Any], larger: Floats, table: ToleranceTable
    ) -> Floats:
        """The scale of each number (NaN where its variable has none), `run` being the pair of runs that it is in."""
        kind = np.where(table.floor[variable] > 0, table.kind[variable], 0)
        made = np.full(len(run), np.nan)
        made[kind == UNIT] = 1.0
        for of_kind, work in ((NORM, self._norms), (NAMED, self._named)):
            which = np.flatnonzero(kind == of_kind)
            if len(which):
                runs, back = np.unique(run[which], return_inverse=True)
                found = work(window, runs)[back]
                made[which] = np.where(np.isfinite(found), found, larger[which])
        which = np.flatnonzero(kind == LARGEST)
        if len(which):
            made[which] = [self.largest.get(int(v), 0.0) for v in variable[which]]
            made[which] = np.maximum(made[which], larger[which])
        return made

    def _norms(self, window: Window, runs: Ints) -> Floats:
        """The length of the longer of both sides' vectors; NaN where neither is finite."""
        pairs = window.pairs
        row = pairs.c_row[runs]
        whole = runs < pairs.vectors
        made = np.full(len(runs), np.nan)
        for side, starts in ((0, pairs.c_start), (1, pairs.py_start)):
            values = window.sides[side].rows.values
            longest = int(pairs.count[runs][whole].max(initial=0))
            if longest == 0:
                continue
            # Vectors are short: component by component, all rows at once.
            start, count = starts[runs][whole], pairs.count[runs][whole]
            total, top = np.zeros(len(start)), np.zeros(len(start))
            for component in range(longest):
                there = count > component
                value = np.where(there, values[np.where(there, start + component, 0)], 0.0)
                with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                    total += value * value
                top = np.maximum(top, np.abs(value))
            length = np.sqrt(total)
            for i in np.flatnonzero(np.isfinite(top) & (top > 0) & ((top > 1e150) | (top < 1e-150))):
                length[i] = math.hypot(*values[start[i] : start[i] + count[i]].tolist())
            length[~np.isfinite(top)] = np.nan
            made[whole] = np.fmax(made[whole], length)
        for i in np.flatnonzero(~whole):
            code = window.sides[0].code[row[i]]
            lengths = [
                math.hypot(*v) for side in window.sides if (v := vector(side, code)) and all(map(math.isfinite, v))
            ]
            made[i] = max(lengths, default=math.nan)
        return made

    def _named(self, window: Window, runs: Ints) -> Floats:
        """The value that another variable of the C log has around each row; NaN where the log lacks it."""
        rows, pairs = window.sides[0].rows, window.pairs
        row = pairs.c_row[runs]
        variable = rows.variable[row]
        made = np.full(len(runs), np.nan)
        for n in distinct(variable):
            scale = self.names.variables[int(n)].tolerance.scale
            if scale is not None:
                which = np.flatnonzero(variable == n)
                made[which] = self._values(window.sides[0], window, rows.table[rows.key[row[which]]], scale)
        return made

    def _values(self, side: SortedRows, window: Window, keys: npt.NDArray[np.int32], scale: Scale) -> Floats:
        made = np.full(len(keys), np.nan)
        open_ = np.ones(len(keys), np.bool_)
        for target in reversed(self.vocabulary.named(scale.name)):
            number = self.names.number(target)
            outer = keys.copy()
            for i, loop in enumerate(self.vocabulary.loops):
                if loop not in target.scope.loops:
                    outer[:, i] = ABSENT
            packed, first, back = np.unique(window.packing.pack(outer), return_index=True, return_inverse=True)
            start, count = side.vectors(number * window.packing.size + packed)
            count = np.where(packed < 0, 0, count)
            unique = outer[first]
            found = []
            for key, at, size in zip(unique.tolist(), start.tolist(), count.tolist(), strict=True):
                values = side.rows.values[at : at + size].tolist() if size else self.kept.get((number, tuple(key)))
                found.append(combined(scale, values) if values else None)
            there = np.array([value is not None for value in found], np.bool_)[back] & open_
            values_of = np.array([math.nan if value is None else value for value in found])[back]
            made[there] = values_of[there]
            open_ &= ~there
            if not open_.any():
                break
        return made


def vector(side: SortedRows, code: int) -> tuple[float, ...]:
    """The numbers of a code from component 0 on without a gap."""
    values: list[float] = []
    for row in range(*np.searchsorted(side.code, [code, code + 1])):
        if int(side.rows.first[row]) != len(values):
            break
        start = int(side.rows.start[row])
        values += side.rows.values[start : start + int(side.rows.count[row])].tolist()
    return tuple(values)


def combined(scale: Scale, values: Sequence[float]) -> float:
    """The scale that the numbers of a variable make."""
    if scale.how == "product":
        return abs(math.prod(values))
    if scale.how == "inverse":
        return math.inf if values[0] == 0 else abs(1.0 / values[0])
    return abs(values[scale.component]) if scale.component < len(values) else math.nan
