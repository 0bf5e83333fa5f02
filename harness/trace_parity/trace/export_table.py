"""A table that a pair exports, from the two logs of a bundle."""

from __future__ import annotations

import csv
import io

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.exports import Export
from trace_parity.pair.vocabulary import ABSENT, Key, Variable, Vocabulary
from trace_parity.trace.table import RowId, TraceTable


def export_csv(c: TraceTable, py: TraceTable, vocabulary: Vocabulary, export: Export) -> str:
    """Loop indices, shared values, then all components of C and all of PY, every digit as printed in the logs.

    A value that a log lacks is left empty. Raises HarnessError (exit 2) for a variable that the vocabulary lacks, and
    (exit 6) when neither log has any of the variables.
    """
    variables, shared = export.listed(vocabulary, "variables"), export.listed(vocabulary, "shared")
    ids = {variable.id for variable in variables}
    keys = sorted({row.key for table in (c, py) for row in table.rows if row.variable in ids})
    if not keys:
        expected = f"{export.variables[0]} in the logs"
        raise HarnessError(Exit.NOTHING_TO_COMPARE, f"nothing to export as {export.name}", expected=expected)
    sizes: dict[str, int] = {}
    for row in (*c.rows, *py.rows):
        sizes[row.variable] = max(sizes.get(row.variable, 1), row.component + 1)

    def text(table: TraceTable, key: Key, variable: Variable, component: int) -> str:
        """The number as it was printed, in the loops of the variable, which may be fewer than those of the place."""
        own = tuple(
            i if loop in variable.scope.loops else ABSENT for loop, i in zip(vocabulary.loops, key, strict=True)
        )
        number = table.rows.get(RowId(own, variable.id, component))
        return "" if number is None else number.text

    columns, heads = [], []
    for variable in variables:
        size = max(variable.size, sizes.get(variable.id, 1))
        names = [*export.components, *map(str, range(len(export.components), size))][:size]
        columns += [(variable, component) for component in range(size)]
        heads += [variable.name] if size == 1 else [f"{variable.name}_{name}" for name in names]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*vocabulary.loops, *export.shared, *(f"{head}_{side}" for side in ("c", "py") for head in heads)])
    for key in keys:
        cells = [text(table, key, *column) for table in (c, py) for column in columns]
        both = [text(c, key, v, 0) or text(py, key, v, 0) for v in shared]
        writer.writerow([*("" if i == ABSENT else str(i) for i in key), *both, *cells])
    return stream.getvalue()
