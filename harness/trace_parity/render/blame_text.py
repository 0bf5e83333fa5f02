"""Blame in words, for a terminal and for a summary. Log text is escaped by the caller."""

from __future__ import annotations

from collections.abc import Callable

from trace_parity.blame.findings import Blame, BlameFinding
from trace_parity.printable import visible
from trace_parity.render.numbers import short

HEADING = "Who breaks its own equation"
SHOWN = 20
"""Findings told in a summary; all are in the JSON."""


def headline(blame: Blame) -> str:
    """One line: how many faults, on which side, and how much was asked."""
    asked = f"{blame.equations_checked} equations at {blame.instances_checked} places"
    if not blame.equations_checked:
        return "no equation could be asked: the logs hold no output together with its inputs"
    broken = [f for f in blame.findings if f.kind in ("introduced", "self-inconsistent")]
    if not broken:
        return f"no one: all of {asked} hold{_unevaluated(blame)}"
    sides = dict.fromkeys(f.side for f in broken)
    counts = ", ".join(f"{side} {sum(1 for f in broken if f.side == side)}" for side in sides)
    return f"{len(broken)} equations broken ({counts}) of {asked}"


def _unevaluated(blame: Blame) -> str:
    """`; 6 more equations could not be evaluated for lack of dt, r_cut`: in the sentence that says how many held."""
    missing = [line for line in blame.missing if ": lacks " in line]
    if not missing:
        return ""
    lacks = list(dict.fromkeys(w for m in missing for w in m.rpartition(": lacks ")[2].split(", ")))
    few = ", ".join(lacks[:4]) + (f" and {len(lacks) - 4} more" if len(lacks) > 4 else "")
    equations = "equation" if len(missing) == 1 else "equations"
    return f"; {len(missing)} more {equations} could not be evaluated for lack of {few}"


def say(finding: BlameFinding) -> list[str]:
    """A finding in two to five lines."""
    who = {"introduced": f"introduced by {finding.side}", "self-inconsistent": f"inconsistent in {finding.side}"}
    if finding.manner == "probe":
        who = {kind: f"{word}, in print only" for kind, word in who.items()}
    where = finding.place if finding.count == 1 else f"{finding.count} places, first {finding.place}"
    lines = [f"{finding.variable}: {who.get(finding.kind, finding.kind)}  ({where})"]
    if finding.kind in who:
        section = f"  [model {finding.section}]" if finding.section else ""
        lines.append(f"  breaks    {finding.equation_text}{section}")
        lines.append(f"  by        {short(finding.residual)} relative, rounding explains {short(finding.allowed)}")
    else:
        by = f"the sides differ by {short(finding.residual)} relative"
        lines.append(f"  {by}" + (f"; made by {finding.equation_text}" if finding.equation else ""))
    if finding.quirk:
        lines.append(f"  quirk     {finding.quirk}")
    if finding.hint:
        lines.append(f"  hint      {finding.hint}")
    if finding.instead:
        lines.append(f"  or        {'; or '.join(finding.instead)} instead: that explains as much")
    if finding.missing:
        lines.append(f"  missing   {'; '.join(finding.missing)}")
    return lines


def text(blame: Blame) -> str:
    """Everything, for `trace-diff blame`."""
    lines = [f"{HEADING}: {headline(blame)}"]
    for finding in blame.findings:
        lines += ["", *say(finding)]
    if blame.missing:
        lines += ["", "could not be asked:", *(f"  {line}" for line in blame.missing)]
    digits = ", ".join(f"{side} {count}" for side, count in blame.digits.items())
    lines += ["", f"significant digits printed, from which the rounding is taken: {digits}"]
    return "\n".join(map(visible, lines)) + "\n"


def short_lines(blame: Blame, indent: str = "  ") -> list[str]:
    """The section of a verdict: headline and findings, without what could not be asked."""
    lines = [f"{HEADING}: {headline(blame)}"]
    for finding in blame.findings[:SHOWN]:
        lines += [indent + line for line in say(finding)]
    if len(blame.findings) > SHOWN:
        lines.append(f"{indent}… and {len(blame.findings) - SHOWN} more (all in result.json)")
    return lines


def markdown(blame: Blame, escape: Callable[[str], str]) -> list[str]:
    """The section of summary.md."""
    parts = [f"## {HEADING}", escape(headline(blame))]
    rows = [_row(finding, escape) for finding in blame.findings[:SHOWN]]
    if rows:
        head = ["| variable | kind | side | places | first | equation | residual | rounding | hint |"]
        parts.append("\n".join([*head, "|---|---|---|---:|---|---|---:|---:|---|", *rows]))
    if len(blame.findings) > SHOWN:
        parts.append(f"… and {len(blame.findings) - SHOWN} more (all in result.json).")
    return parts


def _row(f: BlameFinding, escape: Callable[[str], str]) -> str:
    notes = [f"quirk {f.quirk}"] if f.quirk else []
    notes += [f.hint] if f.hint else []
    notes += [f"or {'; or '.join(f.instead)} instead"] if f.instead else []
    notes += [f"missing: {'; '.join(f.missing)}"] if f.missing else []
    words = [f.variable, f.kind, f.side, str(f.count), f.place, f.equation_text]
    words += [short(f.residual), short(f.allowed), "; ".join(notes)]
    return "| " + " | ".join(escape(word) for word in words) + " |"
