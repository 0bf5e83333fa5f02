"""Physical constants, unit conversions, and the step from a setting to a tensor.

Source: model section 1. The conversions divide where the original divides, so that the last bit agrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch

Number: TypeAlias = "float | torch.Tensor"

R_E_SQR_M2 = 7.94079248018965e-30  # Thomson cross section
AVOGADRO_PER_MOL = 6.02214179e23
HC_EV_A = 12398.42  # energy[eV] * wavelength[A]
DEFAULT_FLUENCE_PER_M2 = 125932015286227086360700780544.0
WATER_F_ELECTRONS = 2.57
WATER_G_PER_MOL = 18.0
ROUND_CORRECTION = 0.723601254558268
SOURCE_DISTANCE_M = 10.0
DEG_PER_RAD = 180.0 * (1.0 / math.pi)
A_PER_M = 1e10
MM_PER_M = 1000.0
UM_PER_M = 1e6


def deg(angle_deg: Number) -> Number:
    """Degrees to radians, by the original's division."""
    return angle_deg / DEG_PER_RAD


def mm(length_mm: Number) -> Number:
    """Millimetres to metres."""
    return length_mm / MM_PER_M


def um(length_um: Number) -> Number:
    """Micrometres to metres."""
    return length_um / UM_PER_M


def angstrom(length_A: Number) -> Number:
    """Angstroms to metres."""
    return length_A / A_PER_M


def plain(value: Number) -> float:
    """The value as a Python float, for decisions only (counts, branches): no gradient passes through it."""
    import torch

    return float(value.detach() if isinstance(value, torch.Tensor) else value)


def tensor(value: Number | Sequence[Number], like: torch.Tensor) -> torch.Tensor:
    """A number, tensor or (nested) sequence of them, in the dtype and on the device of `like`.

    Gradients pass through: what is a tensor stays connected, a sequence is stacked.
    """
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(dtype=like.dtype, device=like.device)
    if not has_tensor(value):
        return torch.tensor(value, dtype=like.dtype, device=like.device)
    assert not isinstance(value, float | int)
    return torch.stack([tensor(entry, like) for entry in value])


def has_tensor(value: Number | Sequence[Number]) -> bool:
    """Is it made of tensors, so that gradients may pass through it?"""
    import torch

    if isinstance(value, float | int):
        return False
    return isinstance(value, torch.Tensor) or any(has_tensor(entry) for entry in value)
