"""Rotations of 3-vectors: about the laboratory axes, about an axis, by a matrix.

Vectors lie along the last dimension, leading dimensions broadcast. All are right-handed. Source: model section 2.
"""

from __future__ import annotations

import torch
from torch import Tensor


def unit(v: Tensor) -> Tensor:
    """v/|v| along the last dimension; the zero vector stays zero, with a finite gradient."""
    square = (v * v).sum(-1, keepdim=True)
    is_zero = square == 0
    length = torch.sqrt(torch.where(is_zero, torch.ones_like(square), square))
    return torch.where(is_zero, torch.zeros_like(v), v / length)


def dot(u: Tensor, v: Tensor) -> Tensor:
    """u·v along the last dimension, summed in the order x, y, z."""
    (ux, uy, uz), (vx, vy, vz) = u.unbind(-1), v.unbind(-1)
    return ux * vx + uy * vy + uz * vz


def cross(u: Tensor, v: Tensor) -> Tensor:
    """u × v along the last dimension, leading dimensions broadcast."""
    (ux, uy, uz), (vx, vy, vz) = u.unbind(-1), v.unbind(-1)
    return torch.stack((uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx), -1)


def rotate_xyz(v: Tensor, x_rad: Tensor, y_rad: Tensor, z_rad: Tensor) -> Tensor:
    """Rotate v (..., 3) about laboratory x, then y, then z; angles are 0-dimensional."""
    vx, vy, vz = v.unbind(-1)
    c, s = torch.cos(x_rad), torch.sin(x_rad)
    vy, vz = vy * c - vz * s, vy * s + vz * c
    c, s = torch.cos(y_rad), torch.sin(y_rad)
    vx, vz = vx * c + vz * s, vz * c - vx * s
    c, s = torch.cos(z_rad), torch.sin(z_rad)
    vx, vy = vx * c - vy * s, vx * s + vy * c
    return torch.stack((vx, vy, vz), -1)


def rotate_axis(v: Tensor, axis: Tensor, angle_rad: Tensor) -> Tensor:
    """Rodrigues: v (..., 3) about `axis` (..., 3), taken as given, by `angle_rad` (...), broadcast."""
    angle = angle_rad[..., None]
    c, s = torch.cos(angle), torch.sin(angle)
    along = dot(axis, v)[..., None]
    return axis * along * (1.0 - c) + v * c + cross(axis, v) * s


def rotate_umat(v: Tensor, umat: Tensor) -> Tensor:
    """U v for v (..., 3) and U (..., 3, 3), leading dimensions broadcast."""
    return torch.stack([dot(umat[..., row, :], v) for row in range(3)], -1)


def umat_from_axis(axis: Tensor, angle_rad: Tensor) -> Tensor:
    """The rotation matrices (..., 3, 3) about unit axes (..., 3) by angles (...)."""
    columns = torch.eye(3, dtype=axis.dtype, device=axis.device)
    rotated = rotate_axis(columns, axis[..., None, :], angle_rad[..., None])
    return rotated.transpose(-1, -2)


def angles_from_umat(umat: Tensor) -> Tensor:
    """The angles (..., 3) about x, y, z that `rotate_xyz` needs to repeat U (..., 3, 3); model section 9."""
    x = torch.atan2(umat[..., 2, 1], umat[..., 2, 2])
    y = torch.atan2(-umat[..., 2, 0], torch.sqrt(umat[..., 2, 1] ** 2 + umat[..., 2, 2] ** 2))
    z = torch.atan2(umat[..., 1, 0], umat[..., 0, 0])
    return torch.stack((x, y, z), -1)
