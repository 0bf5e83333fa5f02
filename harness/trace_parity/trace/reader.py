"""From a log to a TraceTable. Reads line by line: nothing but the rows is held."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace.lines import BadLineError, ParsedLine, looks_cut, parse_line
from trace_parity.trace.table import Number, RowId, TraceTable, Unreadable


def read_trace(path: Path, side: str, vocabulary: Vocabulary, *, lenient: bool = False) -> TraceTable:
    """The trace of `side` ("C" or "PY") in the log at `path`.

    Both sides' lines may stand in one file; only the asked side's are taken, unless the file holds nothing but the
    other side's (a log compared with itself): then those are. Raises HarnessError (exit 5) when the file cannot be
    read, or when a line begins like a trace line and does not parse and `lenient` is not set.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as stream:
            table = read_trace_lines(stream, side, str(path), vocabulary)
    except OSError as error:
        raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(path)) from error
    if table.unreadable and not lenient:
        first, more = table.unreadable[0], len(table.unreadable) - 1
        also = f" (and {more} more such lines)" if more else ""
        raise HarnessError(
            Exit.UNREADABLE,
            f"{first.why}: {first.text[:120]!r}{also}",
            where=f"{path}:{first.line}",
            expected="TRACE_C[key=int ...]: name number ...",
            hint="--lenient counts and lists such lines instead",
        )
    return table


def read_trace_lines(lines: Iterable[str], side: str, path: str, vocabulary: Vocabulary) -> TraceTable:
    """The trace of `side` among `lines`; unreadable lines are kept in the table."""
    tables = {name: TraceTable(name, path) for name in ("C", "PY")}
    wanted = tables[side]
    count, line = 0, ""
    for count, raw in enumerate(lines, start=1):
        line = raw.rstrip("\r\n")
        if not line.startswith("TRACE_"):
            continue
        try:
            parsed = parse_line(line, vocabulary.loops)
            if parsed is not None:
                _add(tables[parsed.side], parsed, count, vocabulary)
        except BadLineError as error:
            tables["C" if line.startswith("TRACE_C") else "PY"].unreadable.append(Unreadable(count, line, str(error)))
    other = tables["PY" if side == "C" else "C"]
    if not wanted.trace_lines and not wanted.unreadable and (other.trace_lines or other.unreadable):
        wanted, wanted.side = other, side
        wanted.notes["side"] = f"the log holds only lines of the other side; they are taken as {side}"
    wanted.lines = count
    wanted.unterminated = bool(count) and not raw.endswith("\n") and looks_cut(line)
    return wanted


def _add(table: TraceTable, parsed: ParsedLine, line: int, vocabulary: Vocabulary) -> None:
    table.trace_lines += 1
    key = vocabulary.key(parsed.indices)
    table.notes.update(parsed.notes)
    for name, words in parsed.values:
        variable, alias = vocabulary.find(name, key)
        variable_id = sys.intern(variable.id)
        table.variables.setdefault(variable_id, variable)
        first, factor = 0, 1.0
        if alias is not None:
            table.aliased[name] = variable.name if alias.component is None else f"{variable.name}[{alias.component}]"
            first, factor = alias.component or 0, alias.factor
        for component, word in enumerate(words, start=first):
            number = Number(float(word) * factor if factor != 1.0 else float(word), word, line)
            row = RowId(key, variable_id, component)
            earlier = table.rows.setdefault(row, number)
            if earlier is not number and earlier.text != word and alias is None and earlier.value != number.value:
                where = vocabulary.describe(key)
                raise BadLineError(f"{name} stands twice at {where}: {earlier.text} on line {earlier.line}, now {word}")
