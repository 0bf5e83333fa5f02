"""The loops: layers, sub-samples and sources in turn, all pixels and all slices of a block at once.

The one evaluation behind both `render` and `trace`: render takes the pixel values, trace passes a probe (probe.py) that
keeps every quantity on the way and, in a counterfactual trace, puts an injected value in its place. Its structure is
that of reference_c/src/pixel.c. Order of loops and of evaluation: model section 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.experiment import Model
from nanobragg_torch.rendering.probe import OFF, Loop, Probe
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


def evaluate(
    model: Model,
    slow: Tensor,
    fast: Tensor,
    probe: Probe = OFF,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Values (P,) of the pixels at (slow, fast), each (P,) in the model's dtype, before float32 storage.

    `progress` is called after each sub-sample with the fraction of them that is done. Values that a probe replaces are
    of one pixel: then P is 1, and the model was built with the same values.
    """
    n = model.oversample
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
                place = _placement(probe, model.place, loop)
                position = detector.pixel_position(place, slow, fast, (subS, subF), n, depth, model.curved)
                position = probe("subsample", "pixel_pos_meters", loop, position)
                length, diffracted = detector.airpath(position)
                R = probe("subsample", "R_distance_meters", loop, length)
                if R is not length:
                    diffracted = detector.direction(position, R)
                diffracted = probe("subsample", "diffracted_vec", loop, diffracted)
                omega = detector.solid_angle(place, R, model.point_pixel)
                capture = _capture(model, place, layer, diffracted)
                # quirk first-value: unless oversampled, the first ω is used for the pixel, and of the capture
                # fractions that of the last layer's first sub-sample.
                if omega_final is None or model.oversample_omega:
                    omega_final = omega
                if capture_final is None or (subS == 0 and subF == 0) or model.oversample_thick:
                    capture_final = capture
                omega_final = probe("subsample", "omega_pixel_sr", loop, omega_final)
                capture_final = probe("subsample", "capture_fraction", loop, capture_final)
                for source in range(model.sources.wavelength_m.shape[0]):
                    at = (*loop, source)
                    incident = probe("source", "incident_vec", at, model.sources.incident[source])
                    wavelength = probe("source", "lambda_meters", at, model.sources.wavelength_m[source])
                    q = scattering.scattering_vector(diffracted, incident[:, None], wavelength)
                    q = probe("source", "scattering_vec_m_inv", at, q)
                    resolved = scattering.is_resolved(q, model.dmin_m) if model.dmin_m > 0 else None
                    probe.say("source", "resolved", at, resolved)  # no line: where polar and steps are left out
                    polar = _polar(model, incident, diffracted)
                    # quirk first-value: the first source that is not skipped; 0 if all are.
                    takes = torch.ones_like(seen) if model.oversample_polar else ~seen
                    takes = takes if resolved is None else takes & resolved
                    polar_final = torch.where(takes, polar, polar_final)
                    seen = seen | takes
                    # A source beyond dmin ends before it is polarised: nothing is given for what comes after.
                    within = probe.keeping() if probe.replaces and resolved is not None and not resolved else probe
                    polar_final = within("source", "polar", at, polar_final)
                    # Where a factor is multiplied in, the value in force is that of this very ray.
                    factor = _factor(model, omega_final, polar_final, capture_final)
                    I = _sweep(_slices(within, model, at), q, resolved, I, factor, within, at)
                if progress:
                    progress(((layer * n + subS) * n + subF + 1) / (model.layers * n * n))
    assert omega_final is not None
    assert capture_final is not None
    I = probe("pixel", "I_before_scaling", (), I)
    r_e_sqr = probe("pixel", "r_e_sqr", (), torch.full_like(model.fluence, units.R_E_SQR_M2))
    fluence = probe("pixel", "fluence_photons_per_m2", (), model.fluence)
    steps = probe("pixel", "steps", (), torch.full_like(model.fluence, model.steps))
    capture_final = probe("pixel", "capture_fraction_final", (), capture_final)
    polar_final = probe("pixel", "polar_final", (), polar_final)
    omega_final = probe("pixel", "omega_pixel_final", (), omega_final)
    value = accumulate.pixel_value(
        I,
        steps,
        fluence,
        None if model.oversample_thick else capture_final,
        None if model.oversample_polar else polar_final,
        None if model.oversample_omega else omega_final,
        r_e_sqr,
    )
    value = probe("pixel", "I_pixel_final", (), value)
    if probe.is_on:
        probe("pixel", "floatimage_accumulated", (), value.to(torch.float32))
    return value


def _placement(probe: Probe, place: Placement, loop: Loop) -> Placement:
    """The detector of a sub-sample."""
    if not probe.is_on:
        return place
    return replace(
        place,
        pix0=probe("subsample", "pix0_vector_meters", loop, place.pix0),
        fdet=probe("subsample", "fdet_vec", loop, place.fdet),
        sdet=probe("subsample", "sdet_vec", loop, place.sdet),
        odet=probe("subsample", "odet_vec", loop, place.odet),
        close_distance=probe("subsample", "close_distance_meters", loop, place.close_distance),
    )


def _slices(probe: Probe, model: Model, loop: Loop) -> Model:
    """The model with the slices of a source."""
    if not probe.is_on:
        return model

    def use(name: str, value: Tensor) -> Tensor:
        return probe("step", name, (*loop, 0), value)

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
    probe: Probe,
    loop: Loop,
) -> Tensor:
    """Add all slices' steps of one sub-sample and source to the sums I (P,)."""
    slices = model.real_m.shape[2]
    for first in range(0, slices, SLICES_AT_ONCE):
        chunk, at = slice(first, first + SLICES_AT_ONCE), (*loop, first)
        hkl = probe("step", "hkl_frac", at, scattering.miller_indices(model.real_m[:, :, chunk], q))
        hkl0 = probe("step", "hkl_rounded", at, scattering.nearest(hkl))
        F_latt, F_axes = lattice.lattice_factor(
            model.shape, hkl, hkl0, model.cells, model.fudge, model.cell.reciprocal_A
        )
        if probe.is_on and F_axes:  # none but for the square shape
            own = [F.expand(hkl.shape[1:]) for F in F_axes]
            F_axes = [probe("step", f"F_latt_{axis}", at, F) for axis, F in zip("abc", own, strict=True)]
            if not all(F is o for F, o in zip(F_axes, own, strict=True)):
                F_latt = lattice.product(F_axes)
        F_latt = probe("step", "F_latt", at, F_latt.expand(hkl.shape[1:]))
        F_cell = structure_factors.structure_factor(model.table, model.default_F, hkl, hkl0, model.interpolate)
        F_cell = probe("step", "F_cell", at, F_cell)
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
        if probe.is_on:
            if factor is None or counted is None:
                running = accumulate.running(start, terms)
            else:
                running = accumulate.multiplied_running(start, terms, factor, counted)
            sums = probe.replaced("step", "I_running", at, running)
            if sums is not running:  # those of steps that are passed over carry on
                is_injected = [probe.gives_step("I_running", loop, first + k) for k in range(len(sums))]
                sums, I = accumulate.carried(sums, is_injected, start, factor)
            probe.say("step", "I_running", at, sums)
    return I
