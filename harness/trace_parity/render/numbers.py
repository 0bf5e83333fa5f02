"""How numbers are shown to a reader."""

from __future__ import annotations

import math

from trace_parity.result.result import Divergence


def short(value: float | None) -> str:
    """Three digits, for differences; `-` for none."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:.3g}"


def relative(difference: float | None, c: float | None, py: float | None) -> str:
    """`0.33 relative`, or which side has no finite number to take a difference from."""
    odd = [
        f"{side} is {'not a number' if math.isnan(value) else 'infinite'}"
        for side, value in (("C", c), ("PY", py))
        if value is not None and not math.isfinite(value)
    ]
    return " and ".join(odd) or f"{short(difference)} relative"


def difference(d: Divergence, with_ulps: bool = False) -> str:
    """`10 (1e-05 relative); tolerance NAME allows 1 (1e-06)`; in parentheses, relative to the larger value."""
    if not math.isfinite(d.abs_diff):
        return relative(d.rel_diff, d.c_value, d.py_value)
    ratio = f"{short(d.rel_diff)} relative" + (f", {ulps(d.ulp_diff)} ULP" if with_ulps else "")
    larger = max(abs(d.c_value), abs(d.py_value))
    allowed = f"{short(d.allowed)} ({short(d.allowed / larger)})" if d.allowed > 0 else "none"
    return f"{short(d.abs_diff)} ({ratio}); tolerance {d.tolerance} allows {allowed}"


def full(value: float | None) -> str:
    """Every digit that tells a double from its neighbours; `-` for none."""
    if value is None:
        return "-"
    return f"{int(value)}" if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else repr(value)


def ulps(value: float | None) -> str:
    """A count of ULPs, short when it is large."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.0f}" if value < 1e6 else f"{value:.1e}"
