"""The command `python -m nanobragg_torch.io.xtal`: a crystal file to the text list that the C program reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.hkl import write_hkl
from nanobragg_torch.io.merging import MERGES
from nanobragg_torch.io.xtal import Wanted, load
from nanobragg_torch.progress import of_a_sum


def _parser() -> argparse.ArgumentParser:
    name = "nanobragg_torch.io.xtal"
    parser = argparse.ArgumentParser(name, description="Reflections of a crystal file as lines h k l F.")
    files = "MTZ, structure-factor CIF, SHELX .fcf or .hkl, PDB or CIF coordinates, or one of them .gz"
    parser.add_argument("file", type=Path, help=files)
    parser.add_argument("out", type=Path, help="the list to write")
    parser.add_argument("--column", help="column of amplitudes or intensities")
    parser.add_argument("--d-min-A", type=float, dest="d_min_A", help="resolution of coordinates, in A")
    parser.add_argument("--merge", choices=MERGES, help="average observations of the same reflection")
    parser.add_argument("--crystal", help="_refln.crystal_id to take, where a CIF has several")
    parser.add_argument("--wavelength", help="_refln.wavelength_id to take, where a CIF has several")
    parser.add_argument("--cell", type=float, nargs=6, help="a b c al be ga of a SHELX .hkl, in A and deg")
    parser.add_argument("--space-group", dest="space_group", help="space group of a SHELX .hkl")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Convert a file to a text list; returns the exit code, 2 for what cannot be read or written."""
    words = _parser().parse_args(argv)
    chosen = {"crystal_id": words.crystal, "wavelength_id": words.wavelength}
    try:
        wanted = Wanted(
            words.column,
            lambda: words.d_min_A,
            flag="reflections",
            progress=of_a_sum(words.file.name),
            merge=words.merge,
            chosen={name: value for name, value in chosen.items() if value is not None},
            cell=tuple(words.cell) if words.cell else None,
            space_group=words.space_group,
        )
        loaded = load(words.file, wanted)
        write_hkl(words.out, loaded.reflections)
    except ExperimentError as error:
        print(f"nanobragg_torch.io.xtal: {error}", file=sys.stderr)
        return 2
    for notice in loaded.notices:
        print(f"nanobragg_torch.io.xtal: {words.file.name}: {notice}", file=sys.stderr)
    listed = int(np.isfinite(np.asarray(loaded.reflections.F)).sum())
    print(f"{words.out}: {listed} reflections, {loaded.origin}; -cell {' '.join(f'{x:g}' for x in loaded.cell)}")
    return 0
