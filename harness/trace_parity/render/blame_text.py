"""Blame in words, for a terminal and for a summary. Log text is escaped by the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from trace_parity.blame.findings import HARMLESS, Blame, BlameFinding
from trace_parity.blame.headline import cause_line, cause_sentence, explains, percent
from trace_parity.printable import plural
from trace_parity.render.numbers import short

HEADING = "Broken equations"
SHOWN = 20
"""Findings listed in a summary; all are in the JSON."""


def headline(blame: Blame) -> str:
    """How many equations are broken, on which side, of how many that were evaluated."""
    evaluated = f"{plural(blame.equations_checked, 'equation')} at {plural(blame.instances_checked, 'place')}"
    if not blame.equations_checked:
        lacking = f"; they lack {_lacking(blame)[1]}" if _lacking(blame)[0] else ""
        return f"no equation could be evaluated: the logs hold no output together with its inputs{lacking}"
    broken = [f for f in blame.findings if f.kind in ("introduced", "self-inconsistent")]
    if not broken:
        return f"none of {evaluated}{_unevaluated(blame)}"
    sides = dict.fromkeys(f.side for f in broken)
    counts = ", ".join(f"{side} {sum(1 for f in broken if f.side == side)}" for side in sides)
    return f"{len(broken)} of {evaluated} ({counts}){_unevaluated(blame)}"


def _unevaluated(blame: Blame) -> str:
    """`; 6 more equations could not be evaluated for lack of dt, r_cut`: in the sentence that counts the others."""
    count, names = _lacking(blame)
    return f"; {plural(count, 'more equation')} could not be evaluated for lack of {names}" if count else ""


def _lacking(blame: Blame) -> tuple[int, str]:
    """How many equations could not be evaluated anywhere, and the names of what they lack."""
    missing = [line for line in blame.missing if ": lacks " in line]
    lacks = list(dict.fromkeys(w for m in missing for w in m.rpartition(": lacks ")[2].split(", ")))
    equations = {m.rpartition(": lacks ")[0].partition(": ")[2] for m in missing}  # of both sides, or of each
    return len(equations), ", ".join(lacks[:4]) + (f" and {len(lacks) - 4} more" if len(lacks) > 4 else "")


def say(finding: BlameFinding, final: str = "", *, place: str | None = None) -> list[str]:
    """A finding in two to six lines; `place` in place of its own, empty for one that need not be repeated."""
    who = {"introduced": f"introduced by {finding.side}", "self-inconsistent": f"inconsistent in {finding.side}"}
    if finding.manner == "probe":
        who = {kind: f"{word}, in print only" for kind, word in who.items()}
    first = finding.place if place is None else place
    where = first if finding.count == 1 else f"{finding.count} places" + (f", first {first}" if first else "")
    lines = [f"{finding.variable}: {who.get(finding.kind, finding.kind)}" + (f"  ({where})" if where else "")]
    if finding.kind in who:
        section = f"  [model {finding.section}]" if finding.section else ""
        lines.append(f"  breaks    {finding.equation_text}{section}")
        lines.append(f"  by        {short(finding.residual)} relative, rounding explains {short(finding.allowed)}")
    else:
        by = f"the sides differ by {short(finding.residual)} relative"
        lines.append(f"  {by}" + (f"; made by {finding.equation_text}" if finding.equation else ""))
    if finding.share is not None and final:
        what = explains(finding, final).partition(" ")[2]
        others = f", with {', '.join(finding.together)}" if finding.together else ""
        lines.append(f"  explains  {what}{others}")
    if finding.image_share is not None:
        lines.append(f"  images    {percent(finding.image_share)} of the ratio of their sums")
    if finding.quirk:
        lines.append(f"  quirk     {_quirks(finding)}")
    if finding.hint:
        lines.append(f"  hint      {finding.hint}")
    if finding.instead:
        lines.append(f"  or        {'; or '.join(finding.instead)} instead: that explains as much")
    if finding.missing:
        lines.append(f"  missing   {'; '.join(finding.missing)}")
    return lines


def shared_final(blame: Blame) -> str:
    """The final variable, of whose difference the findings have shares; empty where its values agree."""
    return "" if blame.final_agrees else blame.final


def _quirks(finding: BlameFinding) -> str:
    return f"{finding.quirk}, with {finding.quirk_too}" if finding.quirk_too else finding.quirk


def verdict(blame: Blame) -> str:
    """The last line of `trace-diff blame`."""
    if not blame.equations_checked:
        return f"NOT EVALUATED  blame: {headline(blame)}"
    if not blame.guilty:
        return f"CONSISTENT  blame: no broken equation, {headline(blame)}"
    cause = cause_sentence(blame)
    return f"BROKEN  blame: {headline(blame)}" + (f"; {cause}" if cause else "")


def lines_of(blame: Blame) -> list[str]:
    """For `trace-diff blame`: every finding in full, and what could not be evaluated."""
    lines = head_lines(blame)
    shown, harmless = folded(blame)
    for finding in shown:
        lines += ["", *say(finding, shared_final(blame))]
    if harmless:
        lines += ["", *harmless_lines(blame, harmless)]
    if blame.missing:
        lines += ["", "could not be evaluated:", *(f"  {line}" for line in blame.missing)]
    digits = ", ".join(f"{side} {count}" for side, count in blame.digits.items())
    lines += ["", f"significant digits printed, from which the rounding is taken: {digits}"]
    return lines


def compact(blame: Blame, most: int, place: Callable[[str], str]) -> list[str]:
    """A line or two per cause and one for what inherits a difference; `place` shortens the name of a place."""
    shown, harmless = folded(blame)
    causes = _grouped([f for f in shown if f.is_cause])
    lines = [line for group in causes[:most] for line in _cause(group, place(group[0].place))]
    if len(causes) > most:
        lines.append(f"… and {len(causes) - most} more; -v shows them")
    inherited = list(dict.fromkeys(f.variable for f in shown if f.kind == "inherited"))
    if inherited:
        lines.append(f"inherit it: {few(inherited, 3)}")
    if harmless:
        quirks = list(dict.fromkeys(_quirks(f) for f in harmless if f.quirk))
        named = f" (quirk {'; '.join(quirks)})" if quirks else ""
        lines.append(f"harmless: {few(list(dict.fromkeys(_harmless_name(f, blame) for f in harmless)), 4)}{named}")
    return lines


def _grouped(causes: Sequence[BlameFinding]) -> list[list[BlameFinding]]:
    """Findings that say the same of several variables, together."""

    def same(f: BlameFinding) -> tuple[object, ...]:
        return f.kind, f.side, f.place, f.hint, f.quirk, f.quirk_too, f.instead, f.count

    return [list(group) for _, group in groupby(causes, key=same)]


def _cause(group: Sequence[BlameFinding], place: str) -> list[str]:
    """What is broken, and a hint: two lines at most."""
    f = group[0]
    names = ", ".join(dict.fromkeys(finding.variable for finding in group))
    at = f" at {place}" if place else ""
    many = f" ({f.count} places)" if f.count > 1 else ""
    if f.kind == "unexplained":
        lines = [f"{names}: {'differ' if ',' in names else 'differs'}, but no equation is broken{at}{many}"]
    else:
        worst = short(max(finding.residual for finding in group))
        lines = [f"{names}: {f.side} breaks {f.equation_text}{at}{many}, by {worst}"]
    hints = [*([f"quirk {_quirks(f)}"] if f.quirk else []), *([f.hint] if f.hint else [])]
    hints += [f"or {'; or '.join(f.instead)} instead"] if f.instead else []
    return [*lines, *(f"  hint  {hint}" for hint in ["; ".join(hints)] if hint)]


def few(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def folded(blame: Blame) -> tuple[list[BlameFinding], list[BlameFinding]]:
    """The findings to list in full, and the harmless ones; all in full where none of them matters."""
    if not any(f.is_cause and not f.is_harmless for f in blame.findings):
        return list(blame.findings), []
    return [f for f in blame.findings if not f.is_harmless], [f for f in blame.findings if f.is_harmless]


def head_lines(blame: Blame) -> list[str]:
    """The first lines of a section on blame: how many equations are broken, settings, the cause."""
    cause = cause_line(blame)
    lines = [f"setting that differs: {line}" for line in blame.settings]
    settings = [line for line in lines if line not in cause and line.partition(": ")[2] not in blame.loops]
    return [f"{HEADING}: {headline(blame)}", *settings, *([cause] if cause else []), *blame.notes]


def harmless_lines(blame: Blame, findings: list[BlameFinding]) -> list[str]:
    """A line per finding that does not change the result."""
    lines = [f"harmless, moving less than {100 * HARMLESS:g} % of the difference of {blame.final}:"]
    for f in findings:
        notes = [f"quirk {_quirks(f)}"] if f.quirk else []
        notes += [f.hint] if f.hint else []
        what = "; ".join(notes) or f"by {short(f.residual)} relative"
        name = _harmless_name(f, blame)
        lines.append(f"  {name} of {f.side}: {what}" if f.side != "both" else f"  {name}: {what}")
    return lines


def _harmless_name(finding: BlameFinding, blame: Blame) -> str:
    """The variable; where it is a cause as well, with what of it is harmless."""
    if not any(f.variable == finding.variable and f.is_cause and not f.is_harmless for f in blame.findings):
        return finding.variable
    if finding.manner == "probe":
        return f"{finding.variable} in print"
    if finding.kind == "self-inconsistent":
        return f"{finding.variable} where both are alike"
    return f"{finding.variable} at {plural(finding.count, 'other place')}"


def markdown(blame: Blame, escape: Callable[[str], str], place: Callable[[str], str]) -> list[str]:
    """The section of summary.md; `place` shortens the name of a place."""
    parts = [f"## {HEADING}", *(escape(line.removeprefix(f"{HEADING}: ")) for line in head_lines(blame))]
    rows = [
        _row(replace(finding, place=place(finding.place)), shared_final(blame), escape)
        for finding in blame.findings[:SHOWN]
    ]
    if rows:
        head = ["| variable | kind | side | places | first | equation | residual | rounding | hint |"]
        parts.append("\n".join([*head, "|---|---|---|---:|---|---|---:|---:|---|", *rows]))
    if len(blame.findings) > SHOWN:
        parts.append(f"… and {len(blame.findings) - SHOWN} more; the JSON form has all.")
    return parts


def _row(f: BlameFinding, final: str, escape: Callable[[str], str]) -> str:
    notes = [f"quirk {_quirks(f)}"] if f.quirk else []
    notes += [f"explains {percent(f.share)}"] if f.share is not None and final else []
    notes += ["in print only"] if f.manner == "probe" else []
    notes += [f.hint] if f.hint else []
    notes += [f"or {'; or '.join(f.instead)} instead"] if f.instead else []
    notes += [f"missing: {'; '.join(f.missing)}"] if f.missing else []
    words = [f.variable, f.kind, f.side, str(f.count), f.place, f.equation_text]
    words += [short(f.residual), short(f.allowed), "; ".join(notes)]
    return "| " + " | ".join(escape(word) for word in words) + " |"
