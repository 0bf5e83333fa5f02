"""Compiled kernels: the same image as eager code, compiled once per kind of experiment, and never without need."""

from __future__ import annotations

import logging
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nanobragg_torch import Experiment, ExperimentError, render
from nanobragg_torch.kernels import cache
from nanobragg_torch.kernels.stages_as_modules import Variant, variants
from nanobragg_torch.ops import sine
from nanobragg_torch.stages import lattice
from torch import Tensor

from tests.simulator.small import experiment, reflections

pytestmark = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler, so no kernels"
)
# Of the largest pixel: what the issue of speed must not cost.
AGREEMENT = 1e-12
SINGLE_AGREEMENT = 1e-4

MANY: dict[str, Any] = {"phi_start_deg": 10.0, "osc_deg": 1.0, "phisteps": 5}
INTERPOLATED: dict[str, Any] = {"interpolate": True, "hdiv_range_rad": 0.002, "hdiv_steps": 3}
ONE_STEP: dict[str, Any] = {"interpolate": True, "curved": True, "kahn_factor": 0.9, "water_um": 2.0, "default_F": 3.0}
# Neighbours that share their block of nodes, some of two or three blocks in a vector, and many without a block.
CLOSE: dict[str, Any] = {"pixel_mm": 0.1, "detpixels_f": 250, "detpixels_s": 40, "reflections": reflections(4)}
KINDS: dict[str, dict[str, Any]] = {
    "scan": MANY,
    "still": {"default_F": 10.0},
    "interpolated": INTERPOLATED,
    "interpolated, close": INTERPOLATED | CLOSE,
    "one step": ONE_STEP,
    "one step, close": ONE_STEP | CLOSE,
    "round": {"shape": "round", **MANY},
    "gauss": {"shape": "gauss", "polarized": False, **MANY},
    "sensor": {"thickness_um": 300.0, "attenuation_um": 200.0, "thick_steps": 3, "kahn_factor": 0.9, "oversample": 2},
    "dmin": {"dmin_A": 2.4, "dispersion_fraction": 0.05, "dispersion_steps": 5, "water_um": 2.0},
}
IN_SINGLE: dict[str, dict[str, Any]] = {
    "scan": MANY,
    "one step": {"interpolate": True},
    "one step, close": {"interpolate": True, **CLOSE},
}


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """All kernels of these tests in one go, which is quicker."""
    wanted: dict[Variant, None] = {}
    for changes in KINDS.values():
        wanted |= dict.fromkeys(variants(experiment(**changes).build()))
    for changes in IN_SINGLE.values():
        wanted |= dict.fromkeys(variants(experiment(dtype=torch.float32, **changes).build()))
    cache.kernels(list(wanted))


@pytest.mark.parametrize("kind", KINDS)
def test_kernels_and_eager_code_agree(kind: str) -> None:
    subject = experiment(**KINDS[kind])
    eager = render(subject, engine="eager")
    fused = render(subject, engine="kernel")
    assert float(eager.max()) > 0
    assert not torch.equal(fused, torch.zeros_like(fused))
    assert float((fused - eager).abs().max()) <= AGREEMENT * float(eager.max())


@pytest.mark.parametrize("kind", IN_SINGLE)
def test_single_precision_agrees(kind: str) -> None:
    subject = experiment(dtype=torch.float32, **IN_SINGLE[kind])
    eager, fused = (render(subject, engine=e) for e in ("eager", "kernel"))
    assert fused.dtype == torch.float32
    assert float((fused - eager).abs().max()) <= SINGLE_AGREEMENT * float(eager.max())


def test_chosen_pixels_region_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["nanobragg_torch.rendering.render"], "_FUSED_BLOCK_BYTES", 7 * 8)
    monkeypatch.setattr(sys.modules["nanobragg_torch.rendering.render"], "_SMALLEST_BLOCK", 7)
    whole = render(experiment(**MANY), engine="kernel")
    pixels = torch.tensor([[3, 4], [0, 0], [5, 5]])
    assert torch.equal(render(experiment(**MANY), pixels, engine="kernel"), whole[pixels[:, 0], pixels[:, 1]])
    part = render(experiment(roi=(2, 4, 1, 3), **MANY), engine="kernel")
    assert torch.equal(part[1:4, 2:5], whole[1:4, 2:5])
    assert float(part.sum()) == float(part[1:4, 2:5].sum())


def test_a_sweep_of_cases_compiles_nothing_more() -> None:
    before = set(cache.cache_folder().iterdir())
    for changes in (
        {"phisteps": 9},
        {"mosaic_spread_deg": 0.5, "mosaic_domains": 3},
        {"Na": 11, "Nb": 1},
        {"detpixels_f": 3, "detpixels_s": 3},
        {"detpixels_f": 61, "detpixels_s": 1},
        {"hdiv_range_rad": 0.01, "hdiv_steps": 4},
        {"distance_mm": 250.0, "twotheta_deg": 5.0, "oversample": 3},
    ):
        subject = experiment(**{**MANY, **changes})
        eager = render(subject, engine="eager")
        assert float((render(subject, engine="kernel") - eager).abs().max()) <= AGREEMENT * float(eager.max())
    assert set(cache.cache_folder().iterdir()) == before


def test_work_decides_of_gradients_too(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    real = cache.kernels
    monkeypatch.setattr(cache, "kernels", lambda wanted: taken.append(len(wanted)) or real(wanted))
    render(experiment(**MANY))
    assert taken == []
    monkeypatch.setattr("nanobragg_torch.kernels.forward.KERNEL_PAYS_FROM_STEPS", 10)
    render(experiment(**MANY))
    assert taken == [3]
    distance = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    render(experiment(distance_mm=distance, **MANY)).sum().backward()
    assert taken == [3, 3, 5]
    assert distance.grad is not None
    render(experiment(distance_mm=distance, shape="gauss", **MANY)).sum().backward()  # there are none for these
    assert taken == [3, 3, 5]


def test_a_replaced_stage_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanobragg_torch.kernels.forward.KERNEL_PAYS_FROM_STEPS", 10)
    before = render(experiment(**MANY))
    product = lattice.product
    monkeypatch.setattr(lattice, "product", lambda factors: 2.0 * product(factors))
    assert torch.allclose(render(experiment(**MANY)), 4.0 * before)
    with pytest.raises(ExperimentError, match="stage function has been replaced"):
        render(experiment(**MANY), engine="kernel")


def test_where_there_are_none_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ExperimentError, match="one of auto, kernel, eager"):
        render(experiment(), engine="fast")
    with pytest.raises(ExperimentError, match="-oversample_omega"):
        render(experiment(oversample_omega=True), engine="kernel")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", "/bin/false")
    monkeypatch.setattr("nanobragg_torch.kernels.forward.KERNEL_PAYS_FROM_STEPS", 10)
    with pytest.raises(ExperimentError, match="engine is 'kernel', but the kernel does not compile"):
        render(experiment(**MANY), engine="kernel")
    with caplog.at_level(logging.WARNING, "nanobragg_torch"):
        image = render(experiment(**MANY))
    assert torch.equal(image, render(experiment(**MANY), engine="eager"))
    assert "without compiled kernels" in caplog.text
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["lock"]


def test_a_library_that_crashes_does_not_take_the_program_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of a compiler that links a C++ library of its own into them."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    broken, crash = tmp_path / "g++", tmp_path / "crash.h"
    trap = "__attribute__((constructor)) static void crash() { __builtin_trap(); }"
    crash.write_text(f"#ifdef __cplusplus\n{trap}\n#endif\n")
    broken.write_text(f'#!/bin/sh\nexec {compiler} -include {crash} "$@"\n')
    broken.chmod(0o755)
    monkeypatch.setattr("nanobragg_torch.kernels.forward.KERNEL_PAYS_FROM_STEPS", 10)
    monkeypatch.setenv("CXX", str(broken))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with caplog.at_level(logging.WARNING, "nanobragg_torch"):
        image = render(experiment())
    assert torch.equal(image, render(experiment(), engine="eager"))
    assert "cannot be loaded: its process died of SIG" in caplog.text


def test_neither_import_nor_render_loads_the_compiler() -> None:
    program = (
        "import sys; from nanobragg_torch import Experiment, render;"
        "before = [m for m in sys.modules if m.startswith(('torch._inductor', 'torch._dynamo'))];"
        "from tests.simulator.small import experiment; render(experiment(phisteps=5, osc_deg=1.0), engine='kernel');"
        "after = [m for m in sys.modules if m.startswith(('torch._inductor.', 'torch._dynamo.'))];"
        "print(before, after)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


class _NumPy:
    """The operations of a compiler's namespace, done by NumPy in one precision."""

    round = staticmethod(np.round)
    mul = staticmethod(np.multiply)
    add = staticmethod(np.add)
    sub = staticmethod(np.subtract)

    @staticmethod
    def constant(value: float, dtype: torch.dtype) -> Any:
        return np.float64(value) if dtype == torch.float64 else np.float32(value)

    @staticmethod
    def fma(x: Any, y: Any, z: Any) -> Any:
        """x·y + z, rounded hardly more than once: the product's rounding error (Dekker 1971) is added, too."""
        if np.result_type(x, y, z) == np.float32:
            return (np.float64(x) * np.float64(y) + np.float64(z)).astype(np.float32)
        high = np.multiply(x, y)
        (x1, x2), (y1, y2) = _halves(x), _halves(y)
        low = ((x1 * y1 - high) + x1 * y2 + x2 * y1) + x2 * y2
        total = high + z
        lost = (high - (total - (total - high))) + (z - (total - high))
        return total + (lost + low)


def _halves(x: Any) -> tuple[Any, Any]:
    """x in two numbers of half as many digits each (Veltkamp)."""
    large = x * 134217729.0
    upper = large - (large - x)
    return upper, x - upper


@pytest.mark.parametrize("largest", [1.0, 100.0, 1e6])
def test_the_sine_is_exact_to_the_last_digits(largest: float) -> None:
    x = np.random.default_rng(1).uniform(-largest, largest, 200_000)
    exact = torch.sin(torch.tensor(x)).numpy()
    ulp = np.spacing(np.abs(exact))
    assert np.max(np.abs(np.abs(sine.polynomial_sine(x, _NumPy)) - np.abs(exact)) / ulp) <= 2.0


def test_the_sine_keeps_its_digits_beside_multiples_of_pi() -> None:
    n = np.arange(1, 20001)
    x = n * math.pi
    exact = np.sin(x)
    assert np.max(np.abs(np.abs(sine.polynomial_sine(x, _NumPy) / exact) - 1.0)) <= 1e-12


def test_the_sine_of_pi_in_single_precision() -> None:
    y = np.random.default_rng(2).uniform(-300.0, 300.0, 200_000).astype(np.float32)
    exact = np.sin(math.pi * (y.astype(np.float64) - np.round(y)) + math.pi * (np.round(y).astype(np.float64) % 2))
    value = sine.polynomial_sine_of_pi(y, _NumPy)
    assert value.dtype == np.float32
    assert np.max(np.abs(np.abs(value) - np.abs(exact)) / np.maximum(np.abs(exact), 1e-3)) <= 3e-7


def test_sine_and_cosine_of_half_turns() -> None:
    r = np.linspace(-0.5, 0.5, 100_001)
    sines = sine.polynomial_sine_of_half_turns(r, _NumPy, torch.float64)
    cosine = sine.polynomial_cosine_of_half_turns(r, _NumPy)
    assert np.max(np.abs(sines - np.sin(math.pi * r))) <= 5e-16
    assert np.max(np.abs(cosine - np.cos(math.pi * r))) <= 5e-16
    tiny = np.array([1e-300, 1e-9, -1e-5])
    assert np.allclose(
        sine.polynomial_sine_of_half_turns(tiny, _NumPy, torch.float64),
        np.sin(math.pi * tiny),
        rtol=1e-15,
        atol=0,
    )


def test_the_second_run_of_the_program_compiles_nothing(tmp_path: Path) -> None:
    words = "-cell 70 80 90 90 90 90 -default_F 100 -N 5 -lambda 1 -distance 100 -detpixels 40 -oversample 1".split()
    command = [sys.executable, "-m", "nanobragg_torch", *words, "-engine", "kernel", "-floatfile", "out.bin", "-nopgm"]
    said = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
        said.append("compiling the kernels" in done.stderr)
    assert said[1] is False
    image = np.fromfile(tmp_path / "out.bin", dtype=np.float32)
    eager = render(Experiment.from_argv(words), engine="eager").to(torch.float32)
    assert np.allclose(image, eager.reshape(-1).numpy(), rtol=1e-6)


def test_a_kernel_runs_on_tensors_of_any_length() -> None:
    _, sweep, _ = cache.kernels(variants(experiment(**MANY).build()))
    model = experiment(**MANY).build()
    assert model.table is not None
    grid = torch.tensor([model.table.shape, model.table.lowest, model.table.highest], dtype=torch.float64)
    real = model.real_m[..., 0].permute(2, 0, 1).contiguous()
    number = torch.zeros((), dtype=torch.float64)
    cells = torch.tensor([5.0, 6.0, 7.0], dtype=torch.float64)
    rest: list[Tensor] = [real, cells, number + 1.0, model.cell.reciprocal_A.contiguous()]
    rest += [model.table.F, grid, number, number]
    for length in (1, 15, 16, 17, 100):
        q = [torch.full((length,), 1e9, dtype=torch.float64) for _ in "xyz"]
        I = torch.zeros(length, dtype=torch.float64)
        assert sweep([I, *q, *rest]) == []
        assert torch.equal(I, I[:1].expand(length))
        assert float(I[0]) > 0


def test_a_kernel_reads_nothing_beyond_the_table() -> None:
    """Indices that are no numbers, or far away, must not crash the process."""
    changes: dict[str, Any] = {"interpolate": True, "hdiv_range_rad": 0.002, "hdiv_steps": 3}
    for broken in (math.nan, math.inf, 1e300):
        subject = experiment(**changes)
        model = subject.build()
        real_m = model.real_m.clone()
        real_m[0] = broken
        image = render(subject, model=replace(model, real_m=real_m), engine="kernel")
        assert bool(torch.isnan(image).all() | torch.isfinite(image).all())
