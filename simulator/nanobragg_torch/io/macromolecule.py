"""Atoms of PDB files and macromolecular CIF: Cartesian coordinates of the first model, with its strict NCS copies.

Occupancies are taken as they are: in these files an atom on a symmetry element has its part of the occupancy.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.atoms import Atoms, checked, left_out, named
from nanobragg_torch.io.cif_items import Items

_CHARGE = re.compile(r"\s{2}|\d[+-]|[+-]\d")
_ELEMENT = re.compile(r"\s{2}|\s[A-Za-z]|[A-Za-z]{2}|[A-Za-z]\s")
_REMARK_290 = re.compile(r"^REMARK 290\s+\d+555\s+(\S+)\s*$", re.MULTILINE)


def without_old_columns(text: str) -> tuple[str, int]:
    """PDB text without what files before 1996 have in columns 73-80 (an entry's code and line numbers).

    It is there where columns 77-80 are not element and charge. The second value counts the lines.
    """
    lines = text.splitlines()
    changed = 0
    for n, line in enumerate(lines):
        if line.startswith(("ATOM", "HETATM", "ANISOU")) and line[72:80].strip():
            tail = line[72:80].ljust(8)
            if not (_ELEMENT.fullmatch(tail[4:6]) and _CHARGE.fullmatch(tail[6:8])):
                lines[n] = line[:72]
                changed += 1
    return "\n".join(lines) + "\n", changed


def operations_of_remark_290(text: str) -> list[str]:
    """The operations that a PDB file lists."""
    return _REMARK_290.findall(text)


def refuse_other_displacements(items: Items, where: str) -> None:
    """ExperimentError for thermal parameters of a macromolecular CIF that gemmi does not read."""
    for names, instead in (
        (("atom_site_u_iso_or_equiv",), "atom_site_b_iso_or_equiv"),
        (("atom_site_anisotrop_b[1][1]", "atom_site_aniso_b[1][1]"), "atom_site_anisotrop_u[1][1]"),
        (("atom_site_aniso_u[1][1]",), "atom_site_anisotrop_u[1][1]"),
    ):
        for name in names:
            if items.has(name) and not items.has(instead):
                raise ExperimentError(
                    f"{where}: {items.spelling(name)} holds thermal parameters that are not understood, expected "
                    "_atom_site.B_iso_or_equiv and _atom_site_anisotrop.U"
                )


def atoms_of_structure(structure: Any, gemmi: Any, where: str, flag: str) -> Atoms:
    """The atoms of the first model of gemmi's Structure and of its strict NCS copies that are not in the file."""
    if not len(structure):
        raise ExperimentError(f"{where} holds no atoms")
    names, elements, positions, values, tensors = [], [], [], [], []
    unknown, dummies = [], []
    for site in structure[0].all():
        atom = site.atom
        name = f"{site.chain.name}/{site.residue.seqid}/{atom.name}"
        position = atom.pos.tolist()
        if atom.calc_flag == gemmi.CalcFlag.Dummy:
            dummies.append(name)
        elif not np.isfinite(position).all():
            unknown.append(name)
        else:
            names.append(name)
            elements.append(atom.element.name)
            positions.append(position)
            values.append((atom.occ, atom.b_iso))
            tensors.append(atom.aniso.as_mat33().tolist() if atom.aniso.nonzero() else np.zeros((3, 3)))
    notices = left_out(unknown, "without coordinates") + left_out(dummies, "with the calc_flag dum")
    frac = np.array(structure.cell.frac.mat.tolist())
    shift = np.array(structure.cell.frac.vec.tolist())
    cartesian = np.array(positions).reshape(len(names), 3)
    numbers = np.array(values).reshape(len(names), 2)
    U = np.array(tensors).reshape(len(names), 3, 3)
    numbers[:, 0] = np.where(np.isnan(numbers[:, 0]), 1.0, numbers[:, 0])
    if len(still := [names[n] for n in np.flatnonzero(np.isnan(numbers[:, 1]) & ~U.any(axis=(1, 2)))]):
        notices.append(f"atoms without thermal parameters, taken as 0: {named(still)}")
        numbers[:, 1] = np.nan_to_num(numbers[:, 1])
    copies = [(np.eye(3), np.zeros(3))]
    copies += [(np.array(op.tr.mat.tolist()), np.array(op.tr.vec.tolist())) for op in structure.ncs if not op.given]
    if len(copies) > 1:
        notices.append(f"{len(copies) - 1} strict NCS copies of {len(names)} atoms are summed too")
    atoms = Atoms(
        tuple(names) * len(copies),
        tuple(elements) * len(copies),
        np.concatenate([(cartesian @ R.T + t) @ frac.T + shift for R, t in copies]),
        np.tile(numbers[:, 0], len(copies)),
        np.tile(np.where(U.any(axis=(1, 2)), 0.0, numbers[:, 1]), len(copies)),
        np.concatenate([(frac @ R) @ U @ (frac @ R).T for R, _ in copies]),
        tuple(notices),
    )
    return checked(atoms, where, flag)
