"""The lattice factor of a log that lacks the numbers of cells: three whole numbers must explain most of its steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from trace_parity.blame.equation import Equation, Evaluated, Form, Input, Values
from trace_parity.blame.evaluation import evaluate
from trace_parity.blame.log_values import Array, LogView

from .vector_math import sincg

MOST_CELLS = 200
"""Cells along one axis that are tried; larger crystals than this are rare, and their logs say nothing here."""
ANCHORS = 6
"""Steps that the numbers are searched from; one sound one among them is enough."""
CLOSE = 1e-9
"""How close three factors must come to the printed product to be tried on the other steps."""
MOST_TRIED = 40
Cells = tuple[int, int, int]


def product_over_cells(view: LogView, equation: Equation) -> Evaluated:
    """F_latt = Π sin(πNh)/sin(πh) of the printed indices, with the N that most steps share."""
    places = [(key, view.find("hkl_frac", key)) for key in view.keys(equation.output)]
    known = [(key, place) for key, place in places if place is not None and not view.holes(*place)]
    best: Evaluated | None = None
    tried: set[Cells] = set()
    for key, place in known[:ANCHORS]:
        for cells in _that_fit(view.at(*place), view.at(equation.output, key)):
            if cells not in tried and len(tried) < MOST_TRIED:
                tried.add(cells)
                found = evaluate(_with(equation, cells), view)
                best = found if best is None or _obeyed(found) > _obeyed(best) else best
        if best is not None and _obeyed(best) == len(known):
            break
    if best is None or _obeyed(best) < 2 or 2 * _obeyed(best) <= len(known):
        return Evaluated(missing={key: ("N_cells",) for key, _ in places})
    return best


def _obeyed(found: Evaluated) -> int:
    return sum(outcome.ok for outcome in found.outcomes.values())


def _with(equation: Equation, cells: Cells) -> Equation:
    def product(x: Values) -> Array:
        total = np.ones_like(x["hkl_frac"][:, :1])
        for axis, count in enumerate(cells):
            if count > 1:
                index, below = x["hkl_frac"][:, [axis]], x["below"][:, [axis]]
                total = total * sincg(index, np.full_like(index, count), below)
        return total

    inputs = (Input("hkl_frac"), Input("hkl_frac", "below"))
    form = Form(f"{cells[0]} x {cells[1]} x {cells[2]} cells", product)
    return replace(equation, inputs=inputs, forms=(form,), relation=None)


def _that_fit(hkl: Array | None, product: Array | None) -> list[Cells]:
    """Numbers of cells along a, b, c that give `product` at one step."""
    if hkl is None or product is None or not np.isfinite(hkl).all() or not product[0]:
        return []
    counts = np.arange(1, MOST_CELLS + 1, dtype=np.longdouble)
    a, b, c = (sincg(np.full_like(counts, x), counts, np.full_like(counts, x)).astype(float) for x in hkl)
    order = np.argsort(c)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = float(product[0]) / np.multiply.outer(a, b).ravel()
    wanted = np.nan_to_num(wanted, nan=np.inf, posinf=np.inf, neginf=-np.inf)
    found: list[tuple[float, Cells]] = []
    above = np.searchsorted(c[order], wanted)
    for near in (np.clip(above, 0, len(c) - 1), np.clip(above - 1, 0, len(c) - 1)):
        with np.errstate(divide="ignore", invalid="ignore"):
            miss = np.abs(c[order][near] / wanted - 1)
        for n in np.flatnonzero(miss < CLOSE):
            cells = (int(n) // MOST_CELLS + 1, int(n) % MOST_CELLS + 1, int(order[near[n]]) + 1)
            found.append((float(miss[n]), cells))
    return [cells for _, cells in sorted(found)[:MOST_TRIED]]
