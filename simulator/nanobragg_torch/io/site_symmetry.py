"""The weight of a site: the order of its site symmetry, from the file or from its printed digits.

A small-molecule file counts an atom on a symmetry element whole, and the sum over all operations meets it once for
each of them that leaves it where it is. Source: International Tables for Crystallography A, section 1.4.4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.atoms import named
from nanobragg_torch.io.symmetry import Symmetry

_THIRDS = [Fraction(n, 6) for n in (1, 2, 4, 5)]
_ROUNDING = 1e-6  # of sums of fractions, in fractions of the cell
_SAME_PLACE_A = 0.05  # closer than this no two whole atoms are


def printed_step(text: str) -> float:
    """The rounding error of a printed coordinate; 0 for a coordinate that is an exact fraction.

    Coordinates of one or two digits (0, 0.5, 0.2500) are exact, except sixths (0.33, 0.17), which are periodic.
    Trailing zeros do not count: 0.333330 has five digits.
    """
    number = re.sub(r"\(\d*\)", "", text)
    mantissa, _, exponent = number.lower().partition("e")
    digits = len(mantissa.partition(".")[2].rstrip("0"))
    step = 10.0 ** (int(exponent or 0) - digits)
    if digits <= 2:
        value = float(number) % 1.0
        return step if digits == 2 and any(abs(value - float(third)) < step for third in _THIRDS) else 0.0
    return step


def orders_by_position(
    xyz: np.ndarray, steps: np.ndarray, occupancy: np.ndarray, symmetry: Symmetry, orthogonal: np.ndarray
) -> np.ndarray:
    """How many operations map each position (n, 3) onto itself within its printed steps (n, 3), whole numbers (n,).

    Where the images within 0.05 Å would be more than one atom in one place they are one too: coordinates with noise
    beyond their true digits. `orthogonal` (3, 3) takes fractions to Å.
    """
    turns = symmetry.rotations - np.eye(3, dtype=np.int64)
    orders = np.ones(len(xyz), dtype=np.int64)
    for n, (place, step) in enumerate(zip(xyz, steps, strict=True)):
        moved = turns @ place + symmetry.translations
        away = moved - np.round(moved)
        orders[n] = (np.abs(away) <= np.abs(turns) @ step + _ROUNDING).all(1).sum()
        close = int((np.linalg.norm(away @ orthogonal.T, axis=1) < _SAME_PLACE_A).sum())
        if close > orders[n] and occupancy[n] * close / orders[n] > 1.001 and symmetry.order % close == 0:
            orders[n] = close
    return orders


def orders_of_file(
    orders: np.ndarray, multiplicities: np.ndarray, by_position: np.ndarray, symmetry: Symmetry
) -> np.ndarray:
    """The order of each site as the file gives it (n,), NaN where it does not.

    `symmetry_multiplicity` once meant the order of the site too: the meaning that agrees with more positions is taken.
    """
    wanted = orders.copy()
    given = np.isfinite(multiplicities) & (multiplicities > 0)
    if given.any():
        as_multiplicity = np.where(given, symmetry.order / np.where(given, multiplicities, 1.0), np.nan)
        agree = [(meaning[given] == by_position[given]).sum() for meaning in (as_multiplicity, multiplicities)]
        chosen = as_multiplicity if agree[0] >= agree[1] else multiplicities
        wanted = np.where(np.isfinite(wanted), wanted, np.where(given, chosen, np.nan))
    return wanted


def site_orders(
    labels: Sequence[str], by_position: np.ndarray, of_file: np.ndarray, symmetry: Symmetry, where: str
) -> tuple[np.ndarray, list[str]]:
    """The order of each site (n,) and a notice of those that are special; ExperimentError for an impossible order."""
    given = np.isfinite(of_file)
    possible = (of_file >= 1) & (of_file == np.round(of_file)) & (symmetry.order % np.where(given, of_file, 1) == 0)
    if (given & ~possible).any():
        at = int(np.flatnonzero(given & ~possible)[0])
        raise ExperimentError(
            f"{where}: the site of {labels[at]} has the order {of_file[at]:g} by its multiplicity, expected a divisor "
            f"of the {symmetry.order} operations"
        )
    orders = np.where(given, of_file, by_position)
    special = [f"{labels[int(i)]} ({int(orders[i])})" for i in np.flatnonzero(orders > 1)]
    notices = [f"atoms on special positions, with the order of the site: {named(special)}"] if special else []
    differing = [labels[int(i)] for i in np.flatnonzero(given & (of_file != by_position))]
    if differing:
        notices.append(f"the file's site symmetry differs from the positions, the file's is used: {named(differing)}")
    return orders, notices
