"""The crystal's vectors: from cell or matrix, through misset, φ and mosaic rotation, real and reciprocal in step.

Rotations act on the reciprocal vectors, and the real ones are rebuilt from them for every slice (one φ, one mosaic
domain), so that a·a*=1 and a·b*=0 hold in each. Source: model section 5; quirks triclinic-cell, misset-90-radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.injected import Use, as_computed
from nanobragg_torch.ops import exact_root
from nanobragg_torch.rotations import angles_from_umat, cross, dot, rotate_axis, rotate_umat, rotate_xyz, umat_from_axis
from nanobragg_torch.settings import CrystalSettings, Vector
from nanobragg_torch.stages.lattice import Count, Counts
from nanobragg_torch.stages.random import Generator, Stream, axis_and_angle_factor, spread_angle

# The smallest volume (Å⁻³): it keeps a flat cell finite.
SMALLEST_VOLUME = 1e-18
# quirk misset-90-radians: the cap of a random orientation was meant in degrees.
RANDOM_MISSET_SPREAD = 90.0


@dataclass(frozen=True)
class Cell:
    """Rows a, b, c (..., 3, 3) in Å, rows a*, b*, c* (..., 3, 3) in Å⁻¹, volume (...) in Å³.

    In the cell at φ=0 (`build_cell`) a*, b*, c* and volume are as the original has them: where `cell` forced the
    lengths they are the exact dual only up to a common factor (2e-5 for a cell 70 80 90 85 95 105).
    """

    real_A: Tensor
    reciprocal_A: Tensor
    volume_A3: Tensor


def reciprocal_from_cell(cell: Tensor) -> tuple[Tensor, Tensor]:
    """(a*, b*, c* as rows (3, 3) in Å⁻¹, V in Å³) of (a b c [Å] α β γ [deg]).

    quirk triclinic-cell: the z component of c* has the direct cell's V/(abc) in the place of the reciprocal one's.
    """
    a, b, c = cell[0], cell[1], cell[2]
    angles = cell[3:] / units.DEG_PER_RAD
    alpha, beta, gamma = angles[0], angles[1], angles[2]
    half = (alpha + beta + gamma) / 2
    skew = torch.abs(torch.sin(half) * torch.sin(half - alpha) * torch.sin(half - beta) * torch.sin(half - gamma))
    V = 2.0 * a * b * c * torch.sqrt(skew)
    a_star = b * c * torch.sin(alpha) / V
    b_star = c * a * torch.sin(beta) / V
    c_star = a * b * torch.sin(gamma) / V
    cos_a, cos_b, cos_g = torch.cos(angles).unbind()
    sin_a, sin_b, sin_g = torch.sin(angles).unbind()
    cos_alpha_star = _cosine((cos_b * cos_g - cos_a) / (sin_b * sin_g))
    cos_beta_star = _cosine((cos_g * cos_a - cos_b) / (sin_g * sin_a))
    cos_gamma_star = _cosine((cos_a * cos_b - cos_g) / (sin_a * sin_b))
    sin_gamma_star = torch.clamp(c * (1.0 / V) / (a_star * b_star), -1.0, 1.0)
    zero = torch.zeros_like(a)
    rows = [
        torch.stack((a_star, zero, zero)),
        b_star * torch.stack((cos_gamma_star, sin_gamma_star, zero)),
        torch.stack(
            (
                c_star * cos_beta_star,
                c_star * (cos_alpha_star - cos_beta_star * cos_gamma_star) / sin_gamma_star,
                c_star * V / (a * b * c * sin_gamma_star),
            )
        ),
    ]
    return torch.stack(rows), V


def _cosine(value: Tensor) -> Tensor:
    return torch.where(value * value > 1.0, torch.ones_like(value), value)


def crosses(rows: Tensor) -> Tensor:
    """b×c, c×a, a×b of three vectors as rows (..., 3, 3)."""
    a, b, c = rows.unbind(-2)
    return cross(torch.stack((b, c, a), -2), torch.stack((c, a, b), -2))


def dual(rows: Tensor, smallest: float = SMALLEST_VOLUME) -> tuple[Tensor, Tensor]:
    """(dual vectors, volume) of three vectors as rows (..., 3, 3): b×c/V and cyclic, V=a·(b×c) guarded from below."""
    across = crosses(rows)
    volume = dot(rows[..., 0, :], across[..., 0, :])
    if smallest > 0.0:
        # A left-handed set keeps its sign; only its size is guarded.
        size = torch.clamp(torch.abs(volume), min=smallest)
        volume = torch.where(volume < 0, -size, size)
    return across / volume[..., None, None], volume


def real_of(reciprocal: Tensor, lengths: Tensor | None, V: Tensor | None) -> tuple[Tensor, Tensor]:
    """(a, b, c in Å as rows (3, 3), volume in Å³) of a*, b*, c*; with the lengths (3,) and volume of a given cell."""
    if lengths is None or V is None:
        real, volume_star = dual(reciprocal)
        return real, 1.0 / volume_star
    # quirk triclinic-cell: the forced lengths hide most of the wrong component of c*.
    # In the order of the original's roundings: a sample can be a whole number of these cells to the last bit.
    across = crosses(reciprocal)
    volume = 1.0 / (1.0 / V)
    return volume * (across * (lengths / V / exact_root.root(dot(across, across)))[:, None]), volume


def build_cell(
    settings: CrystalSettings, wavelength_A: units.Number, misset_rad: Tensor, use: Use = as_computed
) -> Cell:
    """The cell at φ=0, after misset (3,) and with lengths forced to those of `cell` where one is given.

    `use` may put another value in the place of one that is traced.
    """
    like = misset_rad
    lengths = V = None
    reciprocal = None
    if settings.cell is not None:
        cell = units.tensor(settings.cell, like)
        reciprocal, V = reciprocal_from_cell(cell)
        lengths = cell[:3]
    if settings.matrix_per_A is not None:
        matrix = units.tensor(settings.matrix_per_A, like).reshape(3, 3)
        reciprocal = matrix.T * (1.0 / units.tensor(wavelength_A, like))
    assert reciprocal is not None  # settings have one or the other
    reciprocal = rotate_xyz(reciprocal, *misset_rad.unbind())

    real, volume = real_of(reciprocal, lengths, V)
    # a* = V* (b × c) with V* of the cell itself, not of the vectors: they differ where lengths were forced.
    reciprocal = crosses(real) / volume
    other = use_rows(reciprocal, "{}_star_A_inv", use)
    if other is not reciprocal:
        # The cell whose a*, b*, c* these are. V stays as far off its vectors as forced lengths make it.
        off = dot(real[0], crosses(real)[0]) / volume
        across, reciprocal = crosses(other), other
        volume = off * off / dot(other[0], across[0])
        real = across * (volume / off)
    other = use_rows(real, "{}_angstroms", use)
    if other is not real:
        volume = volume * (dual(other)[1] / dual(real)[1])
        real = other
    return Cell(real, reciprocal, use("V_cell_A3", volume))


def use_rows(rows: Tensor, name: str, use: Use) -> Tensor:
    """Vectors of the axes (..., 3 of a b c, 3), each as `use` has it; the very same tensor where nothing changes."""
    old = rows.unbind(-2)
    new = [use(name.format(axis), row) for axis, row in zip("abc", old, strict=True)]
    return rows if all(n is o for n, o in zip(new, old, strict=True)) else torch.stack(new, -2)


def in_metres(real_A: Tensor) -> Tensor:
    """(3 of a b c, 3 of x y z, K, 1) in metres, of vectors (K, 3, 3) in Å."""
    return (real_A / units.A_PER_M).permute(1, 2, 0)[..., None].contiguous()


def plain_lengths(rows: Tensor) -> list[float]:
    """The lengths of three vectors as rows (3, 3), for decisions only; see units.plain."""
    return [math.hypot(*row) for row in rows.detach().tolist()]


def cell_counts(settings: CrystalSettings, real_A: Tensor, beamsize_m: float) -> Counts:
    """(Na, Nb, Nc): from the sample sizes where given (y and z clipped to the beam), else as set; ≥ 1.

    A count that is a tensor, or no whole number, is a 0-dimensional tensor like `real_A`; the others are ints.
    """
    # In metres before the length is taken, as in the original: a size can be a whole number of cells to the last bit.
    edges_m = [[1e-10 * x for x in row] for row in real_A.detach().tolist()]
    lengths_m = [math.sqrt(x * x + y * y + z * z) for x, y, z in edges_m]
    sizes_mm = (settings.sample_x_mm, settings.sample_y_mm, settings.sample_z_mm)
    counts = [_count(number, real_A) for number in (settings.Na, settings.Nb, settings.Nc)]
    for axis, size_mm in enumerate(sizes_mm):
        if size_mm is None or size_mm <= 0:
            continue
        size_m = size_mm / units.MM_PER_M
        if axis > 0 and beamsize_m >= 0:
            size_m = min(size_m, beamsize_m)
        counts[axis] = max(math.ceil(size_m / lengths_m[axis]), 1)
    return counts[0], counts[1], counts[2]


def _count(number: units.Number, like: Tensor) -> Count:
    """A number of cells, at least 1; a number below has no slope."""
    if isinstance(number, Tensor):
        return torch.clamp(units.tensor(number, like).reshape(()), min=1.0)
    if float(number).is_integer():
        return max(int(number), 1)
    return units.tensor(max(number, 1.0), like)


def misset_angles(given_deg: Vector | None, random: Stream | None, like: Tensor) -> Tensor:
    """The misset (3,) in radians: of the flag, or drawn from `random`, or none."""
    if random is not None:
        axis, factor = axis_and_angle_factor(random)
        angle = units.tensor(spread_angle(RANDOM_MISSET_SPREAD, factor), like)
        return angles_from_umat(umat_from_axis(units.tensor(axis, like), angle))
    if given_deg is None:
        return torch.zeros(3, dtype=like.dtype, device=like.device)
    return units.tensor(given_deg, like) / units.DEG_PER_RAD


def mosaic_umats(spread_rad: units.Number, domains: int, seed: int, generator: Generator, like: Tensor) -> Tensor:
    """(domains, 3, 3): one rotation per domain, the first the identity. All domains draw.

    The angles are the original's products of single-precision numbers. Those of a spread that is a tensor are products
    without that rounding, which would make steps of the function whose slope is wanted.
    """
    stream = Stream(generator, seed)
    axes, factors = [], []
    for _ in range(domains):
        axis, factor = axis_and_angle_factor(stream)
        axes.append(axis)
        factors.append(factor if isinstance(spread_rad, Tensor) else spread_angle(spread_rad, factor))
    identity = torch.eye(3, dtype=like.dtype, device=like.device)[None]
    if domains == 1:
        return identity
    angles = torch.tensor(factors, dtype=like.dtype, device=like.device)
    if isinstance(spread_rad, Tensor):
        angles = angles * units.tensor(spread_rad, like)
    umats = umat_from_axis(torch.tensor(axes, dtype=like.dtype, device=like.device), angles)
    return torch.cat((identity, umats[1:]))


def slices(cell: Cell, spindle: Tensor, phi_rad: Tensor, umats: Tensor | None) -> Cell:
    """The cell in each of K slices, φ outermost, mosaic domains inside: fields lead with K.

    `spindle` (3,) is a unit vector, `phi_rad` (Φ,), `umats` (M, 3, 3) or None for no mosaicity (M=1).
    """
    # Not cell.reciprocal_A: where lengths were forced, its V* is not that of its vectors, and rebuilding the real
    # ones from it would not give back a, b, c.
    reciprocal, _ = dual(cell.real_A)
    turned = rotate_axis(reciprocal[None], spindle, phi_rad[:, None])
    if umats is not None:
        turned = rotate_umat(turned[:, None], umats[None, :, None])
    turned = turned.reshape(-1, 3, 3)
    real, _ = dual(turned)
    reciprocal, volume = dual(real, smallest=0.0)
    return Cell(real, reciprocal, volume)
