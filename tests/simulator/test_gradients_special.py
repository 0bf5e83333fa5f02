"""Gradients where formulas are 0/0 or a branch ends: by every parameter they are finite there, and right."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nanobragg_torch import Experiment, render
from nanobragg_torch.gradcheck.cases import CASES
from nanobragg_torch.gradcheck.check import jacobian, pixels_by
from nanobragg_torch.parameters import BY_NAME, PARAMETERS
from nanobragg_torch.settings import DetectorSettings
from torch import Tensor

from tests.simulator.small import CELL, experiment

SHAPES = ("square", "round", "gauss", "tophat")


def leaf(value: Any) -> Tensor:
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def gradients(e: Experiment, pixels: list[list[int]]) -> dict[str, Tensor]:
    """By parameter, (pixels, numbers)."""
    at = torch.tensor(pixels)
    found = {}
    for parameter in PARAMETERS:
        start = parameter.tensor(e)
        if start is not None:
            found[parameter.name] = jacobian(pixels_by(e, parameter, at), start)
    return found


def in_the_beam(**changes: Any) -> Experiment:
    """The middle of pixel (2, 2) lies exactly in the direct beam: q, h, k and l are 0 there."""
    return experiment(convention="XDS", detpixels_f=5, detpixels_s=5, Xbeam_mm=5.0, Ybeam_mm=5.0, **changes)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("polar", [0.0, 0.5])
def test_in_the_direct_beam(shape: str, polar: float) -> None:
    e = in_the_beam(shape=shape, kahn_factor=polar, thickness_um=300.0, attenuation_um=400.0, thick_steps=2)
    model = e.build()
    assert model.place.pix0[:2].tolist() == [-0.005, -0.005]
    found = gradients(e, [[2, 2]])
    assert {"cell_lengths", "beam_centre", "wavelength", "misset", "cells", "distance"} <= set(found)
    for name, gradient in found.items():
        assert torch.isfinite(gradient).all(), name
    # (0, 0, 0) stays where it is, whatever the crystal does.
    for name in ("cell_lengths", "cell_angles", "misset", "wavelength"):
        assert (found[name] == 0).all(), name
    assert (found["fluence"] != 0).all()


def on_a_lattice_point(**changes: Any) -> Experiment:
    """A pixel whose h, k, l are 0, 6, −2 to the last bit or the one before: a cubic crystal, d = (0, 0.6, 0.8)."""
    detector = DetectorSettings(
        convention="CUSTOM", pivot="sample", pixel_mm=1.0, detpixels_f=3, detpixels_s=3, distance_mm=100.0,
        close_distance_mm=100.0, Xbeam_mm=1.5, Ybeam_mm=1.5, oversample=1, beam_vector=(0.0, 0.0, 1.0),
        fdet_vector=(1.0, 0.0, 0.0), sdet_vector=(0.0, 0.8, -0.6), odet_vector=(0.0, 0.6, 0.8),
        polar_vector=(1.0, 0.0, 0.0), spindle_axis=(1.0, 0.0, 0.0), twotheta_axis=(0.0, 1.0, 0.0),
    )  # fmt: skip
    base = experiment(cell=(10.0, 10.0, 10.0, 90.0, 90.0, 90.0), **changes)
    return Experiment(beam=base.beam, detector=detector, crystal=base.crystal, scan=base.scan, model=base.model)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("N", [5, 5.0, 5.5])
def test_at_exactly_whole_indices(shape: str, N: float) -> None:
    e = on_a_lattice_point(shape=shape, Na=N, Nb=N, Nc=N, phi_start_deg=0.0, osc_deg=0.0, phisteps=1)
    found = gradients(e, [[1, 1]])
    assert {"cell_lengths", "cell_angles", "phi_start", "phi_range", "cells", "misset"} <= set(found)
    for name, gradient in found.items():
        assert torch.isfinite(gradient).all(), name
    value = float(render(e, torch.tensor([[1, 1]])))
    # The original's 3(sin x/x − cos x)/x² comes out as 0 within 1e-8 of a sphere's top.
    assert value > 0 or shape == "round"
    # The top of a peak: flat, next to a slope of 1e6 by an Å at its flank.
    assert (found["cell_lengths"].abs() <= 1e-6 * value).all()


def test_phi_zero_is_no_special_angle() -> None:
    """Turning by φ and turning the crystal about the same axis are one: also their slopes, at φ=0 and misset 0."""
    cell = leaf(CELL)
    for start in (0.0, 1e-9):
        phi, misset = leaf(start), leaf((0.0, 0.0, 0.0))
        image = render(
            experiment(cell=cell, phi_start_deg=phi, misset_deg=misset, detpixels_f=21, detpixels_s=19, pixel_mm=1.0)
        )
        by_phi, by_misset = torch.autograd.grad((image * image).sum(), (phi, misset))
        assert torch.isfinite(by_phi)
        assert float(by_phi) != 0
        # The spindle of the default convention is z.
        assert float(by_phi) == pytest.approx(float(by_misset[2]), rel=1e-6)


class TestZeroMosaicSpread:
    PIXELS = torch.tensor([[1, 2], [4, 8], [7, 3], [5, 5]])

    def values(self, spread: Any) -> Tensor:
        return render(experiment(mosaic_spread_deg=spread, mosaic_domains=6, phi_start_deg=3.0), self.PIXELS)

    def test_the_image_is_that_without_mosaicity(self) -> None:
        assert torch.allclose(self.values(leaf(0.0)).detach(), self.values(None), rtol=1e-12)
        assert torch.equal(self.values(0.0), self.values(None))

    def test_the_slope_is_that_of_the_draws(self) -> None:
        spread = leaf(0.0)
        for row, value in enumerate(self.values(spread)):
            (slope,) = torch.autograd.grad(value, spread, retain_graph=True)
            h = 1e-4
            with torch.no_grad():
                one_sided = [float(self.values(torch.tensor(s, dtype=torch.float64))[row]) for s in (0.0, h, 2 * h)]
            difference = (4 * one_sided[1] - 3 * one_sided[0] - one_sided[2]) / (2 * h)
            assert float(slope) == pytest.approx(difference, rel=1e-4)
            assert float(slope) != 0

    def test_everything_else_is_finite(self) -> None:
        e = experiment(mosaic_spread_deg=leaf(0.0), mosaic_domains=6)
        for name, gradient in gradients(e, [[1, 2], [4, 5]]).items():
            assert torch.isfinite(gradient).all(), name


def test_a_spread_given_as_tensor_is_that_of_the_number_but_for_single_precision() -> None:
    """The original rounds the angles to single precision; a variable has no such steps."""
    numbers = render(experiment(mosaic_spread_deg=0.5, mosaic_domains=6))
    variable = render(experiment(mosaic_spread_deg=leaf(0.5), mosaic_domains=6)).detach()
    assert (numbers - variable).abs().max() < 1e-5 * numbers.max()
    assert not torch.equal(numbers, variable)


def test_source_columns_that_are_zero_carry_gradients() -> None:
    y = leaf(0.0)
    image = render(experiment(source_rows=((-10.0, y, 0.0, 1.0),)))
    (slope,) = torch.autograd.grad(image.sum(), y)
    h = 1e-5
    sums = [
        float(render(experiment(source_rows=((-10.0, torch.tensor(s, dtype=torch.float64), 0.0, 1.0),))).sum())
        for s in (h, -h)
    ]
    assert float(slope) == pytest.approx((sums[0] - sums[1]) / (2 * h), rel=1e-4)


def test_a_normal_made_of_tensors_is_taken_as_it_is() -> None:
    """Numbers keep the original's rule (fdet × sdet instead, unless of length 1), which would rule every step out."""
    tilted = (0.1, 0.0, 0.995)
    common: dict[str, Any] = {"convention": "CUSTOM", "fdet_vector": (1.0, 0.0, 0.0), "sdet_vector": (0.0, 1.0, 0.0)}
    common |= {"beam_vector": (0.0, 0.0, 1.0), "polar_vector": (1.0, 0.0, 0.0), "pivot": "sample"}
    by_number = experiment(**common, odet_vector=tilted).build().place
    assert by_number.odet.tolist() == [0.0, 0.0, 1.0]
    assert by_number.odet_was_replaced
    for variable in (torch.tensor(tilted, dtype=torch.float64), tuple(leaf(x) for x in tilted)):
        place = experiment(**common, odet_vector=variable).build().place
        assert place.odet.tolist() == pytest.approx(
            [0.1 / (0.01 + 0.995**2) ** 0.5, 0.0, 0.995 / (0.01 + 0.995**2) ** 0.5]
        )
        assert not place.odet_was_replaced


def test_chosen_pixels_have_the_gradient_of_the_image() -> None:
    """`pixels` picks values; their gradients are those of the same values in the whole image, blocks or not."""
    pixels = torch.tensor([[7, 3], [1, 2], [7, 3], [4, 8]])
    whole, chosen = leaf(CELL), leaf(CELL)
    image = render(experiment(cell=whole))
    values = render(experiment(cell=chosen), pixels)
    assert torch.equal(values, image[pixels[:, 0], pixels[:, 1]])
    weights = torch.tensor([1.0, -2.0, 3.0, 0.5], dtype=torch.float64)
    (by_image,) = torch.autograd.grad((image[pixels[:, 0], pixels[:, 1]] * weights).sum(), whole)
    (by_values,) = torch.autograd.grad((values * weights).sum(), chosen)
    assert torch.allclose(by_image, by_values, rtol=1e-12)


def test_every_parameter_reaches_a_scalar_of_a_whole_image() -> None:
    """One backward pass by all at once gives what each gives alone."""
    e = CASES["custom"]()
    # As a variable from the start: the numbers would mean fdet × sdet, and move with these.
    e = e.replace(odet_vector=leaf(e.detector.odet_vector).detach())
    chosen = [p for p in PARAMETERS if p.tensor(e) is not None and p.name != "structure_factors"]
    leaves = [leaf(p.read(e)) for p in chosen]
    together = e
    for parameter, value in zip(chosen, leaves, strict=True):
        together = parameter.put(together, value)
    image = render(together)
    found = torch.autograd.grad((image * image).sum(), leaves)
    for name in ("cell_lengths", "distance", "fdet_vector", "spindle_axis"):
        alone = leaf(BY_NAME[name].read(e))
        one = render(BY_NAME[name].put(e, alone))
        (expected,) = torch.autograd.grad((one * one).sum(), alone)
        index = [p.name for p in chosen].index(name)
        assert torch.allclose(found[index], expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max())), name
