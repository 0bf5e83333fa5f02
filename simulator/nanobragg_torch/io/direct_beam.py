"""Where the direct beam meets the plane of the detector, from the placement alone.

The distance and beam centre of the placement follow the original's rules, which differ from the geometry for a
detector that swings about the sample; other programs read these numbers as geometry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from nanobragg_torch.stages.detector import Placement

_PARALLEL = 1e-9  # sine of the angle between beam and detector


@dataclass(frozen=True)
class DirectBeam:
    """The spot in pixels from the outer corner of the first pixel, and its distance from the sample along the beam."""

    fast_pixels: float
    slow_pixels: float
    distance_m: float


def direct_beam(place: Placement) -> DirectBeam | None:
    """The spot; None where the beam runs along the detector."""
    beam, fast, slow, pix0 = (as_array(v) for v in (place.beam, place.fdet, place.sdet, place.pix0))
    columns = np.column_stack([beam, -fast, -slow])
    if abs(np.linalg.det(columns)) < _PARALLEL:
        return None
    distance_m, F_m, S_m = np.linalg.solve(columns, pix0).tolist()
    pixel_m = float(as_array(place.pixel))
    return DirectBeam(F_m / pixel_m, S_m / pixel_m, distance_m)


def is_square_on(place: Placement) -> bool:
    """Does the beam meet the detector at right angles?"""
    beam, fast, slow = (as_array(v) for v in (place.beam, place.fdet, place.sdet))
    return max(abs(float(beam @ fast)), abs(float(beam @ slow))) < 1e-6


def as_array(tensor: Tensor) -> np.ndarray:
    """The numbers in double precision."""
    array: np.ndarray = tensor.detach().cpu().numpy().astype(np.float64)
    return array
