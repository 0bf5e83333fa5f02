"""How far rounding moves a number: measured by `calibrate`, and used by `run` and `compare`."""

from __future__ import annotations

import fnmatch
import gzip
import json
import math
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.blame.single_precision import errors_in_float32
from trace_parity.compare.rounding import LIMITS, kept_in_float32
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.calibration import Calibration, Member, Origin, read_calibration, write_calibration
from trace_parity.pair.find import find_pair, shipped
from trace_parity.run.calibrate import _text_of
from trace_parity.run.launch import python, run_program
from trace_parity.run.perturb import has_reals, perturb_text, perturb_words
from trace_parity.trace import read_trace

from tests import in_process
from tests.golden import ROOT

MAKE_C = "make -s -C c && c/build/lj -n 10 -steps 4 -fix -trace c.log"
PY_WORDS = "-n 10 -steps 4 -trace py.log".split()
COMPARE = "trace-diff compare c.log py.log --case small"
LJ = ROOT / "examples" / "pairs" / "lennard_jones"


def shell(command: str, folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return in_process.shell(command, folder, XDG_CACHE_HOME=str(cache))


def make_py(folder: Path, pair: Path) -> None:
    """The log py.log of the pair's port in a folder; the program is forked: see tests/in_process.py."""
    run_program([python(), str(pair / "py" / "lj_torch.py"), *PY_WORDS], folder, folder / "port", "the port")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the Lennard-Jones pair that is calibrated, and the cache that was used."""
    top = tmp_path_factory.mktemp("rounding")
    shutil.copytree(LJ, top / "lj", ignore=shutil.ignore_patterns("build", "reports", "calibrations", "__pycache__"))
    done = shell("trace-diff calibrate small --samples 3", top / "lj", top / "cache")
    assert done.returncode == 0, done.stderr
    (top / "said").write_text(done.stdout)
    shutil.copytree(top / "lj" / "c", top / "c")  # a build here, not in the pair's folder
    made = shell(MAKE_C, top, top / "cache")
    assert made.returncode == 0, made.stderr
    make_py(top, top / "lj")
    shutil.copy(top / "c.log", top / "lj")
    shutil.copy(top / "py.log", top / "lj")
    return top


@pytest.fixture
def pair(measured: Path, tmp_path: Path) -> Path:
    """A copy of the calibrated pair, to plant faults in."""
    shutil.copytree(measured / "lj", tmp_path / "lj")
    return tmp_path / "lj"


def result_of(command: str, pair: Path, measured: Path) -> tuple[dict[str, Any], str]:
    done = shell(f"{command} --format json:result.json --format text", pair, measured / "cache")
    assert done.returncode in (0, 1), done.stderr
    result = json.loads((pair / "result.json").read_text())
    assert result["exit_code"] == done.returncode
    return result, done.stdout + done.stderr


def planted(pair: Path, old: str, new: str, where: str = "py/lj_torch.py") -> None:
    path = pair / where
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_builds_that_round_otherwise_move_numbers_and_leave_the_sources_alone(measured: Path) -> None:
    found = read_calibration(measured / "lj" / "calibrations" / "small.json")
    members = {member.name: member for member in found.members}
    assert members["O0"].moved == 0 or members["O0"].largest_rel < 1e-10
    assert members["inputs 3"].kind == "perturbed"
    moving = [m for m in found.members if m.kind != "float32" and m.moved]
    assert moving
    assert all(0 < m.largest_rel < 1e-10 for m in moving)
    assert found.moved > 100
    assert max(found.spreads.values()) < 1e-10
    assert members["float32"].largest_rel > 1e-8
    assert len(found.single) == len(found.spreads)
    assert not (measured / "lj" / "c" / "build").exists()
    assert "rounding moves" in (measured / "said").read_text()


def test_what_was_run_is_not_run_again(measured: Path) -> None:
    again = shell("trace-diff calibrate small --samples 4 --out again.json", measured / "lj", measured / "cache")
    assert [line for line in again.stderr.splitlines() if line.endswith("…")] == ["lj.c, inputs moved, sample 4 …"]
    fresh = shell(
        "trace-diff calibrate small --samples 0 --fresh --out again.json", measured / "lj", measured / "cache"
    )
    assert "lj.c, default …" in fresh.stderr
    (measured / "lj" / "again.json").unlink()


def test_a_port_without_a_fault_is_within_rounding(pair: Path, measured: Path) -> None:
    result, text = result_of(COMPARE, pair, measured)
    assert result["verdict"] == "parity"
    assert result["rounding"]["within"] == result["compared"]
    assert result["rounding"]["first"] is None
    assert "3744 within rounding, 0 beyond rounding but inside tolerance, 0 beyond tolerance" in text
    assert "tolerance blind" in text


def test_a_fault_far_inside_the_tolerance_is_seen(pair: Path, measured: Path) -> None:
    planted(
        pair, "force = (f_over_r[..., None] * dr).sum(1)", "force = (f_over_r[..., None] * dr).sum(1) * (1 + 1e-11)"
    )
    make_py(pair, pair)
    result, text = result_of(COMPARE, pair, measured)
    assert result["verdict"] == "parity"
    assert result["rounding"]["first"]["variable"] == "force"
    assert result["rounding"]["first"]["verdict"] == "beyond rounding but inside tolerance"
    assert result["rounding"]["first"]["times"] > 10
    assert result["rounding"]["beyond_tolerance"] == 0
    assert re.search(r"first beyond rounding force\[\d\] at step=0 i=\d+: \d+ times what rounding explains here", text)


def test_a_divergence_is_given_in_units_of_rounding_in_every_form(pair: Path, measured: Path) -> None:
    planted(pair, "u = torch.where(near, 4.0 *", "u = torch.where(near, 4.001 *")
    done = shell("trace-diff run small", pair, measured / "cache")
    assert done.returncode == 1
    (name,) = re.findall(r"^bundle: (.*)$", done.stderr, re.MULTILINE)
    bundle = pair / name
    said = re.compile(r"first divergence u at step=0 i=0 j=\d+: [\d.e+]+ times what rounding explains here")
    assert said.search(done.stdout)
    assert said.search((bundle / "report.html").read_text())
    assert said.search((bundle / "summary.md").read_text().replace("\\", ""))
    stored = json.loads((bundle / "result.json").read_text())["rounding"]
    assert stored["divergence"]["verdict"] == "beyond tolerance"
    shown = shell(f"trace-diff report render {bundle} --format text", pair, measured / "cache")
    assert shown.returncode != 0 or said.search(shown.stdout)


def test_logs_are_judged_by_a_calibration_that_is_given(pair: Path, measured: Path) -> None:
    planted(pair, "inv_r2 = 1.0 /", "inv_r2 = (1 + 1e-12) /")
    make_py(pair, pair)
    plain, _ = result_of("trace-diff compare c.log py.log", pair, measured)
    assert "rounding" not in plain
    given, _ = result_of("trace-diff compare c.log py.log --calibration calibrations/small.json", pair, measured)
    assert given["rounding"]["first"]["variable"] in ("inv_r6", "f_over_r")
    of_case, _ = result_of(COMPARE, pair, measured)
    assert of_case["rounding"] == given["rounding"]


def test_a_tolerance_below_the_spread_is_unreachable(pair: Path, measured: Path) -> None:
    result, text = result_of(f"{COMPARE} --rtol force:1e-17 force:abs=1e-20", pair, measured)
    unreachable = [v["name"] for v in result["rounding"]["variables"] if v["tolerance"] == "unreachable"]
    assert "force" in unreachable
    assert "tolerance unreachable, tighter than the spread" in text


@pytest.mark.parametrize(
    ("where", "old", "new", "reason"),
    [
        (
            "c/lj.c",
            "0.0;\n    for (int i = 0; i < n; i++) sum",
            "0;\n    for (int i = 0; i < n; i++) sum",
            "the sources of the program have changed",
        ),
        ("cases/small.toml", "-dt 0.005", "-dt 0.006", "the command line of the case has changed"),
        ("pair.toml", "-O3 -march=native", "-O2 -march=native", "the variants in pair.toml have changed"),
    ],
)
def test_a_stale_calibration_is_left_out_with_the_reason(
    pair: Path, measured: Path, where: str, old: str, new: str, reason: str
) -> None:
    planted(pair, old, new, where)
    result, text = result_of(COMPARE, pair, measured)
    assert result["exit_code"] == 0
    assert "rounding" not in result
    assert f"the calibration of small is out of date and not used: {reason}; `trace-diff calibrate small`" in text


def test_a_port_in_float32_is_held_against_c_in_float32(pair: Path, measured: Path) -> None:
    port = pair / "py" / "lj_torch.py"
    assert port.read_text().count(".double()") == 4
    port.write_text(port.read_text().replace(".double()", ".float()"))
    make_py(pair, pair)
    result, text = result_of(COMPARE, pair, measured)
    assert result["rounding"]["float32_of"] == "C in float32"
    assert 0.2 < result["rounding"]["float32_ratio"] < 5
    assert "float32 port: its error is" in text


def test_equations_in_float32_miss_by_what_float32_misses(measured: Path) -> None:
    pair = find_pair(str(measured / "lj"))
    domain = domain_of_pair(pair)
    assert domain is not None
    log = next((measured / "cache" / "trace-diff" / "calibration-runs").rglob("default-*.log"))
    errors = errors_in_float32(read_trace(log, "C", pair.vocabulary), pair.vocabulary, domain)
    table = read_trace(log, "C", pair.vocabulary)
    relative = [
        errors[(row.variable, row.key, row.component)] / abs(number.value)
        for row, number in table.rows.items()
        if row.variable == "pair.inv_r6"
    ]
    assert len(relative) == 450
    assert 1e-8 < float(np.sqrt(np.mean(np.square(relative)))) < 1e-5


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{ build = 'make' }", "programs.C.variants[0].name: missing"),
        ("{ name = 'a b', build = 'make -C {source}' }", "variants[0].name: found 'a b'"),
        ("{ name = 'default', build = 'make -C {source}' }", "not 'default'"),
        ("{ name = 'x' }", "build, trace or env"),
        ("{ name = 'x', build = 'make' }", "{source} or {build} in the command"),
        ("{ name = 'x', build = 'make -C {soure}' }", "did you mean 'source'"),
        ("{ name = 'x', build = 'make -C {source}', precision = 'float16' }", "one of float64, float32"),
        ("{ name = 'x', build = 'make -C {source}', need = 'clang' }", "unknown key"),
        ("{ name = 'x', env = { A = '1' } }, { name = 'x', env = { A = '2' } }", "a name that no other variant has"),
    ],
)
def test_a_mistake_in_a_variant_is_one_line(pair: Path, measured: Path, entry: str, says: str) -> None:
    path = pair / "pair.toml"
    path.write_text(re.sub(r"^variants = \[.*?^\]$", f"variants = [{entry}]", path.read_text(), flags=re.S | re.M))
    done = shell("trace-diff calibrate small", pair, measured / "cache")
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_variant_that_does_not_build_is_reported(pair: Path, measured: Path) -> None:
    planted(pair, "CFLAGS=-O0", "CFLAGS=-no-such-flag", "pair.toml")
    done = shell("trace-diff calibrate small", pair, measured / "cache")
    assert done.returncode == 3
    assert "building the lj.c, variant O0: make failed" in done.stderr
    assert not list((measured / "cache" / "trace-diff").glob("*.partial-*"))


def test_a_tool_that_is_missing_leaves_its_variant_out(pair: Path, measured: Path) -> None:
    planted(pair, 'needs = "clang"', 'needs = "no-such-compiler"', "pair.toml")
    done = shell("trace-diff calibrate small --samples 0", pair, measured / "cache")
    assert done.returncode == 0
    assert "left out: no-such-compiler is not installed" in done.stdout


def test_real_numbers_move_by_one_unit_and_others_not_at_all() -> None:
    argv = ("-n", "10", "-x", "1.5", "-v", "100", "-2", "0", "-name", "a1.5b", "-e", "1e10", "0.0")
    assert has_reals(argv, ("-v",))
    assert not has_reals(("-n", "10", "-v", "0"), ("-v",))
    seen = [perturb_words(argv, ("-v",), random.Random(n)) for n in range(40)]
    for words in seen:
        for old, new in zip(argv, words, strict=True):
            if old != new:
                assert old in ("1.5", "100", "-2", "1e10")
                assert abs(float(new) - float(old)) == math.ulp(float(old)) or float(old) in (1.0, 2.0, -2.0)
    assert {words[3] for words in seen} == {"1.5", repr(math.nextafter(1.5, 2)), repr(math.nextafter(1.5, 1))}
    assert perturb_text("h 1 2 190.27 a.5\n", random.Random(2)).startswith("h 1 2 190.2")
    assert {perturb_text("1 2 190.27\n", random.Random(n)) for n in range(20)} > {"1 2 190.27\n"}


def test_a_calibration_is_kept_whole_and_never_rounded_down(tmp_path: Path) -> None:
    spreads: dict[tuple[str, tuple[int, ...], int], float] = {
        ("s.a", (0, -1), 0): 1.23456e-17,
        ("s.a", (0, -1), 1): 0.0,
        ("s.b", (-1, -1), 0): math.inf,
    }
    origin = Origin("pair", "case", "", "2026-01-01", "s", "c", "v", 3)
    made = Calibration(
        origin, ("step", "i"), (Member("default", "build"), Member("x", "build", largest_rel=math.inf)), spreads
    )
    write_calibration(made, tmp_path / "c.json")
    found = read_calibration(tmp_path / "c.json")
    assert found.origin == origin
    assert found.members == made.members
    assert all(spreads[n] <= found.spreads[n] <= 1.01 * spreads[n] for n in spreads)
    moved = found.with_loops(("step", "k", "i"))
    assert ("s.a", (0, -1, -1), 1) in moved.spreads
    with pytest.raises(HarnessError) as caught:
        found.with_loops(("step",))
    assert caught.value.code == Exit.USAGE


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "trace-diff calibration 1"}', "nan"])
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(HarnessError) as caught:
        read_calibration(tmp_path / "c.json")
    assert caught.value.code == Exit.UNREADABLE


def test_a_calibration_with_a_value_of_another_type_is_refused(tmp_path: Path) -> None:
    origin = Origin("pair", "case", "", "2026-01-01", "s", "c", "v", 3)
    write_calibration(
        Calibration(origin, ("step",), (Member("x", "build", moved=1),), {("s.a", (0,), 0): 1e-17}), tmp_path / "c.json"
    )
    whole = json.loads((tmp_path / "c.json").read_text())
    entry, member = whole["variables"]["s.a"], whole["members"][0]
    for table in (whole, member, entry):
        for key, value in list(table.items()):
            for other in (None, 7, "x", ["x"], {"x": 1}, True, [["x", 0]]):
                good = (key, other) in (("loops", ["x"]), ("largest_rel", 7))
                if good or (type(value) is type(other) and isinstance(value, (str, int)) and key != "format"):
                    continue
                table[key] = other
                (tmp_path / "c.json").write_text(json.dumps(whole))
                with pytest.raises(HarnessError, match="not a calibration: ") as caught:
                    read_calibration(tmp_path / "c.json")
                assert (caught.value.code, "\n" in str(caught.value)) == (Exit.UNREADABLE, False)
            table[key] = value


def test_a_variable_that_c_keeps_in_float32_is_known() -> None:
    assert kept_in_float32([float(np.float32(0.1)), 0.5])
    assert not kept_in_float32([0.1])
    assert not kept_in_float32([0.5, 100.0])


def test_the_docs_have_the_limits_of_the_table() -> None:
    text = (ROOT / "docs" / "how-to" / "rounding.md").read_text()
    for name, limit in LIMITS.items():
        assert f"| `{name}` | {limit.value:g} |" in text


def test_files_that_are_no_text_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "packed.gz").write_bytes(gzip.compress(b"1 2 3 190.27\n"))
    (tmp_path / "list.txt").write_text("1 2 3 190.27\n")
    assert _text_of(tmp_path / "packed.gz") is None
    assert _text_of(tmp_path / "list.txt") == "1 2 3 190.27\n"


def test_the_shipped_pair_perturbs_flags_that_take_numbers() -> None:
    programs = shipped().programs
    text = (ROOT / "reference_c" / "src" / "flags.def").read_text()
    takes: dict[str, str] = {}
    for names, kind in re.findall(r'^FLAG\(\w+, "([^"]*)", "([^"]*)"', text, re.M):
        takes |= dict.fromkeys(names.split(), kind)

    def kind_of(flag: str) -> str:
        fits = [kind for name, kind in takes.items() if fnmatch.fnmatchcase(flag, name)]
        return fits[0] if fits else ""

    assert all(kind_of(flag).startswith(("number", "limit")) for flag in programs.perturb), programs.perturb
    assert all(kind_of(flag) == "file" for flag in programs.perturb_files)
    assert {v.name for v in programs.sides["C"].variants} >= {"O0", "fma", "clang"}
