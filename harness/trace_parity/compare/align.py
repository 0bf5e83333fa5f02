"""Two tables in memory, aligned: the input of judging, quirks and blame, row by row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

from trace_parity.compare.comparison import Comparison
from trace_parity.compare.tally import Kept
from trace_parity.compare.wanted import Wanted
from trace_parity.pair.contract import Contract
from trace_parity.pair.first_appearance import with_places
from trace_parity.pair.vocabulary import Key, Variable, Vocabulary
from trace_parity.trace.names import Names
from trace_parity.trace.table import Number, RowId, TraceTable
from trace_parity.trace.table_rows import rows_of


@dataclass(frozen=True)
class AlignedRow:
    """One number on both sides."""

    id: RowId
    variable: Variable
    c: Number
    py: Number


@dataclass(frozen=True)
class Alignment:
    """Two tables and their rows in columns."""

    c: TraceTable
    py: TraceTable
    vocabulary: Vocabulary

    def variable(self, row: RowId) -> Variable:
        """The variable of a row of either side."""
        return self.c.variables.get(row.variable) or self.py.variables[row.variable]

    def compare(
        self, *, rtol: float | None = None, contract: Contract | None = None, every: bool = False
    ) -> Comparison:
        """Join and judge all rows; `every` keeps each of them."""
        met = {**self.py.variables, **self.c.variables}
        names = Names(self.vocabulary, (v for v in met.values() if not v.listed))
        sides = [rows_of(table, names) for table in (self.c, self.py)]
        comparison = Comparison(
            names, rtol=rtol, wanted=None if contract is None else Wanted(contract, names), every=every
        )
        if any(v.tolerance.scale is not None and v.tolerance.scale.kind == "largest" for v in names.variables):
            for rows in sides:
                comparison.scales.note_largest(rows)
        comparison.add(*sides)
        comparison.finish()
        return comparison

    @cached_property
    def rows(self) -> tuple[AlignedRow, ...]:
        """Numbers on both sides, in order of evaluation."""
        found = self.compare(every=True)
        return tuple(self.row(kept, found) for kept in in_order(found))

    def row(self, kept: Kept, found: Comparison) -> AlignedRow:
        """A kept number as the tables have it."""
        variable = found.names.variables[kept.variable]
        row = RowId(kept.key, variable.id, kept.component)
        return AlignedRow(row, variable, self.c.rows[row], self.py.rows[row])

    def only(self, outer: Collection[Key], depth: int) -> Alignment:
        """The alignment restricted to keys whose first `depth` indices are among `outer`."""

        def inside(table: TraceTable) -> TraceTable:
            return replace(table, rows={row: n for row, n in table.rows.items() if row.key[:depth] in outer})

        return Alignment(inside(self.c), inside(self.py), self.vocabulary)


def align(c: TraceTable, py: TraceTable, vocabulary: Vocabulary) -> Alignment:
    """Pair the rows of both sides by their ids. Names that the vocabulary does not list get their places here."""
    met = with_places(vocabulary, (c.variables, py.variables))
    for table in (c, py):
        table.variables = {name: met[name] for name in table.variables}
    return Alignment(c, py, vocabulary)


def in_order(found: Comparison) -> list[Kept]:
    """Every row that a comparison kept, in order of evaluation."""
    variables, order = found.names.variables, found.vocabulary.order
    return sorted(found.rows, key=lambda k: order(variables[k.variable], k.key, k.component))
