"""The loops: layers, sub-samples and sources in turn, all pixels and all slices of a block at once.

The one evaluation behind both `render` and `trace`: render takes the pixel values, trace passes `keep` and gets every
quantity on the way. Order of loops and of evaluation: model section 8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from simulator import absorption, accumulate, detector, lattice, polarization, scattering, structure_factors
from simulator.experiment import Model

# Slices are worked through in chunks of this many, so that a long scan does not shrink the blocks of pixels below
# what a vector unit wants. Fixed, and not taken from the memory budget: the order of a sum must not depend on it.
SLICES_AT_ONCE = 256

Loop = tuple[int, ...]  # (layer, subS, subF), and the source


class Keep(Protocol):
    """Takes a named value: `scope` as in trace_lines, `loop` the counters of the loops around it.

    Values: subsample, source and pixel (P,) or (3, P) or (3,); step (K, P) or (3, K, P) or (K,) or (K, 3).
    """

    def __call__(self, scope: str, name: str, loop: Loop, value: Tensor | int | None) -> None:
        """Take one value."""


def evaluate(
    model: Model,
    slow: Tensor,
    fast: Tensor,
    keep: Keep | None = None,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Values (P,) of the pixels at (slow, fast), each (P,) in the model's dtype, before float32 storage.

    `progress` is called after each sub-sample with the fraction of them that is done.
    """
    place, n = model.place, model.oversample
    I = model.background.expand(slow.shape)
    omega_final = capture_final = None
    polar_final = torch.zeros_like(slow)
    seen = torch.zeros(slow.shape, dtype=torch.bool, device=slow.device)
    for layer in range(model.layers):
        for subS in range(n):
            for subF in range(n):
                loop = (layer, subS, subF)
                depth = model.layer_depth * layer
                position = detector.pixel_position(place, slow, fast, (subS, subF), n, depth, model.curved)
                R, diffracted = detector.airpath(position)
                omega = detector.solid_angle(place, R, model.point_pixel)
                capture = _capture(model, layer, diffracted)
                # quirk first-value: unless oversampled, the first ω stands for the pixel, and of the capture
                # fractions that of the last layer's first sub-sample.
                if omega_final is None or model.oversample_omega:
                    omega_final = omega
                if capture_final is None or (subS == 0 and subF == 0) or model.oversample_thick:
                    capture_final = capture
                if keep:
                    _keep_subsample(keep, model, loop, position, R, diffracted, omega_final, capture_final)
                for source in range(model.sources.wavelength_m.shape[0]):
                    incident = model.sources.incident[source]
                    wavelength = model.sources.wavelength_m[source]
                    q = scattering.scattering_vector(diffracted, incident, wavelength)
                    resolved = scattering.is_resolved(q, model.dmin_m) if model.dmin_m > 0 else None
                    polar = _polar(model, incident, diffracted)
                    # quirk first-value: the first source that is not skipped; 0 if all are.
                    takes = torch.ones_like(seen) if model.oversample_polar else ~seen
                    takes = takes if resolved is None else takes & resolved
                    polar_final = torch.where(takes, polar, polar_final)
                    seen = seen | takes
                    if keep:
                        _keep_source(keep, (*loop, source), incident, wavelength, q, polar_final, resolved)
                    factor = _factor(model, omega, polar, capture)
                    I = _sweep(model, q, resolved, I, factor, keep, (*loop, source))
                if progress:
                    progress(((layer * n + subS) * n + subF + 1) / (model.layers * n * n))
    value = accumulate.pixel_value(
        I,
        model.steps,
        model.fluence,
        None if model.oversample_thick else capture_final,
        None if model.oversample_polar else polar_final,
        None if model.oversample_omega else omega_final,
    )
    if keep:
        for name, kept in (
            ("I_before_scaling", I),
            ("steps", model.steps),
            ("capture_fraction_final", capture_final),
            ("polar_final", polar_final),
            ("omega_pixel_final", omega_final),
            ("I_pixel_final", value),
        ):
            keep("pixel", name, (), kept)
    return value


def _capture(model: Model, layer: int, diffracted: Tensor) -> Tensor:
    if model.layers == 1:  # no thickness
        return torch.ones_like(diffracted[0])
    return absorption.capture_fraction(layer, model.layer_depth, model.mu, model.place.odet, diffracted)


def _polar(model: Model, incident: Tensor, diffracted: Tensor) -> Tensor:
    if not model.polarized:
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
    model: Model, q: Tensor, resolved: Tensor | None, I: Tensor, factor: Tensor | None, keep: Keep | None, loop: Loop
) -> Tensor:
    """Add all slices' steps of one sub-sample and source to the sums I (P,)."""
    slices = model.real_m.shape[2]
    for first in range(0, slices, SLICES_AT_ONCE):
        chunk = slice(first, first + SLICES_AT_ONCE)
        hkl = scattering.miller_indices(model.real_m[:, :, chunk], q)
        hkl0 = scattering.nearest(hkl)
        F_latt, F_axes = lattice.lattice_factor(
            model.shape, hkl, hkl0, model.cells, model.fudge, model.cell.reciprocal_A
        )
        F_latt = F_latt.expand(hkl.shape[1:])
        F_cell = structure_factors.structure_factor(model.table, model.default_F, hkl, hkl0, model.interpolate)
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
            _keep_steps(keep, model, loop, chunk, hkl, hkl0, F_axes, F_latt, F_cell, running)
    return I


def _keep_subsample(
    keep: Keep,
    model: Model,
    loop: Loop,
    position: Tensor,
    R: Tensor,
    diffracted: Tensor,
    omega: Tensor,
    capture: Tensor,
) -> None:
    place = model.place
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
