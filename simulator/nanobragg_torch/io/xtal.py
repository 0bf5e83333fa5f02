"""Reflections from the files of crystallography: MTZ, structure-factor CIF, PDB and CIF coordinates, plain or gzipped.

    python -m nanobragg_torch.io.xtal FILE OUT.hkl [--column NAME] [--d-min-A X]

writes the reflections of such a file as the text list that the C program reads. Needs gemmi (extra `[xtal]`).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.columns import Column, choose, cif_type
from nanobragg_torch.io.coordinates import Reach, from_small_structure, from_structure
from nanobragg_torch.io.hkl import write_hkl
from nanobragg_torch.io.optional import needed
from nanobragg_torch.io.symmetry import expand
from nanobragg_torch.io.text import read_bytes
from nanobragg_torch.progress import Progress, of_a_sum
from nanobragg_torch.settings import BeamSettings, DetectorSettings, Reflections
from nanobragg_torch.stages.resolution import finest_A

CellParameters: TypeAlias = "tuple[float, float, float, float, float, float]"
SUFFIXES = (".mtz", ".cif", ".mmcif", ".pdb", ".ent")


@dataclass(frozen=True)
class Loaded:
    """Reflections in P1, the unit cell (Å, deg), and in words where they come from."""

    reflections: Reflections
    cell: CellParameters
    origin: str


@dataclass(frozen=True)
class Wanted:
    """What to take from a file: a column, a resolution for coordinates (asked for only where it is needed)."""

    column: str | None = None
    d_min_A: Callable[[], float | None] = lambda: None
    beyond: int = 0  # how many cells of reciprocal space further coordinates go
    flag: str = "-hkl"
    progress: Progress | None = None  # told the fraction of a sum over atoms that is done


def is_crystal_file(path: Path) -> bool:
    """Does the name say that `load` reads it?"""
    return _suffix(path) in SUFFIXES


def read_reflections(
    path: str | Path, *, column: str | None = None, d_min_A: float | None = None
) -> tuple[Reflections, CellParameters]:
    """Reflections expanded to P1 on a grid, NaN where none is listed, and the unit cell (Å, deg).

    `column` names the column of an MTZ or CIF; without it the amplitudes are looked for. Coordinates are summed up to
    `d_min_A`, which they need. Raises ExperimentError.
    """
    loaded = load(Path(path), Wanted(column=column, d_min_A=lambda: d_min_A, flag="reflections"))
    return loaded.reflections, loaded.cell


def load_for(
    path: Path,
    beam: BeamSettings,
    detector: DetectorSettings,
    dmin_A: float = 0.0,
    *,
    column: str | None = None,
    flag: str = "-hkl",
    progress: Progress | None = None,
) -> Loaded:
    """What a simulation needs of the file: coordinates are summed to `dmin_A`, or for 0 as far as any pixel sees.

    They go two cells further, so that the neighbours which rounding and interpolation look at are there.
    """

    def d_min_A() -> float:
        return dmin_A if dmin_A > 0 else finest_A(beam, detector)

    return load(path, Wanted(column=column, d_min_A=d_min_A, beyond=2, flag=flag, progress=progress))


def load(path: Path, wanted: Wanted) -> Loaded:
    """Read any of the files by its suffix; ExperimentError names the flag and the file."""
    gemmi = needed("gemmi", wanted.flag)
    head = read_bytes(path, wanted.flag)[:512]
    where = f"{wanted.flag}: {path}"
    suffix = _suffix(path)
    # Structure factors of the archive are CIF under the name of a PDB file.
    if suffix in (".pdb", ".ent") and (head.lstrip().startswith(b"data_") or path.name.lower().endswith("sf.ent.gz")):
        suffix = ".cif"
    try:
        if suffix == ".mtz":
            return _from_mtz(gemmi.read_mtz_file(str(path)), wanted, path, where)
        if suffix in (".cif", ".mmcif"):
            return _from_cif(gemmi, gemmi.cif.read(str(path)), wanted, path, where)
        if suffix in (".pdb", ".ent"):
            return _from_coordinates(gemmi.read_pdb(str(path)), from_structure, wanted, path, where)
    except ExperimentError as error:
        raise error if str(error).startswith(where) else ExperimentError(f"{where}: {error}") from None
    except (RuntimeError, ValueError, OSError) as error:
        raise ExperimentError(f"{where} cannot be read: {str(error).splitlines()[0]}") from None
    raise ExperimentError(f"{where} has the suffix {path.suffix!r}, expected {', '.join(SUFFIXES)} (or .gz after it)")


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _from_mtz(mtz: Any, wanted: Wanted, path: Path, where: str) -> Loaded:
    if mtz.batches:
        raise ExperimentError(f"{where} is unmerged, expected merged reflections")
    column = choose([(c.label, c.type) for c in mtz.columns], wanted.column, where)

    def values(label: str) -> np.ndarray:
        return np.asarray(mtz.column_with_label(label).array, dtype=np.float64)

    cell = mtz.get_cell(mtz.column_with_label(column.label).dataset_id)
    return _from_columns(mtz.make_miller_array(), values, column, cell, mtz.spacegroup, path, where)


def _from_cif(gemmi: Any, document: Any, wanted: Wanted, path: Path, where: str) -> Loaded:
    for block in document:
        if block.find_values("_refln.index_h"):
            name = block.name
            found = next(b for b in gemmi.as_refln_blocks(document) if b.block.name == name)
            return _from_loop(found, wanted, path, where)
        if block.find_values("_refln_index_h"):
            return _from_loop(gemmi.hkl_cif_as_refln_block(block), wanted, path, where)
    for block in document:
        if block.find_values("_atom_site.Cartn_x"):
            return _from_coordinates(gemmi.make_structure_from_block(block), from_structure, wanted, path, where)
        if block.find_values("_atom_site_fract_x"):
            small = gemmi.make_small_structure_from_block(block)
            return _from_coordinates(small, from_small_structure, wanted, path, where)
    raise ExperimentError(f"{where} has neither a loop of reflections (_refln) nor atoms (_atom_site)")


def _from_loop(block: Any, wanted: Wanted, path: Path, where: str) -> Loaded:
    column = choose([(label, cif_type(label)) for label in block.column_labels()], wanted.column, where)

    def values(label: str) -> np.ndarray:
        return np.asarray(block.make_float_array(label), dtype=np.float64)

    return _from_columns(block.make_miller_array(), values, column, block.cell, block.spacegroup, path, where)


def _from_columns(
    indices: np.ndarray,
    values: Callable[[str], np.ndarray],
    column: Column,
    cell: Any,
    group: Any,
    path: Path,
    where: str,
) -> Loaded:
    if group is None:
        raise ExperimentError(f"{where} names no space group that is known")
    plus = _amplitudes(values(column.label), column)
    minus = plus if column.minus is None else _amplitudes(values(column.minus), column)
    plus, minus = np.where(np.isnan(plus), minus, plus), np.where(np.isnan(minus), plus, minus)
    there = np.isfinite(plus)
    if not there.any():
        raise ExperimentError(f"{where} has no value in column {column.label}")
    reflections = expand(indices[there].astype(np.int64), plus[there], minus[there], group.operations())
    what = f"the square roots of {column.label}" if column.is_intensity else f"the amplitudes {column.label}"
    return Loaded(reflections, _cell(cell, where), f"{what} of {path.name}, expanded from {group.hm} to P1")


def _amplitudes(values: np.ndarray, column: Column) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0.0)) if column.is_intensity else values


def _from_coordinates(
    structure: Any, summed: Callable[..., Reflections], wanted: Wanted, path: Path, where: str
) -> Loaded:
    cell = _cell(structure.cell, where)
    d_min_A = wanted.d_min_A()
    if d_min_A is None:
        raise ExperimentError(f"{where} holds coordinates: say to which resolution, in A, they are to be summed")
    if not (math.isfinite(d_min_A) and d_min_A > 0):
        raise ExperimentError(f"{where}: the resolution is {d_min_A} A, expected a number above 0")
    reflections = summed(structure, Reach(d_min_A, wanted.beyond), where, wanted.flag, wanted.progress)
    return Loaded(reflections, cell, f"the atoms of {path.name}, summed to {d_min_A:.4g} A")


def _cell(cell: Any, where: str) -> CellParameters:
    if not cell.is_crystal():
        raise ExperimentError(f"{where} has no unit cell")
    a, b, c, alpha, beta, gamma = (float(x) for x in cell.parameters)
    return a, b, c, alpha, beta, gamma


def main(argv: Sequence[str] | None = None) -> int:
    """Convert a file to a text list; returns the exit code, 2 for what cannot be read or written."""
    parser = argparse.ArgumentParser(
        "nanobragg_torch.io.xtal", description="Reflections of a crystal file as lines h k l F."
    )
    parser.add_argument("file", type=Path, help="MTZ, structure-factor CIF, PDB or CIF coordinates, or one of them .gz")
    parser.add_argument("out", type=Path, help="the list to write")
    parser.add_argument("--column", help="column of amplitudes or intensities")
    parser.add_argument("--d-min-A", type=float, dest="d_min_A", help="resolution of coordinates, in A")
    words = parser.parse_args(argv)
    try:
        told = of_a_sum(words.file.name)
        wanted = Wanted(words.column, lambda: words.d_min_A, flag="reflections", progress=told)
        loaded = load(words.file, wanted)
        write_hkl(words.out, loaded.reflections)
    except ExperimentError as error:
        print(f"nanobragg_torch.io.xtal: {error}", file=sys.stderr)
        return 2
    listed = int(np.isfinite(np.asarray(loaded.reflections.F)).sum())
    print(f"{words.out}: {listed} reflections, {loaded.origin}; -cell {' '.join(f'{x:g}' for x in loaded.cell)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
