"""Atoms of a small-molecule CIF: the `_atom_site` loop with fractional coordinates, and its thermal parameters.

Item names are those of the core CIF dictionary. U and B are defined there as T = exp(-8 π² U sin²θ/λ²) and
T = exp(-2 π² Σ U_ij h_i h_j a*_i a*_j), with B = 8 π² U.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io import site_symmetry
from nanobragg_torch.io.atoms import Atoms, checked, clean_element, element_of_label, formula_elements, left_out, named
from nanobragg_torch.io.cif_items import UNKNOWN, Items
from nanobragg_torch.io.optional import needed
from nanobragg_torch.io.symmetry import Symmetry

_B_OF_U = 8 * math.pi**2
_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_NAMES = ("11", "22", "33", "12", "13", "23")
_ISOTROPIC = (
    ("u_iso_or_equiv", _B_OF_U),
    ("b_iso_or_equiv", 1.0),
    ("u_equiv_geom_mean", _B_OF_U),
    ("b_equiv_geom_mean", 1.0),
)
_KINDS = ("uani", "uiso", "bani", "biso")  # of displacement parameters
# Names of columns with thermal parameters; what is not read below and holds a value is an error.
_THERMAL = re.compile(r"^atom_site_((u|b|beta|aniso|anharm|gc|adp|tls|thermal|displace)_|.*(anharm|fourier))")
_HARMLESS = re.compile(
    r"_(su|esd|label|ratio|type_symbol|id|refinement_flags(_\w+)?|adp_type|thermal_displace_type|thermal_displace_type_su)$"
)


def atoms_of_cif(items: Items, cell: Any, symmetry: Symmetry, where: str, flag: str) -> Atoms:
    """The atoms of the asymmetric unit; `cell` is gemmi's. ExperimentError names the atom or column."""
    xyz = np.stack([items.numbers(f"atom_site_fract_{x}", where) for x in "xyz"], 1)
    count = len(xyz)
    labels = items.texts("atom_site_label") or [f"atom {n + 1}" for n in range(count)]
    known = np.isfinite(xyz).all(1)
    calculated = items.texts("atom_site_calc_flag") or [""] * count
    dummy = np.array([flag_.lower().startswith("dum") for flag_ in calculated])
    taken = known & ~dummy
    notices = left_out([labels[i] for i in np.flatnonzero(~known & ~dummy)], "without coordinates")
    notices += left_out([labels[i] for i in np.flatnonzero(dummy)], "with the calc_flag dum")
    kept = np.flatnonzero(taken)
    elements, said = _elements(items, labels, kept, where, flag)
    B, U, more = _displacements(items, labels, kept, cell, where)
    if items.has("atom_site_occupancy"):
        occupancy = items.numbers("atom_site_occupancy", where)[kept]
        occupancy = np.where(np.isnan(occupancy), 1.0, occupancy)
    else:
        occupancy = np.ones(len(kept))
    steps = _steps(items, kept)
    orthogonal = np.array(cell.orth.mat.tolist())
    by_position = site_symmetry.orders_by_position(xyz[kept], steps, occupancy, symmetry, orthogonal)
    of_file = site_symmetry.orders_of_file(
        _given(items, ("atom_site_site_symmetry_order",), kept, where),
        _given(items, ("atom_site_symmetry_multiplicity", "atom_site_site_symmetry_multiplicity"), kept, where),
        by_position,
        symmetry,
    )
    names = [labels[i] for i in kept]
    orders, special = site_symmetry.site_orders(names, by_position, of_file, symmetry, where)
    every = (*notices, *said, *more, *special)
    atoms = Atoms(tuple(names), tuple(elements), xyz[kept], occupancy / orders, B, U, every)
    return checked(atoms, where, flag)


def _given(items: Items, names: tuple[str, ...], kept: np.ndarray, where: str) -> np.ndarray:
    for name in names:
        if items.has(name):
            return np.asarray(items.numbers(name, where)[kept])
    return np.full(len(kept), np.nan)


def _steps(items: Items, kept: np.ndarray) -> np.ndarray:
    """The rounding error of each printed coordinate (n, 3)."""
    texts = [items.texts(f"atom_site_fract_{x}") for x in "xyz"]
    steps = [[site_symmetry.printed_step(texts[axis][i]) for axis in range(3)] for i in kept]
    return np.array(steps, dtype=np.float64).reshape(len(kept), 3)


def _elements(items: Items, labels: list[str], kept: np.ndarray, where: str, flag: str) -> tuple[list[str], list[str]]:
    """The elements of the atoms `kept`, by type symbol or label, and a notice of those by label."""
    gemmi = needed("gemmi", flag)
    symbols = items.texts("atom_site_type_symbol") or [""] * len(labels)
    formula = formula_elements(items.text("chemical_formula_sum"))
    elements, by_label = [], []
    for i in kept:
        symbol = symbols[i]
        element = clean_element(symbol, gemmi) if symbol not in UNKNOWN else None
        if element is None:
            text = symbol if symbol not in UNKNOWN else labels[i]
            element = element_of_label(text, formula, gemmi)
            if element is None:
                raise ExperimentError(
                    f"{where}: no element is known for {labels[i]} from {text!r}, expected an element in "
                    "_atom_site_type_symbol"
                )
            by_label.append(f"{text} {element}")
        elements.append(element)
    unique = list(dict.fromkeys(by_label))
    return elements, [f"elements taken from labels: {named(unique)}"] if unique else []


def _displacements(
    items: Items, labels: list[str], kept: np.ndarray, cell: Any, where: str
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """B (n,) of isotropic atoms, U (n, 3, 3) in fractions of the cell of the others, and the notices."""
    used = {f"atom_site_{name}" for name, _ in _ISOTROPIC}
    B = np.full(len(kept), np.nan)
    for name, factor in _ISOTROPIC:
        if items.has(f"atom_site_{name}"):
            values = items.numbers(f"atom_site_{name}", where)[kept] * factor
            B = np.where(np.isnan(B), values, B)
    U = np.full((len(kept), 3, 3), np.nan)
    reciprocal = cell.reciprocal()
    stars = np.array([reciprocal.a, reciprocal.b, reciprocal.c])
    at = {labels[i]: n for n, i in enumerate(kept)}
    for kind, factor in (("u", 1.0), ("b", 1 / _B_OF_U)):
        columns = [f"atom_site_aniso_{kind}_{name}" for name in _NAMES]
        used.update(columns)
        if not any(items.has(column) for column in columns):
            continue
        if missing := [column for column in columns if not items.has(column)]:
            raise ExperimentError(f"{where} has anisotropic displacements without _{missing[0]}, expected all six")
        values = np.stack([items.numbers(column, where) for column in columns], 1) * factor
        owners = items.texts("atom_site_aniso_label") or labels
        for owner, six in zip(owners, values, strict=False):
            if owner not in at or np.isnan(six).all():
                continue
            if np.isnan(six).any():
                raise ExperimentError(f"{where}: {owner} has some of its six anisotropic displacements, expected all")
            for (i, j), value in zip(_PAIRS, six, strict=True):
                U[at[owner], i, j] = U[at[owner], j, i] = value * stars[i] * stars[j]
    _refuse_what_is_not_understood(items, used, where)
    anisotropic = np.isfinite(U).all((1, 2))
    U[~anisotropic] = 0.0
    still = [labels[i] for n, i in enumerate(kept) if np.isnan(B[n]) and not anisotropic[n]]
    notices = [f"atoms without thermal parameters, taken as 0: {named(still)}"] if still else []
    return np.where(np.isnan(B) | anisotropic, 0.0, B), U, notices


def _refuse_what_is_not_understood(items: Items, used: set[str], where: str) -> None:
    for name in items.names("atom_site_"):
        if name in used or not _THERMAL.match(name) or _HARMLESS.search(name) or not items.has(name):
            continue
        raise ExperimentError(
            f"{where}: {items.spelling(name)} holds thermal parameters that are not understood, expected U or B, "
            "isotropic or _atom_site_aniso"
        )
    for name in ("atom_site_adp_type", "atom_site_thermal_displace_type"):
        odd = {text for text in items.texts(name) if text not in UNKNOWN and text.lower() not in _KINDS}
        if odd:
            raise ExperimentError(
                f"{where}: {items.spelling(name)} is {sorted(odd)[0]}, expected Uani, Uiso, Bani or Biso"
            )
    if items.text("cell_modulation_dimension") not in (None, "0"):
        raise ExperimentError(f"{where} is a modulated structure, expected one with a single unit cell")
