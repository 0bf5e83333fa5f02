"""Compiled kernels: the same image as eager code, built once on a machine, and never without need."""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import math
import mmap
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nanobragg_torch import Experiment, ExperimentError, from_argv, render
from nanobragg_torch.kernels import build, image, library
from nanobragg_torch.rendering import blocks
from nanobragg_torch.stages import lattice

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
    "no reflections": {"reflections": None, **MANY},
    "few cells": {"Na": 1, "Nb": 8, "Nc": 4, **MANY},
    "many cells along one axis": {"Na": 1, "Nb": 8, "Nc": 9, **MANY},
    "round": {"shape": "round", **MANY},
    "gauss": {"shape": "gauss", "polarized": False, **MANY},
    "tophat": {"shape": "tophat", "fudge": 0.01, **MANY},
    "round, interpolated": {"shape": "round", **INTERPOLATED},
    "real counts": {"Na": 5.5, "Nb": 6.25, **MANY},
    "a wide image": {"detpixels_f": 61, "detpixels_s": 41, "pixel_mm": 0.5, **MANY},
    "sensor": {"thickness_um": 300.0, "attenuation_um": 200.0, "thick_steps": 3, "kahn_factor": 0.9, "oversample": 2},
    "dmin": {"dmin_A": 2.4, "dispersion_fraction": 0.05, "dispersion_steps": 5, "water_um": 2.0},
}


@pytest.mark.parametrize("kind", KINDS)
def test_kernels_and_eager_code_agree(kind: str) -> None:
    subject = experiment(**KINDS[kind])
    eager = render(subject, engine="eager")
    fused = render(subject, engine="kernel")
    assert float(eager.max()) > 0
    assert not torch.equal(fused, torch.zeros_like(fused))
    assert float((fused - eager).abs().max()) <= AGREEMENT * float(eager.max())


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_agrees(kind: str) -> None:
    subject = experiment(dtype=torch.float32, **KINDS[kind])
    eager, fused = (render(subject, engine=e) for e in ("eager", "kernel"))
    assert fused.dtype == torch.float32
    assert float((fused - eager).abs().max()) <= SINGLE_AGREEMENT * float(eager.max())


def test_chosen_pixels_region_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "_LEAST_PIXELS", 7)
    monkeypatch.setattr(image, "_MOST_PIXELS", 7)
    whole = render(experiment(**MANY), engine="kernel")
    pixels = torch.tensor([[3, 4], [0, 0], [5, 5]])
    assert torch.equal(render(experiment(**MANY), pixels, engine="kernel"), whole[pixels[:, 0], pixels[:, 1]])
    part = render(experiment(roi=(2, 4, 1, 3), **MANY), engine="kernel")
    assert torch.equal(part[1:4, 2:5], whole[1:4, 2:5])
    part[1:4, 2:5] = 0
    assert not part.any()


def test_a_large_image_in_large_pages_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = render(experiment(**MANY), engine="kernel")
    monkeypatch.setattr(blocks, "_HUGE_FROM_BYTES", 1)
    image_of_own = render(experiment(**MANY), engine="kernel")
    assert torch.equal(image_of_own, usual)
    gc.collect()  # nobody else may hold the memory
    image_of_own += 1.0
    assert torch.equal(image_of_own - 1.0, (usual + 1.0) - 1.0)
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    assert torch.equal(render(experiment(**MANY), engine="kernel"), usual)


def test_a_sweep_of_cases_compiles_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    render(experiment(**MANY), engine="kernel")
    monkeypatch.setattr(build, "_build", lambda missing: pytest.fail(f"{list(missing)} compiled"))
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


def test_work_decides_of_gradients_too(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    real = library.load
    monkeypatch.setattr(image, "load", lambda kinds: taken.append([kind[0] for kind in kinds]) or real(kinds))
    render(experiment(**MANY))
    assert taken == []
    monkeypatch.setattr("nanobragg_torch.kernels.image.KERNEL_PAYS_FROM_STEPS", 10)
    render(experiment(**MANY))
    assert taken == [["forward"]]
    distance = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    render(experiment(distance_mm=distance, **MANY)).sum().backward()
    assert taken[1:] == [["forward", "backward"]]
    assert distance.grad is not None
    render(experiment(distance_mm=distance, oversample_omega=True, **MANY)).sum().backward()  # there are none for these
    assert len(taken) == 2


def test_a_replaced_stage_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanobragg_torch.kernels.image.KERNEL_PAYS_FROM_STEPS", 10)
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
    monkeypatch.setattr("nanobragg_torch.kernels.image.KERNEL_PAYS_FROM_STEPS", 10)
    with pytest.raises(ExperimentError, match="engine is 'kernel', but the kernel does not compile"):
        render(experiment(**MANY), engine="kernel")
    with caplog.at_level(logging.WARNING, "nanobragg_torch"):
        image = render(experiment(**MANY))
    assert torch.equal(image, render(experiment(**MANY), engine="eager"))
    assert "without compiled kernels" in caplog.text
    assert "tried within the last day" in caplog.text
    (note,) = (file for file in tmp_path.rglob("*") if file.is_file() and file.name != "lock")
    assert note.suffix == ".failed"


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
    monkeypatch.setattr("nanobragg_torch.kernels.image.KERNEL_PAYS_FROM_STEPS", 10)
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


FUNCTIONS = """
#include "functions.h"
extern "C" void evaluate(int which, const Real* x, Real* out, long count) {
  for (long i = 0; i < count; i += W) {
    V v = load(x + i);
    V cosine = which == 1 ? sine_and_cosine(v).cosine : cosine_of_pi(v) * Real(COSINE_UNIT);
    V sine = which == 0 ? sine_but_sign(v) : which == 2 ? sine_of_pi(v) * Real(SINE_UNIT) : short_sine_near(v);
    store(out + i, which == 4 ? exponential(v) : which == 1 || which == 3 ? cosine : sine);
  }
}
"""
Function = Callable[[int, np.ndarray], np.ndarray]


@pytest.fixture(scope="module", params=["double", "float"])
def function(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Function:
    """The functions of functions.h on arrays (in sixteens), in either precision."""
    folder = tmp_path_factory.mktemp("functions")
    (folder / "functions.cpp").write_text(FUNCTIONS)
    words = [*build._FLAGS, f"-DREAL={request.param}", f"-I{build._SOURCE}", "functions.cpp", "-o", "functions.so"]
    subprocess.run([shutil.which("g++") or "clang++", *words], cwd=folder, check=True)
    evaluate = ctypes.CDLL(str(folder / "functions.so")).evaluate
    dtype = np.float64 if request.param == "double" else np.float32

    def call(which: int, x: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(x, dtype=dtype)
        out = np.full_like(x, np.nan)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (x, out))
        evaluate(which, *pointers, ctypes.c_long(len(x)))
        return out

    return call


def test_sines_and_cosines_are_exact_to_the_last_digits(function: Function) -> None:
    for largest in (1.0, 100.0, 1e4):
        x = np.random.default_rng(1).uniform(-largest, largest, 160_000)
        value = function(0, x)
        x = x.astype(value.dtype)
        exact = np.sin(x.astype(np.float64)) if value.dtype == np.float32 else np.sin(x)
        spacing = np.spacing(np.maximum(np.abs(exact), 1e-3).astype(value.dtype))
        assert np.max(np.abs(np.abs(value) - np.abs(exact)) / spacing) <= (10.0 if value.dtype == np.float64 else 3e3)
        cosine = function(1, x)
        assert np.max(np.abs(cosine - np.cos(x.astype(np.float64)))) <= 4 * np.finfo(value.dtype).eps * largest


def test_the_sine_keeps_its_digits_beside_multiples_of_pi(function: Function) -> None:
    x = np.arange(1, 16001) * math.pi
    value = function(0, x)
    if value.dtype == np.float64:
        assert np.max(np.abs(np.abs(value / np.sin(x)) - 1.0)) <= 1e-12


def test_sine_and_cosine_of_half_turns(function: Function) -> None:
    r = np.linspace(-0.5, 0.5, 160_000)
    sine, cosine = function(2, r), function(3, r)
    most = 4e-12 if sine.dtype == np.float64 else 3e-7
    r = r.astype(sine.dtype).astype(np.float64)
    assert np.max(np.abs(sine - np.sin(math.pi * r))) <= most
    assert np.max(np.abs(cosine - np.cos(math.pi * r))) <= most


def test_the_short_sine_is_in_proportion_to_the_sine(function: Function) -> None:
    r = np.concatenate([np.linspace(-math.pi / 2, math.pi / 2, 160_000), np.geomspace(1e-30, 1e-3, 16_000)])
    ratio = function(5, r) / np.sin(r.astype(np.float32) if function(5, r).dtype == np.float32 else r)
    assert np.max(np.abs(ratio / np.mean(ratio) - 1.0)) <= (1.4e-13 if ratio.dtype == np.float64 else 2e-5)


def test_the_exponential(function: Function) -> None:
    value = function(4, np.linspace(-80.0, 80.0, 160_000))
    x = np.linspace(-80.0, 80.0, 160_000).astype(value.dtype).astype(np.float64)
    assert np.max(np.abs(value / np.exp(x) - 1.0)) <= (1e-15 if value.dtype == np.float64 else 3e-7)
    assert np.all(function(4, np.full(16, -1e4)) == 0.0)


def test_the_second_run_of_the_program_compiles_nothing(tmp_path: Path) -> None:
    words = "-cell 70 80 90 90 90 90 -default_F 100 -N 5 -lambda 1 -distance 100 -detpixels 40 -oversample 1".split()
    command = [sys.executable, "-m", "nanobragg_torch", *words, "-engine", "kernel", "-floatfile", "out.bin", "-nopgm"]
    said = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
        said.append("compiling kernels" in done.stderr)
    assert said[1] is False
    image = np.fromfile(tmp_path / "out.bin", dtype=np.float32)
    eager = render(from_argv(words), engine="eager").to(torch.float32)
    assert np.allclose(image, eager.reshape(-1).numpy(), rtol=1e-6)


def test_any_number_of_pixels() -> None:
    whole = render(experiment(**MANY), engine="kernel")
    for count in (1, 7, 8, 9, 15, 16, 17, 98):
        pixels = torch.stack((torch.arange(count) // 11, torch.arange(count) % 11), 1)
        assert torch.equal(render(experiment(**MANY), pixels, engine="kernel"), whole.reshape(-1)[:count])


@pytest.mark.parametrize("architecture", ["x86-64", "x86-64-v3"])
@pytest.mark.skipif(platform.machine() != "x86_64", reason="other instructions than those of x86-64")
def test_narrower_vectors_give_the_same(architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if architecture == "x86-64-v3" and "avx2" not in build._processor():
        pytest.skip("the processor has no AVX2")
    flags = [
        f"-march={architecture}" if flag == "-march=native" else "-O1" if flag == "-O3" else flag for flag in FLAGS
    ]
    changes = {**MANY, **INTERPOLATED}
    subjects = [experiment(), experiment(shape="gauss", **MANY), experiment(**changes)]
    expected = [(render(e, engine="kernel"), slope_by_distance(e)) for e in subjects]
    monkeypatch.setattr(build, "_FLAGS", flags)
    monkeypatch.setattr(build, "_digest", lambda: architecture)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for subject, (values, slope) in zip(subjects, expected, strict=True):
        assert torch.allclose(render(subject, engine="kernel"), values, rtol=0, atol=AGREEMENT * float(values.max()))
        assert slope_by_distance(subject) == pytest.approx(slope, rel=1e-9)
    assert len(list(tmp_path.rglob("*.so"))) == 2


FLAGS = list(build._FLAGS)


def slope_by_distance(subject: Experiment) -> float:
    distance = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    values = render(subject.replace(distance_mm=distance), engine="kernel")
    (slope,) = torch.autograd.grad((values * values).sum(), distance)
    return float(slope)


def test_a_damaged_library_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built: list[build.Kind] = []

    def pretend(missing: dict[build.Kind, Path]) -> None:
        built.extend(missing)
        for file in missing.values():
            file.write_bytes(b"a library")
            file.with_suffix(".sha256").write_text(build._checksum(file))

    monkeypatch.setattr(build, "_build", pretend)
    kind = ("forward", "float64")
    (file,) = build.libraries([kind])
    assert build.libraries([kind]) == [file]
    assert built == [kind]
    file.write_bytes(b"a librarY")  # of the same size
    assert build.libraries([kind]) == [file]
    assert built == [kind, kind]
    file.with_suffix(".sha256").unlink()
    build.libraries([kind])
    assert built == [kind] * 3
    assert build.cache_folder().stat().st_mode & 0o077 == 0


def test_libraries_that_nobody_uses_are_removed(tmp_path: Path) -> None:
    def made(name: str, days_ago: float) -> list[Path]:
        files = [tmp_path / f"{name}{suffix}" for suffix in (".so", ".sha256", ".failed")]
        for file in files:
            file.touch()
            os.utime(file, (time.time() - 86400 * days_ago,) * 2)
        return files

    old, recent = made("forward-float64-0123", 31), made("forward-float64-4567", 29)
    current, other = made("backward-float32-89ab", 40), made("lock", 40)
    note = tmp_path / "forward-float32-0123.failed"
    note.touch()
    os.utime(note, (0, 0))
    build._remove_unused(tmp_path, {current[0]})
    assert not any(file.exists() for file in (*old, note))
    assert all(file.exists() for file in (*recent, *current, *other))


def test_a_library_that_is_used_is_marked() -> None:
    kinds: list[build.Kind] = [("forward", "float64")]
    (file,) = build.libraries(kinds)
    os.utime(file, (0, 0))
    build.libraries(kinds)
    assert file.stat().st_mtime > time.time() - 60


def test_a_failure_is_remembered_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text(f"#!/bin/sh\necho called >> {tmp_path}/calls\necho 'error: no such thing' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):
        with pytest.raises(build.KernelError, match="error: no such thing"):
            build.libraries([("forward", "float32")])
    assert (tmp_path / "calls").read_text().count("called") == 1
    (note,) = (tmp_path / "cache").rglob("*.failed")
    failure = json.loads(note.read_text())
    note.write_text(json.dumps(failure | {"time_s": failure["time_s"] - 86401}))
    with pytest.raises(build.KernelError):
        build.libraries([("forward", "float32")])
    assert (tmp_path / "calls").read_text().count("called") == 2
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    with pytest.raises(build.KernelError, match="cannot be started"):  # another compiler is tried at once
        build.libraries([("forward", "float32")])


def test_the_tensors_are_those_of_the_source() -> None:
    (forward,) = library.load([("forward", "float64")])
    assert list(image._tensors(experiment().build())) == forward.tensors


def test_a_kernel_reads_nothing_beyond_the_table() -> None:
    """Indices that are NaN, or far away, must not crash the process."""
    changes: dict[str, Any] = {"interpolate": True, "hdiv_range_rad": 0.002, "hdiv_steps": 3}
    for broken in (math.nan, math.inf, 1e300):
        subject = experiment(**changes)
        model = subject.build()
        real_m = model.real_m.clone()
        real_m[0] = broken
        image = render(subject, model=replace(model, real_m=real_m), engine="kernel")
        assert bool(torch.isnan(image).all() | torch.isfinite(image).all())
