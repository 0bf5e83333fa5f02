"""Bring two traces together: one row per loop indices, variable and component, and what stands on one side only."""

from __future__ import annotations

from dataclasses import dataclass

from trace_parity.pair.first_appearance import with_places
from trace_parity.pair.vocabulary import Variable, Vocabulary
from trace_parity.trace.table import Number, RowId, TraceTable


@dataclass(frozen=True)
class AlignedRow:
    """One number on both sides."""

    id: RowId
    variable: Variable
    c: Number
    py: Number


@dataclass(frozen=True)
class SizeMismatch:
    """A variable that has more numbers on one side than on the other, at the same indices."""

    id: RowId
    variable: Variable
    c_size: int
    py_size: int


@dataclass(frozen=True)
class Alignment:
    """Rows on both sides in order of evaluation, and the rows that the other side lacks, in order of their own log."""

    c: TraceTable
    py: TraceTable
    vocabulary: Vocabulary
    rows: tuple[AlignedRow, ...]
    c_only: tuple[RowId, ...]
    py_only: tuple[RowId, ...]
    size_mismatches: tuple[SizeMismatch, ...]

    def variable(self, row: RowId) -> Variable:
        """The variable of a row of either side."""
        return self.c.variables.get(row.variable) or self.py.variables[row.variable]


def align(c: TraceTable, py: TraceTable, vocabulary: Vocabulary) -> Alignment:
    """Pair the rows of both sides by their ids. Names that the vocabulary does not list get their places here."""
    met = with_places(vocabulary, (c.variables, py.variables))
    for table in (c, py):
        table.variables = {name: met[name] for name in table.variables}
    both = [
        AlignedRow(row, c.variables[row.variable], number, py.rows[row])
        for row, number in c.rows.items()
        if row in py.rows
    ]
    both.sort(key=lambda r: vocabulary.order(r.variable, r.id.key, r.id.component))
    c_only = [row for row in c.rows if row not in py.rows]
    py_only = [row for row in py.rows if row not in c.rows]
    mismatches = {**_size_mismatches(c_only, c, py), **_size_mismatches(py_only, c, py)}
    lonely = {(m.id.key, m.id.variable) for m in mismatches.values()}
    return Alignment(
        c,
        py,
        vocabulary,
        tuple(both),
        tuple(row for row in c_only if (row.key, row.variable) not in lonely),
        tuple(row for row in py_only if (row.key, row.variable) not in lonely),
        tuple(mismatches.values()),
    )


def _size_mismatches(lonely: list[RowId], c: TraceTable, py: TraceTable) -> dict[RowId, SizeMismatch]:
    """Where the first number stands on both sides and a later one does not."""
    found: dict[RowId, SizeMismatch] = {}
    for row in lonely:
        first = row._replace(component=0)
        if row.component and first in c.rows and first in py.rows and first not in found:
            variable = c.variables[row.variable]
            sizes = (len(c.vector(row.key, row.variable)), len(py.vector(row.key, row.variable)))
            found[first] = SizeMismatch(first, variable, *sizes)
    return found
