"""Three published structures against a direct sum of their own: other symmetry operations, other code.

The sum here writes out all atoms of the cell, counts those in one place once, and knows nothing of site symmetry. That
the entered coordinates are those of the minerals is seen by a bond length of each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from nanobragg_torch.io.xtal import read_reflections

from tests.simulator.crystals import FORM_FACTORS, axes

D_MIN_A = 0.7


@dataclass(frozen=True)
class Site:
    label: str
    element: str
    xyz: tuple[str, str, str]
    U_A2: tuple[float, ...]  # one, or U11 U22 U33 U12 U13 U23


@dataclass(frozen=True)
class Structure:
    """Operations as generators; what the file lists of symmetry is `symmetry`."""

    cell: tuple[float, ...]
    generators: tuple[str, ...]
    symmetry: str
    sites: tuple[Site, ...]
    bond: tuple[str, str, float]
    atoms_in_cell: int


STRUCTURES = {
    # Levien, Prewitt & Weidner, Am. Mineral. 65 (1980) 920; origin on a twofold axis, by the operations.
    "quartz": Structure(
        (4.916, 4.916, 5.4054, 90, 90, 120),
        ("-y,x-y,z+2/3", "x-y,-y,-z"),
        "loop_\n_space_group_symop_operation_xyz\n'x,y,z'\n'y,x,2/3-z'\n'-y,x-y,2/3+z'\n'-x,y-x,1/3-z'\n'y-x,-x,1/3+z'\n"
        "'x-y,-y,-z'\n",
        (
            Site("Si", "Si", ("0.4697", "0.0000", "0.0000"), (0.0066, 0.0051, 0.0060, 0.00255, -0.00015, -0.0003)),
            Site("O", "O", ("0.4135", "0.2669", "0.1191"), (0.0156, 0.0115, 0.0119, 0.0092, -0.0029, -0.0046)),
        ),
        ("Si", "O", 1.605),
        9,
    ),
    # Maslen, Streltsov & Streltsova, Acta Cryst. B49 (1993) 636.
    "calcite": Structure(
        (4.991, 4.991, 17.062, 90, 90, 120),
        ("-y,x-y,z", "y,x,-z+1/2", "-x,-y,-z", "x+2/3,y+1/3,z+1/3"),
        "_symmetry_space_group_name_H-M 'R -3 c'\n",
        (
            Site("Ca1", "Ca", ("0", "0", "0"), (0.0087,)),
            Site("C1", "C", ("0", "0", "0.25"), (0.0082,)),
            Site("O1", "O", ("0.2569", "0", "0.25"), (0.0160,)),
        ),
        ("C1", "O1", 1.282),
        30,
    ),
    # Swaminathan, Craven & McMullan, Acta Cryst. B40 (1984) 300; displacements rounded.
    "urea": Structure(
        (5.565, 5.565, 4.684, 90, 90, 90),
        ("y,-x,-z", "-x+1/2,y+1/2,-z"),
        "_space_group_name_Hall 'P -4 2ab'\n",
        (
            Site("C1", "C", ("0", "0.5", "0.3260"), (0.0147, 0.0147, 0.0065, 0.0001, 0.0, 0.0)),
            Site("O1", "O", ("0", "0.5", "0.5953"), (0.0197, 0.0197, 0.0063, 0.0020, 0.0, 0.0)),
            Site("N1", "N", ("0.1459", "0.6459", "0.1766"), (0.0286, 0.0286, 0.0095, -0.0147, 0.0002, 0.0002)),
            Site("H1", "H", ("0.2575", "0.7575", "0.2827"), (0.04,)),
            Site("H2", "H", ("0.1441", "0.6441", "-0.0380"), (0.04,)),
        ),
        ("C1", "O1", 1.261),
        16,
    ),
}


def affine(text: str) -> tuple[np.ndarray, np.ndarray]:
    """R and t of 'x,y+1/2,-z'."""
    R, t = np.zeros((3, 3)), np.zeros(3)
    for row, part in enumerate(text.split(",")):
        for sign, term in re.findall(r"([+-]?)([xyz]|\d+/\d+)", part):
            factor = -1.0 if sign == "-" else 1.0
            if term in "xyz":
                R[row, "xyz".index(term)] += factor
            else:
                above, below = map(int, term.split("/"))
                t[row] += factor * above / below
    return R, t


def group(generators: tuple[str, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """All products of the generators."""

    def key(R: np.ndarray, t: np.ndarray) -> tuple[int, ...]:
        return (*np.rint(R).astype(int).ravel().tolist(), *(np.rint(t * 24).astype(int) % 24).tolist())

    found = {key(np.eye(3), np.zeros(3)): (np.eye(3), np.zeros(3))}
    fresh = list(found.values())
    while fresh:
        products = [(R @ S, (R @ u + t) % 1.0) for R, t in map(affine, generators) for S, u in fresh]
        fresh = []
        for R, t in products:
            if key(R, t) not in found:
                found[key(R, t)] = (R, t)
                fresh.append((R, t))
    return list(found.values())


def all_atoms(structure: Structure) -> list[tuple[Site, np.ndarray, np.ndarray]]:
    """Every atom of the cell once, with its position and its rotation from the site that is listed."""
    atoms: list[tuple[Site, np.ndarray, np.ndarray]] = []
    for site in structure.sites:
        x = np.array([float(word) for word in site.xyz])
        places: list[np.ndarray] = []
        for R, t in group(structure.generators):
            y = R @ x + t
            if all(np.abs(y - z - np.rint(y - z)).max() > 1e-3 for z in places):
                places.append(y)
                atoms.append((site, y, R))
    return atoms


def direct_sum(structure: Structure, hkl: np.ndarray) -> np.ndarray:
    reciprocal = np.linalg.inv(axes(structure.cell)).T  # rows a*, b*, c*
    s = hkl @ reciprocal
    stol2 = (s * s).sum(1) / 4
    star = np.linalg.norm(reciprocal, axis=1)
    total = np.zeros(len(hkl), dtype=complex)
    for site, y, R in all_atoms(structure):
        k = FORM_FACTORS[site.element]
        f = k[8] + sum(k[2 * i] * np.exp(-k[2 * i + 1] * stol2) for i in range(4))
        if len(site.U_A2) == 1:
            damping = np.exp(-8 * np.pi**2 * site.U_A2[0] * stol2)
        else:
            u11, u22, u33, u12, u13, u23 = site.U_A2
            U = np.array([[u11, u12, u13], [u12, u22, u23], [u13, u23, u33]])
            h = (hkl @ R) * star
            damping = np.exp(-2 * np.pi**2 * np.einsum("ni,ij,nj->n", h, U, h))
        total += f * damping * np.exp(2j * np.pi * (hkl @ y))
    return np.abs(total)


def cif(structure: Structure) -> str:
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_x", *(f"_cell_{name} {x}" for name, x in zip(names, structure.cell, strict=True))]
    lines += [structure.symmetry, "loop_", "_atom_site_label", "_atom_site_type_symbol"]
    lines += [f"_atom_site_fract_{x}" for x in "xyz"] + ["_atom_site_U_iso_or_equiv"]
    for site in structure.sites:
        lines.append(f"{site.label} {site.element} {' '.join(site.xyz)} {np.mean(site.U_A2[:3])}")
    anisotropic = [site for site in structure.sites if len(site.U_A2) == 6]
    if anisotropic:
        lines += ["loop_", "_atom_site_aniso_label"]
        lines += [f"_atom_site_aniso_U_{ij}" for ij in ("11", "22", "33", "12", "13", "23")]
        lines += [f"{site.label} {' '.join(map(str, site.U_A2))}" for site in anisotropic]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_published_structure_against_an_independent_sum(name: str, tmp_path: Path) -> None:
    structure = STRUCTURES[name]
    (tmp_path / "a.cif").write_text(cif(structure))
    reflections, cell = read_reflections(tmp_path / "a.cif", d_min_A=D_MIN_A)
    assert cell == pytest.approx(structure.cell)
    F = np.asarray(reflections.F)
    listed = np.argwhere(np.isfinite(F))
    hkl = listed + np.array(reflections.lowest)
    wanted = direct_sum(structure, hkl)
    assert len(hkl) > 500
    assert np.abs(F[tuple(listed.T)] - wanted).max() < 1e-6 * wanted.max()  # the float32 of gemmi's form factors
    # Nothing to D_MIN_A is left out.
    reach = int(max(structure.cell[:3]) / D_MIN_A) + 1
    grid = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    one_d = np.linalg.norm(grid @ np.linalg.inv(axes(structure.cell)).T, axis=1)
    inside = {tuple(h) for h in grid[(one_d < 0.999999 / D_MIN_A) & (one_d > 0)].tolist()}
    assert inside <= {tuple(h) for h in hkl.tolist()}


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_entered_structures_are_those_of_the_minerals(name: str) -> None:
    structure = STRUCTURES[name]
    atoms = all_atoms(structure)
    assert len(atoms) == structure.atoms_in_cell
    one, other, expected = structure.bond
    ends = [[y for site, y, _ in atoms if site.label == label] for label in (one, other)]
    real = axes(structure.cell)
    lengths = [
        np.linalg.norm((z - y + shift) @ real)
        for y in ends[0][:1]
        for z in ends[1]
        for shift in np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3)
    ]
    assert min(lengths) == pytest.approx(expected, abs=0.004)
