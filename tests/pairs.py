"""Command lines with unusual combinations of flags, and the results of the original.

Two sources, as in tests/golden.py: all of them in `../shared/golden/pairs` where that folder is, and a committed few.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.golden import COMMITTED, GOLDEN

PAIRS = GOLDEN / "pairs"
COMMITTED_PAIRS = COMMITTED / "pairs"

# Lines of the original's log that the programs leave out, and why; docs/formats.md says the same.
NOT_PRINTED = (
    "nanoBragg nanocrystal diffraction simulator",  # its title
    "reading ",  # what it is about to do; a file that cannot be read is an error of ours
    "mmap(",  # an address
    "counting entries in ",
    "re-reading ",
    "initializing to default_F",
    "done initializing",
    "writing ",  # names of files
)
# The simulator does not follow the order of pixels, so it does not know which step left the grid first.
NOT_PRINTED_BY_SIMULATOR = (*NOT_PRINTED, "WARNING: out of range for three point", "WARNING: further warnings")
# Printed with 25 digits, of which a double has 16; two of them are differences that lose one or two.
ALL_DIGITS = re.compile(r"((?:sin|cos)\(\w+_star\) +=) (\S+)")
ALL_DIGITS_REL, ALL_DIGITS_ABS = 1e-13, 1e-15


@dataclass(frozen=True)
class PairCase:
    id: str
    args: tuple[str, ...]
    has_state_leak: bool
    header: str
    log: str
    folder: Path
    """Where the figures are."""

    @functools.cached_property
    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """The float32 image and the SMV pixels."""
        arrays = _arrays(self.folder)
        return arrays[self.id], arrays[f"{self.id}__int"]


@functools.cache
def _arrays(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "images.npz") as images:
        return dict(images)


def pair_cases(folder: Path) -> dict[str, PairCase]:
    """The cases of a folder by id; none where it is not there."""
    if not folder.is_dir():
        return {}
    return {
        e["id"]: PairCase(e["id"], tuple(e["args"]), e["state_leak_changes_image"], e["smv_header"], e["log"], folder)
        for e in json.loads((folder / "cases.json").read_text())
    }


def log_faults(printed: str, golden: str, not_printed: tuple[str, ...] = NOT_PRINTED) -> list[str]:
    """The first lines that differ, once those that are not printed are taken out of the golden log."""
    wanted = [line for line in golden.splitlines() if line and not line.startswith(not_printed)]
    got = [line for line in printed.splitlines() if line and not line.startswith(not_printed)]
    faults = [f"{a!r}, golden {b!r}" for a, b in zip(got, wanted, strict=False) if not _same(a, b)]
    if len(got) != len(wanted):
        faults.append(f"{len(got)} lines, golden {len(wanted)}")
    return faults[:3]


def _same(line: str, golden: str) -> bool:
    a, b = ALL_DIGITS.fullmatch(line), ALL_DIGITS.fullmatch(golden)
    if a is None or b is None:
        return line == golden
    x, y = float(a[2]), float(b[2])
    return a[1] == b[1] and abs(x - y) <= max(ALL_DIGITS_REL * abs(y), ALL_DIGITS_ABS)


def smv_faults(path: Path, case: PairCase, *, with_places: bool = True) -> list[str]:
    """What is wrong with an SMV file: its header, which must be valid whatever the original did, and its pixels."""
    data = path.read_bytes()
    header = data[:512].decode("latin-1").rstrip(" ")
    faults = []
    if not header.endswith("\n}\f"):
        faults.append("the header has no end in its 512 bytes")
    lines = header.splitlines()
    golden = case.header.splitlines()
    if len(case.header) <= 512 and lines != golden:
        faults.append(f"header {lines}, golden {golden}")
    if [line for line in golden if line in lines] != lines:
        faults.append(f"lines of the header that the golden one lacks: {set(lines) - set(golden)}")
    pixels = np.frombuffer(data[512:], np.uint16)
    if pixels.size != case.images[1].size:
        return [*faults, f"{pixels.size} pixels, golden {case.images[1].size}"]
    differing = int((pixels != case.images[1].ravel()).sum())
    if with_places and differing:
        faults.append(f"{differing} SMV pixels differ")
    return faults
