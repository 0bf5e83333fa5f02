"""`trace-diff replay` and `assert_replay`: a function of the port under the inputs that C had."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from trace_parity.cli.main import trace_diff
from trace_parity.errors import Exit, HarnessError

pytest_plugins = ("pytester",)

PROBES = """
loops = ["step", "i", "j"]
[replay.pair_force]
call = "port:pair_force"
inputs = { r2 = "r2", scale = "scale" }
outputs = ["f", "e"]
"""
PORT = "def pair_force(r2, scale):\n    return [scale / r2, 0.0], r2 * r2\n"
LOG = """unrelated
TRACE_C: scale 2
TRACE_C[step=0 i=0 j=1]: r2 4
TRACE_C[step=0 i=0 j=1]: f 0.5 0
TRACE_C[step=0 i=0 j=1]: e 16
TRACE_C[step=1]: scale 3
TRACE_C[step=1 i=0 j=1]: r2 3
TRACE_C[step=1 i=0 j=1]: f 1 0
TRACE_C[step=1 i=0 j=1]: e 9
TRACE_C[step=1 i=5 j=1]: f 1 0
TRACE_C[step=1 i=5 j=1]: e 9
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import sys

    (tmp_path / "probes.toml").write_text(PROBES)
    (tmp_path / "port.py").write_text(PORT)
    (tmp_path / "C.log").write_text(LOG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "port", raising=False)
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(trace_diff, ["replay", *words])


def test_agrees_where_all_inputs_are_known() -> None:
    done = call("pair_force", "C.log")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1].startswith("AGREES  ")
    assert "2 places, 6 numbers, 0 differ" in done.output
    assert "1 place left out" in done.output


def test_a_wrong_function_is_named_with_its_place(folder: Path) -> None:
    (folder / "port.py").write_text(PORT.replace("scale / r2", "scale / r2 * (1.125 if r2 == 3 else 1)"))
    done = call("pair_force", "C.log")
    assert done.exit_code == 1
    assert "first: f[0] at step=1 i=0 j=1: C 1, port 1.125" in done.output
    assert call("pair_force", "C.log", "--rtol", "0.2").exit_code == 0


@pytest.mark.parametrize("value", ["float('inf')", "-float('inf')", "float('nan')"])
def test_a_number_that_is_not_finite_agrees_with_no_other(value: str, folder: Path) -> None:
    (folder / "port.py").write_text(PORT.replace("scale / r2", value))
    done = call("pair_force", "C.log")
    assert done.exit_code == 1
    assert "2 differ" in done.output


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "message"),
    [
        ("probes.toml", "pair_force]", "other]", Exit.USAGE, "no [replay.pair_force]"),
        ("probes.toml", "port:pair_force", "port:missing", Exit.USAGE, "missing"),
        ("probes.toml", "outputs", "output", Exit.USAGE, "no outputs"),
        ("probes.toml", '["f", "e"]', '["e"]', Exit.SHAPE_MISMATCH, "C has 1 number, port:pair_force 3"),
        ("probes.toml", '["f", "e"]', '["g"]', Exit.NOTHING_TO_COMPARE, "no place has g"),
        ("port.py", "scale / r2", "[][1]", Exit.PROGRAM_FAILED, "IndexError"),
        ("C.log", "r2 4", "r2 4x", Exit.UNREADABLE, "C.log:3"),
    ],
)
def test_what_goes_wrong_is_said(folder: Path, file: str, old: str, new: str, code: Exit, message: str) -> None:
    (folder / file).write_text((folder / file).read_text().replace(old, new))
    done = call("pair_force", "C.log")
    assert isinstance(done.exception, HarnessError)
    assert (done.exception.code, message in str(done.exception)) == (code, True), str(done.exception)


def test_assert_replay(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makepyfile(
        f"""
        from pathlib import Path
        FOLDER = Path({str(folder)!r})
        def test_holds(assert_replay):
            assert assert_replay("pair_force", FOLDER / "C.log", pair=FOLDER).compared == 6
        def test_fails(assert_replay):
            (FOLDER / "C.log").write_text("TRACE_C: scale 2\\nTRACE_C: r2 4\\nTRACE_C: f 0.6 0\\nTRACE_C: e 16\\n")
            assert_replay("pair_force", FOLDER / "C.log", pair=FOLDER)
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*first: f?0? at the whole run: C 0.59999*, port 0.5*"])
