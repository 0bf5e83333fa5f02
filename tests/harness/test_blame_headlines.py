"""The headline of each real case in small, word for word."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.harness.test_blame_causes import NEARLY, ROT, SET_UP, OneTick, compared, in_float32, ticks_of_k, without
from tests.harness.test_blame_culprits import as_py, printed
from tests.harness.test_blame_faults import STAR, Faults, Program

STEP = "spixel=20 fpixel=31 thick_tic=0 subS=0 subF=0 source=0 phi_tic=0 mos_tic=0"
DEFAULT = 125932015286227086360700780544.0


def headline(c: str, py: str) -> str:
    """Without the count of numbers at the end."""
    return compared(c, py).headline.rpartition("; ")[0]


def run_twice(c: Faults, py: Faults) -> str:
    return headline(Program("C", c).text(), Program("PY", py).text())


def test_vectors_printed_in_metres() -> None:
    c, py = (without(OneTick(side, faults).text(), *SET_UP) for side, faults in (("C", {}), ("PY", NEARLY)))
    assert headline(c, printed(py, ROT, lambda v: v * 1e-10)) == (
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms of PY are printed in m, used in Å; "
        f"first at rot_a_angstroms[0] ({STEP})"
    )


def test_a_factor_printed_wrong_beside_a_sum_that_agrees() -> None:
    c = without(Program("C").text(), "I_running")
    assert headline(c, printed(as_py(c), "F_latt", lambda v: np.array([125.0]))) == (
        "F_latt of PY is printed wrong, used right: the same at all 64 places, where the right one changes: "
        f"never updated; first at F_latt ({STEP})"
    )


@pytest.mark.parametrize("count", [2, 3, 4, 10])
def test_a_quirk_on_both_sides(count: int) -> None:
    c, py = ticks_of_k("C", count, carried=True), ticks_of_k("PY", count, carried=True, off=4.7e-5)
    assert headline(c, py) == (
        f"both sides show quirk phi-carryover (hkl_frac at phi_tic=0 is that of phi_tic={count - 1}); "
        f"hkl_frac differs by the same 4.7e-05 at all {count} ticks of phi_tic: that comes from upstream; "
        "first at hkl_frac[1] (phi_tic=0)"
    )


@pytest.mark.parametrize("count", [2, 3, 4, 10])
def test_a_quirk_on_one_side(count: int) -> None:
    c, py = ticks_of_k("C", count, carried=True), ticks_of_k("PY", count, carried=False)
    assert headline(c, py) == "first at hkl_frac[1] (phi_tic=0): known quirk phi-carryover"


def test_reciprocal_vectors_that_are_never_updated() -> None:
    faults: Faults = dict.fromkeys(STAR.split(), lambda v, x: x["base"] * (1 + 2.4e-5))
    names = "a_star_A_inv", "b_star_A_inv", "c_star_A_inv"
    c, py = without(Program("C", faults).text(), *names), without(Program("PY").text(), *names)
    assert headline(c, py) == f"first at rot_a_star_A_inv[0] ({STEP}): known quirk stale-reciprocal"


def test_a_flux_that_is_ignored_beside_a_vector_in_float32() -> None:
    port: Faults = {"scattering_vec_m_inv": in_float32, "fluence_photons_per_m2": lambda v, x: v * 1.26e9}
    assert run_twice({}, port) == (
        "fluence_photons_per_m2 explains the whole difference of I_pixel_final (factor 1.26e9); "
        f"first at I_running ({STEP})"
    )


def test_a_flux_that_is_ignored_and_nothing_else() -> None:
    assert run_twice({}, {"fluence_photons_per_m2": lambda v, x: DEFAULT}) == (
        "fluence_photons_per_m2 explains the whole difference of I_pixel_final (factor 1.26e5); "
        "first at fluence_photons_per_m2 (spixel=20 fpixel=31)"
    )


def test_interpolation_that_is_ignored() -> None:
    between: Faults = {"F_cell": lambda v, x: v + 0.1 * math.sin(x["hkl"][0])}
    assert run_twice(between, {"F_cell": lambda v, x: round(v, 2)}) == (
        f"F_cell explains the whole difference of I_pixel_final (0.000658 relative); first at F_cell ({STEP})"
    )


def test_a_label_of_half_a_pixel() -> None:
    half = Program("PY", {"pixel_pos_meters": lambda v, x: v - x["half_f"] - x["half_s"]}).text()
    wrong = iter(line for line in half.splitlines(keepends=True) if ": pixel_pos_meters " in line)
    lines = Program("PY").text().splitlines(keepends=True)
    py = "".join(next(wrong) if ": pixel_pos_meters " in line else line for line in lines)
    assert headline(Program("C").text(), py) == (
        "pixel_pos_meters of PY is printed wrong, used right: half a pixel: half a sub-sample less on both axes; "
        "first at pixel_pos_meters[0] (spixel=20 fpixel=31 thick_tic=0 subS=0 subF=0)"
    )
