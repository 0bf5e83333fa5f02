"""Writing the rows of both logs in columns (see trace/parquet.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace.log_file import LogFile
from trace_parity.trace.names import Names
from trace_parity.trace.parquet import METADATA, about, arrow, is_columns, schema
from trace_parity.trace.piece import Texts
from trace_parity.trace.reader import SIDES, Taken
from trace_parity.trace.rows import Rows, spread
from trace_parity.trace.scanner import Scanner

GROUP_ROWS = 65536
_PIECE = 1 << 20


ReadAs = tuple[str, Taken]
"""Whose lines are taken from a log, and how."""


def write_columns(
    path: Path, logs: tuple[Path, Path], vocabulary: Vocabulary, read_as: tuple[ReadAs | None, ReadAs | None]
) -> None:
    """Write all rows of both logs, read as a comparison has read them (`Found.read_as`).

    Raises HarnessError (exit 2 for a file that holds columns already).
    """
    for log in logs:
        if is_columns(log):
            raise HarnessError(
                Exit.USAGE, "holds columns already", where=str(log), hint="--columns is for logs as text"
            )
    writer = ColumnWriter(path, vocabulary)
    try:
        for side, log, known in zip(SIDES, logs, read_as, strict=True):
            writer.take(log, side, known or (side, Taken()))
        writer.finish()
    finally:
        writer.abandon()


class ColumnWriter:
    """Writes next to the final name and renames at the end: a run that is cut short leaves nothing."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self.pa = arrow()
        self.path, self.partial = path, path.with_name(f".{path.name}.partial")
        self.vocabulary, self.schema, self.names = vocabulary, schema(vocabulary), Names(vocabulary)
        self.groups: list[str] = []
        self.about: dict[str, Any] = {}
        self.waiting: list[Any] = []
        if not path.parent.is_dir():
            raise HarnessError(Exit.USAGE, "cannot be written: its folder does not exist", where=str(path))
        try:
            self.writer: Any = self.pa.parquet.ParquetWriter(self.partial, self.schema, compression="snappy")
        except OSError as error:
            raise HarnessError(Exit.USAGE, error.strerror or str(error), where=str(path)) from error

    def take(self, log: Path, side: str, read_as: ReadAs) -> None:
        """All rows of one log."""
        file = LogFile(log)
        scanner = Scanner(
            file, read_as[0], self.names, read_as[1], sink=lambda rows, texts: self._put(side, rows, texts)
        )
        try:
            while not scanner.ended:
                scanner.read(_PIECE)
                if sum(map(len, self.waiting)) >= GROUP_ROWS:
                    self._write(side)
            scanner.finish()
            scanner.table.variables.update({v.id: v for v in self.names.variables if v.unit == "text"})
        finally:
            scanner.close()
            file.close()
        self._write(side)
        scanner.table.side = side
        self.about[side] = about(scanner.table)

    def _put(self, side: str, rows: Rows, texts: Texts) -> None:
        pa, count = self.pa, rows.numbers
        if not count:
            return
        row = np.repeat(np.arange(len(rows)), rows.count)
        within = spread(np.zeros(len(rows), np.int64), rows.count)
        words = [variable.id for variable in self.names.variables]
        ends = np.concatenate(([0], texts[1])).astype(np.int32)
        columns: dict[str, Any] = {
            "side": pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), [side]),
            "variable": pa.DictionaryArray.from_arrays(pa.array(rows.variable[row].astype(np.int32)), words),
            "component": (rows.first[row] + within).astype(np.int32),
            "value": rows.values,
            "flags": rows.flags[row],
            "text": pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(texts[0])),
            "line": rows.line[row],
            "pos": (rows.pos[row] + within).astype(np.int32),
            **{loop: rows.keys[row, i] for i, loop in enumerate(self.vocabulary.loops)},
        }
        made = [
            columns[name] if not isinstance(columns[name], np.ndarray) else pa.array(columns[name])
            for name in self.schema.names
        ]
        self.waiting.append(pa.table(made, schema=self.schema))

    def _write(self, side: str) -> None:
        if not self.waiting:
            return
        table = self.pa.concat_tables(self.waiting).unify_dictionaries().combine_chunks()
        self.waiting.clear()
        self.writer.write_table(table, row_group_size=max(1, len(table)))
        self.groups.append(side)

    def finish(self) -> None:
        """All logs have been taken."""
        text = json.dumps({"sides": self.about, "groups": self.groups}, sort_keys=True)
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
