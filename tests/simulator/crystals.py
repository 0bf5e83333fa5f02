"""Small crystals and their structure factors by direct summation in NumPy, with symmetry operations written out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemmi
import numpy as np

# International Tables C, 6.1.1.4: a1 b1 a2 b2 a3 b3 a4 b4 c.
FORM_FACTORS = {
    "H": (0.493002, 10.5109, 0.322912, 26.1257, 0.140191, 3.14236, 0.04081, 57.7997, 0.003038),  # bonded
    "Si": (6.2915, 2.4386, 3.0353, 32.3337, 1.9891, 0.6785, 1.541, 81.6937, 1.1407),
    "Ca": (8.6266, 10.4421, 7.3873, 0.6599, 1.5899, 85.7484, 1.0211, 178.437, 1.3751),
    "Fe": (11.7695, 4.7611, 7.3573, 0.3072, 3.5222, 15.3535, 2.3045, 76.8805, 1.0369),
    "C": (2.31, 20.8439, 1.02, 10.2075, 1.5886, 0.5687, 0.865, 51.6512, 0.2156),
    "N": (12.2126, 0.0057, 3.1322, 9.8933, 2.0125, 28.9975, 1.1663, 0.5826, -11.529),
    "O": (3.0485, 13.2771, 2.2868, 5.7011, 1.5463, 0.3239, 0.867, 32.9089, 0.2508),
    "S": (6.9053, 1.4679, 5.2034, 22.2151, 1.4379, 0.2536, 1.5863, 56.172, 0.8669),
}
_I = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def _diagonal(x: int, y: int, z: int) -> tuple[tuple[int, ...], ...]:
    return (x, 0, 0), (0, y, 0), (0, 0, z)


_P21 = [(_I, (0, 0, 0)), (_diagonal(-1, 1, -1), (0, 0.5, 0))]
_C2 = [(_I, (0, 0, 0)), (_diagonal(-1, 1, -1), (0, 0, 0))]
_SCREWS = [
    (_I, (0, 0, 0)),
    (_diagonal(-1, -1, 1), (0.5, 0, 0.5)),
    (_diagonal(-1, 1, -1), (0, 0.5, 0.5)),
    (_diagonal(1, -1, -1), (0.5, 0.5, 0)),
]
_P31 = [
    (_I, (0, 0, 0)),
    (((0, -1, 0), (1, -1, 0), (0, 0, 1)), (0, 0, 1 / 3)),
    (((-1, 1, 0), (-1, 0, 0), (0, 0, 1)), (0, 0, 2 / 3)),
]
CELLS: dict[str, tuple[float, ...]] = {
    "P 1": (11.0, 12.0, 13.0, 85.0, 95.0, 105.0),
    "P 1 21 1": (11.0, 12.0, 13.0, 90.0, 102.0, 90.0),
    "C 1 2 1": (16.0, 9.0, 12.0, 90.0, 98.0, 90.0),
    "P 21 21 21": (11.0, 12.0, 13.0, 90.0, 90.0, 90.0),
    "P 31": (11.0, 11.0, 14.0, 90.0, 90.0, 120.0),
}
OPERATIONS: dict[str, list[Any]] = {
    "P 1": _P21[:1],
    "P 1 21 1": _P21,
    "C 1 2 1": [*_C2, *((R, np.add(t, (0.5, 0.5, 0))) for R, t in _C2)],
    "P 21 21 21": _SCREWS,
    "P 31": _P31,
}
GROUPS = sorted(CELLS)


@dataclass(frozen=True)
class Atom:
    element: str
    xyz_A: tuple[float, float, float]
    B_A2: float
    occupancy: float = 1.0
    u_A2: tuple[float, ...] | None = None  # U11 U22 U33 U12 U13 U23 along the Cartesian axes


ATOMS = (
    Atom("C", (1.234, 2.345, 3.456), 12.5),
    Atom("N", (4.321, 0.987, 7.654), 20.25),
    Atom("O", (7.111, 5.222, 9.333), 8.75, 0.75),
    Atom("S", (3.003, 8.118, 1.229), 15.0, 0.5),
    Atom("S", (5.5, 3.25, 11.125), 19.74, 1.0, (0.2, 0.35, 0.2, 0.05, -0.04, 0.03)),
)


def axes(cell: tuple[float, ...]) -> np.ndarray:
    """Rows a, b, c: a along x, b in the plane of x and y, as coordinate files have it."""
    a, b, c = cell[:3]
    al, be, ga = np.radians(cell[3:])
    cx, cy = np.cos(be), (np.cos(al) - np.cos(be) * np.cos(ga)) / np.sin(ga)
    return np.array(
        [[a, 0, 0], [b * np.cos(ga), b * np.sin(ga), 0], [c * cx, c * cy, c * np.sqrt(1 - cx * cx - cy * cy)]]
    )


def d_A(hkl: np.ndarray, cell: tuple[float, ...]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return 1.0 / np.linalg.norm(hkl @ np.linalg.inv(axes(cell)).T, axis=-1)


def structure_factors(hkl: np.ndarray, group: str, atoms: tuple[Atom, ...] = ATOMS) -> np.ndarray:
    """|F| of indices (n, 3): every atom of the cell, every mate written out."""
    real = axes(CELLS[group])
    reciprocal = np.linalg.inv(real).T
    s = hkl @ reciprocal
    stol2 = (s * s).sum(1) / 4
    F = np.zeros(len(hkl), dtype=complex)
    for atom in atoms:
        k = FORM_FACTORS[atom.element]
        f = k[8] + sum(k[2 * i] * np.exp(-k[2 * i + 1] * stol2) for i in range(4))
        x = np.array(atom.xyz_A) @ np.linalg.inv(real)
        for R, t in OPERATIONS[group]:
            if atom.u_A2 is None:
                damping = np.exp(-atom.B_A2 * stol2)
            else:
                u11, u22, u33, u12, u13, u23 = atom.u_A2
                turn = real.T @ np.array(R) @ np.linalg.inv(real.T)
                U = turn @ np.array([[u11, u12, u13], [u12, u22, u23], [u13, u23, u33]]) @ turn.T
                damping = np.exp(-2 * np.pi**2 * np.einsum("ni,ij,nj->n", s, U, s))
            F += atom.occupancy * f * damping * np.exp(2j * np.pi * (hkl @ (np.array(R) @ x + t)))
    return np.abs(F)


def structure(group: str) -> gemmi.Structure:
    made = gemmi.Structure()
    made.cell = gemmi.UnitCell(*CELLS[group])
    made.spacegroup_hm = group
    residue = gemmi.Residue()
    residue.name, residue.seqid = "LIG", gemmi.SeqId("1")
    for number, wanted in enumerate(ATOMS):
        atom = gemmi.Atom()
        atom.name, atom.element = f"{wanted.element}{number}", gemmi.Element(wanted.element)
        atom.pos, atom.occ, atom.b_iso = gemmi.Position(*wanted.xyz_A), wanted.occupancy, wanted.B_A2
        if wanted.u_A2 is not None:
            atom.aniso = gemmi.SMat33f(*wanted.u_A2)
        residue.add_atom(atom)
    chain = gemmi.Chain("A")
    chain.add_residue(residue)
    model = gemmi.Model(1)
    model.add_chain(chain)
    made.add_model(model)
    made.setup_entities()
    return made


def asymmetric_unit(group: str, d_min_A: float) -> np.ndarray:
    return np.asarray(gemmi.make_miller_array(gemmi.UnitCell(*CELLS[group]), gemmi.SpaceGroup(group), d_min_A))


def write_mtz(path: Path, group: str, hkl: np.ndarray, columns: dict[tuple[str, str], np.ndarray]) -> None:
    """An MTZ of columns (label, type) over indices (n, 3)."""
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup(group)
    mtz.set_cell_for_all(gemmi.UnitCell(*CELLS[group]))
    mtz.add_dataset("data")
    for label, kind in columns:
        mtz.add_column(label, kind)
    mtz.set_data(np.column_stack([hkl, *columns.values()]).astype(np.float32))
    mtz.set_cell_for_all(gemmi.UnitCell(*CELLS[group]))
    mtz.write_to_file(str(path))
