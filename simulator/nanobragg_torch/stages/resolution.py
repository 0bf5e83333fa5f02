"""The finest resolution that any pixel of a detector sees. Source: model sections 4, 6 and 7."""

from __future__ import annotations

import torch
from torch import Tensor

from nanobragg_torch.rotations import dot
from nanobragg_torch.settings import BeamSettings, DetectorSettings
from nanobragg_torch.stages import detector
from nanobragg_torch.stages.detector import Placement
from nanobragg_torch.stages.sources import build_sources
from nanobragg_torch.units import A_PER_M, plain


def finest_A(beam: BeamSettings, settings: DetectorSettings) -> float:
    """d = λ/(2 sin θ) in Å of the pixel and source where it is smallest.

    Along the detector's edge the angle to a beam is largest, unless the beam comes back on it from behind.
    """
    with torch.no_grad():
        place = detector.place(settings, torch.zeros((), dtype=torch.float64, device="cpu"))
        directions = _edge(place, settings.curved)
        sources = build_sources(beam, place)
        finest = float("inf")
        for incident, wavelength_m in zip(sources.incident, sources.wavelength_m, strict=True):
            q_per_m = torch.linalg.vector_norm(directions - incident, dim=-1).max() / wavelength_m
            finest = min(finest, A_PER_M / max(plain(q_per_m), 1e-30))
        return finest


def _edge(place: Placement, curved: bool) -> Tensor:
    """Unit vectors (n, 3) towards the outermost pixels' corners."""
    last_f, last_s = place.pixels_f, place.pixels_s
    along_f = torch.arange(last_f + 1, dtype=torch.float64, device="cpu") - 0.5
    along_s = torch.arange(last_s + 1, dtype=torch.float64, device="cpu") - 0.5
    fast = torch.cat((along_f, along_f, torch.full_like(along_s, -0.5), torch.full_like(along_s, last_f - 0.5)))
    slow = torch.cat((torch.full_like(along_f, -0.5), torch.full_like(along_f, last_s - 0.5), along_s, along_s))
    nothing = torch.zeros((), dtype=torch.float64, device="cpu")
    positions = detector.pixel_position(place, slow, fast, (0, 0), 1, nothing, curved).T
    return positions / torch.sqrt(dot(positions, positions))[:, None]
