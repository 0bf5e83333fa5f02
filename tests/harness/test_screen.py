"""Every command on a terminal of 24 lines and 80 columns: long lines are broken at words, the verdict comes last."""

from __future__ import annotations

import io
import re
import shutil
import signal
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.cli import inject
from trace_parity.cli.main import COMMANDS, main
from trace_parity.cli.screen import show
from trace_parity.errors import Exit, HarnessError
from trace_parity.render import FORMATS, gate_report, text_form
from trace_parity.render.fold import fold_message
from trace_parity.result.finding import Finding, Shown, SweepResult
from trace_parity.result.outcome import Outcome
from trace_parity.run import gate as run_gate
from trace_parity.run.counterfactual import Bisection, Fault, Injection, Still

from tests.harness.conftest import as_py
from tests.harness.snapshots.results import RESULTS, one_sided, result, variable, with_quirk
from tests.harness.test_report_index import make_bundle
from tests.harness.tiny_pair import write_pair

COPIED = re.compile(r"\s*(?:(?:next|or): +)?trace-diff .*|\s*command(?: line| of \S+)?: .*|\s*(?:[A-Z]+  +)?\S+")
"""Lines that may be longer: a command to copy, and a path."""
ROWS = 23
"""Of the 24 the last is the prompt's."""


class Terminal(io.StringIO):
    """Standard output as a command finds it in a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture(autouse=True)
def size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pair, and bundles of which one has many variables that differ, another many changed files."""
    folder = tmp_path_factory.mktemp("screen")
    write_pair(folder / "tiny")
    (folder / "tiny" / "circle.toml").write_text("")
    reports = folder / "reports"
    for name, made in RESULTS.items():
        make_bundle(reports, f"toy_{name}", "20261101T101112Z-abc", made())
    states = [f"variable_with_a_long_name_{n}" for n in range(60)]
    good = replace(result(), variables=tuple(variable(name, "step") for name in states))
    bad = replace(with_quirk(), variables=tuple(variable(name, "step", divergent=2, worst_rel=0.1) for name in states))
    make_bundle(reports, "good", "20261102T101112Z-abc", good)
    make_bundle(reports, "bad", "20261103T101112Z-abc", bad)
    changed = make_bundle(reports, "changed", "20261104T101112Z-abc", good)
    for n in range(50):
        (changed / f"a_file_that_nobody_listed_in_the_manifest_of_this_bundle_{n}").write_text("")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, supervisor_log: str, leaky_log: str) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(leaky_log))
    (tmp_path / "other.log").write_text(
        "".join(f"TRACE_PY[i={i}]: {name} {i + 1.5}\n" for i in range(9) for name in ("alpha", "beta", "gamma"))
    )
    (tmp_path / "first.log").write_text(
        "".join(f"TRACE_C[i={i}]: {name} {i + 1.5}\n" for i in range(9) for name in ("alpha", "beta", "delta"))
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(words: list[str]) -> tuple[int, list[str]]:
    """The exit code and the lines of a command on a terminal."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with redirect_stdout(Terminal()) as out, pytest.raises(SystemExit) as caught:
            main(words)
    finally:
        signal.signal(signal.SIGTERM, handler)
    code = caught.value.code
    return code if isinstance(code, int) else 0, out.getvalue().splitlines()


def shown(body: list[str], end: list[str]) -> list[str]:
    with redirect_stdout(Terminal()) as out:
        show(body, end)
    return out.getvalue().splitlines()


def fits(lines: list[str]) -> None:
    """No line goes beyond 80 columns but what is copied, and no line is broken without need."""
    assert lines
    assert [line for line in lines if len(line) > 80 and not COPIED.fullmatch(line)] == []


COMMAND_LINES = {
    "compare c.log py.log": "DIVERGENCE  compare",
    "compare c.log c.log --sides C,C": "PARITY  compare",
    "blame c.log py.log": "BROKEN  blame",
    "blame c.log": "CONSISTENT  blame",
    "blame py.log": "BROKEN  blame",
    "bundle show reports/bad/20261103T101112Z-abc": "DIVERGENCE  ",
    "bundle show reports/toy_one_sided/20261101T101112Z-abc": "INCOMPLETE  ",
    "bundle show reports/toy_hostile/20261101T101112Z-abc": "DIVERGENCE  ",
    "bundle verify reports/changed/20261104T101112Z-abc": "CHANGED  ",
    "bundle verify reports/bad/20261103T101112Z-abc": "UNCHANGED  ",
    "report diff reports/good/20261102T101112Z-abc reports/bad/20261103T101112Z-abc": "WORSE: ",
    "report diff reports/bad/20261103T101112Z-abc reports/good/20261102T101112Z-abc": "BETTER: ",
    "gate --pair tiny --jobs 1": "NOT IN PARITY  gate: 5 cases",
    "sweep --pair tiny --random 12 --seed 3 --jobs 1": "12 command lines: ",
    "table phi_tic c.log py.log": "",
    "phi c.log py.log": "",
    "table i first.log other.log": "",
    "table mos_tic c.log py.log": "",
    "bundle list": "",
    "cases list": "",
    "cases show supervisor": "",
    "cases show base": "",
    "cases list --pair tiny": "",
    "explain F_latt": "",
    "explain rot_a_angstroms": "",
    "explain I_pixel_final": "",
    "pair check": "",
    "pair check tiny": "",
    "pair init first.log other.log --out made": "",
    "calibrate --pair tiny many --samples 2 --out many.json": "",
    "report index": "",
    "report render reports/bad/20261103T101112Z-abc": "",
}
"""Command lines, and how the verdict begins that is their last; empty for those that have none."""


@pytest.mark.parametrize("words", COMMAND_LINES)
def test_a_command_on_a_terminal(words: str, folder: Path) -> None:
    code, lines = printed(words.split())
    assert code < 70
    fits(lines)
    verdict = COMMAND_LINES[words]
    if verdict:
        assert len(lines) <= ROWS
        assert any(line.startswith(verdict) for line in lines[-4:]), lines[-4:]


@pytest.mark.parametrize("words", [words for words, verdict in COMMAND_LINES.items() if verdict])
def test_the_verdict_alone(words: str, folder: Path) -> None:
    _, lines = printed([*words.split(), "-q"])
    fits(lines)
    assert lines[0].startswith(COMMAND_LINES[words].rstrip())
    assert len(lines) == 1


@pytest.mark.parametrize("words", [words for words, verdict in COMMAND_LINES.items() if verdict])
def test_everything(words: str, folder: Path) -> None:
    _, lines = printed([*words.split(), "-v"])
    fits(lines)
    assert not any("-v shows" in line or "result.json" in line for line in lines)


def test_everything_is_everything() -> None:
    missing = tuple(f"alpha_{n}: missing in PY at 1 place, first at spixel=1 fpixel={n}" for n in range(60))
    found = replace(one_sided(), problems=missing, loops=("spixel", "fpixel"))
    text = text_form.render(found, "full")
    assert all(line.replace("spixel=1 ", "") in text for line in missing)  # which the header says
    assert "57 more; -v shows them" in text_form.render(found)


def test_a_long_message_is_broken_and_its_hint_is_on_a_line_of_its_own() -> None:
    quirks = ", ".join(f"quirk-{n}" for n in range(40))
    error = HarnessError(
        Exit.USAGE, "no quirk 'quirk-x'", where="--waive", expected=quirks, hint="did you mean quirk-1?"
    )
    assert str(error) == f"--waive: no quirk 'quirk-x' (hint: did you mean quirk-1?); expected {quirks}"
    what, hint, *rest = fold_message(f"trace-diff: {error}", 80)
    assert what == "trace-diff: --waive: no quirk 'quirk-x'"
    assert hint == "  hint: did you mean quirk-1?"
    assert rest[0].startswith("  expected quirk-0, ")
    assert max(map(len, rest)) <= 80
    wide = fold_message(
        "trace-diff: a.log: no number in it; expected one (hint: trace-diff blame " + "x" * 90 + ")", 80
    )
    assert wide == ["trace-diff: a.log: no number in it; expected one", "  hint: trace-diff blame", "    " + "x" * 90]
    assert fold_message("short (hint: stays)", 80) == ["short (hint: stays)"]


@pytest.mark.parametrize("words", ["compare c.log py.log --waive phi-carry", "compare c.log nosuch.log --case sup"])
def test_an_error_on_a_terminal(words: str, folder: Path) -> None:
    with redirect_stderr(Terminal()) as err:
        code, _ = printed(words.split())
    assert code == 2
    fits(err.getvalue().splitlines())
    with redirect_stderr(io.StringIO()) as pipe:
        printed(words.split())
    assert len(pipe.getvalue().splitlines()) == 1


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "text"])
def test_the_verdict_is_last_in_other_forms_too(form: str, folder: Path) -> None:
    """On a terminal's standard error where the data go to standard output, on standard output where to a file."""
    with redirect_stderr(Terminal()) as err:
        _, data = printed(["compare", "c.log", "py.log", "--format", form])
    said = err.getvalue().splitlines()
    fits(said)
    assert len(said) <= 4
    assert any(line.startswith("DIVERGENCE  compare: ") for line in said[-3:])
    assert data
    with redirect_stderr(Terminal()) as err:
        _, lines = printed(["compare", "c.log", "py.log", "--format", f"{form}:page.out"])
    assert err.getvalue() == "wrote page.out\n"
    assert lines[0].startswith("DIVERGENCE  compare: ")
    with redirect_stderr(io.StringIO()) as pipe:
        printed(["compare", "c.log", "py.log", "--format", f"{form}:page.out"])
    assert pipe.getvalue() == ""


def test_the_next_step_of_a_gate_is_typed_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcomes = [Outcome("a", 1, "divergence", "x differs", 4, 1, 0.1, "a/b c", "")]
    step, _ = gate_report.gate_verdict(outcomes, 1, tmp_path / "reports")
    assert step == "next:   trace-diff bundle show 'reports/a/b c'"
    step, _ = gate_report.gate_verdict(outcomes, 1, Path("/elsewhere"))
    assert step == "next:   trace-diff bundle show '/elsewhere/a/b c'"


def test_a_case_that_compared_nothing_needs_no_tolerance() -> None:
    lost = Outcome("a", 3, "program failed", "ended by signal SIGSEGV", 0, 0, 0.0, "", "")
    assert gate_report.gate_table([lost])[1].split()[:6] == ["a", "3", "program", "failed", "0", "0"]
    assert gate_report.gate_table([lost])[1].split()[6] == "-"
    assert "| 0 | 0 | - |" in gate_report.gate_markdown([lost])
    equal = Outcome("b", 0, "parity", "", 9, 0, 0.0, "", "")
    assert gate_report.gate_table([equal])[1].split()[-1] == "0"


def test_a_gate_of_many_cases(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    headline = "first at rot_a_angstroms[1] (spixel=5 fpixel=7 phi_tic=0): no equation explains it; 12 numbers differ"
    outcomes = [
        Outcome(f"case_{n}", n % 3 == 0, "divergence" if n % 3 == 0 else "parity", headline, 400, 12, 0.1, "b", "")
        for n in range(90)
    ]
    monkeypatch.setattr(run_gate, "run_gate", lambda *args, **more: outcomes)
    Path("reports/gate").mkdir()
    code, lines = printed(["gate", "--pair", "tiny"])
    fits(lines)
    assert code == 1
    assert len(lines) <= ROWS
    assert lines[0].startswith("case ")
    assert " divergence " in lines[1]
    assert re.fullmatch(r"… and \d+ more; -v shows them", lines[-3])
    assert lines[-2] == "next:   trace-diff bundle show reports/gate/b"
    assert lines[-1] == "NOT IN PARITY  gate: 90 cases: 60 in parity, 30 not"
    assert len(gate_report.gate_table(outcomes)) == 91


def test_an_injection_into_many_variables() -> None:
    names = tuple(f"step.variable_number_{n}" for n in range(60))
    still = tuple(Still(name, 40, 12, 12, after=True) for name in names)
    for found in (
        Injection(names[:1], False, names, names[:20], still, 1),
        Bisection(False, tuple(Fault(name, names) for name in names), names, 130, names[:30]),
        Bisection(True, tuple(Fault(name, (name,)) for name in names), (), 130),
    ):
        *body, verdict = inject._lines(found)
        lines = shown(body, [verdict])
        fits(lines)
        assert len(lines) <= ROWS
        assert any(line.startswith(verdict.split()[0]) for line in lines[-4:])


def test_a_sweep_with_many_findings() -> None:
    from trace_parity.render.sweep_report import sweep_table

    findings = tuple(
        Finding(f"f{n}", ("-a",), ("-n", str(n)), Shown("differs", 1, f"w{n}", "", "first at w " * 12), ((),), "c.toml")
        for n in range(40)
    )
    *body, verdict = sweep_table(SweepResult("tiny", (), {"differs": 40, "same": 1}, 900, 1, findings))
    lines = shown(body, [verdict])
    fits(lines)
    assert len(lines) <= ROWS
    assert lines[-1] == "41 command lines: 40 differ, 1 agrees; 40 findings of 900 tries"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command(name: str) -> None:
    code, lines = printed([name, "--help"])
    assert code == 0
    assert max(map(len, lines)) <= 80


def test_a_pipe_gets_whole_lines() -> None:
    with redirect_stdout(io.StringIO()) as pipe:
        show(["word " * 40, *(f"line {n}" for n in range(40))], ["verdict " * 20])
    assert len(pipe.getvalue().splitlines()) == 42
