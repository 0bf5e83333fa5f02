"""Chosen variables of both sides, tick by tick of one loop.

Which loop and which variables is data (`[tick_table]` of the vocabulary), or all variables of a loop.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.toml_table import nearest
from trace_parity.pair.vocabulary import ABSENT, Column, Key, TickTable, Variable, Vocabulary
from trace_parity.printable import spell_apart
from trace_parity.trace.table import TraceTable

if TYPE_CHECKING:
    import pandas as pd

TickRow = dict[str, Any]


def table_of(vocabulary: Vocabulary, loop: str | None, where: str) -> TickTable:
    """The vocabulary's table where it is that of `loop` (or None), else all variables of the scopes that end in it.

    Raises HarnessError (exit 2) for a loop without any.
    """
    own = vocabulary.tick_table
    if own is not None and loop in (None, own.loop):
        return own
    if loop not in vocabulary.loops:
        known = ", ".join(vocabulary.loops) or "none: the pair names no loops"
        raise HarnessError(
            Exit.USAGE,
            f"no loop {loop!r}" if loop else "the vocabulary has no table",
            where=where,
            expected=f"one of {known}" if loop else "trace-diff table LOOP",
            hint=nearest(loop or "", vocabulary.loops),
        )
    columns = [
        Column(v.name if v.size == 1 else f"{v.name}[{i}]", v, i)
        for v in vocabulary.variables
        if v.scope.loops[-1:] == (loop,)
        for i in range(v.size or 1)
    ]
    if not columns:
        raise HarnessError(Exit.USAGE, f"no variable is in loop {loop!r}", where=where)
    return TickTable(loop, None, tuple(columns))


def tick_rows(c: TraceTable, py: TraceTable, vocabulary: Vocabulary, table: TickTable | None = None) -> list[TickRow]:
    """One row per tick that either side has: its loop indices, then each column of C, of PY, and PY - C.

    A value that a log lacks is None. Empty when neither log has such a tick.
    """
    table = table or vocabulary.tick_table
    if table is None:
        return []
    place = vocabulary.loops.index(table.loop)
    wanted = {column.of.id for column in (table.shared, *table.columns) if column is not None}
    keys = {row.key for side in (c, py) for row in side.rows if row.variable in wanted and row.key[place] != ABSENT}
    return _rows(sorted(keys), c, py, vocabulary, table)


def ticks_around(
    c: TraceTable, py: TraceTable, vocabulary: Vocabulary, variable: Variable, key: Key
) -> tuple[TickTable, list[TickRow]] | None:
    """The table of one variable through one place, along the innermost loop around it that has several iterations.

    For a vocabulary that names no table. None where no loop has several.
    """
    for place in reversed(range(len(key))):
        if key[place] == ABSENT:
            continue
        outside = (*key[:place], *key[place + 1 :])
        keys = {
            row.key
            for side in (c, py)
            for row in side.rows
            if row.variable == variable.id and (*row.key[:place], *row.key[place + 1 :]) == outside
        }
        if len(keys) > 1:
            loop = vocabulary.loops[place]
            sizes = {
                row.component for side in (c, py) for row in side.rows if (row.key, row.variable) == (key, variable.id)
            }
            names = [variable.name] if sizes == {0} else [f"{variable.name}[{i}]" for i in sorted(sizes)]
            columns = tuple(Column(name, variable, i) for name, i in zip(names, sorted(sizes), strict=True))
            table = TickTable(loop, None, columns, name="ticks", title=f"Per {loop}, at the first divergence")
            return table, _rows(sorted(keys)[:MOST_TICKS], c, py, vocabulary, table)
    return None


MOST_TICKS = 2000
"""Rows around one place; of a longer loop the first ones."""


def _rows(keys: list[Key], c: TraceTable, py: TraceTable, vocabulary: Vocabulary, table: TickTable) -> list[TickRow]:
    """A row per key. All have the indices of the same loops, None where a variable is outside a loop of the others."""
    loops = [n for n, loop in enumerate(vocabulary.loops) if any(key[n] != ABSENT for key in keys)]
    indices = [{vocabulary.loops[n]: key[n] if key[n] != ABSENT else None for n in loops} for key in keys]
    return [{**i, **_values(key, c, py, table)} for i, key in zip(indices, keys, strict=True)]


def _values(key: Key, c: TraceTable, py: TraceTable, table: TickTable) -> TickRow:
    row: TickRow = {}
    if table.shared is not None:
        shared = [side.value(key, table.shared.of.id, table.shared.component) for side in (c, py)]
        row[table.shared.name] = shared[0] if shared[0] is not None else shared[1]
    for column in table.columns:
        a, b = (side.value(key, column.of.id, column.component) for side in (c, py))
        row[f"{column.name}_c"], row[f"{column.name}_py"] = a, b
        row[f"{column.name}_diff"] = None if a is None or b is None else b - a
    return row


def tick_frame(rows: list[TickRow]) -> pd.DataFrame:
    """The table as a DataFrame."""
    import pandas as pd

    return pd.DataFrame(rows)


def write_ticks(rows: list[TickRow], form: str, loop: str) -> str:
    """The table as "csv", "json" (records) or "markdown"; the first two carry every digit.

    Raises HarnessError (exit 6) when there is no row.
    """
    if not rows:
        raise HarnessError(
            Exit.NOTHING_TO_COMPARE,
            f"no tick of {loop} in either log",
            expected=f"trace lines with {loop} among their keys",
            hint="trace a place with both programs first",
        )
    if form == "csv":
        frame = tick_frame(rows).rename(columns=csv_text)
        return str(frame.to_csv(index=False, float_format="%.17g"))
    if form == "json":
        clean = [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in r.items()} for r in rows]
        return json.dumps(clean, indent=2) + "\n"
    return _markdown(rows, loop)


def csv_text(text: str) -> str:
    """A text for a cell of CSV: one that a spreadsheet would take for a formula gets a quote in front.

    Names come from logs, and `=HYPERLINK(...)` is as good a name as any. Numbers are not text and keep their sign.
    """
    return f"'{text}" if text[:1] in _FORMULA else text


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


DIGITS = 10
"""Of a value to read; C's and PY's have more where these do not tell them apart."""


def _markdown(rows: list[TickRow], loop: str) -> str:
    """The table for reading: loop indices that never change are left out, differences are short."""
    indices = {name for row in rows for name, value in row.items() if isinstance(value, int)}
    constant = {name for name in indices if len({row.get(name) for row in rows} - {None}) == 1}
    if len(rows) == 1:
        constant.discard(loop)
    names = [name for name in rows[0] if name not in constant]
    lines = ["| " + " | ".join(names) + " |", "|" + "---:|" * len(names)]
    lines += ["| " + " | ".join(_cell(name, row) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(name: str, row: TickRow) -> str:
    value = row.get(name)
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    if name.endswith("_diff"):
        return f"{value:.2e}"
    column = name.removesuffix("_py").removesuffix("_c")
    return spell_apart(
        value, *(v for end in ("c", "py") if isinstance(v := row.get(f"{column}_{end}"), float)), digits=DIGITS
    )[0]
