from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import shipped
from trace_parity.pair.matrix import Matrix
from trace_parity.result.outcome import Outcome
from trace_parity.run import gate as gate_module
from trace_parity.run.gate import run_gate, worst

from tests.golden import ROOT
from tests.harness.conftest import Cli

SMALL = "-cell 100 100 100 90 90 90 -lambda 6.2 -N 5 -distance 100 -detpixels 16 -pixel 0.1 -default_F 100"
MATRIX = f"""
[defaults]
base = "{SMALL}"
[files."A.mat"]
text = "0.0081 0.0073 -0.0041 -0.0085 0.0091 0.0020 0.0061 0.0009 0.0095"
[[cases]]
id = "good"
argv = "{{base}}"
pixels = [[8, 8]]
[[cases]]
id = "crashes"
argv = "{{base}} -nosuchflag"
pixels = [[8, 8]]
[[cases]]
id = "matrix"
argv = "-mat A.mat -lambda 1 -N 5 -distance 100 -detpixels 16 -pixel 0.1 -default_F 100"
pixels = [[1, 2], [3, 4]]
"""


def outcome(code: int) -> Outcome:
    return Outcome("x", code, "v", "h", 1, 0, 0.0, "", "")


def test_the_shipped_matrix_is_wide_enough() -> None:
    matrix = shipped().matrix()
    assert len(matrix.cases) >= 40
    assert all(case.places for case in matrix.cases)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cases"),
        ("cases = []", "would pass everything"),
        ('[[cases]]\nid = "a"\nargv = "-N 5"\npixels = []\n', "a case without one compares nothing"),
        ('[[cases]]\nid = "a"\nargv = "{bas} -N 5"\npixels = [[1, 2]]\n', "bas"),
        ('[[cases]]\nid = "a"\nargv = "-N 5"\npixels = [[1, 2]]\n' * 2, "an id that no other case of the matrix has"),
    ],
)
def test_a_matrix_that_is_none_is_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=says) as caught:
        shipped().matrix(path)
    assert caught.value.code == Exit.USAGE


def test_the_exit_code_is_the_worst() -> None:
    assert worst([outcome(0), outcome(0)]) == Exit.PARITY
    assert worst([outcome(0), outcome(6), outcome(1), outcome(7)]) == Exit.DIVERGENCE
    assert worst([outcome(1), outcome(3), outcome(5)]) == Exit.PROGRAM_FAILED
    assert worst([]) == Exit.NOTHING_TO_COMPARE


def test_one_crashed_case_does_not_lose_the_others(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(MATRIX)
    done = trace_diff("gate", "--matrix", "m.toml", "--out", "out", "--jobs", "2")
    assert done.returncode == 3
    assert "3 cases: 2 in parity, 1 not" in done.stdout
    assert "-nosuchflag" in done.stdout
    kept = {entry["case"]: entry for entry in json.loads((tmp_path / "out" / "gate.json").read_text())}
    assert kept["good"]["verdict"] == kept["matrix"]["verdict"] == "parity"
    assert (tmp_path / "out" / kept["good"]["bundle"] / "manifest-sha256.txt").is_file()
    suite = ElementTree.parse(tmp_path / "out" / "gate.junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "0", "1")


def test_a_gate_goes_on_where_it_was_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.toml"
    path.write_text(MATRIX)
    matrix = Matrix("m", tuple(c for c in shipped().matrix(path).cases if c.id != "crashes"))
    options = Options(out=tmp_path / "out", render_images=False)

    def stop(outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_gate(shipped(), matrix, options, 1, on_outcome=stop)
    ran: list[str] = []
    real = gate_module._run_one
    monkeypatch.setattr(gate_module, "_run_one", lambda *words: ran.append(words[2].id) or real(*words))
    assert [o.exit_code for o in run_gate(shipped(), matrix, options, 1, resume=True)] == [0, 0]
    assert ran == ["matrix"]
    ran.clear()
    run_gate(shipped(), matrix, Options(out=tmp_path / "out", render_images=False, rtol=1e-9), 1, resume=True)
    assert ran == ["good", "matrix"]  # another tolerance is another question


LEAKY = f"""
[[cases]]
id = "leaks"
argv = "{SMALL} -phi 0 -osc 1 -phisteps 3 -misset 10 20 30"
pixels = [[8, 9], [10, 11]]
[[cases]]
id = "kept"
argv = "{SMALL}"
pixels = [[8, 8]]
"""


def test_a_waiver_of_a_gate_passes_the_cases_that_show_its_quirk(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(LEAKY)
    words = ("gate", "--matrix", "m.toml", "--no-images", "--against", "unfixed", "--out", "out")
    without = trace_diff(*words)
    assert without.returncode == 1
    done = trace_diff(*words, "--waive", "phi-carryover")
    assert done.returncode == 0, done.stdout
    assert "waived phi-carryover" in done.stdout
    kept = {entry["case"]: entry for entry in json.loads((tmp_path / "out" / "gate.json").read_text())}
    assert (kept["leaks"]["waived"], kept["kept"]["waived"]) == (["phi-carryover"], [])
    waivers = json.loads((tmp_path / "out" / kept["kept"]["bundle"] / "result.json").read_text())["waivers"]
    assert [w["state"] for w in waivers] == ["unused"]


def test_usage(trace_diff: Cli, tmp_path: Path) -> None:
    assert trace_diff("gate", "--only", "nosuch").returncode == 2
    assert trace_diff("gate", "--matrix", "none.toml").returncode == 2


def test_the_plugin_collects_a_matrix(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", m=MATRIX)
    result = pytester.runpytest_subprocess("--parity", "m.toml", "--parity-out", "out", "-q")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*-nosuchflag*"])
    assert len(list((pytester.path / "out" / "good").iterdir())) == 1


def test_the_fixture_for_other_suites(pytester: pytest.Pytester, supervisor_log: str) -> None:
    (pytester.path / "c.log").write_text(supervisor_log)
    (sample,) = (ROOT / "reports" / "sample" / "supervisor").iterdir()
    shutil.copytree(sample, pytester.path / "reports" / "sample")
    pytester.makepyfile(
        """
        import pathlib

        import pytest

        C = pathlib.Path("c.log")

        def test_good(assert_parity):
            assert assert_parity(C, C.read_text().replace("TRACE_C", "TRACE_PY")).compared == 318

        def test_paths(assert_parity, tmp_path):
            (tmp_path / "py.log").write_text(C.read_text().replace("TRACE_C", "TRACE_PY"))
            result = assert_parity(str(C), str(tmp_path / "py.log"))
            assert assert_parity(result) is result

        def test_bundle(assert_parity):
            import trace_parity

            bundle = "reports/sample"
            result = trace_parity.load_bundle(bundle)
            for given in (bundle, pathlib.Path(bundle), result):
                with pytest.raises(pytest.fail.Exception, match="rot_a_angstroms"):  # it holds a divergence
                    assert_parity(given)

        @pytest.mark.parametrize(
            ("given", "says"),
            [
                ((C,), "expected two logs"),
                (("c.log", "py.log"), "py.log: no such file; expected a path, or the text of a log"),
                ((C, pathlib.Path("py.log")), "py.log: no such file"),
                ((C, "TRACE_PY: steps 10"), "no such file.*a text ends with a newline"),
                ((C, "c.log\\n"), "c.log: a text without a trace line.*without its newline it is a path"),
                ((C, "reports"), "reports: is a folder.*a bundle is passed alone"),
                (("reports",), "reports: no result.json; expected the folder of a bundle"),
                (("nowhere",), "expected two logs"),
                ((C, b"TRACE_PY: steps 10"), "found bytes"),
                ((C, {"steps": 10}), "found dict"),
                ((C, ""), "missing in PY"),
                ((C, "\\n"), "missing in PY"),
            ],
        )
        def test_unmistakable(assert_parity, given, says):
            with pytest.raises(pytest.fail.Exception, match=says):
                assert_parity(*given)

        def test_empty(assert_parity):
            assert_parity("", "")

        def test_different(assert_parity):
            assert_parity(C, C.read_text().replace("F_cell 190.27", "F_cell 190.28"))

        def test_contract(assert_parity):
            assert_parity(C, C, case="supervisor")

        def test_unreadable(assert_parity):
            assert_parity(C, "TRACE_PY: steps ten\\n")
        """
    )
    result = pytester.runpytest_subprocess("-q")
    result.assert_outcomes(passed=15, failed=4)
    result.stdout.fnmatch_lines(["*first divergence: F_cell*"])
