"""A small experiment made of settings alone, for tests that need no golden file."""

from __future__ import annotations

from typing import Any

import numpy as np
from nanobragg_torch import Experiment
from nanobragg_torch.settings import BeamSettings, CrystalSettings, DetectorSettings, Reflections, ScanSettings

CELL = (70.0, 80.0, 90.0, 85.0, 95.0, 105.0)


def reflections(reach: int = 12) -> Reflections:
    """Smooth, positive structure factors for all |h|, |k|, |l| up to `reach`, some of them unlisted."""
    h, k, l = np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij")
    F = 100 + 60 * np.cos(0.7 * h + 1.3 * k) + 35 * np.sin(0.9 * l - 0.4 * h)
    F[(7 * h + 5 * k + 3 * l) % 11 == 0] = np.nan
    return Reflections(lowest=(-reach, -reach, -reach), F=F)


def experiment(**changes: Any) -> Experiment:
    """9 x 11 pixels of 2 mm around the beam, 5 x 6 x 7 cells, pixel values around 1; `changes` by setting name."""
    base = Experiment(
        beam=BeamSettings(fluence_per_m2=1e27),
        detector=DetectorSettings(pixel_mm=2.0, detpixels_f=11, detpixels_s=9, oversample=1),
        crystal=CrystalSettings(
            cell=CELL, Na=5, Nb=6, Nc=7, reflections=reflections(), default_F=3.0, interpolate=False
        ),
        scan=ScanSettings(),
    )
    return base.replace(**changes)
