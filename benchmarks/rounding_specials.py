"""The rows of docs/numerics.md that no table of operations can show: fused or not, graphs, denormals, gcc."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import torch

from benchmarks.rounding_operations import by_threads

Tensor = torch.Tensor


@dataclass(frozen=True)
class Special:
    """A row of its own: what is claimed, what was seen here, and whether that is so."""

    what: str
    seen: str
    holds: bool
    source: str = ""  # where it is not PyTorch's


def once_or_twice(got: Tensor, once: np.ndarray, twice: np.ndarray) -> str:
    """How many roundings a result shows where one and two would differ."""
    apart = once != twice
    shares = [float(np.mean(got.numpy()[apart] == x[apart])) for x in (once, twice)]
    return "once" if shares[0] > 0.999 else "twice" if shares[1] > 0.999 else f"once at {100 * shares[0]:.0f} %"


def fused(compiled: bool) -> list[Special]:
    """add(alpha), addcmul, lerp: one rounding or two, eager and compiled."""
    generator = torch.Generator().manual_seed(5)
    a, b, c = (torch.rand(4000, generator=generator, dtype=torch.float64) for _ in range(3))
    exact = [[mpmath.mpf(x) for x in row] for row in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)]

    def one(function: Callable[..., Any]) -> np.ndarray:
        with mpmath.workprec(200):
            values = [function(*row) for row in exact]
        with mpmath.workprec(53):
            return np.array([float(+v) for v in values])

    n = [v.numpy() for v in (a, b, c)]
    kinds: dict[str, tuple[Callable[..., Tensor], np.ndarray, np.ndarray]] = {
        "add(a, b, alpha=0.3)": (
            lambda a, b, c: torch.add(a, b, alpha=0.3),
            one(lambda a, b, c: a + mpmath.mpf(0.3) * b),
            n[0] + 0.3 * n[1],
        ),
        "addcmul(a, b, c)": (
            lambda a, b, c: torch.addcmul(a, b, c),
            one(lambda a, b, c: a + b * c),
            n[0] + n[1] * n[2],
        ),
        "lerp(a, b, 0.3)": (
            lambda a, b, c: torch.lerp(a, b, 0.3),
            one(lambda a, b, c: a + mpmath.mpf(0.3) * mpmath.mpf(float(b) - float(a))),
            n[0] + 0.3 * (n[1] - n[0]),
        ),
        "a + b * c": (lambda a, b, c: a + b * c, one(lambda a, b, c: a + b * c), n[0] + n[1] * n[2]),
    }
    rows = []
    for name, (function, once, twice) in kinds.items():
        eager = once_or_twice(function(a, b, c), once, twice)
        seen = f"eager rounds {eager}"
        if compiled:
            made = once_or_twice(torch.compile(function, fullgraph=True, dynamic=False)(a, b, c), once, twice)
            seen += f", compiled {made}"
        rows.append(
            Special(
                f"`{name}` rounds once in eager and twice compiled",
                seen,
                "compiled" in seen and eager != made if compiled else False,
            )
        )
    return rows


def specials(compiled: bool) -> list[Special]:
    """The rows that the table of operations cannot show."""
    rows = fused(compiled)
    threads = by_threads(lambda: torch.arange(0.0, 1.0, 1e-6 / 3, dtype=torch.float64))
    rows.append(Special("bits of `arange` depend on the threads", _yes(threads), threads))
    generator = torch.Generator().manual_seed(7)
    a = torch.rand((2000, 3), generator=generator, dtype=torch.float64)
    zero = float(torch.linalg.cross(a, a).abs().max())
    rows.append(Special("`cross(a, a)` is not zero", f"largest component {zero:.2g} of vectors under 1", zero > 0))
    if compiled:
        made = float(torch.compile(torch.linalg.cross, fullgraph=True, dynamic=False)(a, a).abs().max())
        rows.append(Special("the same, compiled", f"largest component {made:.2g}", made > 0))
        x = 1e9 + 1e3 * torch.rand(4000, generator=generator, dtype=torch.float64)
        eager = torch.remainder(x, 0.7)
        other = torch.compile(lambda x: torch.remainder(x, 0.7), fullgraph=True, dynamic=False)(x)
        exact = np.array([float(mpmath.fmod(mpmath.mpf(v), mpmath.mpf(0.7))) for v in x.tolist()])
        errors = [float(np.abs(t.numpy() - exact).max()) for t in (eager, other)]
        rows.append(
            Special(
                "`remainder(x, 0.7)` at 1e9, compiled, is inexact",
                f"error {errors[1]:.2g} compiled, {errors[0]:.2g} eager (an exact operation)",
                errors[1] > 0,
            )
        )
    zero_at = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(torch.sinc(zero_at).sum(), zero_at, create_graph=True)
    second = float(torch.autograd.grad(first.sum(), zero_at)[0])
    wrong = not abs(second + np.pi**2 / 3) < 1e-6
    rows.append(Special("second derivative of `sinc` at 0, −π²/3 = −3.29", f"{second:.3g}", wrong))
    near = torch.tensor([1e-8], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.sinc(near).sum(), near)
    relative = abs(float(slope) / (-(np.pi**2) / 3 * 1e-8) - 1)
    rows.append(Special("first derivative of `sinc` at 1e-8", f"{100 * relative:.0f} % off", relative > 1e-6))
    for name in ("bessel_j1", "spherical_bessel_j0", "airy_ai"):
        x = torch.ones(1, dtype=torch.float64, requires_grad=True)
        graph = getattr(torch.special, name)(x).requires_grad
        rows.append(Special(f"`special.{name}` returns a tensor without a graph", _yes(not graph), not graph))
    rows.append(_denormals())
    rows.append(_rsqrt())
    rows += _contraction()
    return rows


def _yes(holds: bool) -> str:
    return "so" if holds else "not so"


def _rsqrt() -> Special:
    x = 1e-3 + torch.rand(4000, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    share = float(np.mean((1 / torch.rsqrt(x)).numpy() != np.sqrt(x.numpy())))
    return Special("`1 / rsqrt(x)` is not the correctly rounded root", f"{100 * share:.1f} % of numbers off", share > 0)


def _denormals() -> Special:
    """Whether set_flush_denormal of one thread holds in another."""
    if not torch.set_flush_denormal(True):
        return Special("denormal flushing holds in one thread only", "this processor cannot flush", False)
    seen: dict[str, float] = {}

    def look(name: str) -> None:
        seen[name] = float(torch.tensor([1e-310], dtype=torch.float64).mul(0.5)[0])

    try:
        look("own")
        other = threading.Thread(target=look, args=("other",))
        other.start()
        other.join()
        before = torch.get_num_threads()
        torch.set_num_threads(4)
        many = torch.full((400_000,), 1e-310, dtype=torch.float64).mul(0.5)
        kept = float((many != 0).double().mean())
        torch.set_num_threads(before)
    finally:
        torch.set_flush_denormal(False)
    holds = seen["own"] == 0.0 and (seen["other"] != 0.0 or kept > 0)
    said = (
        f"a new thread {'keeps' if seen['other'] else 'flushes'} them; of one tensor, 4 threads keep {100 * kept:.0f} %"
    )
    return Special("denormal flushing holds in one thread only", said, holds)


def _contraction() -> list[Special]:
    """Whether gcc fuses a*b+c, by -std."""
    code = "double f(double a, double b, double c) { return a * b + c; }\n"
    rows = []
    for standard, expected in (("gnu11", True), ("c11", False)):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "f.c"
            source.write_text(code)
            command = ["gcc", f"-std={standard}", "-O2", "-mfma", "-S", "-o", "-", str(source)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            rows.append(Special(f"gcc -std={standard} -O2 -mfma fuses a*b+c", "cannot be tried here", False))
            continue
        has = "vfmadd" in done.stdout
        what = f"`gcc -std={standard} -O2 -mfma` {'fuses' if expected else 'does not fuse'} a*b+c"
        version = subprocess.run(
            ["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False
        ).stdout.strip()
        rows.append(Special(what, _yes(has == expected), has == expected, f"gcc {version}; `benchmarks/rounding.py`"))
    return rows
