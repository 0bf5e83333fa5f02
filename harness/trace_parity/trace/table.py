"""One side's trace: a number per (loop indices, variable, component), and what else the log held."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from trace_parity.pair.vocabulary import Key, Variable

KEPT_UNREADABLE = 1000
"""How many unreadable lines of a log are listed; the count covers all."""


class RowId(NamedTuple):
    """The key of a row. Never a line number, never a count of occurrences."""

    key: Key
    variable: str  # Variable.id
    component: int


class Number(NamedTuple):
    """One printed number: its value, how it was printed in the log, and on which line.

    `whole` is the integer where one was printed, whatever its size; `aliased` is true under an older name.
    """

    value: float
    text: str
    line: int
    whole: int | None = None
    aliased: bool = False


@dataclass(frozen=True)
class Unreadable:
    """A line that begins like a trace line and does not parse."""

    line: int
    text: str
    why: str
    hint: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}: {self.text[:120]}"


@dataclass
class TraceTable:
    """The result of reading one log.

    `rows` is in the order of the log (judging does not use that order; telling a cut-off log does). `variables` has
    every variable met, by id. `aliased` says which older names were met and what they were read as. `unterminated` is
    true when the last line lacks its newline, as a log cut off in the middle of a write does; `last_line` is the number
    of the last trace line.
    """

    side: str  # "C" or "PY"
    path: str
    rows: dict[RowId, Number] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    aliased: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    lines: int = 0
    trace_lines: int = 0
    unterminated: bool = False
    further_unreadable: int = 0
    last_line: int = 0

    @property
    def unreadable_lines(self) -> int:
        """How many lines do not parse; `unreadable` lists the first of them."""
        return len(self.unreadable) + self.further_unreadable

    def refuse(self, line: Unreadable) -> None:
        """One more line that does not parse."""
        if len(self.unreadable) < KEPT_UNREADABLE:
            self.unreadable.append(line)
        else:
            self.further_unreadable += 1

    def value(self, key: Key, variable: str, component: int = 0) -> float | None:
        """The number at that row, or None."""
        number = self.rows.get(RowId(key, variable, component))
        return None if number is None else number.value

    def vector(self, key: Key, variable: str) -> tuple[float, ...]:
        """All components at that row, in order; empty when there is none."""
        values: list[float] = []
        while (value := self.value(key, variable, len(values))) is not None:
            values.append(value)
        return tuple(values)
