"""Both programs against the committed figures of the original: what a clone alone can check."""

from __future__ import annotations

import functools
import math
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from nanobragg_torch import from_argv, render, trace
from nanobragg_torch.io import hkl

from tests.golden import (
    COMMITTED,
    MAIN_JOB,
    committed_cases,
    parse_trace,
    sampled_image_faults,
    trace_faults,
    traced_pixels,
)

CASES = [committed_cases()[name] for name in MAIN_JOB]
TRACED = ["base", "phi0_start", "tilt_all", "phi_mosaic", "div_disp", "custom_all"]
ids = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


@pytest.fixture
def inputs(golden_folder: Path, tmp_path: Path) -> Path:
    for path in golden_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def _lists_are_read_once() -> Iterator[None]:
    """Most cases have the same list of reflections, which takes ten times as long to read as a detector to render."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hkl, "read_with_warnings", functools.cache(hkl.read_with_warnings))
        yield


def run_c(build: Path, name: str, words: list[str], folder: Path) -> str:
    done = subprocess.run([build / name, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def c_image(build: Path, words: list[str], shape: tuple[int, int], folder: Path) -> np.ndarray:
    target = folder / "float.bin"
    np.full(shape, np.inf, "<f4").tofile(target)  # a value that is never written cannot pass
    run_c(build, "nanoBragg", [*words, "-nopgm", "-nonoise", "-noprogress", "-floatfile", target.name], folder)
    return np.fromfile(target, "<f4").reshape(shape)


@ids
def test_reference_images(case, c_build: Path, inputs: Path) -> None:  # type: ignore[no-untyped-def]
    image = c_image(c_build, [*case.args, "-fix", "all"], case.shape, inputs)
    assert sampled_image_faults(image, case.id) == ""
    unfixed = c_image(c_build, [*case.args, "-threads", "1"], case.shape, inputs)
    if case.has_state_leak:
        assert sampled_image_faults(unfixed, f"{case.id}__state_leak") == ""
        assert sampled_image_faults(image, f"{case.id}__state_leak") != ""
    else:
        assert np.array_equal(unfixed, image)


@ids
def test_simulator_images(case, golden_folder: Path) -> None:  # type: ignore[no-untyped-def]
    with torch.no_grad():
        image = render(from_argv(case.args, folder=golden_folder))
    assert tuple(image.shape) == case.shape
    assert sampled_image_faults(image.to(torch.float32).numpy(), case.id) == ""


@pytest.mark.parametrize("name", TRACED)
def test_simulator_traces(name: str, golden_folder: Path) -> None:
    golden = (COMMITTED / f"{name}.log").read_text()
    experiment = from_argv(committed_cases()[name].args, folder=golden_folder)
    text = "\n".join(trace(experiment, traced_pixels(golden)).lines())
    assert trace_faults(text, golden, cells_of(text)) == []


@pytest.mark.parametrize("name", [*TRACED, "phi0_start__state_leak"])
def test_reference_traces(name: str, c_build: Path, inputs: Path) -> None:
    golden = (COMMITTED / f"{name}.log").read_text()
    case = committed_cases()[name.partition("__")[0]]
    pixels = [word for s, f in traced_pixels(golden) for word in ("-trace_pixel", str(s), str(f))]
    fix = ["-fix", "none" if name.endswith("state_leak") else "all"]
    run_c(c_build, "nanoBragg-trace", [*case.args, *fix, *pixels, "-trace_file", "trace.log"], inputs)
    text = (inputs / "trace.log").read_text()
    assert trace_faults(text, golden, cells_of(text)) == []
    assert not (inputs / "floatimage.bin").exists()  # tracing renders nothing


def cells_of(text: str) -> float:
    return math.prod(parse_trace(text)[((), "N_cells")])


def test_the_committed_set_is_small() -> None:
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) < 1_000_000
