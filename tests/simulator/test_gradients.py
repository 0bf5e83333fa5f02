"""Gradients of the image with respect to the settings: against finite differences, finite everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nanobragg_torch import render
from nanobragg_torch.settings import Reflections
from torch import Tensor

from tests.simulator.small import CELL, experiment, reflections

# Pixels off the beam, some of them near spots. They are small tests of a large function: four pixels, four steps.
PIXELS = torch.tensor([[1, 2], [4, 8], [7, 3], [4, 5]])
COMMON: dict[str, Any] = {"phi_start_deg": 3.0, "osc_deg": 1.0, "phisteps": 2, "fluence_per_m2": 1e26}


def image_of(name: str, **common: Any) -> Callable[[Tensor], Tensor]:
    return lambda value: render(experiment(**{**COMMON, **common, name: value}), PIXELS)


def leaf(value: Any) -> Tensor:
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cell", CELL),
        ("misset_deg", (1.0, 2.0, 3.0)),
        ("wavelength_A", 1.1),
        ("distance_mm", 95.0),
        ("phi_start_deg", 2.0),
        ("osc_deg", 1.5),
        ("default_F", 3.0),
        ("pixel_mm", 1.9),
        ("rotx_deg", 2.0),
        ("twotheta_deg", 4.0),
        ("Xbeam_mm", 8.0),
        ("kahn_factor", 0.5),
        ("fluence_per_m2", 1e26),
    ],
)
def test_gradcheck(name: str, value: Any) -> None:
    scale = 1e-26 if name == "fluence_per_m2" else 1.0
    # In units of the value's own size where that is far from 1, since gradcheck steps by 1e-6.
    function = image_of(name)
    assert torch.autograd.gradcheck(
        lambda x: function(x / scale), leaf(np.multiply(value, scale)), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("shape", ["round", "gauss"])
def test_gradcheck_of_other_shapes(shape: str) -> None:
    function = image_of("cell", shape=shape, fudge=0.1)
    assert torch.autograd.gradcheck(function, leaf(CELL), atol=1e-4, rtol=1e-4)


def test_gradcheck_of_thick_curved_oversampled() -> None:
    more: dict[str, Any] = {
        "thickness_um": 300.0,
        "attenuation_um": 400.0,
        "thick_steps": 2,
        "oversample": 2,
        "oversample_thick": True,
        "oversample_polar": True,
        "curved": True,
        "kahn_factor": 0.5,
        "fluence_per_m2": 1e27,
    }
    for name, value in (("distance_mm", 100.0), ("attenuation_um", 400.0), ("thickness_um", 300.0)):
        assert torch.autograd.gradcheck(image_of(name, **more), leaf(value), atol=1e-4, rtol=1e-4)


def test_gradcheck_of_the_mosaic_spread() -> None:
    """The angles are products of single-precision numbers: a step must be long against their rounding (1e-7)."""
    function = image_of("mosaic_spread_deg", mosaic_domains=3)
    assert torch.autograd.gradcheck(function, leaf(0.3), eps=1e-3, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("interpolate", [False, True])
def test_gradcheck_of_structure_factors(interpolate: bool) -> None:
    listed = reflections(2)
    F = torch.tensor(np.nan_to_num(listed.F, nan=40.0)).requires_grad_()

    def image(values: Tensor) -> Tensor:
        grid = Reflections(lowest=listed.lowest, F=values)
        return render(experiment(**COMMON, reflections=grid, interpolate=interpolate), PIXELS[3:])

    assert torch.autograd.gradcheck(image, F, atol=1e-4, rtol=1e-4)


def test_finite_difference_error_shrinks_linearly_with_the_step() -> None:
    x = leaf(CELL)
    (slope,) = torch.autograd.grad(image_of("cell")(x).sum(), x)
    errors = []
    with torch.no_grad():
        for step in (1e-3, 1e-4, 1e-5):
            moved = x.clone()
            moved[1] += step
            difference = image_of("cell")(moved).sum() - image_of("cell")(x).sum()
            errors.append(float(abs(difference / step - slope[1])))
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(10, rel=0.2)


def test_finite_in_the_direct_beam() -> None:
    """The pixel in the beam has q, h, k and l exactly 0."""
    wanted = [leaf(CELL), leaf(1.0), leaf(100.0), leaf((0.0, 0.0, 0.0)), leaf(0.5)]
    e = experiment(
        cell=wanted[0], wavelength_A=wanted[1], distance_mm=wanted[2], misset_deg=wanted[3], kahn_factor=wanted[4],
        convention="XDS", detpixels_f=5, detpixels_s=5,
    )  # fmt: skip
    q_free = render(e, torch.tensor([[2, 2]]))
    assert float(q_free.detach()) > 0
    for gradient in torch.autograd.grad(q_free.sum(), wanted):
        assert torch.isfinite(gradient).all()


def test_finite_at_integer_indices_of_a_cubic_crystal() -> None:
    """A detector of pixels that lie on lattice points: sines there are rounding remnants."""
    cell = leaf((50.0, 50.0, 50.0, 90.0, 90.0, 90.0))
    e = experiment(cell=cell, wavelength_A=leaf(5.0), Na=48, Nb=48, Nc=48, phisteps=1, phi_start_deg=0.0)
    image = render(e)
    (gradient,) = torch.autograd.grad(image.sum(), cell)
    assert torch.isfinite(gradient).all()


def test_gradients_do_not_depend_on_blocks() -> None:
    """Small blocks are recomputed in the backward pass; the gradient is the same."""
    gradients = []
    for budget in (256.0, 0.05):
        cell = leaf(CELL)
        image = render(experiment(cell=cell, detpixels_f=31, detpixels_s=29), memory_budget_MB=budget)
        gradients.append(torch.autograd.grad((image * image).sum(), cell)[0])
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-10)


def test_the_graph_stays_small_whatever_the_detector() -> None:
    """What a render keeps for its backward pass: blocks keep their pixels' coordinates, not their steps."""

    def kept(budget: float) -> int:
        total = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal total
            total += tensor.numel() * tensor.element_size()
            return tensor

        e = experiment(cell=leaf(CELL), detpixels_f=81, detpixels_s=79, phisteps=4, osc_deg=1.0)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            render(e, memory_budget_MB=budget)
        return total

    pixels = 81 * 79
    assert kept(256.0) > 50 * 8 * pixels
    assert kept(0.5) < 10 * 8 * pixels


def test_an_orientation_is_found_by_descent() -> None:
    """What gradients are for: a misset of some hundredths of a degree is recovered from the image."""
    truth = torch.tensor([0.05, -0.04, 0.03], dtype=torch.float64)
    with torch.no_grad():
        target = render(experiment(misset_deg=truth))
    guess = leaf((0.0, 0.0, 0.0))
    optimizer = torch.optim.LBFGS([guess], lr=0.5, max_iter=60, line_search_fn="strong_wolfe")
    scale = float(target.max())

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = ((render(experiment(misset_deg=guess)) - target) / scale).pow(2).sum() * 1e3
        value.backward()
        return value

    optimizer.step(loss)
    assert (guess.detach() - truth).abs().max() < 1e-3
