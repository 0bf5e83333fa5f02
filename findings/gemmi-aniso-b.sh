#!/usr/bin/env bash
# gemmi 0.7.5, read_small_structure: anisotropic displacements given as B values (_atom_site_aniso_B_11 and so on, standard
# CIF items like the U ones) are dropped without a warning. The same atom with _atom_site_aniso_U_ij has its tensor. The
# isotropic B value of the same file is read and converted to U, so the structure looks complete. Structure factors at high
# angle then lack the anisotropy: the reflection here (0 0 8), d = 1 Å, comes out 2.2 times too large.
#
#     bash findings/gemmi-aniso-b.sh
#
# Output seen:
#     gemmi 0.7.5
#     U items: tensor [0.02, 0.02, 0.08, 0.0, 0.0, 0.0], |F(0 0 8)| 2.37
#     B items: tensor [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], |F(0 0 8)| 5.22
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gemmi==0.7.5
"$folder/venv/bin/python" - <<'PYTHON'
import math
import sys

import gemmi

print("gemmi", gemmi.__version__)
u = (0.02, 0.02, 0.08)


def structure(kind: str) -> gemmi.SmallStructure:
    scale = 8 * math.pi**2 if kind == "B" else 1.0
    tensor = " ".join(f"{scale * value:.8f}" for value in u) + " 0 0 0"
    items = "\n".join(f"_atom_site_aniso_{kind}_{ij}" for ij in ("11", "22", "33", "12", "13", "23"))
    text = f"""data_one_atom
_cell_length_a 10
_cell_length_b 10
_cell_length_c 8
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_{kind}_iso_or_equiv
Fe1 Fe 0 0 0 {scale * 0.04:.8f}
loop_
_atom_site_aniso_label
{items}
Fe1 {tensor}
"""
    return gemmi.make_small_structure_from_block(gemmi.cif.read_string(text).sole_block())


found = {}
for kind in ("U", "B"):
    small = structure(kind)
    factor = abs(gemmi.StructureFactorCalculatorX(small.cell).calculate_sf_from_small_structure(small, (0, 0, 8)))
    tensor = small.sites[0].aniso.elements_pdb()
    found[kind] = any(tensor)
    print(f"{kind} items: tensor {[round(value, 6) for value in tensor]}, |F(0 0 8)| {factor:.2f}")
sys.exit(0 if found == {"U": True, "B": False} else 1)
PYTHON
