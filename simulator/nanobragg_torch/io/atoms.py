"""Atoms in fractional coordinates, ready for summation, and the elements that names of atoms begin with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.optional import needed

_MOST_NAMED = 8


@dataclass(frozen=True)
class Atoms:
    """The atoms of an asymmetric unit.

    `occupancy` (n,) is such that the sum over all operations of the space group is right. `xyz` (n, 3) in fractions
    of the cell; `U` (n, 3, 3) is the mean square displacement in fractions of the cell, 0 for isotropic atoms, which
    have `B_A2` (n,). `notices` report what was left out or decided.
    """

    labels: tuple[str, ...]
    elements: tuple[str, ...]
    xyz: np.ndarray
    occupancy: np.ndarray
    B_A2: np.ndarray
    U: np.ndarray
    notices: tuple[str, ...] = ()

    @property
    def is_anisotropic(self) -> np.ndarray:
        """Which atoms have U (n,)."""
        return np.asarray(self.U.any(axis=(1, 2)))

    def __len__(self) -> int:
        return len(self.labels)


def named(labels: Iterable[str]) -> str:
    """Names for a message, the first eight of many."""
    names = list(labels)
    rest = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + rest


def left_out(labels: list[str], why: str) -> list[str]:
    """A notice about atoms that are left out; empty if there are none."""
    if not labels:
        return []
    return [f"{len(labels)} atom{'s' if len(labels) > 1 else ''} {why} left out: {named(labels)}"]


def checked(atoms: Atoms, where: str, flag: str) -> Atoms:
    """The atoms, or ExperimentError for none, an element without a form factor and values that are not finite."""
    if not len(atoms):
        reasons = f" ({'; '.join(atoms.notices)})" if atoms.notices else ""
        raise ExperimentError(f"{where} holds no atoms that scatter{reasons}")
    gemmi = needed("gemmi", flag)
    unknown = [
        label
        for label, element in zip(atoms.labels, atoms.elements, strict=True)
        if element == "X" or gemmi.Element(element).it92 is None
    ]
    if unknown:
        raise ExperimentError(f"{where} has atoms without a form factor: X (of an unknown element): {named(unknown)}")
    for what, values in (("occupancy", atoms.occupancy), ("B", atoms.B_A2), ("U", atoms.U), ("position", atoms.xyz)):
        bad = ~np.isfinite(values.reshape(len(atoms), -1)).all(1)
        if bad.any():
            raise ExperimentError(
                f"{where}: the {what} of {named(np.array(atoms.labels)[bad])} is not a number, expected a finite one"
            )
    return atoms


def formula_elements(formula: str | None) -> set[str]:
    """The element symbols of a chemical formula such as 'C4 H10 Mg1.8 O2'; empty for none."""
    return {word.capitalize() for word in re.findall(r"([A-Z][a-z]?|[A-Z]{2})(?=[\d.\s]|$)", formula or "")}


def clean_element(symbol: str, gemmi: Any) -> str | None:
    """The element of a type symbol (Fe, Fe3+, O2-, CL); None where it is not a plain one."""
    match = re.fullmatch(r"([A-Za-z]{1,2})(?:\d*[+-]|[+-]\d*|\d+)?", symbol)
    return _valid(match[1], gemmi) if match else None


def element_of_label(label: str, formula: set[str], gemmi: Any) -> str | None:
    """The element by the longest valid prefix of a label, of those in the formula where one is; None for none."""
    letters = re.match(r"[A-Za-z]*", label)
    prefixes = [letters[0][:n] for n in (2, 1) if letters is not None and len(letters[0]) >= n]
    valid = [element for prefix in prefixes if (element := _valid(prefix, gemmi)) is not None]
    return next((element for element in valid if element in formula), valid[0] if valid else None)


def _valid(symbol: str, gemmi: Any) -> str | None:
    element = gemmi.Element(symbol.capitalize())
    known = element.name != "X" and element.it92 is not None and element.name.lower() == symbol.lower()
    return str(element.name) if known else None
