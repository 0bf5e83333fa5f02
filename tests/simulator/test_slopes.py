"""Gradients by kernels: those of eager code, for the models that have them, and eager code for the others."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from nanobragg_torch import ExperimentError, render
from nanobragg_torch.kernels import backward
from nanobragg_torch.parameters import PARAMETERS
from nanobragg_torch.stages import peaks
from torch import Tensor

from tests.simulator.small import experiment

pytestmark = pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler, so no kernels"
)
# Of the largest component: sums in another order, and slopes of the remainder for those of the index, whose rounding
# is some 1e-13 of a period here.
AGREEMENT = 1e-9

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
}


def gradients(changes: dict[str, Any], engine: str) -> dict[str, Tensor]:
    """By every parameter but the table's, of a sum of squares whose weights no symmetry shares."""
    subject, leaves = experiment(**changes), {}
    for parameter in PARAMETERS:
        numbers = parameter.tensor(subject)
        has_table = subject.crystal.reflections is not None
        if numbers is None or (has_table and parameter.name in ("structure_factors", "default_F")):
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
    assert sum(bool(g.any()) for g in eager.values()) >= 10
    for name, expected in eager.items():
        found = fused.get(name, torch.zeros_like(expected))
        assert float((found - expected).abs().max()) <= AGREEMENT * float(expected.abs().max()), name


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"oversample_omega": True}, "oversample_omega"),
        ({"Na": torch.tensor(5.5, dtype=torch.float64)}, "no whole numbers"),
        ({"interpolate": True}, "interpolated"),
        ({"dmin_A": 2.4}, "resolution limit"),
        ({"shape": "round"}, "round"),
        ({"shape": "gauss"}, "gauss"),
        ({"reflections": None}, "without reflections"),
        ({"dtype": torch.float32}, "single precision"),
    ],
)
def test_where_there_are_none_eager_code_is_taken_or_the_reason_said(changes: dict[str, Any], reason: str) -> None:
    distance = torch.tensor(100.0, dtype=changes.get("dtype", torch.float64), requires_grad=True)
    subject = experiment(distance_mm=distance, **{**MANY, **changes})
    with pytest.raises(ExperimentError, match=reason):
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


def test_they_do_not_depend_on_how_many_steps_are_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradients(KINDS["scan"], "kernel")
    monkeypatch.setattr(backward, "_STEPS_AT_ONCE", 200)
    monkeypatch.setattr(backward, "_SLICES_AT_ONCE", 2)
    for name, found in gradients(KINDS["scan"], "kernel").items():
        assert float((found - whole[name]).abs().max()) <= AGREEMENT * float(whole[name].abs().max()), name


def test_the_square_of_a_peak_has_the_slopes_of_its_formula() -> None:
    rest = torch.tensor([[-0.45, -1e-3, 0.02, 0.3]], dtype=torch.float64, requires_grad=True)
    N = torch.tensor([[5.0], [6.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(peaks.square_peak, (rest, N))
    plain = (torch.sin(torch.pi * N * rest) / torch.sin(torch.pi * rest)) ** 2
    assert torch.allclose(peaks.square_peak(rest, N), plain, rtol=1e-12)
    assert peaks.square_peak(torch.zeros(1, dtype=torch.float64), N[1]).item() == pytest.approx(6.5**2)


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
