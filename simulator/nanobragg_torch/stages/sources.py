"""The sources of X-rays: one per divergence point and wavelength, or those of a file. Source: model section 6."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.rotations import rotate_axis, unit
from nanobragg_torch.settings import BeamSettings
from nanobragg_torch.stages.detector import Placement
from nanobragg_torch.stages.sampling import Sampling, sample_spread
from nanobragg_torch.units import plain


@dataclass(frozen=True)
class Sources:
    """Unit directions of incidence (S, 3), wavelengths (S,) and positions (S, 3) in metres. All count the same.

    `deviations_rad` are the (horizontal, vertical) directions of generated sources, each with every wavelength; None of
    sources from a file.
    """

    incident: Tensor
    wavelength_m: Tensor
    position_m: Tensor
    deviations_rad: tuple[tuple[float, float], ...] | None = None


def build_sources(settings: BeamSettings, place: Placement) -> Sources:
    """The sources in the order of their loops: horizontal, vertical, spectral."""
    wavelength = units.tensor(units.angstrom(settings.wavelength_A), place.beam)
    if settings.source_rows is not None:
        return _from_rows(settings.source_rows, wavelength, place)
    h = sample_spread(settings.hdiv_steps, settings.hdiv_range_rad, settings.hdiv_step_rad)
    v = sample_spread(settings.vdiv_steps, settings.vdiv_range_rad, settings.vdiv_step_rad)
    d = sample_spread(settings.dispersion_steps, settings.dispersion_fraction, None)
    home = -units.SOURCE_DISTANCE_M * place.beam
    tilted = [rotate_axis(home, place.polar, _offset(j, v, home)) for j in range(v.ticks)]
    # In this order: the last bit is printed.
    shares = [1.0 + units.tensor(d.step * k, home) - units.tensor(d.range / 2, home) for k in range(d.ticks)]
    spectrum = [wavelength * share for share in shares]
    positions, wavelengths, deviations = [], [], []
    for i in range(h.ticks):
        for j in range(v.ticks):
            if settings.round_divergence and _outside_circle(i, h, j, v):
                continue
            position = rotate_axis(tilted[j], place.vertical, _offset(i, h, home))
            deviations.append((plain(_offset(i, h, home)), plain(_offset(j, v, home))))
            positions += [position] * d.ticks
            wavelengths += spectrum
    if not positions:  # quirk no-sources
        return Sources(home.new_zeros(0, 3), home.new_zeros(0), home.new_zeros(0, 3), ())
    stacked = torch.stack(positions)
    return Sources(-unit(stacked), torch.stack(wavelengths), stacked, tuple(deviations))


def _offset(tick: int, sampling: Sampling, like: Tensor) -> Tensor:
    return units.tensor(sampling.step * tick - sampling.range / 2, like)


def _outside_circle(i: int, h: Sampling, j: int, v: Sampling) -> bool:
    """Round divergence: is the point outside the ellipse? A direction without range is 0/0 and skips nothing."""
    total = 0.0
    for tick, sampling in ((i, h), (j, v)):
        range_, step = plain(sampling.range), plain(sampling.step)
        if range_ == 0.0:
            return False
        offset = step * tick - range_ / 2
        total += (offset * offset - step * step / 4 * (1 - sampling.ticks % 2)) / (range_ * range_)
    return total * 4 > 1.1


def _from_rows(rows: tuple[tuple[units.Number | None, ...], ...], wavelength: Tensor, place: Placement) -> Sources:
    """Rows X Y Z weight wavelength[m]; a missing column takes −10·beam and the beam's wavelength."""
    home = -units.SOURCE_DISTANCE_M * place.beam
    positions, wavelengths = [], []
    for row in rows:
        full = (*row, *(None,) * (5 - len(row)))
        xyz = [own if given is None else units.tensor(given, home) for own, given in zip(home, full[:3], strict=True)]
        positions.append(torch.stack(xyz))
        wavelengths.append(wavelength if full[4] is None else units.tensor(full[4], home))
    stacked = torch.stack(positions)
    return Sources(-unit(stacked), torch.stack(wavelengths), stacked)
