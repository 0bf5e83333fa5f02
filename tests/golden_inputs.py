"""The text input files that the golden command lines name."""

from __future__ import annotations

from pathlib import Path

from nanobragg.inputs.formula_reflections import small, synth

ORIENT_MAT = """0.00812000 0.00734000 -0.00412000
-0.00851000 0.00911000 0.00203000
0.00611000 0.00087000 0.00953000
"""

SOURCES_TXT = """-10 0 0 1.0 1.0e-10
-10 0.01 0 2.0 1.02e-10
-10 0 -0.01 0.5 0.99e-10
"""


def write_inputs(folder: Path) -> None:
    """All of them into `folder`."""
    (folder / "synth.hkl").write_text(synth())
    (folder / "small.hkl").write_text(small())
    (folder / "orient.mat").write_text(ORIENT_MAT)
    (folder / "sources.txt").write_text(SOURCES_TXT)
