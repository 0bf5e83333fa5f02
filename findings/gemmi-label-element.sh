#!/usr/bin/env bash
# gemmi 0.7.5, read_small_structure: in a CIF without _atom_site_type_symbol the first two letters of the label become the
# element wherever they are an element's symbol. The hydrogen HO1 of a hydroxyl group is read as holmium, the carbon CO2 as
# cobalt, the nitrogen NB2 as niobium. A label whose two letters are no symbol (OH1, OA) becomes "X", which scatters
# nothing. There is no warning. CIF asks only that labels begin with the element; mineral databases use such names.
#
#     bash findings/gemmi-label-element.sh
#
# Output seen:
#     gemmi 0.7.5
#     HO1:Ho CO2:Co NB2:Nb OH1:X OA:X O1:O FE1:Fe
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gemmi==0.7.5
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import gemmi

print("gemmi", gemmi.__version__)
labels = ("HO1", "CO2", "NB2", "OH1", "OA", "O1", "FE1")
atoms = "\n".join(f"{label} 0.{place} 0 0" for place, label in enumerate(labels, 1))
text = f"""data_labels
_cell_length_a 10
_cell_length_b 10
_cell_length_c 10
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
{atoms}
"""
small = gemmi.make_small_structure_from_block(gemmi.cif.read_string(text).sole_block())
elements = {site.label: site.element.name for site in small.sites}
print(" ".join(f"{label}:{element}" for label, element in elements.items()))
seen = {"HO1": "Ho", "CO2": "Co", "NB2": "Nb", "OH1": "X", "OA": "X", "O1": "O", "FE1": "Fe"}
sys.exit(0 if elements == seen else 1)
PYTHON
