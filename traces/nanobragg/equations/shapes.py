"""The lattice factor of crystals that are not square: model.md, section 7.

The shape and the parameter fudge are in no log. Of the shapes the one is taken that most steps obey; fudge is 1, or
what the steps show: where two steps or more agree on it, or as a number of few digits, as someone enters it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from trace_parity.blame.equation import Equation, Form, Input, Values
from trace_parity.blame.log_values import Array, LogView
from trace_parity.blame.shape import as_typed

from .vector_math import PI, sincg

ROUND = np.longdouble("0.723601254558268")
"""Correction of the sphere's volume."""
GAUSS = np.longdouble("0.63")
TOPHAT = np.longdouble("0.3969")
KNOWN = 1e-9
"""How close, relatively, the fudge of a step must come to the one taken."""
REACH = np.longdouble(10)
"""The largest fudge that is looked for in a round crystal, whose factor swings."""
GRID = 4000
HALVINGS = 70

Shape = Callable[[Values, np.longdouble], Array]


def _whole(x: Values) -> Array:
    cells: Array = np.prod(x["N_cells"], axis=1, keepdims=True)
    return cells


def _off(x: Values) -> Array:
    return x["hkl_frac"] - x["hkl_rounded"]


def _sphere(s: Array) -> Array:
    """3(sin s/s - cos s)/s², and 1 at 0."""
    at = np.where(s == 0, 1, s)
    return np.where(s == 0, 1, 3 * (np.sin(at) / at - np.cos(at)) / (at * at))


def _round(x: Values, fudge: np.longdouble | Array) -> Array:
    """Of one fudge (n, 1), or of one step with k of them (1, k)."""
    radius = np.sqrt(np.sum((_off(x) * x["N_cells"]) ** 2, axis=1, keepdims=True) * fudge)
    return _whole(x) * ROUND * _sphere(PI * radius)


def _reach(x: Values) -> Array:
    """The squared distance to the reflection in units of the crystal's size."""
    off = _off(x)
    delta = sum(off[:, [n]] * x[f"{axis}_star_A_inv"] for n, axis in enumerate("abc"))
    reach: Array = np.sum(delta * delta, axis=1, keepdims=True) * _whole(x) ** 2
    return reach


def _gauss(x: Values, fudge: np.longdouble) -> Array:
    factor: Array = _whole(x) * np.exp(-_reach(x) / GAUSS * fudge)
    return factor


def _tophat(x: Values, fudge: np.longdouble) -> Array:
    return np.where(_reach(x) * fudge < TOPHAT, _whole(x), 0)


def _square(x: Values, fudge: np.longdouble) -> Array:
    cells = np.maximum(x["N_cells"], 1)
    along = np.where(cells > 1, sincg(x["hkl_frac"], cells, x["hkl_frac"]), 1)
    product: Array = np.prod(along, axis=1, keepdims=True)
    return product


# The fudge that each step shows.


def _of_gauss(x: Values) -> list[Array]:
    with np.errstate(all="ignore"):
        shown = -np.log(x["F_latt"] / _whole(x)) * GAUSS / _reach(x)
    return [row[np.isfinite(row) & (row > 0)] for row in shown]


def _of_round(x: Values) -> list[Array]:
    """All roots up to REACH, since the factor of a sphere swings."""
    grid = np.linspace(np.longdouble(0), REACH, GRID + 1)[1:]
    found = []
    for n in range(len(x["F_latt"])):
        row = {name: array[n : n + 1] for name, array in x.items()}
        miss = _round(row, grid)[0] - row["F_latt"][0, 0]
        at = np.flatnonzero(miss[:-1] * miss[1:] <= 0)
        found.append(_roots(row, grid[at], grid[at + 1]))
    return found


def _roots(row: Values, low: Array, high: Array) -> Array:
    wanted = row["F_latt"][0, 0]
    below = _round(row, low)[0] < wanted
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        is_low = (_round(row, middle)[0] < wanted) == below
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    root: Array = (low + high) / 2
    return root


def _of_tophat(x: Values) -> list[Array]:
    """A fudge between what the steps inside allow and what those outside do."""
    reach, inside = _reach(x), x["F_latt"] > 0
    most = np.min(TOPHAT / reach[inside], initial=np.inf)
    least = np.max(TOPHAT / reach[~inside], initial=0)
    middle = np.sqrt(least * most) if least > 0 and most < np.inf else least * 2 if least else most / 2
    return [np.array([middle])] * len(reach)


SAMPLE = 6
"""Steps that the fudge is read from."""
READ = {"gauss": _of_gauss, "round": _of_round, "tophat": _of_tophat}
SHAPES: dict[str, Shape] = {"square": _square, "round": _round, "gauss": _gauss, "tophat": _tophat}


def _fudge(view: LogView, shape: str, x: Values) -> np.longdouble:
    """The fudge that the steps of a log share; NaN if they do not determine it."""
    name = f"fudge of {shape}"
    if name not in view.memo:
        sure = np.flatnonzero(np.isfinite(x["F_latt"][:, 0]) & (np.abs(_off(x)).max(axis=1) > 0))
        some = sure[np.linspace(0, len(sure) - 1, min(SAMPLE, len(sure))).astype(int)] if len(sure) else sure
        view.memo[name] = _shared(READ[shape]({label: array[some] for label, array in x.items()}))
    fudge: np.longdouble = view.memo[name]
    return fudge


def _shared(shown: list[Array]) -> np.longdouble:
    values = [value for row in shown for value in row]
    near = {value: sum(bool((np.abs(row / value - 1) <= KNOWN).any()) for row in shown) for value in values}
    best = max(near, key=lambda value: near[value], default=None)
    if best is not None and near[best] > 1:
        return np.longdouble(best)
    entered = (typed for value in values if not np.isnan(typed := as_typed(value)))
    return next(entered, np.longdouble(np.nan))


def _form(view: LogView, shape: str, is_read: bool) -> Form:
    def factor(x: Values) -> Array:
        return SHAPES[shape](x, _fudge(view, shape, x) if is_read else np.longdouble(1))

    return Form(f"{shape}, fudge as the log shows it" if is_read else shape, factor)


def _forms(view: LogView) -> tuple[Form, ...]:
    return (*(_form(view, shape, False) for shape in SHAPES), *(_form(view, shape, True) for shape in READ))


LATTICE_OF_SHAPE = Equation(
    "lattice_of_shape",
    "F_latt of a round, gauss or tophat crystal, from hkl_frac - hkl_rounded, N_cells and fudge",
    "7",
    "step.F_latt",
    (
        *map(Input, "hkl_frac hkl_rounded N_cells run.a_star_A_inv run.b_star_A_inv run.c_star_A_inv".split()),
        Input("step.F_latt", "F_latt"),
    ),
    _forms,
    one_form=True,
    conditional=True,
    fallback_for=("lattice", "lattice_of_indices"),
)
