"""summary.md: the finding as a document."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from trace_parity.compare.tick_table import write_ticks
from trace_parity.pair.dependency import name_and_iterations
from trace_parity.printable import plural, visible, visible_lines
from trace_parity.quirks.waivers import Waiver
from trace_parity.render import rounding_lines
from trace_parity.render.blame_text import markdown
from trace_parity.render.numbers import difference, full, short, ulps
from trace_parity.render.places import Places
from trace_parity.result.result import Result, VariableResult


def render(result: Result) -> str:
    """Verdict, first divergence, quirks, the pair's table of ticks, per-variable table, image metrics, command line."""
    parts = [
        f"# {escape(result.case.title)}: {result.verdict}",
        f"**{escape(Places(result).headline)}** (exit code {result.exit_code})",
        *_settings(result),
        *_first(result),
        *(rounding_lines.markdown(result.rounding, escape) if result.rounding is not None else []),
        *_quirks(result),
        *_waivers(result),
        *(markdown(result.blame, escape, Places(result).short) if result.blame is not None else []),
        *_problems(result),
        *_precision(result),
        *_images(result),
        *_ticks(result),
        *_variables(result),
        *_case(result),
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text from a log, so that it shows unchanged, on one line."""
    text = visible(text).replace("\\", "\\\\").replace("&", "&amp;")
    for mark in "`*_{}[]<>|~#!":
        text = text.replace(mark, "\\" + mark)
    return text.replace("://", ":\\/\\/").replace("@", "&#64;").replace("www.", "www&#46;")


def code(text: str) -> str:
    """`text` as code, whatever is in it: where a mark would end the code or a table cell, as HTML."""
    text = visible(text)
    if not set("`|<>\n\r") & set(text):
        return f"`{text}`"
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "<code>" + "".join(f"&#{ord(ch)};" if ch in "`|*_[]~\\" else ch for ch in " ".join(text.split())) + "</code>"


def fenced(text: str) -> str:
    """A block of code, its fence longer than any within."""
    inner = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, inner + 1)
    return f"{fence}\n{visible_lines(text)}\n{fence}"


def _settings(result: Result) -> list[str]:
    found = "\n".join(f"- {escape(line)}" for line in result.settings)
    return ["## Settings that differ", found] if found else []


def _first(result: Result) -> list[str]:
    d = result.first_divergence
    if d is None:
        return []
    rows = [
        ("place", code(Places(result).short(d.place))),
        ("what it is", f"{escape(d.description) or 'no description'}, in {escape(d.unit) or 'no unit'}"),
        ("C", f"{code(d.c_text)} (line {d.c_line})"),
        ("PY", f"{code(d.py_text)} (line {d.py_line})"),
        ("difference", escape(difference(d, with_ulps=True))),
        ("computed from", ", ".join(map(_dependency, d.depends_on)) or "inputs of the run"),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
    return [f"## First divergence: {code(d.name)}", table]


def _dependency(text: str) -> str:
    name, which = name_and_iterations(text)
    return f"{code(name)} {escape(which)}".rstrip()


def _quirks(result: Result) -> list[str]:
    parts = []
    for q in result.quirks:
        said = "This is quirk {}: {}" if q.first_is_it else "Quirk {} shows: {}"
        parts.append("## " + said.format(escape(q.id), escape(q.title)))
        seen = f"Seen at {plural(q.places, 'place')}, first: {escape(q.evidence)}."
        further = f"{q.further}. " if q.further else ""
        remedy = f"To compare without it: {escape(q.remedy)}."
        parts.append(f"{escape(q.explanation)}\n\n{seen} {further}{remedy}")
    return parts


def _waivers(result: Result) -> list[str]:
    if not result.waivers:
        return []
    return ["## Waivers", waiver_table(result.waivers)]


def waiver_table(waivers: Sequence[Waiver]) -> str:
    """A row per waiver."""
    head = ["| waiver | state | places | largest | allowed | owner | expires | reference |"]
    rows = [
        [
            code(w.id),
            w.state,
            str(w.matched),
            short(w.largest),
            short(w.allowed),
            escape(w.owner),
            w.expires or "never",
            escape(w.reference),
        ]
        for w in waivers
    ]
    return "\n".join([*head, "|---|---|---:|---:|---:|---|---|---|", *("| " + " | ".join(r) + " |" for r in rows)])


def _problems(result: Result) -> list[str]:
    unreadable = [f"{side}: {line}" for side, log in result.logs.items() for line in log.unreadable]
    found = [*Places(result).problems, *unreadable]
    return ["## Not compared", "\n".join(f"- {escape(problem)}" for problem in found)] if found else []


def _precision(result: Result) -> list[str]:
    return (
        ["## Printed precision", "\n".join(f"- {escape(note)}" for note in result.precision)]
        if result.precision
        else []
    )


def _images(result: Result) -> list[str]:
    m = result.images
    if m is None:
        return []
    unit = f" {escape(m.unit)}" if m.unit else ""
    rows = [
        ("shape (slow × fast)", f"{m.shape[0]} × {m.shape[1]}"),
        ("correlation", f"{m.correlation:.15g}"),
        ("RMSE", f"{short(m.rmse)}{unit}"),
        (
            "largest difference",
            f"{short(m.max_abs_diff)}{unit} at (slow {m.max_abs_at[0]}, fast {m.max_abs_at[1]}): "
            f"C {full(m.max_abs_c)}, PY {full(m.max_abs_py)}",
        ),
        ("largest relative difference (of pixels that are not faint)", short(m.max_rel_diff)),
        ("sum PY / sum C", f"{m.sum_ratio:.15g}"),
        ("sum C, sum PY", f"{full(m.sum_c)}, {full(m.sum_py)}"),
        ("maximum C, PY", f"{full(m.max_c)}, {full(m.max_py)}"),
        ("pixels beyond tolerance", str(m.pixels_beyond)),
        ("pixels that differ at all", str(m.pixels_differing)),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
    pictures = "![C](images/c.png) ![PY](images/py.png) ![PY - C](images/difference.png)"
    return ["## Images", table, pictures]


def _ticks(result: Result) -> list[str]:
    if not result.per_tick:
        return []
    title = result.tick_title or f"Per {result.tick_loop or 'tick'}"
    return [f"## {escape(title)}", visible_lines(write_ticks(list(result.per_tick), "markdown", "").rstrip("\n"))]


def _variables(result: Result) -> list[str]:
    head = ["| variable | scope | compared | divergent | worst relative | worst absolute | ULP | where | |"]
    head.append("|---|---|---:|---:|---:|---:|---:|---|---|")
    return ["## Variables", "\n".join([*head, *(_row(v, Places(result)) for v in result.variables)])]


def _row(v: VariableResult, places: Places) -> str:
    cells = [
        code(v.name),
        escape(v.scope),
        str(v.compared),
        str(v.divergent),
        short(v.worst_rel),
        short(v.worst_abs),
        ulps(v.worst_ulp),
        escape(places.short(v.worst_at)) if v.worst_abs else "",
        v.status,
    ]
    return "| " + " | ".join(cells) + " |"


def _case(result: Result) -> list[str]:
    if not result.case.argv:
        return []
    picked = "\n".join(f"- {escape(why)}" for why in result.case.picked)
    parts = ["## Traced pixels (slow, fast)", picked] if picked else []
    parts += ["## Command line of both programs", fenced(shlex.join(result.case.argv))]
    if result.case.inputs:
        lines = "\n".join(f"| {code(name)} | {code(digest)} |" for name, digest in result.case.inputs.items())
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
