"""Which pixels of large logs are looked at closely: for quirks and blame, equation by equation, it takes time.

Small logs are looked at whole. Of larger ones a few pixels are: that of the first divergence, the worst of every
variable that diverges, so that none goes without a look, then the first ones in order of evaluation. Both comparisons
choose by these rules, and the result says how much of the divergence the chosen pixels hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from trace_parity.compare.align import Alignment
from trace_parity.compare.judge import Judged, Judgement, VariableSummary
from trace_parity.pair.vocabulary import Key
from trace_parity.trace.table import TraceTable

WHOLE_NUMBERS = 200_000
"""Numbers in both logs up to which they are looked at whole, some ten seconds of work."""
PIXELS = 50
"""How many pixels of larger logs are looked at. More only where the variables that diverge need more."""
FIRST_ROWS = 1000
"""Divergent numbers, in order of evaluation, that the choice goes by; the streaming comparison keeps so many."""

Pixel = tuple[int, int]
"""The indices of the two outermost loops."""
NO_PIXEL: Pixel = (-1, -1)


@dataclass(frozen=True)
class Looked:
    """How much of the divergence was looked at: so many pixels, with so many of the numbers that differ."""

    pixels: int
    divergent: int
    of_divergent: int

    @property
    def unseen(self) -> int:
        """Numbers that differ in pixels that were not looked at."""
        return self.of_divergent - self.divergent

    def __str__(self) -> str:
        return (
            f"quirks and blame looked at {self.pixels} pixels, with {self.divergent} of the {self.of_divergent} "
            "numbers that differ (--blame-pixels N looks at more)"
        )


def pixel_of(key: Key) -> Pixel:
    """The pixel of a row; NO_PIXEL for a row in none."""
    first, second, *_ = (*key, -1, -1)
    return first, second


def choose_pixels(divergent: Iterable[Judged], summaries: Iterable[VariableSummary], most: int) -> list[Pixel]:
    """The pixels to look at. `divergent` are the first rows that differ, `summaries` those of all variables.

    The first pixel and one per divergent variable are always among them, however few `most` asks for.
    """
    first = list(dict.fromkeys(pixel_of(row.row.id.key) for row in divergent))
    worst = [pixel_of(s.worst.row.id.key) for s in summaries if s.divergent and s.worst is not None]
    needed = [pixel for pixel in dict.fromkeys([*first[:1], *worst]) if pixel != NO_PIXEL]
    further = [pixel for pixel in first if pixel not in needed and pixel != NO_PIXEL]
    return [*needed, *further[: max(0, most - len(needed))]]


def narrow(
    alignment: Alignment, judgement: Judgement, *, most_pixels: int = PIXELS, whole_numbers: int = WHOLE_NUMBERS
) -> tuple[Alignment, Judgement, Looked | None]:
    """Alignment and judgement of what is looked at, and how much that is; as they are, and None, when that is all."""
    if len(alignment.c.rows) + len(alignment.py.rows) <= whole_numbers:
        return alignment, judgement, None
    divergent = [row for row in judgement.rows if row.status != "match"]
    pixels = {NO_PIXEL, *choose_pixels(divergent[:FIRST_ROWS], judgement.summaries, most_pixels)}

    def only(table: TraceTable) -> TraceTable:
        return replace(table, rows={row: n for row, n in table.rows.items() if pixel_of(row.key) in pixels})

    rows = tuple(row for row in judgement.rows if pixel_of(row.row.id.key) in pixels)
    inside = replace(alignment, c=only(alignment.c), py=only(alignment.py))
    seen = sum(1 for row in rows if row.status != "match")
    return inside, replace(judgement, rows=rows), looked_at(pixels - {NO_PIXEL}, seen, len(divergent))


def looked_at(pixels: Sequence[Pixel] | set[Pixel], divergent: int, of_divergent: int) -> Looked | None:
    """What is to be said of the look; None when it held every number that differs."""
    return Looked(len(pixels), divergent, of_divergent) if divergent < of_divergent else None
