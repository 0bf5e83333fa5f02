"""The PyTorch port of lj.c: all pairs at once, differentiable in positions and velocities."""

from __future__ import annotations

import argparse
import itertools
import sys
from typing import TextIO

import torch

Tensor = torch.Tensor


class Trace:
    """Writes values of a step as trace lines; leading axes of a tensor are loop indices."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def put(self, name: str, value: Tensor | float, step: int | None = None, axes: str = "") -> None:
        """One line per index of `axes`, the axes of atoms; a pair of an atom with itself is left out."""
        tensor = torch.as_tensor(value)
        for index in itertools.product(*(range(n) for n in tensor.shape[: len(axes)])):
            if len(index) == 2 and index[0] == index[1]:
                continue
            loops = [f"{loop}={i}" for loop, i in zip(axes, index, strict=True)]
            place = " ".join([f"step={step}", *loops]) if step is not None else ""
            words = [f"{x:.17g}" if isinstance(x, float) else str(x) for x in tensor[index].reshape(-1).tolist()]
            self.out.write(f"TRACE_PY{f'[{place}]' if place else ''}: {name} {' '.join(words)}\n")


def set_up(n: int, box: float) -> tuple[Tensor, Tensor]:
    """Positions and velocities, (n, 3), as lj.c makes them."""
    side = next(s for s in itertools.count(1) if s**3 >= n)
    i, k = torch.arange(n)[:, None], torch.arange(3)
    at = i // torch.tensor([1, side, side * side]) % side
    off_lattice, pushed = ((7 * i + 3 * k) % 11 - 5).double(), ((3 * i + 5 * k) % 7 - 3).double()
    return (at + 0.5).double() * box / side + 0.013 * off_lattice + 0.001 * i.double(), 0.1 * pushed


def forces(r: Tensor, box: float, r_cut: float, step: int, trace: Trace) -> tuple[Tensor, Tensor]:
    """Force on every atom, (n, 3), and the potential energy."""
    dr = r[:, None] - r[None]
    dr = dr - box * torch.round(dr / box)
    r2 = (dr * dr).sum(-1)
    itself = torch.eye(len(r), dtype=torch.bool)
    inv_r2 = 1.0 / torch.where(itself, 1.0, r2)
    inv_r6 = inv_r2**3
    near = (r2 < r_cut**2) & ~itself
    f_over_r = torch.where(near, 24.0 * (2.0 * inv_r6**2 - inv_r6) * inv_r2, 0.0)
    u = torch.where(near, 4.0 * (inv_r6**2 - inv_r6), 0.0)
    force = (f_over_r[..., None] * dr).sum(1)
    for name, value in (("dr", dr), ("r2", r2), ("inv_r6", inv_r6), ("f_over_r", f_over_r), ("u", u)):
        trace.put(name, value, step, "ij")
    trace.put("force", force, step, "i")
    return force, 0.5 * u.sum()


def main() -> None:
    """Run with the options of lj.c; `-fix` is accepted, since this port has no quirk to repair."""
    parser = argparse.ArgumentParser(prog="lj_torch")
    for flag, default in (("-n", 10), ("-steps", 4), ("-rebuild", 3)):
        parser.add_argument(flag, type=int, default=default)
    for flag, number in (("-dt", 0.005), ("-box", 3.6), ("-r_cut", 1.7)):
        parser.add_argument(flag, type=float, default=number)
    parser.add_argument("-fix", action="store_true")
    parser.add_argument("-trace", type=argparse.FileType("w"), default=sys.stdout)
    o = parser.parse_args()
    trace = Trace(o.trace)
    for name in ("n", "dt", "box", "r_cut"):
        value = getattr(o, name)
        trace.put(name, torch.tensor(value, dtype=torch.float64) if isinstance(value, float) else value)
    r, v = set_up(o.n, o.box)
    force = torch.zeros_like(r)
    for step in range(o.steps + 1):
        trace.put("rebuild", int(step > 0 and step % o.rebuild == 0), step)
        if step:
            v_half = v + 0.5 * o.dt * force
            r = r + o.dt * v_half
            trace.put("v_half", v_half, step, "i")
        trace.put("r", r, step, "i")
        force, e_pot = forces(r, o.box, o.r_cut, step, trace)
        if step:
            v = v_half + 0.5 * o.dt * force
        trace.put("v", v, step, "i")
        e_kin = 0.5 * (v * v).sum()
        for name, energy in (("e_pot", e_pot), ("e_kin", e_kin), ("e_total", e_pot + e_kin)):
            trace.put(name, energy, step)
    o.trace.flush()


if __name__ == "__main__":
    main()
