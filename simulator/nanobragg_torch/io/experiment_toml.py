"""Experiments as TOML: a table per settings class, a key per field, file names relative to the file.

dtype = "float64"
[beam]      wavelength_A = 1.0
[crystal]   cell = [70, 80, 90, 85, 95, 105]   reflections = "P1.hkl"
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nanobragg_torch.conventions import NAMED
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Experiment
from nanobragg_torch.io import hkl, mat, smv, source_list, xtal
from nanobragg_torch.io.reflection_files import CellParameters
from nanobragg_torch.io.text import read_bytes
from nanobragg_torch.settings import (
    BeamSettings,
    CrystalSettings,
    DetectorSettings,
    ModelSettings,
    Reflections,
    ScanSettings,
    Settings,
)
from nanobragg_torch.settings_table import PLAIN

SECTIONS: dict[str, type[Settings]] = {
    "beam": BeamSettings,
    "detector": DetectorSettings,
    "crystal": CrystalSettings,
    "scan": ScanSettings,
    "model": ModelSettings,
}
_DTYPES = {"float64": torch.float64, "float32": torch.float32}
_COUNTS = ("Na", "Nb", "Nc")  # a whole number of cells stays one
_LENGTHS = {"cell": 6, "matrix_per_A": 9, "roi": 4}  # of vectors; the others have 3
_UNITS = {
    "per_m2": "photons/m^2",
    "per_s": "photons/s",
    "per_A": "times the wavelength, 1/A",
    "pixels": "pixels",
    "fraction": "as a fraction of the wavelength",
    "mm": "mm",
    "um": "um",
    "deg": "deg",
    "rad": "rad",
    "A": "A",
    "s": "s",
}


def from_toml(path: str | Path) -> Experiment:
    """The experiment of a TOML file whose tables and keys are the settings classes' (docs/files.md).

    Relative file names in it are relative to it. ExperimentError names file, table, key, value and what was
    expected.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(read_bytes(path, "experiment").decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path} is not TOML: {error}") from None
    try:
        parts, dtype = _parts(tables, path.parent)
        return Experiment(**parts, dtype=dtype)
    except ExperimentError as error:
        raise ExperimentError(f"{path}: {error}") from None


def _parts(tables: dict[str, Any], folder: Path) -> tuple[dict[str, Any], torch.dtype]:
    dtype = tables.pop("dtype", "float64")
    if dtype not in _DTYPES:
        raise ExperimentError(f"dtype is {dtype!r}, expected one of {', '.join(_DTYPES)}")
    for name, table in tables.items():
        if name not in SECTIONS:
            raise ExperimentError(f"unknown table or key {name}{_hint(name)}; the tables are {', '.join(SECTIONS)}")
        if not isinstance(table, dict):
            raise ExperimentError(f"{name} is {table!r}, expected a table [{name}]")
    values = {section: _values(section, tables.get(section, {}), folder) for section in SECTIONS}
    _check_detector(values["detector"])
    parts: dict[str, Any] = {section: _made(section, values[section]) for section in SECTIONS if section != "crystal"}
    _add_reflections(values["crystal"], parts, folder)
    parts["crystal"] = _made("crystal", values["crystal"])
    crystal = parts["crystal"]
    if crystal.reflections is None and crystal.default_F == 0 and parts["model"].water_um == 0:
        raise ExperimentError("[crystal] nothing scatters: no reflections, default_F is 0, and so is water_um")
    return parts, _DTYPES[dtype]


def _made(section: str, values: dict[str, Any]) -> Settings:
    try:
        return SECTIONS[section](**values)
    except ExperimentError as error:
        raise ExperimentError(f"[{section}] {error}") from None


def _values(section: str, table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Each key's value as its field has it; the reflections as they are."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(SECTIONS[section])}
    values = {}
    for name, value in table.items():
        if name not in fields:
            raise ExperimentError(f"[{section}] has the unknown key {name}{_hint(name)}")
        try:
            values[name] = _field(name, fields[name], value, folder)
        except ExperimentError as error:
            raise ExperimentError(f"[{section}] {error}") from None
    return values


def _field(name: str, kind: str, value: Any, folder: Path) -> Any:
    if name in _READERS:
        return _READERS[name](name, value, folder)
    kind = kind.removesuffix(" | None")
    if kind == "Vector" or kind.startswith("tuple"):
        return _vector(name, value, whole="int" in kind)
    if kind in ("float", "Number"):
        return _number(name, value)
    expected = {"int": (int, "a whole number"), "bool": (bool, "true or false"), "str": (str, "a word in quotes")}
    wanted, words = expected[kind]
    if type(value) is not wanted:
        raise ExperimentError(f"{name} is {value!r}, expected {words}")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ExperimentError(f"{name} is {value!r}, expected a finite number{_unit(name)}")
    return value if name in _COUNTS else float(value)


def _vector(name: str, value: Any, whole: bool = False) -> tuple[float, ...]:
    """Numbers as a tuple, from a list or a list of rows."""
    flat = value
    if isinstance(value, list) and all(isinstance(row, list) for row in value):
        flat = [entry for row in value for entry in row]
    length = _LENGTHS.get(name, 3)
    kinds = int if whole else (int, float)
    if (
        not isinstance(flat, list)
        or len(flat) != length
        or not all(isinstance(entry, kinds) and not isinstance(entry, bool) for entry in flat)
    ):
        raise ExperimentError(f"{name} is {value!r}, expected {length} {'whole ' * whole}numbers{_unit(name)}")
    if (name.endswith("_vector") or name.endswith("_axis")) and not any(flat):
        raise ExperimentError(f"{name} is the zero vector, expected a direction")
    return tuple(flat) if whole else tuple(_number(name, entry) for entry in flat)


def _unit(name: str) -> str:
    if name == "cell":
        return ": a b c in A, alpha beta gamma in deg"
    if name == "roi":
        return ": xmin xmax ymin ymax in pixels"
    return next((f", {unit}" for suffix, unit in _UNITS.items() if name.endswith(f"_{suffix}")), "")


def _hint(name: str) -> str:
    """Where a name that is not a key may belong: a field, or the flag of the command line by that name."""
    homes = {field.name: section for section, part in SECTIONS.items() for field in dataclasses.fields(part)}
    if name in homes:
        return f", which belongs in [{homes[name]}]"
    meant = {field.lower(): field for field in homes} | {section: section for section in SECTIONS}
    for flag, (_, fields, _) in PLAIN.items():
        if fields[0] in homes:
            meant.setdefault(flag.lower(), fields[0])
    bare = re.sub(r"^-+", "", name).lower()
    close = difflib.get_close_matches(bare, meant, n=1, cutoff=0.5)
    if not close:
        return ""
    found = meant[close[0]]
    return f"; the nearest known one is {found}" + (f" in [{homes[found]}]" if found in homes else "")


def _check_detector(values: dict[str, Any]) -> None:
    """Refuse settings that a named convention would silently overrule. Source: quirk convention-reset."""
    convention = values.get("convention", "MOSFLM")
    if convention not in NAMED:
        return
    for name in NAMED[convention].axes:
        if name in values:
            raise ExperimentError(f'[detector] {name} has no effect in {convention}, expected convention = "CUSTOM"')
    pivot = NAMED[convention].pivot
    if values.get("pivot", pivot) != pivot:
        raise ExperimentError(
            f"[detector] pivot is {values['pivot']!r}, but {convention} turns about the {pivot}; "
            'expected that, or convention = "CUSTOM"'
        )


def _file(name: str, value: Any, folder: Path, other: str = "") -> Path:
    if not isinstance(value, str) or not value:
        raise ExperimentError(f"{name} is {value!r}, expected a file name{other}")
    return folder / value


def _matrix(name: str, value: Any, folder: Path) -> tuple[float, ...]:
    return _vector(name, value) if isinstance(value, list) else mat.read_mat(_file(name, value, folder), name)


def _sources(name: str, value: Any, folder: Path) -> Any:
    if not isinstance(value, list):
        return source_list.read_source_list(_file(name, value, folder, " or rows X Y Z weight lambda"), name)
    if not value or not all(isinstance(row, list) and 1 <= len(row) <= 5 for row in value):
        raise ExperimentError(f"{name} is {value!r}, expected rows X Y Z weight lambda of one to five numbers")
    return source_list.checked_rows([[_number(name, entry) for entry in row] for row in value], name)


def _mask(name: str, value: Any, folder: Path) -> Any:
    return smv.read_smv(_file(name, value, folder), name).pixels


_READERS: dict[str, Callable[[str, Any, Path], Any]] = {
    "matrix_per_A": _matrix,
    "source_rows": _sources,
    "mask": _mask,
    "reflections": lambda name, value, folder: value,  # read last: coordinates are summed as far as the detector sees
}


def _add_reflections(crystal: dict[str, Any], parts: dict[str, Any], folder: Path) -> None:
    """Read the reflections in place of their file's name; a crystal file's cell is used where none is given."""
    given = crystal.pop("reflections", None)
    if given is None:
        return
    try:
        reflections, cell = _reflections(given, parts, folder)
    except ExperimentError as error:
        raise ExperimentError(f"[crystal] {error}") from None
    crystal["reflections"] = reflections
    if cell is not None and "matrix_per_A" not in crystal:
        crystal.setdefault("cell", cell)


def _reflections(given: Any, parts: dict[str, Any], folder: Path) -> tuple[Reflections, CellParameters | None]:
    table = given if isinstance(given, dict) else {"file": given}
    if unknown := sorted(set(table) - {"file", "column", "d_min_A"}):
        raise ExperimentError(f"reflections has the unknown key {unknown[0]}; it takes file, column, d_min_A")
    path = _file("reflections", table.get("file"), folder, ' or a table { file = "…", column = "…", d_min_A = … }')
    if not xtal.is_crystal_file(path):
        if len(table) > 1:
            raise ExperimentError(f"reflections: {path} is a text list, which has neither columns nor coordinates")
        return hkl.read_hkl(path, "reflections"), None
    column = table.get("column")
    if column is not None and not isinstance(column, str):
        raise ExperimentError(f"reflections.column is {column!r}, expected a word in quotes")
    d_min_A = _number("d_min_A", table["d_min_A"]) if "d_min_A" in table else parts["model"].dmin_A
    if "d_min_A" in table and d_min_A <= 0:
        raise ExperimentError(f"reflections.d_min_A is {d_min_A}, expected a number above 0, A")
    loaded = xtal.load_for(path, parts["beam"], parts["detector"], d_min_A, column=column, flag="reflections")
    xtal.log_notices(loaded, path)
    return loaded.reflections, loaded.cell
