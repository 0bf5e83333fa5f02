"""A gate's outcomes as a table for people and as one JUnit file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from trace_parity.files import near
from trace_parity.printable import plural, visible
from trace_parity.render.junit_form import clean, document
from trace_parity.render.markdown_form import escape
from trace_parity.render.numbers import short

if TYPE_CHECKING:
    from trace_parity.result.outcome import Outcome


def gate_table(outcomes: Sequence[Outcome], *, worst_first: bool = False) -> list[str]:
    """A header, then one line per case; cases that are not in parity come last, or first."""
    width = max((len(o.case) for o in outcomes), default=4)
    ordered = sorted(outcomes, key=lambda o: (o.exit_code != 0) != worst_first)
    lines = [f"{'case':{width}}  exit  {'verdict':16}  {'compared':>8}  {'divergent':>9}  {'needs rtol':>10}"]
    for o in ordered:
        lines.append(
            f"{o.case:{width}}  {o.exit_code:4}  {o.verdict:16}  {o.compared:8}  {o.num_divergent:9}  "
            f"{_needs(o):>10}" + (f"  {visible(o.headline)}" if o.exit_code or o.waived else "")
        )
    return lines


def _needs(o: Outcome) -> str:
    """The relative tolerance that would pass; none for a case in which nothing was compared."""
    return short(o.needed_rtol if o.compared else None)


def gate_verdict(outcomes: Sequence[Outcome], exit_code: int, out: Path) -> list[str]:
    """The last lines: what to look at next, and how many cases are in parity."""
    passed = sum(o.exit_code == 0 for o in outcomes)
    counts = f"{plural(len(outcomes), 'case')}: {passed} in parity, {len(outcomes) - passed} not"
    failed = [o for o in outcomes if o.exit_code]
    if not exit_code:
        return [f"PARITY  gate: {counts}"]
    with_bundle = next((o for o in failed if o.bundle), None)
    bundle = shlex.quote(str(near(out / with_bundle.bundle))) if with_bundle is not None else ""
    step = [f"next:   trace-diff bundle show {bundle}"] if bundle else []
    return [*step, f"NOT IN PARITY  gate: {counts}"]


def gate_markdown(outcomes: Sequence[Outcome]) -> str:
    """The table for a step summary."""
    lines = ["| case | verdict | compared | divergent | needs rtol | |", "|---|---|---:|---:|---:|---|"]
    for o in sorted(outcomes, key=lambda o: o.exit_code == 0):
        headline = escape(o.headline) if o.exit_code or o.waived else ""
        counts = f"{o.compared} | {o.num_divergent} | {_needs(o)}"
        lines.append(f"| {escape(o.case)} | {o.verdict} | {counts} | {headline} |")
    return "\n".join(lines) + "\n"


def gate_junit(outcomes: Sequence[Outcome], name: str) -> str:
    """One test case per case of the matrix: a divergence is a failure, a program that failed an error."""
    failures = sum(o.exit_code in (1, 4, 6, 7) for o in outcomes)
    errors = sum(o.exit_code in (2, 3, 5) for o in outcomes)
    suite = ElementTree.Element(
        "testsuite", name=name, tests=str(len(outcomes)), failures=str(failures), errors=str(errors)
    )
    for o in outcomes:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name=o.case)
        if o.exit_code:
            kind = "failure" if o.exit_code in (1, 4, 6, 7) else "error"
            ElementTree.SubElement(case, kind, message=clean(o.headline), type=o.verdict)
    return document(suite)
