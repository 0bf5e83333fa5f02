"""`trace-diff probe c|py`: the command and its file."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from trace_parity.cli.main import trace_diff
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import shipped
from trace_parity.probe.probes_file import find_probes

from tests.golden import ROOT
from tests.harness.probe_case import PROGRAMS

ORIGINAL = ROOT / "traces" / "nanobragg" / "original_probes.toml"


def call(*words: str) -> Result:
    return CliRunner().invoke(trace_diff, ["probe", *words])


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(PROGRAMS, tmp_path / "pair", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path / "pair")
    return tmp_path / "pair"


def test_c_and_port_from_one_file(pair: Path) -> None:
    before = {p: p.read_bytes() for p in pair.rglob("*") if p.is_file()}
    c = call("c", "-o", "C.log", "--record", "record.json", "--", "2")
    assert c.exit_code == 0, c.output
    assert "output with probes off is unchanged: lj.xyz, standard output" in c.stderr
    py = call("py", "-o", "PY.log", "--no-check", "--", "2")
    assert py.exit_code == 0, py.output
    logs = [Path(name).read_text().splitlines() for name in ("C.log", "PY.log")]
    keys = [
        {line.split("_", 1)[1].removeprefix(side).split(": ")[0] for line in log}
        for side, log in zip(("C", "PY"), logs, strict=True)
    ]
    replayed = CliRunner().invoke(trace_diff, ["replay", "pair_force", "C.log"])
    assert "90 places, 90 numbers, 0 differ" in replayed.output
    assert keys[0] - keys[1] == {""}  # the whole run: r_cut, in C alone
    record = json.loads(Path("record.json").read_text())
    assert record["identical_with_probes_off"] is True
    assert record["outputs_compared"] == ["lj.xyz", "standard output"]
    after = {p: p.read_bytes() for p in pair.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert {p: b for p, b in after.items() if p.suffix != ".log" and p.name != "record.json"} == before


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("-o /dev/full", "/dev/full: cannot be written: No space left on device"),
        ("-o nosuch/c.log", "nosuch/c.log: cannot be written: No such file or directory"),
        ("-o c.log --record lj.c/r", "lj.c/r: cannot be written: Not a directory"),
    ],
)
def test_a_log_that_cannot_be_written(option: str, says: str, pair: Path) -> None:
    error = call("c", "--no-check", *option.split(), "--", "2").exception
    assert isinstance(error, HarnessError)
    assert error.code == (Exit.FILE_SYSTEM if "full" in option else Exit.USAGE)
    assert str(error) == says
    assert not list(pair.glob("c.log"))


def test_only_and_standard_output(pair: Path) -> None:
    done = call("c", "--no-check", "--only", "step=1,i=2,j=3", "--only", "step=1,i=0,j=1", "--", "1")
    assert done.exit_code == 0
    assert sorted(line.split("]")[0] for line in done.stdout.splitlines() if " j=" in line) == [
        "TRACE_C[step=1 i=0 j=1",
        "TRACE_C[step=1 i=0 j=1",
        "TRACE_C[step=1 i=0 j=1",
        "TRACE_C[step=1 i=2 j=3",
        "TRACE_C[step=1 i=2 j=3",
        "TRACE_C[step=1 i=2 j=3",
    ]


def test_list_shows_what_is_missing(pair: Path) -> None:
    text = Path("probes.toml").read_text()
    more = '\n[variables.{0}]\nscope = "{1}"\nc = {{ in = "forces", expr = "{2}" }}\n'
    Path("probes.toml").write_text(
        text + more.format("typo", "pair", "f_ovr_r") + more.format("outside", "pair", "energy")
    )
    done = call("c", "--no-check", "--list", "--", "1")
    assert done.exit_code == 0
    assert re.search(r"^lj.c:\d+: f_over_r: write$", done.stdout, re.MULTILINE)
    assert "never printed: typo: no probe was placed" in done.stdout
    assert "never printed: outside: in no place where all loops of its scope are known" in done.stdout
    assert "TRACE_C" not in done.stdout


def test_output_that_changes_is_a_divergence(pair: Path) -> None:
    """A port that looks at its own source computes otherwise when that is rewritten."""
    model = Path("lj_port/model.py")
    text = model.read_text().replace(
        "    dt = 0.002\n", "    dt = 0.002 if '__trace_probe__' not in globals() else 0.003\n"
    )
    model.write_text(text)
    done = call("py", "-o", "PY.log", "--", "2")
    assert isinstance(done.exception, HarnessError)
    assert done.exception.code is Exit.DIVERGENCE
    assert "writes different output: standard output" in str(done.exception)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('loops = ["step", "i", "j"]\n\n', 'loops = ["step", "i"]\n\n', "scopes.pair: 'j' is not a loop"),
        ('scope = "run"', 'scope = "rum"', "r_cut: scope = 'rum'; expected one of run, step"),
        ('scope = "run"', "", "r_cut: no scope"),
        ("[c]\n", "[cc]\n", "unknown key 'cc'"),
        ('at = "enter main"', 'at = "on main"', "at = 'on main'; expected write, enter"),
        ('expr = "r_cut"', 'exp = "r_cut"', "unknown key 'exp'"),
        ("{in}", "{inn}", "a command with {in} and {out}"),
        ('"lj.c"', '"lj2.c"', "lj2.c: No such file"),
        ("loops =", "loops", "not TOML"),
    ],
)
def test_mistakes_are_one_line(pair: Path, old: str, new: str, message: str) -> None:
    text = Path("probes.toml").read_text()
    assert old in text
    Path("probes.toml").write_text(text.replace(old, new, 1))
    done = call("c", "--", "1")
    assert isinstance(done.exception, HarnessError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_focus_on_an_unknown_loop(pair: Path) -> None:
    done = call("c", "--only", "k=1", "--", "1")
    assert "expected LOOP=INDEX with LOOP one of step, i, j" in str(done.exception)


def test_no_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no probes.toml" in str(call("c").exception)


def test_the_original_s_probes_cover_the_vocabulary() -> None:
    spec = find_probes(None, ORIGINAL).spec("c")
    wanted = [(v.name, v.scope.loops) for v in shipped().vocabulary.variables]
    assert sorted((v.name, v.loops) for v in spec.variables) == sorted(wanted)


def test_the_original_gives_the_golden_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs the original's source, which is not part of this project: NANOBRAGG_C names it."""
    source, golden = os.environ.get("NANOBRAGG_C"), ROOT.parent / "shared" / "golden"
    if not source:
        pytest.skip("NANOBRAGG_C does not name the original nanoBragg.c")
    if not golden.is_dir():
        pytest.skip("no golden figures of the original here")
    cases = {case["id"]: case for case in json.loads((golden / "cases.json").read_text())}
    chosen = cases["phi_mosaic"]
    args = [str(golden / "inputs" / w) if (golden / "inputs" / w).is_file() else w for w in chosen["args"]]
    only = [f"--only=spixel={slow},fpixel={fast}" for slow, fast in chosen["trace_pixels"]]
    monkeypatch.chdir(tmp_path)
    done = call(
        "c", "--probes", str(ORIGINAL), "--file", source, *only, "-o", "C.log", "--", *args, "-nonoise", "-nopgm"
    )
    assert done.exit_code == 0, done.output
    lines = Path("C.log").read_text().splitlines()
    traced = {(line.split(": ")[0], line.split(": ")[1].split()[0]): line.split(": ")[1].split()[1:] for line in lines}
    expected = (golden / "traces" / "phi_mosaic.log").read_text().splitlines()
    assert len(expected) > 100
    for line in expected:
        key, rest = line.split(": ")
        name, *numbers = rest.split()
        assert [float(n) for n in traced[key, name]] == pytest.approx(
            [float(n) for n in numbers], rel=1e-12, abs=1e-300
        ), line


def test_a_seed_made_of_the_time_is_no_difference(tmp_path: Path) -> None:
    """Two runs without probes in the same second would agree by chance."""
    import time

    from trace_parity.probe.identity import compare_runs, run

    command = [sys.executable, "-c", "import time; print(int(time.time()))"]
    off = run(command, tmp_path / "off", os.environ, 60)
    time.sleep(1.1 - time.time() % 1.0)  # another second, which leaves time for both runs without probes
    bare = run(command, tmp_path / "bare", os.environ, 60)
    found = compare_runs(off, bare, lambda: run(command, tmp_path / "again", os.environ, 60))
    assert found.holds
    assert found.varying == ("standard output",)
