"""Reflection lists that are made from a formula: `python formula_reflections.py synth > synth.hkl`.

The golden figures were measured with these two lists; the gate's matrix uses them too.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence


def synth() -> str:
    """F = 100+60cos(0.7h+1.3k)+35sin(0.9l-0.4h) for |h|,|k|,|l| <= 24, without 7h+5k+3l a multiple of 11."""
    span = range(-24, 25)
    return "".join(
        f"{h:4d} {k:4d} {l:4d} {100 + 60 * math.cos(0.7 * h + 1.3 * k) + 35 * math.sin(0.9 * l - 0.4 * h):.2f}\n"
        for h in span
        for k in span
        for l in span
        if (7 * h + 5 * k + 3 * l) % 11
    )


def small() -> str:
    """F = 50+10cos(h+2k+3l) for |h|,|k|,|l| <= 4."""
    span = range(-4, 5)
    return "".join(
        f"{h} {k} {l} {50 + 10 * math.cos(h + 2 * k + 3 * l):.3f}\n" for h in span for k in span for l in span
    )


LISTS = {"synth": synth, "small": small}


def main(argv: Sequence[str] | None = None) -> int:
    """Print one list on standard output."""
    parser = argparse.ArgumentParser(description="Print a reflection list that is made from a formula.")
    parser.add_argument("name", choices=sorted(LISTS))
    sys.stdout.write(LISTS[parser.parse_args(argv).name]())
    return 0


if __name__ == "__main__":
    sys.exit(main())
