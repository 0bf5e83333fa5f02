"""Structure factors of atoms: direct summation over the unit cell by gemmi.

F(h) = sum over all atoms of occupancy · f(s) · T(h) · exp(2πi h·x), with the X-ray form factors f of International
Tables C (1992), table 6.1.1.4, and the isotropic or anisotropic Debye-Waller factor T. There is no bulk solvent.
F(000) is left unlisted: it scatters into the direct beam alone, and measured lists lack it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.optional import needed
from nanobragg_torch.io.symmetry import expand
from nanobragg_torch.progress import Progress
from nanobragg_torch.settings import Reflections

# About ten minutes of one core.
_MOST_TERMS = 20_000_000_000


@dataclass(frozen=True)
class Reach:
    """Which reflections: up to `d_min_A`, and `beyond` cells of reciprocal space per axis further."""

    d_min_A: float
    beyond: int = 0

    def per_A(self, cell: Any) -> float:
        """1/d of the finest."""
        r = cell.reciprocal()
        return float(1.0 / self.d_min_A + self.beyond * (r.a + r.b + r.c))


def from_structure(
    structure: Any, reach: Reach, where: str, flag: str, progress: Progress | None = None
) -> Reflections:
    """The reflections of the first model of gemmi's Structure."""
    group = structure.find_spacegroup()
    if group is None:
        raise ExperimentError(f"{where} has the space group {structure.spacegroup_hm!r}, expected one that is known")
    model = structure[0]
    gemmi = needed("gemmi", flag)
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    elements = [site.atom.element for site in model.all()]
    _check(elements, structure.cell, reach, where)

    def amplitude(hkl: list[int]) -> complex:
        return complex(calculator.calculate_sf_from_model(model, hkl))

    return _summed(gemmi, structure.cell, group, reach, amplitude, progress)


def from_small_structure(
    structure: Any, reach: Reach, where: str, flag: str, progress: Progress | None = None
) -> Reflections:
    """The reflections of gemmi's SmallStructure."""
    group = structure.spacegroup
    if group is None:
        raise ExperimentError(f"{where} has the space group {structure.spacegroup_hm!r}, expected one that is known")
    # Small-molecule files count an atom on a symmetry element whole; the sum meets it once for every operation.
    structure.change_occupancies_to_crystallographic()
    gemmi = needed("gemmi", flag)
    calculator = gemmi.StructureFactorCalculatorX(structure.cell)
    _check([site.element for site in structure.sites], structure.cell, reach, where)

    def amplitude(hkl: list[int]) -> complex:
        return complex(calculator.calculate_sf_from_small_structure(structure, hkl))

    return _summed(gemmi, structure.cell, group, reach, amplitude, progress)


def _check(elements: list[Any], cell: Any, reach: Reach, where: str) -> None:
    if not elements:
        raise ExperimentError(f"{where} holds no atoms")
    if unknown := sorted({element.name for element in elements if element.name == "X" or element.it92 is None}):
        raise ExperimentError(f"{where} has atoms without a form factor: {', '.join(unknown)}")
    # The reflections of half a sphere, times the atoms of an asymmetric unit: symmetry takes from one what it adds to
    # the other.
    terms = 2 / 3 * math.pi * cell.volume * reach.per_A(cell) ** 3 * len(elements)
    if terms > _MOST_TERMS:
        raise ExperimentError(
            f"{where} would take a sum of {terms:.1e} terms to {reach.d_min_A:g} A, the limit is {_MOST_TERMS:.0e}: "
            "ask for less resolution (-dmin)"
        )


def _summed(
    gemmi: Any,
    cell: Any,
    group: Any,
    reach: Reach,
    amplitude: Callable[[list[int]], complex],
    progress: Progress | None,
) -> Reflections:
    indices = gemmi.make_miller_array(cell, group, 1.0 / reach.per_A(cell))
    if not len(indices):
        raise ExperimentError(f"no reflection is as coarse as {reach.d_min_A:g} A")
    F = np.empty(len(indices))
    for done, hkl in enumerate(indices.tolist(), start=1):
        F[done - 1] = abs(amplitude(hkl))
        if progress is not None:
            progress(done / len(indices))
    return expand(indices.astype(np.int64), F, F, group.operations())
