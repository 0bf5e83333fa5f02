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
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from trace_parity.compare.tick_table import TickRow
from trace_parity.printable import visible
from trace_parity.render.graph import STATES, graph_svg, legend, nodes_of
from trace_parity.render.numbers import full, short, ulps
from trace_parity.render.pictures import DECADES, PATCH, SIGNED_DECADES, by_panel, covered, two_loops
from trace_parity.render.svg import Plot, plot_svg
from trace_parity.result.result import Result, VariableResult, plain

if TYPE_CHECKING:
    import jinja2

MOST_VARIABLES = 400
MOST_SERIES = 6
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MOST_DIVERGENCES = 200
MOST_SERIES = 6
"""What the page shows of each; result.json has all."""


def render(result: Result, embedded: Mapping[str, bytes] | None = None, *, in_bundle: bool = True) -> str:
    """The page. `embedded` is what a bundle has beside the Result (`pictures.bundle_files`): without it the page
    shows no pictures and links no neighbouring files. Nor does it link any when it is not `in_bundle`."""
    files = embedded or {}
    nodes = nodes_of(result)
    series = phi_series(list(result.per_phi))
    return page(
        "report.html.j2",
        title=f"{result.case.id}: {result.verdict}",
        data={"series": [[plain(p) for p in s.plots] for s in series[:MOST_SERIES]]},
        r=result,
        in_bundle=in_bundle and embedded is not None,
        nodes=nodes,
        graph=graph_svg(nodes),
        legend=legend(nodes),
        signs={state: sign for state, (sign, _) in STATES.items()},
        series=series,
        most_series=MOST_SERIES,
        shown=_shown(result),
        divergences=result.divergences[:MOST_DIVERGENCES],
        kept=len(result.divergences),
        blame=blame_rows(result),
        ledger=ledger_rows(result),
        unasked=result.blame.missing if result.blame is not None else (),
        panels=_panels(result, files),
        marks=_marks(result),
        decades=DECADES,
        signed_decades=SIGNED_DECADES,
        commands=_commands(result, files),
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
    # A log may hold a NUL or an ESC: a page with one in it is no text to many tools.
    return _CONTROL.sub(lambda m: visible(m[0]), text) + "\n"


def _environment() -> jinja2.Environment:
    import jinja2

    loader = jinja2.FunctionLoader(_asset)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader
    )
    environment.filters.update(full=full, short=short, ulps=ulps, key=sort_key, brief=brief)
    return environment


def _asset(name: str) -> str:
    return (resources.files("trace_parity.render") / name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def script_json(data: Any) -> str:
    """JSON that may stand in a <script> element: nothing in it can end the element or open a comment."""
    text = json.dumps(plain(data), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def sort_key(value: float | None) -> str:
    """A number as the script reads it; empty for none."""
    if value is None or math.isnan(value):
        return "Infinity" if value is not None else ""
    return ("Infinity" if value > 0 else "-Infinity") if math.isinf(value) else repr(value)


def brief(place: str) -> str:
    """`step=3 … i=7` without the loops that are at 0, which most are."""
    words = place.split(" ")
    return " ".join(w for w in words if not w.endswith("=0")) or " ".join(words[:1])


@dataclass(frozen=True)
class PhiSeries:
    """The ticks of one pixel, source and domain."""

    place: str
    plots: tuple[Plot, ...]

    @property
    def drawings(self) -> list[str]:
        """Each plot as an <svg> element."""
        return [plot_svg(plot) for plot in self.plots]


def phi_series(rows: list[TickRow]) -> list[PhiSeries]:
    """The per-tick table as plots: one series per set of the other loop indices, one plot per column."""
    if not rows:
        return []
    names = [name.removesuffix("_diff") for name in rows[0] if name.endswith("_diff")]
    columns = list(rows[0])
    shared = columns[columns.index(f"{names[0]}_c") - 1]
    loops = [name for name in columns[: columns.index(shared)] if name != "phi_tic"]
    groups: dict[tuple[Any, ...], list[TickRow]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(n) for n in loops), []).append(row)
    varying = [i for i in range(len(loops)) if len({key[i] for key in groups}) > 1 or i < 2]
    found = []
    for key, group in groups.items():
        plots = [plot for name in names if (plot := _plot(name, shared, group)) is not None]
        if plots:
            found.append(PhiSeries(" ".join(f"{loops[i]}={key[i]}" for i in varying), tuple(plots)))
    return found


def _plot(name: str, shared: str, group: list[TickRow]) -> Plot | None:
    """None where a series has one tick, or neither side this column."""
    c, py, difference = (tuple(row.get(f"{name}_{end}") for row in group) for end in ("c", "py", "diff"))
    if len(group) < 2 or all(v is None for v in (*c, *py)):
        return None
    x = tuple(float(index if row[shared] is None else row[shared]) for index, row in enumerate(group))
    return Plot(name, shared, x, c, py, difference)


def _shown(result: Result) -> list[tuple[int, VariableResult]]:
    """The rows of the table of variables, with their numbers, worst first: all, or so many of them."""

    def badness(row: tuple[int, VariableResult]) -> tuple[bool, float]:
        worst = row[1].worst_rel
        return row[1].status == "match", -math.inf if worst is not None and math.isnan(worst) else -(worst or 0.0)

    return sorted(enumerate(result.variables), key=badness)[:MOST_VARIABLES]


def blame_rows(result: Result) -> list[dict[str, Any]]:
    """The findings of blame as plain rows, introduced first; empty when nobody looked for blame."""
    rows: list[dict[str, Any]] = [plain(f) for f in result.blame.findings] if result.blame is not None else []
    order = {"introduced": 0, "self-inconsistent": 1, "unexplained": 2, "inherited": 3}
    return sorted(rows, key=lambda row: order.get(row["kind"], 4))


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


WAIVER_SIGNS = {"used": "✓", "stale": "✗", "expired": "✗", "exceeded": "✗", "unused": "–", "not waived": "–"}


def ledger_rows(result: Result) -> list[LedgerRow]:
    """Waivers first, as they were asked for, then the quirks that show and that nobody waived."""
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
    """A PNG and where it lies, in detector pixels (slow runs down, fast to the right)."""

    uri: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Panel:
    """One of the three views."""

    id: str
    title: str
    pictures: tuple[Picture, ...]


def _panels(result: Result, files: Mapping[str, bytes]) -> list[Panel]:
    if result.images is None:
        return []
    slow, fast = result.images.shape
    height, width = covered((slow, fast))
    found = by_panel(files)
    panels = []
    for name, title in (("c", "C"), ("py", "PY"), ("difference", "PY − C")):
        pictures = []
        for corner, data in found.get(name, {}).items():
            uri = "data:image/png;base64," + base64.b64encode(data).decode()
            if corner is None:
                pictures.append(Picture(uri, 0, 0, width, height))
            else:
                size = (min(PATCH, slow - corner[0]), min(PATCH, fast - corner[1]))
                pictures.append(Picture(uri, corner[1], corner[0], size[1], size[0]))
        if pictures:
            panels.append(Panel(name, title, tuple(pictures)))
    return panels


def _marks(result: Result) -> list[tuple[int, int, str, str]]:
    """(slow, fast, kind, text) of the pixels to point at."""
    if result.images is None:
        return []
    marks = [(s, f, "traced", f"traced pixel (slow {s}, fast {f})") for s, f in two_loops(result)]
    if result.images.max_abs_diff > 0:
        s, f = result.images.max_abs_at
        marks.append((s, f, "largest", f"largest difference (slow {s}, fast {f})"))
    return marks


def _commands(result: Result, files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(heading, command) to do it again: what commands.txt recorded, and the case as a command line.

    A heading stands before the first of its commands only.
    """
    commands: list[tuple[str, str]] = []
    heading = ""
    for line in files.get("commands.txt", b"").decode("utf-8", "replace").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.strip():
            commands.append((heading, line))
            heading = ""
    if result.case.argv:
        pixels = [
            word
            for place in result.case.pixels
            for word in ("--pixel" if len(place) == 2 else "--at", *map(str, place))
        ]
        variant = ["--against", result.case.against] if result.case.against else []
        again = ["trace-diff", "run", *pixels, *variant, "--", *result.case.argv]
        commands.append(("the comparison as a pasted command line", shlex.join(again)))
    return commands
