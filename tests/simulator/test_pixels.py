"""The contracts of what happens in a pixel: lattice, structure factors, polarisation, absorption, accumulation."""

from __future__ import annotations

import math

import pytest
import torch
from nanobragg_torch.settings import Reflections
from nanobragg_torch.stages import absorption, accumulate, lattice, polarization, scattering, structure_factors
from torch import Tensor

from tests.simulator.small import reflections

LIKE = torch.zeros((), dtype=torch.float64)


def t(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


class TestLattice:
    def test_sincg_is_the_plain_quotient_and_n_at_zero(self) -> None:
        x = t(0.0, 1e-300, 0.3, 2.0, 40.0)
        expected = [7.0, 7.0, *(math.sin(7 * v) / math.sin(v) for v in (0.3, 2.0, 40.0))]
        assert lattice.sincg(x, 7).tolist() == pytest.approx(expected, rel=1e-12)
        assert lattice.sincg(x, 7)[0] == 7.0

    @pytest.mark.parametrize("N", [2, 5, 48])
    @pytest.mark.parametrize("k", [0, 1, 3, -2])
    def test_sincg_has_a_derivative_at_integers(self, N: int, k: int) -> None:
        away = torch.linspace(-0.4 / N, 0.4 / N, 41, dtype=torch.float64)
        x = (math.pi * k + away).requires_grad_()
        lattice.sincg(x, N).sum().backward()
        assert x.grad is not None
        # The analytic derivative in terms of the distance to the peak, where nothing cancels.
        wide = away.to(torch.float64)
        terms = sum(-2 * m * torch.sin(2 * m * wide) for m in _halves(N))
        expected = terms * (-1.0) ** ((N - 1) * k)
        assert (x.grad - expected).abs().max() <= 1e-6 * N**2

    def test_sincg_gradcheck(self) -> None:
        x = (torch.rand(20, dtype=torch.float64) * 6 - 3).requires_grad_()
        assert torch.autograd.gradcheck(lambda v: lattice.sincg(v, 5), x)

    def test_sinc3(self) -> None:
        assert lattice.sinc3(t(0.0)).item() == 1.0
        assert lattice.sinc3(t(0.01)).item() == pytest.approx(1 - 1e-5, rel=1e-9)
        zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        lattice.sinc3(zero).sum().backward()
        assert torch.isfinite(zero.grad).all() if zero.grad is not None else False

    @pytest.mark.parametrize("shape", ["square", "round", "gauss", "tophat"])
    def test_peak_height_at_a_lattice_point(self, shape: str) -> None:
        hkl = torch.tensor([2.0, -1.0, 0.0], dtype=torch.float64).reshape(3, 1, 1) + 1e-4
        reciprocal = torch.eye(3, dtype=torch.float64) * 0.01
        F, factors = lattice.lattice_factor(shape, hkl, scattering.nearest(hkl), (4, 5, 6), t(1.0)[0], reciprocal)
        height = 120 * (0.723601254558268 if shape == "round" else 1.0)
        assert abs(F.item()) == pytest.approx(height, rel=1e-3)
        assert len(factors) == (3 if shape == "square" else 0)

    def test_single_cell_axis_has_no_factor(self) -> None:
        hkl = torch.rand(3, 2, 4, dtype=torch.float64)
        factors = lattice.square_factors(hkl, (1, 3, 1))
        assert (factors[0] == 1).all()
        assert factors[1].shape == (2, 4)


def _halves(N: int) -> list[float]:
    """sin(Nx)/sin(x) = Σ cos(2 m x) over these m, an exact finite sum."""
    return [(N - 1) / 2 - j for j in range(N)]


def test_nearest_takes_halves_down() -> None:
    assert scattering.nearest(t(0.5, 1.5, -0.5, -1.5, 0.49, -0.51)).tolist() == [0, 1, -1, -2, 0, -1]


class TestStructureFactors:
    def test_outside_and_unlisted_are_default(self) -> None:
        listed = reflections(2)
        table = structure_factors.build_table(listed, 9.0, LIKE)
        assert table is not None
        h = t(0, 1, 3, -3, 0, 1e6)
        k = t(0, 1, 0, 0, 0, 0)
        l = t(0, 0, 0, 0, -99, 0)
        assert math.isnan(listed.F[2, 2, 2])
        F = structure_factors.look_up(table, h, k, l)
        assert F[0] == 9.0
        assert F[1] == listed.F[3, 3, 2]
        assert (F[2:] == 9.0).all()

    def test_interpolation_is_exact_on_a_cubic_and_falls_back_alone(self) -> None:
        n = torch.arange(-4.0, 5.0, dtype=torch.float64)
        grid = (n[:, None, None] ** 3 - 2 * n[None, :, None] ** 2 + n[None, None, :] + 100).numpy()
        table = structure_factors.build_table(Reflections(lowest=(-4, -4, -4), F=grid), 0.0, LIKE)
        hkl = torch.tensor([[0.3, 1.2, 3.6, -2.4], [0.7, -1.9, 0.1, 0.0], [-0.4, 1.0, 0.2, 0.0]]).double()[:, None]
        F = structure_factors.structure_factor(table, LIKE, hkl, scattering.nearest(hkl), True)[0]
        exact = hkl[0] ** 3 - 2 * hkl[1] ** 2 + hkl[2] + 100
        assert torch.allclose(F[:2], exact[0, :2], rtol=1e-12)
        assert F[3] == (-2.0) ** 3 + 100  # its block would just fit, but the test is on the index, not on its floor
        assert F[2] == 4.0**3 + 100  # its block leaves the grid: the nearest value, and the others stay interpolated

    def test_single_precision_indices_stay_exact_on_a_large_grid(self) -> None:
        F = torch.zeros(300, 300, 300, dtype=torch.float32)
        F[299, 299, 298] = 7.0
        table = structure_factors.build_table(
            Reflections(lowest=(0, 0, 0), F=F), 0.0, torch.zeros((), dtype=torch.float32)
        )
        assert table is not None
        h, l = torch.tensor([299.0]), torch.tensor([298.0])
        assert structure_factors.look_up(table, h, h, l).tolist() == [7.0]


class TestPolarization:
    def test_limits(self) -> None:
        forward = t(1, 0, 0)[:, None]
        assert polarization.polarization_factor(None, t(1, 0, 0), forward, t(0, 0, 1)).item() == 1.0
        side = t(0, 1, 0)[:, None]
        assert polarization.polarization_factor(None, t(1, 0, 0), side, t(0, 0, 1)).item() == 0.5

    def test_a_polarised_beam_scatters_across_and_not_along_its_field(self) -> None:
        one, field = t(1.0)[0], t(0, 0, 1)
        along = polarization.polarization_factor(one, t(1, 0, 0), t(0, 0, 1)[:, None], field)
        across = polarization.polarization_factor(one, t(1, 0, 0), t(0, 1, 0)[:, None], field)
        assert (along.item(), across.item()) == (0.0, 1.0)

    def test_azimuth_is_that_of_the_angle(self) -> None:
        """The components that give cos 2ψ, against ψ itself."""
        d = torch.nn.functional.normalize(t(0.8, 0.3, -0.5), dim=0)
        psi = -math.atan2(d[1].item(), d[2].item())
        c2 = d[0].item() ** 2
        factor = polarization.polarization_factor(t(0.7)[0], t(1, 0, 0), d[:, None], t(0, 0, 1)).item()
        assert factor == pytest.approx((1 + c2 - 0.7 * math.cos(2 * psi) * (1 - c2)) / 2, rel=1e-14)

    def test_direct_beam_has_a_finite_gradient(self) -> None:
        d = t(1, 0, 0)[:, None].requires_grad_()
        polarization.polarization_factor(t(0.9)[0], t(1, 0, 0), d, t(0, 0, 1)).sum().backward()
        assert d.grad is not None
        assert torch.isfinite(d.grad).all()


def test_layers_absorb_what_the_whole_sensor_does() -> None:
    d, o = t(0.9, 0.1, 0.3)[:, None], t(1, 0, 0)
    layers = [absorption.capture_fraction(i, t(1e-4)[0], t(3e3)[0], o, d).item() for i in range(5)]
    assert sum(layers) == pytest.approx(1 - math.exp(-5e-4 * 3e3 / 0.9))


class TestAccumulate:
    @pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 256])
    def test_add_up_does_not_depend_on_the_number_of_columns(self, count: int) -> None:
        terms = torch.rand(count, 37, dtype=torch.float64)
        whole = accumulate.add_up(terms)
        assert torch.allclose(whole, terms.sum(0), rtol=1e-14)
        assert torch.equal(accumulate.add_up(terms[:, 5:6].contiguous()), whole[5:6])

    @pytest.mark.parametrize("steps", [1, 2, 5, 8, 13])
    def test_running_product_is_the_loop(self, steps: int) -> None:
        """quirk running-product, against the loop that the original runs."""
        terms = torch.rand(steps, 4, dtype=torch.float64)
        factor = t(0.5, 0.9, 1.1, 2.0)
        counted = torch.rand(steps, 4) > 0.3
        terms = torch.where(counted, terms, torch.zeros_like(terms))
        start = t(1.0, 0.0, 2.0, 3.0)
        I, seen = start.clone(), []
        for term, is_counted in zip(terms, counted, strict=True):
            I = I + term
            seen.append(I.clone())
            I = torch.where(is_counted, I * factor, I)
        assert torch.allclose(accumulate.multiplied_total(start, terms, factor, counted), I, rtol=1e-13)
        running = accumulate.multiplied_running(start, terms, factor, counted)
        assert torch.allclose(running, torch.stack(seen), rtol=1e-13)

    def test_factors_that_were_multiplied_in_are_left_out(self) -> None:
        I = t(2.0)
        bare = accumulate.pixel_value(I, 4, t(1e29)[0], None, None, None)
        full = accumulate.pixel_value(I, 4, t(1e29)[0], t(0.5), t(0.25), t(3.0))
        assert full.item() == pytest.approx(bare.item() * 0.375)
