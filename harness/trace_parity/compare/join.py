"""Two logs' rows brought together by loop indices, variable and component: never by line number.

Rows are sorted by one code of variable and loop indices. Where both sides have the same components in one run, as
almost everywhere, runs are paired whole; the rest is paired number by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trace_parity.trace.reader import ALIAS_RTOL
from trace_parity.trace.rows import ALIASED, WHOLE, Ints, Rows, among, distinct, spread, starts

Bools = npt.NDArray[np.bool_]


@dataclass
class Contradiction:
    """Two lines of one log with different values for one number."""

    side: int
    variable: int
    key: tuple[int, ...]
    component: int
    earlier: tuple[int, int, int]  # line, offset, place in the line
    later: tuple[int, int, int]


@dataclass
class Packing:
    """Loop indices of a window as one whole number each, in their lexicographic order."""

    radix: tuple[int, ...]
    ranks: npt.NDArray[np.int32] | None  # where the radices do not fit: all keys, sorted

    @property
    def size(self) -> int:
        """How many different codes there may be."""
        if self.ranks is not None:
            return len(self.ranks) + 1
        made = 1
        for radix in self.radix:
            made *= radix
        return made

    def pack(self, keys: npt.NDArray[np.int32]) -> Ints:
        """The code of each key; -1 for a key that is not among those it was made for."""
        if self.ranks is not None:
            return _rank(self.ranks, keys)
        code: Ints = np.zeros(len(keys), np.int64)
        outside = np.zeros(len(keys), np.bool_)
        for i, radix in enumerate(self.radix):
            column = keys[:, i]
            if radix > 1:
                code *= radix
                code += column
                code += 1
            outside |= column >= radix - 1
        if outside.any():
            code[outside] = -1
        return code


def packing(variables: int, *keys: npt.NDArray[np.int32]) -> Packing:
    """A packing for these keys."""
    highest = [[int(h) for h in k.max(axis=0)] for k in keys if len(k)]
    radix = tuple(max(column) + 2 for column in zip(*highest, strict=True)) if highest else ()
    made = Packing(radix, None)
    if made.size * (variables + 1) < 2**62:
        return made
    return Packing(radix, np.unique(np.concatenate(keys), axis=0))


def _rank(ranks: npt.NDArray[np.int32], keys: npt.NDArray[np.int32]) -> Ints:
    both, where = np.unique(np.concatenate([ranks, keys]), axis=0, return_inverse=True)
    place: Ints = np.full(len(both), -1, np.int64)
    place[where[: len(ranks)]] = np.arange(len(ranks))
    made: Ints = place[where[len(ranks) :]]
    return made


@dataclass
class SortedRows:
    """One side's rows of a window in order of their codes; `several`: lines that name parts of a variable."""

    rows: Rows
    code: Ints
    several: bool

    def vectors(self, codes: Ints) -> tuple[Ints, Ints]:
        """Where the row begins that has component 0 of each code, and how many components follow without a gap.

        Length 0 where the log has no component 0 there.
        """
        if not len(self.code):
            return np.zeros(len(codes), np.int64), np.zeros(len(codes), np.int64)
        at = np.minimum(np.searchsorted(self.code, codes), len(self.code) - 1)
        there = (self.code[at] == codes) & (self.rows.first[at] == 0)
        return self.rows.start[at], np.where(there, self.rows.count[at], 0)


@dataclass
class Pairs:
    """Numbers on both sides: their rows, and their places in the rows' numbers.

    A pair is a run of `count` numbers, so that most work is done once per run; the first `vectors` of them are all that
    either side has of their variable there.
    """

    c_row: npt.NDArray[Any]
    py_row: npt.NDArray[Any]
    c_start: Ints
    py_start: Ints
    count: npt.NDArray[Any]
    vectors: int


@dataclass
class Window:
    """What two sets of rows have in common, and what is on one side only."""

    sides: tuple[SortedRows, SortedRows]
    packing: Packing
    pairs: Pairs
    lonely: tuple[tuple[Ints, Ints], tuple[Ints, Ints]]  # per side: rows, and components that the other side lacks
    mismatches: list[tuple[int, int, int, int, int]]  # (row of C, C's size, PY's size, line of first lack, its side)
    contradictions: list[Contradiction]


def join(c: Rows, py: Rows, variables: int) -> Window:
    """Bring the rows of C and of PY together."""
    packed = packing(variables, c.table, py.table)
    contradictions: list[Contradiction] = []
    sides = (_sorted(c, packed, 0, contradictions), _sorted(py, packed, 1, contradictions))
    a, b = sides
    if not a.several and not b.several and np.array_equal(a.code, b.code):
        both_a = both_b = np.arange(len(a.code))
        only_a = only_b = np.empty(0, np.int64)
    else:
        both_a, both_b, only_a, only_b = _match(a, b)
    ra, rb = a.rows, b.rows
    same = (ra.first[both_a] == 0) & (rb.first[both_b] == 0) & (ra.count[both_a] == rb.count[both_b])
    if a.several or b.several:
        several = distinct(np.concatenate([_repeated(a.code), _repeated(b.code)]))
        same &= ~among(a.code[both_a], several)
    if same.all():
        pairs = Pairs(both_a, both_b, ra.start[both_a], rb.start[both_b], ra.count[both_a], len(both_a))
        lonely = (_whole_rows(ra, only_a), _whole_rows(rb, only_b))
        return Window(sides, packed, pairs, lonely, [], contradictions)
    odd = distinct(a.code[both_a[~same]])
    number_pairs, number_lonely, mismatches = _number_by_number(a, b, odd)
    whole_a, whole_b = both_a[same], both_b[same]
    pairs = Pairs(
        np.concatenate([whole_a, number_pairs.c_row]),
        np.concatenate([whole_b, number_pairs.py_row]),
        np.concatenate([ra.start[whole_a], number_pairs.c_start]),
        np.concatenate([rb.start[whole_b], number_pairs.py_start]),
        np.concatenate([ra.count[whole_a], number_pairs.count]),
        len(whole_a),
    )
    lonely_all = []
    for side, only, extra in zip(sides, (only_a, only_b), number_lonely, strict=True):
        rows, components = _whole_rows(side.rows, only)
        lonely_all.append((np.concatenate([rows, extra[0]]), np.concatenate([components, extra[1]])))
    return Window(sides, packed, pairs, (lonely_all[0], lonely_all[1]), mismatches, contradictions)


def _repeated(code: Ints) -> Ints:
    made: Ints = code[1:][code[1:] == code[:-1]]
    return made


def _whole_rows(rows: Rows, which: Ints) -> tuple[Ints, Ints]:
    count = rows.count[which]
    return np.repeat(which, count), spread(rows.first[which].astype(np.int64), count)


def _match(a: SortedRows, b: SortedRows) -> tuple[Ints, Ints, Ints, Ints]:
    """Rows of codes that both have (of a code with several rows the first on either side), and rows of the others."""
    first_a = np.flatnonzero(np.r_[True, a.code[1:] != a.code[:-1]]) if len(a.code) else np.empty(0, np.int64)
    first_b = np.flatnonzero(np.r_[True, b.code[1:] != b.code[:-1]]) if len(b.code) else np.empty(0, np.int64)
    _, ia, ib = np.intersect1d(a.code[first_a], b.code[first_b], assume_unique=True, return_indices=True)
    both = a.code[first_a[ia]]
    return first_a[ia], first_b[ib], _without(a.code, both), _without(b.code, both)


def _without(code: Ints, both: Ints) -> Ints:
    return np.flatnonzero(~among(code, both))


def _number_by_number(
    a: SortedRows, b: SortedRows, odd: Ints
) -> tuple[Pairs, list[tuple[Ints, Ints]], list[tuple[int, int, int, int, int]]]:
    """Codes whose components differ between the sides, or that several rows share."""
    parts = []
    for one in (a, b):
        rows = np.flatnonzero(among(one.code, odd))
        count = one.rows.count[rows]
        parts.append(
            (
                np.repeat(np.searchsorted(odd, one.code[rows]), count),
                spread(one.rows.first[rows].astype(np.int64), count),
                np.repeat(rows, count),
                spread(one.rows.start[rows], count),
            )
        )
    (ca, na, ra, sa), (cb, nb, rb, sb) = parts
    most = 1 + max(int(na.max(initial=0)), int(nb.max(initial=0)))
    ka, kb = ca * most + na, cb * most + nb
    _, ia, ib = np.intersect1d(ka, kb, assume_unique=True, return_indices=True)
    pairs = Pairs(ra[ia], rb[ib], sa[ia], sb[ib], np.ones(len(ia), np.int32), 0)
    # A vector of differing size: its first number on both sides, another on one only.
    lone_a, lone_b = ~np.isin(ka, kb, assume_unique=True), ~np.isin(kb, ka, assume_unique=True)
    heads = np.intersect1d(distinct(ca[na == 0]), distinct(cb[nb == 0]), assume_unique=True)
    mismatched = np.intersect1d(distinct(np.concatenate([ca[lone_a], cb[lone_b]])), heads, assume_unique=True)
    found = []
    for code in mismatched:
        spans = [slice(*np.searchsorted(codes, [code, code + 1])) for codes in (ca, cb)]
        sizes = [_length(numbers[span]) for numbers, span in zip((na, nb), spans, strict=True)]
        side = 0 if lone_a[spans[0]].any() else 1
        row = int((ra, rb)[side][spans[side]][(lone_a, lone_b)[side][spans[side]]][0])
        head = int(ra[spans[0]][0])
        found.append((head, sizes[0], sizes[1], int((a, b)[side].rows.line[row]), side))
    keep_a, keep_b = lone_a & ~among(ca, mismatched), lone_b & ~among(cb, mismatched)
    return pairs, [(ra[keep_a], na[keep_a]), (rb[keep_b], nb[keep_b])], found


def _length(components: Ints) -> int:
    """How many components from 0 on are there without a gap."""
    ordered = np.sort(components)
    gap = np.flatnonzero(ordered != np.arange(len(ordered)))
    return int(gap[0]) if len(gap) else len(ordered)


def _sorted(rows: Rows, packed: Packing, side: int, contradictions: list[Contradiction]) -> SortedRows:
    """Rows in order of their codes, every number once."""
    code = rows.variable.astype(np.int64) * packed.size + packed.pack(rows.table)[rows.key]
    order = np.argsort(code, kind="stable")
    code = code[order]
    repeated = _repeated(code)
    if not len(repeated):
        return SortedRows(_reordered(rows, order), code, False)
    return _every_number_once(rows, order, code, distinct(repeated), side, contradictions)


def _reordered(rows: Rows, order: Ints) -> Rows:
    """The rows in another order; their numbers stay where they are."""
    return Rows(
        rows.table,
        rows.key[order],
        rows.variable[order],
        rows.first[order],
        rows.count[order],
        rows.start[order],
        rows.flags[order],
        rows.line[order],
        rows.offset[order],
        rows.pos[order],
        rows.values,
        rows.exact,
    )


def _every_number_once(
    rows: Rows, order: Ints, code: Ints, repeated: Ints, side: int, contradictions: list[Contradiction]
) -> SortedRows:
    """Of a number that several lines give, the first stays; one that they give differently is a contradiction."""
    again = among(code, repeated)
    which = order[again]
    count = rows.count[which]
    component: Any = spread(rows.first[which].astype(np.int64), count)
    row: Any = np.repeat(which, count)
    codes: Any = np.repeat(code[again], count)
    place: Any = component - rows.first[row] + rows.pos[row]
    value: Any = rows.values[spread(rows.start[which], count)]
    by_number = np.lexsort((place, rows.line[row], component, codes))
    row, codes, component, place, value = (x[by_number] for x in (row, codes, component, place, value))
    fresh = np.r_[True, (codes[1:] != codes[:-1]) | (component[1:] != component[:-1])]
    head = np.maximum.accumulate(np.where(fresh, np.arange(len(fresh)), 0))
    for later in np.flatnonzero(~fresh & _contradict(rows, row, place, value, head)):
        earlier = head[later]
        at = [(int(rows.line[row[i]]), int(rows.offset[row[i]]), int(place[i])) for i in (earlier, later)]
        key = rows.at(int(row[later]))
        contradictions.append(
            Contradiction(side, int(rows.variable[row[later]]), key, int(component[later]), at[0], at[1])
        )
    row, codes, component, place, value = (x[fresh] for x in (row, codes, component, place, value))
    # Runs of consecutive components out of one row.
    begins = np.flatnonzero(
        np.r_[True, (codes[1:] != codes[:-1]) | (component[1:] != component[:-1] + 1) | (row[1:] != row[:-1])]
    )
    run_count = np.diff(np.r_[begins, len(row)]).astype(np.int32)
    single = order[~again]
    head_row = row[begins]
    made = Rows(
        rows.table,
        np.concatenate([rows.key[single], rows.key[head_row]]),
        np.concatenate([rows.variable[single], rows.variable[head_row]]),
        np.concatenate([rows.first[single], component[begins].astype(np.int32)]),
        np.concatenate([rows.count[single], run_count]),
        np.concatenate([rows.start[single], len(rows.values) + starts(run_count)]),
        np.concatenate([rows.flags[single], rows.flags[head_row]]),
        np.concatenate([rows.line[single], rows.line[head_row]]),
        np.concatenate([rows.offset[single], rows.offset[head_row]]),
        np.concatenate([rows.pos[single], place[begins].astype(np.int32)]),
        np.concatenate([rows.values, value]),
        rows.exact,
    )
    all_codes = np.concatenate([code[~again], codes[begins]])
    again_sorted = np.lexsort((made.first, all_codes))
    all_codes = all_codes[again_sorted]
    return SortedRows(_reordered(made, again_sorted), all_codes, bool(len(_repeated(all_codes))))


def _contradict(rows: Rows, row: Ints, place: Ints, value: npt.NDArray[np.float64], head: Ints) -> Bools:
    """Where a number and the first one for the same place cannot both be right."""
    first = value[head]
    with np.errstate(invalid="ignore"):
        differs: Bools = (value != first) & ~(np.isnan(value) & np.isnan(first))
        older = ((rows.flags[row] | rows.flags[row[head]]) & ALIASED) > 0
        near = np.abs(value - first) <= ALIAS_RTOL * np.maximum(np.abs(value), np.abs(first))
    differs &= ~(older & near)
    if rows.exact:
        both = (rows.flags[row] & rows.flags[row[head]] & WHOLE) > 0
        for i in np.flatnonzero(both & (np.abs(value) > 2.0**49)):
            pair = [
                rows.exact.get((int(rows.line[row[j]]), int(place[j])), int(value[j])) for j in (int(head[i]), int(i))
            ]
            differs[i] = pair[0] != pair[1]
    return differs
