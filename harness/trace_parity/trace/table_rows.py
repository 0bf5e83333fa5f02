"""A table in memory as columns."""

from __future__ import annotations

from trace_parity.trace.names import Names
from trace_parity.trace.number import EXACT_DIGITS
from trace_parity.trace.rows import ALIASED, WHOLE, RowList, Rows
from trace_parity.trace.table import Number, RowId, TraceTable


def rows_of(table: TraceTable, names: Names) -> Rows:
    """The rows of a table, consecutive components of a line together; the place in a line is counted by their order."""
    made = RowList(len(names.vocabulary.loops))
    run: list[tuple[RowId, Number]] = []
    line = pos = -1
    first = 0

    def put() -> None:
        row, number = run[0]
        flags = (WHOLE if all(n.whole is not None for _, n in run) else 0) | (ALIASED if number.aliased else 0)
        for i, (_, n) in enumerate(run):
            if n.whole is not None and abs(n.whole) >= 10**EXACT_DIGITS:
                made.exact[number.line, first + i] = n.whole
        variable = names.number(table.variables[row.variable])
        made.add(row.key, variable, row.component, [n.value for _, n in run], (flags, number.line, 0, first))

    for row, number in table.rows.items():
        pos = pos + 1 if number.line == line else 0
        follows = (
            run
            and number.line == line
            and run[-1][0] == (row.key, row.variable, row.component - 1)
            and run[-1][1].aliased == number.aliased
        )
        line = number.line
        if run and not follows:
            put()
            run = []
        if not run:
            first = pos
        run.append((row, number))
    if run:
        put()
    return made.rows()
