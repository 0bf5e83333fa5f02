"""The loops: layers, sub-samples and sources in turn, all pixels and all slices of a block at once.

The one evaluation behind both `render` and `trace`: render takes the pixel values, trace passes `keep` and gets every
quantity on the way. A counterfactual trace passes `given` values too, to go on with in place of the computed ones.
Order of loops and of evaluation: model section 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.experiment import Model
from nanobragg_torch.given import Given
from nanobragg_torch.stages import (
    absorption,
    accumulate,
    crystal,
    detector,
    lattice,
    polarization,
    scattering,
    structure_factors,
)
from nanobragg_torch.stages.detector import Placement

# Slices are worked through in chunks of this many, so that a long scan does not shrink the blocks of pixels below
# what a vector unit wants. Fixed, and not taken from the memory budget: the order of a sum must not depend on it.
SLICES_AT_ONCE = 256

Loop = tuple[int, ...]  # (layer, subS, subF), and the source


class Keep(Protocol):
    """Takes a named value: `scope` as in trace_lines, `loop` the counters of the loops around it.

    Values: subsample, source and pixel (P,) or (3, P) or (3,); step (K, P) or (3, K, P) or (K,) or (K, 3).
    """

    def __call__(self, scope: str, name: str, loop: Loop, value: Tensor | None) -> None:
        """Take one value."""


def evaluate(
    model: Model,
    slow: Tensor,
    fast: Tensor,
    keep: Keep | None = None,
    progress: Callable[[float], None] | None = None,
    given: Given | None = None,
) -> Tensor:
    """Values (P,) of the pixels at (slow, fast), each (P,) in the model's dtype, before float32 storage.

    `progress` is called after each sub-sample with the fraction of them that is done. `given` is of one pixel: then P
    is 1, and the model was built with the same values.
    """
    n = model.oversample

    def use(scope: str, name: str, loop: Loop, value: Tensor) -> Tensor:
        return value if given is None else given.one(scope, name, loop, value)

    I = model.background.expand(slow.shape)
    omega_final = capture_final = None
    # -nopolar sets the factor that the first source would, no more: quirk nopolar-oversample-polar.
    polar_final = torch.zeros_like(slow) if model.polarized else torch.ones_like(slow)
    seen = torch.full(slow.shape, not model.polarized, dtype=torch.bool, device=slow.device)
    for layer in range(model.layers):
        for subS in range(n):
            for subF in range(n):
                loop = (layer, subS, subF)
                depth = model.layer_depth * layer
                place = model.place if given is None else _given_place(model.place, given, loop)
                position = detector.pixel_position(place, slow, fast, (subS, subF), n, depth, model.curved)
                position = use("subsample", "pixel_pos_meters", loop, position)
                length, diffracted = detector.airpath(position)
                R = use("subsample", "R_distance_meters", loop, length)
                if R is not length:
                    diffracted = detector.direction(position, R)
                diffracted = use("subsample", "diffracted_vec", loop, diffracted)
                omega = detector.solid_angle(place, R, model.point_pixel)
                capture = _capture(model, place, layer, diffracted)
                # quirk first-value: unless oversampled, the first ω stands for the pixel, and of the capture
                # fractions that of the last layer's first sub-sample.
                if omega_final is None or model.oversample_omega:
                    omega_final = omega
                if capture_final is None or (subS == 0 and subF == 0) or model.oversample_thick:
                    capture_final = capture
                omega_final = use("subsample", "omega_pixel_sr", loop, omega_final)
                capture_final = use("subsample", "capture_fraction", loop, capture_final)
                if keep:
                    _keep_subsample(keep, place, loop, position, R, diffracted, omega_final, capture_final)
                for source in range(model.sources.wavelength_m.shape[0]):
                    at = (*loop, source)
                    incident = use("source", "incident_vec", at, model.sources.incident[source])
                    wavelength = use("source", "lambda_meters", at, model.sources.wavelength_m[source])
                    q = scattering.scattering_vector(diffracted, incident[:, None], wavelength)
                    q = use("source", "scattering_vec_m_inv", at, q)
                    resolved = scattering.is_resolved(q, model.dmin_m) if model.dmin_m > 0 else None
                    polar = _polar(model, incident, diffracted)
                    # quirk first-value: the first source that is not skipped; 0 if all are.
                    takes = torch.ones_like(seen) if model.oversample_polar else ~seen
                    takes = takes if resolved is None else takes & resolved
                    polar_final = torch.where(takes, polar, polar_final)
                    seen = seen | takes
                    # A source beyond dmin ends before it is polarised: nothing is given for what comes after.
                    given_here = given if given is not None and (resolved is None or bool(resolved)) else None
                    if given_here is not None:
                        polar_final = use("source", "polar", at, polar_final)
                    if keep:
                        _keep_source(keep, at, incident, wavelength, q, polar_final, resolved)
                    # Where a factor is multiplied in, the value in force is that of this very ray.
                    factor = _factor(model, omega_final, polar_final, capture_final)
                    swept = model if given_here is None else _given_slices(model, given_here, at)
                    I = _sweep(swept, q, resolved, I, factor, keep, at, given_here)
                if progress:
                    progress(((layer * n + subS) * n + subF + 1) / (model.layers * n * n))
    assert omega_final is not None
    assert capture_final is not None
    I = use("pixel", "I_before_scaling", (), I)
    r_e_sqr = use("pixel", "r_e_sqr", (), torch.full_like(model.fluence, units.R_E_SQR_M2))
    fluence = use("pixel", "fluence_photons_per_m2", (), model.fluence)
    steps = use("pixel", "steps", (), torch.full_like(model.fluence, model.steps))
    capture_final = use("pixel", "capture_fraction_final", (), capture_final)
    polar_final = use("pixel", "polar_final", (), polar_final)
    omega_final = use("pixel", "omega_pixel_final", (), omega_final)
    value = accumulate.pixel_value(
        I,
        steps,
        fluence,
        None if model.oversample_thick else capture_final,
        None if model.oversample_polar else polar_final,
        None if model.oversample_omega else omega_final,
        r_e_sqr,
    )
    value = use("pixel", "I_pixel_final", (), value)
    if keep:
        for name, kept in (
            ("I_before_scaling", I),
            ("r_e_sqr", r_e_sqr),
            ("fluence_photons_per_m2", fluence),
            ("steps", steps),
            ("capture_fraction_final", capture_final),
            ("polar_final", polar_final),
            ("omega_pixel_final", omega_final),
            ("I_pixel_final", value),
            ("floatimage_accumulated", use("pixel", "floatimage_accumulated", (), value.to(torch.float32))),
        ):
            keep("pixel", name, (), kept)
    return value


def _given_place(place: Placement, given: Given, loop: Loop) -> Placement:
    """The detector as a sub-sample is given it."""

    def use(name: str, value: Tensor) -> Tensor:
        return given.one("subsample", name, loop, value)

    return replace(
        place,
        pix0=use("pix0_vector_meters", place.pix0),
        fdet=use("fdet_vec", place.fdet),
        sdet=use("sdet_vec", place.sdet),
        odet=use("odet_vec", place.odet),
        close_distance=use("close_distance_meters", place.close_distance),
    )


def _given_slices(model: Model, given: Given, loop: Loop) -> Model:
    """The model with the slices that a source is given."""

    def use(name: str, value: Tensor) -> Tensor:
        return given.step(name, loop, 0, model.domains, value)

    cell, phi_deg = model.slices, use("phi_deg", model.phi_deg)
    if phi_deg is not model.phi_deg:
        phi_rad = phi_deg[:: model.domains] / units.DEG_PER_RAD
        umats = model.umats if model.domains > 1 else None
        cell = crystal.slices(model.cell, model.place.spindle, phi_rad, umats)
    real = crystal.use_rows(cell.real_A, "rot_{}_angstroms", use)
    if real is not cell.real_A:
        cell = crystal.Cell(real, *crystal.dual(real, smallest=0.0))
    reciprocal = crystal.use_rows(cell.reciprocal_A, "rot_{}_star_A_inv", use)
    cell = crystal.Cell(real, reciprocal, use("V_actual_A3", cell.volume_A3))
    return replace(model, slices=cell, real_m=crystal.in_metres(real), phi_deg=phi_deg)


def _capture(model: Model, place: Placement, layer: int, diffracted: Tensor) -> Tensor:
    if model.layers == 1 and not model.oversample_thick:  # no thickness; quirk thick-without-thickness
        return torch.ones_like(diffracted[0])
    return absorption.capture_fraction(layer, model.layer_depth, model.mu, place.odet, diffracted)


def _polar(model: Model, incident: Tensor, diffracted: Tensor) -> Tensor:
    if not (model.polarized or model.oversample_polar):
        return torch.ones_like(diffracted[0])
    return polarization.polarization_factor(model.kahn, incident, diffracted, model.place.polar)


def _factor(model: Model, omega: Tensor, polar: Tensor, capture: Tensor) -> Tensor | None:
    """What multiplies the running sum after every step, None for nothing (quirk running-product)."""
    factor = None
    chosen = (model.oversample_thick, capture), (model.oversample_polar, polar), (model.oversample_omega, omega)
    for is_on, value in chosen:
        if is_on:
            factor = value if factor is None else factor * value
    return factor


def _sweep(
    model: Model,
    q: Tensor,
    resolved: Tensor | None,
    I: Tensor,
    factor: Tensor | None,
    keep: Keep | None,
    loop: Loop,
    given: Given | None,
) -> Tensor:
    """Add all slices' steps of one sub-sample and source to the sums I (P,)."""
    slices = model.real_m.shape[2]

    def use(name: str, first: int, value: Tensor) -> Tensor:
        return value if given is None else given.step(name, loop, first, model.domains, value)

    for first in range(0, slices, SLICES_AT_ONCE):
        chunk = slice(first, first + SLICES_AT_ONCE)
        hkl = use("hkl_frac", first, scattering.miller_indices(model.real_m[:, :, chunk], q))
        hkl0 = use("hkl_rounded", first, scattering.nearest(hkl))
        F_latt, F_axes = lattice.lattice_factor(
            model.shape, hkl, hkl0, model.cells, model.fudge, model.cell.reciprocal_A
        )
        if given is not None and F_axes:
            own = [F.expand(hkl.shape[1:]) for F in F_axes]
            F_axes = [use(f"F_latt_{axis}", first, F) for axis, F in zip("abc", own, strict=True)]
            if not all(F is o for F, o in zip(F_axes, own, strict=True)):
                F_latt = lattice.product(F_axes)
        F_latt = use("F_latt", first, F_latt.expand(hkl.shape[1:]))
        F_cell = structure_factors.structure_factor(model.table, model.default_F, hkl, hkl0, model.interpolate)
        F_cell = use("F_cell", first, F_cell)
        terms = accumulate.step_intensity(F_cell, F_latt)
        if resolved is not None:
            terms = torch.where(resolved, terms, torch.zeros_like(terms))
        start = I
        counted = None
        if factor is None:
            I = I + accumulate.add_up(terms)
        else:
            # A step without lattice factor is passed over, its multiplication too, unless there is water.
            counted = torch.ones_like(terms, dtype=torch.bool) if model.has_water else F_latt != 0
            counted = counted if resolved is None else counted & resolved
            I = accumulate.multiplied_total(I, terms, factor, counted)
        if keep:
            if factor is None or counted is None:
                running = accumulate.running(start, terms)
            else:
                running = accumulate.multiplied_running(start, terms, factor, counted)
            sums = use("I_running", first, running)
            if given is not None and sums is not running:
                is_given = [given.gives_step("I_running", loop, first + k, model.domains) for k in range(len(sums))]
                running, I = accumulate.carried(sums, is_given, start, factor)
            _keep_steps(keep, model, loop, chunk, hkl, hkl0, F_axes, F_latt, F_cell, running)
    return I


def _keep_subsample(
    keep: Keep,
    place: Placement,
    loop: Loop,
    position: Tensor,
    R: Tensor,
    diffracted: Tensor,
    omega: Tensor,
    capture: Tensor,
) -> None:
    for name, value in (
        ("pix0_vector_meters", place.pix0),
        ("fdet_vec", place.fdet),
        ("sdet_vec", place.sdet),
        ("odet_vec", place.odet),
        ("pixel_pos_meters", position),
        ("R_distance_meters", R),
        ("close_distance_meters", place.close_distance),
        ("diffracted_vec", diffracted),
        ("omega_pixel_sr", omega),
        ("capture_fraction", capture),
    ):
        keep("subsample", name, loop, value)


def _keep_source(
    keep: Keep, loop: Loop, incident: Tensor, wavelength: Tensor, q: Tensor, polar: Tensor, resolved: Tensor | None
) -> None:
    keep("source", "resolved", loop, resolved)  # not a line: it says where polar and the steps are left out
    for name, value in (
        ("incident_vec", incident),
        ("lambda_meters", wavelength),
        ("scattering_vec_m_inv", q),
        ("polar", polar),
    ):
        keep("source", name, loop, value)


def _keep_steps(
    keep: Keep,
    model: Model,
    loop: Loop,
    chunk: slice,
    hkl: Tensor,
    hkl0: Tensor,
    F_axes: list[Tensor],
    F_latt: Tensor,
    F_cell: Tensor,
    running: Tensor,
) -> None:
    s = model.slices
    keep("step", "phi_deg", loop, model.phi_deg[chunk])
    for row, axis in enumerate("abc"):
        keep("step", f"rot_{axis}_angstroms", loop, s.real_A[chunk, row])
    for row, axis in enumerate("abc"):
        keep("step", f"rot_{axis}_star_A_inv", loop, s.reciprocal_A[chunk, row])
    keep("step", "V_actual_A3", loop, s.volume_A3[chunk])
    keep("step", "hkl_frac", loop, hkl)
    keep("step", "hkl_rounded", loop, hkl0)
    for axis, factor in zip("abc", F_axes, strict=False):  # none but for the square shape
        keep("step", f"F_latt_{axis}", loop, factor.expand(F_latt.shape))
    for name, value in (("F_latt", F_latt), ("F_cell", F_cell), ("I_running", running)):
        keep("step", name, loop, value)
