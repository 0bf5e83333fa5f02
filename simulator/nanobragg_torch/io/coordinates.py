"""Structure factors of atoms: direct summation over the unit cell, or for large structures the FFT of their density.

F(h) = sum over all atoms of occupancy · f(s) · T(h) · exp(2πi h·x), with the X-ray form factors f of neutral atoms of
International Tables C (1992), table 6.1.1.4, and the isotropic or anisotropic Debye-Waller factor T. There is no bulk
solvent. F(000) is left out: it scatters only into the direct beam, and measured lists lack it too.

The density is gemmi's, with every atom smoothed by a blur that is divided out again after the FFT (Ten Eyck,
Acta Cryst. A33 (1977) 486). Some reflections are summed directly as well, and their difference is reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.atoms import Atoms
from nanobragg_torch.io.optional import needed
from nanobragg_torch.io.symmetry import Symmetry, asymmetric_indices, expand
from nanobragg_torch.progress import Progress
from nanobragg_torch.settings import Reflections

MOST_TERMS = 50_000_000
"""The largest direct sum, two seconds of one core; larger ones go by FFT."""
_MOST_POINTS = 200_000_000  # of the density's grid, 0.8 GB of single precision
_RATE = 1.5  # grid points per half of the finest spacing
_CUTOFF = 1e-5  # of an atom's density, where it ends
_CHECKED = 50  # reflections summed directly to check an FFT
LARGEST_RMS = 1e-3
"""Relative root mean square difference of FFT and direct sum that is accepted."""
_BLOCK = 2_000_000  # terms at a time
_FEWEST_BLOCKS = 20


@dataclass(frozen=True)
class Reach:
    """Which reflections: up to `d_min_A`, and `beyond` cells of reciprocal space per axis further."""

    d_min_A: float
    beyond: int = 0

    def per_A(self, cell: Any) -> float:
        """1/d of the finest."""
        r = cell.reciprocal()
        return float(1.0 / self.d_min_A + self.beyond * (r.a + r.b + r.c))


@dataclass(frozen=True)
class Crystal:
    """The input of the sum: the atoms, gemmi's cell and the symmetry."""

    atoms: Atoms
    cell: Any
    symmetry: Symmetry


def reflections_of(
    crystal: Crystal, reach: Reach, where: str, flag: str, progress: Progress | None = None
) -> tuple[Reflections, str]:
    """The reflections in P1 on a grid, and how they were summed. Raises ExperimentError."""
    per_A = reach.per_A(crystal.cell)
    spheres = 4 / 3 * math.pi * crystal.cell.volume * per_A**3
    points = spheres * 6 / math.pi * _RATE**3  # of the grid: a box around the sphere of reflections
    if points > _MOST_POINTS:
        raise ExperimentError(
            f"{where} would take a grid of {points:.1e} points to {reach.d_min_A:g} A, the limit is "
            f"{_MOST_POINTS:.0e}: ask for less resolution (-dmin)"
        )
    indices = asymmetric_indices(crystal.cell, crystal.symmetry, 1.0 / per_A, flag)
    if not len(indices):
        raise ExperimentError(f"{where}: no reflection is as coarse as {reach.d_min_A:g} A")
    terms = float(len(indices)) * len(crystal.atoms) * crystal.symmetry.order
    if terms <= MOST_TERMS:
        F, how = np.abs(direct_sum(crystal, indices, flag, progress)), f"direct sum of {terms:.1e} terms"
    else:
        F, how = _by_fft(crystal, indices, 1.0 / per_A, where, flag, progress)
    if not np.isfinite(F).all():
        bad = indices[~np.isfinite(F)][0].tolist()
        raise ExperimentError(f"{where}: the structure factor of {bad} is not a number, expected a finite one")
    return expand(indices, F, crystal.symmetry), how


def _form_factors(atoms: Atoms, flag: str) -> tuple[np.ndarray, np.ndarray]:
    """a1 a2 a3 a4 b1 b2 b3 b4 c of each element that is there (e, 9), and the element of each atom (n,)."""
    gemmi = needed("gemmi", flag)
    names, which = np.unique(np.array(atoms.elements), return_inverse=True)
    return np.array([gemmi.Element(name).it92.get_coefs() for name in names]), which


def direct_sum(crystal: Crystal, indices: np.ndarray, flag: str, progress: Progress | None = None) -> np.ndarray:
    """Complex F (n,) of indices (n, 3), every atom at every place of the cell."""
    atoms = crystal.atoms
    coefficients, which = _form_factors(atoms, flag)
    operations = list(zip(crystal.symmetry.rotations, crystal.symmetry.translations, strict=True))
    stol2 = np.asarray(crystal.cell.calculate_1_d2_array(indices.astype(np.int32))) / 4
    anisotropic = np.flatnonzero(atoms.is_anisotropic)
    U = atoms.U[anisotropic].reshape(len(anisotropic), 9)
    F = np.empty(len(indices), dtype=np.complex128)
    block = max(1, min(_BLOCK // len(atoms), -(-len(indices) // _FEWEST_BLOCKS)))
    for start in range(0, len(indices), block):
        part = slice(start, start + block)
        s2, hkl = stol2[part, None], indices[part].astype(np.float64)
        f = sum(
            (c * np.exp(-b * s2) for c, b in zip(coefficients[:, :4].T, coefficients[:, 4:8].T, strict=True)),
            coefficients[:, 8],
        )
        weights = f[:, which] * np.exp(-atoms.B_A2 * s2) * atoms.occupancy
        total = np.zeros(len(hkl), dtype=np.complex128)
        for R, t in operations:
            h = hkl @ R
            phase = (2 * math.pi) * (h @ atoms.xyz.T)
            damped = weights
            if len(anisotropic):
                damped = weights.copy()
                squares = (h[:, :, None] * h[:, None, :]).reshape(len(h), 9)
                damped[:, anisotropic] *= np.exp(-2 * math.pi**2 * (squares @ U.T))
            turned = (damped * np.cos(phase)).sum(1) + 1j * (damped * np.sin(phase)).sum(1)
            total += turned * np.exp(2j * math.pi * (hkl @ t))
        F[part] = total
        if progress is not None:
            progress(min(1.0, (start + block) / len(indices)))
    return F


def _by_fft(
    crystal: Crystal, indices: np.ndarray, d_min_A: float, where: str, flag: str, progress: Progress | None
) -> tuple[np.ndarray, str]:
    """|F| (n,) by FFT, checked against the direct sum of some of them."""
    F = np.abs(fft_sum(crystal, indices, d_min_A, flag, progress))
    chosen = np.random.default_rng(0).permutation(len(indices))[:_CHECKED]
    exact = np.abs(direct_sum(crystal, indices[chosen], flag))
    rms = float(np.sqrt(((F[chosen] - exact) ** 2).sum() / (exact**2).sum()))
    if not rms <= LARGEST_RMS:
        raise ExperimentError(
            f"{where}: the FFT of the density differs from the direct sum by {rms:.1e} (relative RMS), expected "
            f"at most {LARGEST_RMS:g}: ask for less resolution (-dmin)"
        )
    how = "FFT of the density, which differs from the direct sum of"
    return F, f"{how} {len(chosen)} reflections by {rms:.1e} (relative RMS)"


def fft_sum(
    crystal: Crystal, indices: np.ndarray, d_min_A: float, flag: str, progress: Progress | None = None
) -> np.ndarray:
    """Complex F (n,) of indices (n, 3) to `d_min_A`, from the density of all atoms on a grid."""
    gemmi = needed("gemmi", flag)
    atoms, cell = crystal.atoms, crystal.cell
    density = gemmi.DensityCalculatorX()
    density.d_min, density.rate, density.cutoff = d_min_A, _RATE, _CUTOFF
    orthogonal = np.array(gemmi.UnitCell(*cell.parameters).orth.mat.tolist())
    U_A2 = orthogonal @ atoms.U @ orthogonal.T
    narrowest = np.where(atoms.is_anisotropic, 8 * math.pi**2 * np.linalg.eigvalsh(U_A2)[:, 0], atoms.B_A2).min()
    spacing_A = d_min_A / (2 * _RATE)
    density.blur = max(0.0, 8 * math.pi**2 / 1.1 * spacing_A**2 - narrowest)  # gemmi's default for such a grid
    group = gemmi.find_spacegroup_by_ops(crystal.symmetry.operations)
    density.grid.set_unit_cell(gemmi.UnitCell(*cell.parameters))  # without the origin and axes of a PDB file's SCALE
    density.grid.spacegroup = group if group is not None else gemmi.SpaceGroup("P 1")
    density.initialize_grid()
    # For a group in the tables the density of its asymmetric unit is copied; otherwise every atom is added.
    operations = list(zip(crystal.symmetry.rotations, crystal.symmetry.translations, strict=True))
    for n, (R, t) in enumerate(operations if group is None else [(np.eye(3), np.zeros(3))]):
        _put_down(
            density, gemmi, atoms, (atoms.xyz @ R.T + t) @ orthogonal.T, (orthogonal @ R) @ atoms.U @ (orthogonal @ R).T
        )
        if progress is not None:
            progress(0.9 * (n + 1) / (len(operations) if group is None else 1))
    if group is not None:
        density.grid.symmetrize_sum()
    transformed = np.array(gemmi.transform_map_to_f_phi(density.grid, half_l=True), copy=False)
    if progress is not None:
        progress(1.0)
    flipped = indices[:, 2] < 0
    half = np.where(flipped[:, None], -indices, indices)
    F = transformed[half[:, 0] % transformed.shape[0], half[:, 1] % transformed.shape[1], half[:, 2]].astype(
        np.complex128
    )
    one_d2 = np.asarray(cell.calculate_1_d2_array(indices.astype(np.int32)))
    return np.asarray(np.where(flipped, F.conj(), F) * np.exp(density.blur * one_d2 / 4))


def _put_down(density: Any, gemmi: Any, atoms: Atoms, positions_A: np.ndarray, U_A2: np.ndarray) -> None:
    """Add the density of the atoms at Cartesian positions (n, 3)."""
    atom = gemmi.Atom()
    elements = {name: gemmi.Element(name) for name in set(atoms.elements)}
    anisotropic = atoms.is_anisotropic.tolist()
    rows = zip(positions_A.tolist(), atoms.elements, atoms.occupancy.tolist(), atoms.B_A2.tolist(), strict=True)
    for n, (position, element, occupancy, B_A2) in enumerate(rows):
        atom.element, atom.pos, atom.occ, atom.b_iso = elements[element], gemmi.Position(*position), occupancy, B_A2
        if anisotropic[n]:
            u = U_A2[n]
            atom.aniso = gemmi.SMat33f(u[0, 0], u[1, 1], u[2, 2], u[0, 1], u[0, 2], u[1, 2])
        elif n and anisotropic[n - 1]:
            atom.aniso = gemmi.SMat33f(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        density.add_atom_density_to_grid(atom)
