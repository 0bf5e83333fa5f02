"""The settings of a run after all defaults, quirks and precedence, for comparison with another program.

Names, order and units are those that the C reference prints with `-show_config` (reference_c/src/config.c).
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import torch

from nanobragg_torch import units
from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.stages import sampling
from nanobragg_torch.stages.lattice import Count
from nanobragg_torch.units import plain

_MRAD_PER_RAD = 1000.0


def resolved(experiment: Experiment, model: Model | None = None) -> dict[str, Any]:
    """Every setting by name, the unit in the name; `model` is the experiment's model, if it was built already.

    In double precision on the CPU by default: dtype and device are not settings of the simulation.
    """
    if model is None:
        with torch.no_grad():
            model = dataclasses.replace(experiment, dtype=torch.float64, device=torch.device("cpu")).build()
    return {
        **_detector(experiment, model),
        **_beam(experiment, model),
        **_crystal(experiment, model),
        **_scan(experiment),
        **_structure_factors(model),
        "interpolate": model.interpolate,
        "oversample": model.oversample,
        "oversample_thick": model.oversample_thick,
        "oversample_polar": model.oversample_polar,
        "oversample_omega": model.oversample_omega,
        "mask": experiment.model.mask is not None,
        "steps": model.steps,
    }


def to_json(config: dict[str, Any]) -> str:
    """A setting per line; a number that JSON lacks is the string nan, inf or -inf."""
    lines = (f"  {json.dumps(name)}: {json.dumps(_finite(value))}" for name, value in config.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _vector(values: Any, scale: float = 1.0) -> list[float]:
    return [plain(entry) * scale for entry in values]


def _mm(length_m: units.Number) -> float:
    return plain(length_m) * units.MM_PER_M


def _deg(angle_rad: units.Number) -> float:
    return plain(angle_rad) * units.DEG_PER_RAD


def _detector(experiment: Experiment, model: Model) -> dict[str, Any]:
    p, s = model.place, experiment.detector
    return {
        "convention": s.convention,
        "pivot": p.pivot,
        "fpixels": p.pixels_f,
        "spixels": p.pixels_s,
        "pixel_mm": _mm(p.pixel),
        "detsize_f_mm": _mm(p.size_f),
        "detsize_s_mm": _mm(p.size_s),
        "beam_vector": _vector(p.beam),
        "polar_vector": _vector(p.polar),
        "spindle_axis": _vector(p.spindle),
        "twotheta_axis": _vector(p.twotheta_axis),
        "twotheta_deg": plain(s.twotheta_deg),
        "detector_rot_deg": _vector((s.rotx_deg, s.roty_deg, s.rotz_deg)),
        "Xbeam_mm": _mm(p.Xbeam),
        "Ybeam_mm": _mm(p.Ybeam),
        "Xclose_mm": _mm(p.Xclose),
        "Yclose_mm": _mm(p.Yclose),
        "distance_mm": _mm(p.distance),
        "close_distance_mm": _mm(p.close_distance),
        "Fbeam_mm": _mm(p.Fbeam),
        "Sbeam_mm": _mm(p.Sbeam),
        "Fclose_mm": _mm(p.Fclose),
        "Sclose_mm": _mm(p.Sclose),
        "fdet_vector": _vector(p.fdet),
        "sdet_vector": _vector(p.sdet),
        "odet_vector": _vector(p.odet),
        "pix0_vector_mm": _vector(p.pix0, units.MM_PER_M),
        "curved": model.curved,
        "point_pixel": model.point_pixel,
        "thick_um": plain(model.thickness) * units.UM_PER_M,
        "thicksteps": model.layers,
        "mu_per_m": plain(model.mu),
        "roi": _roi(experiment, model),
    }


def _roi(experiment: Experiment, model: Model) -> list[int]:
    """xmin xmax ymin ymax, both ends included, on the detector."""
    last_f, last_s = model.place.pixels_f - 1, model.place.pixels_s - 1
    if experiment.model.roi is None:
        return [0, last_f, 0, last_s]
    xmin, xmax, ymin, ymax = experiment.model.roi
    return [max(xmin, 0), min(xmax, last_f), max(ymin, 0), min(ymax, last_s)]


def _beam(experiment: Experiment, model: Model) -> dict[str, Any]:
    b = experiment.beam
    dispersion = sampling.sample_spread(b.dispersion_steps, b.dispersion_fraction, None)
    h = sampling.sample_spread(b.hdiv_steps, b.hdiv_range_rad, b.hdiv_step_rad)
    v = sampling.sample_spread(b.vdiv_steps, b.vdiv_range_rad, b.vdiv_step_rad)
    return {
        "lambda_A": plain(b.wavelength_A),
        "dispersion_fraction": plain(dispersion.range),
        "dispsteps": dispersion.ticks,
        "hdivrange_mrad": plain(h.range) * _MRAD_PER_RAD,
        "hdivstep_mrad": plain(h.step) * _MRAD_PER_RAD,
        "hdivsteps": h.ticks,
        "vdivrange_mrad": plain(v.range) * _MRAD_PER_RAD,
        "vdivstep_mrad": plain(v.step) * _MRAD_PER_RAD,
        "vdivsteps": v.ticks,
        "round_div": b.round_divergence,
        "sources": len(model.sources.wavelength_m),
        "fluence_per_m2": plain(model.fluence),
        "kahn_factor": plain(b.kahn_factor),
        "nopolar": not b.polarized,
        "dmin_A": float(experiment.model.dmin_A),
        "water_um": plain(experiment.model.water_um),
    }


def _crystal(experiment: Experiment, model: Model) -> dict[str, Any]:
    x, cell = experiment.crystal, model.cell
    spread_deg = plain(x.mosaic_spread_deg) if x.mosaic_spread_deg is not None else 0.0
    return {
        "misset_deg": _vector(model.misset_rad, units.DEG_PER_RAD),
        "a_star_A_inv": _vector(cell.reciprocal_A[0]),
        "b_star_A_inv": _vector(cell.reciprocal_A[1]),
        "c_star_A_inv": _vector(cell.reciprocal_A[2]),
        "a_angstroms": _vector(cell.real_A[0]),
        "b_angstroms": _vector(cell.real_A[1]),
        "c_angstroms": _vector(cell.real_A[2]),
        "V_cell_A3": plain(cell.volume_A3),
        **{name: _count(n) for name, n in zip(("Na", "Nb", "Nc"), model.cells, strict=True)},
        "shape": model.shape,
        "fudge": plain(model.fudge),
        "mosaic_spread_deg": max(spread_deg, 0.0),
        "mosaic_domains": model.domains,
        "mosaic_seed": x.mosaic_seed,
    }


def _count(number: Count) -> int | float:
    return number if isinstance(number, int) else plain(number)


def _scan(experiment: Experiment) -> dict[str, Any]:
    scan = experiment.scan
    osc, step = (None if x is None else units.deg(x) for x in (scan.osc_deg, scan.phistep_deg))
    phi = sampling.sample_phi(scan.phisteps, osc, step)
    return {
        "phi0_deg": plain(scan.phi_start_deg),
        "osc_deg": _deg(phi.range),
        "phistep_deg": _deg(phi.step),
        "phisteps": phi.ticks,
    }


def _structure_factors(model: Model) -> dict[str, Any]:
    table = model.table
    hkl_range = None
    if table is not None:
        hkl_range = [n for ends in zip(table.lowest, table.highest, strict=True) for n in ends]
    return {"default_F": plain(model.default_F), "hkl_range": hkl_range}
