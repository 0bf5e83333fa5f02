#!/usr/bin/env bash
# deepdiff 9.1.0 with pandas 3.1.1: DeepDiff compares two DataFrames by their column names only, because it takes the frame
# for an iterable of names. Frames of the same columns with other values, other lengths or another index are reported as
# equal, also inside a dictionary or a list. A Series and a NumPy array are compared by value. A regression test that diffs
# a dictionary of results passes on any change of the table in it.
#
#     bash findings/deepdiff-data-frame.sh
#
# Output seen:
#     deepdiff 9.1.0, pandas 3.1.1
#     other values: {}
#     other number of rows: {}
#     in a dictionary: {}
#     the same values as a Series: values_changed
#     the same values as an array: values_changed
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepdiff==9.1.0 pandas==3.1.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import deepdiff
import pandas as pd
from deepdiff import DeepDiff

print(f"deepdiff {deepdiff.__version__}, pandas {pd.__version__}")
frame = pd.DataFrame({"F_cell": [1.0, 2.0, 3.0]})
other = frame * 1e6
blind = {
    "other values": DeepDiff(frame, other),
    "other number of rows": DeepDiff(frame, frame.iloc[:1]),
    "in a dictionary": DeepDiff({"table": frame}, {"table": other}),
}
seen = {
    "the same values as a Series": DeepDiff(frame.F_cell, other.F_cell),
    "the same values as an array": DeepDiff(frame.F_cell.to_numpy(), other.F_cell.to_numpy()),
}
for what, difference in {**blind, **seen}.items():
    print(f"{what}: {', '.join(difference) or difference}")
sys.exit(0 if not any(blind.values()) and all(seen.values()) else 1)
PYTHON
