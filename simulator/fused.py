"""The loops of a pixel as three functions that a compiler can fuse: the ray, the sweep over slices, and the end.

They call the same stage functions as `evaluate`, in the same order but for the sum, which here runs on step by step.
All that changes from one experiment to the next comes in as tensors, so that one compiled kernel serves any number of
pixels, slices and cells and any reflection list. What changes the sequence of operations is a `Variant`.
Not fused: the running product of the -oversample_ flags, and anything that needs gradients. Source: model section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from simulator import absorption, accumulate, detector, lattice, polarization, scattering, structure_factors
from simulator.experiment import Model
from simulator.structure_factors import Table


@dataclass(frozen=True)
class Variant:
    """What is fixed when a kernel is compiled."""

    kind: str  # ray, sweep or end
    dtype: str
    curved: bool = False
    # of the ray and the sweep
    takes_directions: bool = False
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
    """A pixel's place: coordinates (P,), sub-sample and layer (0-dimensional), the surface (see detector.Surface)."""

    slow: Tensor
    fast: Tensor
    subS: Tensor
    subF: Tensor
    oversample: Tensor
    depth: Tensor
    beam: Tensor
    fdet: Tensor
    sdet: Tensor
    odet: Tensor
    pix0: Tensor
    pixel: Tensor
    distance: Tensor
    close_distance: Tensor

    def direction(self, depth: Tensor, curved: bool) -> tuple[Tensor, Tensor]:
        """(R, d) at a depth of the sensor; see detector.airpath."""
        sub = self.subS, self.subF
        return detector.airpath(
            detector.pixel_position(self, self.slow, self.fast, sub, self.oversample, depth, curved)
        )


_FEW_SLICES = 4
_PLACED = len(Placed._fields)


class Beam(NamedTuple):
    """One source."""

    incident: Tensor  # (3,)
    wavelength_m: Tensor


class Swept(NamedTuple):
    """What the sweep over K slices needs."""

    I: Tensor  # (P,)
    ray: Tensor  # (3, P), q or d
    incident: Tensor  # (3,)
    wavelength_m: Tensor
    real_m: Tensor  # (K, 3 of a b c, 3 of x y z)
    cells: Tensor  # (3,)
    fudge: Tensor
    reciprocal_A: Tensor  # (3, 3)
    F: Tensor  # the table, flat
    grid: Tensor  # (3 of shape lowest highest, 3)
    default_F: Tensor
    dmin_m: Tensor


class Ended(NamedTuple):
    """What the end needs beside the place, which is that of the first sub-sample."""

    I: Tensor  # (P,)
    steps: Tensor
    fluence: Tensor
    incident: Tensor  # (3,) of the first source
    polar_vec: Tensor  # (3,)
    kahn: Tensor
    polar: Tensor  # (P,) where the variant has it given
    last_layer: Tensor
    layer_depth: Tensor
    mu: Tensor


class Ray(torch.nn.Module):
    """The scattering vectors q (3, P) of one sub-sample and source, or the directions d if the sweep takes those."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> Tensor:
        """`Placed` and `Beam`, one after the other."""
        placed, beam = Placed(*tensors[:_PLACED]), Beam(*tensors[_PLACED:])
        _, diffracted = placed.direction(placed.depth, self.variant.curved)
        if self.variant.takes_directions:
            return diffracted
        return scattering.scattering_vector(diffracted, beam.incident[:, None], beam.wavelength_m)


class Sweep(torch.nn.Module):
    """I (P,) with the steps of all slices of one sub-sample and source added."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> Tensor:
        """The fields of `Swept`."""
        v, s, q = self.variant, Swept(*tensors), tensors[1]
        if v.takes_directions:
            q = scattering.scattering_vector(s.ray, s.incident[:, None], s.wavelength_m)
        # K stands first and its stride is not 1, so that the compiler's vectors run over the pixels.
        hkl = scattering.miller_indices(s.real_m.permute(1, 2, 0)[..., None], q)
        hkl0 = scattering.nearest(hkl)
        Na, Nb, Nc = s.cells.unbind()
        F_latt, _ = lattice.lattice_factor(v.shape, hkl, hkl0, (Na, Nb, Nc), s.fudge, s.reciprocal_A)
        F_cell = structure_factors.structure_factor(self._table(s), s.default_F, hkl, hkl0, v.interpolate)
        terms = accumulate.step_intensity(F_cell, F_latt)
        if v.has_dmin:
            terms = torch.where(scattering.is_resolved(q, s.dmin_m), terms, torch.zeros_like(terms))
        return s.I + terms.sum(0)

    def _table(self, s: Swept) -> Table | None:
        if not self.variant.has_table:
            return None
        shape, lowest, highest = ((row[0], row[1], row[2]) for row in s.grid.unbind())
        return Table(s.F, shape, lowest, highest, is_wide=self.variant.is_wide)


class End(torch.nn.Module):
    """The values (P,) of pixels from their sums."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> Tensor:
        """`Placed` and `Ended`, one after the other."""
        v = self.variant
        placed, e = Placed(*tensors[:_PLACED]), Ended(*tensors[_PLACED:])
        # quirk first-value: ω and polarisation of the first layer, the capture fraction of the last.
        R, diffracted = placed.direction(placed.depth, v.curved)
        omega = detector.solid_angle(placed, R, v.point_pixel)
        capture = polar = None
        if v.polarization == "given":
            polar = e.polar
        elif v.polarization != "none":
            kahn = e.kahn if v.polarization == "Kahn" else None
            polar = polarization.polarization_factor(kahn, e.incident, diffracted, e.polar_vec)
        if v.has_layers:
            _, last = placed.direction(e.last_layer * e.layer_depth, v.curved)
            capture = absorption.capture_fraction(e.last_layer, e.layer_depth, e.mu, placed.odet, last)
        return accumulate.pixel_value(e.I, e.steps, e.fluence, capture, polar, omega)


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


def variants(model: Model) -> tuple[Variant, Variant, Variant]:
    """The kernels for a model: ray, sweep, end."""
    # With few slices it costs less to make q where it is used; with many, to make it once.
    few = model.real_m.shape[2] < _FEW_SLICES
    ray = Variant(kind="ray", dtype=_name(model.like.dtype), curved=model.curved, takes_directions=few)
    sweep = Variant(
        kind="sweep",
        dtype=_name(model.like.dtype),
        takes_directions=few,
        shape=model.shape,
        has_table=model.table is not None,
        is_wide=model.table is not None and model.table.is_wide,
        interpolate=model.interpolate,
        has_dmin=model.dmin_m > 0,
    )
    polarised = "none" if not model.polarized else "plain" if model.kahn is None else "Kahn"
    end = Variant(
        kind="end",
        dtype=_name(model.like.dtype),
        curved=model.curved,
        point_pixel=model.point_pixel,
        has_layers=model.layers > 1,
        polarization="given" if model.dmin_m > 0 else polarised,
    )
    return ray, sweep, end
