"""A number of a table that the two sides look up at the same entry, and have different numbers of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np

from trace_parity.blame.between import AS_READ, digits_of
from trace_parity.blame.equation import Equation
from trace_parity.blame.evaluated_log import EvaluatedLog

Entry = tuple[int, ...]
Table = dict[Entry, float]


def of_neighbour(equation: Equation, c: EvaluatedLog, py: EvaluatedLog) -> str:
    """That PY has at each entry what C has at a neighbour; empty where it has not.

    All entries whose neighbours are in C's log must show it, and C must have that number once.
    """
    ours, theirs, apart = _tables(equation, c, py)
    met = Counter(ours.values())
    for words, there in _neighbours(len(apart[0])) if apart else ():
        pairs = [(theirs[entry], ours[at]) for entry in apart if (at := there(entry)) in ours and met[ours[at]] == 1]
        if pairs and all(a == b for a, b in pairs):
            return f"PY has the number that C has at {_name(equation)} {words}: another entry of the table"
    return ""


def as_read(equation: Equation, c: EvaluatedLog, py: EvaluatedLog) -> str:
    """That both sides have numbers of a table, and different ones of the same entry; empty where they have not."""
    ours, theirs, apart = _tables(equation, c, py)
    if not apart or max(digits_of(table[entry]) for table in (ours, theirs) for entry in apart) > AS_READ:
        return ""
    text = f"at the same {_name(equation)} each side has a number as it is read"
    return f"{text}: of another entry, or of another table"


def _name(equation: Equation) -> str:
    return equation.table.rpartition(".")[2]


def _tables(equation: Equation, c: EvaluatedLog, py: EvaluatedLog) -> tuple[Table, Table, list[Entry]]:
    """The numbers of both logs by entry, and the entries at which they are apart."""
    ours, theirs = _table(equation, c), _table(equation, py)
    return ours, theirs, [entry for entry in ours if entry in theirs and ours[entry] != theirs[entry]]


def _table(equation: Equation, side: EvaluatedLog) -> Table:
    """The numbers of a log by their entry of whole numbers; none where an entry has several, as between entries."""
    found: Table = {}
    for key in side.view.keys(equation.output):
        place, value = side.view.find(equation.table, key), side.view.at(equation.output, key)
        words = side.view.at(*place) if place is not None else None
        if words is None or value is None or len(value) != 1 or not np.isfinite(words).all():
            continue
        entry = tuple(int(w) for w in words)
        if found.setdefault(entry, float(value[0])) != float(value[0]):
            return {}
    return found


def _neighbours(size: int) -> Iterator[tuple[str, Callable[[Entry], Entry]]]:
    """Other entries, the nearest first, in words and as what leads there."""
    for step in sorted(product((0, 1, -1), repeat=size), key=lambda step: sum(map(abs, step)))[1:]:
        yield f"+ ({', '.join(map(str, step))})", partial(_moved, step)
    yield "of the opposite sign", lambda entry: tuple(-index for index in entry)
    yield "in the opposite order", lambda entry: entry[::-1]


def _moved(step: Entry, entry: Entry) -> Entry:
    return tuple(index + more for index, more in zip(entry, step, strict=True))
