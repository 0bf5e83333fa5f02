"""From directions to the scattering vector, its resolution, and the Miller indices. Source: model section 7."""

from __future__ import annotations

import torch
from torch import Tensor


def scattering_vector(diffracted: Tensor, incident: Tensor, wavelength_m: Tensor) -> Tensor:
    """q = (d − i)/λ in m⁻¹, for directions (3, P) and incident directions that broadcast with them, such as (3, 1)."""
    return (diffracted - incident) / wavelength_m


def is_resolved(q: Tensor, dmin_m: float) -> Tensor:
    """(P,) booleans: False where the resolution 1/|q| is finer than dmin and the source is skipped."""
    stol = 0.5 * torch.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2])
    return ~((stol > 0) & (dmin_m > 0.5 / stol))


def miller_indices(real_m: Tensor, q: Tensor) -> Tensor:
    """(3, K, P) fractional h, k, l: real-space vectors (3 of a b c, 3 of x y z, K, 1) in m times q (3, P) in m⁻¹.

    More dimensions may stand after the first of q and after the second of the vectors, and broadcast.
    """
    return real_m[:, 0] * q[0] + real_m[:, 1] * q[1] + real_m[:, 2] * q[2]


def nearest(hkl: Tensor) -> Tensor:
    """The nearest integers, by ceil(x − 0.5): halves go down, unlike round-half-even."""
    return torch.ceil(hkl - 0.5)
