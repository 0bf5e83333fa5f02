"""Which pixels to trace, chosen from the two images, so that users need not search for a useful one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from trace_parity.compare.images import Image
    from trace_parity.pair.vocabulary import ImageTolerance

DEFAULT_PICKS = "worst:2,brightest:1"
_WORD = re.compile(r"(worst|brightest|edge|weak|random):(\d+)(?:@(\d+))?")


@dataclass(frozen=True)
class Pick:
    """How many pixels of one kind; `seed` is for random ones."""

    kind: str
    count: int
    seed: int = 0


@dataclass(frozen=True)
class Picked:
    """A pixel (slow, fast) and why it was picked."""

    slow: int
    fast: int
    why: str


def parse_picks(text: str) -> tuple[Pick, ...]:
    """`worst:5,brightest:3,edge:2,weak:2,random:10@SEED`. Raises HarnessError (exit 2)."""
    picks = []
    for word in text.split(","):
        match = _WORD.fullmatch(word.strip())
        if match is None or not int(match[2]) or (match[3] and match[1] != "random"):
            raise HarnessError(
                Exit.USAGE,
                f"{word!r} is not a way to pick pixels",
                where="--pixels",
                expected="worst:N, brightest:N, edge:N, weak:N or random:N@SEED, joined by commas",
            )
        picks.append(Pick(match[1], int(match[2]), int(match[3] or 0)))
    return tuple(picks)


def pick_pixels(c: Image, py: Image, picks: tuple[Pick, ...], tolerance: ImageTolerance) -> tuple[Picked, ...]:
    """The pixels of two images (slow, fast), each once, under its first reason.

    Only pixels with a value in one of the images are picked. Kinds: `worst` differ most beyond what the tolerance
    allows, `brightest` and `weak` by C's value, `edge` spread along the border of what was rendered, `random` by seed.
    Raises HarnessError (exit 6) when no pixel has a value, or none is left to pick.
    """
    import numpy as np

    a, b = c.astype(np.float64), py.astype(np.float64)
    lit = np.flatnonzero((a != 0) | (b != 0))
    if not lit.size:
        raise HarnessError(Exit.NOTHING_TO_COMPARE, "both images are zero everywhere, so there is no pixel to pick")
    pair = _Pair(a.ravel(), b.ravel(), lit, a.shape, tolerance)
    found: dict[int, str] = {}
    for pick in picks:
        for flat, why in _PICKERS[pick.kind](pair, pick):
            found.setdefault(int(flat), why)
    if not found:
        raise HarnessError(
            Exit.NOTHING_TO_COMPARE, "the images do not differ, so there is no worst pixel", hint="add brightest:1"
        )
    fast = a.shape[1]
    return tuple(Picked(flat // fast, flat % fast, why) for flat, why in found.items())


Reasons = list[tuple[int, str]]


@dataclass(frozen=True)
class _Pair:
    """Both images, flat, and the flat indices of the pixels that either program gave a value."""

    c: npt.NDArray[np.float64]
    py: npt.NDArray[np.float64]
    lit: npt.NDArray[np.intp]
    shape: tuple[int, ...]
    tolerance: ImageTolerance


def _worst(pair: _Pair, pick: Pick) -> Reasons:
    import numpy as np

    with np.errstate(invalid="ignore"):  # inf - inf
        diff = np.abs(pair.c[pair.lit] - pair.py[pair.lit])
    diff = np.where(np.isfinite(diff), diff, np.inf)
    top = float(np.abs(pair.c[np.isfinite(pair.c)]).max(initial=0.0))
    allowed = np.maximum(pair.tolerance.rtol * np.abs(pair.c[pair.lit]), pair.tolerance.floor * top)
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = np.where(diff > 0, diff / allowed, 0.0)
    order = np.argsort(-excess, kind="stable")[: pick.count]
    return [
        (int(pair.lit[i]), f"worst {n}: differs by {diff[i]:.3g}, {excess[i]:.3g} times the allowed difference")
        for n, i in enumerate(order, start=1)
        if diff[i] > 0
    ]


def _brightest(pair: _Pair, pick: Pick) -> Reasons:
    import numpy as np

    order = np.argsort(-pair.c[pair.lit], kind="stable")[: pick.count]
    return [(int(pair.lit[i]), f"brightest {n}: {pair.c[pair.lit[i]]:.6g} in C") for n, i in enumerate(order, start=1)]


def _weak(pair: _Pair, pick: Pick) -> Reasons:
    import numpy as np

    order = np.argsort(np.abs(pair.c[pair.lit]), kind="stable")[: pick.count]
    return [(int(pair.lit[i]), f"weakest {n}: {pair.c[pair.lit[i]]:.6g} in C") for n, i in enumerate(order, start=1)]


def _edge(pair: _Pair, pick: Pick) -> Reasons:
    import numpy as np

    slow, fast = pair.lit // pair.shape[1], pair.lit % pair.shape[1]
    box = (slow.min(), slow.max(), fast.min(), fast.max())
    border = (slow == box[0]) | (slow == box[1]) | (fast == box[2]) | (fast == box[3])
    middle = ((box[0] + box[1]) / 2, (box[2] + box[3]) / 2)
    around = pair.lit[border][np.argsort(np.arctan2(slow[border] - middle[0], fast[border] - middle[1]), kind="stable")]
    chosen = around[np.linspace(0, around.size, pick.count, endpoint=False).astype(np.intp)]
    return [(int(flat), "on the border of what was rendered") for flat in chosen]


def _random(pair: _Pair, pick: Pick) -> Reasons:
    import numpy as np

    chosen = np.random.default_rng(pick.seed).choice(pair.lit, size=min(pick.count, pair.lit.size), replace=False)
    return [(int(flat), f"random, seed {pick.seed}") for flat in chosen]


_PICKERS = {"worst": _worst, "brightest": _brightest, "weak": _weak, "edge": _edge, "random": _random}
