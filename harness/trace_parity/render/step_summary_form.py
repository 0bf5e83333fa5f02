"""Markdown for $GITHUB_STEP_SUMMARY: the verdict at a glance, the rest folded away."""

from __future__ import annotations

from trace_parity.printable import plural
from trace_parity.render.github_form import first_per_trace
from trace_parity.render.markdown_form import code, escape, waiver_table
from trace_parity.render.numbers import full, short
from trace_parity.render.places import Places
from trace_parity.result.result import Result, VariableResult

MOST = 20
"""Rows of each table; a summary of more than 1 MiB is refused by GitHub."""


def render(result: Result) -> str:
    """Verdict, counts, first divergence per trace, quirks, variables that do not agree, and the whole table folded."""
    sign = "✅" if result.exit_code == 0 else "❌"
    parts = [
        f"### {sign} {escape(result.case.id)}: {result.verdict}",
        escape(Places(result).headline),
        _counts(result),
        *_firsts(result),
        *_quirks(result),
        *([waiver_table(result.waivers)] if result.waivers else []),
        *_problems(result),
        *_variables(result),
    ]
    return "\n\n".join(parts) + "\n"


def _counts(result: Result) -> str:
    c = result.coverage
    cells = [
        ("compared", str(c.compared)),
        ("divergent", str(result.num_divergent)),
        ("only in C", str(c.c_only)),
        ("only in PY", str(c.py_only)),
        ("unreadable", str(c.c_unreadable + c.py_unreadable)),
        ("passes at rtol", short(result.needed_rtol)),
        ("exit code", str(result.exit_code)),
    ]
    if result.images is not None:
        cells.append(("image correlation", f"{result.images.correlation:.9g}"))
    return _table([name for name, _ in cells], [[value for _, value in cells]])


def _firsts(result: Result) -> list[str]:
    firsts = first_per_trace(result)
    if not firsts:
        return []
    place = Places(result).short
    rows = [
        [code(d.name), code(place(d.place)), code(d.c_text), code(d.py_text), short(d.rel_diff), escape(d.quirk or "")]
        for d in firsts[:MOST]
    ]
    more = [f"… and {len(firsts) - MOST} more"] if len(firsts) > MOST else []
    head = ["first divergence", "place", "C", "PY", "relative", "known quirk"]
    return [_table(head, rows), *more]


def _quirks(result: Result) -> list[str]:
    return [f"> **{escape(q.id)}** ({q.side}): {escape(q.title)}. {escape(q.remedy)}." for q in result.quirks]


def _problems(result: Result) -> list[str]:
    problems = Places(result).problems
    if not problems:
        return []
    lines = [f"- {escape(problem)}" for problem in problems[:MOST]]
    if len(problems) > MOST:
        lines.append(f"- … and {len(problems) - MOST} more")
    return ["**Not compared**", "\n".join(lines)]


def _variables(result: Result) -> list[str]:
    bad = [v for v in result.variables if v.status != "match"]
    parts = []
    if bad:
        parts.append(_variable_table(bad[:MOST]))
    if len(result.variables) > len(bad[:MOST]):
        table = _variable_table(list(result.variables[:200]))
        parts.append(
            f"<details><summary>{plural(len(result.variables), 'variable')}</summary>\n\n{table}\n\n</details>"
        )
    return parts


def _variable_table(variables: list[VariableResult]) -> str:
    signs = {"match": "✅", "divergent": "❌", "missing": "❓"}
    rows = [
        [
            f"{signs[v.status]} {v.status}",
            code(f"{v.scope}.{v.name}"),
            f"{v.divergent} of {v.compared}",
            short(v.worst_rel),
            full(v.worst_c),
            full(v.worst_py),
        ]
        for v in variables
    ]
    return _table(["", "variable", "divergent", "worst relative", "C", "PY"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
