"""The per-tick table as plots: both sides and their difference along one loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trace_parity.compare.tick_table import TickRow
from trace_parity.render.svg import Plot, plot_svg
from trace_parity.result.result import Result

MOST_SERIES = 6
MOST_TICKS = 300
"""Ticks of a plot; of a longer loop the worst ones are kept, and others at equal distances."""


@dataclass(frozen=True)
class TickSeries:
    """The ticks of one place: a cell and a particle, say."""

    place: str
    plots: tuple[Plot, ...]
    ticks: int = 0

    @property
    def drawings(self) -> list[str]:
        """Each plot as an <svg> element."""
        return [plot_svg(plot) for plot in self.plots]

    @property
    def shown(self) -> int:
        """How many of the ticks are drawn."""
        return max((len(plot.x) for plot in self.plots), default=0)


def tick_loop(result: Result) -> str:
    """The loop of the per-tick table; of a result that does not name it, the one with the most ticks."""
    if result.tick_loop or not result.per_tick:
        return result.tick_loop
    names = _loops_of(result.per_tick[0])
    return max(names, key=lambda name: len({row.get(name) for row in result.per_tick}), default="")


def loop_matters(result: Result) -> bool:
    """Whether the first divergence lies in a loop that the table follows over more than one iteration."""
    first, loop = result.first_divergence, tick_loop(result)
    return first is not None and loop in first.loops and len({row.get(loop) for row in result.per_tick}) > 1


def _loops_of(row: TickRow) -> list[str]:
    columns = list(row)
    names = [name.removesuffix("_diff") for name in columns if name.endswith("_diff")]
    end = columns.index(f"{names[0]}_c") if names else len(columns)
    return [name for name in columns[:end] if isinstance(row[name], int) and not isinstance(row[name], bool)]


def tick_series(rows: Sequence[TickRow], loop: str, named: Sequence[str] = ()) -> list[TickSeries]:
    """One series per set of the other loop indices, one plot per column, along `loop`.

    A series is called by its indices of the loops `named`, and of those that differ between the series.
    """
    if not rows:
        return []
    names = [name.removesuffix("_diff") for name in rows[0] if name.endswith("_diff")]
    if not names:
        return []
    columns = list(rows[0])
    before = columns[: columns.index(f"{names[0]}_c")]
    loops = [name for name in _loops_of(rows[0]) if name != loop]
    shared = before[-1] if before and before[-1] not in (*loops, loop) else loop
    groups: dict[tuple[Any, ...], list[TickRow]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(n) for n in loops), []).append(row)
    varying = [i for i, n in enumerate(loops) if n in named or len({key[i] for key in groups}) > 1]
    found = []
    for key, group in groups.items():
        plots = [plot for name in names if (plot := _plot(name, shared, group)) is not None]
        if plots:
            place = " ".join(f"{loops[i]}={key[i]}" for i in varying)
            found.append(TickSeries(place or "every tick", tuple(plots), len(group)))
    return found


def _plot(name: str, shared: str, group: list[TickRow]) -> Plot | None:
    """None where a series has one tick, or neither side this column."""
    if len(group) < 2:
        return None
    kept = _kept([row.get(f"{name}_diff") for row in group])
    c, py, difference = (tuple(group[i].get(f"{name}_{end}") for i in kept) for end in ("c", "py", "diff"))
    if all(v is None for v in (*c, *py)):
        return None
    x = tuple(float(i if group[i][shared] is None else group[i][shared]) for i in kept)
    return Plot(name, shared, x, c, py, difference)


def _kept(differences: Sequence[float | None]) -> list[int]:
    """The ticks that are drawn: all of them, or the worst half and the rest evenly."""
    count = len(differences)
    if count <= MOST_TICKS:
        return list(range(count))

    def size(i: int) -> float:
        value = differences[i]
        return -1.0 if value is None else math.inf if math.isnan(value) else abs(value)

    worst = sorted(range(count), key=lambda i: -size(i))[: MOST_TICKS // 2]
    even = {round(i * (count - 1) / (MOST_TICKS // 2 - 1)) for i in range(MOST_TICKS // 2)}
    return sorted({*worst, *even})
