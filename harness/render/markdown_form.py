"""summary.md: the finding as a document."""

from __future__ import annotations

import shlex

from harness.blame_text import markdown
from harness.phi import write_phi
from harness.render.numbers import full, short, ulps
from harness.result import Result, VariableResult


def render(result: Result) -> str:
    """Verdict, first divergence, quirks, per-φ table, per-variable table, image metrics, command line."""
    parts = [
        f"# {escape(result.case.title)}: {result.verdict}",
        f"**{escape(result.headline)}** (exit code {result.exit_code})",
        *_settings(result),
        *_first(result),
        *_quirks(result),
        *(markdown(result.blame, escape) if result.blame is not None else []),
        *_problems(result),
        *_precision(result),
        *_images(result),
        *_per_phi(result),
        *_variables(result),
        *_case(result),
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text from a log, so that it shows as it stood."""
    for mark in "\\`*_{}[]<>|":
        text = text.replace(mark, "\\" + mark)
    return text


def code(text: str) -> str:
    """`text` as code, whatever stands in it: where a mark would end the code or a table cell, as HTML."""
    if not set("`|<>\n\r") & set(text):
        return f"`{text}`"
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "<code>" + "".join(f"&#{ord(ch)};" if ch in "`|*_[]~\\" else ch for ch in " ".join(text.split())) + "</code>"


def _settings(result: Result) -> list[str]:
    found = "\n".join(f"- {escape(line)}" for line in result.settings)
    return ["## Settings that differ", found] if found else []


def _first(result: Result) -> list[str]:
    d = result.first_divergence
    if d is None:
        return []
    rows = [
        ("place", code(d.place)),
        ("what it is", f"{escape(d.description)}, in {d.unit or 'no unit'}"),
        ("C", f"{code(d.c_text)} (line {d.c_line})"),
        ("PY", f"{code(d.py_text)} (line {d.py_line})"),
        ("difference", f"{short(d.abs_diff)} absolute, {short(d.rel_diff)} relative, {ulps(d.ulp_diff)} ULP"),
        ("allowed", f"{short(d.allowed)} (tolerance `{d.tolerance}`)"),
        ("computed from", ", ".join(f"`{name}`" for name in d.depends_on) or "inputs of the run"),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
    return [f"## First divergence: {code(d.name)}", table]


def _quirks(result: Result) -> list[str]:
    parts = []
    for q in result.quirks:
        parts.append(f"## This is quirk {q.id}: {q.title}" if q.first_is_it else f"## Quirk {q.id} shows: {q.title}")
        parts.append(
            f"{q.explanation}\n\nSeen at {q.places} places, first: {escape(q.evidence)}. {q.downstream} further "
            f"divergent numbers are computed from these. To compare without it: {q.remedy}."
        )
    return parts


def _problems(result: Result) -> list[str]:
    unreadable = [f"{side}: {line}" for side, log in result.logs.items() for line in log.unreadable]
    found = [*result.problems, *unreadable]
    return ["## Not compared", "\n".join(f"- {escape(problem)}" for problem in found)] if found else []


def _precision(result: Result) -> list[str]:
    return ["## Printed precision", "\n".join(f"- {note}" for note in result.precision)] if result.precision else []


def _images(result: Result) -> list[str]:
    m = result.images
    if m is None:
        return []
    rows = [
        ("shape (slow × fast)", f"{m.shape[0]} × {m.shape[1]}"),
        ("correlation", f"{m.correlation:.15g}"),
        ("RMSE", f"{short(m.rmse)} photons"),
        (
            "largest difference",
            f"{short(m.max_abs_diff)} photons at (slow {m.max_abs_at[0]}, fast {m.max_abs_at[1]}): "
            f"C {full(m.max_abs_c)}, PY {full(m.max_abs_py)}",
        ),
        ("largest relative difference (pixels above 1e-6 of the maximum)", short(m.max_rel_diff)),
        ("sum PY / sum C", f"{m.sum_ratio:.15g}"),
        ("sum C, sum PY", f"{full(m.sum_c)}, {full(m.sum_py)}"),
        ("maximum C, PY", f"{full(m.max_c)}, {full(m.max_py)}"),
        ("pixels beyond tolerance", str(m.pixels_beyond)),
        ("pixels that differ at all", str(m.pixels_differing)),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
    pictures = "![C](images/c.png) ![PY](images/py.png) ![PY - C](images/difference.png)"
    return ["## Images", table, pictures]


def _per_phi(result: Result) -> list[str]:
    if not result.per_phi:
        return []
    return ["## Per φ", write_phi(list(result.per_phi), "markdown").rstrip("\n")]


def _variables(result: Result) -> list[str]:
    head = ["| variable | scope | compared | divergent | worst relative | worst absolute | ULP | where | |"]
    head.append("|---|---|---:|---:|---:|---:|---:|---|---|")
    return ["## Variables", "\n".join([*head, *(_row(v) for v in result.variables)])]


def _row(v: VariableResult) -> str:
    cells = [
        code(v.name),
        escape(v.scope),
        str(v.compared),
        str(v.divergent),
        short(v.worst_rel),
        short(v.worst_abs),
        ulps(v.worst_ulp),
        escape(v.worst_at) if v.worst_abs else "",
        v.status,
    ]
    return "| " + " | ".join(cells) + " |"


def _case(result: Result) -> list[str]:
    if not result.case.argv:
        return []
    picked = "\n".join(f"- {why}" for why in result.case.picked)
    parts = ["## Traced pixels (slow, fast)", picked] if picked else []
    parts += ["## Command line of both programs", f"```\n{shlex.join(result.case.argv)}\n```"]
    if result.case.inputs:
        lines = "\n".join(f"| `{name}` | `{digest}` |" for name, digest in result.case.inputs.items())
        parts.append(f"| input | sha256 |\n|---|---|\n{lines}")
    return parts


def environment_section(env: dict[str, object], git: dict[str, object]) -> str:
    """The part of summary.md that is not in the Result: when, where and with what."""
    packages = env["packages"]
    assert isinstance(packages, dict)
    versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    changed = ", with uncommitted changes" if git["dirty"] else ""
    return (
        "\n## Environment\n\n"
        f"- {env['created_utc']} on {env['platform']}, {env['cpus']} CPUs\n"
        f"- Python {env['python']}; {versions}\n"
        f"- {env['compiler']}\n"
        f"- commit {git['commit'] or 'unknown (not in a checkout)'}{changed}\n"
    )
