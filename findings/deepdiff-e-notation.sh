#!/usr/bin/env bash
# deepdiff 9.1.0: significant_digits with number_format_notation="e" is not a number of significant digits for small
# numbers. The number is rounded to that many decimal places before it is written in e notation, so everything below half
# of 10^-digits becomes 0 and compares equal: with 6 digits, 1e-10 equals 4e-7. Numbers of 1 and more are compared as the
# name says. In SI units most quantities of a diffraction experiment (wavelength 1e-10 m, cross sections 1e-30 m^2) lie
# below that.
#
#     bash findings/deepdiff-e-notation.sh
#
# Output seen:
#     deepdiff 9.1.0
#     1e-10 against 2e-10, 6 digits: equal
#     1e-10 against 4e-07, 6 digits: equal
#     1.0 against 1.00001, 6 digits: differs
#     10000000000.0 against 10000100000.0, 6 digits: differs
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepdiff==9.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import deepdiff
from deepdiff import DeepDiff

print("deepdiff", deepdiff.__version__)
pairs = {(1e-10, 2e-10): False, (1e-10, 4e-7): False, (1.0, 1.00001): True, (1e10, 1.00001e10): True}
as_seen = True
for (a, b), seen in pairs.items():
    differs = bool(DeepDiff(a, b, significant_digits=6, number_format_notation="e"))
    print(f"{a} against {b}, 6 digits: {'differs' if differs else 'equal'}")
    as_seen &= differs == seen
sys.exit(0 if as_seen else 1)
PYTHON
