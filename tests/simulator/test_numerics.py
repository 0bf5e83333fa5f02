"""The image does not depend on threads, blocks, chosen pixels or the engine: random experiments of every kind."""

from __future__ import annotations

import ast
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nanobragg_torch
import pytest
import torch
from nanobragg_torch import Experiment, render

from tests.golden import ROOT
from tests.simulator.small import experiment, reflections

AGREEMENT = 1e-12
"""Of the largest pixel: what `render` promises for its engines. All else must not change a bit."""
SMALL_MB = 0.01
"""A budget under which an image of 99 pixels takes several blocks."""
SEEDS = range(24)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def drawn(seed: int) -> Experiment:
    """An experiment with settings drawn at random; every stage of the model is met by some seed."""
    chance = random.Random(seed)
    settings: dict[str, Any] = {
        "phi_start_deg": chance.uniform(-40, 40),
        "osc_deg": chance.uniform(0.1, 2),
        "phisteps": chance.choice((1, 2, 7)),
        "shape": chance.choice(("square", "round", "gauss", "tophat")),
        "Na": chance.choice((1, 2, 5, 31)),
        "Nb": chance.choice((4, 6, 5.5)),
        "kahn_factor": chance.choice((0.0, 0.9)),
        "polarized": chance.random() < 0.8,
        "default_F": chance.choice((0.0, 3.0)),
        "oversample": chance.choice((1, 1, 2)),
        "pixel_mm": chance.choice((0.2, 2.0)),
    }
    for chosen in (
        {"thickness_um": 300.0, "attenuation_um": 200.0, "thick_steps": 3},
        {"dispersion_fraction": 0.04, "dispersion_steps": 3},
        {"hdiv_range_rad": 0.002, "hdiv_steps": 3},
        {"water_um": 2.0},
        {"dmin_A": 2.4},
        {"curved": True},
        {"interpolate": True},
        {"reflections": reflections(4)},
        {"mosaic_spread_deg": 0.3, "mosaic_domains": 4},
        {"oversample_omega": True},
    ):
        if chance.random() < 0.25:
            settings |= chosen
    return experiment(**settings)


def eager(subject: Experiment, threads: int = 1, budget: float = 256.0) -> torch.Tensor:
    torch.set_num_threads(threads)
    return render(subject, engine="eager", memory_budget_MB=budget)


@pytest.mark.parametrize("seed", SEEDS)
def test_threads_and_blocks_change_no_bit(seed: int) -> None:
    subject = drawn(seed)
    image = eager(subject)
    assert bool(torch.isfinite(image).all())
    for threads, budget in ((3, 256.0), (1, SMALL_MB), (3, SMALL_MB)):
        other = eager(subject, threads, budget)
        assert torch.equal(other, image), (threads, budget)


@pytest.mark.parametrize("seed", SEEDS)
def test_chosen_pixels_are_those_of_the_image(seed: int) -> None:
    subject = drawn(seed)
    image = eager(subject)
    chance = random.Random(seed)
    for count in (1, 5, 40):
        pixels = torch.tensor([[chance.randrange(9), chance.randrange(11)] for _ in range(count)])
        values = render(subject, pixels, engine="eager")
        assert torch.equal(values, image[pixels[:, 0], pixels[:, 1]]), count


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler, so no kernels")
@pytest.mark.parametrize("seed", SEEDS)
def test_engines_agree(seed: int) -> None:
    subject = drawn(seed).replace(oversample_omega=False)  # the kernels leave that to eager code
    image = eager(subject)
    for threads in (1, 3):
        torch.set_num_threads(threads)
        other = render(subject, engine="kernel")
        assert float((other - image).abs().max()) <= AGREEMENT * float(image.max()), threads


def test_the_draw_meets_every_kind() -> None:
    seen = [drawn(seed) for seed in SEEDS]
    assert {subject.crystal.shape for subject in seen} == {"square", "round", "gauss", "tophat"}
    assert any(subject.crystal.interpolate for subject in seen)
    assert any(subject.detector.thickness_um for subject in seen)


WATCHED = {
    *"sqrt rsqrt exp2 asin acos atan atan2 sinh cosh tanh atanh sigmoid pow hypot logaddexp softplus arange".split(),
    *"linspace add add_ addcmul addcmul_ lerp lerp_ addcdiv cross sum mean prod norm vector_norm var std".split(),
    *"logsumexp matmul mm bmm einsum remainder remainder_ fmod sinc cumsum tensordot inner special".split(),
    *"exp log expm1 log1p erf sin cos tan".split(),
}
"""Operations of docs/numerics.md that are not correctly rounded, or whose bits depend on something."""
ELSEWHERE = {"io", "cli", "gradcheck"}
"""Folders that are not on the path to the image."""
NOT_CALLS = {("experiment.py", "mm"), ("stages/detector.py", "mm"), ("settings.py", "sum")}
"""Millimetres, and a count of reflections."""


def used() -> set[tuple[str, str]]:
    found = set()
    package = Path(nanobragg_torch.__file__).parent
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if name.partition("/")[0] in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in WATCHED:
                found.add((name, node.attr))
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                found.add((name, "matmul"))
    return found - NOT_CALLS


def test_the_audit_lists_every_use_and_no_other() -> None:
    page = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/.]+\.py)` \| ([\w, ]+) \|", page, re.MULTILINE)
    listed = {(name, operation) for name, operations in rows for operation in operations.split(", ")}
    assert used() <= listed, used() - listed
    powers = {("stages/lattice.py", "pow"), ("stages/polarization.py", "pow")}  # written as **
    assert listed - powers <= used(), listed - powers - used()
