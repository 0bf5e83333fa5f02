"""One value for each reflection: values that agree are merged, values that differ are refused or averaged.

Mates under the rotations of the space group count as the same reflection, those under Friedel's law do not: they
differ where there is anomalous scattering. R_merge = Σ |x - <x>| / Σ x over all that were measured more than once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.symmetry import Symmetry, class_keys

_SAME = 1e-3  # relative: what the digits of a list of calculated mates may differ by
_SAME_OF_MEAN = 1e-5
_EXAMPLES = 3
MERGES = ("mean",)


@dataclass(frozen=True)
class Observed:
    """Indices (n, 3), values (n,) and standard uncertainties (n,), NaN where there is none."""

    indices: np.ndarray
    values: np.ndarray
    sigmas: np.ndarray

    def only(self, rows: np.ndarray) -> Observed:
        """The rows of a mask or of whole numbers."""
        return Observed(self.indices[rows], self.values[rows], self.sigmas[rows])


def settled(observed: Observed, symmetry: Symmetry, merge: str | None, where: str) -> tuple[Observed, list[str]]:
    """The list with one value per reflection, and the notices.

    Without `merge` a list whose values agree is returned as it is; ExperimentError has the count and examples of
    those that do not. `merge="mean"` averages, weighted by 1/sigma² where every sigma of a reflection is above 0.
    """
    keys = class_keys(observed.indices, symmetry, friedel=False)
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(keys[order]) != 0])
    counts = np.diff(np.r_[starts, len(keys)])
    values = observed.values[order]
    spread = np.maximum.reduceat(values, starts) - np.minimum.reduceat(values, starts)
    largest = np.maximum.reduceat(np.abs(values), starts)
    contradicted = np.flatnonzero(spread > _SAME * largest + _SAME_OF_MEAN * np.abs(values).mean())
    if merge is None:
        if len(contradicted):
            examples = "; ".join(_example(observed, order, starts[g], counts[g]) for g in contradicted[:_EXAMPLES])
            raise ExperimentError(
                f"{where} is unmerged or contradicts itself: {len(contradicted)} of {len(starts)} reflections are "
                f"listed with different values: {examples}; expected one value each: merge them first, "
                "python -m nanobragg_torch.io.xtal FILE OUT.hkl --merge mean does that"
            )
        return observed, []
    return _mean(observed, order, starts, counts)


def _example(observed: Observed, order: np.ndarray, start: int, count: int) -> str:
    rows = order[start : start + min(count, 4)]
    words = [f"({' '.join(map(str, observed.indices[row].tolist()))}) {observed.values[row]:g}" for row in rows]
    return ", ".join(words) + (", ..." if count > 4 else "")


def _mean(observed: Observed, order: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> tuple[Observed, list[str]]:
    values, sigmas = observed.values[order], observed.sigmas[order]
    usable = np.isfinite(sigmas) & (sigmas > 0)
    all_usable = np.repeat(np.logical_and.reduceat(usable, starts), counts)
    weights = np.where(all_usable, 1.0 / np.where(all_usable, sigmas, 1.0) ** 2, 1.0)
    total = np.add.reduceat(weights, starts)
    means = np.add.reduceat(weights * values, starts) / total
    repeated = np.repeat(counts > 1, counts)
    away = float(np.abs(values - np.repeat(means, counts))[repeated].sum())
    size = float(values[repeated].sum())
    R_merge = f"{away / size:.4f}" if size > 0 else "undefined"
    weighted = int(np.logical_and.reduceat(usable, starts)[counts > 1].sum())
    notice = (
        f"{len(values)} observations merged to {len(starts)} reflections by their mean, {int((counts > 1).sum())} of "
        f"more than one ({weighted} weighted by sigma), R_merge {R_merge}"
    )
    errors = np.where(np.logical_and.reduceat(usable, starts), total**-0.5, np.nan)
    return Observed(observed.indices[order[starts]], means, errors), [notice]
