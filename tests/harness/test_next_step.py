"""The next step that a verdict names: only what works for the pair."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity import api
from trace_parity.blame.findings import Blame
from trace_parity.render import FORMATS, renderer
from trace_parity.render.commands import Commands
from trace_parity.render.first_screen import first_screen
from trace_parity.render.next_step import AroundQuirk, around_quirk, next_step, who
from trace_parity.result.result import AGAINST, EXPLAIN, INJECT

from tests.harness.conftest import Cli, as_py
from tests.harness.snapshots.results import RESULTS, blame, divergence, variable
from tests.harness.tiny_pair import write_pair

C = "TRACE_C[i=0]: x 1\nTRACE_C[i=1]: x 2\n"
PY = "TRACE_PY[i=0]: x 1\nTRACE_PY[i=1]: x 2.5\n"


def next_of(text: str) -> str:
    """What the line `next:` of a verdict says; empty where it has none."""
    return next((line.removeprefix("next:").strip() for line in text.splitlines() if line.startswith("next:")), "")


def test_explain_is_named_where_the_pair_has_a_vocabulary(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text(C)
    (tmp_path / "py.log").write_text(PY)
    step = next_of(trace_diff("compare", "c.log", "py.log").stdout)
    assert step == "trace-diff table i c.log py.log"
    assert "2.5" in trace_diff(*step.split()[1:]).stdout
    write_pair(tmp_path)
    named = next_of(trace_diff("compare", "c.log", "py.log").stdout)
    assert named == "trace-diff explain x"
    assert trace_diff(*named.split()[1:]).returncode == 0
    (tmp_path / "vocabulary.toml").unlink()
    done = trace_diff("compare", "c.log", "py.log")
    assert (done.returncode, next_of(done.stdout)) == (1, "trace-diff table i c.log py.log")


def test_logs_that_no_pair_describes(trace_diff: Cli, tmp_path: Path) -> None:
    """What differs first, and a command that works as it is printed."""
    (tmp_path / "my c.log").write_text("TRACE_C: x 1\nTRACE_C: y 2\n")
    (tmp_path / "py.log").write_text("TRACE_PY: x 1\nTRACE_PY: y 3\n")
    text = trace_diff("compare", "my c.log", "py.log").stdout
    assert "wrong:  not known: no equation describes the logs; y differs first\n" in text
    assert next_of(text) == "trace-diff pair init 'my c.log' py.log --out pair"
    assert trace_diff(*shlex.split(next_of(text))[1:]).returncode == 0
    assert (tmp_path / "pair" / "vocabulary.toml").is_file()


@pytest.mark.parametrize(("c", "py", "who"), [("", "", "both programs"), (C, "", "the PY program")])
def test_a_log_without_a_trace(c: str, py: str, who: str, trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text(c)
    (tmp_path / "py.log").write_text(py)
    done = trace_diff("compare", "c.log", "py.log")
    assert (done.returncode, next_of(done.stdout)) == (6, f"make {who} print trace lines with numbers")


def test_a_step_that_the_pair_lacks_is_not_named() -> None:
    steps = {"trace-diff explain": EXPLAIN, "trace-diff inject": INJECT, "--against": AGAINST}
    commands = Commands(again="trace-diff run case.toml")
    seen = set()
    for made in (make() for make in RESULTS.values()):
        bare = replace(made, quirks=(), sources={})
        port = replace(
            bare, bundle="reports/x", blame=Blame((blame("introduced", "PY", "rot_a"),), 1, 2, (), {"PY": 2})
        )
        for result in (made, bare, port):
            for words, lacking in steps.items():
                seen |= {words} if words in next_step(result) else set()
                without = replace(result, lacks=(lacking,))
                screen = first_screen(without, commands)
                assert words not in f"{next_step(without)} {screen.next} {screen.command}"
    assert seen == set(steps)


@pytest.mark.parametrize(
    ("extends", "says"),
    [(".", "extends: found '.'; expected another pair"), ("nanobrag", "extends: no pair 'nanobrag'")],
)
def test_a_pair_that_extends_no_other(extends: str, says: str, trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "pair.toml").write_text(f'extends = "{extends}"\n')
    done = trace_diff("explain", "x")
    assert (done.returncode, f"pair.toml: {says}" in done.stderr) == (2, True), done.stderr


def test_one_number_that_no_tolerance_passes(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text("TRACE_C: x 1\n")
    (tmp_path / "py.log").write_text("TRACE_PY: x nan\n")
    text = trace_diff("compare", "c.log", "py.log").stdout
    assert "  differ  PY is not a number\n" in text
    assert "nan relative" not in text
    assert "compared 1 number of 1 variable: 0 agree, 1 diverge; no relative tolerance would make it pass" in text, text


def test_a_difference_and_what_is_allowed_are_in_the_same_measure(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text("TRACE_C: I_before_scaling 1000000\n")
    (tmp_path / "py.log").write_text("TRACE_PY: I_before_scaling 1000010\n")
    says = "10 (1e-05 relative{}); tolerance relative allows 1 (1e-06)"
    text = trace_diff("compare", "c.log", "py.log").stdout
    assert f"  differ  {says.format('')}\n" in text, text
    text = trace_diff("compare", "c.log", "py.log", "-v", "--format", "markdown").stdout
    assert f"| {says.format(', 8.6e+10 ULP')} |" in text, text
    text = trace_diff("compare", "c.log", "py.log", "--rtol", "0").stdout
    assert "  differ  10 (1e-05 relative); tolerance relative allows none\n" in text, text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("json", "metrics")])
def test_a_number_that_is_none_has_no_relative_difference(form: str, value: float) -> None:
    """Every form says which side is not a number, none how far a number is from it."""
    bad = divergence("rot_a", "1.5", str(value), rel_diff=value, abs_diff=value)
    worst = variable("rot_a", divergent=1, worst_rel=math.nan, worst_abs=math.nan, worst_c=1.5, worst_py=value)
    made = replace(RESULTS["quirk"](), first_divergence=bad, divergences=(bad,), variables=(worst,), blame=None)
    text = renderer(form)(made)
    assert ("PY is not a number" if math.isnan(value) else "PY is infinite") in text or form == "step-summary"
    assert not re.search(r"(nan|inf) relative|relative -?(nan|inf)", text)


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_nothing_explains_the_difference_of_values_that_agree(form: str) -> None:
    finding = blame("introduced", "PY", "rot_a", share=1.0, factor=1 + 1e-9)
    differs = Blame((finding,), 1, 2, (), {"PY": 2}, final="pixel.I_final")
    base = replace(RESULTS["quirk"](), quirks=(), sources={})
    assert "explains" in renderer(form)(replace(base, blame=differs))
    agrees = replace(base, blame=replace(differs, final_agrees=True))
    assert not re.search(r"explains? (the|\d)", renderer(form)(agrees))
    assert who(agrees) == "PY, in rot_a"


def times(name: str, factor: float, log: str) -> str:
    """The log with the numbers of this name multiplied."""
    return re.sub(rf"({name} )(\S+)", lambda m: f"{m[1]}{float(m[2]) * factor!r}", log)


def test_whether_the_final_value_agrees_is_judged(supervisor_log: str, tmp_path: Path) -> None:
    """A fault upstream of an intensity that stays within tolerance."""
    (tmp_path / "c.log").write_text(supervisor_log)
    for factor, agrees in ((1 + 1e-9, True), (1.5, False)):
        changed = times("omega_pixel_sr", 1.01, times("I_pixel_final", factor, as_py(supervisor_log)))
        (tmp_path / "py.log").write_text(changed)
        found = api.compare(tmp_path / "c.log", tmp_path / "py.log")
        assert found.blame is not None
        assert found.exit_code == 1
        assert found.blame.final_agrees is agrees, (found.blame.final, found.headline)


RUN = ("trace-diff", "run", "toy", "--against", "unfixed")


@pytest.mark.parametrize(
    ("typed", "bundle", "without", "waived"),
    [
        (RUN, "", "trace-diff run toy --against fixed", "trace-diff run toy --against unfixed --waive phi-carryover"),
        (
            ("trace-diff", "run", "--", "-n", "a b"),
            "reports/x",
            "trace-diff run --against fixed -- -n 'a b'",
            "trace-diff run --waive phi-carryover -- -n 'a b'",
        ),
        (
            ("trace-diff", "compare", "c.log", "py.log"),
            "",
            "",
            "trace-diff compare c.log py.log --waive phi-carryover",
        ),
        (
            ("trace-diff", "bundle", "show", "my x"),
            "my x",
            "trace-diff run 'my x'/case.toml --against fixed",
            "trace-diff judge 'my x' --waive phi-carryover",
        ),
        ((), "", "", ""),
    ],
)
def test_a_known_quirk_has_commands_to_copy(typed: tuple[str, ...], bundle: str, without: str, waived: str) -> None:
    made = replace(RESULTS["quirk"](), typed=typed, bundle=bundle)
    assert around_quirk(made) == AroundQuirk(without, waived)
    text = renderer("text")(made)
    assert next_of(text) == without or not without
    assert f"\nor:     {waived}\n" in text or not waived
    assert around_quirk(replace(made, settings=("a differs",))) == AroundQuirk()
    assert around_quirk(replace(made, exit_code=0)) == AroundQuirk()
    assert around_quirk(replace(made, lacks=(AGAINST,))).without == ""
