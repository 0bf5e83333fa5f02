"""From the reflections of an asymmetric unit to all of reciprocal space (P1).

A symmetry operation x' = R x + t of the crystal takes the reflection h (a row) to h R with the same amplitude, and
Friedel's law takes h to -h. Source: International Tables for Crystallography B, section 1.4.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nanobragg_torch.io.hkl import on_grid
from nanobragg_torch.settings import Reflections


def expand(indices: np.ndarray, F_plus: np.ndarray, F_minus: np.ndarray, operations: Any) -> Reflections:
    """All mates of `indices` (n, 3) on a grid; `operations` are gemmi's GroupOps.

    `F_plus` (n,) goes to the mates of h, `F_minus` to those of -h. An index that the list holds itself keeps its own
    value, and one reached by a rotation wins over one reached by Friedel's law. Points of the grid that the symmetry
    makes absent are 0; what is left unlisted is NaN.
    """
    rotations = [np.array(operation.rot, dtype=np.int64) // operation.DEN for operation in operations.sym_ops]
    rotations.sort(key=lambda R: np.array_equal(R, np.eye(3)))  # the identity last: the list's own indices win
    mates = [indices @ R for R in rotations]
    every = np.concatenate([*(-mate for mate in mates), *mates])
    values = np.concatenate([F_minus] * len(mates) + [F_plus] * len(mates))
    grid = on_grid(every, values)
    F, low = np.asarray(grid.F), np.array(grid.lowest)
    unlisted = np.argwhere(np.isnan(F))
    absent = operations.systematic_absences((unlisted + low).astype(np.int32))
    F[tuple(unlisted[absent].T)] = 0.0
    return grid
