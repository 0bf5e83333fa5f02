#!/usr/bin/env bash
# deepdiff 9.1.0: math_epsilon is documented as the absolute difference below which numbers are equal, but numbers that
# differ by more than it are still equal when they agree to a relative 1e-9, because a default relative tolerance is
# applied as well. The larger the numbers, the more it hides: integers too, which compare exactly without the option. A
# limit of 1e-6 accepts 4,000,000,003 photons for 4,000,000,000. A limit of 1e-6 for a sum of 1e12 is a limit of 1,000, and
# no value of the option makes a comparison stricter than 1e-9, a loss of six of the digits of a float64.
#
#     bash findings/deepdiff-hidden-relative.sh
#
# Output seen:
#     deepdiff 9.1.0
#     1000000000.0 against 1000000000.5, math_epsilon 1e-06: equal
#     4000000000 against 4000000003, math_epsilon 1e-06: equal
#     1000000000000.0 against 1000000000999.0, math_epsilon 1e-06: equal
#     1000000000000.0 against 1000000001001.0, math_epsilon 1e-06: differs
#     4000000000 against 4000000003, without the option: differs
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
as_seen = True
cases = [
    (1e9, 1e9 + 0.5, {"math_epsilon": 1e-6}, False),
    (4_000_000_000, 4_000_000_003, {"math_epsilon": 1e-6}, False),
    (1e12, 1e12 + 999, {"math_epsilon": 1e-6}, False),
    (1e12, 1e12 + 1001, {"math_epsilon": 1e-6}, True),
    (4_000_000_000, 4_000_000_003, {}, True),
]
for a, b, option, seen in cases:
    differs = bool(DeepDiff(a, b, **option))
    option_text = f"math_epsilon {option['math_epsilon']}" if option else "without the option"
    print(f"{a} against {b}, {option_text}: {'differs' if differs else 'equal'}")
    as_seen &= differs == seen
sys.exit(0 if as_seen else 1)
PYTHON
