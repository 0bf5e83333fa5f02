"""Hints on differences in the last bit, from what is known of PyTorch's rounding (docs/numerics.md has it all)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from trace_parity.blame.findings import Blame, BlameFinding

LAST_BITS = 2.0**-51
"""Relative difference up to which two doubles differ in their last bits only: two units in the last place at most."""
OTHER_NAMES = {"norm": "sqrt", "unit": "sqrt", "√": "sqrt", "arctan2": "atan2", "**": "pow"}
_FUNCTION = re.compile(r"([a-z]\w*)\s*\(|(√|\*\*)|\|[^|]+\|")


@cache
def known() -> dict[str, Any]:
    """The version of PyTorch, and what was measured of its operations in float64."""
    text = (resources.files("trace_parity.blame") / "torch_rounding.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def with_rounding_hints(blame: Blame) -> Blame:
    """The findings with a hint where a difference of the last bits comes from an operation that is known for it."""
    return replace(blame, findings=tuple(_hinted(finding) for finding in blame.findings))


def _hinted(finding: BlameFinding) -> BlameFinding:
    if finding.kind not in ("unexplained", "introduced") or not 0 < finding.residual <= LAST_BITS:
        return finding
    said = last_bit(finding.equation_text)
    return replace(finding, hint=said) if said else finding


def last_bit(equation: str) -> str:
    """Which operations of an equation PyTorch rounds differently; empty if none is known."""
    right = equation.partition("=")[2] or equation
    names = [m[1] or m[2] or "norm" for m in _FUNCTION.finditer(right)]
    for name in dict.fromkeys(OTHER_NAMES.get(name, name) for name in names):
        entry = known()["operations"].get(name)
        if entry is not None and (said := _said(entry)):
            return f"the last bit: PyTorch's {name} {said} (PyTorch {known()['torch']}, docs/numerics.md)"
    return ""


def _said(entry: dict[str, Any]) -> str:
    parts = []
    if entry["off"]:
        parts.append(f"is not correctly rounded for {100 * entry['off']:.2g} % of numbers")
    depends = [*({"an element's place"} if entry["place"] else ()), *(["the threads"] if entry["threads"] else [])]
    if depends:
        parts.append(f"changes with {' and '.join(depends)}")
    return " and ".join(parts)
