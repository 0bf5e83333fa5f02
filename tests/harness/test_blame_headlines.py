"""The headline of each real case in small, word for word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trace_parity.blame.findings import Blame

from tests.harness.test_blame_causes import NEARLY, ROT, SET_UP, OneTick, compared, in_float32, ticks_of_k, without
from tests.harness.test_blame_culprits import as_py, printed
from tests.harness.test_blame_faults import STAR, Faults, Program, unit

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
        "rot_a_angstroms and rot_b_angstroms explain the whole difference of I_pixel_final (0.00158 relative); "
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms of PY are printed in m, used in Å; "
        f"first at rot_a_angstroms[0] ({STEP})"
    )


def test_a_factor_printed_wrong_beside_a_sum_that_agrees() -> None:
    c = without(Program("C").text(), "I_running")
    assert headline(c, printed(as_py(c), "F_latt", lambda v: np.array([125.0]))) == (
        "F_latt of PY is wrong in print only: the same at all 64 places, but it should change: "
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
        "pixel_pos_meters of PY is wrong in print only: half a sub-sample less on both axes"
        ": the corner of the sub-sample, not its centre; "
        "first at pixel_pos_meters[0] (spixel=20 fpixel=31 thick_tic=0 subS=0 subF=0)"
    )


class TwoTicks(Program):
    phi = (0.0, 0.5, 2)
    domains = 1


def blame_of(c: str, py: str) -> Blame:
    found = compared(c, py).blame
    assert found is not None
    return found


def vector(name: str) -> np.ndarray:
    line = next(line for line in Program("C").text().splitlines() if f": {name} " in line)
    return np.array([float(word) for word in line.split()[2:]])


def test_a_vector_along_the_spindle_is_no_evidence_of_a_quirk() -> None:
    along = unit(vector("c_angstroms"))
    still: Faults = {"spindle_vec": lambda v, x: along, "rot_c_angstroms": lambda v, x: x["U"] @ x["v"]}
    leak: Faults = {"rot_a_angstroms": lambda v, x: x["at"](x["v"], 0.5)}
    found = blame_of(TwoTicks("C", {**still, **leak}).text(), TwoTicks("PY", still).text())
    assert found.notes == ()
    assert {(f.side, f.variable) for f in found.findings if f.quirk} == {("C", "rot_a_angstroms")}


class FourTicks(TwoTicks):
    phi = (0.0, 0.5, 4)


def test_rounding_is_not_what_comes_from_upstream_beside_a_quirk_of_both() -> None:
    leak: Faults = {
        "rot_a_angstroms": lambda v, x: x["at"](x["v"], x["last_phi"]) if x["keys"]["phi_tic"] == 0 else v,
    }
    port: Faults = {
        "a_angstroms": lambda v, x: v * (1 + 4e-16),
        "b_star_A_inv": lambda v, x: v * (1 + 1.25e-4),
    }
    result = compared(FourTicks("C", leak).text(), FourTicks("PY", {**leak, **port}).text())
    assert result.blame is not None
    assert result.blame.notes == (
        "both sides show quirk phi-carryover (rot_a_angstroms at phi_tic=0 is that of phi_tic=3)",
    )
    assert "upstream" not in result.headline
    assert "first at b_star_A_inv[0]" in result.headline


def test_a_wrong_sign_comes_before_another_axis_that_is_the_opposite() -> None:
    opposite: Faults = {"twotheta_axis": lambda v, x: -vector("odet_vec")}
    c, py = (OneTick(side, opposite).text() for side in ("C", "PY"))
    found = blame_of(c, printed(py, "odet_vec", np.negative))
    assert {f.hint for f in found.findings if f.is_cause} == {"wrong in print only: the sign is wrong"}


class Unsampled(OneTick):
    pixels = ((20, 31), (70, 12))
    oversample = 1
    sources = 1


def test_positions_that_are_printed_in_millimetres() -> None:
    py = printed(Unsampled("PY").text(), "pixel_pos_meters", lambda v: v * 1e3)
    assert headline(Unsampled("C").text(), py).startswith("pixel_pos_meters of PY is printed in mm, used in m; ")


def test_an_omega_that_is_off_by_much_more_than_float32_is_not_in_single_precision() -> None:
    found = blame_of(
        Unsampled("C").text(),
        Unsampled("PY", {"omega_pixel_sr": lambda v, x: x["no_obliquity"]}).text(),
    )
    assert not any(
        "float32" in f.hint or "throughout" in f.hint for f in found.findings if f.variable == "omega_pixel_sr"
    )
