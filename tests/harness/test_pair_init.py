"""`trace-diff pair init` and `check`, and the public Python API, on logs that no pair describes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import trace_parity as tp
from trace_parity.pair.vocabulary_file import load_vocabulary

from tests.golden import SHARED
from tests.harness.test_order import EVALUATED, md_log

LEGACY = SHARED / "legacy_logs"
Cli = Callable[..., CompletedProcess[str]]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "c.log").write_text(md_log("C"))
    (tmp_path / "py.log").write_text(md_log("PY", EVALUATED).replace(": force ", ": net_force "))
    return tmp_path


def test_init_writes_what_the_logs_tell(trace_diff: Cli, logs: Path) -> None:
    (logs / "py.log").write_text(md_log("PY").replace(": vel ", ": velocity "))
    done = trace_diff("pair", "init", "c.log", "py.log", "--out", "mine")
    assert done.returncode == 0, done.stderr
    made = load_vocabulary(logs / "mine" / "vocabulary.toml")
    assert made.loops == ("step", "i", "j")
    assert (made.nests, made.nests_inside) == (("nest1", "nest2", "nest3"), 1)
    found = {v.name: (v.scope.loops, v.scope.nest, v.scope.closing, v.size) for v in made.variables}
    assert found == {
        "dt": ((), "", False, 1),
        "pos": (("step", "i"), "nest1", False, 3),
        "dr": (("step", "i", "j"), "nest2", False, 3),
        "force": (("step", "i"), "nest2", True, 3),
        "vel": (("step", "i"), "nest3", False, 3),
        "energy": (("step",), "", True, 1),
        "mean": ((), "", True, 1),
    }
    assert made.aliases["velocity"].of == "vel"
    checked = trace_diff("pair", "check", "mine")
    assert checked.returncode == 0, checked.stderr
    assert "7 variables in 7 scopes, loops step i j; nests nest1, nest2, nest3 inside step" in checked.stdout
    assert "programs    none: `compare` and `blame` work on logs" in checked.stdout
    assert trace_diff("compare", "c.log", "py.log", "--pair", "mine").returncode == 0


BLOCKS = """TRACE_{s}: mass 2.5
TRACE_{s}_TICK tick=0 angle=0.5 length=1.25
TRACE_{s}_TICK tick=1 angle=0.75 length={l}
TRACE_{s}_TICK tick=2 angle=1.0 length=3.25
TRACE_{s}_LIMITS lowest=3 highest=4.5
TRACE_{s}_TICK tick=one angle=1.0
"""


def test_init_of_blocks_whose_lines_begin_with_an_index(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text(BLOCKS.format(s="C", l=2.25).replace("tick=one", "tick=3"))
    (tmp_path / "py.log").write_text(BLOCKS.format(s="PY", l=2.5))
    done = trace_diff("pair", "init", "c.log", "py.log", "--out", "mine")
    assert done.returncode == 0, done.stderr
    assert (
        "py.log: 1 unreadable line left out, first line 6: no form of a trace line fits: TRACE_PY_TICK tick=one"
        in done.stderr
    )
    made = load_vocabulary(tmp_path / "mine" / "vocabulary.toml")
    assert {v.name: v.scope.loops for v in made.variables} == {"mass": (), "angle": ("tick",), "length": ("tick",)}
    (tmp_path / "py.log").write_text(BLOCKS.format(s="PY", l=2.5).replace("tick=one", "tick=3"))
    done = trace_diff("compare", "c.log", "py.log", "--pair", "mine")
    assert done.returncode == 1, done.stderr
    assert "first at length" in done.stdout
    assert "tick=1" in done.stdout


@pytest.mark.skipif(not LEGACY.is_dir(), reason="the older logs ../shared/legacy_logs are not here")
@pytest.mark.parametrize(
    "other", ["fix_20251008T231211Z_trace_py_scaling", "fix_20251008T231211Z_trace_py_scaling_per_phi"]
)
def test_init_of_the_older_logs(other: str, trace_diff: Cli) -> None:
    c, py = LEGACY / "20251008T212459Z_spec_baseline_c_trace_scaling.log", LEGACY / f"{other}.log"
    assert trace_diff("pair", "init", c, py, "--out", "mine").returncode == 0
    assert trace_diff("pair", "check", "mine").returncode == 0
    assert trace_diff("compare", c, py, "--pair", "mine").returncode == 1
    assert trace_diff("compare", c, py).returncode == 1  # by the installed pair's vocabulary


def test_init_replaces_nothing_unasked(trace_diff: Cli, logs: Path) -> None:
    assert trace_diff("pair", "init", "c.log", "py.log").returncode == 0
    again = trace_diff("pair", "init", "c.log", "py.log")
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert trace_diff("pair", "init", "c.log", "py.log", "--force").returncode == 0


def test_init_of_no_trace_is_said(trace_diff: Cli, tmp_path: Path) -> None:
    for name in ("empty.log", "other.log"):
        (tmp_path / name).write_text("nothing here\n")
    assert trace_diff("pair", "init", "empty.log", "other.log").returncode == 6
    assert trace_diff("pair", "init", "empty.log", "empty.log").returncode == 2  # one log, twice
    assert trace_diff("pair", "init", "none.log", "empty.log").returncode == 5


def test_check_names_the_first_mistake(trace_diff: Cli, logs: Path) -> None:
    assert trace_diff("pair", "init", "c.log", "py.log").returncode == 0
    path = logs / "vocabulary.toml"
    path.write_text(path.read_text().replace("closing = true", "closinng = true"))
    done = trace_diff("pair", "check")
    assert done.returncode == 2
    assert ".closinng: unknown key" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_two_scripts_are_a_pair(trace_diff: Cli, tmp_path: Path) -> None:
    """Five lines of pair.toml; traces on standard output, no vocabulary, cases, equations or images."""
    for side, second in (("C", 2.5), ("PY", 2.75)):
        line = f'echo "TRACE_{side}[k=$k]: zeta $k.5"; echo "TRACE_{side}[k=$k]: alpha {second}"'
        (tmp_path / f"{side.lower()}.sh").write_text(f"for k in 0 1 2; do {line}; done\n")
    text = 'title = "two scripts"\n[programs.C]\ntrace = "sh {pair}/c.sh"\n[programs.PY]\ntrace = "sh {pair}/py.sh"\n'
    assert len(text.splitlines()) == 5
    (tmp_path / "pair.toml").write_text(text)
    done = trace_diff("run", "--", "-any", "1")
    assert "neither program gets the command line" in done.stderr
    assert done.returncode == 1, done.stderr
    assert "place: k=0\n" in done.stdout
    assert "first at alpha; 3 of 6 numbers differ" in done.stdout
    bundle = done.stderr.strip().splitlines()[-1].removeprefix("bundle: ")
    assert trace_diff("judge", bundle, "--rtol", "alpha:0.5").returncode == 0


def test_the_api_compares_two_logs(logs: Path) -> None:
    result = tp.compare(logs / "c.log", logs / "py.log")
    assert isinstance(result, tp.Result)
    assert result.first_divergence is not None
    assert (result.first_divergence.variable, result.first_divergence.loops) == ("vel", {"step": 2, "i": 5})
    table = result.to_pandas()
    assert list(table["variable"][:2]) == ["vel", "vel"]
    assert set(table.columns) >= {"step", "i", "j", "variable", "component", "c_value", "py_value", "rel_diff", "quirk"}
    assert len(table) == result.num_divergent
    assert set(result.variables_to_pandas()["status"]) == {"match", "divergent", "missing"}
    result.write_html(logs / "report.html")
    assert "<html" in (logs / "report.html").read_text()
    same = tp.compare(logs / "c.log", logs / "c.log", rtol="1e-9 dr:1e-12")
    assert len(same.to_pandas()) == 0


def test_the_api_raises_with_the_exit_code(tmp_path: Path) -> None:
    with pytest.raises(tp.HarnessError) as caught:
        tp.compare(tmp_path / "none.log", tmp_path / "none.log")
    assert int(caught.value.code) == 5
    with pytest.raises(tp.HarnessError) as caught:
        tp.load_bundle(tmp_path)
    assert int(caught.value.code) == 5
    with pytest.raises(tp.HarnessError) as caught:
        tp.run("small", pair=tmp_path)
    assert int(caught.value.code) == 2


def test_packages_and_functions_of_one_name_go_together() -> None:
    for name in ("compare.align", "run.launch"):
        importlib.import_module(f"trace_parity.{name}")
    assert callable(tp.compare)
    assert callable(tp.run)
    assert tp.compare.align.align is importlib.import_module("trace_parity.compare.align").align
