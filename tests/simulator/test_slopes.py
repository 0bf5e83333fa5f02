"""Gradients by kernels: those of eager code, for the models that have them, and eager code for the others."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from nanobragg_torch import ExperimentError, render
from nanobragg_torch.kernels import image
from nanobragg_torch.parameters import PARAMETERS
from torch import Tensor

from tests.simulator.small import experiment

pytestmark = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler, so no kernels"
)
# Of the largest component: sums in another order, and slopes of the remainder for those of the index, whose rounding
# is some 1e-13 of a period here.
AGREEMENT = 1e-9
# The same in single precision, where an index has four digits behind its point.
SINGLE_AGREEMENT = 1e-3

MANY: dict[str, Any] = {"phi_start_deg": 10.0, "osc_deg": 1.0, "phisteps": 5}
KINDS: dict[str, dict[str, Any]] = {
    "scan": {**MANY, "detpixels_f": 61, "detpixels_s": 41, "kahn_factor": 0.9},
    "all loops": {
        **MANY,
        "hdiv_range_rad": 0.002,
        "hdiv_steps": 2,
        "thickness_um": 300.0,
        "attenuation_um": 200.0,
        "thick_steps": 3,
        "oversample": 2,
    },
    "curved still": {"curved": True, "point_pixel": True, "polarized": False},
    "curved, turned": {"curved": True, "kahn_factor": 0.5, "twotheta_deg": 10.0},
    "interpolated": {"interpolate": True, **MANY},
    "resolution limit": {
        "dmin_A": 2.4,
        "kahn_factor": 0.9,
        "dispersion_fraction": 0.05,
        "dispersion_steps": 5,
        "water_um": 2.0,
    },
    "round": {"shape": "round", **MANY},
    "gauss": {"shape": "gauss", **MANY},
    "tophat": {"shape": "tophat", "fudge": 0.01, **MANY},
    "no reflections": {"reflections": None, **MANY},
    "real counts": {"Na": 5.5, "Nb": 6.25, **MANY},
    "round, interpolated": {"shape": "round", "interpolate": True, "mosaic_spread_deg": 0.5, "mosaic_domains": 3},
}


def gradients(changes: dict[str, Any], engine: str) -> dict[str, Tensor]:
    """By every parameter, of a sum of squares whose weights no symmetry shares."""
    subject, leaves = experiment(**changes), {}
    for parameter in PARAMETERS:
        numbers = parameter.tensor(subject)
        if numbers is None:
            continue
        leaves[parameter.name] = numbers.requires_grad_()
        subject = parameter.put(subject, numbers)
    image = render(subject, memory_budget_MB=1.0, engine=engine)
    weights = torch.linspace(0.5, 2.0, image.numel(), dtype=image.dtype).reshape(image.shape)
    found = torch.autograd.grad((image * image * weights).sum(), list(leaves.values()), allow_unused=True)
    return {name: g for name, g in zip(leaves, found, strict=True) if g is not None}


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_those_of_eager_code(kind: str) -> None:
    eager, fused = gradients(KINDS[kind], "eager"), gradients(KINDS[kind], "kernel")
    assert sum(bool(g.any()) for g in eager.values()) >= 9
    for name, expected in eager.items():
        found = fused.get(name, torch.zeros_like(expected))
        assert float((found - expected).abs().max()) <= AGREEMENT * float(expected.abs().max()), name


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_agrees(kind: str) -> None:
    single = {"dtype": torch.float32, **KINDS[kind]}
    exact, eager, fused = gradients(KINDS[kind], "eager"), gradients(single, "eager"), gradients(single, "kernel")
    for name, expected in exact.items():
        if not expected.any():
            continue
        found = fused.get(name, torch.zeros_like(expected))
        assert found.dtype == torch.float32 or name not in fused
        most = SINGLE_AGREEMENT * float(expected.abs().max())
        # Where eager code in single precision is worse, kernels may be as bad.
        lost = float((eager[name].double() - expected).abs().max()) if name in eager else 0.0
        assert float((found.double() - expected).abs().max()) <= max(most, 2.0 * lost), name


@pytest.mark.parametrize("flag", ["oversample_thick", "oversample_polar", "oversample_omega"])
def test_where_there_are_none_eager_code_is_taken_or_the_reason_said(flag: str) -> None:
    distance = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    subject = experiment(distance_mm=distance, **{**MANY, flag: True})
    with pytest.raises(ExperimentError, match=flag):
        render(subject, engine="kernel")
    render(subject).sum().backward()
    assert distance.grad is not None


def test_an_unknown_engine_is_refused_with_gradients_too() -> None:
    distance = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ExperimentError, match="one of auto, kernel, eager"):
        render(experiment(distance_mm=distance, interpolate=True), engine="fast")


def test_there_are_first_derivatives_only() -> None:
    distance = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    image = render(experiment(distance_mm=distance, **KINDS["scan"]), engine="kernel")
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(image.sum(), distance, create_graph=True)


def test_they_do_not_depend_on_the_blocks_nor_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradients(KINDS["scan"], "kernel")
    monkeypatch.setattr(image, "_LEAST_PIXELS", 100)
    blocks = gradients(KINDS["scan"], "kernel")
    for name, found in blocks.items():
        assert float((found - whole[name]).abs().max()) <= AGREEMENT * float(whole[name].abs().max()), name
    torch.set_num_threads(3)
    for name, found in gradients(KINDS["scan"], "kernel").items():
        assert torch.equal(found, blocks[name]), name


def test_the_slope_by_a_count_of_cells_in_single_precision() -> None:
    """A peak's sign, which goes over with the count, has no slope."""
    found = []
    for dtype in (torch.float32, torch.float64):
        Na = torch.tensor(5.0, dtype=dtype, requires_grad=True)
        (slope,) = torch.autograd.grad(render(experiment(Na=Na, dtype=dtype, **MANY), engine="eager").sum(), Na)
        found.append(float(slope))
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_a_default_device_of_the_user_changes_nothing() -> None:
    distance = torch.tensor(100.0, dtype=torch.float64, requires_grad=True)
    e = experiment(distance_mm=distance)
    image = render(e, engine="kernel")
    (slope,) = torch.autograd.grad(image.sum(), distance)
    with torch.device("meta"):
        again = render(e, engine="kernel")
        (slope_again,) = torch.autograd.grad(again.sum(), distance)
    assert torch.equal(again, image)
    assert torch.equal(slope_again, slope)
