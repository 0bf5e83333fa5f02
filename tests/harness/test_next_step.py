"""The next step that a verdict names: only what works for the pair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.blame.findings import Blame
from trace_parity.render.commands import Commands
from trace_parity.render.first_screen import first_screen
from trace_parity.render.next_step import next_step
from trace_parity.result.result import AGAINST, EXPLAIN, INJECT

from tests.harness.conftest import Cli
from tests.harness.snapshots.results import RESULTS, blame
from tests.harness.tiny_pair import write_pair

C = "TRACE_C[i=0]: x 1\nTRACE_C[i=1]: x 2\n"
PY = "TRACE_PY[i=0]: x 1\nTRACE_PY[i=1]: x 2.5\n"


def next_of(text: str) -> str:
    """What the line `next:` of a verdict says; empty where it has none."""
    return next((line.removeprefix("next:").strip() for line in text.splitlines() if line.startswith("next:")), "")


def test_explain_is_named_where_the_pair_has_a_vocabulary(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text(C)
    (tmp_path / "py.log").write_text(PY)
    assert next_of(trace_diff("compare", "c.log", "py.log").stdout) == ""
    write_pair(tmp_path)
    named = next_of(trace_diff("compare", "c.log", "py.log").stdout)
    assert named == "trace-diff explain x"
    assert trace_diff(*named.split()[1:]).returncode == 0
    (tmp_path / "vocabulary.toml").unlink()
    done = trace_diff("compare", "c.log", "py.log")
    assert (done.returncode, next_of(done.stdout)) == (1, "")


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
    assert "compared 1 number of 1 variable: 0 agree, 1 diverge; no relative tolerance would pass" in text, text
