#!/usr/bin/env bash
# h5diff 1.10.8 (hdf5-tools of Debian 12) ends with exit code 0, "no differences", for datasets that differ in two ways.
# With a relative tolerance (-p) an infinite value in the first file agrees with every number in the second one, without
# output: infinity divided by infinity is a NaN, which is not above the tolerance. With an absolute tolerance (-d), without
# one, or with the files swapped, the same values differ. And datasets of another shape, or of signed against unsigned
# integers, are "not comparable": a line on standard output, no comparison, exit code 0. A check of detector images by exit
# code passes when a port writes an image of another size, or any value where the reference overflowed.
#
#     bash findings/h5diff-exit-code.sh
#
# Output seen:
#     h5diff: Version 1.10.8
#     inf against 1, -p 1e-6: exit code 0
#     inf against 1: exit code 1
#     inf against 1, -d 1e-6: exit code 1
#     1 against inf, -p 1e-6: exit code 1
#     3 pixels against 4: exit code 0
#     unsigned 0 against signed -1: exit code 0
#
# Exit code 0 while it is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check h5py==3.16.0 numpy==2.4.6
cd "$folder"
apt-get download -qq hdf5-tools=1.10.8+repack1-1 libhdf5-103-1=1.10.8+repack1-1 libsz2 libaec0 libcurl4 2>/dev/null
for package in *.deb; do dpkg -x "$package" debian; done
LD_LIBRARY_PATH=$(echo debian/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH
venv/bin/python - <<'PYTHON'
import h5py
import numpy as np

images = {
    "infinite": np.array([np.inf, 1.0]),
    "finite": np.array([1.0, 1.0]),
    "three": np.full(3, 1.0),
    "four": np.full(4, 2.0),
    "unsigned": np.array([0], np.uint32),
    "signed": np.array([-1], np.int32),
}
for name, image in images.items():
    with h5py.File(f"{name}.h5", "w") as file:
        file["pixels"] = image
PYTHON
debian/usr/bin/h5diff --version
seen=""
difference() {
  local what=$1 code=0
  shift
  debian/usr/bin/h5diff "$@" >/dev/null || code=$?
  echo "$what: exit code $code"
  seen+=$code
}
difference "inf against 1, -p 1e-6" -p 1e-6 infinite.h5 finite.h5
difference "inf against 1" infinite.h5 finite.h5
difference "inf against 1, -d 1e-6" -d 1e-6 infinite.h5 finite.h5
difference "1 against inf, -p 1e-6" -p 1e-6 finite.h5 infinite.h5
difference "3 pixels against 4" three.h5 four.h5
difference "unsigned 0 against signed -1" unsigned.h5 signed.h5
[ "$seen" = 011100 ] || exit 1
