"""The per-φ table: what the rotation does to one pixel, tick by tick, on both sides.

Which loop and which variables is data (`[tick_table]` of the vocabulary); φ is what it was made for.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import ABSENT, Key, TickTable, Vocabulary
from trace_parity.trace.table import TraceTable

if TYPE_CHECKING:
    import pandas as pd

PhiRow = dict[str, Any]


def phi_rows(c: TraceTable, py: TraceTable, vocabulary: Vocabulary) -> list[PhiRow]:
    """One row per tick that either side has: its loop indices, then each column of C, of PY, and PY - C.

    A value that a log lacks is None. Empty when neither log has such a tick.
    """
    table = vocabulary.tick_table
    if table is None:
        return []
    place = vocabulary.loops.index(table.loop)
    wanted = {column.of.id for column in (table.shared, *table.columns)}
    keys = {row.key for side in (c, py) for row in side.rows if row.variable in wanted and row.key[place] != ABSENT}
    return [_row(key, c, py, vocabulary, table) for key in sorted(keys)]


def _row(key: Key, c: TraceTable, py: TraceTable, vocabulary: Vocabulary, table: TickTable) -> PhiRow:
    row: PhiRow = {n: i for n, i in zip(vocabulary.loops, key, strict=True) if i != ABSENT}
    shared = [side.value(key, table.shared.of.id, table.shared.component) for side in (c, py)]
    row[table.shared.name] = shared[0] if shared[0] is not None else shared[1]
    for column in table.columns:
        a, b = (side.value(key, column.of.id, column.component) for side in (c, py))
        row[f"{column.name}_c"], row[f"{column.name}_py"] = a, b
        row[f"{column.name}_diff"] = None if a is None or b is None else b - a
    return row


def phi_frame(rows: list[PhiRow]) -> pd.DataFrame:
    """The table as a DataFrame."""
    import pandas as pd

    return pd.DataFrame(rows)


def write_phi(rows: list[PhiRow], form: str) -> str:
    """The table as "csv", "json" (records) or "markdown"; the first two carry every digit.

    Raises HarnessError (exit 6) when there is no row.
    """
    if not rows:
        raise HarnessError(
            Exit.NOTHING_TO_COMPARE,
            "no φ tick in either log",
            expected="trace lines with phi_tic among their keys",
            hint="trace a pixel with both programs first",
        )
    if form == "csv":
        return str(phi_frame(rows).to_csv(index=False, float_format="%.17g"))
    if form == "json":
        clean = [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in r.items()} for r in rows]
        return json.dumps(clean, indent=2) + "\n"
    return _markdown(rows)


def _markdown(rows: list[PhiRow]) -> str:
    """The table for reading: loop indices that never change are left out, differences are short."""
    indices = {name for row in rows for name, value in row.items() if isinstance(value, int)}
    constant = {name for name in indices if len({row.get(name) for row in rows}) == 1}
    if len(rows) == 1:
        constant.discard("phi_tic")
    names = [name for name in rows[0] if name not in constant]
    lines = ["| " + " | ".join(names) + " |", "|" + "---:|" * len(names)]
    lines += ["| " + " | ".join(_cell(name, row.get(name)) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.2e}" if name.endswith("_diff") else f"{value:.10g}"
