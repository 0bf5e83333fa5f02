"""The names of a trace, and a value as a line of text.

`TRACE_PY[<key>=<int> ...]: <name> <number> ...`, numbers as %.17g, integers as integers. `TRACE_NAMES` is the one
table of what may be printed, in order of evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence

SIDE = "TRACE_PY"

# (scope, name, how many numbers)
TRACE_NAMES: tuple[tuple[str, str, int], ...] = (
    ("run", "beam_vec", 3),
    ("run", "polar_vec", 3),
    ("run", "spindle_vec", 3),
    ("run", "twotheta_axis", 3),
    ("run", "fdet_vec", 3),
    ("run", "sdet_vec", 3),
    ("run", "odet_vec", 3),
    ("run", "pix0_vector_meters", 3),
    ("run", "distance_meters", 1),
    ("run", "close_distance_meters", 1),
    ("run", "Fbeam_meters", 1),
    ("run", "Sbeam_meters", 1),
    ("run", "Fclose_meters", 1),
    ("run", "Sclose_meters", 1),
    ("run", "a_star_A_inv", 3),
    ("run", "b_star_A_inv", 3),
    ("run", "c_star_A_inv", 3),
    ("run", "a_angstroms", 3),
    ("run", "b_angstroms", 3),
    ("run", "c_angstroms", 3),
    ("run", "V_cell_A3", 1),
    ("run", "N_cells", 3),
    ("mosaic", "mosaic_umat", 9),
    ("subsample", "pix0_vector_meters", 3),
    ("subsample", "fdet_vec", 3),
    ("subsample", "sdet_vec", 3),
    ("subsample", "odet_vec", 3),
    ("subsample", "pixel_pos_meters", 3),
    ("subsample", "R_distance_meters", 1),
    ("subsample", "close_distance_meters", 1),
    ("subsample", "diffracted_vec", 3),
    ("subsample", "omega_pixel_sr", 1),
    ("subsample", "capture_fraction", 1),
    ("source", "incident_vec", 3),
    ("source", "lambda_meters", 1),
    ("source", "scattering_vec_m_inv", 3),
    ("source", "polar", 1),
    ("step", "phi_deg", 1),
    ("step", "rot_a_angstroms", 3),
    ("step", "rot_b_angstroms", 3),
    ("step", "rot_c_angstroms", 3),
    ("step", "rot_a_star_A_inv", 3),
    ("step", "rot_b_star_A_inv", 3),
    ("step", "rot_c_star_A_inv", 3),
    ("step", "V_actual_A3", 1),
    ("step", "hkl_frac", 3),
    ("step", "hkl_rounded", 3),
    ("step", "F_latt_a", 1),
    ("step", "F_latt_b", 1),
    ("step", "F_latt_c", 1),
    ("step", "F_latt", 1),
    ("step", "F_cell", 1),
    ("step", "I_running", 1),
    ("pixel", "I_before_scaling", 1),
    ("pixel", "r_e_sqr", 1),
    ("pixel", "fluence_photons_per_m2", 1),
    ("pixel", "steps", 1),
    ("pixel", "capture_fraction_final", 1),
    ("pixel", "polar_final", 1),
    ("pixel", "omega_pixel_final", 1),
    ("pixel", "I_pixel_final", 1),
    ("pixel", "floatimage_accumulated", 1),
)

_SIZES = {(scope, name): size for scope, name, size in TRACE_NAMES}
_INTEGERS = frozenset({"N_cells", "hkl_rounded", "steps"})
# The keys of the loops that a scope sits in, outermost first.
KEYS: dict[str, tuple[str, ...]] = {
    "run": (),
    "mosaic": ("mos_tic",),
    "subsample": ("spixel", "fpixel", "thick_tic", "subS", "subF"),
    "source": ("spixel", "fpixel", "thick_tic", "subS", "subF", "source"),
    "step": ("spixel", "fpixel", "thick_tic", "subS", "subF", "source", "phi_tic", "mos_tic"),
    "pixel": ("spixel", "fpixel"),
}


def prefix(scope: str, counters: Sequence[int]) -> str:
    """`TRACE_PY[...]` for the counters of the loops that `scope` sits in, outermost first."""
    keys = KEYS[scope]
    if len(counters) != len(keys):
        raise ValueError(f"scope {scope} has keys {keys}, got counters {tuple(counters)}")
    pairs = " ".join(f"{key}={counter}" for key, counter in zip(keys, counters, strict=True))
    return f"{SIDE}[{pairs}]" if pairs else SIDE


def line(scope: str, name: str, at: str, values: Sequence[float]) -> str:
    """One line; `at` is what `prefix` gave. KeyError for a name that is not in the table."""
    size = _SIZES[scope, name]
    if len(values) != size:
        raise ValueError(f"{scope} {name} has {len(values)} numbers, expected {size}")
    integer = name in _INTEGERS
    return f"{at}: {name} {' '.join(_number(value, integer) for value in values)}"


def _number(value: float, integer: bool) -> str:
    if integer and value == value and abs(value) < 1e18 and value == int(value):
        return str(int(value))
    return f"{value:.17g}"
