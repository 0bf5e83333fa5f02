"""The per-tick table for a terminal: as many variables next to each other as fit, the others below."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from trace_parity.compare.tick_table import TickRow

GAP = 2
"""Spaces between two columns."""


def tick_text(rows: Sequence[TickRow], loop: str, columns: int) -> list[str]:
    """The lines, no longer than `columns` where one variable with its indices fits.

    Variables that are equal on both sides at every tick are named and not listed.
    """
    values = [name.removesuffix("_diff") for name in rows[0] if name.endswith("_diff")]
    before = [name for name in rows[0] if not any(name in (f"{v}_c", f"{v}_py", f"{v}_diff") for v in values)]
    varying = [name for name in before if name == loop or len({row.get(name) for row in rows} - {None}) > 1]
    equal = [
        name
        for name in values
        if {row.get(f"{name}_diff") for row in rows} - {None} == {0} and not _lacking(name, rows)
    ]
    index = _columns([[name, *(_cell(row.get(name)) for row in rows)] for name in varying])
    lines: list[str] = []
    for block in _blocks([_variable(name, rows) for name in values if name not in equal], columns - _width(index)):
        titles, cells = zip(*block, strict=True)
        over = "".join(title.rjust(_width(group)) for title, group in zip(titles, cells, strict=True))
        head = " " * _width(index) + over
        lines += [*([""] if lines else []), head.rstrip()]
        lines += ["".join(row) for row in zip(*index, *(column for group in cells for column in group), strict=True)]
    if equal:
        lines += [*([""] if lines else []), f"equal at every tick: {', '.join(equal)}"]
    return lines


def _lacking(name: str, rows: Sequence[TickRow]) -> bool:
    """Whether one side has a value that the other lacks."""
    return any((row.get(f"{name}_c") is None) != (row.get(f"{name}_py") is None) for row in rows)


_Group = list[list[str]]
"""Columns of padded cells, the first of which is the head."""


def _variable(name: str, rows: Sequence[TickRow]) -> tuple[str, _Group]:
    heads = {"C": "_c", "PY": "_py", "PY - C": "_diff"}
    columns = [
        [head, *(_cell(row.get(f"{name}{end}"), short=end == "_diff") for row in rows)] for head, end in heads.items()
    ]
    group = _columns(columns)
    spare = len(name) + GAP - _width(group)
    if spare > 0:
        group[0] = [" " * spare + cell for cell in group[0]]
    return name, group


def _blocks(variables: Sequence[tuple[str, _Group]], room: int) -> Iterator[list[tuple[str, _Group]]]:
    """The variables in as few blocks as fit into the room, in their order."""
    block: list[tuple[str, _Group]] = []
    for variable in variables:
        if block and sum(_width(group) for _, group in [*block, variable]) > room:
            yield block
            block = []
        block.append(variable)
    if block:
        yield block


def _columns(columns: Sequence[Sequence[str]]) -> _Group:
    widths = [max(map(len, column)) + GAP for column in columns]
    return [[cell.rjust(width) for cell in column] for column, width in zip(columns, widths, strict=True)]


def _width(group: _Group) -> int:
    return sum(len(column[0]) for column in group)


def _cell(value: float | int | None, *, short: bool = False) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    return ("0" if value == 0 else f"{value:.1e}") if short else f"{value:.6g}"
