"""report.html: the finding as one page that needs no network and, for reading, no script. Verdict first.

It is made of the Result alone, so it can be made again from result.json; a caller that has the bundle's pictures and
commands at hand gives them along. Text from logs is escaped by the template engine, and a content security policy by
hash lets nothing run but the page's own script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from trace_parity.blame.findings import BlameFinding
from trace_parity.blame.headline import percent
from trace_parity.pair.dependency import name_and_iterations
from trace_parity.printable import plural, visible
from trace_parity.render import rounding_lines
from trace_parity.render.blame_text import shared_final
from trace_parity.render.commands import commands_of
from trace_parity.render.first_screen import first_screen
from trace_parity.render.graph import STATES, graph_svg, legend, nodes_of, nodes_to_draw
from trace_parity.render.head_of_page import about
from trace_parity.render.numbers import difference, full, relative, short, ulps
from trace_parity.render.pictures import DECADES, LINEAR, PATCH, SIGNED_DECADES, by_panel, covered, two_loops
from trace_parity.render.places import Places
from trace_parity.render.ticks import MOST_SERIES, loop_matters, tick_loop, tick_series
from trace_parity.result.result import Result, VariableResult, plain

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

MOST_VARIABLES = 400
MOST_DIVERGENCES = 200
MOST_FINDINGS = 300
MOST_LINES = 300
"""What the page shows of each; result.json has all."""
FEW = 30
"""So many rows that do not agree are shown at once; of more, the groups after the first are folded."""
MOST_SCOPES = 15
"""Variables of more scopes are grouped by whether they agree."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def render(result: Result, embedded: Mapping[str, bytes] | None = None, *, in_bundle: bool = True) -> str:
    """The page. `embedded` is the rest of a bundle (`pictures.bundle_files`): without it the page
    shows no pictures and links no neighbouring files. Nor does it link any when it is not `in_bundle`."""
    files = embedded or {}
    is_bundle = in_bundle and embedded is not None
    places = Places(result)
    nodes = nodes_of(result)
    drawn = nodes_to_draw(nodes)
    loop = tick_loop(result)
    series = tick_series(result.per_tick, loop, places.loops)
    commands = commands_of(result, files, in_bundle=is_bundle)
    causes, others = blame_rows(result)
    return page(
        "report.html.j2",
        title=f"{result.case.id}: {result.verdict}",
        data={"series": [[plain(p) for p in s.plots] for s in series[:MOST_SERIES]]},
        r=result,
        in_bundle=is_bundle,
        about=about(result, files),
        answers=first_screen(result, commands),
        headline=places.headline,
        problems=places.problems,
        place=places.short,
        nodes=nodes,
        drawn=drawn,
        graph=graph_svg(drawn),
        legend=legend(nodes),
        signs={state: sign for state, (sign, _) in STATES.items()},
        series=series,
        tick_name=result.tick_name,
        tick_title=result.tick_title or f"Per {loop}",
        most_series=MOST_SERIES,
        loop=loop,
        loop_matters=loop_matters(result) and bool(series),
        groups=groups_of(result),
        most_variables=MOST_VARIABLES,
        divergences=result.divergences[:MOST_DIVERGENCES],
        kept=len(result.divergences),
        causes=causes,
        others=others,
        most_findings=MOST_FINDINGS,
        most_lines=MOST_LINES,
        rounding=rounding_lines.lines(result.rounding) if result.rounding is not None else (),
        ledger=ledger_rows(result),
        waived=[w.id for w in result.waivers if w.state in ("used", "expired")],
        unasked=result.blame.missing if result.blame is not None else (),
        final=shared_final(result.blame) if result.blame is not None else "",
        panels=_panels(result, files),
        marks=_marks(result),
        decades=DECADES,
        signed_decades=SIGNED_DECADES,
        commands=commands,
    )


def page(template: str, *, title: str, data: Any, **values: Any) -> str:
    """A self-contained page from one of the templates here, with the shared style and script and a policy by hash."""
    environment = _environment()
    from markupsafe import Markup

    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    text = environment.get_template(template).render(
        title=title, style=Markup(style), script=Markup(script), policy=policy, data=Markup(script_json(data)), **values
    )
    # A log may hold a NUL or an ESC: many tools do not take a page with one in it for text.
    return _CONTROL.sub(lambda m: visible(m[0]), text) + "\n"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    """One for all pages of a process: it keeps the templates, whose compilation takes longer than a page."""
    import jinja2

    loader = jinja2.FunctionLoader(_asset)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader
    )
    environment.globals.update(relative=relative, difference=difference)
    environment.filters.update(
        iterations=name_and_iterations,
        plural=plural,
        full=full,
        short=short,
        ulps=ulps,
        key=sort_key,
        percent=percent,
        coded=coded,
    )
    return environment


def _asset(name: str) -> str:
    return (resources.files("trace_parity.render") / name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def script_json(data: Any) -> str:
    """JSON for a <script> element: nothing in it can end the element or open a comment."""
    text = json.dumps(plain(data), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def sort_key(value: float | None) -> str:
    """A number as the script reads it; empty for none."""
    if value is None or math.isnan(value):
        return "Infinity" if value is not None else ""
    return ("Infinity" if value > 0 else "-Infinity") if math.isinf(value) else repr(value)


_CODE = re.compile(r"`([^`\n]+)`")


def coded(text: str) -> Markup:
    """A text with what is between backticks as code; all of it is escaped."""
    from markupsafe import Markup, escape

    parts = _CODE.split(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts))


@dataclass(frozen=True)
class Group:
    """Variables of one scope, or of many scopes in one state; worst first, with their numbers.

    `count` is how many there are with those that the page leaves out; `is_open`: the page unfolds it at once.
    """

    title: str
    rows: tuple[tuple[int, VariableResult], ...]
    count: int
    is_open: bool
    is_scope: bool = True

    @property
    def bad(self) -> int:
        """How many of the shown do not agree."""
        return sum(1 for _, v in self.rows if v.status != "match")

    @property
    def worst(self) -> VariableResult:
        """The first row."""
        return self.rows[0][1]


def groups_of(result: Result) -> list[Group]:
    """The tables of variables, in order of evaluation: all variables, or so many of the worst of them."""

    def badness(row: tuple[int, VariableResult]) -> tuple[bool, float]:
        worst = row[1].worst_rel
        return row[1].status == "match", -math.inf if worst is not None and math.isnan(worst) else -(worst or 0.0)

    def title(v: VariableResult) -> str:
        return v.scope if is_scope else "variables that agree" if v.status == "match" else "variables that do not agree"

    is_scope = len({v.scope for v in result.variables}) <= MOST_SCOPES
    shown = sorted(enumerate(result.variables), key=badness)[:MOST_VARIABLES]
    counts = Counter(map(title, result.variables))
    titled: dict[str, list[tuple[int, VariableResult]]] = {name: [] for name in counts}
    for row in shown:
        titled[title(row[1])].append(row)
    bad = sum(1 for _, v in shown if v.status != "match")
    found: list[Group] = []
    for name, rows in titled.items():
        if rows:
            is_wrong = any(v.status != "match" for _, v in rows)
            is_first = not any(group.is_open for group in found)
            found.append(Group(name, tuple(rows), counts[name], is_wrong and (bad <= FEW or is_first), is_scope))
    return found


def blame_rows(result: Result) -> tuple[list[BlameFinding], list[BlameFinding]]:
    """The findings of blame: causes, introduced first, and what is inherited."""
    order = {"introduced": 0, "self-inconsistent": 1, "unexplained": 2, "inherited": 3}
    rows = sorted(result.blame.findings if result.blame is not None else (), key=lambda f: order.get(f.kind, 4))
    return [f for f in rows if f.kind != "inherited"], [f for f in rows if f.kind == "inherited"]


@dataclass(frozen=True)
class LedgerRow:
    """A quirk that shows, that was waived, or both."""

    id: str
    sign: str
    state: str
    why: str
    places: int
    largest: float | None
    allowed: float | None
    owner: str
    expires: str
    reference: str


WAIVER_SIGNS = {
    "used": "✓",
    "stale": "✗",
    "expired": "✗",
    "exceeded": "✗",
    "unchecked": "✗",
    "unused": "–",
    "not waived": "–",
}


def ledger_rows(result: Result) -> list[LedgerRow]:
    """Waivers first, in their order, then the quirks that show without a waiver."""
    waivers = [
        LedgerRow(
            w.id,
            WAIVER_SIGNS[w.state],
            w.state,
            w.why,
            w.matched,
            w.largest,
            w.allowed,
            w.owner,
            w.expires,
            w.reference,
        )
        for w in result.waivers
    ]
    waived, state = {w.id for w in result.waivers}, "not waived"
    return waivers + [
        LedgerRow(q.id, WAIVER_SIGNS[state], state, "", q.places, q.largest, q.allowed, q.owner, q.expires, q.reference)
        for q in result.quirks
        if q.id not in waived
    ]


@dataclass(frozen=True)
class Picture:
    """A PNG and where it lies, in pixels of the image (slow runs down, fast to the right)."""

    uri: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Panel:
    """One of the three views, on both scales."""

    id: str
    title: str
    pictures: tuple[Picture, ...]
    linear: tuple[Picture, ...]


def _panels(result: Result, files: Mapping[str, bytes]) -> list[Panel]:
    if result.images is None:
        return []
    found = by_panel(files)
    panels = []
    for name, title in (("c", "C"), ("py", "PY"), ("difference", "PY − C")):
        both = [_placed(result.images.shape, found.get(f"{name}{scale}", {})) for scale in ("", LINEAR)]
        if both[0]:
            panels.append(Panel(name, title, both[0], both[1]))
    return panels


def _placed(shape: tuple[int, int], files: Mapping[tuple[int, int] | None, bytes]) -> tuple[Picture, ...]:
    height, width = covered(shape)
    pictures = []
    for corner, data in files.items():
        uri = "data:image/png;base64," + base64.b64encode(data).decode()
        if corner is None:
            pictures.append(Picture(uri, 0, 0, width, height))
        else:
            size = (min(PATCH, shape[0] - corner[0]), min(PATCH, shape[1] - corner[1]))
            pictures.append(Picture(uri, corner[1], corner[0], size[1], size[0]))
    return tuple(pictures)


def _marks(result: Result) -> list[tuple[int, int, str, str]]:
    """(slow, fast, kind, text) of the pixels to point at."""
    if result.images is None:
        return []
    marks = [(s, f, "traced", f"traced pixel (slow {s}, fast {f})") for s, f in two_loops(result)]
    if result.images.max_abs_diff > 0:
        s, f = result.images.max_abs_at
        marks.append((s, f, "largest", f"largest difference (slow {s}, fast {f})"))
    return marks
