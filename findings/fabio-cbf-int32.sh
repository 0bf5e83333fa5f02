#!/usr/bin/env bash
# fabio 2026.6.0, CbfImage.write with int32 pixels: two neighbours that differ by more than 31 bits hold (2147483647 next to -1), or
# a step of exactly -2147483648, are stored as other values, without an error or a warning; fabio itself reads the other
# values back. The same pixels as int64 come back as they were. Byte-offset compression stores differences;
# they overflow in the type of the pixels, and -2147483648 is the mark of a longer number.
#
#     bash findings/fabio-cbf-int32.sh
#
# Output seen:
#     fabio 2026.6.0
#     int32 [2147483647, -1] read back as OTHER VALUES
#     int32 [-2147483648, 5] read back as OTHER VALUES
#     int64 [2147483647, -1] read back as they were
#     int64 [-2147483648, 5] read back as they were
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fabio==2026.6.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import fabio
import numpy as np
from fabio.cbfimage import CbfImage

print("fabio", fabio.version)
as_seen = True
for kind, kept in ((np.int32, False), (np.int64, True)):
    for row in ([2147483647, -1], [-2147483648, 5]):
        pixels = np.array([row, row], dtype=kind)
        path = f"{sys.argv[1]}/image.cbf"
        CbfImage(data=pixels).write(path)
        same = np.array_equal(fabio.open(path).data, pixels)
        print(kind.__name__, row, "read back", "as they were" if same else "as OTHER VALUES")
        as_seen &= same == kept
sys.exit(0 if as_seen else 1)
PYTHON
