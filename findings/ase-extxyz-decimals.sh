#!/usr/bin/env bash
# ASE 3.29.0, extended XYZ, the usual exchange format for atoms, energies and forces: what belongs to an atom (positions,
# forces, charges, any array) is written with eight decimal places, whatever its size; what belongs to the frame (energy,
# cell, stress, any entry of `info`) is written in full, in the same file. After writing and reading, the energy is equal
# to the last bit, a position is off by up to 5e-9, a force of 2.6e-9 is 0, and an array of values below 5e-9 is all zeros.
# Two programs that exchange frames for a comparison of forces thus agree absolutely to 5e-9 at best, and not at all in
# units in which forces are small.
#
#     bash findings/ase-extxyz-decimals.sh
#
# Output seen:
#     ase 3.29.0
#     energy, difference: 0
#     cell, largest difference: 0
#     positions, largest difference: 4.4e-09
#     force along y, written 2.6e-09, read 0
#     array of 1e-10 and 4e-09, read as [0. 0.]
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ase==3.29.0 numpy==2.4.6 scipy==1.17.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys

import ase
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

print("ase", ase.__version__)
atoms = Atoms("Ar2", positions=[[0, 0, 0], [1.1234567856, 0.5, 0]], cell=[10, 10, 10.123456789012345], pbc=True)
forces = np.array([[0.1, 2.6e-9, 0], [-0.1, -2.6e-9, 0]])
atoms.calc = SinglePointCalculator(atoms, energy=-0.0009836550101146016, forces=forces)
atoms.arrays["small"] = np.array([1e-10, 4e-9])
write("frame.xyz", atoms, format="extxyz")
again = read("frame.xyz")

energy = again.get_potential_energy() - atoms.get_potential_energy()
cell = abs(again.cell.array - atoms.cell.array).max()
position = abs(again.positions - atoms.positions).max()
force = again.get_forces()[0, 1]
small = again.arrays["small"]
print(f"energy, difference: {energy:g}")
print(f"cell, largest difference: {cell:g}")
print(f"positions, largest difference: {position:.2g}")
print(f"force along y, written {forces[0, 1]:g}, read {force:g}")
print(f"array of 1e-10 and 4e-09, read as {small}")
sys.exit(0 if energy == 0 and cell == 0 and 1e-9 < position < 5e-9 and force == 0 and not small.any() else 1)
PYTHON
