"""The rows of logs in columns (Arrow's Parquet files), written once and read back many times faster than text.

One file holds both sides, as one log may: a row group belongs to one side. Columns: side, one per loop (-1 where a row
sits in no such loop), variable (`scope.name`), component, value, text as it stood, line, and the number's place in its
line. What a log held besides rows (how many lines, unreadable ones, notes, older names) is in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import ABSENT, Key, Variable, Vocabulary
from trace_parity.trace.reader import read_trace
from trace_parity.trace.table import Number, RowId, TraceTable, Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".parquet"
METADATA = b"trace-diff"
GROUP_ROWS = 65536
SIDES = ("C", "PY")


def is_columns(path: Path) -> bool:
    """Whether a path names a file of columns, by its suffix."""
    return path.suffix == SUFFIX


def arrow() -> Any:
    """The pyarrow package. Raises HarnessError (exit 2) where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise HarnessError(
            Exit.USAGE, "pyarrow is not installed", where="columns", hint="pip install 'trace-parity[columns]'"
        ) from error
    return pyarrow


def schema(vocabulary: Vocabulary) -> pa.Schema:
    """The columns of a file."""
    pa = arrow()
    words = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("side", words),
            *((loop, pa.int32()) for loop in vocabulary.loops),
            ("variable", words),
            ("component", pa.int32()),
            ("value", pa.float64()),
            ("text", pa.string()),
            ("line", pa.int64()),
            ("pos", pa.int32()),
        ]
    )


def about(table: TraceTable, unreadable: int) -> dict[str, Any]:
    """What a log held besides its rows, as JSON takes it."""
    return {
        "lines": table.lines,
        "trace_lines": table.trace_lines,
        "unterminated": table.unterminated,
        "aliased": table.aliased,
        "notes": table.notes,
        "unreadable": [[u.line, u.text, u.why] for u in table.unreadable],
        "unreadable_count": unreadable,
    }


class ColumnFile:
    """A file of columns, opened for one side. Raises HarnessError (exit 5) for a file that is none."""

    def __init__(self, path: Path, side: str, vocabulary: Vocabulary) -> None:
        pa = arrow()
        self.path, self.vocabulary = path, vocabulary
        try:
            self.file = pa.parquet.ParquetFile(path)
            self.about = json.loads((self.file.metadata.metadata or {})[METADATA])
            groups = {s: [i for i, of in enumerate(self.about["groups"]) if of == s] for s in SIDES}
            lacks = [name for name in schema(vocabulary).names if name not in self.file.schema_arrow.names]
        except OSError as error:
            raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(path)) from error
        except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise self._none(str(error) or repr(error)) from error
        if lacks or len(self.about["groups"]) != self.file.metadata.num_row_groups:
            raise self._none(f"no column {lacks[0]}" if lacks else "row groups that it does not say the side of")
        self.side = side
        other = SIDES[1 - SIDES.index(side)]
        self.of = other if self._empty(groups, side) and not self._empty(groups, other) else side
        self.groups = groups[self.of]

    def _empty(self, groups: dict[str, list[int]], side: str) -> bool:
        held = self.about["sides"].get(side)
        return not groups[side] and (held is None or not (held["trace_lines"] or held["unreadable_count"]))

    def _none(self, why: str) -> HarnessError:
        return HarnessError(
            Exit.UNREADABLE, f"no file of columns: {why}", where=str(self.path), expected="what --columns wrote"
        )

    @property
    def rows(self) -> int:
        """How many rows the side has."""
        return sum(self.file.metadata.row_group(group).num_rows for group in self.groups)

    @property
    def unreadable(self) -> int:
        """How many lines could not be read."""
        held = self.about["sides"].get(self.of)
        return int(held["unreadable_count"]) if held else 0

    def table(self) -> TraceTable:
        """What the log held besides rows."""
        held = self.about["sides"].get(self.of) or about(TraceTable("", ""), 0)
        table = TraceTable(self.side, str(self.path))
        table.lines, table.trace_lines, table.unterminated = held["lines"], held["trace_lines"], held["unterminated"]
        table.aliased.update(held["aliased"])
        table.notes.update(held["notes"])
        table.unreadable.extend(Unreadable(*entry) for entry in held["unreadable"])
        if self.of != self.side:
            table.notes["side"] = f"the log holds only lines of the other side; they are taken as {self.side}"
        return table

    def group(self, number: int, columns: list[str] | None = None) -> pa.Table:
        """One row group of the side."""
        pa = arrow()
        try:
            return self.file.read_row_group(self.groups[number], columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise self._none(str(error)) from error

    def variable(self, written: str, key: Key) -> Variable:
        """The variable that a row names; one that the vocabulary does not list is made as the reader makes it."""
        listed = next((v for v in self.vocabulary.variables if v.id == written), None)
        return listed or self.vocabulary.find(written.partition(".")[2], key)[0]


def read_columns(
    path: Path, side: str, vocabulary: Vocabulary, pixels: Collection[tuple[int, int]] | None = None
) -> TraceTable:
    """The rows of one side as a table in memory; with `pixels` only theirs and those of no pixel."""
    held = ColumnFile(path, side, vocabulary)
    table = held.table()
    rows: list[tuple[int, int, RowId, Number]] = []
    for row, variable, number, pos in _rows(held, vocabulary):
        if pixels is not None and row.key[:2] not in pixels and row.key[:2] != (ABSENT, ABSENT):
            continue
        table.variables.setdefault(variable.id, variable)
        rows.append((number.line, pos, row, number))
    # Groups hold lines that were read by hand behind the others: the table wants the order of the log.
    rows.sort(key=lambda r: r[:2])
    for _, _, row, number in rows:
        table.rows.setdefault(row, number)
    return table


def _rows(held: ColumnFile, vocabulary: Vocabulary) -> Iterator[tuple[RowId, Variable, Number, int]]:
    names = [*vocabulary.loops, "variable", "component", "value", "text", "line", "pos"]
    count = len(vocabulary.loops)
    made: dict[tuple[str, Key], Variable] = {}
    for number in range(len(held.groups)):
        group = held.group(number, names)
        for row in zip(*(group[name].to_pylist() for name in names), strict=True):
            key, (written, component, value, text, line, pos) = row[:count], row[count:]
            variable = made.get((written, key))
            if variable is None:
                variable = made[written, key] = held.variable(written, key)
            yield RowId(key, variable.id, component), variable, Number(value, text, line), pos


def read_any(path: Path, side: str, vocabulary: Vocabulary, *, lenient: bool = False) -> TraceTable:
    """A log or a file of columns as a table in memory."""
    if not is_columns(path):
        return read_trace(path, side, vocabulary, lenient=lenient)
    table = read_columns(path, side, vocabulary)
    if table.unreadable and not lenient:
        raise unreadable_lines(table, ColumnFile(path, side, vocabulary).unreadable)
    return table


def unreadable_lines(table: TraceTable, count: int) -> HarnessError:
    """The error for a log with lines that cannot be read, as trace_parity.trace.read_trace words it."""
    first = table.unreadable[0]
    also = f" (and {count - 1} more such lines)" if count > 1 else ""
    return HarnessError(
        Exit.UNREADABLE,
        f"{first.why}: {first.text[:120]!r}{also}",
        where=f"{table.path}:{first.line}",
        expected="TRACE_C[key=int ...]: name number ...",
        hint="--lenient counts and lists such lines instead",
    )


def write_columns(path: Path, tables: tuple[TraceTable, TraceTable], vocabulary: Vocabulary) -> None:
    """Write the rows of two tables. The place in a line is counted from the order of the rows."""
    from trace_parity.stream.column_writer import ColumnWriter

    writer = ColumnWriter(path, vocabulary)
    try:
        for side, table in enumerate(tables):
            line = pos = -1
            for row, number in table.rows.items():
                line, pos = number.line, pos + 1 if number.line == line else 0
                writer.add(side, row.key, row.variable, row.component, number, pos)
        writer.finish_tables(tables)
    finally:
        writer.abandon()
