"""Forces and the integrator. LJ_BY_HAND names a log for the lines that its author would have printed."""

from __future__ import annotations

import os
from pathlib import Path

import torch

R_CUT = 2.5
_BY_HAND = os.environ.get("LJ_BY_HAND")
_lines: list[str] = []


def hand(key: str, name: str, values: torch.Tensor) -> None:
    if _BY_HAND:
        numbers = " ".join(f"{v:.17g}" for v in values.detach().reshape(-1).tolist())
        _lines.append(f"TRACE_PY[{key}]: {name} {numbers}")
        Path(_BY_HAND).write_text("\n".join(_lines) + "\n")


def pair_force(r2: torch.Tensor) -> torch.Tensor:
    """Force over distance, 0 beyond the cut-off."""
    inv_r6 = 1.0 / (r2 * r2 * r2)
    return torch.where(r2 < R_CUT * R_CUT, 24.0 * (2.0 * inv_r6 * inv_r6 - inv_r6) / r2, 0.0)


class Cluster:
    """Positions and velocities of n atoms, (n, 3)."""

    def __init__(self, n: int = 6) -> None:
        i = torch.arange(n, dtype=torch.float64)
        self.pos = torch.stack((1.1 * (i % 2) + 0.01 * i, 1.15 * (i // 2), 0.05 * i * i), dim=1)
        self.vel = torch.zeros_like(self.pos)
        self.force = torch.zeros_like(self.pos)

    def forces(self, step: int) -> torch.Tensor:
        dr = self.pos[:, None] - self.pos[None, :]
        if (r2 := (dr * dr).sum(-1)).numel() == 0:
            return r2.sum()
        eye = torch.eye(len(r2), dtype=torch.bool)
        r2 = torch.where(eye, 1.0, r2)
        inv_r6 = 1.0 / (r2 * r2 * r2)
        near = ~eye & (r2 < R_CUT * R_CUT)
        f_over_r = torch.where(eye, 0.0, pair_force(r2))
        self.force = (f_over_r[..., None] * dr).sum(1)
        e_i = torch.where(near, 2.0 * (inv_r6 * inv_r6 - inv_r6), 0.0).sum(1)
        energy = e_i.sum()
        for i in range(len(dr) if _BY_HAND else 0):
            for j in range(len(dr)):
                if i != j:
                    hand(f"step={step} i={i} j={j}", "dr", dr[i, j])
                    hand(f"step={step} i={i} j={j}", "r2", r2[i, j])
                    hand(f"step={step} i={i} j={j}", "f_over_r", f_over_r[i, j])
            hand(f"step={step} i={i}", "force", self.force[i])
            hand(f"step={step} i={i}", "e_i", e_i[i])
        hand(f"step={step}", "energy", energy)
        return energy


def run(steps: int, n: int = 6) -> list[float]:
    dt = 0.002
    cluster = Cluster(n)
    cluster.forces(0)
    energies = []
    for step in range(1, steps + 1):
        cluster.vel = cluster.vel + 0.5 * dt * cluster.force
        cluster.pos = cluster.pos + dt * cluster.vel
        energies.append(float(cluster.forces(step)))
        cluster.vel = cluster.vel + 0.5 * dt * cluster.force
        for i in range(len(cluster.vel) if _BY_HAND else 0):
            hand(f"step={step} i={i}", "vel", cluster.vel[i])
    return energies
