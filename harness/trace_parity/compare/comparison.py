"""The comparison: it takes windows of rows of both sides and keeps counts and the rows to report.

A window is any set of rows that has all of a key on both sides. Logs of any size are compared by windows
(compare/windows.py), two tables in memory as a single one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from trace_parity.compare.join import Contradiction, Window, join
from trace_parity.compare.look import Chosen, Look, component_at, places_of
from trace_parity.compare.scales import Scales, vector
from trace_parity.compare.settle import Settled, settled_of
from trace_parity.compare.tally import Kept, Mismatch, Place, SideTally, VariableTally, Wrong
from trace_parity.compare.tolerance_table import (
    DIVERGENT,
    MATCH,
    Differences,
    ToleranceTable,
    judge_numbers,
    table_of,
)
from trace_parity.compare.wanted import Wanted
from trace_parity.pair.vocabulary import ABSENT, Key, Vocabulary
from trace_parity.trace.names import Names
from trace_parity.trace.number import EXACT_DIGITS
from trace_parity.trace.rows import WHOLE, Rows, distinct, joined, spread

KEPT_MISMATCHES = 1000
"""How many vectors of differing size are listed."""

MOST_LEFT = 2000
"""Rows that wait for a closer look until it is worth a look at all of them together."""

Ints = npt.NDArray[np.int64]


class Comparison:
    """What two logs have in common, and how far that agrees."""

    settles = True
    """Whether rows that need no closer look are left out of it."""

    def __init__(
        self, names: Names, *, rtol: float | None = None, wanted: Wanted | None = None, every: bool = False
    ) -> None:
        self.names, self.rtol, self.every = names, rtol, every
        self.vocabulary: Vocabulary = names.vocabulary
        self.wanted = wanted
        self.scales = Scales(names)
        self.tallies: list[VariableTally] = []
        self.sides = (SideTally(), SideTally())
        self.kept: list[tuple[tuple[Any, ...], Kept]] = []
        self.rows: list[Kept] = []  # all of them, where they are wanted
        self.needed_rtol = 0.0
        self.mismatches: list[Mismatch] = []
        self.further_mismatches = 0
        self.contradictions: list[Contradiction] = []
        self.met: set[int] = set()
        self.first_iteration: dict[int, int] = {}  # by loop
        self.repeated: set[int] = set()  # loops with more than one iteration
        self._table: ToleranceTable | None = None
        self._variables: list[Any] = []
        self._settled: Settled | None = None
        self._left: list[tuple[Rows, Rows]] = []

    @property
    def compared(self) -> int:
        """Numbers on both sides."""
        return sum(tally.compared for tally in self.tallies)

    @property
    def divergent(self) -> int:
        """Of those, how many differ."""
        return sum(tally.divergent for tally in self.tallies)

    def named_loops(self) -> tuple[str, ...]:
        """The loops that name a place of these logs."""
        return self.vocabulary.naming_loops([self.vocabulary.loops[n] for n in self.repeated])

    def table(self) -> ToleranceTable:
        """The tolerances of all variables met so far."""
        variables = self.names.variables
        if self._table is None or self._variables != variables:
            self._variables = list(variables)
            self._table = table_of(variables, self.rtol)
        while len(self.tallies) < len(variables):
            self.tallies.append(VariableTally())
        return self._table

    def add(self, c: Rows, py: Rows) -> None:
        """Join and judge the rows of a window; some of them wait until `finish` at the latest."""
        if not len(c) and not len(py):
            return
        table = self.table()
        for rows in (c, py):
            if len(rows):
                self._count_iterations(rows)
        if self._settled is None and self.settles:
            self._settled = settled_of(self)
            self.settles = self._settled is not None
        if self._settled is not None:
            self._left.append(self._settled.rest(c, py, table))
            if sum(len(rows) for pair in self._left for rows in pair) < MOST_LEFT:
                return
            c, py = self._all_left()
        self._look(c, py, table)

    def finish(self) -> None:
        """All windows are done."""
        c, py = self._all_left()
        if len(c) or len(py):
            self._look(c, py, self.table())

    def _all_left(self) -> tuple[Rows, Rows]:
        loops, left = len(self.vocabulary.loops), self._left
        self._left = []
        return joined([c for c, _ in left], loops), joined([py for _, py in left], loops)

    def _look(self, c: Rows, py: Rows, table: ToleranceTable) -> None:
        """Look at the rows of a window one by one."""
        window = join(c, py, len(self.names.variables))
        self.contradictions += window.contradictions
        self._count_sides(window)
        self._lonely(window)
        self._sizes(window)
        if self.wanted is not None:
            self.wanted.look(window)
        self._judge(window, table)

    def _count_sides(self, window: Window) -> None:
        pairs, (a, b) = window.pairs, window.sides
        self.met.update(distinct(np.concatenate([a.rows.variable, b.rows.variable])).tolist())
        for side, own, of_pairs in ((0, a.rows, pairs.c_row), (1, b.rows, pairs.py_row)):
            tally = self.sides[side]
            tally.numbers += int(own.count.sum())
            if not len(own):
                continue
            tally.begin(own)
            if len(of_pairs):
                line = own.line[of_pairs]
                last = of_pairs[line == line.max()]
                tally.shared = max(tally.shared, (int(line.max()), int(own.pos[last].max())))
            self._last(side, own, window)

    def _count_iterations(self, own: Rows) -> None:
        known = [self.first_iteration.get(loop, ABSENT) for loop in range(own.table.shape[1])]
        highest = own.table.max(axis=0).tolist()
        # A loop whose only index is 0 has no other one where none is above that.
        for loop, high in enumerate(highest):
            if loop in self.repeated or high == ABSENT or (high <= known[loop] <= 0):
                continue
            column, first = own.table[:, loop], self.first_iteration.setdefault(loop, high)
            if high != first or ((column != first) & (column != ABSENT)).any():
                self.repeated.add(loop)

    def _last(self, side: int, own: Rows, window: Window) -> None:
        """The last number of a log, and the other side's at its place."""
        tally, line = self.sides[side], int(own.line.max())
        if line < tally.last_line:
            return
        rows = np.flatnonzero(own.line == line)
        row = int(rows[np.argmax(own.pos[rows])])
        component = int(own.first[row] + own.count[row] - 1)
        place = (line, int(own.offset[row]), int(own.pos[row] + own.count[row] - 1))
        other = window.sides[1 - side]
        partner: Place | None = None
        code = window.sides[side].code[row]
        for i in range(*np.searchsorted(other.code, [code, code + 1])):
            first = int(other.rows.first[i])
            if first <= component < first + int(other.rows.count[i]):
                partner = (
                    int(other.rows.line[i]),
                    int(other.rows.offset[i]),
                    int(other.rows.pos[i]) + component - first,
                )
        tally.last_line, tally.last = line, (place, partner)
        tally.last_mismatched = any(window.sides[0].code[m[0]] == code for m in window.mismatches)

    def _lonely(self, window: Window) -> None:
        for side, (rows, component) in enumerate(window.lonely):
            if not len(rows):
                continue
            own = window.sides[side].rows
            variable = own.variable[rows]
            tally = self.sides[side]
            tally.only += len(rows)
            place = own.pos[rows] + component - own.first[rows]
            line = own.line[rows]
            order = np.lexsort((place, line, variable))
            rows, variable, place, line = rows[order], variable[order], place[order], line[order]
            codes = window.sides[side].code[rows]
            begins = np.flatnonzero(np.r_[True, variable[1:] != variable[:-1]])
            for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True):
                found = self.tallies[int(variable[begin])]
                found.only[side] += int(end - begin)
                found.places[side] += len(distinct(codes[begin:end]))
                first = ((int(line[begin]), int(place[begin])), own.at(int(rows[begin])))
                known = found.first_only[side]
                if known is None or first[0] < known[0]:
                    found.first_only[side] = first
                if tally.first_only is None or first[0] < tally.first_only[0]:
                    tally.first_only = (first[0], int(variable[begin]), first[1])
                    tally.open_end = self._is_open(window, side, first[1])

    def place_loops(self) -> list[int]:
        """The loops that are closed by lines: they make the places of which a log may lack the end."""
        loops = {loop for variable in self.names.variables if variable.scope.closing for loop in variable.scope.loops}
        return [i for i, loop in enumerate(self.vocabulary.loops) if loop in loops]

    def _is_open(self, window: Window, side: int, key: Key) -> bool:
        """Whether the other log has something of the place that `key` is in, and nothing that closes it."""
        close = [n for n, variable in enumerate(self.names.variables) if variable.scope.closing]
        outer = self.place_loops()
        both = (window.sides[side].rows, window.sides[1 - side].rows)
        here = [np.all(rows.keys[:, outer] == np.array(key)[outer], axis=1) for rows in both]
        closed = [bool(np.isin(rows.variable[at], close).any()) for rows, at in zip(both, here, strict=True)]
        return closed[0] and not closed[1] and bool(here[1].any())

    def _sizes(self, window: Window) -> None:
        pairs, own = window.pairs, window.sides[0].rows
        variable = own.variable[pairs.c_row[: pairs.vectors]]
        size = np.array([v.size for v in self.names.variables], np.int64)[variable]
        for i in np.flatnonzero((size > 0) & (pairs.count[: pairs.vectors] != size)):
            self._wrong_size(own, int(pairs.c_row[i]), int(pairs.count[i]))
        code = window.sides[0].code
        for one in distinct(code[pairs.c_row[pairs.vectors :]]).tolist():
            c_size, py_size = (len(vector(side, one)) for side in window.sides)
            row = int(np.searchsorted(code, one))
            if c_size and c_size == py_size != (self.names.variables[int(own.variable[row])].size or c_size):
                self._wrong_size(own, row, c_size)
        for row, c_size, py_size, line, side in window.mismatches:
            if len(self.mismatches) < KEPT_MISMATCHES:
                made = Mismatch(side, line, int(own.variable[row]), own.at(row), c_size, py_size)
                self.mismatches.append(made)
            else:
                self.further_mismatches += 1

    def _wrong_size(self, own: Rows, row: int, size: int) -> None:
        """Count a vector that both logs have in another size than the vocabulary says."""
        tally = self.tallies[int(own.variable[row])]
        tally.wrong_places += 1
        wrong = Wrong(int(own.line[row]), own.at(row), size)
        if tally.first_wrong is None or wrong < tally.first_wrong:
            tally.first_wrong = wrong

    def _judge(self, window: Window, table: ToleranceTable) -> None:
        pairs = window.pairs
        if not len(pairs.count):
            return
        a, b = window.sides[0].rows, window.sides[1].rows
        variable = a.variable[pairs.c_row]
        totals = np.bincount(variable, weights=pairs.count, minlength=len(self.tallies))
        for n in np.flatnonzero(totals):
            self.tallies[n].compared += int(totals[n])
        c_at, py_at = spread(pairs.c_start, pairs.count), spread(pairs.py_start, pairs.count)
        run = np.repeat(np.arange(len(pairs.count)), pairs.count)
        numbers = Chosen(run, a.values[c_at], b.values[py_at], c_at, py_at)
        far = _exactly_different(window, numbers) if a.exact or b.exact else None
        if self.every:
            chosen = np.arange(len(run))
        else:
            differs = numbers.c != numbers.py
            if far is not None:
                differs |= far
            chosen = np.flatnonzero(differs)
            self._keep_equal(window, variable)
            if not len(chosen):
                return
        numbers = numbers.only(chosen)
        run, c, py = numbers.run, numbers.c, numbers.py
        whole = ((a.flags[pairs.c_row] & b.flags[pairs.py_row] & WHOLE) > 0)[run]
        of_number = variable[run]
        scale = self.scales.of(window, run, of_number, np.maximum(np.abs(c), np.abs(py)), table)
        judged = judge_numbers(c, py, of_number, scale, whole, table)
        if far is not None:
            _apart(judged, far[chosen], table.whole[of_number], c)
        Look(self, window, judged, numbers).tally(of_number)

    def _keep_equal(self, window: Window, variable: npt.NDArray[np.int32]) -> None:
        """The first row of each variable, which is the worst one where all are equal."""
        for begin in np.flatnonzero(np.r_[True, variable[1:] != variable[:-1]]):
            tally = self.tallies[int(variable[begin])]
            if tally.worst is not None and tally.worst.badness > (False, 0.0, 0.0):
                continue
            pairs, (a, b) = window.pairs, window.sides
            key = a.rows.at(int(pairs.c_row[begin]))
            if tally.worst is not None and tally.worst.key <= key:
                continue
            value = float(a.rows.values[pairs.c_start[begin]])
            if value != value:
                continue
            places = places_of(window, int(begin), 0)
            component = component_at(a.rows, int(pairs.c_row[begin]), int(pairs.c_start[begin]))
            py = float(b.rows.values[pairs.py_start[begin]])
            if value == py:
                made = Kept(int(variable[begin]), key, component, value, py, places, MATCH, 0.0, 0.0, 0.0, 0.0)
                tally.worst = made


def _exactly_different(window: Window, numbers: Chosen) -> npt.NDArray[np.bool_]:
    """Whole numbers that differ although no double tells them apart."""
    run, c, py = numbers.run, numbers.c, numbers.py
    made = np.zeros(len(c), np.bool_)
    pairs, (a, b) = window.pairs, window.sides
    whole = ((a.rows.flags[pairs.c_row] & b.rows.flags[pairs.py_row] & WHOLE) > 0)[run]
    for i in np.flatnonzero(whole & (c == py) & (np.abs(c) >= 10.0**EXACT_DIGITS)):
        places = places_of(window, int(run[i]), int(numbers.c_at[i] - pairs.c_start[run[i]]))
        both = [
            side.rows.exact.get((place[0], place[2]), int(value))
            for side, place, value in zip((a, b), places, (c[i], py[i]), strict=True)
        ]
        made[i] = both[0] != both[1]
    return made


def _apart(
    judged: Differences, far: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_], c: npt.NDArray[np.float64]
) -> None:
    """Whole numbers that differ although one double is nearest to both: they are apart by less than its neighbours.

    Those of a variable that has a tolerance for numbers agree within it.
    """
    if far.any():
        size = np.abs(c[far])
        judged.absolute[far] = np.where(whole[far], 1.0, np.spacing(size))
        judged.relative[far] = judged.absolute[far] / size
        judged.allowed[far] = np.where(whole[far], 0.0, judged.allowed[far])
        judged.status[far] = np.where(judged.absolute[far] > judged.allowed[far], DIVERGENT, MATCH)
        judged.needed[far] = np.where(whole[far], np.inf, judged.relative[far])
