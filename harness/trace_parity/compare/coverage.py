"""The coverage contract: what must have been compared before anything may be called parity.

A case states it (variables, and how many ticks of each loop). Without a case, whatever one side printed must stand on
the other too. A log that was cut off is told from one that lacks a variable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from trace_parity.compare.align import Alignment
from trace_parity.pair.contract import Contract
from trace_parity.pair.vocabulary import ABSENT, Variable, Vocabulary
from trace_parity.trace.table import RowId, TraceTable


@dataclass(frozen=True)
class Coverage:
    """What was compared and what was not."""

    compared: int
    c_only: int
    py_only: int
    c_unreadable: int
    py_unreadable: int
    missing: tuple[str, ...]  # one line per variable, worst first
    holds: bool


def missing_rows(alignment: Alignment, contract: Contract) -> list[str]:
    """One line per variable and side that lacks something, by the contract, by the other side and by the vocabulary."""
    lines = [*_against_contract(alignment, contract), *_one_sided(alignment), *_of_wrong_size(alignment)]
    return list(dict.fromkeys(lines))


def check_coverage(alignment: Alignment, contract: Contract) -> Coverage:
    """Whether enough was compared for a verdict of parity to mean something."""
    missing = missing_rows(alignment, contract)
    compared = len(alignment.rows)
    return Coverage(
        compared=compared,
        c_only=len(alignment.c_only),
        py_only=len(alignment.py_only),
        c_unreadable=len(alignment.c.unreadable),
        py_unreadable=len(alignment.py.unreadable),
        missing=tuple(missing),
        holds=compared > 0 and not missing,
    )


def _against_contract(alignment: Alignment, contract: Contract) -> list[str]:
    lines = []
    vocabulary = alignment.vocabulary
    for name in contract.variables:
        wanted = [(v, k) for v in vocabulary.named(name) for k in _keys(vocabulary, v.scope.loops, contract)]
        if not wanted:
            lines.append(f"{name}: asked for by the case, unknown to the vocabulary")
        for table in (alignment.c, alignment.py):
            lacking = [k for v, k in wanted if any(RowId(k, v.id, i) not in table.rows for i in range(v.size or 1))]
            if lacking:
                where = vocabulary.describe(lacking[0])
                lines.append(f"{name}: {len(lacking)} of {len(wanted)} missing in {table.side}, first at {where}")
    return lines


def _keys(vocabulary: Vocabulary, loops: tuple[str, ...], contract: Contract) -> list[tuple[int, ...]]:
    """Every key that the contract asks for in a scope of these loops: its places in the focus, all ticks else."""
    places = [dict(zip(vocabulary.focus, place, strict=True)) for place in contract.pixels] or [{}]
    keys: dict[tuple[int, ...], None] = {}
    for place in places:
        indices = [
            (ABSENT,) if loop not in loops else (place[loop],) if loop in place else range(contract.ticks.get(loop, 1))
            for loop in vocabulary.loops
        ]
        keys |= dict.fromkeys(product(*indices))
    return list(keys)


def _one_sided(alignment: Alignment) -> list[str]:
    lines = []
    for present, absent, rows in (("C", "PY", alignment.c_only), ("PY", "C", alignment.py_only)):
        by_variable: dict[str, list[RowId]] = {}
        for row in rows:
            by_variable.setdefault(row.variable, []).append(row)
        for group in sorted(by_variable.values(), key=lambda g: alignment.variable(g[0]).place):
            keys = dict.fromkeys(row.key for row in group)
            where = alignment.vocabulary.describe(next(iter(keys)))
            name = alignment.variable(group[0]).name
            lines.append(f"{name}: in {present} only at {len(keys)} places, missing in {absent}, first at {where}")
    return lines


def _of_wrong_size(alignment: Alignment) -> list[str]:
    """What has as many numbers in both logs, but not as many as the vocabulary says."""
    found: dict[str, list[RowId]] = {}
    singly = named_singly((alignment.c, alignment.py))
    for row in alignment.c.rows:
        variable = alignment.c.variables[row.variable]
        if row.component or not variable.size or variable.name in singly:
            continue
        size = len(alignment.c.vector(row.key, row.variable))
        if size != variable.size and size == len(alignment.py.vector(row.key, row.variable)):
            found.setdefault(row.variable, []).append(row)
    return [
        wrong_size_line(
            alignment.c.variables[rows[0].variable],
            len(alignment.c.vector(rows[0].key, rows[0].variable)),
            len(rows),
            alignment.vocabulary.describe(rows[0].key),
        )
        for rows in sorted(found.values(), key=lambda rows: alignment.c.variables[rows[0].variable].place)
    ]


def named_singly(tables: Sequence[TraceTable]) -> set[str]:
    """Variables of which an older log names single numbers (`h_frac`): it need not have all of them."""
    return {of.partition("[")[0] for table in tables for of in table.aliased.values() if "[" in of}


def wrong_size_line(variable: Variable, size: int, places: int, where: str) -> str:
    """How it is said; `size` is that at the first place."""
    many = f"at {places} places, first at {where}" if places > 1 else f"at {where}"
    return f"{variable.name}: {size} numbers in both logs, not {variable.size}, {many}"


def cut_off(alignment: Alignment) -> str | None:
    """A line that says which log was cut off, if one was.

    Two signs. The last line has no newline, and its number differs from the other side's or is followed by nothing
    where the other side goes on. Or all that a side lacks is the tail of the other's log, of several variables: then
    the writing stopped. (A log that lacks one variable lacks it throughout.)
    """
    c, py = alignment.c, alignment.py
    for short, long, lacking, surplus in (
        (py, c, alignment.c_only, alignment.py_only),
        (c, py, alignment.py_only, alignment.c_only),
    ):
        if not short.rows or not long.rows:
            continue
        if short.unterminated and (lacking or _last_differs(short, long) or _short_vector(short, alignment)):
            return (
                f"{short.path}: the log was cut off in its last line ({short.lines}): no newline, and it is not whole"
            )
        if surplus or len({row.variable for row in lacking}) < 2 or not _is_tail(lacking, long):
            continue
        first = alignment.variable(lacking[0]).name
        place = alignment.vocabulary.describe(lacking[0].key)
        return f"{short.path}: the log ends early: from {first} at {place} on nothing stands ({len(lacking)} numbers)"
    return None


def _last_differs(short: TraceTable, long: TraceTable) -> bool:
    row, number = list(short.rows.items())[-1]
    other = long.rows.get(row)
    return other is not None and other.text != number.text


def _short_vector(short: TraceTable, alignment: Alignment) -> bool:
    last = next(reversed(short.rows))
    return any(m.id.key == last.key and m.id.variable == last.variable for m in alignment.size_mismatches)


def _is_tail(lacking: Sequence[RowId], long: TraceTable) -> bool:
    """Whether the lacking rows are the last ones of the long log, in its own order, without a gap."""
    return list(long.rows)[-len(lacking) :] == list(lacking)
