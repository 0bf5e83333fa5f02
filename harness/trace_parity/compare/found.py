"""A finished comparison and what both logs contain apart from numbers: the input of results."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from trace_parity.compare.align import AlignedRow, Alignment
from trace_parity.compare.comparison import Comparison
from trace_parity.compare.judge import Judged, VariableSummary, judged, summaries
from trace_parity.compare.sites import Site
from trace_parity.compare.tally import Kept
from trace_parity.pair.contract import Contract
from trace_parity.pair.vocabulary import ABSENT, Vocabulary
from trace_parity.printable import plural
from trace_parity.trace.reader import Taken
from trace_parity.trace.table import RowId, TraceTable

MOST_MISMATCHES = 1000


@dataclass(frozen=True)
class Found:
    """What two logs have in common. `read` gives their rows in memory, of some sites or (None) all.

    `nothing` gives for each log without a number the reason; `read_as` whose lines were taken from each, and
    how, where it is a log.
    """

    comparison: Comparison
    tables: tuple[TraceTable, TraceTable]
    row_of: Callable[[Kept], AlignedRow]
    last_differs: tuple[bool, bool]
    read: Callable[[Collection[Site] | None], Alignment]
    nothing: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = field(default=())
    read_as: tuple[tuple[str, Taken] | None, tuple[str, Taken] | None] = (None, None)

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary that the logs were read with."""
        return self.comparison.vocabulary

    @property
    def numbers(self) -> tuple[int, int]:
        """How many numbers each log has."""
        c, py = self.comparison.sides
        return c.numbers, py.numbers

    def first_rows(self) -> list[Judged]:
        """The first numbers that differ, in order of evaluation."""
        return [judged(kept, self.row_of(kept)) for _, kept in self.comparison.kept]

    def summaries(self) -> tuple[VariableSummary, ...]:
        """Per variable, in vocabulary order."""
        return summaries(self.comparison, self.row_of)

    def mismatches(self) -> list[str]:
        """A line per vector of differing size, in the order in which the logs have what the other lacks."""
        found = self.comparison
        lines = [
            f"{found.names.variables[m.variable].name}: {plural(m.c_size, 'number')} in C, {m.py_size} in PY, "
            f"at {found.vocabulary.describe(m.key)}"
            for m in sorted(found.mismatches)[:MOST_MISMATCHES]
        ]
        if found.further_mismatches:
            lines.append(f"{found.further_mismatches} further vectors of differing size")
        return lines


def of_tables(alignment: Alignment, contract: Contract, rtol: float | None) -> Found:
    """The comparison of two tables in memory."""
    comparison = alignment.compare(rtol=rtol, contract=contract)
    depth = alignment.vocabulary.site_depth
    absent = tuple(ABSENT for _ in alignment.vocabulary.loops[:depth])

    def read(sites: Collection[Site] | None) -> Alignment:
        return alignment if sites is None else alignment.only({absent, *sites}, depth)

    tables = (alignment.c, alignment.py)
    differs = [_last_differs(one, other) for one, other in (tables, tables[::-1])]
    return Found(
        comparison,
        tables,
        lambda kept: alignment.row(kept, comparison),
        (differs[0], differs[1]),
        read,
    )


def _last_differs(table: TraceTable, other: TraceTable) -> bool:
    if not table.rows:
        return False
    row: RowId = next(reversed(table.rows))
    there = other.rows.get(row)
    return there is not None and there.text != table.rows[row].text
