"""Reflections from the files of crystallography: MTZ, structure-factor CIF, SHELX, PDB and CIF coordinates, or gzipped.

    python -m nanobragg_torch.io.xtal FILE OUT.hkl [--column NAME] [--d-min-A X] [--merge mean]

writes the reflections of such a file as the text list that the C program reads. Needs gemmi (extra `[xtal]`).
"""

from __future__ import annotations

import gzip
import logging
import math
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io import macromolecule, reflection_files, shelx, small_cif, symmetry
from nanobragg_torch.io.atoms import Atoms
from nanobragg_torch.io.cif_items import Items
from nanobragg_torch.io.columns import Column, choose, is_calculated
from nanobragg_torch.io.coordinates import Crystal, Reach, reflections_of
from nanobragg_torch.io.merging import MERGES, Observed, settled
from nanobragg_torch.io.optional import needed
from nanobragg_torch.io.reflection_files import CellParameters, Table
from nanobragg_torch.io.symmetry import Symmetry
from nanobragg_torch.io.text import read_bytes
from nanobragg_torch.progress import Progress
from nanobragg_torch.settings import BeamSettings, DetectorSettings, Reflections
from nanobragg_torch.stages.resolution import finest_A

_log = logging.getLogger(__name__)
SUFFIXES = (".mtz", ".cif", ".mmcif", ".fcf", ".pdb", ".ent")


@dataclass(frozen=True)
class Loaded:
    """Reflections in P1, the unit cell (Å, deg), in words where they come from, and further notices."""

    reflections: Reflections
    cell: CellParameters
    origin: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What to read from a file, and data that the file itself lacks.

    `column` names a column; `d_min_A` is called only for coordinates; `beyond` says how many cells of reciprocal
    space further they go; `merge` is None or "mean"; `chosen` maps crystal_id and wavelength_id of a CIF to one of
    its values; `cell` and `space_group` are for a SHELX .hkl, which has none.
    """

    column: str | None = None
    d_min_A: Callable[[], float | None] = lambda: None
    beyond: int = 0
    flag: str = "-hkl"
    progress: Progress | None = None  # receives the fraction of a sum over atoms that is done
    merge: str | None = None
    chosen: dict[str, str] = field(default_factory=dict)
    cell: CellParameters | None = None
    space_group: str | None = None


def is_crystal_file(path: Path) -> bool:
    """Does the name say that `load` reads it?"""
    return _suffix(path) in SUFFIXES


def read_reflections(
    path: str | Path,
    *,
    column: str | None = None,
    d_min_A: float | None = None,
    merge: str | None = None,
    cell: CellParameters | None = None,
    space_group: str | None = None,
) -> tuple[Reflections, CellParameters]:
    """Reflections expanded to P1 on a grid, NaN where none is listed, and the unit cell (Å, deg).

    `column` names the column of an MTZ or CIF; without it the amplitudes are looked for. Coordinates are summed up to
    `d_min_A`, which they need. `merge="mean"` averages unmerged observations. `cell` and `space_group` go with a SHELX
    .hkl. Raises ExperimentError.
    """
    wanted = Wanted(column, lambda: d_min_A, flag="reflections", merge=merge, cell=cell, space_group=space_group)
    loaded = load(Path(path), wanted)
    log_notices(loaded, Path(path))
    return loaded.reflections, loaded.cell


def log_notices(loaded: Loaded, path: Path) -> None:
    """Write to the library's log what the command line prints on standard error."""
    for notice in loaded.notices:
        _log.warning("%s: %s", path.name, notice)


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
    """The reflections that a simulation needs: coordinates are summed to `dmin_A`, or for 0 to the limit of any pixel.

    They go two cells further, so that the neighbours which rounding and interpolation look at are there.
    """

    def d_min_A() -> float:
        return dmin_A if dmin_A > 0 else finest_A(beam, detector)

    return load(path, Wanted(column=column, d_min_A=d_min_A, beyond=2, flag=flag, progress=progress))


def load(path: Path, wanted: Wanted) -> Loaded:
    """Read any of the files by its suffix and content; ExperimentError names the flag and the file."""
    gemmi = needed("gemmi", wanted.flag)
    where = f"{wanted.flag}: {path}"
    if wanted.merge is not None and wanted.merge not in MERGES:
        raise ExperimentError(f"{wanted.flag}: merge is {wanted.merge!r}, expected {' or '.join(MERGES)}")
    data = read_bytes(path, wanted.flag)
    try:
        if path.name.lower().endswith(".gz"):
            data = gzip.decompress(data)
        loaded = _by_content(gemmi, data, path, wanted, where)
    except ExperimentError as error:
        raise error if str(error).startswith(where) else ExperimentError(f"{where}: {error}") from None
    except (RuntimeError, ValueError, OSError, EOFError, zlib.error) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ExperimentError(f"{where} cannot be read: {reason}") from None
    F = np.asarray(loaded.reflections.F)
    if np.isinf(F).any() or np.isnan(F).all():
        raise ExperimentError(f"{where} gives structure factors that are not finite, expected numbers")
    return loaded


def _by_content(gemmi: Any, data: bytes, path: Path, wanted: Wanted, where: str) -> Loaded:
    suffix = _suffix(path)
    # The archive's structure factors are CIF files with the suffix of PDB files.
    if suffix in (".pdb", ".ent") and (
        data[:512].lstrip().startswith(b"data_") or path.name.lower().endswith("sf.ent.gz")
    ):
        suffix = ".cif"
    if suffix == ".mtz":
        mtz = gemmi.read_mtz_file(str(path))
        if mtz.spacegroup is None:
            raise ExperimentError(f"{where} names no space group that is known")
        return _reflections(reflection_files.of_mtz(mtz, symmetry.of_group(mtz.spacegroup), where), wanted, path, where)
    text = data.decode("utf-8", errors="replace")
    if suffix in (".cif", ".mmcif", ".fcf"):
        return _from_cif(gemmi, gemmi.cif.read_string(text), wanted, path, where)
    if suffix in (".pdb", ".ent"):
        return _from_pdb(gemmi, text, wanted, path, where)
    if suffix == ".hkl":
        if shelx.is_hklf4(text):
            return _from_hklf4(text, wanted, path, where)
        raise ExperimentError(
            f"{where} is not in the fixed columns of HKLF 4, expected h k l F² sigma as SHELX writes them"
        )
    raise ExperimentError(f"{where} has the suffix {path.suffix!r}, expected {', '.join(SUFFIXES)} (or .gz after it)")


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _from_cif(gemmi: Any, document: Any, wanted: Wanted, path: Path, where: str) -> Loaded:
    blocks = [Items(block, wanted.flag) for block in document]
    with_reflections = [items for items in blocks if items.has("refln_index_h")]
    if with_reflections:
        items = with_reflections[0]
        cell = items.cell(where)
        found = symmetry.of_cif(items, cell[3:], where, wanted.flag)
        table = reflection_files.of_cif(items, found, wanted.chosen, where)
        if len(with_reflections) > 1:
            others = ", ".join(other.block_name for other in with_reflections[1:])
            note = f"the reflections of block {items.block_name} are read, not those of {others}"
            table = replace(table, notices=(note, *table.notices))
        return _reflections(table, wanted, path, where)
    for block, items in zip(document, blocks, strict=True):
        if items.has("atom_site_cartn_x"):
            macromolecule.refuse_other_displacements(items, where)
            structure = gemmi.make_structure_from_block(block)
            cell = _cell(structure.cell, where)
            found = symmetry.of_cif(items, cell[3:], where, wanted.flag)
            return _coordinates(
                macromolecule.atoms_of_structure(structure, gemmi, where, wanted.flag),
                structure.cell,
                found,
                wanted,
                path,
                where,
            )
        if items.has("atom_site_fract_x"):
            cell = items.cell(where)
            found = symmetry.of_cif(items, cell[3:], where, wanted.flag)
            unit = gemmi.UnitCell(*cell)
            _cell(unit, where)
            atoms = small_cif.atoms_of_cif(items, unit, found, where, wanted.flag)
            return _coordinates(atoms, unit, found, wanted, path, where)
    if any(items.names("atom_site_fract_x") or items.names("atom_site_cartn_x") for items in blocks):
        raise ExperimentError(f"{where} has atoms (_atom_site) of which none has coordinates")
    raise ExperimentError(f"{where} has neither a loop of reflections (_refln) nor atoms (_atom_site)")


def _from_pdb(gemmi: Any, text: str, wanted: Wanted, path: Path, where: str) -> Loaded:
    text, changed = macromolecule.without_old_columns(text)
    structure = gemmi.read_pdb_string(text)
    _cell(structure.cell, where)
    group = structure.find_spacegroup()
    if group is not None:
        found = symmetry.of_group(group)
    else:
        listed = macromolecule.operations_of_remark_290(text)
        by_list = symmetry.of_operations(listed, where, wanted.flag) if listed else None
        if by_list is None:
            raise ExperimentError(
                f"{where} has the space group {structure.spacegroup_hm!r}, expected one that is known"
            )
        found = replace(
            by_list, notices=(f"the space group {structure.spacegroup_hm!r} is unknown: REMARK 290 is used",)
        )
    atoms = macromolecule.atoms_of_structure(structure, gemmi, where, wanted.flag)
    if changed:
        note = f"columns 73-80 of {changed} lines are not element and charge and are ignored"
        atoms = replace(atoms, notices=(note, *atoms.notices))
    return _coordinates(atoms, structure.cell, found, wanted, path, where)


def _from_hklf4(text: str, wanted: Wanted, path: Path, where: str) -> Loaded:
    if wanted.cell is None or wanted.space_group is None:
        raise ExperimentError(
            f"{where} is a SHELX list (HKLF 4), which has neither cell nor space group, expected both: "
            f"python -m nanobragg_torch.io.xtal {path.name} OUT.hkl --column {shelx.INTENSITY_LABEL} "
            "--cell a b c al be ga --space-group NAME"
        )
    found = symmetry.of_name(wanted.space_group, wanted.cell[3:], where, wanted.flag)
    return _reflections(
        reflection_files.of_hklf4(shelx.read_hklf4(text, where), wanted.cell, found), wanted, path, where
    )


def _reflections(table: Table, wanted: Wanted, path: Path, where: str) -> Loaded:
    column = choose(table.columns(), wanted.column, where)
    observed, notices = _one_value_each(table, column, wanted, where)
    F = np.sqrt(np.maximum(observed.values, 0.0)) if column.is_intensity else observed.values
    reflections = symmetry.expand(observed.indices, F, table.symmetry)
    kind = "calculated amplitudes" if is_calculated(column.label) else "amplitudes"
    labels = column.label if column.minus is None else f"{column.label} and {column.minus}"
    what = f"the square roots of {labels}" if column.is_intensity else f"the {kind} {labels}"
    cell = table.cell(column.label)
    if not (min(cell) > 0 and all(math.isfinite(x) for x in cell)):
        raise ExperimentError(f"{where} has no unit cell")
    every = (*table.symmetry.notices, *table.notices, *notices)
    return Loaded(reflections, cell, f"{what} of {path.name}, expanded from {table.symmetry.name} to P1", every)


def _one_value_each(table: Table, column: Column, wanted: Wanted, where: str) -> tuple[Observed, list[str]]:
    """The values of a column and of its Friedel mates, one for each reflection."""
    plus = table.observed(column.label)
    if not len(plus.values) and column.minus is None:
        raise ExperimentError(f"{where} has no value in column {column.label}")
    if column.minus is None:
        return settled(plus, table.symmetry, wanted.merge, where)
    minus = table.observed(column.minus, sign=-1)
    centric = np.asarray(table.symmetry.operations.centric_flag_array(minus.indices.astype(np.int32)))
    known = {
        tuple(h)
        for h in plus.indices[
            np.asarray(table.symmetry.operations.centric_flag_array(plus.indices.astype(np.int32)))
        ].tolist()
    }
    # A centric reflection is its own Friedel mate: F(+) is its value where there is one.
    twice = np.array([tuple(h) in known for h in (-minus.indices).tolist()], dtype=bool).reshape(len(centric)) & centric
    minus = minus.only(~twice)
    both = Observed(
        np.concatenate([plus.indices, minus.indices]),
        np.concatenate([plus.values, minus.values]),
        np.concatenate([plus.sigmas, minus.sigmas]),
    )
    if not len(both.values):
        raise ExperimentError(f"{where} has no value in columns {column.label} and {column.minus}")
    return settled(both, table.symmetry, wanted.merge, where)


def _coordinates(atoms: Atoms, cell: Any, found: Symmetry, wanted: Wanted, path: Path, where: str) -> Loaded:
    d_min_A = wanted.d_min_A()
    if d_min_A is None:
        raise ExperimentError(f"{where} holds coordinates: say to which resolution, in A, they are to be summed")
    if not (math.isfinite(d_min_A) and d_min_A > 0):
        raise ExperimentError(f"{where}: the resolution is {d_min_A} A, expected a number above 0")
    crystal = Crystal(atoms, cell, found)
    reflections, how = reflections_of(crystal, Reach(d_min_A, wanted.beyond), where, wanted.flag, wanted.progress)
    origin = f"the atoms of {path.name}, summed to {d_min_A:.4g} A ({how})"
    return Loaded(reflections, _cell(cell, where), origin, (*found.notices, *atoms.notices))


def _cell(cell: Any, where: str) -> CellParameters:
    if not cell.is_crystal():
        raise ExperimentError(f"{where} has no unit cell")
    a, b, c, alpha, beta, gamma = (float(x) for x in cell.parameters)
    return a, b, c, alpha, beta, gamma


if __name__ == "__main__":
    from nanobragg_torch.io.convert import main

    sys.exit(main())
