"""The verdict for a terminal: what a person needs to see first, in plain text."""

from __future__ import annotations

from trace_parity.printable import visible
from trace_parity.render.blame_text import short_lines
from trace_parity.render.numbers import short, ulps
from trace_parity.result.result import Divergence, Result


def render(result: Result) -> str:
    """A dozen lines: verdict, first divergence, quirk, counts, images."""
    lines = [f"{result.verdict.upper()}  {result.case.id}: {result.headline}"]
    if len(result.settings) > 1:
        lines += ["", *result.settings[:10]]
        if len(result.settings) > 10:
            lines.append(f"… and {len(result.settings) - 10} more settings (all in result.json)")
    if result.first_divergence is not None:
        lines += ["", *_first(result.first_divergence)]
    for quirk in result.quirks:
        lines += ["", f"known quirk {quirk.id} ({quirk.kind}, {quirk.side} side): {quirk.title}"]
        lines += [f"  seen: {quirk.evidence}", f"  {quirk.downstream} divergent numbers are computed from it"]
        lines += [f"  {quirk.remedy}"]
    if result.waivers:
        lines += ["", *waiver_lines(result)]
    if result.blame is not None:
        lines += ["", *short_lines(result.blame)]
    if result.problems:
        lines += ["", "not compared:"] if result.exit_code else [""]
        lines += [f"  {problem}" for problem in result.problems[:10]]
        if len(result.problems) > 10:
            lines.append(f"  … and {len(result.problems) - 10} more (all in result.json)")
    lines += ["", *_counts(result)]
    return "\n".join(map(visible, lines)) + "\n"


def waiver_lines(result: Result) -> list[str]:
    """A line per waiver: its state, how often and how large its quirk shows, who answers for it and until when."""
    return [
        f"waiver {w.id}: {w.state}; shows at {w.matched} places, largest {short(w.largest)} of {short(w.allowed)} "
        f"allowed; {w.owner}; {f'until {w.expires}' if w.expires else 'does not expire'}; {w.reference}"
        for w in result.waivers
    ]


def _first(d: Divergence) -> list[str]:
    return [
        f"first divergence: {d.name}" + (f"  [{d.unit}]" if d.unit else ""),
        f"  where   {d.place}",
        f"  what    {d.description}",
        f"  C       {d.c_text}  (line {d.c_line})",
        f"  PY      {d.py_text}  (line {d.py_line})",
        f"  differ  {short(d.abs_diff)} absolute, {short(d.rel_diff)} relative, {ulps(d.ulp_diff)} ULP;"
        f" allowed {short(d.allowed)} ({d.tolerance})",
        f"  from    {', '.join(d.depends_on) or 'inputs of the run'}",
    ]


def _counts(result: Result) -> list[str]:
    c = result.coverage
    lines = [
        f"compared {c.compared} numbers of {len([v for v in result.variables if v.compared])} variables: "
        f"{c.compared - result.num_divergent} agree, {result.num_divergent} diverge; "
        f"only in C {c.c_only}, only in PY {c.py_only}, unreadable lines {c.c_unreadable} + {c.py_unreadable}"
    ]
    lines += list(result.precision)
    if result.examined is not None:
        lines.append(str(result.examined))
    lines += [f"traced pixel {why}" for why in result.case.picked]
    if result.per_phi:
        lines.append(f"ticks compared: {len(result.per_phi)}")
    lines.append(f"smallest relative tolerance that would pass: {short(result.needed_rtol)}")
    image = result.images
    if image is not None:
        slow, fast = image.max_abs_at
        lines.append(
            f"images {image.shape[0]} x {image.shape[1]} (slow x fast): {image.pixels_beyond} pixels beyond tolerance, "
            f"correlation {image.correlation:.12g}, RMSE {short(image.rmse)}, "
            f"largest difference {short(image.max_abs_diff)} at (slow {slow}, fast {fast}), "
            f"sum ratio {image.sum_ratio:.12g}"
        )
    for side, log in result.logs.items():
        lines += [f"unreadable in {side}: {line}" for line in log.unreadable[:10]]
    return lines
