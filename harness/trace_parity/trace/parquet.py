"""The rows of logs in columns (Arrow's Parquet files), written once and read back many times faster than text.

One file holds both sides, as one log may: a row group belongs to one side. Columns: side, one per loop (-1 where a row
sits in no such loop), variable (`scope.name`), component, value, flags (1: printed as a whole number, 2: under an older
name), text as printed, line, and the number's place in its line. What a log holds apart from rows (how many lines,
unreadable ones, notes, older names) is in the file's metadata.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Collection
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import ABSENT, Key, Variable, Vocabulary
from trace_parity.trace.names import Names
from trace_parity.trace.number import EXACT_DIGITS
from trace_parity.trace.reader import SIDES, contradicts, read_trace, twice, unreadable_lines
from trace_parity.trace.rows import ALIASED, WHOLE, Rows, empty
from trace_parity.trace.table import Number, RowId, TraceTable, Unreadable
from trace_parity.trace.text_value import text_variable

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".parquet"
METADATA = b"trace-diff"


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
            ("flags", pa.uint8()),
            ("text", pa.string()),
            ("line", pa.int64()),
            ("pos", pa.int32()),
        ]
    )


def about(table: TraceTable) -> dict[str, Any]:
    """The content of a log apart from its rows, as JSON data."""
    return {
        "lines": table.lines,
        "trace_lines": table.trace_lines,
        "unterminated": table.unterminated,
        "aliased": table.aliased,
        "notes": table.notes,
        "unreadable": [[u.line, u.text, u.why, u.hint] for u in table.unreadable],
        "unreadable_count": table.unreadable_lines,
        "texts": sorted(v.id for v in table.variables.values() if v.unit == "text"),
    }


class ColumnFile:
    """A file of columns, opened for the rows of one side. Raises HarnessError (exit 5) for any other file."""

    def __init__(self, path: Path, side: str, vocabulary: Vocabulary, *, other_side: bool = True) -> None:
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
            raise self._none(f"no column {lacks[0]}" if lacks else "row groups without a side")
        other = SIDES[1 - SIDES.index(side)]
        swap = other_side and self._empty(groups, side) and not self._empty(groups, other)
        self.of = other if swap else side
        self.groups = groups[self.of]
        self.held: dict[str, Any] = self.about["sides"].get(self.of) or about(TraceTable("", ""))
        self._by_id = {v.id: v for v in vocabulary.variables}
        texts = set(self.held.get("texts", ()))
        self._texts = texts

    def _empty(self, groups: dict[str, list[int]], side: str) -> bool:
        """Whether the file was written from no log of that side; one without a number does not mean the other."""
        return not groups[side] and self.about["sides"].get(side) is None

    def _none(self, why: str) -> HarnessError:
        return HarnessError(
            Exit.UNREADABLE, f"no file of columns: {why}", where=str(self.path), expected="what --columns wrote"
        )

    @property
    def rows(self) -> int:
        """How many rows the side has."""
        return sum(self.file.metadata.row_group(group).num_rows for group in self.groups)

    def table(self, side: str) -> TraceTable:
        """The content of the log apart from its rows."""
        held, table = self.held, TraceTable(side, str(self.path))
        table.lines, table.trace_lines, table.unterminated = held["lines"], held["trace_lines"], held["unterminated"]
        table.aliased.update(held["aliased"])
        table.notes.update(held["notes"])
        table.unreadable.extend(Unreadable(*entry) for entry in held["unreadable"])
        table.further_unreadable = held["unreadable_count"] - len(table.unreadable)
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
        listed = self._by_id.get(written)
        if listed is not None:
            return listed
        made = self.vocabulary.find(written.partition(".")[2], key)[0]
        return text_variable(made) if written in self._texts else made


_NUMBERS = {"component": np.int32, "value": np.float64, "flags": np.uint8, "line": np.int64, "pos": np.int32}


class ColumnSource:
    """One side of a file of columns under comparison (see compare/logs.py, Source); a position is a row."""

    def __init__(self, path: Path, side: str, taken: str, vocabulary: Vocabulary, *, other_side: bool = True) -> None:
        self.path, self.side, self._taken, self.vocabulary = path, side, taken, vocabulary
        self.file = ColumnFile(path, taken, vocabulary, other_side=other_side)
        self.size = max(1, self.file.rows)
        metadata = self.file.file.metadata
        self.starts: list[int] = list(
            accumulate((metadata.row_group(group).num_rows for group in self.file.groups), initial=0)
        )
        self._texts = lru_cache(maxsize=8)(self._texts_of)

    def begin(self, names: Names) -> None:
        """See Source."""
        self.names, self.table, self._next = names, self.file.table(self.side), 0
        if self.file.of != self._taken:
            self.table.notes["side"] = f"the log contains only lines of the other side; they are taken as {self.side}"

    @property
    def position(self) -> int:
        """See Source."""
        return self.starts[self._next]

    @property
    def ended(self) -> bool:
        """See Source."""
        return self._next >= len(self.file.groups)

    def read(self, amount: int) -> Rows:
        """See Source. A row group at a time, however much is requested."""
        del amount
        loops = self.vocabulary.loops
        if self.ended:
            return empty(len(loops))
        at, self._next = self._next, self._next + 1
        group = self.file.group(at, [*loops, "variable", *_NUMBERS]).combine_chunks()
        if not len(group):
            return empty(len(loops))
        columns = {n: np.ascontiguousarray(group[n].to_numpy(), kind) for n, kind in _NUMBERS.items()}
        keys = np.stack([group[loop].to_numpy() for loop in loops], axis=1).astype(np.int32)
        words = group["variable"].chunk(0)
        numbers = self._numbers(words.indices.to_numpy(), words.dictionary.to_pylist(), keys)
        return self._rows(columns, keys, numbers, self.starts[at])

    def _numbers(self, indices: Any, words: list[str], keys: Any) -> Any:
        """The variable of each row."""
        found = np.zeros(len(words), np.int32)
        for word, first in zip(*np.unique(indices, return_index=True), strict=True):
            key = tuple(keys[first].tolist())
            found[word] = self.names.number(self.file.variable(words[word], key))
        return found[indices]

    def _rows(self, columns: dict[str, Any], keys: Any, variable: Any, start: int) -> Rows:
        """Consecutive components of one line together."""
        component, line, pos, flags = (columns[n] for n in ("component", "line", "pos", "flags"))
        begins = np.flatnonzero(
            np.r_[
                True,
                (variable[1:] != variable[:-1])
                | (line[1:] != line[:-1])
                | (component[1:] != component[:-1] + 1)
                | (pos[1:] != pos[:-1] + 1)
                | ((flags[1:] ^ flags[:-1]) & ALIASED > 0)
                | (keys[1:] != keys[:-1]).any(axis=1),
            ]
        )
        count = np.diff(np.r_[begins, len(line)]).astype(np.int32)
        whole = np.minimum.reduceat(flags & WHOLE, begins)
        return Rows(
            keys,
            begins.astype(np.int32),
            variable[begins],
            component[begins],
            count,
            begins.astype(np.int64),
            (flags[begins] & ALIASED) | whole,
            line[begins],
            start + begins.astype(np.int64) - pos[begins],
            pos[begins],
            columns["value"],
            self._exact(columns, start),
        )

    def _exact(self, columns: dict[str, Any], start: int) -> dict[tuple[int, int], int]:
        """Whole numbers that no double holds."""
        with np.errstate(invalid="ignore"):
            large = np.flatnonzero((columns["flags"] & WHOLE > 0) & (np.abs(columns["value"]) >= 10.0**EXACT_DIGITS))
        found = {}
        for i in large.tolist():
            text = self._text(start + i)
            if text.lstrip("+-").isdigit():
                found[int(columns["line"][i]), int(columns["pos"][i])] = int(text)
        return found

    def finish(self) -> bool:
        """See Source."""
        return True

    def _text(self, row: int) -> str:
        group = bisect_right(self.starts, row) - 1
        return str(self._texts(group)[row - self.starts[group]].as_py())

    def _texts_of(self, group: int) -> Any:
        return self.file.group(group, ["text"])["text"]

    def texts(self, places: Collection[tuple[int, int, int]]) -> dict[tuple[int, int, int], str]:
        """See Source."""
        return {place: self._text(place[1] + place[2]) for place in sorted(places, key=lambda p: p[1])}

    def lines(self, places: Collection[tuple[int, int, int]]) -> dict[tuple[int, int, int], str]:
        """See Source. A file of columns has no lines."""
        return {}

    def in_memory(self, sites: Collection[tuple[int, ...]] | None) -> TraceTable:
        """See Source."""
        return read_side(self.file, self.side, sites)

    def nothing(self) -> str:
        """See Source."""
        return "its log had no trace line of that side"

    def close(self) -> None:
        """See Source."""
        self.file.file.close()


def read_side(held: ColumnFile, side: str, sites: Collection[tuple[int, ...]] | None = None) -> TraceTable:
    """The rows of one side as a table in memory; with `sites` only theirs and those of no site."""
    table, count = held.table(side), len(held.vocabulary.loops)
    names = [*held.vocabulary.loops, "variable", "component", "value", "flags", "text", "line", "pos"]
    depth = len(next(iter(sites), (0, 0))) if sites is not None else 0
    rows: list[tuple[int, int, RowId, Number]] = []
    made: dict[tuple[str, Key], Variable] = {}
    for number in range(len(held.groups)):
        group = held.group(number, names)
        for row in zip(*(group[name].to_pylist() for name in names), strict=True):
            key, (written, component, value, flags, text, line, pos) = row[:count], row[count:]
            if sites is not None and key[:depth] not in sites and any(i != ABSENT for i in key[:depth]):
                continue
            variable = made.get((written, key))
            if variable is None:
                variable = made[written, key] = held.variable(written, key)
                table.variables.setdefault(variable.id, variable)
            whole = int(value) if flags & WHOLE and value == value else None
            if whole is not None and text.lstrip("+-").isdigit():
                whole = int(text)
            made_number = Number(value, text, line, whole, bool(flags & ALIASED))
            rows.append((line, pos, RowId(key, variable.id, component), made_number))
    # Groups hold lines that were read by hand behind the others: the table wants the order of the log.
    rows.sort(key=lambda r: r[:2])
    refused: set[int] = set()
    for _, _, row_id, number_of in rows:
        earlier = table.rows.setdefault(row_id, number_of)
        if earlier is not number_of and number_of.line not in refused and contradicts(earlier, number_of):
            refused.add(number_of.line)
            variable = table.variables[row_id.variable]
            table.refuse(twice(variable, row_id, earlier, number_of, number_of.text, held.vocabulary))
    table.unreadable.sort(key=lambda u: u.line)
    return table


def read_any(path: Path, side: str, vocabulary: Vocabulary, *, lenient: bool = False) -> TraceTable:
    """A log or a file of columns as a table in memory."""
    if not is_columns(path):
        return read_trace(path, side, vocabulary, lenient=lenient)
    table = read_side(ColumnFile(path, side, vocabulary), side)
    if table.unreadable and not lenient:
        raise unreadable_lines(table)
    return table
