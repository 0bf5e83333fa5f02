"""The numbers of a window that differ, one by one: counted, and what is worst and what is first is kept."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trace_parity.compare.join import Window
from trace_parity.compare.tally import Kept, Place, VariableTally
from trace_parity.compare.tolerance_table import MATCH, Differences
from trace_parity.trace.rows import Rows

if TYPE_CHECKING:
    from trace_parity.compare.comparison import Comparison

KEPT_ROWS = 1000
"""How many divergent numbers, in order of evaluation, are kept one by one."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Chosen:
    """Numbers of a window, by columns: the pair of runs each is in, both values, and where those are in their sides."""

    run: Ints
    c: npt.NDArray[np.float64]
    py: npt.NDArray[np.float64]
    c_at: Ints
    py_at: Ints

    def only(self, which: Ints) -> Chosen:
        """Those at some places of the columns."""
        return Chosen(self.run[which], self.c[which], self.py[which], self.c_at[which], self.py_at[which])


class Look:
    """The numbers of a window that differ, one by one."""

    def __init__(self, found: Comparison, window: Window, judged: Differences, chosen: Chosen) -> None:
        self.found, self.window, self.judged, self.chosen = found, window, judged, chosen

    def kept(self, i: int) -> Kept:
        """One of them."""
        pairs, rows, chosen = self.window.pairs, self.window.sides[0].rows, self.chosen
        run, j = int(chosen.run[i]), self.judged
        row = int(pairs.c_row[run])
        within = int(chosen.c_at[i] - pairs.c_start[run])
        return Kept(
            int(rows.variable[row]),
            rows.at(row),
            component_at(rows, row, int(chosen.c_at[i])),
            float(chosen.c[i]),
            float(chosen.py[i]),
            places_of(self.window, run, within),
            int(j.status[i]),
            float(j.absolute[i]),
            float(j.relative[i]),
            float(j.allowed[i]),
            float(j.needed[i]),
        )

    def tally(self, variable: npt.NDArray[np.int32]) -> None:
        """Count, and keep what is worst and what is first."""
        found, judged = self.found, self.judged
        order = np.arange(len(variable))
        if (variable[1:] < variable[:-1]).any():
            order = np.argsort(variable, kind="stable")
        ordered = variable[order]
        begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        ends = np.r_[begins[1:], len(ordered)]
        bad = (judged.status != MATCH)[order]
        with np.errstate(divide="ignore"):
            needed = judged.needed[order]
            score = np.where(bad, needed, -1.0 / needed)
        most = np.maximum.reduceat(score, begins)
        counts = np.add.reduceat(bad.astype(np.int64), begins)
        found.needed_rtol = max(found.needed_rtol, float(needed.max()))
        for begin, end, top, count in zip(begins, ends, most, counts, strict=True):
            tally = found.tallies[int(ordered[begin])]
            tally.divergent += int(count)
            self._worst(tally, order, score, (int(begin), int(end)), float(top))
        if found.every:
            found.rows += [self.kept(i) for i in range(len(variable))]
        if bad.any():
            self._first(order, ordered, bad, begins, ends)

    def _worst(
        self,
        tally: VariableTally,
        order: Ints,
        score: npt.NDArray[np.float64],
        span: tuple[int, int],
        top: float,
    ) -> None:
        if tally.worst is not None:
            bad, needed, _ = tally.worst.badness
            known = needed if bad else (-1.0 / needed if needed else -np.inf)
            if top < known:
                return
        within = score[span[0] : span[1]]
        tied = order[span[0] + np.flatnonzero(within == top)]
        rel = self.judged.relative[tied]
        made = self.kept(int(tied[int(np.argmax(np.where(np.isnan(rel), np.inf, rel)))]))
        if (
            tally.worst is None
            or made.badness > tally.worst.badness
            or (
                made.badness == tally.worst.badness
                and (made.key, made.component)
                < (
                    tally.worst.key,
                    tally.worst.component,
                )
            )
        ):
            tally.worst = made

    def _first(
        self, order: Ints, ordered: npt.NDArray[np.int32], bad: npt.NDArray[np.bool_], begins: Ints, ends: Ints
    ) -> None:
        """Keep the first rows that differ, in order of evaluation. Within a variable rows come in that order."""
        found = self.found
        limit = found.kept[-1][0] if len(found.kept) >= KEPT_ROWS else None

        def of_variable(which: Ints, variable: Any) -> Iterator[tuple[tuple[Any, ...], int]]:
            mixed = variable.scope.closing
            made = (
                (found.vocabulary.order(variable, (k := self.kept(int(i))).key, k.component), int(i)) for i in which
            )
            for row in sorted(made) if mixed else made:
                if limit is not None and row[0] > limit:
                    return
                yield row

        parts = []
        for begin, end in zip(begins, ends, strict=True):
            which = order[begin + np.flatnonzero(bad[begin:end])]
            if len(which):
                parts.append(of_variable(which, found.names.variables[int(ordered[begin])]))
        merged = heapq.merge(*parts)
        fresh = [(at, self.kept(i)) for (at, i), _ in zip(merged, range(KEPT_ROWS), strict=False)]
        if fresh:
            found.kept = sorted([*found.kept, *fresh], key=lambda row: row[0])[:KEPT_ROWS]


def component_at(rows: Rows, row: int, at: int) -> int:
    """The component of its vector at a place of the numbers of a row."""
    return int(rows.first[row]) + at - int(rows.start[row])


def places_of(window: Window, run: int, within: int) -> tuple[Place, Place]:
    """The place of a number of a pair of runs on either side."""
    pairs = window.pairs
    made = []
    for side, row, start in ((0, pairs.c_row[run], pairs.c_start[run]), (1, pairs.py_row[run], pairs.py_start[run])):
        rows = window.sides[side].rows
        pos = int(rows.pos[row]) + int(start) - int(rows.start[row]) + within
        made.append((int(rows.line[row]), int(rows.offset[row]), pos))
    return made[0], made[1]
