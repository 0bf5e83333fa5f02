"""The input files that the golden command lines name, made from the formulas they were made from."""

from __future__ import annotations

import math
from pathlib import Path

ORIENT_MAT = """0.00812000 0.00734000 -0.00412000
-0.00851000 0.00911000 0.00203000
0.00611000 0.00087000 0.00953000
"""

SOURCES_TXT = """-10 0 0 1.0 1.0e-10
-10 0.01 0 2.0 1.02e-10
-10 0 -0.01 0.5 0.99e-10
"""


def synth_hkl() -> str:
    """F = 100+60cos(0.7h+1.3k)+35sin(0.9l-0.4h) for |h|,|k|,|l| <= 24, without 7h+5k+3l a multiple of 11."""
    span = range(-24, 25)
    return "".join(
        f"{h:4d} {k:4d} {l:4d} {100 + 60 * math.cos(0.7 * h + 1.3 * k) + 35 * math.sin(0.9 * l - 0.4 * h):.2f}\n"
        for h in span
        for k in span
        for l in span
        if (7 * h + 5 * k + 3 * l) % 11
    )


def small_hkl() -> str:
    """F = 50+10cos(h+2k+3l) for |h|,|k|,|l| <= 4."""
    span = range(-4, 5)
    return "".join(
        f"{h} {k} {l} {50 + 10 * math.cos(h + 2 * k + 3 * l):.3f}\n" for h in span for k in span for l in span
    )


def write_inputs(folder: Path) -> None:
    """All of them into `folder`."""
    (folder / "synth.hkl").write_text(synth_hkl())
    (folder / "small.hkl").write_text(small_hkl())
    (folder / "orient.mat").write_text(ORIENT_MAT)
    (folder / "sources.txt").write_text(SOURCES_TXT)
