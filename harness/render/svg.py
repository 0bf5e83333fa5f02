"""Small line plots as inline SVG: C as a line, PY as open circles, so that agreement shows as beads on a string."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 256, 180, 62, 10, 26, 34


@dataclass(frozen=True)
class Series:
    """One line; None where there is no value."""

    name: str
    x: list[float]
    y: list[float | None]


def line_plot(title: str, x_label: str, series: list[Series]) -> str:
    """An <svg> element with axes, the first series as a line, the others as circles, each point with a tooltip."""
    xs = [x for s in series for x in s.x]
    ys = [y for s in series for y in s.y if y is not None]
    x_low, x_high = _span(xs)
    y_low, y_high = _span(ys)

    def px(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def py(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(title)} against {escape(x_label)}">',
        f'<text x="{LEFT}" y="15" class="title">{escape(title)}</text>',
        f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}" class="frame"/>',
        f'<text x="{LEFT}" y="{HEIGHT - 18}" class="tick">{x_low:.4g}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 18}" class="tick end">{x_high:.4g}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" class="tick mid">{escape(x_label)}</text>',
        f'<text x="{LEFT - 5}" y="{HEIGHT - BOTTOM}" class="tick end">{y_low:.5g}</text>',
        f'<text x="{LEFT - 5}" y="{TOP + 9}" class="tick end">{y_high:.5g}</text>',
    ]
    for number, s in enumerate(series):
        points = [(px(x), py(y), x, y) for x, y in zip(s.x, s.y, strict=True) if y is not None]
        if number == 0:
            parts.append(
                '<polyline class="line" points="' + " ".join(f"{a:.1f},{b:.1f}" for a, b, _, _ in points) + '"/>'
            )
        radius = 1.8 if number == 0 else 4.2
        parts += [
            f'<circle class="s{number}" cx="{a:.1f}" cy="{b:.1f}" r="{radius}">'
            f"<title>{escape(s.name)}: {x:.6g}, {y!r}</title></circle>"
            for a, b, x, y in points
        ]
    return "".join(parts) + "</svg>"


def _span(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.06 or abs(high) * 1e-3 or 1.0
    return low - margin, high + margin
