"""A file of columns under a streaming comparison."""

from __future__ import annotations

import ctypes as ct
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.stream import native
from trace_parity.stream.registry import Registry
from trace_parity.stream.source import Restart
from trace_parity.trace.parquet import SIDES, ColumnFile

_NUMBERS = {"component": np.int32, "value": np.float64, "line": np.int64, "pos": np.int32}


class ColumnSource:
    """One side of a file of columns; a position is a row."""

    weight = 55

    def __init__(self, path: Path, side: int, vocabulary: Vocabulary) -> None:
        self.path, self.side = path, side
        self.file = ColumnFile(path, SIDES[side], vocabulary)
        self.size = self.file.rows
        metadata = self.file.file.metadata
        self.starts: list[int] = list(
            accumulate((metadata.row_group(group).num_rows for group in self.file.groups), initial=0)
        )
        self._texts = lru_cache(maxsize=8)(self._texts_of)

    def open(self, registry: Registry) -> None:
        """See Source."""
        self.registry, self.lib = registry, registry.lib
        self.table = self.file.table()
        self.unreadable = self.file.unreadable
        self.next_group = 0
        self.columns: dict[str, Any] = {}

    def position(self) -> int:
        """See Source."""
        return self.starts[self.next_group]

    def scan(self, amount: int) -> bool:
        """See Source. A row group at a time, however much is asked."""
        del amount
        if self.next_group >= len(self.file.groups):
            self.columns = {}
            return False
        loops = self.registry.vocabulary.loops
        group = self.file.group(self.next_group, [*loops, "variable", *_NUMBERS]).combine_chunks()
        kinds = {**dict.fromkeys(loops, np.int32), **_NUMBERS}
        self.columns = {name: np.ascontiguousarray(group[name].to_numpy(), kind) for name, kind in kinds.items()}
        words = group["variable"].chunk(0) if group["variable"].num_chunks else None
        self.columns["indices"] = words.indices.to_numpy() if words is not None else np.empty(0, np.int32)
        self.columns["words"] = words.dictionary.to_pylist() if words is not None else []
        self.next_group += 1
        return True

    def drain(self) -> None:
        """See Source."""
        if not self.columns:
            return
        loops = self.registry.vocabulary.loops
        numbers = np.array(self._numbers(), np.uint32)[self.columns["indices"]]
        pointers = (ct.c_void_p * max(1, len(loops)))(*(self.columns[loop].ctypes.data for loop in loops))
        rest = [self.columns[name].ctypes.data for name in _NUMBERS]
        code = self.lib.ts_feed(
            self.registry.context,
            self.side,
            len(numbers),
            pointers,
            numbers.ctypes.data,
            *rest,
            self.starts[self.next_group - 1],
            ct.byref(ct.c_uint64(0)),
        )
        if code != native.OK:
            native.check(code)
            raise Restart(code, self.side)

    def _numbers(self) -> list[int]:
        """Which variable each word of the group's dictionary is; one that no row names is none."""
        indices, found = self.columns["indices"], []
        first = {int(word): int(at) for word, at in zip(*np.unique(indices, return_index=True), strict=True)}
        for i, word in enumerate(self.columns["words"]):
            if i not in first:
                found.append(0)
                continue
            key = tuple(int(self.columns[loop][first[i]]) for loop in self.registry.vocabulary.loops)
            found.append(self.registry.number(self.file.variable(word, key)))
        return found

    def finish(self) -> None:
        """See Source."""

    def text(self, offset: int, pos: int) -> str:
        """See Source."""
        row = (offset + pos) % 2**64
        group = bisect_right(self.starts, row) - 1
        return str(self._texts(group)[row - self.starts[group]].as_py())

    def _texts_of(self, group: int) -> Any:
        return self.file.group(group, ["text"])["text"]

    def close(self) -> None:
        """See Source."""
        self.file.file.close()
