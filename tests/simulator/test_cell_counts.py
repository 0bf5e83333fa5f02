"""Counts of unit cells as real numbers: the same image for whole ones, a smooth one between, gradients at both."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import torch
from nanobragg_torch import render, trace
from nanobragg_torch.config import resolved
from nanobragg_torch.settings import CrystalSettings
from nanobragg_torch.stages import lattice, scattering
from nanobragg_torch.units import ROUND_CORRECTION
from torch import Tensor

from tests.simulator.small import CELL, experiment

PIXELS = torch.tensor([[1, 2], [4, 8], [7, 3], [4, 5]])


def t(value: Any) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def counts(*numbers: float) -> dict[str, Tensor]:
    return {name: t(n) for name, n in zip(("Na", "Nb", "Nc"), numbers, strict=True)}


@pytest.mark.parametrize("shape", ["square", "round", "gauss", "tophat"])
def test_whole_counts_as_tensors_change_no_bit(shape: str) -> None:
    by_int = render(experiment(shape=shape, fudge=0.5, Na=5, Nb=1, Nc=7))
    assert by_int.max() > 0
    assert torch.equal(render(experiment(shape=shape, fudge=0.5, **counts(5, 1, 7))), by_int)
    assert torch.equal(render(experiment(shape=shape, fudge=0.5, Na=5.0, Nb=1.0, Nc=7.0)), by_int)


def test_numbers_below_one_are_one() -> None:
    ones = render(experiment(Na=1, Nb=1, Nc=1))
    assert torch.equal(render(experiment(Na=0, Nb=-3, Nc=0.5)), ones)
    assert torch.equal(render(experiment(**counts(0.3, 1.0, -2.0))), ones)


@pytest.mark.parametrize("N", [4.0, 5.3, 5.9])
def test_every_peak_is_n_high(N: float) -> None:
    index = torch.arange(-6.0, 7.0, dtype=torch.float64)
    # Next to the index itself, where a whole N leaves rounding remnants.
    value = lattice.sincg((index + 1e-7) * math.pi, t(N))
    assert value.abs().tolist() == pytest.approx([N] * 13, rel=1e-5)


def test_it_is_continuous_at_whole_numbers() -> None:
    x = torch.linspace(-9.0, 9.0, 181, dtype=torch.float64)
    whole, beside = lattice.sincg(x, t(6.0)) ** 2, lattice.sincg(x, t(6.0 + 1e-9)) ** 2
    assert (whole - beside).abs().max() < 1e-6
    assert whole.max() == 36


def test_a_crystal_of_n_and_a_bit_is_wider_than_the_next() -> None:
    """The half width of a peak of N cells is near 0.443/N: it goes down as N goes up, at index 3 as at 0."""
    for index in (0, 3):
        at = (index + 0.443 / 5.5) * math.pi
        heights = [float(lattice.sincg(t(at), t(N)) ** 2) / N**2 for N in (5.0, 5.25, 5.5, 5.75, 6.0)]
        assert heights == sorted(heights, reverse=True)
        assert heights[2] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("N", [1.0, 3.0, 7.0, 1.5, 5.37])
@pytest.mark.parametrize("offset", [0.0, 1e-3, 0.3])
def test_derivatives_by_x_and_n(N: float, offset: float) -> None:
    """Squared, as the intensity has it; at and near the indices, and between them; forward mode too."""
    x = (torch.arange(-4.0, 5.0, dtype=torch.float64) + offset) * math.pi
    if offset == 0.0 and round(N) == N:
        x = x[4:5]  # at other whole indices a whole N leaves rounding remnants, which no difference sees through
    assert torch.autograd.gradcheck(
        lambda x, N: lattice.sincg(x, N) ** 2, (x.requires_grad_(), t(N).requires_grad_()), check_forward_ad=True
    )


@pytest.mark.parametrize("N", [5, 5.0, 5.5])
def test_derivatives_are_finite_and_right_on_the_index(N: float) -> None:
    h = torch.arange(-20.0, 21.0, dtype=torch.float64)
    x, count = (h * math.pi).requires_grad_(), t(float(N)).requires_grad_()
    value = lattice.sincg(x, int(N) if isinstance(N, int) else count)
    assert torch.isfinite(torch.autograd.grad((value * value).sum(), x, retain_graph=True)[0]).all()
    if not isinstance(N, int):
        (by_N,) = torch.autograd.grad(value[20], count, retain_graph=True)
        assert float(by_N) == 1.0
        (by_N,) = torch.autograd.grad(value.sum(), count)
        assert float(by_N) == pytest.approx(41)


@pytest.mark.parametrize("N", [2, 3, 8, 48])
@pytest.mark.parametrize("phase", [1e-6, 1e-3, 0.049, 0.051, 0.3, 1.0])
def test_slopes_keep_their_digits_near_a_peak(N: int, phase: float) -> None:
    """Against the sum that the quotient replaces: Σ cos((N−1−2m)δ) at Nδ = phase, whose terms do not cancel."""
    away = phase / N
    for k in (0, 1, -6, 20):
        x = t(math.pi * k + away).requires_grad_()
        count = t(float(N)).requires_grad_()
        by_x, by_N = torch.autograd.grad(lattice.sincg(x, count), (x, count))
        exact = float(x.detach()) - k * math.pi - k * 1.2246467991473532e-16  # π is that much more than math.pi
        odd = [N - 1 - 2 * m for m in range(N)]
        sign = (-1) ** (k * (N - 1))
        assert float(by_x) == pytest.approx(
            -sign * sum(o * math.sin(o * exact) for o in odd), rel=1e-9 if k == 0 else 1e-6
        )
        assert float(by_N) == pytest.approx(sign * exact * math.cos(N * exact) / math.sin(exact), rel=1e-8)


@pytest.mark.parametrize("away", [0.0, 1e-9, 1e-6, 1e-4, 1e-2, 0.06, 0.1])
def test_the_sphere_has_a_derivative_however_near_the_index(away: float) -> None:
    """Against the series to high order: the plain derivative loses all digits there."""
    hkl = torch.tensor([[[2.0 + away]], [[3.0]], [[-1.0]]], dtype=torch.float64).requires_grad_()
    F = lattice.round_factor(hkl, scattering.nearest(hkl), (4, 5, 6), t(1.0))
    (slope,) = torch.autograd.grad(F.sum(), hkl)
    x2 = (math.pi * (float(hkl[0].detach()) - 2.0) * 4) ** 2
    by_x2 = sum((-1) ** k * 3 * (2 * k + 2) / math.factorial(2 * k + 3) * k * x2 ** (k - 1) for k in range(1, 12))
    expected = 120 * ROUND_CORRECTION * by_x2 * 2 * (float(hkl[0].detach()) - 2.0) * (math.pi * 4) ** 2
    assert slope.flatten().tolist() == pytest.approx([expected, 0.0, 0.0], rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("shape", ["square", "round", "gauss"])
@pytest.mark.parametrize("numbers", [(5.0, 6.0, 7.0), (5.3, 6.0, 7.8)])
def test_gradcheck_of_the_image(shape: str, numbers: tuple[float, ...]) -> None:
    def image(*N: Tensor) -> Tensor:
        return render(
            experiment(Na=N[0], Nb=N[1], Nc=N[2], shape=shape, fudge=0.1, phi_start_deg=3.0, fluence_per_m2=1e26),
            PIXELS,
        )

    leaves = tuple(t(n).requires_grad_() for n in numbers)
    assert image(*leaves).requires_grad
    assert torch.autograd.gradcheck(image, leaves, atol=1e-4, rtol=1e-4)


def test_gradients_reach_the_counts_through_blocks() -> None:
    gradients = []
    for budget in (256.0, 0.05):
        N = t(5.5).requires_grad_()
        image = render(experiment(Na=N, detpixels_f=31, detpixels_s=29), memory_budget_MB=budget)
        gradients.append(float(torch.autograd.grad(image.sum(), N)[0]))
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-10)
    assert gradients[0] != 0


def test_traces_and_settings_show_real_counts_and_whole_ones_as_before() -> None:
    for N, shown in ((5.5, "5.5"), (5, "5"), (t(5.0), "5")):
        e = experiment(Na=N)
        (line,) = re.findall("N_cells.*", "\n".join(trace(e, [(1, 2)]).lines()))
        assert line == f"N_cells {shown} 6 7"
        assert json.loads(json.dumps(resolved(e)))["Na"] == float(shown)


def test_sizes_win_over_counts() -> None:
    model = experiment(Na=5.5, Nb=2.5, sample_x_mm=1e-5).build()
    assert model.cells[0] == math.ceil(100 / CELL[0])
    assert float(model.cells[1]) == 2.5


def test_interpolation_is_decided_from_real_counts_too() -> None:
    assert experiment(interpolate=None, Na=1.9).build().interpolate
    assert not experiment(interpolate=None, Na=t(2.1)).build().interpolate


def test_no_code_of_python_s_is_needed_to_trace_the_factors() -> None:
    """A compiler that follows the tensors sees counts as inputs: no branch depends on their values."""

    class Factors(torch.nn.Module):
        def forward(self, hkl: Tensor, N: tuple[Tensor, Tensor, Tensor], fudge: Tensor, rows: Tensor) -> list[Tensor]:
            hkl0 = scattering.nearest(hkl)
            return [lattice.lattice_factor(shape, hkl, hkl0, N, fudge, rows)[0] for shape in ("square", "round")]

    hkl = torch.linspace(-3.0, 3.0, 36, dtype=torch.float64).reshape(3, 2, 6)
    rows = torch.eye(3, dtype=torch.float64) / 50
    with torch.no_grad():
        exported = torch.export.export(Factors(), (hkl, (t(2.0), t(3.0), t(4.0)), t(1.0), rows)).module()
        for N in ((5.0, 1.0, 7.0), (5.5, 6.0, 7.0)):
            arguments = (hkl, tuple(t(n) for n in N), t(0.7), rows)
            for got, want in zip(exported(*arguments), Factors()(*arguments), strict=True):
                assert torch.equal(got, want)


def test_settings_take_them() -> None:
    assert CrystalSettings(cell=CELL, Na=5.5).Na == 5.5
