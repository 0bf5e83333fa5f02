"""Writing the rows of both logs in columns, as they are read (see trace_parity.trace.parquet)."""

from __future__ import annotations

import ctypes as ct
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import Key, Vocabulary
from trace_parity.stream.registry import Registry
from trace_parity.stream.source import LogSource, Source
from trace_parity.trace.parquet import GROUP_ROWS, METADATA, SIDES, about, arrow, schema
from trace_parity.trace.table import Number, TraceTable

_PLAIN = ("component", "value", "line", "pos")


class ColumnWriter:
    """Writes beside the final name and renames at the end: a run that is cut short leaves nothing."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self.pa = arrow()
        self.path, self.partial = path, path.with_name(f".{path.name}.partial")
        self.vocabulary, self.schema = vocabulary, schema(vocabulary)
        self.writer: Any = None
        self.restart()

    def restart(self) -> None:
        """Begin again with an empty file."""
        self._close()
        try:
            self.writer = self.pa.parquet.ParquetWriter(self.partial, self.schema, compression="snappy")
        except OSError as error:
            raise HarnessError(Exit.USAGE, error.strerror or str(error), where=str(self.path)) from error
        self.groups: list[str] = []
        self.waiting: tuple[list[Any], list[Any]] = ([], [])
        self.by_hand: tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]] = ([], [])

    def take(self, source: Source) -> None:
        """The rows that a source has just given to the join."""
        assert isinstance(source, LogSource)
        columns = _collect(source)
        if len(columns["value"]):
            self.waiting[source.side].append(self._table(source.side, columns, source.registry))
        for number, packed, component, value, word, line, pos in source.by_hand_rows:
            key = tuple(packed.at[: len(self.vocabulary.loops)])
            variable = source.registry.variables[number].id
            self.add(source.side, key, variable, component, Number(value, word, line), pos)
        source.by_hand_rows.clear()
        if sum(map(len, self.waiting[source.side])) >= GROUP_ROWS:
            self._write(source.side)

    def add(self, side: int, key: Key, variable: str, component: int, number: Number, pos: int) -> None:
        """One row."""
        self.by_hand[side].append((SIDES[side], *key, variable, component, number.value, number.text, number.line, pos))
        if len(self.by_hand[side]) >= GROUP_ROWS:
            self._write(side)

    def _table(self, side: int, columns: dict[str, Any], registry: Registry) -> Any:
        pa, count = self.pa, len(columns["value"])
        words = [variable.id for variable in registry.variables]
        indices = pa.array(columns["variable"].astype(np.int32))
        ends = np.concatenate(([0], columns["text_end"])).astype(np.int32)
        made = {
            "side": pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), [SIDES[side]]),
            "variable": pa.DictionaryArray.from_arrays(indices, words),
            "text": pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(columns["text"])),
            **{name: pa.array(columns[name]) for name in (*self.vocabulary.loops, *_PLAIN)},
        }
        return pa.table([made[name] for name in self.schema.names], schema=self.schema)

    def _write(self, side: int) -> None:
        pa = self.pa
        if rows := self.by_hand[side]:
            made = [pa.array(c, type=f.type) for c, f in zip(zip(*rows, strict=True), self.schema, strict=True)]
            self.waiting[side].append(pa.table(made, schema=self.schema))
            rows.clear()
        if not self.waiting[side]:
            return
        table = pa.concat_tables(self.waiting[side]).unify_dictionaries().combine_chunks()
        self.waiting[side].clear()
        self.writer.write_table(table, row_group_size=max(1, len(table)))
        self.groups.append(SIDES[side])

    def finish(self, sources: Sequence[Source]) -> None:
        """All rows have been taken."""
        self._finish({SIDES[s.side]: about(s.table, s.unreadable) for s in sources})

    def finish_tables(self, tables: Sequence[TraceTable]) -> None:
        """All rows of two tables have been added."""
        self._finish({side: about(t, len(t.unreadable)) for side, t in zip(SIDES, tables, strict=True)})

    def _finish(self, sides: dict[str, Any]) -> None:
        for side in (0, 1):
            self._write(side)
        text = json.dumps({"sides": sides, "groups": self.groups}, sort_keys=True)
        self.writer.add_key_value_metadata({METADATA: text.encode()})
        self._close()
        self.partial.replace(self.path)

    def abandon(self) -> None:
        """Leave nothing unfinished behind; does nothing after `finish`."""
        self._close()
        self.partial.unlink(missing_ok=True)

    def _close(self) -> None:
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close()


def _collect(source: LogSource) -> dict[str, Any]:
    """The new rows of the last scan, as C has them."""
    registry, state = source.registry, source.state()
    most, text_bytes = max(1, state[7]), max(1, state[8])
    loops = {name: np.empty(most, np.int32) for name in registry.vocabulary.loops}
    columns: dict[str, Any] = {
        "variable": np.empty(most, np.uint32),
        "component": np.empty(most, np.int32),
        "value": np.empty(most, np.float64),
        "line": np.empty(most, np.int64),
        "pos": np.empty(most, np.int32),
        "text_end": np.empty(most, np.int64),
        "text": np.empty(text_bytes, np.uint8),
    }
    pointers = (ct.c_void_p * max(1, len(loops)))(*(column.ctypes.data for column in loops.values()))
    addresses = [column.ctypes.data for column in columns.values()]
    count = registry.lib.ts_collect(registry.context, source.side, 0, pointers, *addresses)
    text = columns.pop("text")
    cut = {name: column[:count] for name, column in {**loops, **columns}.items()}
    return {**cut, "text": text[: int(cut["text_end"][-1]) if count else 0]}
