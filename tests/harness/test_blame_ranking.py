"""What comes first, with which share, and in words that say no more than the logs: each headline word for word."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.defaults import in_words
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.findings import Blame, BlameFinding
from trace_parity.blame.forms_of_both import hold_to_the_other
from trace_parity.blame.headline import cause_line, cause_sentence
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.blame.ranking import ranked
from trace_parity.blame.shares import Effect, _believed
from trace_parity.blame.unsettled import Placed
from trace_parity.compare.tick_table import write_ticks
from trace_parity.pair.find import shipped
from trace_parity.render.next_step import who
from trace_parity.render.text_form import render

from tests.harness.test_blame_causes import ROT, SET_UP, OneTick, compared, without
from tests.harness.test_blame_culprits import printed
from tests.harness.test_blame_faults import Fault, Faults, Program, at_tick, blame, read

SUB = "spixel=20 fpixel=31 thick_tic=0 subS=0 subF=0"
STEP = f"{SUB} source=0 phi_tic=0 mos_tic=0"


def headline(c: str, py: str) -> str:
    """Without the count of numbers at the end."""
    return compared(c, py).headline.rpartition("; ")[0]


# Two values side by side, and where a fault is.


def test_two_settings_are_spelled_with_the_digits_that_tell_them_apart() -> None:
    c: Faults = {"lambda_meters": lambda v, x: 1e-10}
    py: Faults = {"lambda_meters": lambda v, x: 1.000002e-10}
    result = compared(OneTick("C", c).text(), OneTick("PY", py).text())
    assert result.blame is not None
    assert result.blame.settings == (
        "lambda_meters: C 1e-10, PY 1.000002e-10 (C has the default; PY has 1.000002e-10, set by -lambda)",
    )
    assert result.headline.startswith(
        "lambda_meters explains the whole difference of I_pixel_final (0.000171 relative); "
        f"first at lambda_meters ({SUB} source=0); "
    )


def test_values_in_words_are_apart_where_they_differ() -> None:
    assert in_words((0.0, 0.1, 5.0), (0.0, 0.1 + 1e-12, 5.0)) == ["0 0.1 5", "0 0.100000000001 5"]
    assert in_words((1.0,), (1.0, 2.0)) == ["1", "1 2"]
    assert in_words((0.1,), (np.nextafter(0.1, 1),)) == ["0.10000000000000001", "0.10000000000000002"]


def test_a_tick_table_to_read_has_the_digits_that_tell_two_values_apart() -> None:
    rows: list[dict[str, Any]] = [{"tick": 0, "k_c": 2.0, "k_py": 2.0 + 4e-14, "k_diff": 4e-14}]
    assert "| 0 | 2 | 2.00000000000004 | 4.00e-14 |" in write_ticks(rows, "markdown", "tick")


class FourTicks(Program):
    domains = sources = oversample = 1


def test_a_fault_at_one_tick_is_not_throughout() -> None:
    found = blame(FourTicks("C").text(), FourTicks("PY", {"F_latt_a": at_tick(2, lambda v, x: 3 * v)}).text())
    assert [f.hint for f in found.findings if f.is_cause] == ["too large by a factor of 3"]
    everywhere = blame(FourTicks("C").text(), FourTicks("PY", {"F_latt_a": lambda v, x: 3 * v}).text())
    assert [f.hint for f in everywhere.findings if f.is_cause] == ["too large by a factor of 3 throughout"]


def test_a_fault_at_one_tick_of_two_domains_says_which() -> None:
    faults: Faults = {"F_latt_a": at_tick(2, lambda v, x: 3 * v)}
    found = blame(Program("C").text(), Program("PY", faults).text())
    assert [f.hint for f in found.findings if f.is_cause] == ["too large by a factor of 3 at phi_tic=2"]
    faults = {"F_latt_a": lambda v, x: 3 * v if x["keys"]["phi_tic"] in (1, 2) else v}
    found = blame(Program("C").text(), Program("PY", faults).text())
    assert [f.hint for f in found.findings if f.is_cause] == ["too large by a factor of 3 at 32 of 64 places"]


def carried(factor: float) -> Fault:
    """The vectors of the last tick at the first one, and all of them too long."""
    return lambda v, x: factor * (v if x["keys"]["phi_tic"] else x["at"](x["v"], x["last_phi"]))


def test_a_variable_that_is_a_cause_is_not_harmless_without_a_word() -> None:
    both: Faults = dict.fromkeys(ROT.split(), carried(1.0))
    result = compared(Program("C", both).text(), Program("PY", {**both, "rot_b_angstroms": carried(1.000047)}).text())
    assert result.headline.startswith("first at rot_b_angstroms[0] (")
    assert "harmless: rot_a_angstroms, rot_b_angstroms where both are alike, rot_c_angstroms" in render(result)


# Values of the first sub-sample, used for the whole pixel.


def first_of_all(factor: float) -> Fault:
    def fault(value: float, x: dict[str, Any]) -> float:
        is_first = not any(x["keys"].get(loop, 0) for loop in ("subS", "subF", "source"))
        return factor * value if is_first else x["last"]

    return fault


def test_copies_of_a_first_value_that_is_wrong_are_inherited() -> None:
    c = OneTick("C", dict.fromkeys(("omega_pixel_sr", "polar"), first_of_all(1.0))).text()
    for name, factor in (("omega_pixel_sr", 2.0), ("polar", 0.0)):
        faults = {**dict.fromkeys(("omega_pixel_sr", "polar"), first_of_all(1.0)), name: first_of_all(factor)}
        found = blame(c, OneTick("PY", faults).text())
        assert [(f.kind, f.side, f.share) for f in found.findings if f.variable == name and f.is_cause] == [
            ("introduced", "PY", 1.0)
        ]
        assert not any("setting" in f.hint for f in found.findings)
        assert cause_line(found).startswith(f"{name} explains the whole difference of I_pixel_final")


# A share that is not known.


def test_a_known_quirk_of_unknown_share_comes_before_what_follows_from_it() -> None:
    """One log lacks the later ticks and both the numbers of cells, so that the effect of the first tick is unknown."""
    c = FourTicks("C", dict.fromkeys(ROT.split(), carried(1.0))).text()
    py = FourTicks("PY", {"fdet_vec": lambda v, x: v * (1 - 5e-9)}).text()
    first = "".join(line for line in py.splitlines(keepends=True) if not re.search(r"phi_tic=[1-3]", line))
    result = compared(*(without(text, "N_cells", "I_running") for text in (c, first)))
    assert result.blame is not None
    listed = [(f.variable, f.share is None) for f in result.blame.findings if f.is_cause]
    assert listed[:3] == [(name, True) for name in ROT.split()]
    assert [name for name, _ in listed[3:]][-3:-1] == ["fdet_vec", "fdet_vec"]
    assert result.headline.startswith("first at rot_a_angstroms[0] (")
    assert ": known quirk phi-carryover; " in result.headline
    assert who(result) == "C shows its known quirk phi-carryover"


def finding(variable: str, residual: float, share: float | None, **more: Any) -> BlameFinding:
    """An accusation in which nothing else matters."""
    made = BlameFinding("introduced", "PY", variable, "step", "", "", "", 1, "", residual, 0.0, "", (), share=share)
    return replace(made, **more)


def order(*findings: BlameFinding) -> list[str]:
    return [f.variable for f in ranked(findings, 0.1, {"step.late": ("step.early",)})]


def test_an_unknown_share_is_not_a_share_of_nothing() -> None:
    close, far = finding("close", 1e-9, None), finding("far", 0.01, None)
    quirk, most = finding("quirk", 0.01, None, quirk="q"), finding("most", 0.01, 0.7)
    little, none = finding("little", 0.01, 0.02), finding("none", 0.01, 0.0)
    assert order(none, close, far, little, quirk, most) == ["most", "quirk", "far", "little", "close", "none"]
    much = finding("much", 0.01, 6.0, quirk="q")
    assert order(far, much, little) == ["much", "far", "little"]
    rest = finding("rest", 0.01, 0.98)
    assert order(far, little, rest) == ["rest", "little", "far"]  # the known ones leave nothing to explain


def test_what_no_equation_was_asked_about_comes_after_what_it_is_computed_from() -> None:
    late = finding("late", 0.5, 1.0, kind="unexplained", missing=("N",))
    assert order(late, finding("early", 0.01, None)) == ["early", "late"]
    assert order(late, finding("early", 1e-9, None)) == ["late", "early"]
    assert order(late, finding("other", 0.01, None)) == ["late", "other"]


# Wrong prints next to faults.

CHANGES = ", but it should change: never updated"
FACTORS = "F_latt_a", "F_latt_b", "F_latt_c"


def never_set(text: str, factor: float) -> str:
    return printed(printed(text, "F_latt", lambda v: np.array([factor])), "F_cell", lambda v: np.array([0.0]))


@pytest.mark.parametrize("factor", [125.0, 9.0 * 12 * 7], ids=["any", "that of a tophat"])
@pytest.mark.parametrize("lacking", [FACTORS, (*FACTORS, "I_running"), (*FACTORS, "I_running", "N_cells")])
def test_a_factor_printed_wrong_next_to_a_fault_upstream(lacking: tuple[str, ...], factor: float) -> None:
    """Without its factors F_latt fits a crystal of another shape, and the sum one in water."""
    is_whole = factor != 125.0 and "N_cells" in lacking  # F_latt is the number of cells where all indices are 0
    hint = "fits without hkl_frac" if is_whole else f"the same at all 64 places{CHANGES}"
    prints = f"F_latt of PY is wrong in print only: {hint} (and 1 more in print only); first at "
    c = without(Program("C").text(), *lacking)
    py = without(never_set(Program("PY", {"lambda_meters": lambda v, x: v * (1 + 2e-6)}).text(), factor), *lacking)
    assert headline(c, py) == (
        "lambda_meters explains the whole difference of I_pixel_final (0.000135 relative); "
        f"{prints}lambda_meters ({SUB} source=0)"
    )
    py = without(
        never_set(Program("PY", {"scattering_vec_m_inv": lambda v, x: v * (1 + 2e-7)}).text(), factor), *lacking
    )
    assert headline(c, py) == (
        "scattering_vec_m_inv explains the whole difference of I_pixel_final (1.35e-5 relative); "
        f"{prints}F_latt ({STEP})"
    )


def test_one_factor_printed_wrong_next_to_a_fault_upstream() -> None:
    c = without(Program("C").text(), *FACTORS)
    py = without(Program("PY", {"lambda_meters": lambda v, x: v * (1 + 2e-6)}).text(), *FACTORS)
    assert headline(c, printed(py, "F_latt", lambda v: np.array([125.0]))) == (
        "lambda_meters explains the whole difference of I_pixel_final (0.000135 relative); "
        f"F_latt of PY is wrong in print only: the same at all 64 places{CHANGES}; "
        f"first at lambda_meters ({SUB} source=0)"
    )


def test_a_vector_printed_in_metres_that_is_too_long_as_well() -> None:
    """No equation makes it where the cell of the run is not in the logs."""
    faults: Faults = {"rot_b_angstroms": lambda v, x: v * (1 + 2e-5)}
    c, py = (without(OneTick(side, of).text(), *SET_UP) for side, of in (("C", {}), ("PY", faults)))
    result = compared(c, printed(py, ROT, lambda v: v * 1e-10))
    assert result.headline.rpartition("; ")[0] == (
        "rot_b_angstroms explains the whole difference of I_pixel_final (0.00258 relative); "
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms of PY are printed in m, used in Å; "
        f"first at rot_a_angstroms[0] ({STEP})"
    )
    assert who(result) == (
        "PY prints rot_a_angstroms, rot_b_angstroms, rot_c_angstroms incorrectly, but uses the correct value; "
        "rot_b_angstroms differs although all that it is computed from agrees"
    )


def test_all_that_is_wrong_in_print_is_named_next_to_what_differs() -> None:
    c = without(OneTick("C").text(), *FACTORS)
    py = OneTick("PY", {"lambda_meters": lambda v, x: v * (1 + 2e-6)}).text()
    assert who(compared(c, without(never_set(py, 125.0), *FACTORS))) == (
        "PY prints F_latt, F_cell incorrectly, but uses the correct value; "
        "lambda_meters differs although all that it is computed from agrees"
    )


class OneRay(Program):
    sources = oversample = 1


def test_a_first_step_that_all_settings_make_the_same_accuses_no_one() -> None:
    """C multiplies the polarisation into the running sum after each step, which the first step does not show."""
    (polar,) = (float(number) for number in re.findall(r": polar (\S+)", OneRay("C").text()))
    flag: Faults = {
        "I_running": lambda v, x: polar * x["total"] + x["step"][0] ** 2 * x["step"][1] ** 2,
        "I_before_scaling": lambda v, x: polar * v,
        "I_pixel_final": lambda v, x: v / polar,
    }
    texts = {"C": OneRay("C", flag).text(), "PY": OneRay("PY").text()}
    domain = domain_of_pair(shipped())
    assert domain is not None
    c, py = (EvaluatedLog(read(text, side), shipped().vocabulary, domain) for side, text in texts.items())
    hold_to_the_other(c, py)
    assert all(outcome.ok for outcome in c.found["running_sum"].outcomes.values())
    found = blame(*texts.values())
    assert {(f.side, f.kind) for f in found.findings if f.is_cause} == {("both", "unexplained")}
    assert "C follows 'times polar', PY 'plain sum': a setting differs" in {f.hint for f in found.findings}


# Shares of faults that meet.


def test_one_value_that_is_wrong_on_both_sides_has_the_share_of_each() -> None:
    c: Faults = {"hkl_frac": lambda v, x: v * (1 - 1e-4)}
    py: Faults = {"hkl_frac": lambda v, x: v * (1 + 2e-4)}
    logs = {name: OneTick("PY", faults).text() for name, faults in (("none", {}), ("c", c), ("py", py))}
    right, of_c, of_py = (float(re.findall(r"I_pixel_final (\S+)", text)[0]) for text in logs.values())
    found = blame(OneTick("C", c).text(), logs["py"])
    whole = math.log(of_py / of_c)
    shares = {f.side: f.share for f in found.findings if f.variable == "hkl_frac" and f.is_cause}
    assert shares == pytest.approx({"C": math.log(right / of_c) / whole, "PY": math.log(of_py / right) / whole})


def test_two_faults_of_which_neither_has_a_share_alone_have_one_together() -> None:
    """With one of them the index is that of a reflection that neither log has looked up."""
    faults: Faults = {
        "scattering_vec_m_inv": lambda v, x: v * 2 * math.pi,
        "hkl_frac": lambda v, x: v * np.array([1, -1, 1]),
    }
    found = blame(OneTick("C").text(), OneTick("PY", faults).text())
    assert cause_line(found) == (
        "hkl_frac and scattering_vec_m_inv explain the whole difference of I_pixel_final (factor 85.1)"
    )
    assert [f.share for f in found.findings if f.is_cause] == pytest.approx([1.0, 1.0])


def test_indices_that_are_negated_in_print_and_in_fact() -> None:
    py = OneTick("PY", {"hkl_frac": lambda v, x: v * np.array([1, -1, 1])}).text()
    found = blame(OneTick("C").text(), printed(py, "hkl_frac", np.negative))
    assert {(f.variable, f.manner, f.hint) for f in found.findings if f.is_cause} == {
        ("hkl_frac", "computation", "component y has the wrong sign"),
        ("hkl_frac", "probe", "wrong in print only: the sign is wrong"),
    }
    assert re.fullmatch(
        r"hkl_frac explains the whole difference of I_pixel_final \(.*\); "
        "hkl_frac of PY is wrong in print only: the sign is wrong",
        cause_line(found),
    )


@pytest.mark.parametrize(
    ("manner", "is_pending", "share", "believed"),
    [
        ("", False, 1.5e5, None),
        ("computation", True, -9e4, None),
        ("computation", False, 30.0, 30.0),
        ("", True, 2.0, 2.0),
    ],
)
def test_a_share_far_above_the_whole_is_not_believed_of_what_may_be_a_print(
    manner: str, is_pending: bool, share: float, believed: float | None
) -> None:
    one = Placed((), finding("some", 0.1, None, manner=manner), "step.some")
    assert _believed([one], Effect(share), is_pending=is_pending).share == believed


def test_a_setting_that_explains_with_what_follows_from_it_is_named_with_its_values() -> None:
    """The positions at the start follow from the box, which no equation tells."""
    box, start = (replace(finding(name, 0.02, 1.0), kind="unexplained", side="both") for name in ("box", "start"))
    together = replace(box, together=("start",)), replace(start, together=("box",))
    made = Blame(together, 1, 1, (), {}, final="e_total", settings=("box: C 3.6, PY 3.7",))
    assert cause_sentence(made) == (
        "setting that differs: box: C 3.6, PY 3.7; box and start explain the whole difference of e_total"
    )
    alone = replace(made, findings=(box,))
    assert cause_sentence(alone) == "box explains the whole difference of e_total"
