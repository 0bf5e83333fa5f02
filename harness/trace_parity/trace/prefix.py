"""What may precede a trace line: ranks, times, log levels, colours, progress bars."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

_COLOUR = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_BEGINS = re.compile(r"TRACE_(C|PY)(?=[\[:_\s]|$)")
_WITHIN = re.compile(r"(?<!_)TRACE_(?:C|PY)(?=\[|:\s*[A-Za-z_(\[|]|_[A-Z0-9_]+(?:[:\[]|\s+\S))")
# `TRACE: a = [1, 2, 3]`, `TRACE: V_cell 12.5`: a value may follow; a message of a log level TRACE has none.
_SIDELESS = re.compile(r"(?<![\w.])TRACE:(?=\s*[A-Za-z_|][\w|]*(?:\s+[-+.\d\[(]|[^=]*=))")
_RANK = re.compile(
    r"\[\d+,(\d+)\]<std(?:out|err)>:?"  # Open MPI --tag-output
    r"|\[(?:rank|Rank|RANK)[ :]?(\d+)\]:?"  # PyTorch
    r"|\b(?:rank|Rank|RANK)[ =:](\d+)\b"
    r"|^\s*(\d+): "  # srun --label
    r"|^\[(\d+)\] "  # Hydra -prepend-rank
)


@dataclass
class Prefixes:
    """What preceded the trace lines of one side."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    ranks: Counter[str] = field(default_factory=Counter)
    passed_over: int = 0

    def add(self, prefix: str) -> None:
        """One more line behind it."""
        form = re.sub(r"\d+", "#", prefix)
        if form not in self.counts and len(self.counts) >= _MOST_FORMS:
            form = "other text"
        self.counts[form] += 1
        if self.first.setdefault(form, prefix) != prefix:
            self.first[form] = form

    def notes(self) -> list[str]:
        """`1234 lines behind the prefix ...`, most frequent first."""
        return [
            f"{count} {'line' if count == 1 else 'lines'} behind the prefix {self.first[form].strip()!r}"
            for form, count in self.counts.most_common(3)
        ]


_MOST_FORMS = 100


@dataclass(frozen=True)
class Found:
    """A trace line inside a line of a log."""

    text: str
    prefix: str = ""
    rank: str | None = None
    sideless: bool = False  # the line does not say whose it is


def without_colour(line: str) -> str:
    """The line without terminal escapes."""
    return _COLOUR.sub("", line) if "\x1b" in line else line


def find_trace(line: str) -> Found | None:
    """The trace line in one line of a log, or None where there is none. The line has no line end."""
    if _BEGINS.match(line):
        return Found(line)
    within, sideless = _WITHIN.search(line), False
    if within is None:
        within, sideless = _SIDELESS.search(line), True
    if within is None:
        return None
    prefix, text = line[: within.start()], line[within.start() :]
    if not prefix.strip(" \t\ufeff"):
        return Found(text, "indentation" if prefix.strip("\ufeff") else "", None, sideless)
    rank = _RANK.search(prefix)
    return Found(text, prefix, next(g for g in rank.groups() if g) if rank else None, sideless)


def pieces(line: str) -> list[str]:
    """What a carriage return within a line separates: progress is printed over, and the rest follows it."""
    return [piece for piece in line.rstrip("\r\n").split("\r") if piece]
