"""The rows that a contract requires, checked window by window."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from trace_parity.compare.join import SortedRows, Window
from trace_parity.pair.contract import Contract
from trace_parity.pair.vocabulary import ABSENT, Key, Vocabulary
from trace_parity.trace.names import Names


class Wanted:
    """How many numbers of each wanted row either side has."""

    def __init__(self, contract: Contract, names: Names) -> None:
        vocabulary = names.vocabulary
        self.vocabulary = vocabulary
        self.by_name: dict[str, list[tuple[int, int, Key]]] = {
            name: [
                (names.number(v), v.size or 1, k)
                for v in vocabulary.named(name)
                for k in contract_keys(vocabulary, v.scope.loops, contract)
            ]
            for name in contract.variables
        }
        rows = [row for of_name in self.by_name.values() for row in of_name]
        self.number = np.array([row[0] for row in rows], np.int64)
        self.size = np.array([row[1] for row in rows], np.int64)
        self.keys = np.array([row[2] for row in rows], np.int32).reshape(len(rows), len(vocabulary.loops))
        self.present = np.zeros((2, len(rows)), np.int64)

    def look(self, window: Window) -> None:
        """Count what a window has of them."""
        if not len(self.number):
            return
        packed = window.packing.pack(self.keys)
        inside = np.flatnonzero(packed >= 0)
        codes = self.number[inside] * window.packing.size + packed[inside]
        for i, side in enumerate(window.sides):
            self.present[i, inside] += _present(side, codes, self.size[inside])

    def lacking(self) -> Iterator[tuple[str, int, int, list[Key]]]:
        """(name, side, how many are wanted, the keys that the side lacks), per name and side."""
        start = 0
        for name, wanted in self.by_name.items():
            span = slice(start, start + len(wanted))
            for side in (0, 1):
                short = np.flatnonzero(self.present[side, span] < self.size[span])
                yield name, side, len(wanted), [wanted[i][2] for i in short]
            start += len(wanted)


def _present(side: SortedRows, codes: np.ndarray, size: np.ndarray) -> np.ndarray:
    begins, ends = np.searchsorted(side.code, codes), np.searchsorted(side.code, codes, side="right")
    made = np.zeros(len(codes), np.int64)
    for i in np.flatnonzero(ends > begins):
        rows = slice(int(begins[i]), int(ends[i]))
        first = side.rows.first[rows].astype(np.int64)
        last = np.minimum(first + side.rows.count[rows], size[i])
        made[i] = int(np.maximum(0, last - first).sum())
    return made


def contract_keys(vocabulary: Vocabulary, loops: tuple[str, ...], contract: Contract) -> list[tuple[int, ...]]:
    """Every key that the contract requires in a scope of these loops: its places in the focus, all ticks else."""
    places = [dict(zip(vocabulary.focus, place, strict=True)) for place in contract.places] or [{}]
    keys: dict[tuple[int, ...], None] = {}
    for place in places:
        indices = [
            (ABSENT,) if loop not in loops else (place[loop],) if loop in place else range(contract.ticks.get(loop, 1))
            for loop in vocabulary.loops
        ]
        keys |= dict.fromkeys(product(*indices))
    return list(keys)
