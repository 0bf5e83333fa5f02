"""The PyTorch port of water.c: whole grids at once."""

from __future__ import annotations

import argparse
import itertools

import torch

Tensor = torch.Tensor


def put(lines: list[str], step: int, **fields: Tensor) -> None:
    """A trace line per cell and field."""
    for name, grid in fields.items():
        values = grid.tolist()
        for i, j in itertools.product(range(len(values)), repeat=2):
            lines.append(f"TRACE_PY[step={step} i={i} j={j}]: {name} {values[i][j]:.17g}\n")


def hill(n: int) -> Tensor:
    """The surface at the beginning, (n, n)."""
    at = torch.arange(n, dtype=torch.float64)
    x, y = (at - 0.4 * n) / n, (at - 0.55 * n) / n
    return 0.1 * torch.exp(-40.0 * (x[:, None] ** 2 + y**2))


def main() -> None:
    """Run with the options of water.c."""
    parser = argparse.ArgumentParser(prog="water_torch")
    for flag, whole in (("-n", 8), ("-steps", 3)):
        parser.add_argument(flag, type=int, default=whole)
    for flag, number in (("-dt", 0.1), ("-gravity", 9.81), ("-depth", 0.5), ("-coriolis", 0.2)):
        parser.add_argument(flag, type=float, default=number)
    parser.add_argument("-trace")
    parser.add_argument("-floatfile")
    o = parser.parse_args()
    print(f"surface of {o.n}x{o.n} cells")
    lines = [f"TRACE_PY: n {o.n}\n"]
    lines += [f"TRACE_PY: {name} {getattr(o, name):.17g}\n" for name in ("dt", "gravity", "depth", "coriolis")]
    h = hill(o.n)
    u, v = torch.zeros_like(h), torch.zeros_like(h)
    put(lines, 0, h=h, u=u, v=v)
    for step in range(1, o.steps + 1):
        slope_x, slope_y = h - h.roll(1, 0), h - h.roll(1, 1)
        u, v = (
            u - o.dt * (o.gravity * slope_x - o.coriolis * v),
            v - o.dt * (o.gravity * slope_y + o.coriolis * u),
        )
        div_flow = u.roll(-1, 0) - u + v.roll(-1, 1) - v
        h = h - o.dt * o.depth * div_flow
        put(lines, step, slope_x=slope_x, slope_y=slope_y, u=u, v=v, div_flow=div_flow, h=h)
        lines.append(f"TRACE_PY[step={step}]: volume {h.sum().item():.17g}\n")
    if o.trace:
        with open(o.trace, "w", encoding="utf-8") as out:  # noqa: PTH123
            out.writelines(lines)
    if o.floatfile:
        h.float().numpy().tofile(o.floatfile)


if __name__ == "__main__":
    main()
