"""A few atoms in plain numpy with the trace of examples/pairs/lennard_jones, and a fault at any stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from trace_parity.compare.align import align
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import find_pair
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.trace import read_trace_lines

from tests.golden import ROOT

PAIR = find_pair(str(ROOT / "examples" / "pairs" / "lennard_jones"))
Fault = Callable[[Any, tuple[int, ...]], Any]
Faults = dict[str, Fault]
BOX, CUT, DT, STEPS, REBUILT = 2.9, 1.4, 0.005, 4, 3
START = np.array([[0.22, 0.31, 0.08], [1.26, 0.44, 0.23], [0.33, 1.52, 0.37], [1.38, 1.29, 1.55]])
SPEED = np.array([[0.31, -0.12, 0.27], [-0.22, 0.41, 0.05], [0.13, -0.35, -0.24], [0.02, 0.18, -0.29]])


class Atoms:
    """One side's log; a fault gets (value, loop indices) and its result is gone on with, as in a program."""

    def __init__(self, side: str, faults: Faults | None = None) -> None:
        self.side, self.faults = side, faults or {}
        self.lines: list[str] = []

    def put(self, name: str, value: Any, *keys: int) -> Any:
        """Print a value, faulty if this stage is, and hand it on."""
        if name in self.faults:
            value = self.faults[name](value, keys)
        where = " ".join(f"{loop}={i}" for loop, i in zip(("step", "i", "j"), keys, strict=False))
        words = " ".join(str(x) if isinstance(x, int) else f"{x:.17g}" for x in np.atleast_1d(value).tolist())
        self.lines.append(f"TRACE_{self.side}{f'[{where}]' if keys else ''}: {name} {words}\n")
        return value

    def text(self) -> str:
        """The whole log."""
        put, n = self.put, len(START)
        put("n", n)
        dt, box, cut = put("dt", DT), put("box", BOX), put("r_cut", CUT)
        r, v, force = START.copy(), SPEED.copy(), np.zeros((n, 3))
        for step in range(STEPS + 1):
            put("rebuild", int(step > 0 and step % REBUILT == 0), step)
            half = v.copy()
            for i in range(n):
                if step:
                    half[i] = put("v_half", v[i] + 0.5 * dt * force[i], step, i)
                    r[i] = r[i] + dt * half[i]
                r[i] = put("r", r[i], step, i)
            force, potential = self._forces(step, r, box, cut)
            for i in range(n):
                v[i] = put("v", half[i] + 0.5 * dt * force[i] if step else v[i], step, i)
            e_pot, e_kin = put("e_pot", potential, step), put("e_kin", float(0.5 * (v * v).sum()), step)
            put("e_total", e_pot + e_kin, step)
        return "".join(self.lines)

    def _forces(self, step: int, r: Any, box: float, cut: float) -> tuple[Any, float]:
        put, n, total = self.put, len(r), 0.0
        force = np.zeros((n, 3))
        for i in range(n):
            for j in (j for j in range(n) if j != i):
                apart = r[i] - r[j]
                dr = put("dr", apart - box * np.round(apart / box), step, i, j)
                r2 = put("r2", float(dr @ dr), step, i, j)
                inv = put("inv_r6", 1 / r2**3, step, i, j)
                near = r2 < cut**2
                over = put("f_over_r", 24 * (2 * inv * inv - inv) / r2 if near else 0.0, step, i, j)
                force[i] = force[i] + over * dr
                total += 0.5 * put("u", 4 * (inv * inv - inv) if near else 0.0, step, i, j)
            force[i] = put("force", force[i].copy(), step, i)
        return force, total


def compared(c: str, py: str) -> Result:
    """The Result of two logs of atoms."""
    vocabulary = PAIR.vocabulary
    logs = [read_trace_lines(text.splitlines(True), side, side, vocabulary) for text, side in ((c, "C"), (py, "PY"))]
    return compare(align(logs[0], logs[1], vocabulary), CaseResult("small", "a small case"), Contract(), pair=PAIR)


def with_fault(faults: Faults, of_c: Faults | None = None) -> Result:
    """The Result of a sound C (or one with faults of its own) and a faulty PY."""
    return compared(Atoms("C", of_c).text(), Atoms("PY", faults).text())


def stale_potential() -> Fault:
    """At a step that rebuilds, the energy of the step before."""
    kept: dict[str, float] = {}

    def stale(value: float, keys: tuple[int, ...]) -> float:
        kept["e"] = kept["e"] if keys[0] and keys[0] % REBUILT == 0 else value
        return kept["e"]

    return stale
