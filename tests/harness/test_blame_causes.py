"""Real cases in small: blame names the cause, says if only the print is wrong, and what share of the pixel it moves."""

from __future__ import annotations

import numpy as np
from trace_parity.blame.findings import Blame

from tests.harness.test_blame_culprits import accused, as_py, printed
from tests.harness.test_blame_faults import Faults, Program, blame, introduced, single

ROT = "rot_a_angstroms rot_b_angstroms rot_c_angstroms"
CELL = ("a_star_A_inv", "b_star_A_inv", "c_star_A_inv", *(f"{n}_angstroms" for n in "abc"), "V_cell_A3")
SET_UP = (*CELL, "mosaic_umat", "spindle_vec")
NEARLY: Faults = {"a_star_A_inv": lambda v, x: v * (1 + 2e-5), "b_star_A_inv": lambda v, x: v * (1 - 1e-5)}
"""Another cell, a little: what a port with other digits of its inputs has."""


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


def test_factors_that_are_printed_wrong_are_accused_and_not_the_sum_that_agrees() -> None:
    c = without(Program("C").text(), "I_running")
    py = without(Program("PY", {"lambda_meters": lambda v, x: v * (1 + 5e-8)}).text(), "I_running")
    py = printed(py, "F_latt", lambda v: np.array([125.0]))
    found = blame(c, printed(py, "F_cell", lambda v: np.array([0.0])))
    assert introduced(found) == {("PY", "F_latt"), ("PY", "F_cell")}
    assert hints(found) == {
        "F_latt": "printed wrong, used right",
        "F_cell": "printed wrong, used right: zero, which it is not: never set",
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
