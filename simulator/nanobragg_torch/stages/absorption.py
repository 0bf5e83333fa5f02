"""The share of photons that one layer of the sensor stops. Source: model section 7."""

from __future__ import annotations

import torch
from torch import Tensor

from nanobragg_torch.units import Number


def capture_fraction(
    layer: Number, layer_depth_m: Tensor, mu_per_m: Tensor, odet: Tensor, diffracted: Tensor
) -> Tensor:
    """exp(−tΔμ/ρ) − exp(−(t+1)Δμ/ρ) with ρ=d·o, for layer t and directions (3, P)."""
    parallax = diffracted[0] * odet[0] + diffracted[1] * odet[1] + diffracted[2] * odet[2]
    decay = layer_depth_m * mu_per_m / parallax
    return torch.exp(-layer * decay) - torch.exp(-(layer + 1) * decay)
