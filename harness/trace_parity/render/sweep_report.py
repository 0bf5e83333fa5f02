"""What a sweep found: a table for people, JSON, and one page."""

from __future__ import annotations

import shlex

from trace_parity.printable import plural, visible
from trace_parity.render.html_form import page
from trace_parity.result.finding import DIFFERS, EMPTY, REFUSED, SAME, Finding, SweepResult
from trace_parity.result.result import to_json

_WORDS = {
    SAME: ("agree", "agrees"),
    DIFFERS: ("differ", "differs"),
    REFUSED: ("refused by both", "refused by both"),
    EMPTY: ("with nothing to compare", "with nothing to compare"),
}


def sweep_table(result: SweepResult) -> list[str]:
    """Each group with its findings, and a line that counts."""
    lines = []
    for findings in result.groups().values():
        shown = findings[0].shown
        blame = f", {shown.blame}" if shown.blame else ""
        lines.append(visible(f"{shown.first}{blame}: {plural(sum(len(f.lines) for f in findings), 'line')}"))
        for finding in findings:
            lines.append(visible(f"  {flags_of(finding)}   {finding.shown.headline}"))
            lines.append(
                visible(f"    {finding.case}" + (f"   {finding.bundle}/report.html" if finding.bundle else ""))
            )
    counts = ", ".join(f"{count} {_WORDS[kind][count == 1]}" for kind, count in result.kinds.items() if count)
    total = sum(result.kinds.values())
    shrunk = f"{plural(len(result.findings), 'finding')} of {plural(result.tried, 'try', 'tries')}"
    lines.append(f"{plural(total, 'command line')}: {counts or 'none'}; {shrunk}")
    return lines


def sweep_json(result: SweepResult) -> str:
    """Everything, with the findings in their groups."""
    groups = [
        {"first": findings[0].shown.first, "blame": findings[0].shown.blame, "findings": findings}
        for findings in result.groups().values()
    ]
    return to_json(
        {
            "title": result.title,
            "exit_code": result.exit_code,
            "lines": result.kinds,
            "tried": result.tried,
            "groups": groups,
        }
    )


def sweep_page(result: SweepResult) -> str:
    """The page: counts, then one table of findings a group."""
    return page(
        "sweep.html.j2",
        title=f"Sweep of {result.title}",
        data={},
        r=result,
        groups=list(result.groups().values()),
        total=sum(result.kinds.values()),
        differs=result.kinds.get(DIFFERS, 0),
        command=shlex.join(result.asked_as),
        flags_of=flags_of,
        joined=shlex.join,
    )


def flags_of(finding: Finding) -> str:
    """The flags of a finding as they are typed; what every line has where there are none."""
    return shlex.join(finding.flags) or "(no flag)"
