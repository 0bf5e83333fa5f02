from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_parity.compare.judge import ulp_distance
from trace_parity.pair.contract import Contract
from trace_parity.result.result import Result

from tests.harness.conftest import as_py

Compare = Callable[..., Result]
PIXEL = "[spixel=1 fpixel=2]"


def pair(name: str, c: str, py: str, loops: str = "") -> tuple[str, str]:
    return f"TRACE_C{loops}: {name} {c}\n", f"TRACE_PY{loops}: {name} {py}\n"


def test_a_log_agrees_with_itself(compare_texts: Compare, supervisor_log: str) -> None:
    result = compare_texts(supervisor_log, as_py(supervisor_log))
    assert (result.verdict, result.exit_code, result.num_divergent) == ("parity", 0, 0)
    assert result.first_divergence is None
    assert result.compared == 318
    assert len(result.per_tick) == 10


@pytest.mark.parametrize(
    ("name", "c", "py", "agrees"),
    [
        ("distance_meters", "1", "1.0000009", True),
        ("distance_meters", "1", "1.0000011", False),
        ("distance_meters", "1e-30", "1.1e-30", False),
        ("distance_meters", "0", "7.9e-30", False),
        ("distance_meters", "0", "-0", True),
        ("distance_meters", "inf", "inf", True),
        ("distance_meters", "inf", "1e308", False),
        ("distance_meters", "inf", "-inf", False),
        ("distance_meters", "nan", "1", False),
        ("distance_meters", "1", "nan", False),
        ("distance_meters", "nan", "nan", False),
        ("fdet_vec", "1 0 0", "1 9e-13 0", True),  # a floor of 1e-12 of the vector's length
        ("fdet_vec", "1 0 0", "1 2e-12 0", False),
        ("fdet_vec", "1e-30 0 0", "1e-30 1e-31 0", False),
        ("hkl_rounded", "1 2 3", "1 2 4", False),
        ("steps", "1000000000", "1000000001", False),
        ("N_cells", "36 47 29", "36 47 29.0000001", False),
    ],
)
def test_two_numbers_under_their_tolerance(compare_texts: Compare, name: str, c: str, py: str, agrees: bool) -> None:
    result = compare_texts(*pair(name, c, py))
    assert result.exit_code == (0 if agrees else 1)
    assert (result.first_divergence is None) == agrees


def test_f_latt_is_held_against_the_number_of_cells(compare_texts: Compare) -> None:
    def both(difference: float, with_cells: bool) -> int:
        cells = ("TRACE_C: N_cells 10 20 5\n", "TRACE_PY: N_cells 10 20 5\n") if with_cells else ("", "")
        c, py = pair("F_latt", "1e-9", repr(1e-9 + difference), "[phi_tic=0 mos_tic=0]")
        return compare_texts(cells[0] + c, cells[1] + py).exit_code

    assert both(9e-4, True) == 0
    assert both(1.1e-3, True) == 1
    assert both(9e-4, False) == 1  # without N_cells there is no such scale


@pytest.mark.parametrize("cells", ["10", "10 20", "nan nan nan"])
def test_a_scale_that_lacks_its_number_is_as_one_that_is_not_there(compare_texts: Compare, cells: str) -> None:
    c, py = pair("F_latt_c", "1e-9", "1.001e-9", "[phi_tic=0 mos_tic=0]")
    without = compare_texts(c, py).variables
    found = compare_texts(f"TRACE_C: N_cells {cells}\n{c}", f"TRACE_PY: N_cells {cells}\n{py}").variables
    assert [v for v in found if v.name == "F_latt_c"] == list(without)


def test_rtol_replaces_the_relative_part_but_not_exactness(compare_texts: Compare) -> None:
    c, py = pair("distance_meters", "1", "1.001")
    assert compare_texts(c, py).exit_code == 1
    assert compare_texts(c, py, rtol=1e-2).exit_code == 0
    assert compare_texts(*pair("steps", "10", "11"), rtol=1.0).exit_code == 1
    strict = compare_texts(*pair("distance_meters", "1", "1.0000001"), rtol=0.0)
    assert strict.exit_code == 1


def test_the_tolerance_that_would_just_pass_is_told(compare_texts: Compare) -> None:
    c, py = pair("distance_meters", "1", "1.001")
    needed = compare_texts(c, py).needed_rtol
    assert needed == pytest.approx(1e-3, rel=1e-2)
    assert compare_texts(c, py, rtol=needed * (1 + 1e-12)).exit_code == 0
    assert compare_texts(c, py, rtol=needed * (1 - 1e-9)).exit_code == 1


def test_first_is_first_in_order_of_evaluation_not_of_the_file(compare_texts: Compare) -> None:
    loops = "[spixel=1 fpixel=2 thick_tic=0 subS=0 subF=0 source=0 phi_tic={} mos_tic=0]"
    lines = [
        f"TRACE_C{PIXEL}: I_pixel_final 1",
        f"TRACE_C{loops.format(1)}: phi_deg 1",
        f"TRACE_C{loops.format(0)}: F_cell 1",
        f"TRACE_C{loops.format(0)}: hkl_frac 1 2 3",
    ]
    c = "\n".join(lines) + "\n"
    py = as_py(c).replace("I_pixel_final 1", "I_pixel_final 2").replace("F_cell 1", "F_cell 2")
    py = py.replace("phi_deg 1", "phi_deg 2").replace("hkl_frac 1 2 3", "hkl_frac 1 2 4")
    result = compare_texts(c, "".join(reversed(py.splitlines(keepends=True))))
    assert result.num_divergent == 4
    first = result.first_divergence
    assert first is not None
    assert (first.name, first.loops["phi_tic"], first.unit) == ("hkl_frac[2]", 0, "1")
    assert [d.name for d in result.divergences] == ["hkl_frac[2]", "F_cell", "phi_deg", "I_pixel_final"]


def test_a_missing_line_costs_one_row(compare_texts: Compare, supervisor_log: str) -> None:
    lines = supervisor_log.splitlines(keepends=True)
    middle = next(i for i, line in enumerate(lines) if "phi_tic=4" in line and "F_cell" in line)
    result = compare_texts(supervisor_log, as_py("".join(lines[:middle] + lines[middle + 1 :])))
    assert (result.compared, result.num_divergent, result.exit_code) == (317, 0, 6)
    assert result.coverage.missing == (
        "F_cell: missing in PY at 1 place, first at spixel=685 fpixel=1039 thick_tic=0 subS=0 subF=0 "
        "source=0 phi_tic=4 mos_tic=0",
    )


def test_sizes_that_differ_are_a_verdict_of_their_own(compare_texts: Compare) -> None:
    result = compare_texts(*pair("hkl_frac", "1 2 3", "1 2"))
    assert (result.exit_code, result.verdict) == (4, "shapes differ")
    assert result.problems[0].startswith("hkl_frac: 3 numbers in C, 2 in PY")


def test_what_both_logs_lack_of_a_vector_is_missing(compare_texts: Compare) -> None:
    result = compare_texts(*pair("hkl_frac", "1 2", "1 2"))
    assert (result.exit_code, result.verdict) == (6, "incomplete")
    assert result.problems[0].startswith("hkl_frac: 2 numbers in both logs, not 3, at ")
    assert compare_texts(*pair("hkl_frac", "1 2 3 4", "1 2 3 4")).exit_code == 6
    # An older log names components one by one; the contract of a case asks for all of them.
    step = "[spixel=1 fpixel=2 thick_tic=0 subS=0 subF=0 source=0 phi_tic=0 mos_tic=0]"
    whole, named_singly = pair("hkl_frac", "1 2 3", "1 2 3", step), pair("h_frac", "1", "1", step)
    contract = Contract(("hkl_frac",), ((1, 2),))
    assert [compare_texts(*logs).exit_code for logs in (whole, named_singly)] == [0, 0]
    assert [compare_texts(*logs, contract).exit_code for logs in (whole, named_singly)] == [0, 6]


def test_the_contract_asks_for_every_index(compare_texts: Compare, supervisor_log: str) -> None:
    contract = Contract(("F_latt", "I_pixel_final"), ((685, 1039),), {"phi_tic": 10})
    assert compare_texts(supervisor_log, as_py(supervisor_log), contract).exit_code == 0
    for wider in (
        Contract(("F_latt",), ((685, 1039),), {"phi_tic": 11}),
        Contract(("F_latt",), ((685, 1039), (0, 0)), {"phi_tic": 10}),
        Contract(("F_latt_a",), ((685, 1039),), {"phi_tic": 10}),
        Contract(("F_lattice",), ((685, 1039),), {"phi_tic": 10}),
    ):
        result = compare_texts(supervisor_log, as_py(supervisor_log), wider)
        assert (result.exit_code, result.verdict) == (6, "incomplete")


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-5, 5))
def test_ulp_distance_counts_doubles(x: float, steps: int) -> None:
    y = x
    for _ in range(abs(steps)):
        y = math.nextafter(y, math.inf if steps > 0 else -math.inf)
    if math.isfinite(y):
        assert ulp_distance(x, y) == abs(steps)
        assert ulp_distance(y, x) == abs(steps)


def test_ulp_distance_at_the_edges() -> None:
    assert ulp_distance(0.0, -0.0) == 0
    assert ulp_distance(5e-324, -5e-324) == 2
    assert ulp_distance(math.inf, 1.0) == math.inf
    assert math.isnan(ulp_distance(math.nan, 1.0))


def test_the_leaky_reference_is_recognised(compare_texts: Compare, supervisor_log: str, leaky_log: str) -> None:
    result = compare_texts(leaky_log, as_py(supervisor_log))
    first = result.first_divergence
    assert first is not None
    assert first.variable == "rot_a_angstroms"
    assert first.loops["phi_tic"] == 0
    assert first.quirk == "phi-carryover"
    (quirk,) = result.quirks
    assert (quirk.id, quirk.places, quirk.first_is_it) == ("phi-carryover", 3, True)
    assert "is the value of phi_tic=9" in quirk.evidence
    assert "phi-carryover" in result.headline


def test_a_wrong_rotation_is_not_called_a_quirk(compare_texts: Compare, supervisor_log: str) -> None:
    wrong = "".join(
        line.replace("rot_b_angstroms -11.4", "rot_b_angstroms 11.4")
        for line in supervisor_log.splitlines(keepends=True)
    )
    result = compare_texts(wrong, as_py(supervisor_log))
    assert result.exit_code == 1
    assert result.quirks == ()
