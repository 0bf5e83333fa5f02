"""Blame of another pair, atoms under forces: prints, hints, shares through sums and steps, settings, quirks."""

from __future__ import annotations

import numpy as np
import pytest
from trace_parity.blame.findings import Blame, BlameFinding
from trace_parity.blame.headline import cause_sentence
from trace_parity.render.next_step import who
from trace_parity.result.result import Result

from tests.harness.atoms import Atoms, Fault, compared, stale_potential, with_fault
from tests.harness.test_blame_culprits import Change, printed

GOOD = Atoms("C").text()
AS_PY = Atoms("PY").text()


def blame_of(result: Result) -> Blame:
    assert result.blame is not None
    return result.blame


def finding(result: Result, variable: str) -> BlameFinding:
    return next(f for f in blame_of(result).findings if f.variable == variable and f.is_cause)


def test_sound_logs_agree() -> None:
    assert compared(GOOD, AS_PY).headline.startswith("all ")


IN_PRINT: list[tuple[str, Change, str]] = [
    ("r2", np.sqrt, "r2 of PY is wrong in print only: its square root, not itself"),
    ("force", np.negative, "force of PY is wrong in print only: the sign is wrong"),
    ("dr", lambda v: v[[1, 0, 2]], "dr of PY is wrong in print only: components swapped: y x z for x y z"),
    ("u", lambda v: v / 2, "u of PY is wrong in print only: too small by a factor of 2 throughout"),
    ("inv_r6", lambda v: 1 / v, "inv_r6 of PY is wrong in print only: its inverse, not itself"),
    ("f_over_r", lambda v: v * 1.0002, "f_over_r of PY is wrong in print only: too large by a factor of 1.0002"),
    ("dt", lambda v: v * 1e3, "dt of PY is wrong in print only: too large by a factor of 1000"),
    ("n", lambda v: v - 1, "n of PY is wrong in print only: one too few; "),
    ("n", lambda v: v + 1, "n of PY is wrong in print only: one too many; "),
    ("r", lambda v: v[[0, 2, 1]], "r of PY is wrong in print only: components swapped: x z y for x y z; "),
    ("r", lambda v: v * [-1, 1, 1], "r of PY is wrong in print only: component x has the wrong sign; "),
    ("r", lambda v: v * 10, "r of PY is wrong in print only: in the right direction, but 10 times too long; "),
]


@pytest.mark.parametrize(("name", "change", "sentence"), IN_PRINT, ids=[f"{p[0]} {n}" for n, p in enumerate(IN_PRINT)])
def test_what_is_only_printed_wrong(name: str, change: Change, sentence: str) -> None:
    result = compared(GOOD, printed(AS_PY, name, change))
    assert result.headline.startswith(sentence)
    assert {(f.side, f.variable, f.manner) for f in blame_of(result).findings if f.is_cause} == {("PY", name, "probe")}


COMPUTED: list[tuple[str, Fault, str]] = [
    ("force", lambda v, k: -v, "the sign is wrong"),
    ("dr", lambda v, k: v[[1, 0, 2]], "components swapped: y x z for x y z"),
    ("dr", lambda v, k: v * [1, -1, 1], "component y has the wrong sign"),
    ("f_over_r", lambda v, k: v * 1.0002, "too large by a factor of 1.0002 throughout"),
    ("inv_r6", lambda v, k: v**0.5, "its square root, not itself"),
    ("v_half", lambda v, k: v * 0, "zero, but it should not be: never set"),
    ("r", lambda v, k: v.astype(np.float32).astype(float), "these numbers are float32"),
]


@pytest.mark.parametrize(("name", "fault", "hint"), COMPUTED, ids=[c[2][:25] for c in COMPUTED])
def test_what_is_computed_wrong_explains_all(name: str, fault: Fault, hint: str) -> None:
    result = with_fault({name: fault})
    said = finding(result, name)
    assert (said.side, said.manner) == ("PY", "computation")
    assert hint in said.hint
    assert said.share == pytest.approx(1, abs=1e-3)
    sentence = cause_sentence(blame_of(result))
    if "float32" in hint:  # e_total is within tolerance, so that there is no difference of it to explain
        assert (sentence, who(result)) == ("", "PY, in r")
    else:
        assert sentence.startswith(f"{name} explains the whole difference of e_total (")
    assert {f.variable for f in blame_of(result).findings if f.kind == "introduced"} == {name}


RERUN: list[tuple[str, Fault]] = [
    ("dt", lambda v, k: 0.004),
    ("r_cut", lambda v, k: 1.2),
    ("force", lambda v, k: -v),
    ("u", lambda v, k: 2 * v),
    ("v", lambda v, k: 1.01 * v if k[0] else v),
    ("dr", lambda v, k: v[[1, 0, 2]]),
]


@pytest.mark.parametrize(("name", "fault"), RERUN, ids=[r[0] for r in RERUN])
def test_a_share_through_sums_and_steps_is_that_of_a_rerun(name: str, fault: Fault) -> None:
    """With a second fault that both reruns keep: a tenth more kinetic energy."""
    second: Fault = lambda v, k: 1.1 * v  # noqa: E731
    c, both, cured = GOOD, Atoms("PY", {name: fault, "e_kin": second}).text(), Atoms("PY", {"e_kin": second}).text()

    def totals(text: str) -> np.ndarray:
        return np.array([float(line.split()[-1]) for line in text.splitlines() if ": e_total " in line])

    want, got, new = totals(c), totals(both), totals(cured)
    positive = (want > 0) & (got > 0) & (new > 0)
    want, got, new = (np.where(positive, np.log(np.abs(v)), v) for v in (want, got, new))
    rerun = np.sum((want - got) * (new - got)) / np.sum((want - got) ** 2)
    assert finding(compared(c, both), name).share == pytest.approx(rerun, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [("dt", 0.004, "dt: C 0.005, PY 0.004"), ("box", 3.0, "box: C 2.9, PY 3"), ("r_cut", 1.2, "r_cut: C 1.4, PY 1.2")],
)
def test_a_value_of_the_run_that_no_equation_makes_is_a_setting(name: str, value: float, line: str) -> None:
    assert blame_of(with_fault({name: lambda v, k: value})).settings == (line,)
    assert blame_of(compared(GOOD, printed(AS_PY, name, lambda v: v * 1.5))).settings == ()  # printed wrong


def test_the_quirk_of_one_side_is_named_and_that_of_both_is_not() -> None:
    one = with_fault({}, {"e_pot": stale_potential()})
    assert ": known quirk stale-potential; " in one.headline
    both = with_fault({"e_pot": stale_potential(), "v": lambda v, k: 1.01 * v}, {"e_pot": stale_potential()})
    assert "known quirk" not in both.headline
    assert blame_of(both).notes == ("both sides show quirk stale-potential (e_pot at step=3 is that of step=2)",)
    assert {f.quirk for f in blame_of(both).findings} == {""}
    alike = finding(both, "e_pot")
    assert (alike.kind, alike.share) == ("self-inconsistent", 0.0)


def test_the_other_one_is_named_first_where_it_matters_more() -> None:
    result = with_fault({"e_kin": lambda v, k: 10 * v}, {"e_pot": stale_potential()})
    assert [f.variable for f in blame_of(result).findings if f.is_cause][:2] == ["e_kin", "e_pot"]
