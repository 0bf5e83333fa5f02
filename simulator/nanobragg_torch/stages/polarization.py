"""The polarisation of the scattered beam. Source: model section 7; Kahn et al., J. Appl. Cryst. 15 (1982) 330."""

from __future__ import annotations

import torch
from torch import Tensor

from nanobragg_torch.rotations import cross, unit


def polarization_factor(kahn: Tensor | None, incident: Tensor, diffracted: Tensor, polar_vec: Tensor) -> Tensor:
    """(1 + cos²2θ − K cos2ψ sin²2θ)/2 for directions `diffracted` (3, P); `incident` and `polar_vec` are (3,).

    `kahn` None leaves out the azimuthal term.
    """
    return factor(kahn, incident, diffracted, None if kahn is None else axes(incident, polar_vec))


def axes(incident: Tensor, polar_vec: Tensor) -> tuple[Tensor, Tensor]:
    """E and B (3,), the directions across the beam along which ψ is counted."""
    B = unit(cross(polar_vec, incident))
    return unit(cross(incident, B)), B


def factor(
    kahn: Tensor | None, incident: Tensor, diffracted: Tensor, across_beam: tuple[Tensor, Tensor] | None
) -> Tensor:
    """The same with the `axes` given, which are needed for the azimuthal term.

    cos 2ψ is taken from the components along E and B themselves rather than through the angle, which has no derivative
    in the direct beam; with no component along either it is 1, as cos(2 atan2(0, 0)) is.
    """
    i, d = incident, diffracted.unbind()
    cos2theta = i[0] * d[0] + i[1] * d[1] + i[2] * d[2]
    square = cos2theta * cos2theta
    if kahn is None or across_beam is None:
        return (1.0 + square) * 0.5
    along_E, along_B = (d[0] * axis[0] + d[1] * axis[1] + d[2] * axis[2] for axis in across_beam)
    across = along_E * along_E + along_B * along_B
    is_zero = across == 0
    one = torch.ones_like(across)
    cos2psi = torch.where(is_zero, one, (along_E**2 - along_B**2) / torch.where(is_zero, one, across))
    return (1.0 + square - kahn * cos2psi * (1.0 - square)) * 0.5
