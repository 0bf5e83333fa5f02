"""The symmetry of a file, and from the reflections of an asymmetric unit to all of reciprocal space (P1).

A symmetry operation x' = R x + t of the crystal takes the reflection h (a row) to h R with the same amplitude, and
Friedel's law takes h to -h. Source: International Tables for Crystallography B, section 1.4.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.cif_items import Items
from nanobragg_torch.io.hkl import on_grid
from nanobragg_torch.io.optional import needed
from nanobragg_torch.settings import Reflections

Angles: TypeAlias = "tuple[float, float, float]"

_LISTS = ("space_group_symop_operation_xyz", "symmetry_equiv_pos_as_xyz")
_HALL = ("space_group_name_hall", "symmetry_space_group_name_hall")
_NAMES = (
    "space_group_name_h-m_alt",
    "symmetry_space_group_name_h-m",
    "space_group_name_h-m_full",
    "space_group_name_h-m_ref",
)
_NUMBERS = ("space_group_it_number", "symmetry_int_tables_number")


@dataclass(frozen=True)
class Symmetry:
    """The operations of a space group (gemmi's GroupOps), its name for messages, and the notices."""

    operations: Any
    name: str
    notices: tuple[str, ...] = ()

    @property
    def rotations(self) -> np.ndarray:
        """R of every operation, centring included (m, 3, 3), whole numbers."""
        return np.array([np.array(operation.rot) // operation.DEN for operation in self.operations], dtype=np.int64)

    @property
    def translations(self) -> np.ndarray:
        """t of every operation (m, 3), in fractions of the cell."""
        return np.array([np.array(operation.tran) / operation.DEN for operation in self.operations])

    @property
    def order(self) -> int:
        """How many operations there are."""
        return len(self.operations)


def of_group(group: Any) -> Symmetry:
    """The symmetry of a space group of gemmi's tables."""
    return Symmetry(group.operations(), str(group.hm))


def of_name(name: str, angles: Angles, where: str, flag: str) -> Symmetry:
    """By a Hermann-Mauguin or Hall name; ExperimentError where it is in no table."""
    group = _named(needed("gemmi", flag), name, angles)
    if group is None:
        raise ExperimentError(f"{where} has the space group {name!r}, expected one that is known")
    return of_group(group)


def _named(gemmi: Any, name: str, angles: Angles) -> Any:
    """The group of a name; of two origins that a name leaves open the second, at the centre of inversion."""
    return gemmi.find_spacegroup_by_name(name.strip(), angles[0], angles[2], prefer="2")


def _open_origin(group: Any, said: str) -> list[str]:
    """A notice where a name leaves the origin open."""
    if str(group.ext) not in ("1", "2") or re.search(r":\s*[12]|\b[12]\s*$", said.split("(")[0][3:]):
        return []
    return [f"{said!r} does not say which of two origins is meant and no operations are listed: {group.xhm()} is used"]


def of_operations(texts: Sequence[str], where: str, flag: str) -> Symmetry | None:
    """The group of a list `x,y,z`; None where the list is not complete: a product of two is not in it.

    Raises ExperimentError for what is not an operation.
    """
    gemmi = needed("gemmi", flag)
    operations = []
    for text in texts:
        try:
            operation = gemmi.Op(text.replace(" ", ""))
        except (RuntimeError, ValueError):
            raise ExperimentError(
                f"{where} has the symmetry operation {text!r}, expected one such as 'x,y+1/2,-z'"
            ) from None
        operations.append(operation.wrap())
    unique = list({operation.triplet(): operation for operation in operations}.values())
    known = {operation.triplet() for operation in unique}
    if not unique or any((a * b).wrap().triplet() not in known for a in unique for b in unique):
        return None
    group_operations = gemmi.GroupOps(unique)
    if len(group_operations) != len(unique):
        return None
    group = gemmi.find_spacegroup_by_ops(group_operations)
    name = str(group.hm) if group is not None else f"the {len(unique)} operations of the file"
    return Symmetry(group_operations, name)


def of_cif(items: Items, angles: Angles, where: str, flag: str) -> Symmetry:
    """The symmetry of a CIF: a complete list of operations comes before any name, a Hall name before another one.

    A list that lacks nothing but the centring of the name is completed by the name. Raises ExperimentError.
    """
    gemmi = needed("gemmi", flag)
    texts = [text for text in items.texts(*_LISTS) if text not in ("?", ".")]
    listed = of_operations(texts, where, flag) if texts else None
    named, said = _by_name(gemmi, items, angles)
    if listed is not None:
        if named is not None and _lacks_centring(listed, named):
            note = f"the operations listed lack the centring of {said!r}: the name is used"
            return Symmetry(named.operations(), str(named.hm), (note,))
        if named is not None and len(named.operations()) != listed.order:
            note = f"{said!r} has {len(named.operations())} operations, the list {listed.order}: the list is used"
            return Symmetry(listed.operations, listed.name, (note,))
        return listed
    if named is None:
        what = (
            f"the space group {said!r}, expected one that is known"
            if said
            else "no symmetry: neither operations nor a name of the space group"
        )
        rest = f" (its list of {len(texts)} operations is not complete)" if texts else ""
        raise ExperimentError(f"{where} has {what}{rest}")
    notices = (f"the list of {len(texts)} operations is not complete: the name {said!r} is used",) if texts else ()
    return Symmetry(named.operations(), str(named.hm), (*notices, *_open_origin(named, said or "")))


def _by_name(gemmi: Any, items: Items, angles: Angles) -> tuple[Any, str | None]:
    """The group of a name or number, and the text in the file."""
    said: str | None = None
    for name in _HALL:
        if text := items.text(name):
            said = said or text
            try:
                operations = gemmi.symops_from_hall(text)
            except (RuntimeError, ValueError):
                continue
            group = gemmi.find_spacegroup_by_ops(operations)
            if group is not None:
                return group, text
    for name in _NAMES:
        if text := items.text(name):
            said = text
            if (group := _named(gemmi, text, angles)) is not None:
                return group, text
    text = items.text(*_NUMBERS)
    if said is None and text is not None and text.isdigit():
        said = f"number {text}"
        if (group := gemmi.find_spacegroup_by_number(int(text))) is not None:
            return _named(gemmi, group.hm, angles), said
    return None, said


def _lacks_centring(listed: Symmetry, named: Any) -> bool:
    full = named.operations()
    if listed.order * len(full.cen_ops) != len(full) or len(full.cen_ops) == 1:
        return False
    return {o.triplet() for o in listed.operations} < {o.wrap().triplet() for o in full}


def expand(indices: np.ndarray, F: np.ndarray, symmetry: Symmetry) -> Reflections:
    """All mates of `indices` (n, 3) on a grid.

    An index that the list holds itself keeps its own value, and one reached by a rotation wins over one reached by
    Friedel's law. Points of the grid that the symmetry makes absent are 0; what is left unlisted is NaN.
    """
    rotations = _distinct_rotations(symmetry)
    rotations.sort(key=lambda R: np.array_equal(R, np.eye(3)))  # the identity last: the list's own indices win
    mates = [indices @ R for R in rotations]
    grid = on_grid(np.concatenate([*(-mate for mate in mates), *mates]), np.concatenate([F] * (2 * len(mates))))
    on, low = np.asarray(grid.F), np.array(grid.lowest)
    unlisted = np.argwhere(np.isnan(on))
    absent = symmetry.operations.systematic_absences((unlisted + low).astype(np.int32))
    on[tuple(unlisted[absent].T)] = 0.0
    return grid


def _distinct_rotations(symmetry: Symmetry) -> list[np.ndarray]:
    return list(np.unique(symmetry.rotations, axis=0))


def class_keys(indices: np.ndarray, symmetry: Symmetry, friedel: bool) -> np.ndarray:
    """One whole number (n,) per index that is the same for all its mates; with `friedel` for those of -h too."""
    reach = int(np.abs(indices).max(initial=1)) * 3 + 1  # |h R| of a rotation is at most three times the largest index
    weights = np.array([(2 * reach + 1) ** 2, 2 * reach + 1, 1], dtype=np.int64)
    best = np.full(len(indices), np.iinfo(np.int64).min)
    for R in _distinct_rotations(symmetry):
        key = (indices @ R) @ weights
        best = np.maximum(best, np.maximum(key, -key) if friedel else key)
    return best


def asymmetric_indices(cell: Any, symmetry: Symmetry, d_min_A: float, flag: str) -> np.ndarray:
    """One index (n, 3) of each set of mates to `d_min_A`, without 000 and those that the symmetry makes absent."""
    gemmi = needed("gemmi", flag)
    half = np.asarray(gemmi.make_miller_array(cell, gemmi.SpaceGroup("P 1"), d_min_A), dtype=np.int64)
    if not len(half):
        return half.reshape(0, 3)
    _, first = np.unique(class_keys(half, symmetry, friedel=True), return_index=True)
    chosen = half[np.sort(first)]
    return np.asarray(chosen[~np.asarray(symmetry.operations.systematic_absences(chosen.astype(np.int32)))])
