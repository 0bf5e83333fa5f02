"""`trace-diff gradcheck`: runs the port's check, words it, and ends in the right exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from trace_parity.cli.main import trace_diff as trace_diff_command
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import find_pair
from trace_parity.run import gradcheck as port

from tests.in_process import call

ROW = {
    "case": "still", "parameter": "misset", "unit": "deg", "place": "near", "pixel": [2, 18], "component": "1",
    "analytic": -519.1517, "difference": -519.1516, "error": 1e-4, "order": 2.001, "components": 3, "gradcheck": True,
    "verdict": "ok", "good": True,
}  # fmt: skip


def trace_diff(*words: str) -> subprocess.CompletedProcess[str]:
    return call(["gradcheck", *words], Path.cwd())


def with_answer(tmp_path: Path, rows: list[dict[str, object]], *words: str) -> Result:
    """The command with a program in the port's place that gives this answer."""
    program = tmp_path / "port.py"
    listed = json.dumps({"cases": ["still"], "parameters": ["misset"]})
    program.write_text(f"import sys\nprint({listed!r} if '--list' in sys.argv else {json.dumps({'rows': rows})!r})\n")
    return CliRunner().invoke(
        trace_diff_command, ["gradcheck", "--pair", str(pair_of(program)), "--case", "still", *words]
    )


def pair_of(program: Path) -> Path:
    """A pair whose port checks its gradients by this program."""
    command = '[programs.C]\ntrace = "true"\n[programs.PY]\ntrace = "true"\ngradcheck = ["{python}", "NAME"]\n'
    (program.parent / "pair.toml").write_text(command.replace("NAME", program.name))
    return program.parent


def test_gradients_that_hold() -> None:
    done = trace_diff("--case", "still", "--parameter", "fluence", "--parameter", "beam_centre")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == "parameter case place pixel analytic differences order autograd verdict".split()
    assert [line.split()[-1] for line in lines[1:5]] == ["exact", "exact", "ok", "ok"]
    assert lines[-1].startswith("CORRECT  2 converge as the square of the step, 2 are exact")


def test_json_carries_every_digit() -> None:
    done = trace_diff("--case", "still", "--parameter", "fluence", "--format", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["wrong"], len(found["rows"])) == (0, 0, 2)
    row = found["rows"][0]
    assert (row["parameter"], row["place"], row["verdict"], row["good"]) == ("fluence", "near", "exact", True)
    assert row["analytic"] == pytest.approx(row["difference"], rel=1e-12)


def test_a_wrong_gradient_is_exit_code_1(tmp_path: Path) -> None:
    wrong = {**ROW, "place": "between", "order": 0.01, "gradcheck": False, "verdict": "wrong", "good": False}
    done = with_answer(tmp_path, [ROW, wrong])
    assert done.exit_code == 1
    assert "misset[1]" in done.output
    assert (
        "WRONG  1 gradient  1 converge as the square of the step, 0 are exact, 0 do not depend on the parameter, 1 are "
        in done.output
    )
    assert "fails" in done.output
    assert with_answer(tmp_path, [ROW]).exit_code == 0
    as_json = json.loads(with_answer(tmp_path, [ROW, wrong], "--format", "json").stdout)
    assert as_json["wrong"] == 1


def test_nothing_checked_is_no_pass(tmp_path: Path) -> None:
    done = with_answer(tmp_path, [])
    assert isinstance(done.exception, HarnessError)
    assert done.exception.code is Exit.NOTHING_TO_COMPARE


def test_unknown_names_are_usage_errors() -> None:
    done = trace_diff("--case", "never")
    assert done.returncode == 2
    assert "no case 'never'" in done.stderr
    assert "phi_rotation" in done.stderr
    assert trace_diff("--parameter", "never").returncode == 2


def test_a_port_that_fails_is_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "port.py").write_text("raise SystemExit('no torch here')\n")
    program = find_pair(str(pair_of(tmp_path / "port.py"))).programs.sides["PY"]
    with pytest.raises(HarnessError, match="no torch here") as caught:
        port.names(program)
    assert caught.value.code is Exit.PROGRAM_FAILED
    (tmp_path / "port.py").write_text("print('no JSON')\n")
    with pytest.raises(HarnessError, match="no JSON"):
        port.names(program)


def test_the_list() -> None:
    done = trace_diff("--list")
    assert done.returncode == 0
    cases, parameters = done.stdout.splitlines()
    assert "phi_rotation" in cases.split()
    assert "misset" in parameters.split()
