#!/usr/bin/env bash
# fabio 2026.6.0 and the pixel type of SMV (ADSC) files. SMV names it TYPE (unsigned_short, signed_short, unsigned_long, …).
# fabio opens these files with its d*TREK reader, which looks for Data_type only: negative pixels of TYPE=signed_short come
# back as 65535 and so on (a log line reports a fallback to unsigned 16 bits), and 32-bit files are refused ("does not
# match size of image data"). On writing, AdscImage.write stores int32 pixels under "Data_type= long int" without TYPE, so a
# program that reads SMV by TYPE takes them for 16 bits.
#
#     bash findings/fabio-smv-type.sh
#
# Output seen:
#     fabio 2026.6.0
#     signed_short [-1, 2, -300, 4] read as uint16 [65535, 2, 65236, 4]
#     unsigned_long: Size spec in d*TREK header does not match size of image data field [2, 2] != 8
#     AdscImage.write of int32: HEADER_BYTES= 512; Data_type= long int; DIM= 2; SIZE1= 2; SIZE2= 2; BYTE_ORDER= little_endian;
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fabio==2026.6.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import fabio
import numpy as np
from fabio.adscimage import AdscImage

print("fabio", fabio.version)
folder = Path(sys.argv[1])


def smv(type_name: str, pixels: np.ndarray) -> str:
    header = (
        "{\nHEADER_BYTES=512;\nDIM=2;\nBYTE_ORDER=little_endian;\n"
        f"TYPE={type_name};\nSIZE1={pixels.shape[1]};\nSIZE2={pixels.shape[0]};\nPIXEL_SIZE=0.1;\n}}\n"
    )
    path = folder / f"{type_name}.img"
    path.write_bytes(header.encode().ljust(512) + pixels.tobytes())
    return str(path)


image = fabio.open(smv("signed_short", np.array([[-1, 2], [-300, 4]], dtype="<i2")))
print("signed_short [-1, 2, -300, 4] read as", image.data.dtype, image.data.ravel().tolist())
as_seen = image.data.ravel().tolist() == [65535, 2, 65236, 4]
try:
    fabio.open(smv("unsigned_long", np.array([[70000, 2], [3, 4]], dtype="<u4")))
    print("unsigned_long is read")
    as_seen = False
except OSError as error:
    print("unsigned_long:", error)

AdscImage(data=np.array([[70000, 2], [3, 4]], dtype=np.int32), header={}).write(str(folder / "written.img"))
header = (folder / "written.img").read_bytes()[:512].decode("latin-1").split("}")[0]
print("AdscImage.write of int32:", " ".join(header.replace("{", "").split()))
as_seen &= "Data_type= long int" in header and "\nTYPE=" not in header
sys.exit(0 if as_seen else 1)
PYTHON
