"""SHELX reflection lists (.hkl, format HKLF 4): h k l F² sigma in fixed columns, up to the line 0 0 0.

Columns: three of 4 characters, two of 8, as in the SHELX manual. The cell and symmetry are not in the file, but for
an instruction file that SHELXL appends; they must be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from nanobragg_torch.errors import ExperimentError

INTENSITY_LABEL = "I"
_ROW = re.compile(r"([ \d+-]{3}\d)([ \d+-]{3}\d)([ \d+-]{3}\d)([ \d.+-]{7}[\d.])([ \d.+-]{7}[\d.])([ \d+-]*)\s*")
_LOOKED_AT = 20  # lines
_HEAD = 4096  # characters


def is_hklf4(text: str) -> bool:
    """Are the first lines of this list in the fixed columns of HKLF 4, sigma included?"""
    lines = text[:_HEAD].splitlines()
    if len(text) >= _HEAD:
        del lines[-1]  # may be cut
    rows = []
    for line in lines[:_LOOKED_AT]:
        rows.append(_ROW.fullmatch(line))
        if rows[-1] is not None and _is_end(rows[-1]):
            break
    return bool(rows) and all(row is not None and "." in row[4] and "." in row[5] for row in rows)


def rows_of_hklf4(text: str, where: str) -> Iterator[tuple[int, int, int, float, float]]:
    """h k l F² sigma of each line up to 0 0 0; ExperimentError has the number of an invalid line."""
    for number, line in enumerate(text.splitlines(), start=1):
        row = _ROW.fullmatch(line)
        if row is None:
            if not line.strip():
                return
            raise ExperimentError(
                f"{where}, line {number}: {line[:40]!r}, expected h k l F² sigma in columns 4 4 4 8 8"
            )
        if _is_end(row):
            return
        yield int(row[1]), int(row[2]), int(row[3]), float(row[4]), float(row[5])


def read_hklf4(text: str, where: str) -> np.ndarray:
    """The rows (n, 5) of a list; ExperimentError where there is none."""
    rows = np.array(list(rows_of_hklf4(text, where)), dtype=np.float64).reshape(-1, 5)
    if not len(rows):
        raise ExperimentError(f"{where} holds no reflections, expected lines of h k l F² sigma")
    return rows


def _is_end(row: re.Match[str]) -> bool:
    return int(row[1]) == int(row[2]) == int(row[3]) == 0
