"""Where the nanoBragg pair (pair.toml, vocabulary, quirks, cases, equations) is: the entry point `trace_parity.pairs`.

This file is executed by itself, without its package: finding the pair must not import PyTorch.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_IN_WHEEL = _HERE / "data" / "traces" / "nanobragg"
FOLDER = _IN_WHEEL if _IN_WHEEL.is_dir() else _HERE.parents[1] / "traces" / "nanobragg"
