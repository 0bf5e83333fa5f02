"""From a log to a TraceTable, and the one reader of a line that every way of reading a log goes through."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import Alias, Key, Variable, Vocabulary
from trace_parity.printable import plural
from trace_parity.trace.lines import BadLineError, ParsedLine, looks_cut, loop_index, parse_line
from trace_parity.trace.log_file import LogFile
from trace_parity.trace.number import Parsed
from trace_parity.trace.prefix import Prefixes, find_trace, pieces, without_colour
from trace_parity.trace.repeats import Counted, Numbering
from trace_parity.trace.sideless import parse_sideless
from trace_parity.trace.table import Number, RowId, TraceTable, Unreadable
from trace_parity.trace.text_value import text_number, text_variable

SIDES = ("C", "PY")
RANK_LOOP = "rank"
"""A vocabulary that lists a loop of this name has the ranks of processes as its indices."""
ALIAS_RTOL = 1e-6
"""Relative difference allowed between two names of one quantity in one log: their digits often differ."""


class Value(NamedTuple):
    """One number of a line: where it belongs, and what it is."""

    key: Key
    variable: Variable
    component: int
    text: str
    number: Parsed
    pos: int  # its place in the line
    aliased: bool


@dataclass(frozen=True)
class Taken:
    """Which lines of a log are read, and as which side's.

    `rank`: the one process whose lines are taken from a log of several. `rank_loop`: the loop of the vocabulary whose
    index the rank in front of a line is. `sideless`: whose the lines `TRACE: ...` are,
    which do not name a side; None leaves them out. `numbering`: of blocks that a log repeats without an index.
    """

    rank: str | None = None
    sideless: str | None = None
    numbering: Numbering | None = None
    rank_loop: str = ""


ALL = Taken()
"""All lines that name their side."""


class LineReader:
    """Reads lines one by one; all but the numbers is gathered per side in `tables`."""

    def __init__(self, path: str, vocabulary: Vocabulary, how: Taken = ALL) -> None:
        self.path, self.vocabulary, self.rank, self.sideless = path, vocabulary, how.rank, how.sideless
        self._rank_loop = how.rank_loop or (RANK_LOOP if RANK_LOOP in vocabulary.loops else "")
        self.sideless_lines = self.unsided = 0
        self._repeats = None if how.numbering is None else Counted(how.numbering)
        self.tables = {side: TraceTable(side, path) for side in SIDES}
        self.prefixes = {side: Prefixes() for side in SIDES}

    def read(self, raw: str, number: int) -> Iterator[tuple[str, ParsedLine, list[Value]]]:
        """The trace lines within one line of the log: side, form and numbers. Lines that do not parse are gathered."""
        for piece in pieces(raw):
            found = find_trace(without_colour(piece))
            if found is None:
                continue
            text = found.text
            if found.sideless:
                if self.sideless is None:
                    self.unsided += 1
                    continue
                side = self.sideless
            else:
                side = "C" if text.startswith("TRACE_C") else "PY"
            table, prefixes = self.tables[side], self.prefixes[side]
            if found.rank is not None:
                prefixes.ranks[found.rank] += 1
                if self.rank is not None and found.rank != self.rank:
                    prefixes.passed_over += 1
                    continue
            try:
                if found.sideless:
                    parsed = parse_sideless(text[len("TRACE:") :], side)
                else:
                    parsed = parse_line(text, self.vocabulary.loops, self.vocabulary.index_names)
                if parsed is None:
                    continue
                if found.rank is not None and self._rank_loop:
                    self._index_by_rank(parsed, found.rank)
                values = self._values(parsed, table)
            except BadLineError as error:
                self.sideless_lines += found.sideless
                table.last_line = number
                table.refuse(Unreadable(number, piece, str(error), error.hint))
                other = SIDES[1 - SIDES.index(side)]
                if f"TRACE_{other}" in text:  # two lines glued into one: lost to both sides
                    self.tables[other].refuse(Unreadable(number, piece, str(error), error.hint))
                continue
            self.sideless_lines += found.sideless
            table.trace_lines += 1
            table.last_line = number
            if found.prefix:
                prefixes.add(found.prefix)
            yield side, parsed, values

    def _index_by_rank(self, parsed: ParsedLine, rank: str) -> None:
        index = loop_index(rank)
        if parsed.indices.setdefault(self._rank_loop, index) != index:
            own = parsed.indices[self._rank_loop]
            raise BadLineError(f"{self._rank_loop}={own} on a line of rank {index}")

    def _values(self, parsed: ParsedLine, table: TraceTable) -> list[Value]:
        key = parsed_key = self.vocabulary.key(parsed.indices)
        found: list[Value] = []
        for name, numbers in parsed.values:
            variable, alias = self.vocabulary.find(name, parsed_key)
            table.variables.setdefault(sys.intern(variable.id), variable)
            if self._repeats is not None:
                key = self._repeats.key(variable.id, name, parsed_key)
            first, factor = 0, 1.0
            if alias is not None:
                table.aliased[name] = read_as(variable, alias)
                first, factor = alias.component or 0, alias.factor
            for component, (text, number) in enumerate(numbers, start=first):
                if factor != 1.0:
                    number = Parsed(number.value * factor, None)
                found.append(Value(key, variable, component, text, number, len(found), alias is not None))
        for name, text in parsed.texts:
            variable, _ = self.vocabulary.find(name, parsed_key)
            if variable.listed:
                raise BadLineError(f"{text.split()[0]!r} is not a number", "print numbers with %.17g")
            variable = text_variable(variable)
            table.variables.setdefault(sys.intern(variable.id), variable)
            table.notes[name] = text
            if self._repeats is not None:
                key = self._repeats.key(variable.id, name, parsed_key)
            found.append(Value(key, variable, 0, text, text_number(text), len(found), False))
        return found

    def finish(self, side: str) -> None:
        """Report what preceded the lines of a side. Raises HarnessError (exit 2) for the lines of several ranks."""
        prefixes, table = self.prefixes[side], self.tables[side]
        if len(prefixes.ranks) > 1 and self.rank is None and not self._rank_loop:
            ranks = sorted(prefixes.ranks, key=lambda r: (len(r), r))
            raise HarnessError(
                Exit.USAGE,
                f"trace lines of {len(ranks)} ranks: {', '.join(ranks[:8])}{', ...' if len(ranks) > 8 else ''}",
                where=self.path,
                expected="one rank's",
                hint=f"--rank {ranks[0]} takes the lines of one, --rank-loop {RANK_LOOP} compares rank by rank",
            )
        notes = prefixes.notes()
        if prefixes.passed_over:
            notes.append(f"{plural(prefixes.passed_over, 'line')} of other ranks than {self.rank} left out")
        if notes:
            table.notes["prefix"] = "; ".join(notes)


def read_as(variable: Variable, alias: Alias) -> str:
    """The variable that an older name was read as."""
    return variable.name if alias.component is None else f"{variable.name}[{alias.component}]"


def read_trace(path: Path, side: str, vocabulary: Vocabulary, *, lenient: bool = False) -> TraceTable:
    """The trace of `side` ("C" or "PY") in the log at `path`.

    Both sides' lines may be in one file; only the requested side's are taken, unless the file holds nothing but the
    other side's (a log compared with itself): then those are. Lines that name no side belong to the side of all
    others. Raises HarnessError (exit 5) when the file cannot be read, or when a line begins like a trace line and does
    not parse and `lenient` is not set.
    """
    log = LogFile(path)
    try:
        with log.guard():
            lines = io.TextIOWrapper(log.buffered(), encoding="utf-8", errors="backslashreplace", newline="\n")
            table, reader = _read(lines, side, str(path), vocabulary, ALL)
            if reader.unsided and (whose := side_of_others(reader, str(path))):
                lines = io.TextIOWrapper(log.buffered(), encoding="utf-8", errors="backslashreplace", newline="\n")
                table, _ = _read(lines, side, str(path), vocabulary, Taken(sideless=whose))
    finally:
        log.close()
    if table.unreadable and not lenient:
        raise unreadable_lines(table)
    return table


def side_of_others(reader: LineReader, path: str, others: Mapping[str, bool] = {}) -> str:
    """The side of lines that name none, by the log's other lines; empty if there are none.

    `others`: sides that have lines which the reader has not met. Raises HarnessError (exit 5) where both have.
    """
    sides = [s for s, t in reader.tables.items() if t.trace_lines or t.unreadable_lines or others.get(s)]
    if len(sides) > 1:
        raise HarnessError(
            Exit.UNREADABLE,
            f"{plural(reader.unsided, 'line')} with TRACE: in place of TRACE_C or TRACE_PY, next to "
            f"lines of both sides",
            where=path,
            expected="TRACE_C: or TRACE_PY:",
            hint="--sides C,PY assigns them to the side of their log",
        )
    return sides[0] if sides else ""


MEND = "correct the print, or compare the rest with --lenient (never a pass)"


def unreadable_lines(table: TraceTable) -> HarnessError:
    """The error for a log with lines that cannot be read."""
    first, more = table.unreadable[0], table.unreadable_lines - 1
    also = f" (and {plural(more, 'more such line')})" if more else ""
    is_cut = table.unterminated and first.line == table.lines
    why = "the log is truncated in this line, which has no newline" if is_cut else first.why
    return HarnessError(
        Exit.UNREADABLE,
        f"{why}: {first.text[:120]!r}{also}",
        where=f"{table.path}:{first.line}",
        expected="TRACE_C[key=int ...]: name number ...",
        hint="run the program to its end and compare the complete log" if is_cut else first.hint or MEND,
    )


def read_trace_lines(
    lines: Iterable[str], side: str, path: str, vocabulary: Vocabulary, *, how: Taken = ALL
) -> TraceTable:
    """The trace of `side` among `lines`; unreadable lines are kept in the table."""
    return _read(lines, side, path, vocabulary, how)[0]


def _read(
    lines: Iterable[str], side: str, path: str, vocabulary: Vocabulary, how: Taken
) -> tuple[TraceTable, LineReader]:
    reader = LineReader(path, vocabulary, how)
    count, raw = 0, "\n"
    for count, raw in enumerate(lines, start=1):
        if count == 1:
            raw = raw.removeprefix("\ufeff")
        if "TRACE" not in raw:
            continue
        for of, _, values in reader.read(raw, count):
            _add(reader.tables[of], values, count, raw, vocabulary)
    wanted, other = reader.tables[side], reader.tables["PY" if side == "C" else "C"]
    taken = side
    if not wanted.trace_lines and not wanted.unreadable and (other.trace_lines or other.unreadable):
        taken, wanted = other.side, other
    reader.finish(taken)
    if taken != side:
        wanted.side = side
        wanted.notes["side"] = f"the log contains only lines of the other side; they are taken as {side}"
    wanted.lines = count
    wanted.unterminated = bool(count) and not raw.endswith(("\n", "\r")) and looks_cut(raw.rstrip("\r"))
    return wanted, reader


def _add(table: TraceTable, values: list[Value], line: int, raw: str, vocabulary: Vocabulary) -> None:
    refused = False
    for value in values:
        row = RowId(value.key, sys.intern(value.variable.id), value.component)
        number = Number(value.number.value, value.text, line, value.number.whole, value.aliased)
        earlier = table.rows.setdefault(row, number)
        if earlier is not number and not refused and contradicts(earlier, number):
            table.refuse(twice(value.variable, row, earlier, number, raw, vocabulary))
            refused = True


def contradicts(earlier: Number, later: Number) -> bool:
    """Whether two numbers of one row in one log cannot both be right."""
    if earlier.whole is not None and later.whole is not None:
        return earlier.whole != later.whole
    a, b = earlier.value, later.value
    if a == b or (a != a and b != b):
        return False
    if earlier.aliased or later.aliased:
        return not abs(a - b) <= ALIAS_RTOL * max(abs(a), abs(b))
    return True


def twice(
    variable: Variable, row: RowId, earlier: Number, later: Number, raw: str, vocabulary: Vocabulary
) -> Unreadable:
    """The line that gives a row another number than an earlier line."""
    component = f"[{row.component}]" if row.component or variable.size > 1 else ""
    return Unreadable(
        later.line,
        raw.rstrip("\r\n"),
        f"{variable.name}{component} occurs twice at {vocabulary.describe(row.key)}: {earlier.text} on line "
        f"{earlier.line}, now {later.text}",
        "print each value once per index of its loops, with the loops' indices in the brackets",
    )
