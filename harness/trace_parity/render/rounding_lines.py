"""What rounding explains, in words."""

from __future__ import annotations

from collections.abc import Callable

from trace_parity.compare.rounding import LIMITS, RoundedNumber, RoundedVariable, Rounding
from trace_parity.render.numbers import short

HEADING = "What rounding explains"
NAMED = 4


def lines(rounding: Rounding) -> list[str]:
    """Counts of the three classes, the first number beyond rounding, and the tolerances that miss their purpose."""
    counts = (
        f"{rounding.within} within rounding, {rounding.beyond_rounding} beyond rounding but inside tolerance, "
        f"{rounding.beyond_tolerance} beyond tolerance"
    )
    unknown = f"; {rounding.unknown} at places that were not measured" if rounding.unknown else ""
    made = [f"{counts}{unknown} ({rounding.measured}, k = {rounding.k:g})"]
    if rounding.float32_ratio is not None:
        made.append(
            f"float32 port: its error is {rounding.float32_ratio:.2g} times that of {rounding.float32_of} "
            "(1 is as good as float32 can be)"
        )
    divergence, first = rounding.divergence, rounding.first
    if divergence is not None:
        made.append(f"first divergence {said(divergence)}")
    unreachable = [v for v in rounding.variables if v.tolerance == "unreachable"]
    if unreachable:
        made.append(f"tolerance unreachable, tighter than the spread: {_named(unreachable)}")
    if first is not None and (divergence is None or first.place != divergence.place or first.name != divergence.name):
        made.append(f"first beyond rounding {said(first)}, {first.verdict.removeprefix('beyond rounding but ')}")
    blind = [v for v in rounding.variables if v.tolerance == "blind"]
    if blind:
        least = min(v.allowed_times for v in blind)
        made.append(
            f"tolerance blind, {LIMITS['blind'].value:g} times wider than what rounding explains or more: "
            f"{_named(blind)} (the tightest allows {short(least)} times that)"
        )
    return made


def said(number: RoundedNumber) -> str:
    """`F_latt at phi_tic=3: 57 times what rounding explains here`."""
    if number.times <= 1:
        return (
            f"{number.name} at {number.place}: rounding alone explains it ({number.times:.2g} of what it explains here)"
        )
    times = (
        "beyond any rounding"
        if number.times == float("inf")
        else f"{_times(number.times)} times what rounding explains"
    )
    return f"{number.name} at {number.place}: {times} here"


def _times(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.1e}"


def _named(variables: list[RoundedVariable]) -> str:
    names = ", ".join(v.name for v in variables[:NAMED])
    return names + (f" and {len(variables) - NAMED} more" if len(variables) > NAMED else "")


def markdown(rounding: Rounding, escape: Callable[[str], str]) -> list[str]:
    """The section of summary.md: the lines, and the variables with anything beyond rounding."""
    parts = [f"## {HEADING}", "\n".join(f"- {escape(line)}" for line in lines(rounding))]
    rows = [v for v in rounding.variables if v.beyond_rounding or v.beyond_tolerance]
    if rows:
        head = "| variable | within | beyond rounding | beyond tolerance | largest spread | worst |"
        table = [
            f"| {escape(v.name)} | {v.within} | {v.beyond_rounding} | {v.beyond_tolerance} "
            f"| {short(v.largest_spread)} | {short(v.worst_times)} |"
            for v in rows
        ]
        parts.append("\n".join([head, "|---|---:|---:|---:|---:|---:|", *table]))
    return parts
