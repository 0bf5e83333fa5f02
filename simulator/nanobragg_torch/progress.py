"""Progress of long work on standard error, in lines that programs can read too: `12% done`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Progress = Callable[[float], None]
"""Called with the fraction that is done."""
QUIET_S = 2.0


def percents(what: str = "", quiet_s: float = 0.0) -> Progress:
    """Print whole percents, each once, after the text `what`; nothing for work that ends within `quiet_s`."""
    last, begin = -1, time.monotonic()

    def report(fraction: float) -> None:
        nonlocal last
        percent = int(fraction * 100 + 1e-9)
        if percent > last and time.monotonic() - begin >= quiet_s:
            last = percent
            print(f"{what}{percent}% done", file=sys.stderr, flush=True)

    return report


def of_a_sum(name: str) -> Progress:
    """Progress of the structure factors of the atoms in a file."""
    return percents(f"structure factors of {name}: ", QUIET_S)
