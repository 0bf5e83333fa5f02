"""The contracts of the small stages: rotations, sampling, crystal, detector, sources."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from nanobragg_torch import rotations
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.settings import BeamSettings, CrystalSettings, DetectorSettings
from nanobragg_torch.stages import crystal, detector, sampling, sources
from torch import Tensor

from tests import tolerances as tol
from tests.simulator.small import CELL, experiment

X, Y, Z = torch.eye(3, dtype=torch.float64)
ZERO = torch.zeros((), dtype=torch.float64)
QUARTER = torch.tensor(math.pi / 2, dtype=torch.float64)
# The product of two unit vectors of rounded components.
ROUNDING = 1e-15


def close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= ROUNDING * 4)


class TestRotations:
    @pytest.mark.parametrize(("angles", "start", "end"), [((1, 0, 0), Y, Z), ((0, 1, 0), Z, X), ((0, 0, 1), X, Y)])
    def test_laboratory_axes_turn_right_handed(self, angles: tuple[int, ...], start: Tensor, end: Tensor) -> None:
        turned = rotations.rotate_xyz(start, *(QUARTER * on for on in angles))
        assert close(turned, end)

    def test_order_is_x_then_y_then_z(self) -> None:
        by_steps = rotations.rotate_xyz(X + 2 * Y, QUARTER, ZERO, ZERO)
        by_steps = rotations.rotate_xyz(by_steps, ZERO, QUARTER / 3, ZERO)
        by_steps = rotations.rotate_xyz(by_steps, ZERO, ZERO, QUARTER / 5)
        assert close(rotations.rotate_xyz(X + 2 * Y, QUARTER, QUARTER / 3, QUARTER / 5), by_steps)

    @pytest.mark.parametrize(("axis", "start", "end"), [(X, Y, Z), (Y, Z, X), (Z, X, Y)])
    def test_axis_turns_right_handed(self, axis: Tensor, start: Tensor, end: Tensor) -> None:
        assert close(rotations.rotate_axis(start, axis, QUARTER), end)
        assert close(rotations.rotate_umat(start, rotations.umat_from_axis(axis, QUARTER)), end)

    def test_umat_is_a_rotation_and_its_angles_give_it_back(self) -> None:
        axis = rotations.unit(torch.tensor([0.3, -0.5, 0.7], dtype=torch.float64))
        umat = rotations.umat_from_axis(axis, torch.tensor(1.1, dtype=torch.float64))
        assert close(umat @ umat.T, torch.eye(3, dtype=torch.float64))
        assert float(torch.linalg.det(umat)) == pytest.approx(1.0)
        v = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        again = rotations.rotate_xyz(v, *rotations.angles_from_umat(umat).unbind())
        assert torch.allclose(again, rotations.rotate_umat(v, umat), rtol=1e-13)

    def test_unit_of_zero_is_zero_with_a_finite_gradient(self) -> None:
        v = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        rotations.unit(v).sum().backward()
        assert v.grad is not None
        assert torch.isfinite(v.grad).all()

    def test_leading_dimensions_broadcast(self) -> None:
        v = torch.rand(4, 1, 3, dtype=torch.float64)
        angle = torch.rand(5, dtype=torch.float64)
        turned = rotations.rotate_axis(v, Z, angle)
        assert turned.shape == (4, 5, 3)
        assert close(turned[2, 3], rotations.rotate_axis(v[2, 0], Z, angle[3]))


class TestSampling:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ((None, None, None), (1, 0.0, 0.0)),
            ((None, None, 0.1), (2, 0.1, 0.1)),
            ((None, 1.0, None), (2, 1.0, 0.5)),
            ((None, 1.0, 0.3), (4, 1.0, 0.3)),
            ((3, None, None), (3, math.pi / 180, math.pi / 540)),
            ((3, None, 0.1), (2, 0.1, 0.1)),
            ((5, 1.0, None), (5, 1.0, 0.2)),
            ((5, 1.0, 0.3), (5, 1.0, 0.3)),
            ((0, 1.0, None), (1, 1.0, 1.0)),
            ((None, -1.0, None), (1, 0.0, 0.0)),
            ((-1, 1.0, None), (2, 1.0, 0.5)),
        ],
    )
    def test_phi(self, given: tuple[int | None, float | None, float | None], expected: tuple[float, ...]) -> None:
        assert sampling.sample_phi(*given) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ((None, None, None), (1, 0.0, 0.0)),
            ((None, None, 0.1), (2, 0.1, 0.1)),
            ((None, 1.0, None), (2, 1.0, 1.0)),
            ((None, 1.0, 0.3), (4, 1.0, 0.3)),
            ((4, None, None), (4, 1.0, 0.25)),
            ((4, None, 0.1), (2, 0.1, 0.1)),
            ((5, 1.0, None), (5, 1.0, 0.25)),
            ((1, 1.0, None), (2, 1.0, 1.0)),
            ((1, 1.0, 0.5), (1, 1.0, 0.5)),
            ((5, 0.0, None), (1, 0.0, 0.0)),
            ((0, 0.0, None), (1, 0.0, 0.0)),
        ],
    )
    def test_spread(self, given: tuple[int | None, float | None, float | None], expected: tuple[float, ...]) -> None:
        assert sampling.sample_spread(*given) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [((None, 0.0), (1, 0, 0)), ((None, 4.0), (2, 4, 2)), ((5, 4.0), (5, 4, 1)), ((1, 4.0), (2, 4, 4))],
    )
    def test_thickness(self, given: tuple[int | None, float], expected: tuple[float, ...]) -> None:
        assert sampling.sample_thickness(*given) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("count", "spread", "expected"), [(None, None, 1), (None, 0.0, 1), (None, 0.5, 10), (7, 0.5, 7), (7, 0.0, 1)]
    )
    def test_mosaic_domains(self, count: int | None, spread: float | None, expected: int) -> None:
        assert sampling.mosaic_domain_count(count, spread) == expected


class TestCrystal:
    @pytest.mark.parametrize("misset", [(0.0, 0.0, 0.0), (10.0, -20.0, 30.0)])
    def test_duality_holds_in_every_slice(self, misset: tuple[float, ...]) -> None:
        model = experiment(
            misset_deg=misset, phi_start_deg=-3.0, osc_deg=10.0, phisteps=7, mosaic_spread_deg=2.0, mosaic_domains=5
        ).build()
        products = model.slices.real_A @ model.slices.reciprocal_A.transpose(-1, -2)
        assert products.shape == (35, 3, 3)
        assert (products - torch.eye(3, dtype=torch.float64)).abs().max() <= tol.DUALITY
        lengths = model.slices.real_A.norm(dim=-1)
        assert torch.allclose(lengths, torch.tensor(CELL[:3], dtype=torch.float64).expand(35, 3), rtol=1e-13)

    def test_phi_comes_before_mosaic(self) -> None:
        model = experiment(phi_start_deg=20.0, mosaic_spread_deg=5.0, mosaic_domains=3).build()
        a = rotations.rotate_axis(model.cell.real_A[0], model.place.spindle, torch.tensor(20.0).double().deg2rad())
        for domain in range(3):
            expected = rotations.rotate_umat(a, model.umats[domain])
            assert torch.allclose(model.slices.real_A[domain, 0], expected, rtol=1e-12)

    def test_zero_phi_among_others_is_the_unrotated_crystal(self) -> None:
        """No rotated vector of an earlier step survives (quirk phi-carryover)."""
        model = experiment(phi_start_deg=-1.0, osc_deg=2.0, phistep_deg=0.5).build()
        assert model.phi_deg.tolist() == pytest.approx([-1.0, -0.5, 0.0, 0.5])
        assert torch.allclose(model.slices.real_A[2], model.cell.real_A, rtol=1e-13, atol=1e-13)

    def test_one_phi_step_takes_the_same_path(self) -> None:
        one = experiment(phi_start_deg=2.0, phisteps=1, osc_deg=0.5).build()
        many = experiment(phi_start_deg=1.0, phisteps=3, osc_deg=3.0).build()
        assert torch.equal(one.slices.real_A[0], many.slices.real_A[1])

    def test_triclinic_cell_quirk(self) -> None:
        """The angles that the original prints for 70 80 90 85 95 105."""
        a, b, c = experiment().build().cell.real_A
        angles = [math.degrees(math.acos(float(u @ v / u.norm() / v.norm()))) for u, v in ((b, c), (c, a), (a, b))]
        assert angles == pytest.approx([84.9923, 95.0077, 105.001], abs=6e-4)

    def test_a_flat_cell_is_refused(self) -> None:
        settings = CrystalSettings(matrix_per_A=(1.0, 0.0, 0.0) * 3)
        with pytest.raises(ExperimentError, match="volume"):
            experiment().replace(cell=None, matrix_per_A=settings.matrix_per_A).build()

    def test_volume_guard_keeps_the_sign(self) -> None:
        rows = torch.eye(3, dtype=torch.float64) * 1e-9
        _, volume = crystal.dual(rows)
        assert float(volume) == crystal.SMALLEST_VOLUME
        _, volume = crystal.dual(torch.flip(rows, (0,)) * torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64) * 1e5)
        assert float(volume) < 0

    def test_sizes_give_cell_counts_and_the_beam_clips(self) -> None:
        settings = CrystalSettings(cell=CELL, sample_x_mm=1e-3, sample_y_mm=1e-3, sample_z_mm=1e-9)
        real = experiment().build().cell.real_A
        assert crystal.cell_counts(settings, real, 5e-7) == (math.ceil(1e4 / 70), math.ceil(5e3 / 80), 1)


class TestDetector:
    def test_axes_stay_orthonormal_under_tilts(self) -> None:
        place = experiment(rotx_deg=5.0, roty_deg=-4.0, rotz_deg=7.0, twotheta_deg=11.0).build().place
        axes = torch.stack((place.fdet, place.sdet, place.odet))
        assert close(axes @ axes.T, torch.eye(3, dtype=torch.float64))

    def test_named_convention_ignores_pivot_and_vectors(self) -> None:
        """quirk convention-reset"""
        like = torch.zeros((), dtype=torch.float64)
        plain = detector.place(DetectorSettings(twotheta_deg=10.0), like)
        reset = detector.place(DetectorSettings(twotheta_deg=10.0, pivot="sample", beam_vector=(0.0, 0.0, 1.0)), like)
        assert torch.equal(plain.pix0, reset.pix0)
        assert torch.equal(plain.beam, reset.beam)

    def test_beam_along_the_detector_plane_does_not_divide_by_zero(self) -> None:
        like = torch.zeros((), dtype=torch.float64)
        place = detector.place(DetectorSettings(roty_deg=90.0, convention="CUSTOM", pivot="sample"), like)
        assert torch.isfinite(place.pix0).all()

    def test_solid_angle_of_a_sphere_of_pixels(self) -> None:
        """A detector that is wide and near sees half of the sphere."""
        model = experiment(detpixels_f=401, detpixels_s=401, pixel_mm=1.0, distance_mm=5.0).build()
        s, f = torch.meshgrid(torch.arange(401.0).double(), torch.arange(401.0).double(), indexing="ij")
        position = detector.pixel_position(
            model.place, s.reshape(-1), f.reshape(-1), (0, 0), 1, torch.zeros((), dtype=torch.float64), False
        )
        R, d = detector.airpath(position)
        assert torch.allclose(d.norm(dim=0), torch.ones(401 * 401, dtype=torch.float64))
        assert float(detector.solid_angle(model.place, R, False).sum()) == pytest.approx(2 * math.pi, rel=0.05)

    def test_solid_angle_is_that_of_the_nearest_distance(self) -> None:
        """ω R³ / pixel² is the distance along the normal, which is not that along the beam once the detector tilts."""
        place = experiment(roty_deg=20.0).build().place
        R = torch.tensor([0.1, 0.2], dtype=torch.float64)
        along_normal = detector.solid_angle(place, R, False) * R**3 / place.pixel**2
        assert along_normal.tolist() == pytest.approx([place.close_distance.item()] * 2)
        assert place.close_distance.item() == pytest.approx(0.1 * math.cos(math.radians(20)))
        assert place.distance.item() == pytest.approx(0.1)


class TestSources:
    def test_round_divergence_leaves_out_the_corners(self) -> None:
        place = experiment().build().place
        settings = BeamSettings(hdiv_range_rad=1e-3, vdiv_range_rad=1e-3, hdiv_steps=5, vdiv_steps=5)
        assert sources.build_sources(settings, place).wavelength_m.shape == (13,)
        even = BeamSettings(hdiv_range_rad=1e-3, vdiv_range_rad=1e-3, hdiv_steps=4, vdiv_steps=4)
        assert sources.build_sources(even, place).wavelength_m.shape == (12,)
        square = BeamSettings(
            hdiv_range_rad=1e-3, vdiv_range_rad=1e-3, hdiv_steps=5, vdiv_steps=5, round_divergence=False
        )
        built = sources.build_sources(square, place)
        assert built.wavelength_m.shape == (25,)
        assert torch.allclose(built.incident.norm(dim=1), torch.ones(25, dtype=torch.float64))

    def test_rows_fill_in_what_is_missing(self) -> None:
        place = experiment().build().place
        rows = ((), (-10.0,), (-10.0, 0.1, 0.0, 2.0, 2e-10))
        built = sources.build_sources(BeamSettings(source_rows=rows), place)
        assert built.incident[:2].tolist() == pytest.approx(np.array([[1.0, 0, 0]] * 2))
        assert built.wavelength_m.tolist() == pytest.approx([1e-10, 1e-10, 2e-10])
