"""Real cases in small: blame names the cause, says if only the print is wrong, and what share of the pixel it moves."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.findings import Blame, BlameFinding
from trace_parity.blame.headline import cause_line, cause_of, cause_sentence, with_image_shares
from trace_parity.compare.align import align
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.render.blame_text import lines_of
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result

from tests.harness.test_blame_culprits import accused, as_py, printed
from tests.harness.test_blame_faults import STAR, Fault, Faults, Program, blame, introduced, read, sincg, single

ROT = "rot_a_angstroms rot_b_angstroms rot_c_angstroms"
CELL = ("a_star_A_inv", "b_star_A_inv", "c_star_A_inv", *(f"{n}_angstroms" for n in "abc"), "V_cell_A3")
SET_UP = (*CELL, "mosaic_umat", "spindle_vec")
NEARLY: Faults = {"a_star_A_inv": lambda v, x: v * (1 + 2e-5), "b_star_A_inv": lambda v, x: v * (1 - 1e-5)}
"""Another cell, a little: what a port with other digits of its inputs has."""


CORNER = "half a sub-sample less on both axes: the corner of the sub-sample, not its centre"


class OneTick(Program):
    phi = (0.0, 0.5, 1)
    domains = 1


def without(text: str, *names: str) -> str:
    """A log that lacks some variables."""
    return "".join(line for line in text.splitlines(keepends=True) if line.split(": ")[1].split()[0] not in names)


def hints(found: Blame) -> dict[str, str]:
    return {f.variable: f.hint for f in found.findings if f.kind == "introduced"}


def test_vectors_printed_in_metres_under_a_name_in_angstroms_are_accused_and_not_what_agrees() -> None:
    c, py = (without(OneTick(side, faults).text(), *SET_UP) for side, faults in (("C", {}), ("PY", NEARLY)))
    found = blame(c, printed(py, ROT, lambda v: v * 1e-10))
    assert introduced(found) == {("PY", name) for name in ROT.split()}
    assert hints(found) == dict.fromkeys(ROT.split(), "printed in m, used in Å")
    assert {f.manner for f in found.findings if f.kind == "introduced"} == {"probe"}
    kinds = {f.variable: f.kind for f in found.findings}
    assert kinds["rot_a_star_A_inv"] == kinds["hkl_frac"] == "inherited"


UNITS = [
    ("R_distance_meters", 1e3, "printed in mm, used in m"),
    ("R_distance_meters", 1e6, "printed in µm, used in m"),
    ("pixel_pos_meters", 1e9, "printed in nm, used in m"),
    ("lambda_meters", 1e10, "printed in Å, used in m"),
    ("scattering_vec_m_inv", 1e-10, "printed in 1/Å, used in 1/m"),
    ("V_actual_A3", 1e-3, "nothing is computed from it: too small by a factor of 1000: Å³ for nm³ or nm³ for Å³"),
]


@pytest.mark.parametrize(("name", "factor", "hint"), UNITS, ids=[f"{n} {f:g}" for n, f, _ in UNITS])
def test_a_value_that_is_printed_in_another_unit(name: str, factor: float, hint: str) -> None:
    c = Program("C").text()
    found = blame(c, printed(as_py(c), name, lambda v: v * factor))
    assert hints(found) == {name: hint}


def test_lengths_of_a_cell_in_nanometres() -> None:
    c = Program("C").text()
    assert hints(blame(c, printed(as_py(c), ROT, lambda v: v / 10))) == dict.fromkeys(
        ROT.split(), "printed in nm, used in Å"
    )


def test_factors_that_are_printed_wrong_are_accused_and_not_the_sum_that_agrees() -> None:
    c = without(Program("C").text(), "I_running")
    py = without(Program("PY", {"lambda_meters": lambda v, x: v * (1 + 5e-8)}).text(), "I_running")
    py = printed(py, "F_latt", lambda v: np.array([125.0]))
    found = blame(c, printed(py, "F_cell", lambda v: np.array([0.0])))
    assert introduced(found) == {("PY", "F_latt"), ("PY", "F_cell")}
    assert hints(found) == {
        "F_latt": "wrong in print only: the same at all 64 places, but it should change: never updated",
        "F_cell": "wrong in print only: zero, but it should not be: never set",
    }
    assert {f.variable for f in found.findings if f.kind == "inherited"} >= {"I_pixel_final"}


def test_a_value_on_which_both_agree_is_accused_where_nothing_else_explains() -> None:
    wrong = printed(Program("C").text(), "R_distance_meters", lambda v: v * 1.01)
    found = blame(wrong, as_py(wrong))
    assert accused(found) == {"R_distance_meters"}


def test_a_value_with_which_the_program_went_on_is_a_fault_of_the_computation() -> None:
    found = blame(Program("C").text(), Program("PY", {"hkl_frac": lambda v, x: v[[1, 0, 2]]}).text())
    assert single(found, "hkl_frac").manner == "computation"
    assert not single(found, "hkl_frac").hint.startswith("printed")


def in_float32(v: Any, x: dict[str, Any]) -> Any:
    return np.asarray(v, dtype=np.float32).astype(np.float64)


def test_the_headline_is_what_explains_the_pixel_and_not_what_differs_first() -> None:
    port: Faults = {"scattering_vec_m_inv": in_float32, "fluence_photons_per_m2": lambda v, x: v * 1.26e9}
    found = blame(Program("C").text(), Program("PY", port).text())
    cause = "fluence_photons_per_m2 explains the whole difference of I_pixel_final (factor 1.26e9)"
    assert cause_sentence(found) == cause
    first = "first in order of evaluation is scattering_vec_m_inv, which explains less than 0.1 %"
    assert cause_line(found) == f"{cause}; {first}"
    assert found.first == "scattering_vec_m_inv"
    assert [f.variable for f in found.findings if f.is_cause] == ["fluence_photons_per_m2", "scattering_vec_m_inv"]
    told = lines_of(found)
    at = told.index("harmless, moving less than 0.1 % of the difference of I_pixel_final:")
    assert told[at + 1].startswith("  scattering_vec_m_inv of PY: ")


def test_the_headline_of_a_comparison_begins_with_the_cause(vocabulary: Vocabulary) -> None:
    port: Faults = {"scattering_vec_m_inv": in_float32, "fluence_photons_per_m2": lambda v, x: v * 1.26e9}
    logs = read(Program("C").text(), "C"), read(Program("PY", port).text(), "PY")
    result = compare(align(*logs, vocabulary), CaseResult("small", "a small case"), Contract(), pair=shipped())
    cause = (
        "fluence_photons_per_m2 explains the whole difference of I_pixel_final (factor 1.26e9); first at I_running ("
    )
    assert result.headline.startswith(cause)


def test_the_shares_of_two_factors_add_up() -> None:
    port: Faults = {"fluence_photons_per_m2": lambda v, x: v * 8, "omega_pixel_final": lambda v, x: v * 2}
    found = blame(Program("C").text(), Program("PY", port).text())
    shares = {f.variable: f.share for f in found.findings if f.is_cause}
    assert shares == {"fluence_photons_per_m2": pytest.approx(0.75), "omega_pixel_final": pytest.approx(0.25)}
    assert (
        cause_sentence(found) == "fluence_photons_per_m2 explains 75 % of the difference of I_pixel_final (factor 16)"
    )


def test_a_fault_below_another_is_given_its_own_part_alone() -> None:
    port: Faults = {"scattering_vec_m_inv": lambda v, x: v * 1.0001, "I_pixel_final": lambda v, x: v * 4}
    found = blame(Program("C").text(), Program("PY", port).text())
    shares = {f.variable: f.share for f in found.findings if f.is_cause}
    assert sum(s for s in shares.values() if s is not None) == pytest.approx(1, abs=1e-6)
    assert cause_of(found) == single(found, "I_pixel_final")


RERUN: list[tuple[str, Fault]] = [
    ("scattering_vec_m_inv", lambda v, x: v * 1.003),
    ("lambda_meters", lambda v, x: v * 1.002),
    ("pixel_pos_meters", lambda v, x: v - x["half_f"]),
    ("hkl_frac", lambda v, x: v[[1, 0, 2]]),
    ("F_latt_b", lambda v, x: sincg(x["x"], x["N"] + 1)),
    ("F_latt", lambda v, x: v * 1.5),
    ("F_cell", lambda v, x: v * 2),
    ("steps", lambda v, x: v / 2),
    ("incident_vec", lambda v, x: v[[0, 2, 1]]),
    ("phi_deg", lambda v, x: v + 0.25),
    ("diffracted_vec", lambda v, x: v[[0, 2, 1]]),
    ("polar", lambda v, x: (1 + x["cosine"]) / 2),
    ("omega_pixel_sr", lambda v, x: x["no_obliquity"] * 1.3),
    ("F_latt_a", lambda v, x: -1.2 * v),
    ("F_latt_c", lambda v, x: sincg(x["x"], x["N"] - 1)),
    ("hkl_frac", lambda v, x: v + 0.01),
    ("I_before_scaling", lambda v, x: v / 2),
    ("r_e_sqr", lambda v, x: v * 1.1),
    ("capture_fraction_final", lambda v, x: v * 0.9),
    ("polar_final", lambda v, x: v * 0.8),
    ("omega_pixel_final", lambda v, x: v * 2),
    ("mosaic_umat", lambda v, x: x["umats"][0]),
]
SMALL: Fault = lambda v, x: v * 1.7  # noqa: E731
"""A second fault that both programs of a rerun keep."""


def log_of_final(text: str, side: str) -> float:
    """ln of I_pixel_final."""
    value = read(text, side).value((20, 31, *[-1] * 6), "pixel.I_pixel_final")
    assert value is not None
    return math.log(value)


@pytest.mark.parametrize(("name", "fault"), RERUN, ids=[f"{n} {name}" for n, (name, _) in enumerate(RERUN)])
def test_the_share_is_what_a_rerun_with_the_other_side_s_value_shows(name: str, fault: Fault) -> None:
    """Run with both faults and with the second alone: what the first moved is its share."""
    c, both, cured = (
        Program(side, faults).text()
        for side, faults in (
            ("C", {}),
            ("PY", {name: fault, "fluence_photons_per_m2": SMALL}),
            ("PY", {"fluence_photons_per_m2": SMALL}),
        )
    )
    found = next(f for f in blame(c, both).findings if f.variable == name and f.is_cause)
    reference, port, rerun = (log_of_final(text, side) for text, side in ((c, "C"), (both, "PY"), (cured, "PY")))
    assert found.share == pytest.approx((rerun - port) / (reference - port), rel=1e-6)


def test_images_are_explained_as_the_pixels_are() -> None:
    found = blame(Program("C").text(), Program("PY", {"fluence_photons_per_m2": lambda v, x: v * 4}).text())
    shares = [f.image_share for f in with_image_shares(found, 16.0).findings if f.is_cause]
    assert shares == [pytest.approx(0.5)]
    assert [f.image_share for f in with_image_shares(found, 1.0).findings if f.is_cause] == [None]


def ticks_of_k(side: str, count: int, *, carried: bool, off: float = 0.0) -> str:
    """The k index over φ ticks from 0 as old logs print it; `carried`: at φ=0 that of the last tick."""
    lines = []
    for tick in range(count):
        phi = 0.01 * (tick or (count - 1 if carried else 0))
        k = -0.6 + 1.3 * math.cos(math.radians(phi)) + 0.9 * math.sin(math.radians(phi)) + off
        lines.append(f"TRACE_{side}[phi_tic={tick}]: phi_deg {0.01 * tick:.17g}\n")
        lines.append(f"TRACE_{side}[phi_tic={tick}]: hkl_frac {-6.9:.17g} {k:.17g} {-13.7:.17g}\n")
    return "".join(lines)


def compared(c: str, py: str) -> Result:
    vocabulary = shipped().vocabulary
    alignment = align(read(c, "C"), read(py, "PY"), vocabulary)
    return compare(alignment, CaseResult("small", "a small case"), Contract(), pair=shipped())


def test_a_quirk_that_both_sides_show_is_not_the_cause() -> None:
    result = compared(ticks_of_k("C", 10, carried=True), ticks_of_k("PY", 10, carried=True, off=4.7e-5))
    assert result.quirks == ()
    assert result.blame is not None
    assert {f.quirk for f in result.blame.findings} == {""}
    assert {f.kind for f in result.blame.findings} <= {"unexplained", "self-inconsistent"}
    assert result.headline.startswith(
        "both sides show quirk phi-carryover (hkl_frac at phi_tic=0 is that of phi_tic=9); "
        "hkl_frac differs by the same 4.7e-05 at all 10 ticks of phi_tic: that comes from upstream; "
        "first at hkl_frac[1] (phi_tic=0); 10 of "
    )


@pytest.mark.parametrize("count", [2, 3, 4, 10])
@pytest.mark.parametrize("off", [0.0, 4.7e-5])
def test_an_index_equal_to_that_of_the_last_tick_in_all_digits_is_proof(count: int, off: float) -> None:
    result = compared(ticks_of_k("C", count, carried=True), ticks_of_k("PY", count, carried=False, off=off))
    assert [(q.id, q.first_is_it) for q in result.quirks] == [("phi-carryover", True)]
    assert f"known quirk phi-carryover; {1 if not off else count} of " in result.headline
    assert not compared(ticks_of_k("C", count, carried=False), ticks_of_k("PY", count, carried=False, off=4e-5)).quirks


def test_stale_reciprocal_vectors_of_a_triclinic_cell_name_both_quirks() -> None:
    """The vectors that are printed at every tick are those of φ=0 with the lengths from before they were forced."""
    faults: Faults = dict.fromkeys(STAR.split(), lambda v, x: x["base"] * (1 + 2.4e-5))
    c = without(Program("C", faults).text(), "a_star_A_inv", "b_star_A_inv", "c_star_A_inv")
    found = blame(c, without(Program("PY").text(), "a_star_A_inv", "b_star_A_inv", "c_star_A_inv"))
    assert introduced(found) == {("C", name) for name in STAR.split()}
    said = single(found, "rot_a_star_A_inv")
    assert (said.quirk, said.quirk_too) == ("stale-reciprocal", "triclinic-cell")
    assert said.hint.endswith("places, but it should change: never updated")


def hint_of(name: str, fault: Fault, *, side: str = "PY") -> str:
    found = blame(Program("C").text(), Program(side, {name: fault}).text())
    return next(f.hint for f in found.findings if f.variable == name.removeprefix("run.") and f.is_cause)


def in_float32_arithmetic(v: Any, x: dict[str, Any]) -> Any:
    """As if each term were rounded to float32, and the sum kept in double."""
    return np.float64(np.float32(v * 0.3)) + np.float64(np.float32(v * 0.7))


SMELLS: list[tuple[str, Fault, str]] = [
    (
        "diffracted_vec",
        lambda v, x: v[[0, 2, 1]] * [1, -1, 1],
        "swapped and with the opposite sign: x -z y for x y z",
    ),
    ("incident_vec", lambda v, x: v * [-1, 1, -1], "components x and z have the wrong sign"),
    ("F_latt", lambda v, x: v * 1.0002, "too large by a factor of 1.0002 throughout"),
    ("hkl_rounded", lambda v, x: v + 1, "one too many: one-based where zero-based is meant"),
    ("diffracted_vec", lambda v, x: x["whole"], "not normalised: of the length of pixel_pos_meters"),
    ("polar", in_float32_arithmetic, "roundings of float32: float32 arithmetic before this"),
]


@pytest.mark.parametrize(("name", "fault", "hint"), SMELLS, ids=[s[2][:30] for s in SMELLS])
def test_hints(name: str, fault: Fault, hint: str) -> None:
    assert hint in hint_of(name, fault)


def test_a_label_of_half_a_pixel_is_harmless() -> None:
    half = Program("PY", {"pixel_pos_meters": lambda v, x: v - x["half_f"] - x["half_s"]}).text()
    wrong = iter(line for line in half.splitlines(keepends=True) if ": pixel_pos_meters " in line)
    lines = Program("PY").text().splitlines(keepends=True)
    py = "".join(next(wrong) if ": pixel_pos_meters " in line else line for line in lines)
    found = blame(Program("C").text(), py)
    assert introduced(found) == {("PY", "pixel_pos_meters")}
    said = single(found, "pixel_pos_meters")
    assert said.manner == "probe"
    assert said.hint == f"wrong in print only: {CORNER}"


def test_a_parameter_at_its_default_is_a_setting_that_one_side_ignores() -> None:
    default = 125932015286227086360700780544.0
    found = blame(Program("C").text(), Program("PY", {"fluence_photons_per_m2": lambda v, x: default}).text())
    ignored = "PY has the default; C has 1e+24: PY ignores -fluence and -flux"
    assert single_cause(found, "fluence_photons_per_m2").hint == ignored
    assert found.settings == (f"fluence_photons_per_m2: C 1e+24, PY 1.25932e+29 ({ignored})",)
    assert "setting that differs: fluence_photons_per_m2: C 1e+24, PY 1.25932e+29" in "\n".join(lines_of(found))


def single_cause(found: Blame, variable: str) -> BlameFinding:
    return next(f for f in found.findings if f.variable == variable and f.is_cause)


def test_interpolation_that_one_side_leaves_out_is_seen() -> None:
    near: Faults = {"F_cell": lambda v, x: round(v, 2)}
    between: Faults = {"F_cell": lambda v, x: v + 0.1 * math.sin(x["hkl"][0])}
    found = blame(Program("C", between).text(), Program("PY", near).text())
    said = single_cause(found, "F_cell")
    assert said.hint == "PY takes the nearest value of the table where C interpolates: a setting differs"
    assert cause_sentence(found).startswith("F_cell explains the whole difference of I_pixel_final (")


def test_a_value_of_the_neighbouring_tick_is_named() -> None:
    found = blame(Program("C").text(), Program("PY", {"mosaic_umat": swapped_domains}).text())
    hints = [f.hint for f in found.findings if f.variable == "mosaic_umat"]
    assert hints == [f"PY has C's value of the {word} mos_tic: off by one tick" for word in ("next", "previous")]


def of_iteration_before(loop: str) -> Fault:
    """What the iteration before computed; the first keeps its own."""
    seen: dict[tuple[tuple[str, int], ...], Any] = {}

    def fault(v: Any, x: dict[str, Any]) -> Any:
        keys = dict(x["keys"])
        seen[tuple(keys.items())] = v
        keys[loop] -= 1
        return seen.get(tuple(keys.items()), v)

    return fault


NEIGHBOURS = [
    ("pixel_pos_meters", "subF", "one sub-sample (half a pixel) less on the fast axis"),
    ("pixel_pos_meters", "subS", "one sub-sample (half a pixel) less on the slow axis"),
    ("diffracted_vec", "subF", "the value of the previous subF: off by one tick"),
    ("R_distance_meters", "subS", "the value of the previous subS: off by one tick"),
    ("lambda_meters", "source", "PY has C's value of the previous source: off by one tick"),
    ("scattering_vec_m_inv", "source", "the value of the previous source: off by one tick"),
    ("hkl_frac", "mos_tic", "the value of the previous mos_tic: off by one tick"),
    ("F_latt", "phi_tic", "the value of the previous phi_tic: off by one tick"),
]


@pytest.mark.parametrize(("name", "loop", "hint"), NEIGHBOURS, ids=[f"{n} {loop}" for n, loop, _ in NEIGHBOURS])
def test_a_value_of_the_iteration_before_is_named_in_any_loop(name: str, loop: str, hint: str) -> None:
    assert hint in hint_of(name, of_iteration_before(loop))


@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_one_factor_of_a_number_that_no_equation_makes_is_named_in_the_digits_that_it_has(noise: float) -> None:
    far: Faults = {"F_cell": lambda v, x: v * 1.0002 * (1 + noise * math.sin(1e4 * x["hkl"][0]))}
    found = blame(Program("C").text(), Program("PY", far).text())
    hint = single_cause(found, "F_cell").hint
    assert re.match(r"PY against C: too large by a factor of 1\.000(2|200|1999|2000) throughout$", hint), hint


def swapped_domains(v: Any, x: dict[str, Any]) -> Any:
    return x["umats"][1 - x["keys"]["mos_tic"]]
