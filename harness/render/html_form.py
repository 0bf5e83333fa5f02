"""report.html: the finding as a page, verdict first. Text from logs is escaped by the template engine."""

from __future__ import annotations

import shlex
from importlib import resources

from harness.phi import PhiRow
from harness.render.numbers import full, short, ulps
from harness.render.svg import Series, line_plot
from harness.result import Result


def render(result: Result) -> str:
    """One page. Images are shown from the bundle's `images/` folder beside it."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(full=full, short=short, ulps=ulps)
    template = environment.from_string((resources.files("harness.render") / "report.html.j2").read_text("utf-8"))
    return template.render(r=result, plots=_plots(list(result.per_phi)), command=shlex.join(result.case.argv)) + "\n"


def _plots(rows: list[PhiRow]) -> list[str]:
    """One plot per column of the tick table, of the first series of ticks (one pixel, one domain)."""
    series = _first_series(rows)
    if len(series) < 2:
        return []
    names = [name.removesuffix("_diff") for name in series[0] if name.endswith("_diff")]
    shared = next(n for n in series[0] if isinstance(series[0][n], float))
    x = [float(row[shared]) for row in series]
    plots = []
    for name in names:
        both = [Series(side, x, [row[f"{name}_{side.lower()}"] for row in series]) for side in ("C", "PY")]
        if any(y is not None for s in both for y in s.y):
            plots.append(line_plot(name, shared, both))
    return plots


def _first_series(rows: list[PhiRow]) -> list[PhiRow]:
    """The rows that share the first row's loop indices but for the tick itself."""
    if not rows:
        return []
    others = [n for n, v in rows[0].items() if isinstance(v, int) and n != "phi_tic"]
    return [row for row in rows if all(row.get(n) == rows[0][n] for n in others)]
