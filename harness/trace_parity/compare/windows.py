"""Two logs of any size: read side by side and compared window by window; compared rows are released.

A block is the set of rows with the same indices of the outermost loops (a pixel, a step). It is compared once both logs
have left it; until then its rows are held. Rows in no block belong to the whole run: they are held, each once, and
compared at the end. If a log returns to a block that was compared, or prints a scale after rows were judged without it,
the comparison starts again and holds all rows, which is correct in any order: rows are sorted into parts by their block
as they are read, and the parts are compared one by one at the end. Rows are never paired by line number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trace_parity.compare.comparison import Comparison
from trace_parity.compare.join import Contradiction, join
from trace_parity.pair.vocabulary import ABSENT, Vocabulary
from trace_parity.trace.rows import Rows, among, distinct, empty, joined

PIECE = 7 << 18
FIRST_PIECE = 1 << 16
MANY_WAITING = 2_000_000
"""Numbers waiting for their counterpart at once beyond which the result says so: they take some 40 bytes each."""

Ints = npt.NDArray[np.int64]
Progress = Callable[[int], None]


class Source(Protocol):
    """What rows of one side come from (see compare/logs.py)."""

    size: int

    @property
    def position(self) -> int:
        """How much of `size` has been read."""

    @property
    def ended(self) -> bool:
        """Whether all has been."""

    def read(self, amount: int) -> Rows:
        """The rows of about that many further bytes."""


class BeginAgainError(Exception):
    """An assumption about the logs does not hold; the message names it."""


def block_depth(vocabulary: Vocabulary) -> int:
    """How many outermost loops make a block; 0 where the scale of a tolerance may lie in another block.

    Those of a site, two at most; sibling nests run through a loop in turn, so that a block is what is around them.
    """
    depth = min(2, vocabulary.site_depth, *([vocabulary.nests_inside] if vocabulary.nests_inside else []))
    outer = set(vocabulary.loops[:depth])
    for variable in vocabulary.variables:
        scale = variable.tolerance.scale
        for target in vocabulary.named(scale.name) if scale is not None and scale.kind == "variable" else ():
            inside = outer & set(target.scope.loops)
            if inside and inside != outer:
                return 0
    return depth


class Pending:
    """The rows of one side that wait."""

    def __init__(self, loops: int, depth: int, *, in_any_order: bool = False) -> None:
        self.loops, self.depth = loops, depth
        self.all_held = Held(loops, depth) if in_any_order and depth else None
        self.parts: list[Rows] = []
        self.fresh = self.held = 0
        self.run: list[Rows] = []
        self.run_fresh = self.run_held = 0
        self.current: int | None = None

    def put(self, rows: Rows) -> Rows:
        """Take rows in; those of the whole run come back too."""
        if not len(rows):
            return rows
        if self.depth == 0:
            self.parts.append(rows)
            self.held += len(rows)
            return empty(self.loops)
        is_run = (rows.table[:, : self.depth] == ABSENT).all(axis=1)
        whole = empty(self.loops)
        if is_run.any() and (of_run := is_run[rows.key]).any():
            whole = rows.take(of_run)
            self.run.append(whole)
            self.run_fresh += len(whole)
            rows = rows.take(~of_run)
        if len(rows) and self.all_held is not None:
            self.held += len(rows)
            self.all_held.put(rows)
        elif len(rows):
            self.parts.append(rows)
            self.fresh += len(rows)
            self.held += len(rows)
            last = int(np.argmax(rows.line))
            self.current = int(_blocks(rows.table[rows.key[last] : rows.key[last] + 1], self.depth)[0])
        return whole

    def once(self, side: int, variables: int, contradictions: list[Contradiction]) -> None:
        """Hold every row of the whole run once: programs print them again and again."""
        if self.run_fresh > self.run_held + 10_000:
            window = join(joined(self.run, self.loops), empty(self.loops), variables)
            for found in window.contradictions:
                found.side = side
            contradictions += window.contradictions
            rows = window.sides[0].rows
            self.run = [rows.take(np.arange(len(rows)))]
            self.run_fresh, self.run_held = 0, len(rows)

    def all(self) -> Rows:
        """All rows that wait, as one set."""
        made = joined(self.parts, self.loops)
        self.parts = [made] if len(made) else []
        self.fresh = 0
        return made


PARTS = 32
"""Into how many parts the blocks of logs in any order are sorted: the work on one takes several times its size."""
SORTED_AT_ONCE = 40_000
"""Rows that are gathered before they are sorted: what is gathered lies in one place per part."""


class Held:
    """All rows of one side in a place, sorted by the part that their block is in."""

    def __init__(self, loops: int, depth: int) -> None:
        self.loops, self.depth = loops, depth
        self.pieces: list[tuple[Rows, Ints]] = []
        self.fresh: list[Rows] = []

    def put(self, rows: Rows) -> None:
        """Take rows in."""
        self.fresh.append(rows)
        if sum(map(len, self.fresh)) >= SORTED_AT_ONCE:
            self._sort()

    def _sort(self) -> None:
        rows = joined(self.fresh, self.loops)
        self.fresh.clear()
        mixed = _blocks(rows.table, self.depth).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        part = ((mixed >> np.uint64(40)).astype(np.uint8) % PARTS)[rows.key]
        order = np.argsort(part, kind="stable")
        ends = np.searchsorted(part[order], np.arange(PARTS + 1))
        self.pieces.append((rows.take(order).with_own_keys(), ends))

    def part(self, n: int) -> Rows:
        """The rows of one part."""
        if self.fresh:
            self._sort()
        return joined([rows.part(int(ends[n]), int(ends[n + 1])) for rows, ends in self.pieces], self.loops)


def _blocks(keys: npt.NDArray[np.int32], depth: int) -> Ints:
    """The block of each row as one whole number."""
    made: Ints = np.zeros(len(keys), np.int64)
    for i in range(depth):
        made = (made << 32) | (keys[:, i].astype(np.int64) + 1)
    return made


def _runs(rows: Rows, depth: int) -> tuple[Ints, Ints]:
    """The blocks of rows that follow one another in the same block, and where such rows begin."""
    changes = np.flatnonzero(rows.key[1:] != rows.key[:-1]) + 1
    begins = np.concatenate([np.zeros(min(1, len(rows)), np.int64), changes])
    block = _blocks(rows.table, depth)[rows.key[begins]]
    fresh = np.ones(len(begins), np.bool_)
    np.not_equal(block[1:], block[:-1], out=fresh[1:])
    return block[fresh], begins[fresh]


def _parted(rows: Rows, begins: Ints, is_ready: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """The rows that are ready, and the others. Rows of a place begin at `begins`."""
    first_kept = int(np.argmin(is_ready)) if len(is_ready) and not is_ready.all() else len(is_ready)
    if not is_ready[first_kept:].any():  # as in logs that go from place to place alike
        cut = int(begins[first_kept]) if first_kept < len(begins) else len(rows)
        return rows.part(0, cut), rows.take(np.arange(cut, len(rows)))
    which = np.repeat(is_ready, np.diff(np.r_[begins, len(rows)]))
    return rows.take(which), rows.take(~which)


class _Gone:
    """Blocks that were compared."""

    def __init__(self) -> None:
        self.sorted: Ints = np.empty(0, np.int64)
        self.recent: list[Ints] = []
        self.last = -1  # the largest of them: logs mostly go on to larger ones

    def any_of(self, blocks: Ints) -> bool:
        blocks = blocks[blocks <= self.last]
        if not len(blocks):
            return False
        return any(bool(among(blocks, part).any()) for part in (self.sorted, *self.recent))

    def add(self, blocks: Ints) -> None:
        self.last = max(self.last, int(blocks.max()))
        self.recent.append(blocks)
        if len(self.recent) > 32:
            self.sorted = np.sort(np.concatenate([self.sorted, *self.recent]))
            self.recent.clear()


class Windows:
    """Cuts the rows of both logs into windows and passes them to a comparison."""

    def __init__(self, comparison: Comparison, depth: int, *, in_any_order: bool = False) -> None:
        self.comparison, self.depth = comparison, depth
        self.in_any_order = in_any_order or depth == 0
        loops = len(comparison.vocabulary.loops)
        c, py = (Pending(loops, depth, in_any_order=in_any_order) for _ in range(2))
        self.pending = (c, py)
        self.gone = _Gone()
        self.judged = False
        self.most_waiting = 0

    def put(self, side: int, rows: Rows) -> None:
        """Rows that were read from a log. Raises BeginAgainError."""
        of_run = self.pending[side].put(rows)
        if side == 0 and len(of_run) and self.comparison.scales.remember(of_run) and self.judged:
            raise BeginAgainError("the C log prints the scale of a tolerance after the numbers that it applies to")
        self.pending[side].once(side, len(self.comparison.names.variables), self.comparison.contradictions)

    def compare(self, ended: Sequence[bool]) -> None:
        """Compare the blocks that both logs have left. Raises BeginAgainError."""
        if self.in_any_order:
            return
        waits = [p.held - p.fresh for p in self.pending]
        if not all(ended) and sum(p.fresh for p in self.pending) < sum(waits) / 2:
            return
        rows = [p.all() for p in self.pending]
        self.most_waiting = max(self.most_waiting, sum(r.numbers for r in rows))
        runs = [_runs(r, self.depth) for r in rows]
        unique = [distinct(blocks) for blocks, _ in runs]
        if any(self.gone.any_of(u) for u in unique):
            raise BeginAgainError("a log returns to places that it had finished")
        left = [
            u if end or p.current is None else u[u != p.current]
            for u, end, p in zip(unique, ended, self.pending, strict=True)
        ]
        ready = np.intersect1d(left[0], left[1], assume_unique=True)
        for side in (0, 1):
            if ended[1 - side]:
                ready = np.sort(np.r_[ready, np.setdiff1d(left[side], unique[1 - side], assume_unique=True)])
        if not len(ready):
            return
        chosen = []
        for side in (0, 1):
            blocks, begins = runs[side]
            now, kept = _parted(rows[side], begins, among(blocks, ready))
            chosen.append(now)
            self.pending[side].parts = [kept] if len(kept) else []
            self.pending[side].held = len(kept)
        self.gone.add(ready)
        self.judged = True
        self.comparison.add(chosen[0], chosen[1])

    def finish(self) -> None:
        """Compare the remaining rows once both logs have ended."""
        self.compare((True, True))
        held = [pending.all_held for pending in self.pending]
        if held[0] is not None and held[1] is not None:
            for n in range(PARTS):
                self.comparison.add(held[0].part(n), held[1].part(n))
        c, py = (joined([*p.run, *p.parts], p.loops) for p in self.pending)
        self.comparison.scales.remember(c)
        self.comparison.add(c, py)
        self.comparison.finish()


def read_abreast(
    sources: Sequence[Source], windows: Windows, progress: Progress = lambda percent: None, piece: int = PIECE
) -> None:
    """One pass through both logs; the side that is behind is read first. Raises BeginAgainError."""
    amount = min(piece, FIRST_PIECE)
    whole = max(1, sum(source.size for source in sources))
    while not all(source.ended for source in sources):
        for side in _behind(sources, windows):
            windows.put(side, sources[side].read(amount))
        windows.compare([source.ended for source in sources])
        amount = piece
        progress(100 * sum(source.position for source in sources) // whole)


def _behind(sources: Sequence[Source], windows: Windows) -> tuple[int, ...]:
    going = tuple(i for i, source in enumerate(sources) if not source.ended)
    if len(going) < 2:
        return going
    c, py = (pending.held for pending in windows.pending)
    if c > 2 * py + 20_000:
        return (1,)
    return (0,) if py > 2 * c + 20_000 else (0, 1)
