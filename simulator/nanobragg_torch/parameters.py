"""The continuous quantities of an experiment: the table of parameters for gradients.

Each entry reads its numbers from an experiment as one vector and writes such a vector back, so that an optimiser or
a gradient check needs no knowledge of the settings. The scale is a step over which an image of sharp spots changes
markedly, in the unit of the name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nanobragg_torch.experiment import Experiment
from nanobragg_torch.settings import Reflections
from nanobragg_torch.units import plain


@dataclass(frozen=True)
class Parameter:
    """One quantity of n numbers."""

    name: str
    unit: str
    scale: float
    read: Callable[[Experiment], list[float] | None]
    """Its numbers (n of them); None where the experiment has none."""
    put: Callable[[Experiment, Tensor], Experiment]
    """The experiment with the numbers (n,) of a tensor in their place; gradients pass through."""

    def tensor(self, experiment: Experiment) -> Tensor | None:
        """Its numbers (n,) in the experiment's dtype and on its device."""
        numbers = self.read(experiment)
        if numbers is None:
            return None
        return torch.tensor(numbers, dtype=experiment.dtype, device=experiment.device)


def _value(experiment: Experiment, field: str) -> Any:
    for part in (experiment.beam, experiment.detector, experiment.crystal, experiment.scan, experiment.model):
        if hasattr(part, field):
            return getattr(part, field)
    raise KeyError(field)


def _scalars(name: str, unit: str, scale: float, *fields: str) -> Parameter:
    """Settings of one number each."""

    def read(experiment: Experiment) -> list[float] | None:
        values = [_value(experiment, field) for field in fields]
        return None if any(value is None for value in values) else [plain(value) for value in values]

    def put(experiment: Experiment, numbers: Tensor) -> Experiment:
        return experiment.replace(**dict(zip(fields, numbers.unbind(), strict=True)))

    return Parameter(name, unit, scale, read, put)


def _part(name: str, unit: str, scale: float, field: str, chosen: slice, missing: list[float] | None) -> Parameter:
    """Some numbers of a setting that holds several; `missing` replaces a setting that was not given."""

    def all_of(experiment: Experiment) -> list[float] | None:
        value = _value(experiment, field)
        return missing if value is None else [plain(number) for number in value]

    def read(experiment: Experiment) -> list[float] | None:
        numbers = all_of(experiment)
        return None if numbers is None else numbers[chosen]

    def put(experiment: Experiment, numbers: Tensor) -> Experiment:
        value = _value(experiment, field)
        if isinstance(value, Tensor):
            old: list[Any] = list(value.reshape(-1).unbind())
        else:
            old = list(value) if value is not None else list(missing or [])
        old[chosen] = numbers.unbind()
        return experiment.replace(**{field: tuple(old)})

    return Parameter(name, unit, scale, read, put)


def _vector(name: str, scale: float = 1e-2) -> Parameter:
    """A detector vector: it counts in the CUSTOM convention alone."""
    inner = _part(name, "", scale, name, slice(None), None)

    def read(experiment: Experiment) -> list[float] | None:
        return inner.read(experiment) if experiment.detector.convention == "CUSTOM" else None

    return Parameter(name, "", scale, read, inner.put)


def _only_where(parameter: Parameter, applies: Callable[[Experiment], bool]) -> Parameter:
    def read(experiment: Experiment) -> list[float] | None:
        return parameter.read(experiment) if applies(experiment) else None

    return Parameter(parameter.name, parameter.unit, parameter.scale, read, parameter.put)


def _listed(reflections: Reflections) -> tuple[Tensor, Tensor]:
    """(the grid, True where a structure factor is listed)."""
    F = reflections.F if isinstance(reflections.F, Tensor) else torch.tensor(np.asarray(reflections.F), device="cpu")
    return F, ~torch.isnan(F.detach())


def _read_F(experiment: Experiment) -> list[float] | None:
    if experiment.crystal.reflections is None:
        return None
    F, listed = _listed(experiment.crystal.reflections)
    numbers: list[float] = F.detach()[listed].tolist()
    return numbers


def _put_F(experiment: Experiment, numbers: Tensor) -> Experiment:
    reflections = experiment.crystal.reflections
    assert reflections is not None  # else there was nothing to read
    F, listed = _listed(reflections)
    grid = torch.full(F.shape, torch.nan, dtype=numbers.dtype, device=numbers.device)
    grid = grid.index_put((listed.to(numbers.device),), numbers)
    return experiment.replace(reflections=Reflections(lowest=reflections.lowest, F=grid))


def _read_sources(experiment: Experiment) -> list[float] | None:
    rows = experiment.beam.source_rows
    if rows is None or any(len(row) < 3 for row in rows):
        return None
    return [plain(x) for row in rows for x in row[:3] if x is not None]


def _put_sources(experiment: Experiment, numbers: Tensor) -> Experiment:
    rows = experiment.beam.source_rows or ()
    directions = numbers.reshape(-1, 3)
    moved = tuple((*xyz.unbind(), *row[3:]) for xyz, row in zip(directions, rows, strict=True))
    return experiment.replace(source_rows=moved)


PARAMETERS: tuple[Parameter, ...] = (
    _part("cell_lengths", "A", 0.1, "cell", slice(0, 3), None),
    _part("cell_angles", "deg", 0.1, "cell", slice(3, 6), None),
    _part("matrix", "", 1e-5, "matrix_per_A", slice(None), None),
    _part("misset", "deg", 0.1, "misset_deg", slice(None), [0.0, 0.0, 0.0]),
    _scalars("phi_start", "deg", 0.1, "phi_start_deg"),
    _scalars("phi_range", "deg", 0.1, "osc_deg"),
    _scalars("mosaic_spread", "deg", 0.1, "mosaic_spread_deg"),
    _scalars("cells", "", 0.1, "Na", "Nb", "Nc"),
    _only_where(_scalars("fudge", "", 0.1, "fudge"), lambda e: e.crystal.shape != "square"),
    Parameter("structure_factors", "electrons", 10.0, _read_F, _put_F),
    _scalars("default_F", "electrons", 10.0, "default_F"),
    _scalars("wavelength", "A", 1e-3, "wavelength_A"),
    _only_where(
        _scalars("dispersion", "", 1e-3, "dispersion_fraction"), lambda e: plain(e.beam.dispersion_fraction) > 0
    ),
    _scalars("divergence", "rad", 1e-3, "hdiv_range_rad", "vdiv_range_rad"),
    Parameter("source_directions", "m", 1e-2, _read_sources, _put_sources),
    _only_where(_scalars("fluence", "1/m2", 1e27, "fluence_per_m2"), lambda e: plain(e.beam.flux_per_s) == 0),
    _only_where(_scalars("flux", "1/s", 1e16, "flux_per_s"), lambda e: plain(e.beam.flux_per_s) != 0),
    _scalars("kahn_factor", "", 0.1, "kahn_factor"),
    _scalars("distance", "mm", 0.1, "distance_mm"),
    _scalars("pixel_size", "mm", 1e-3, "pixel_mm"),
    _scalars("beam_centre", "mm", 0.1, "Xbeam_mm", "Ybeam_mm"),
    _scalars("detector_rotations", "deg", 0.1, "rotx_deg", "roty_deg", "rotz_deg"),
    _scalars("twotheta", "deg", 0.1, "twotheta_deg"),
    _vector("fdet_vector", 1e-3),
    _vector("sdet_vector", 1e-3),
    _vector("odet_vector"),
    _vector("beam_vector", 1e-3),
    _vector("polar_vector"),
    _vector("spindle_axis"),
    _vector("twotheta_axis"),
    _only_where(_scalars("thickness", "um", 10.0, "thickness_um"), lambda e: plain(e.detector.thickness_um) > 0),
    _scalars("attenuation", "um", 10.0, "attenuation_um"),
)
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}
