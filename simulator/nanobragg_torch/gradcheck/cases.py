"""Small experiments, each with one part of the model switched on, for which gradients are checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nanobragg_torch.experiment import Experiment
from nanobragg_torch.settings import (
    BeamSettings,
    CrystalSettings,
    DetectorSettings,
    Reflections,
    ScanSettings,
    Vector,
)


def _reflections(reach: int) -> Reflections:
    """Smooth, positive structure factors on all indices up to `reach`, a tenth of them unlisted."""
    h, k, l = np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij")
    F = 100 + 50 * np.cos(0.5 * h + 0.8 * k) + 30 * np.sin(0.6 * l - 0.3 * h)
    F[(7 * h + 5 * k + 3 * l) % 11 == 4] = np.nan
    return Reflections(lowest=(-reach, -reach, -reach), F=F)


def _small(**changes: Any) -> Experiment:
    """29 x 31 pixels of 1.5 mm around the beam, a triclinic cell, 5 x 6 x 7 of them."""
    base = Experiment(
        beam=BeamSettings(fluence_per_m2=1e28, wavelength_A=1.1, kahn_factor=0.3),
        detector=DetectorSettings(
            pixel_mm=1.5, detpixels_f=31, detpixels_s=29, distance_mm=90.0, Xbeam_mm=21.3, Ybeam_mm=22.6, oversample=1
        ),
        crystal=CrystalSettings(
            cell=(70.0, 80.0, 90.0, 85.0, 95.0, 105.0),
            misset_deg=(3.0, -4.0, 5.0),
            Na=5,
            Nb=6,
            Nc=7,
            reflections=_reflections(16),
            default_F=20.0,
            interpolate=False,
        ),
        scan=ScanSettings(phi_start_deg=2.0),
    )
    return base.replace(**changes)


def _turned(angle_deg: float, *vectors: tuple[float, float, float]) -> list[Vector]:
    """Vectors turned about (1, 1, 1), so that no component is special."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    own, next_, last = c + (1 - c) / 3, (1 - c) / 3 - s / math.sqrt(3), (1 - c) / 3 + s / math.sqrt(3)
    rows = ((own, next_, last), (last, own, next_), (next_, last, own))
    return [tuple(sum(m * x for m, x in zip(row, v, strict=True)) for row in rows) for v in vectors]


def _custom() -> Experiment:
    """A detector of one's own vectors, none of them along an axis."""
    fdet, sdet, odet, beam, polar, spindle, twotheta = _turned(
        20.0, (1, 0.01, 0), (0, 1, 0), (0, 0, 1), (0.02, 0, 1), (1, 0, 0), (0.9, 0.1, 0), (0, 1, 0)
    )
    return _small(
        convention="CUSTOM",
        pivot="sample",
        fdet_vector=fdet,
        sdet_vector=sdet,
        odet_vector=odet,
        beam_vector=beam,
        polar_vector=polar,
        spindle_axis=spindle,
        twotheta_axis=twotheta,
        twotheta_deg=7.0,
        roty_deg=2.0,
        osc_deg=0.5,
        phisteps=2,
    )


def _supervisor() -> Experiment:
    """29 x 29 pixels of the supervisor case around its traced pixel (685, 1039), with made-up structure factors."""
    first_slow, first_fast, pixel_mm = 671, 1025, 0.172
    return Experiment(
        beam=BeamSettings(wavelength_A=0.9768, flux_per_s=1e18, exposure_s=1.0, beamsize_mm=1.0),
        detector=DetectorSettings(
            pixel_mm=pixel_mm,
            detpixels_f=29,
            detpixels_s=29,
            distance_mm=231.274660,
            Xbeam_mm=217.742295 - first_fast * pixel_mm,
            Ybeam_mm=213.907080 - first_slow * pixel_mm,
            convention="CUSTOM",
            fdet_vector=(0.999982, -0.005998, -0.000118),
            sdet_vector=(-0.005998, -0.999970, -0.004913),
            odet_vector=(-0.000088, 0.004914, -0.999988),
            beam_vector=(0.00051387949, 0.0, -0.99999986),
            spindle_axis=(-1.0, 0.0, 0.0),
            oversample=1,
        ),
        crystal=CrystalSettings(
            matrix_per_A=(
                *(-0.02837711, -0.00305386, 0.02535816),
                *(-0.02871390, 0.01019549, -0.01400049),
                *(0.01050048, -0.03209440, -0.01036054),
            ),
            Na=36,
            Nb=47,
            Nc=29,
            reflections=_reflections(20),
            interpolate=False,
        ),
        scan=ScanSettings(osc_deg=0.1, phisteps=10),
    )


CASES: dict[str, Callable[[], Experiment]] = {
    "still": _small,
    "phi_rotation": lambda: _small(phi_start_deg=0.0, osc_deg=1.0, phisteps=3),
    "oscillation": lambda: _small(phi_start_deg=-3.0, osc_deg=6.0, phisteps=12, twotheta_deg=3.0),
    "mosaic": lambda: _small(mosaic_spread_deg=0.4, mosaic_domains=4, phi_start_deg=1.0, osc_deg=0.4, phisteps=2),
    "divergence": lambda: _small(
        hdiv_range_rad=4e-3,
        hdiv_steps=3,
        vdiv_range_rad=3e-3,
        vdiv_steps=2,
        dispersion_fraction=0.01,
        dispersion_steps=2,
    ),
    "sources": lambda: _small(source_rows=((-10.0, 0.05, -0.02, 1.0, 1.1e-10), (-10.0, -0.04, 0.03, 1.0, 1.12e-10))),
    "absorbing": lambda: _small(
        thickness_um=300.0, attenuation_um=400.0, thick_steps=3, oversample_thick=True, roty_deg=10.0
    ),
    "thick": lambda: _small(thickness_um=300.0, attenuation_um=400.0, thick_steps=3, rotz_deg=10.0),
    "tilted": lambda: _small(convention="XDS", rotx_deg=3.0, roty_deg=-4.0, rotz_deg=5.0, twotheta_deg=8.0),
    "custom": _custom,
    "oversampled": lambda: _small(oversample=2, oversample_polar=True, oversample_omega=True, osc_deg=0.5, phisteps=2),
    "curved": lambda: _small(curved=True, point_pixel=True),
    "round": lambda: _small(shape="round", fudge=0.3),
    "gauss": lambda: _small(shape="gauss", fudge=2e-4),
    "tophat": lambda: _small(shape="tophat", fudge=2e-4),
    "interpolated": lambda: _small(interpolate=True),
    "real_cells": lambda: _small(Na=5.3, Nb=2.6, Nc=1.6),
    "default_F": lambda: _small(reflections=None, default_F=100.0),
    "supervisor": _supervisor,
}
