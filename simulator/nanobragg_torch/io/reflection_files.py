"""Reflections of MTZ, structure-factor CIF (also SHELXL's .fcf) and SHELX .hkl as one kind of table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io import columns as column_choice
from nanobragg_torch.io.cif_items import UNKNOWN, Items
from nanobragg_torch.io.columns import SIGMAS, Columns, cif_type
from nanobragg_torch.io.merging import Observed
from nanobragg_torch.io.shelx import INTENSITY_LABEL
from nanobragg_torch.io.symmetry import Symmetry

CellParameters = tuple[float, float, float, float, float, float]
IDS = ("crystal_id", "wavelength_id")
_SIGMAS_OF = (  # a CIF name of values, and names its sigma may have
    (re.compile(r"^F_(meas|calc)$"), ("F_{0}_sigma", "F_sigma")),
    (re.compile(r"^F_(meas|calc)_au$"), ("F_{0}_sigma_au",)),
    (re.compile(r"^F_squared_(meas|calc)$"), ("F_squared_{0}_sigma", "F_squared_sigma")),
    (re.compile(r"^intensity_(meas|calc)(?:_au)?$"), ("intensity_{0}_sigma", "intensity_sigma", "intensity_sigma_au")),
)


@dataclass(frozen=True)
class Table:
    """The columns of a reflection file.

    `indices` (n, 3); `values` gives a column (n,) of `types` (label, type of MTZ); `sigmas` names the sigma of a
    column; `cell` gives the unit cell of a column.
    """

    indices: np.ndarray
    types: tuple[tuple[str, str], ...]
    values: Callable[[str], np.ndarray]
    sigmas: dict[str, str]
    cell: Callable[[str], CellParameters]
    symmetry: Symmetry
    notices: tuple[str, ...] = ()

    def columns(self) -> Columns:
        """The input for choosing a column."""

        def mean(label: str) -> float:
            values = self.values(label)
            return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else float("nan")

        return Columns(self.types, frozenset(self.sigmas), mean)

    def observed(self, label: str, sign: int = 1) -> Observed:
        """The known values of a column, of the Friedel mates for `sign` -1."""
        values = self.values(label)
        sigma = self.values(self.sigmas[label]) if label in self.sigmas else np.full(len(values), np.nan)
        return Observed(sign * self.indices, values, sigma).only(np.asarray(np.isfinite(values)))


def of_mtz(mtz: Any, symmetry: Symmetry, where: str) -> Table:
    """The table of gemmi's Mtz. Unmerged observations are those of h for an odd M/ISYM, of -h for an even one."""
    types = tuple((c.label, c.type) for c in mtz.columns)
    indices = np.asarray(mtz.make_miller_array(), dtype=np.int64)
    notices: tuple[str, ...] = ()

    def values(label: str) -> np.ndarray:
        return np.asarray(mtz.column_with_label(label).array, dtype=np.float64)

    def cell(label: str) -> CellParameters:
        parameters = mtz.get_cell(mtz.column_with_label(label).dataset_id).parameters
        a, b, c, alpha, beta, gamma = (float(x) for x in parameters)
        return a, b, c, alpha, beta, gamma

    isym = [label for label, kind in types if kind == "Y"]
    if isym:
        numbers = np.nan_to_num(values(isym[0])).astype(np.int64)
        if (numbers >= 256).any():
            raise ExperimentError(
                f"{where} is unmerged with {int((numbers >= 256).sum())} partially recorded observations, expected a "
                "merged file: scale and merge it with a program for that"
            )
        indices = np.where((numbers % 2 == 0)[:, None] & (numbers > 0)[:, None], -indices, indices)
    if mtz.batches or any(kind == "B" for _, kind in types):
        notices = ("the file holds observations of batches",)
    sigmas = {}
    for n, (label, kind) in enumerate(types):
        if kind not in "FGJK":
            continue
        if n + 1 < len(types) and types[n + 1][1] in SIGMAS:
            sigmas[label] = types[n + 1][0]
        named = [other for other, of in types if of in SIGMAS and other.upper() == f"SIG{label.upper()}"]
        if named:
            sigmas[label] = named[0]
    return Table(indices, types, values, sigmas, cell, symmetry, notices)


def of_cif(items: Items, symmetry: Symmetry, chosen: dict[str, str], where: str) -> Table:
    """The table of a block with a _refln loop.

    `chosen` maps crystal_id and wavelength_id to the one that is wanted; ExperimentError lists them where a block has
    several and none is chosen.
    """
    indices = np.stack([items.numbers(f"refln_index_{x}", where) for x in "hkl"], 1)
    rows, notices = _rows(items, indices, chosen, where)
    names = {
        items.spelling(name).replace(".", "_")[len("_refln_") :]: name
        for name in items.names("refln_")
        if items.count(name) == len(indices)
    }

    def values(label: str) -> np.ndarray:
        return np.asarray(items.numbers(names[label], where)[rows])

    types = tuple((label, cif_type(label)) for label in names)
    sigmas = {}
    for label, kind in types:
        if kind in (*"FGJK",) and (sigma := _sigma_of(label, names)) is not None:
            sigmas[label] = sigma
    cell = items.cell(where)
    return Table(indices[rows].astype(np.int64), types, values, sigmas, lambda _: cell, symmetry, tuple(notices))


def _rows(items: Items, indices: np.ndarray, chosen: dict[str, str], where: str) -> tuple[np.ndarray, list[str]]:
    """Which rows of the loop count, and the notices about the others."""
    notices: list[str] = []
    odd = ~np.isfinite(indices).all(1) | (indices != np.round(indices)).any(1)
    if odd.any():
        raise ExperimentError(
            f"{where}: the index in row {int(np.flatnonzero(odd)[0]) + 1} of _refln is not a triple of whole numbers"
        )
    rows = np.ones(len(indices), dtype=bool)
    for name in IDS:
        texts = items.texts(f"refln_{name}")
        found = Counter(text for text in texts if text not in UNKNOWN)
        wanted = chosen.get(name)
        if wanted is not None and wanted not in found:
            raise ExperimentError(
                f"{where} has no _refln.{name} {wanted}, expected one of {', '.join(found) or 'none'}"
            )
        if wanted is not None:
            rows &= np.array(texts) == wanted
        elif len(found) > 1:
            listed = ", ".join(f"{text} ({count} reflections)" for text, count in found.items())
            flag = name.removesuffix("_id")
            raise ExperimentError(
                f"{where} holds several values of _refln.{name}: {listed}; expected one: choose it with "
                f"python -m nanobragg_torch.io.xtal FILE OUT.hkl --{flag}"
            )
    status = items.texts("refln_status", "refln_include_status", "refln_observed_status")
    if status and (excluded := np.array([text == "x" for text in status]) & rows).any():
        notices.append(f"{int(excluded.sum())} reflections with the status x (not to be used) are left out")
        rows &= ~excluded
    return np.flatnonzero(rows), notices


def _sigma_of(label: str, names: dict[str, str]) -> str | None:
    candidates = [f"{label}_sigma"]
    for pattern, forms in _SIGMAS_OF:
        if match := pattern.match(label):
            candidates += [form.format(*match.groups()) for form in forms]
    return next((name for name in candidates if name in names), None)


def of_hklf4(rows: np.ndarray, cell: CellParameters, symmetry: Symmetry) -> Table:
    """The table of a SHELX list (n, 5)."""
    by_label = {INTENSITY_LABEL: rows[:, 3], "SIGI": rows[:, 4]}
    types = ((INTENSITY_LABEL, column_choice.INTENSITY), ("SIGI", "Q"))
    indices = rows[:, :3].astype(np.int64)
    return Table(indices, types, by_label.__getitem__, {INTENSITY_LABEL: "SIGI"}, lambda _: cell, symmetry)
