"""The sum over all steps of a pixel, for logs without a running sum: each step's F_cell and F_latt is an input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from trace_parity.blame.equation import Equation, Evaluated, Form, Values
from trace_parity.blame.evaluation import judge_rows, outputs
from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.vocabulary import Key

Place = tuple[str, Key]


def sum_of_steps(view: LogView, equation: Equation) -> Evaluated:
    """Σ F_cell²·F_latt² over all steps of the pixel, for logs without running sum; one F_cell may be used for all."""
    form = Form("plain sum", _total, _total_spread)
    asked = replace(equation, inputs=(), forms=(form,), conditional=_perhaps_water, relation=None)
    found = Evaluated(equation=asked)
    tick = view.vocabulary.loops.index("phi_tic")
    terms: list[list[tuple[Place, Place]]] = []
    for key in view.keys(equation.output):
        places = view.keys_within("step.F_latt", key, 2)
        places = [k for k in places if k[tick] >= 0] or places
        count = view.find("steps", key)
        steps = view.at(*count) if count is not None else None
        cells = [view.find("F_cell", k) or view.find("F_cell", key) for k in places]
        if lacking := _lacking(places, cells, steps):
            found.missing[key] = lacking
            continue
        found.row[key] = len(terms)
        terms.append([(cell, ("step.F_latt", k)) for cell, k in zip(cells, places, strict=True) if cell is not None])
    if terms:
        _gather_terms(view, found, terms)
        keys = list(found.row)
        judge_rows(asked, view, found, keys, outputs(asked, view, keys))
    return found


def _gather_terms(view: LogView, found: Evaluated, terms: list[list[tuple[Place, Place]]]) -> None:
    """A pair of inputs per step, zero where a pixel has fewer steps."""
    for n in range(max(map(len, terms))):
        for which, name in enumerate(("F_cell", "F_latt")):
            label = f"{name} of step {n}"
            places = [row[n][which] if n < len(row) else None for row in terms]
            rows = [view.at(*place) if place is not None else None for place in places]
            found.sources[label] = list(places)
            found.values[label] = np.array([[0.0] if row is None else row[:1] for row in rows], dtype=np.longdouble)
            variable = next((place[0] for place in places if place is not None), "")
            found.spreads[label] = view.uncertainty(variable, found.values[label])
    found.values["loops"] = np.array(list(found.row), dtype=np.longdouble)


def _terms(x: Values) -> Array:
    """F_cell and F_latt as (2, steps, pixels, 1)."""
    return np.array([[x[label] for label in x if label.startswith(name)] for name in ("F_cell", "F_latt")])


def _total(x: Values) -> Array:
    cells, lattices = _terms(x)
    total: Array = np.sum((cells * lattices) ** 2, axis=0)
    return total


def _total_spread(x: Values, spreads: Values) -> Array:
    cells, lattices = np.abs(_terms(x))
    of_cells, of_lattices = _terms(spreads)
    spread: Array = np.sum(2 * cells * lattices * (cells * of_lattices + lattices * of_cells), axis=0)
    return spread


def _perhaps_water(x: Values, got: Array) -> np.ndarray:
    """More than the sum may be the background of water."""
    return np.asarray((got > _total(x)).reshape(len(got)))


def _lacking(places: list[Key], cells: list[tuple[str, Key] | None], steps: Array | None) -> tuple[str, ...]:
    if steps is None:
        return ("steps",)
    lacking = []
    if len(places) != steps[0]:
        lacking.append(f"F_latt ({len(places)} of {int(steps[0])} steps are in the log)")
    if not cells or None in cells:
        lacking.append("F_cell")
    return tuple(lacking)
