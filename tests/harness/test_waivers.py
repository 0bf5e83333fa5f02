from __future__ import annotations

from datetime import date

import pytest
from trace_parity.compare.align import align
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.trace import read_trace_lines

from tests.golden import COMMITTED
from tests.harness.conftest import as_py

GOOD = (COMMITTED / "supervisor_trace_685_1039.log").read_text()
LEAKY = (COMMITTED / "supervisor_trace_685_1039__phi_carryover.log").read_text()
TODAY = date(2026, 12, 1)


def result(c: str, py: str, waive: tuple[str, ...], today: date = TODAY) -> Result:
    vocabulary = shipped().vocabulary
    tables = [
        read_trace_lines(text.splitlines(keepends=True), side, side, vocabulary)
        for side, text in (("C", c), ("PY", as_py(py)))
    ]
    return compare(
        align(tables[0], tables[1], vocabulary),
        CaseResult("t", "t"),
        Contract(),
        pair=shipped(),
        options=Options(waive=waive, today=today),
    )


def test_a_waived_quirk_passes_and_is_named() -> None:
    found = result(LEAKY, GOOD, ("phi-carryover",))
    assert (found.exit_code, found.verdict) == (0, "parity")
    assert found.headline.startswith("waived phi-carryover: first at rot_a_angstroms")
    assert found.num_divergent > 0


def test_without_the_waiver_it_fails() -> None:
    assert result(LEAKY, GOOD, ()).exit_code == Exit.DIVERGENCE


@pytest.mark.parametrize(
    ("old", "new", "variable"),
    [
        ("R_distance_meters 0.2534", "R_distance_meters 0.2535", "R_distance_meters"),
        ("F_cell 190.27", "F_cell 190.29", "F_cell"),
        ("photons_per_m2 9.99", "photons_per_m2 8.99", "fluence_photons_per_m2"),
    ],
)
def test_what_the_waiver_does_not_explain_still_fails(old: str, new: str, variable: str) -> None:
    assert old in LEAKY
    found = result(LEAKY.replace(old, new), GOOD, ("phi-carryover",))
    assert found.exit_code == Exit.DIVERGENCE
    assert f"not covered by waivers: {variable}" in found.headline or variable in found.headline


def test_a_waiver_whose_divergence_is_gone_fails() -> None:
    found = result(GOOD, GOOD, ("phi-carryover",))
    assert (found.exit_code, found.verdict) == (7, "stale waiver")
    assert "remove the waiver" in found.headline


def test_an_expired_waiver_fails() -> None:
    found = result(LEAKY, GOOD, ("phi-carryover",), date(2028, 1, 1))
    assert found.exit_code == Exit.STALE_WAIVER
    assert "expired on 2027-12-31" in found.headline


def test_a_waiver_of_another_quirk_explains_nothing() -> None:
    assert result(LEAKY, GOOD, ("stale-reciprocal",)).exit_code == Exit.DIVERGENCE
    with pytest.raises(HarnessError, match="no quirk 'phi'") as caught:
        result(LEAKY, GOOD, ("phi",))
    assert caught.value.code == Exit.USAGE


def of(log: str, *names: str) -> str:
    """The lines of a log that are of these variables."""
    return "".join(line + "\n" for line in log.splitlines() if any(f": {name} " in line for name in names))


def scaled(log: str, name: str, tick: int, factor: float) -> str:
    """The log with the numbers of one variable at one tick of phi multiplied."""
    made = []
    for line in log.splitlines():
        if f": {name} " in line and f"phi_tic={tick} " in line:
            head, _, words = line.partition(f"{name} ")
            line = f"{head}{name} {' '.join(f'{float(word) * factor:.17g}' for word in words.split())}"
        made.append(line + "\n")
    return "".join(made)


@pytest.mark.parametrize("variable", ["rot_a_angstroms", "rot_b_angstroms", "rot_c_angstroms", "hkl_frac"])
@pytest.mark.parametrize("factor", [1.23, 1 + 1e-5, 0.5, -1.0])
def test_in_partial_logs_a_wrong_value_of_the_other_side_is_not_waived(variable: str, factor: float) -> None:
    leaky, good = of(LEAKY, "phi_deg", variable), of(GOOD, "phi_deg", variable)
    assert result(leaky, good, ("phi-carryover",)).exit_code == Exit.PARITY
    found = result(leaky, scaled(good, variable, 0, factor), ("phi-carryover",))
    assert found.exit_code == Exit.DIVERGENCE
    assert f"not covered by waivers: {variable}" in found.headline


def test_what_too_few_ticks_cannot_check_is_not_waived() -> None:
    leaky, good = (
        "".join(
            line + "\n"
            for line in of(log, "phi_deg", "rot_b_angstroms").splitlines()
            if any(f"phi_tic={tick} " in line for tick in (0, 1, 9))
        )
        for log in (LEAKY, GOOD)
    )
    assert result(leaky, good, ("phi-carryover",)).exit_code == Exit.DIVERGENCE


@pytest.mark.parametrize("factor", [1.0, 1.23])
def test_where_one_log_lacks_the_inputs_the_other_says_what_is_right(factor: float) -> None:
    names = ("phi_deg", "rot_b_angstroms")
    partial = scaled(of(GOOD, *names), "rot_b_angstroms", 0, factor)
    found = result(LEAKY, partial, ("phi-carryover",))
    if factor == 1.0:  # what PY's log lacks stays missing
        assert found.exit_code == Exit.NOTHING_TO_COMPARE
        assert found.headline.startswith("waived phi-carryover")
    else:
        assert found.exit_code == Exit.DIVERGENCE
