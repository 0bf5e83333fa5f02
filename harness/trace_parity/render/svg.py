"""Line plots as inline SVG: C as a line, PY as open circles, so that agreement looks like beads on a string.

Below each the difference, on an axis of its own. Every tick has a strip to point at, with its values as a tooltip, so
that they can be read without a script too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT = 340, 250, 78, 12
UPPER = (24, 148)
"""Top and bottom of the pane with both sides."""
LOWER = (164, 218)
"""Top and bottom of the pane with the difference."""

Value = float | None


@dataclass(frozen=True)
class Plot:
    """One quantity on both sides over one series of ticks; None where a log has no value."""

    title: str
    x_label: str
    x: tuple[float, ...]
    c: tuple[Value, ...]
    py: tuple[Value, ...]
    difference: tuple[Value, ...]


@dataclass(frozen=True)
class _Axis:
    """Maps values from [low, high] to pixels. `ends` are the smallest and the largest value that it is made for."""

    low: float
    high: float
    start: float
    end: float
    ends: tuple[float, float]

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def plot_svg(plot: Plot) -> str:
    """An <svg> element, 340 x 250, that scales with its container."""
    x = _axis(list(plot.x), LEFT + 8, WIDTH - RIGHT - 8, margin=0.0)
    y = _axis([*_finite(plot.c), *_finite(plot.py)], UPPER[1], UPPER[0])
    d = _axis([*_finite(plot.difference), 0.0], LOWER[1], LOWER[0])
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" tabindex="0" '
        f'aria-label="{escape(plot.title)} against {escape(plot.x_label)}, C, PY and their difference">',
        f'<text x="{LEFT}" y="15" class="title">{escape(plot.title)}</text>',
        *(_frame(*pane) for pane in (UPPER, LOWER)),
        *_labels(y),
        *_labels(d),
        f'<text x="{LEFT}" y="{LOWER[0] - 4}" class="tick">PY − C</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 18}" class="tick">{plot.x[0]:.6g}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 18}" class="tick end">{plot.x[-1]:.6g}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 5}" class="tick mid">{escape(plot.x_label)}</text>',
        f'<line class="zero" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{d.at(0):.1f}" y2="{d.at(0):.1f}"/>',
        _line(plot, x, y),
        *_marks(plot, x, y, d),
        f'<line class="cursor" x1="0" x2="0" y1="{UPPER[0]}" y2="{LOWER[1]}" visibility="hidden"/>',
        *_strips(plot, x),
    ]
    return "".join(parts) + "</svg>"


def _finite(values: tuple[Value, ...]) -> list[float]:
    return [v for v in values if v is not None and math.isfinite(v)]


def _axis(values: list[float], start: float, end: float, margin: float = 0.08) -> _Axis:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = (high - low) * margin if high > low else abs(high) * 1e-3 or 1.0
    return _Axis(low - room, high + room, start, end, (low, high))


def _frame(top: float, bottom: float) -> str:
    return f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{bottom - top}" class="frame"/>'


def _labels(axis: _Axis) -> list[str]:
    """The smallest and the largest value, next to where they are drawn; one label where they are equal.

    They have as many digits as needed to distinguish them.
    """
    low, high = axis.ends
    if low == high:
        texts = {low: f"{low:.6g}"}
    else:
        digits = next((n for n in range(3, 12) if f"{low:.{n}g}" != f"{high:.{n}g}"), 9)
        texts = {value: f"{value:.{digits}g}" for value in axis.ends}
    return [
        f'<text x="{LEFT - 6}" y="{axis.at(value) + 3.5:.1f}" class="tick end">{text}</text>'
        for value, text in texts.items()
    ]


def _line(plot: Plot, x: _Axis, y: _Axis) -> str:
    """C's values joined; the line breaks where one is missing."""
    path, pen = [], "M"
    for at, value in zip(plot.x, plot.c, strict=True):
        if value is None or not math.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{x.at(at):.1f} {y.at(value):.1f}")
        pen = "L"
    return f'<path class="c-line" d="{" ".join(path)}"/>'


def _marks(plot: Plot, x: _Axis, y: _Axis, d: _Axis) -> list[str]:
    marks = []
    for values, kind, radius, axis in ((plot.c, "c", 2, y), (plot.py, "py", 4.5, y), (plot.difference, "d", 2.6, d)):
        for at, value in zip(plot.x, values, strict=True):
            if value is not None and math.isfinite(value):
                cx, cy = x.at(at), axis.at(value)
                if kind == "d":
                    marks.append(f'<path class="stem" d="M{cx:.1f} {d.at(0):.1f}V{cy:.1f}"/>')
                marks.append(f'<circle class="{kind}" cx="{cx:.1f}" cy="{cy:.1f}" r="{radius}"/>')
    return marks


def _strips(plot: Plot, x: _Axis) -> list[str]:
    width = (WIDTH - LEFT - RIGHT) / max(len(plot.x), 1)
    strips = []
    for index, at in enumerate(plot.x):
        said = f"{plot.x_label} {at:.6g}: C {plot.c[index]!r}, PY {plot.py[index]!r}, PY − C {plot.difference[index]!r}"
        strips.append(
            f'<rect class="strip" data-i="{index}" data-x="{x.at(at):.1f}" x="{x.at(at) - width / 2:.1f}" '
            f'y="{UPPER[0]}" width="{width:.1f}" height="{LOWER[1] - UPPER[0]}"><title>{escape(said)}</title></rect>'
        )
    return strips


def sparkline(values: list[float], marks: list[bool], label: str) -> str:
    """Values in order on a logarithmic axis: a dot where `marks` holds, a cross where not. Zero sits at the bottom,
    infinity at the top."""
    width, height, pad = 140, 32, 6
    logs = [math.log10(v) for v in values if 0 < v < math.inf]
    axis = _axis(logs or [0.0], height - pad, pad, margin=0.0)
    step = (width - 2 * pad) / max(len(values) - 1, 1)

    def height_of(value: float) -> float:
        if value == 0:
            return height - pad / 2
        return axis.at(math.log10(value)) if value < math.inf else pad / 2

    start = pad if len(values) > 1 else width / 2
    points = [(start + i * step, height_of(v)) for i, v in enumerate(values)]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    parts = [f'<svg class="spark" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">']
    parts.append(f'<polyline points="{line}"/>')
    for (a, b), good in zip(points, marks, strict=True):
        if good:
            parts.append(f'<circle class="good" cx="{a:.1f}" cy="{b:.1f}" r="2.6"/>')
        else:
            parts.append(f'<path class="bad" d="M{a - 3:.1f} {b - 3:.1f}l6 6m0 -6l-6 6"/>')
    return "".join(parts) + "</svg>"
