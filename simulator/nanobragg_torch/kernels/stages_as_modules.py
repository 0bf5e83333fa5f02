"""The loops of a pixel as three functions that a compiler can fuse: the ray, the sweep over steps, and the end.

They call the same stage functions as `evaluate`, in the same order but for the sum, which here runs on step by step.
A sweep takes what costs least: of few steps the pixels' places, with the rays made where they are used; of few slices
the directions of one sub-sample, made once for all sources; else the scattering vectors of one sub-sample and source.
Of a single step all three are one function.
What they make of pixels they leave in the tensor of these (I), so that it can be a piece of the image.
All that changes from one experiment to the next comes in as tensors, so that one compiled kernel serves any number of
pixels, slices and cells and any reflection list. What changes the sequence of operations is a `Variant`.
Not fused: the running product of the -oversample_ flags; gradients have `fused_slopes`. Source: model section 8.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from nanobragg_torch.experiment import Model
from nanobragg_torch.stages import (
    absorption,
    accumulate,
    detector,
    lattice,
    polarization,
    scattering,
    structure_factors,
)
from nanobragg_torch.stages.structure_factors import Table


@dataclass(frozen=True)
class Variant:
    """What is fixed when a kernel is compiled."""

    kind: str  # ray, sweep, end; whole, which is all three; or the slopes of one of three (see fused_slopes)
    dtype: str
    curved: bool = False
    # of the ray and the sweep: what goes from one to the other
    takes: str = "vectors"  # places, directions or vectors
    # of the sweep
    shape: str = "square"
    has_table: bool = False
    is_wide: bool = False
    interpolate: bool = False
    has_dmin: bool = False
    # of the end
    point_pixel: bool = False
    has_layers: bool = False
    polarization: str = "none"  # none, plain, Kahn, or given


class Placed(NamedTuple):
    """A pixel's place: coordinates (P,), sub-sample, the surface (see detector.Surface)."""

    slow: Tensor
    fast: Tensor
    sub: Tensor  # subS, subF, depth in the sensor in m: (3,), or (B, 3) for all of them at once
    oversample: Tensor
    beam: Tensor
    fdet: Tensor
    sdet: Tensor
    odet: Tensor
    pix0: Tensor
    pixel: Tensor
    distance: Tensor
    close_distance: Tensor

    def direction(self, curved: bool, depth_m: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(R (P,), d (3, P)) of a sub-sample, or (B, 1, 1, P) and (3, B, 1, 1, P); see detector.airpath."""
        subS, subF, depth = (x[..., None, None, None] if x.dim() else x for x in self.sub.unbind(-1))
        depth = depth if depth_m is None else depth_m
        position = detector.pixel_position(self, self.slow, self.fast, (subS, subF), self.oversample, depth, curved)
        return detector.airpath(position)


FEW = 4
"""Slices, or steps of a sub-sample: fewer than this are few."""
_PLACED = len(Placed._fields)


class Beams(NamedTuple):
    """S sources."""

    incident: Tensor  # (S, 3)
    wavelength_m: Tensor  # (S,)

    def scattering(self, diffracted: Tensor) -> Tensor:
        """q (3, …, S, 1, P) of directions (3, …, 1, 1, P)."""
        incident = self.incident.T.reshape(3, *[1] * (diffracted.dim() - 4), -1, 1, 1)
        return scattering.scattering_vector(diffracted, incident, self.wavelength_m[:, None, None])


class Swept(NamedTuple):
    """What the sweep needs of the crystal, for K slices."""

    real_m: Tensor  # (K, 3 of a b c, 3 of x y z)
    cells: Tensor  # (3,)
    fudge: Tensor
    reciprocal_A: Tensor  # (3, 3)
    F: Tensor  # the table
    grid: Tensor  # (3 of shape lowest highest, 3)
    default_F: Tensor
    dmin_m: Tensor


_SWEPT = len(Swept._fields)


class Ended(NamedTuple):
    """What the end needs beside the place, which is that of the first sub-sample."""

    steps: Tensor
    fluence: Tensor
    incident: Tensor  # (3,) of the first source
    E: Tensor  # (3,), see polarization.axes
    B: Tensor
    kahn: Tensor
    polar: Tensor  # (P,) where the variant has it given
    last_layer: Tensor
    layer_depth: Tensor
    mu: Tensor


def inputs(variant: Variant) -> tuple[str, ...]:
    """The names of what a kernel takes, in order; but for the slopes of a sweep."""
    if variant.kind in ("end", "end_slopes"):
        return ("I", *Placed._fields, *Ended._fields)
    if variant.kind == "whole":
        return ("I", "background", *Placed._fields, "wavelength_m", *Swept._fields, *Ended._fields)
    if variant.kind == "ray":
        return (*Placed._fields, *(Beams._fields if variant.takes == "vectors" else ()))
    if variant.kind == "ray_slopes":
        return ("x", "y", "z", *Placed._fields, *Beams._fields)
    rays = Placed._fields if variant.takes == "places" else ("x", "y", "z")
    return ("I", *rays, *(() if variant.takes == "vectors" else Beams._fields), *Swept._fields)


class Ray(torch.nn.Module):
    """x, y, z, each (P,), of the directions d of one sub-sample, or of its scattering vectors q of one source."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """See `inputs`."""
        placed, beams = Placed(*tensors[:_PLACED]), tensors[_PLACED:]
        _, ray = placed.direction(self.variant.curved)
        if beams:
            ray = Beams(*beams).scattering(ray[:, None, None])[:, 0, 0]
        return tuple(component.clone() for component in ray.unbind())


class Sweep(torch.nn.Module):
    """Adds steps to I (P,): those of all slices and all sub-samples and sources that it takes."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[()]:
        """See `inputs`."""
        I, rays, swept = tensors[0], tensors[1:-_SWEPT], Swept(*tensors[-_SWEPT:])
        I += steps(self.variant, self._q(rays), swept).sum((0, 1, 2))
        return ()

    def _q(self, rays: tuple[Tensor, ...]) -> Tensor:
        """(3, B sub-samples, S sources, 1, P); what is taken one by one has a dimension of 1."""
        v = self.variant
        if v.takes == "vectors":
            return torch.stack(rays)[:, None, None, None]
        rays, beams = rays[:-2], Beams(*rays[-2:])
        if v.takes == "directions":
            return beams.scattering(torch.stack(rays)[:, None, None, None])
        return beams.scattering(Placed(*rays).direction(v.curved)[1])


def steps(v: Variant, q: Tensor, s: Swept) -> Tensor:
    """What each step adds, (B, S, K, P), of scattering vectors (3, B, S, 1, P)."""
    # No stride but the pixels' is 1, so that the compiler's vectors run over them.
    hkl = scattering.miller_indices(s.real_m.permute(1, 2, 0)[:, :, None, None, :, None], q)
    hkl0 = scattering.nearest(hkl)
    Na, Nb, Nc = s.cells.unbind()
    F_latt, _ = lattice.lattice_factor(v.shape, hkl, hkl0, (Na, Nb, Nc), s.fudge, s.reciprocal_A)
    listed = table(s.F, s.grid, v) if v.has_table else None
    F_cell = structure_factors.structure_factor(listed, s.default_F, hkl, hkl0, v.interpolate, meanwhile=F_latt)
    terms = accumulate.step_intensity(F_cell, F_latt)
    if v.has_dmin:
        terms = torch.where(scattering.is_resolved(q, s.dmin_m), terms, torch.zeros_like(terms))
    return terms


def table(F: Tensor, grid: Tensor, variant: Variant) -> Table:
    """The table of F (h, k, l) and the numbers (3 of shape lowest highest, 3) that a kernel takes of it."""
    shape, lowest, highest = ((row[0], row[1], row[2]) for row in grid.unbind())
    return Table(F, shape, lowest, highest, wide=variant.is_wide)


class End(torch.nn.Module):
    """Turns I (P,), the sums of pixels, into their values."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[()]:
        """See `inputs`."""
        v, rest = self.variant, iter(tensors)
        I, placed, ended = next(rest), Placed(*itertools.islice(rest, _PLACED)), Ended(*rest)
        I.copy_(value(v, I, placed, *placed.direction(v.curved), ended))
        return ()


class Whole(torch.nn.Module):
    """Writes the values of pixels of a single step to I (P,)."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[()]:
        """See `inputs`."""
        v, rest = self.variant, iter(tensors)
        I, background = next(rest), next(rest)
        placed, wavelength_m = Placed(*itertools.islice(rest, _PLACED)), next(rest)
        swept, ended = Swept(*itertools.islice(rest, _SWEPT)), Ended(*rest)
        R, diffracted = placed.direction(v.curved)
        q = scattering.scattering_vector(diffracted, ended.incident[:, None], wavelength_m)
        total = background + steps(v, q[:, None, None, None], swept)[0, 0, 0]
        I.copy_(value(v, total, placed, R, diffracted, ended))
        return ()


def value(v: Variant, I: Tensor, placed: Placed, R: Tensor, diffracted: Tensor, e: Ended) -> Tensor:
    """The values (P,) of sums I (P,) of pixels whose first sub-sample is at distances R (P,) along `diffracted`."""
    # quirk first-value: ω and polarisation of the first layer, the capture fraction of the last.
    omega = detector.solid_angle(placed, R, v.point_pixel)
    capture = polar = None
    if v.polarization == "given":
        polar = e.polar
    elif v.polarization != "none":
        kahn = e.kahn if v.polarization == "Kahn" else None
        polar = polarization.factor(kahn, e.incident, diffracted, (e.E, e.B))
    if v.has_layers:
        _, last = placed.direction(v.curved, e.last_layer * e.layer_depth)
        capture = absorption.capture_fraction(e.last_layer, e.layer_depth, e.mu, placed.odet, last)
    return accumulate.pixel_value(I, e.steps, e.fluence, capture, polar, omega)


def is_fusible(model: Model) -> bool:
    """Can the model's image be made by these?"""
    return (
        model.like.device.type == "cpu"
        and not (model.oversample_thick or model.oversample_polar or model.oversample_omega)
        and all(isinstance(n, int) for n in model.cells)
        and not (torch.is_grad_enabled() and model.requires_grad)
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def variants(model: Model) -> tuple[Variant, ...]:
    """The kernels for a model: one for the whole of a pixel, or ray, sweep and end.

    A sweep that takes places needs no ray.
    """
    sweep, end = sweep_variant(model), end_variant(model)
    if model.real_m.shape[2] * model.sources.wavelength_m.shape[0] * model.layers * model.oversample == 1:
        whole = dataclasses.replace(
            sweep, kind="whole", curved=end.curved, point_pixel=end.point_pixel, polarization=end.polarization
        )
        return (whole,)
    return ray_variant(model, sweep.takes), sweep, end


def ray_variant(model: Model, takes: str) -> Variant:
    """The kernel for the ray."""
    return Variant(kind="ray", dtype=_name(model.like.dtype), curved=model.curved, takes=takes)


def sweep_variant(model: Model) -> Variant:
    """The kernel for the sweep over steps."""
    slices, sources = model.real_m.shape[2], model.sources.wavelength_m.shape[0]
    takes = "places" if slices * sources < FEW else "directions" if slices < FEW else "vectors"
    return Variant(
        kind="sweep",
        dtype=_name(model.like.dtype),
        curved=model.curved and takes == "places",
        takes=takes,
        shape=model.shape,
        has_table=model.table is not None,
        is_wide=model.table is not None and model.table.is_wide,
        interpolate=model.interpolate and model.table is not None and min(model.table.F.shape) >= 4,
        has_dmin=model.dmin_m > 0,
    )


def end_variant(model: Model) -> Variant:
    """The kernel for the end."""
    polarised = "none" if not model.polarized else "plain" if model.kahn is None else "Kahn"
    return Variant(
        kind="end",
        dtype=_name(model.like.dtype),
        curved=model.curved,
        point_pixel=model.point_pixel,
        has_layers=model.layers > 1,
        polarization="given" if model.dmin_m > 0 else polarised,
    )
