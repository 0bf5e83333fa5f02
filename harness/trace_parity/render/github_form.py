"""GitHub Actions workflow commands: the verdict as annotations, the first divergence of each trace.

Where the source line that prints a variable is known, the annotation points at the port's.
"""

from __future__ import annotations

from trace_parity.printable import visible
from trace_parity.render.numbers import relative
from trace_parity.render.places import Places
from trace_parity.result.result import Divergence, Result

MOST = 10
"""GitHub shows no more annotations of one kind per step."""


def render(result: Result) -> str:
    """A notice for parity, else errors: one per site that diverges, or one that says what is wrong."""
    places = Places(result)
    headline = places.headline
    if result.exit_code == 0:
        return f"::notice title={_property(f'trace parity: {result.case.id}')}::{_message(headline)}\n"
    title = f"trace {result.verdict}: {result.case.id}"
    firsts = first_per_trace(result)
    if not firsts:
        return _error(title, headline, "")
    lines = [_error(title, f"{headline}; {_values(firsts[0])}", _location(result, firsts[0]))]
    for d in firsts[1 : MOST if len(firsts) <= MOST else MOST - 1]:
        lines.append(_error(title, f"first at {d.name} ({places.short(d.place)}); {_values(d)}", _location(result, d)))
    if len(firsts) > MOST:
        lines.append(_error(title, f"{len(firsts) - MOST + 1} more sites diverge; the JSON form has all", ""))
    return "".join(lines)


def first_per_trace(result: Result) -> list[Divergence]:
    """The first divergence of the whole run, then of each site (by the two outermost loops) that has one."""
    firsts: dict[tuple[tuple[str, int], ...], Divergence] = {}
    for d in result.divergences:
        loops = tuple(d.loops.items())
        firsts.setdefault(loops[:2] if len(loops) > 1 else (), d)
    return list(firsts.values())


def _values(d: Divergence) -> str:
    return f"C {d.c_text}, PY {d.py_text}, {relative(d.rel_diff, d.c_value, d.py_value)}"


def _location(result: Result, d: Divergence) -> str:
    source = result.sources.get(f"{d.scope}.{d.variable}", {}).get("PY")
    return f",file={_property(source.path)},line={source.line}" if source else ""


def _error(title: str, text: str, location: str) -> str:
    return f"::error title={_property(title)}{location}::{_message(text)}\n"


def _message(text: str) -> str:
    """One line; the runner takes %XX back, and looks for `##[command]` anywhere."""
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
