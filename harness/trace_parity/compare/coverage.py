"""The coverage contract: what must have been compared before anything may be called parity.

A case states it (compare/contract.py). Without a case, whatever one side printed must be on the other too. A log that
was cut off differs from one that lacks a variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trace_parity.compare.comparison import Comparison
from trace_parity.pair.vocabulary import Variable
from trace_parity.printable import plural
from trace_parity.trace.reader import SIDES
from trace_parity.trace.table import TraceTable


@dataclass(frozen=True)
class Coverage:
    """What was compared and what is missing."""

    compared: int
    c_only: int
    py_only: int
    c_unreadable: int
    py_unreadable: int
    missing: tuple[str, ...]  # one line per variable, worst first
    holds: bool
    elsewhere: str = ""  # that the logs are of different places

    @property
    def unreadable(self) -> int:
        """Trace lines that could not be read: their values were not compared."""
        return self.c_unreadable + self.py_unreadable


def check_coverage(found: Comparison, tables: Sequence[TraceTable]) -> Coverage:
    """Whether enough was compared for a verdict of parity to mean something."""
    elsewhere = "".join(_elsewhere(found))
    lines = [
        *([elsewhere] if elsewhere else []),
        *_unreadable(tables),
        *_against_contract(found),
        *_one_sided(found),
        *_of_wrong_size(found, tables),
    ]
    missing = tuple(dict.fromkeys(lines))
    return Coverage(
        compared=found.compared,
        c_only=found.sides[0].only,
        py_only=found.sides[1].only,
        c_unreadable=tables[0].unreadable_lines,
        py_unreadable=tables[1].unreadable_lines,
        missing=missing,
        holds=found.compared > 0 and not missing,
        elsewhere=elsewhere,
    )


def _unreadable(tables: Sequence[TraceTable]) -> Iterator[str]:
    for table in tables:
        if table.unreadable:
            first, count = table.unreadable[0], table.unreadable_lines
            many = f"{count} trace lines" if count > 1 else "1 trace line"
            yield f"{table.side}: {many} could not be read, first line {first.line}: {first.why}"


def _elsewhere(found: Comparison) -> Iterator[str]:
    """Logs of different places or cases: they share no value inside a loop."""
    keys = [side.first_key for side in found.sides]
    if None in keys or any(tally.compared and _in_loops(found, n) for n, tally in enumerate(found.tallies)):
        return
    c, py = (found.vocabulary.describe(key) for key in keys if key is not None)
    if c != py:
        yield f"the logs have no place in common: C begins at {c}, PY at {py}"


def _in_loops(found: Comparison, n: int) -> bool:
    return bool(found.names.variables[n].scope.loops)


def _against_contract(found: Comparison) -> Iterator[str]:
    if found.wanted is None:
        return
    for name, side, wanted, lacking in found.wanted.lacking():
        if not wanted and side == 0:
            yield f"{name}: required by the case, unknown to the vocabulary"
        if lacking:
            where = found.vocabulary.describe(lacking[0])
            yield f"{name}: {len(lacking)} of {wanted} missing in {SIDES[side]}, first at {where}"


def _one_sided(found: Comparison) -> Iterator[str]:
    for side, absent in enumerate(SIDES[::-1]):
        lonely = [(found.names.variables[n], t) for n, t in enumerate(found.tallies) if t.only[side]]
        for variable, tally in sorted(lonely, key=lambda v: (v[0].place, v[1].first_only[side])):
            first = tally.first_only[side]
            assert first is not None
            where = found.vocabulary.describe(first[1])
            places = plural(tally.places[side], "place")
            yield f"{variable.name}: missing in {absent} at {places}, first at {where}"


def _of_wrong_size(found: Comparison, tables: Sequence[TraceTable]) -> Iterator[str]:
    """What has as many numbers in both logs, but not as many as the vocabulary says."""
    singly = _named_singly(tables)
    wrong = [(found.names.variables[n], t) for n, t in enumerate(found.tallies) if t.first_wrong is not None]
    for variable, tally in sorted(wrong, key=lambda v: v[0].place):
        if variable.name not in singly and tally.first_wrong is not None:
            where = found.vocabulary.describe(tally.first_wrong.key)
            yield _wrong_size_line(variable, tally.first_wrong.size, tally.wrong_places, where)


def _named_singly(tables: Sequence[TraceTable]) -> set[str]:
    """Variables of which an older log names single numbers (`h_frac`): it need not have all of them."""
    return {of.partition("[")[0] for table in tables for of in table.aliased.values() if "[" in of}


def _wrong_size_line(variable: Variable, size: int, places: int, where: str) -> str:
    many = f"at {places} places, first at {where}" if places > 1 else f"at {where}"
    return f"{variable.name}: {plural(size, 'number')} in both logs, not {variable.size}, {many}"


def cut_off(found: Comparison, tables: Sequence[TraceTable], last_differs: Sequence[bool]) -> str | None:
    """A line that names the truncated log, or None. `last_differs`: whether the text of a log's last number differs
    from the other log's.

    There are two signs. Either the last line has no newline, and its number differs from the other side's or the other
    side continues after it. Or a side lacks only the tail of the other log, and this tail begins within a place that
    the side has begun and not closed. (A log that lacks a variable lacks it throughout.)
    """
    if not found.sides[0].numbers or not found.sides[1].numbers:
        return None
    for short, long in ((1, 0), (0, 1)):
        table, lacking, surplus = tables[short], found.sides[long].only, found.sides[short].only
        # Incomplete even if the last number is whole: further lines may be missing.
        if table.unterminated and (lacking or last_differs[short] or found.sides[short].last_mismatched):
            return (
                f"{table.path}: the log is truncated in its last line ({table.lines}): it has no "
                f"newline and is incomplete"
            )
        first = found.sides[long].first_only
        variables = sum(1 for tally in found.tallies if tally.only[long])
        if surplus or variables < 2 or first is None or first[0] < found.sides[long].shared:
            continue
        if not found.sides[long].open_end:
            continue
        name, place = found.names.variables[first[1]].name, found.vocabulary.describe(first[2])
        return (
            f"{table.path}: the log ends early: {name} at {place} and all that follows is missing "
            f"({plural(lacking, 'number')})"
        )
    return None
