"""Equations of crystal, rotation, indices and lattice factor: model.md, sections 3, 5 and 7."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from trace_parity.blame.equation import Equation, Form, Input, Values
from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.vocabulary import ABSENT, Key

from .cells import product_over_cells
from .common import simple
from .shapes import LATTICE_OF_SHAPE
from .ticks import evenly_spaced, on_a_circle, turned_together
from .vector_math import (
    ANGLES_MIXED_UP,
    PI,
    apply,
    cross,
    dot,
    nearest,
    nearest_rotation,
    norm,
    sincg,
    triple,
    turn,
)

AXES = "abc"
METRES_PER_ANGSTROM = np.longdouble("1e-10")


def partner(names: tuple[str, str, str], which: int) -> Callable[[Values], Array]:
    """The dual of vector `which`: (next × next but one) / volume."""
    first, second = names[(which + 1) % 3], names[(which + 2) % 3]

    def dual(x: Values) -> Array:
        return cross(x[first], x[second]) / triple(x[names[0]], x[names[1]], x[names[2]])

    return dual


STARS = ("a_star_A_inv", "b_star_A_inv", "c_star_A_inv")
REAL = ("a_angstroms", "b_angstroms", "c_angstroms")
OBEYED = 1e-10
"""Relative: far above what printing 15 digits hides, far below the 2e-5 by which forced lengths show."""
ROTATED = ("rot_a_angstroms", "rot_b_angstroms", "rot_c_angstroms")


# With -cell the lengths are forced and the reciprocal vectors remade as a* = (b×c)/V with the V of the cell's formula.
# Where the model's cell is off (quirk triclinic-cell) V is not a·(b×c), and a·a* is a little off 1, on purpose.


def _star_volume(x: Values) -> Array:
    return triple(*(x[name] for name in STARS))


def _forced_volume(x: Values) -> Array:
    return _star_volume(x) * (norm(x["a_angstroms"]) / norm(cross(x[STARS[1]], x[STARS[2]]))) ** 2


def _dual(which: int) -> Form:
    return Form("dual", partner(STARS, which))


def _forced(which: int) -> Form:
    first, second = STARS[(which + 1) % 3], STARS[(which + 2) % 3]

    def forced(x: Values) -> Array:
        volume = _star_volume(x)
        return cross(x[first], x[second]) * np.sign(volume) * np.sqrt(x["V_cell_A3"] / volume)

    return Form("forced lengths", forced)


def _is_forced(view: LogView) -> bool:
    """Which of the two forms all three vectors of a log follow: the one that more of them obey, else as V_cell says."""
    names = (*STARS, *REAL, "V_cell_A3")
    places = [view.find(f"run.{name}", (ABSENT,) * len(view.vocabulary.loops)) for name in names]
    rows = {name: view.at(*place) for name, place in zip(names, places, strict=True) if place is not None}
    x = {name: row[None] for name, row in rows.items() if row is not None}
    if len(x) < len(names):
        return False
    with np.errstate(all="ignore"):
        obeyed = [
            sum(bool(norm(form(n).function(x) - x[REAL[n]])[0, 0] <= OBEYED * norm(x[REAL[n]])[0, 0]) for n in range(3))
            for form in (_dual, _forced)
        ]
        apart = abs(triple(*(x[name] for name in REAL)) / x["V_cell_A3"] - 1)
    return obeyed[1] > obeyed[0] or (obeyed[0] == obeyed[1] and bool(apart[0, 0] > OBEYED))


def _direct(which: int) -> Equation:
    axis = AXES[which]
    first, second = STARS[(which + 1) % 3], STARS[(which + 2) % 3]
    return Equation(
        f"direct_{axis}",
        f"{axis} = ({first[0]}* × {second[0]}*) / V*; with forced lengths times √(V/V*)",
        "5",
        f"run.{axis}_angstroms",
        (*(Input(f"run.{name}") for name in STARS), Input("run.V_cell_A3", default=np.nan)),
        lambda view: ((_forced if _is_forced(view) else _dual)(which),),
    )


def _star(which: int) -> Equation:
    axis, first, second = AXES[which], AXES[(which + 1) % 3], AXES[(which + 2) % 3]
    return simple(
        f"star_{axis}",
        f"{axis}* = ({first} × {second}) / V_cell",
        "5",
        f"run.{STARS[which]}",
        f"run.{first}_angstroms run.{second}_angstroms run.V_cell_A3",
        lambda x: cross(x[f"{first}_angstroms"], x[f"{second}_angstroms"]) / x["V_cell_A3"],
        backward=True,
    )


def _rotation(axis: str) -> Equation:
    base = f"{axis}_angstroms"

    def rotated(x: Values) -> Array:
        return apply(x["mosaic_umat"], turn(x[base], x["spindle_vec"], x["phi_deg"]))

    def mosaic_first(x: Values) -> Array:
        return turn(apply(x["mosaic_umat"], x[base]), x["spindle_vec"], x["phi_deg"])

    return Equation(
        f"rotation_{axis}",
        f"rot_{axis} = U · rotate({axis}; spindle, phi)",
        "5",
        f"step.rot_{axis}_angstroms",
        tuple(map(Input, (f"run.{base}", "spindle_vec", "phi_deg", "mosaic_umat"))),
        (Form("as written", rotated),),
        variants=(Form("mosaic rotation before phi", mosaic_first),),
    )


def _rotation_between(axis: str) -> Equation:
    """Where the cell at φ=0 or the spindle is not in the log: the ticks must be rotations of one another."""
    return Equation(
        f"rotation_{axis}_between_ticks",
        f"rot_{axis} of all ticks are rotated about one axis by their differences in phi",
        "5",
        f"step.rot_{axis}_angstroms",
        tuple(map(Input, ("phi_deg", *ROTATED))),
        fallback_for=(f"rotation_{axis}",),
        relation=lambda view, equation: turned_together(view, equation, AXES.index(axis)),
    )


def _reciprocal(which: int) -> Equation:
    axis = AXES[which]
    return Equation(
        f"duality_{axis}",
        f"rot_{axis}_star = (rot_{AXES[(which + 1) % 3]} × rot_{AXES[(which + 2) % 3]}) / V, so that a·a*=1, a·b*=0, …",
        "5",
        f"step.rot_{axis}_star_A_inv",
        tuple(map(Input, ROTATED)),
        (Form("as written", partner(ROTATED, which)),),
    )


def _hkl(x: Values) -> Array:
    q = x["scattering_vec_m_inv"] * METRES_PER_ANGSTROM
    return np.concatenate([dot(x[name], q) for name in ROTATED], axis=1)


def _lattice(which: int) -> Equation:
    def factor(x: Values) -> Array:
        cells = x["N_cells"][:, [which]]
        return np.where(cells > 1, sincg(x["hkl_frac"][:, [which]], np.maximum(cells, 1), x["below"][:, [which]]), 1)

    index, axis = "hkl"[which], AXES[which]
    return Equation(
        f"lattice_{axis}",
        f"F_latt_{axis} = sin(πN{index})/sin(π{index}), N = N_cells[{which}]; 1 for N = 1",
        "7",
        f"step.F_latt_{axis}",
        # The index twice: the two sines are rounded apart, which shows where their quotient is flat, at its peak.
        (Input("hkl_frac"), Input("hkl_frac", "below"), Input("N_cells")),
        (Form("as written", factor),),
        variants=(
            Form(f"not divided by sin(π{index})", lambda x: factor(x) * _sine(x, which)),
            Form(
                f"divided by π{index} in place of sin(π{index})",
                lambda x: factor(x) * _sine(x, which) / _turn(x, which),
            ),
            Form(f"divided by N sin(π{index})", lambda x: factor(x) / x["N_cells"][:, [which]]),
            *_in_degrees(index, which, factor),
        ),
    )


def _in_degrees(index: str, which: int, factor: Callable[[Values], Array]) -> Iterator[Form]:
    """One of the two sines of an angle in degrees, or of one in radians that is taken for degrees."""

    def sine(x: Values, times: Array, unit: np.longdouble) -> Array:
        return np.asarray(np.sin(_turn(x, which) * times * unit) / np.sin(_turn(x, which) * times))

    for unit, words in ANGLES_MIXED_UP:
        yield Form(
            f"sin(πN{index}) of its angle {words}",
            lambda x, unit=unit: factor(x) * sine(x, x["N_cells"][:, [which]], unit),  # type: ignore[misc]
        )
        yield Form(
            f"sin(π{index}) of its angle {words}",
            lambda x, unit=unit: factor(x) / sine(x, np.ones_like(x["one"]), unit),  # type: ignore[misc]
        )


def _turn(x: Values, which: int) -> Array:
    """π times an index."""
    turn: Array = PI * x["hkl_frac"][:, [which]]
    return turn


def _sine(x: Values, which: int) -> Array:
    sine: Array = np.sin(_turn(x, which))
    return sine


def _same_reflection(view: LogView, key: Key) -> Key | None:
    """Another step at the same nearest reflection whose F_cell most steps at that reflection share."""
    table = _structure_factors(view)
    index = view.find("step.hkl_rounded", key)
    return table.get(_words(view, index)) if index is not None else None


def _words(view: LogView, place: tuple[str, Key]) -> tuple[float, ...]:
    value = view.at(*place)
    return () if value is None else tuple(float(v) for v in value)


def _structure_factors(view: LogView) -> dict[tuple[float, ...], Key]:
    """Nearest reflection to the key of a step that has the value of the majority; where there is a majority."""
    cached: dict[tuple[float, ...], Key] | None = view.memo.get("structure_factors")
    if cached is not None:
        return cached
    seen: dict[tuple[float, ...], dict[float, list[Key]]] = {}
    for key in view.keys("step.F_cell"):
        index, value = view.find("step.hkl_rounded", key), view.at("step.F_cell", key)
        if index is not None and value is not None:
            seen.setdefault(_words(view, index), {}).setdefault(float(value[0]), []).append(key)
    found = {}
    for words, groups in seen.items():
        most = max(groups.values(), key=len)
        if 2 * len(most) > sum(map(len, groups.values())) and len(most) > 1:
            found[words] = most[0]
    view.memo["structure_factors"] = found
    return found


def _umat_first(x: Values) -> Array:
    return np.tile(np.eye(3, dtype=np.longdouble).reshape(9), (len(x["mosaic_umat"]), 1))


def _first_domain(view: LogView, key: Key) -> Key | None:
    return key if key[view.vocabulary.loops.index("mos_tic")] == 0 else None


EQUATIONS: tuple[Equation, ...] = (
    *(_direct(n) for n in range(3)),
    *(_star(n) for n in range(3)),
    Equation(
        "volume",
        "V_cell = a·(b×c); with forced lengths a*·(b*×c*)·(|a|/|b*×c*|)²",
        "5",
        "run.V_cell_A3",
        tuple(map(Input, (*(f"run.{axis}_angstroms" for axis in AXES), *(f"run.{name}" for name in STARS)))),
        (
            Form("dual", lambda x: triple(x["a_angstroms"], x["b_angstroms"], x["c_angstroms"])),
            Form("forced lengths", _forced_volume),
        ),
    ),
    simple(
        "umat_rotates",
        "U Uᵀ = 1",
        "9",
        "mosaic.mosaic_umat",
        "mosaic_umat",
        lambda x: nearest_rotation(x["mosaic_umat"]),
    ),
    Equation(
        "umat_first",
        "U of mosaic domain 0 is the identity",
        "9",
        "mosaic.mosaic_umat",
        (Input("mosaic.mosaic_umat", pick=_first_domain),),
        (Form("as written", _umat_first),),
    ),
    Equation(
        "phi",
        "phi = phi0 + step·phi_tic",
        "3",
        "step.phi_deg",
        (Input("step.phi_deg"),),
        relation=evenly_spaced,
    ),
    *(_rotation(axis) for axis in AXES),
    *(_rotation_between(axis) for axis in AXES),
    *(_reciprocal(n) for n in range(3)),
    simple(
        "volume_here",
        "V_actual = rot_a·(rot_b×rot_c)",
        "5",
        "step.V_actual_A3",
        " ".join(ROTATED),
        lambda x: triple(*(x[name] for name in ROTATED)),
    ),
    simple(
        "hkl",
        "hkl_frac = (rot_a·q, rot_b·q, rot_c·q)",
        "7",
        "step.hkl_frac",
        " ".join((*ROTATED, "scattering_vec_m_inv")),
        _hkl,
    ),
    Equation(
        "hkl_over_phi",
        "hkl_frac(phi) = c0 + c1·cos(phi) + c2·sin(phi) at all ticks",
        "5, 7",
        "step.hkl_frac",
        tuple(map(Input, ("phi_deg", "hkl_frac"))),
        fallback_for=("hkl",),
        relation=on_a_circle,
    ),
    Equation(
        "rounding",
        "hkl_rounded = ceil(hkl_frac - 0.5)",
        "7",
        "step.hkl_rounded",
        (Input("hkl_frac"),),
        (Form("as written", lambda x: nearest(x["hkl_frac"])),),
        exact=True,
        variants=(
            Form("rounded half to even", lambda x: np.round(x["hkl_frac"])),
            Form("rounded down", lambda x: np.floor(x["hkl_frac"])),
            Form("truncated", lambda x: np.trunc(x["hkl_frac"])),
            Form("rounded up", lambda x: np.ceil(x["hkl_frac"])),
        ),
    ),
    *(_lattice(n) for n in range(3)),
    simple(
        "lattice",
        "F_latt = F_latt_a·F_latt_b·F_latt_c, for a square crystal",
        "7",
        "step.F_latt",
        "F_latt_a F_latt_b F_latt_c",
        lambda x: x["F_latt_a"] * x["F_latt_b"] * x["F_latt_c"],
        variants=(
            Form("the sum of F_latt_a, F_latt_b and F_latt_c", lambda x: x["F_latt_a"] + x["F_latt_b"] + x["F_latt_c"]),
        ),
    ),
    Equation(
        "lattice_of_indices",
        "F_latt = Π sin(πNh)/sin(πh) over h, k, l, with the whole numbers N that most steps share (square crystal)",
        "7",
        "step.F_latt",
        (Input("hkl_frac"),),
        fallback_for=("lattice",),
        relation=product_over_cells,
    ),
    LATTICE_OF_SHAPE,
    Equation(
        "F_cell_of_reflection",
        "F_cell is one value per nearest reflection, without interpolation",
        "7",
        "step.F_cell",
        (Input("hkl_rounded"), Input("step.F_cell", "same_reflection", _same_reflection)),
        (Form("as written", lambda x: x["same_reflection"]),),
        conditional=True,
        table="hkl_rounded",
    ),
)
