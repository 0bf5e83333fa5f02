"""The example pairs and the reference without their trace lines, probed, give the logs that they print with them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trace_parity.probe.c_program import CProgram, build
from trace_parity.probe.identity import drop_superseded
from trace_parity.probe.probes_file import ProbesFile, find_probes, read_probes
from trace_parity.probe.py_program import PyProgram, PyRun, run_probed

from tests.golden import ROOT
from tests.harness.probe_case import trace_c

PAIRS = ROOT / "examples" / "pairs"
PROBES = ROOT / "examples" / "probes"
TRACE_LINES = {
    "lj.c": (r"^\s*(?:if \(step\) )?(?:scalar|whole|vector)\(.*\);\n|^\s*const char \*place = .*\n", 18),
    "lj_torch.py": (r"^ *(?:for name.*:\n(?: +value = .*\n)? +)?trace\.put\(.*\n", 8),
    "water.c": (r"^ *(?:if \(trace\) fprintf\(trace, .*|of_cell\(.*|of_run\(.*)\n", 17),
    "water_torch.py": (r"^ {4,8}(?:lines \+?= .*|lines\.append\(.*|put\(lines.*)\n", 5),
}
"""What prints a trace in each program of the pairs, and in how many places."""


@pytest.fixture
def silent(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with pairs/NAME and probes/NAME.toml, the trace lines taken out of both programs."""
    name = request.param
    shutil.copytree(PAIRS / name, tmp_path / "pairs" / name, ignore=shutil.ignore_patterns("build", "reports"))
    shutil.copytree(PROBES, tmp_path / "probes")
    for source in [*(tmp_path / "pairs" / name).glob("c/*.c"), *(tmp_path / "pairs" / name).glob("py/*.py")]:
        pattern, count = TRACE_LINES[source.name]
        text, removed = re.subn(pattern, "", source.read_text(), flags=re.MULTILINE)
        assert removed == count, f"{source.name}: {removed}"
        source.write_text(text.replace("        with open(o.trace", "        with open(os.devnull"))
    return tmp_path


def probes(folder: Path, name: str) -> ProbesFile:
    return read_probes(folder / "probes" / f"{name}.toml", folder / "pairs" / name)


def printed(command: list[str], folder: Path) -> list[str]:
    """The log that a program with its trace lines writes."""
    done = subprocess.run([*command, "-trace", "printed.log"], cwd=folder, capture_output=True, check=True)
    assert done.returncode == 0
    return sorted((folder / "printed.log").read_text().splitlines())


CASES = [
    ("lennard_jones", [], 500),
    ("lennard_jones", ["-fix"], 500),
    ("lennard_jones", ["-n", "5", "-steps", "7", "-rebuild", "2"], 500),
    ("shallow_water", [], 1000),
    ("shallow_water", ["-n", "5", "-steps", "4", "-coriolis", "0"], 500),
]


@pytest.mark.parametrize(("silent", "args", "least"), CASES, indirect=["silent"])
def test_c_without_its_trace_lines(silent: Path, args: list[str], least: int) -> None:
    name = next((silent / "pairs").iterdir()).name
    source = next((PAIRS / name / "c").glob("*.c"))
    subprocess.run(["cc", "-O2", "-ffp-contract=off", source, "-o", silent / "program", "-lm"], check=True)
    expected = printed([str(silent / "program"), *args], silent)
    file = probes(silent, name)
    built = build(CProgram(file.c_files(), " ".join(file.words("c", "compile")), silent), file.spec("c"), silent / "b")
    assert sorted(trace_c(built, args, silent)) == expected
    assert len(expected) > least


@pytest.mark.parametrize(("silent", "args", "least"), [CASES[2], CASES[4]], indirect=["silent"])
def test_the_port_without_its_trace_lines(silent: Path, args: list[str], least: int) -> None:
    name = next((silent / "pairs").iterdir()).name
    script = next((PAIRS / name / "py").glob("*.py"))
    expected = printed([sys.executable, str(script), *args], silent)
    file = probes(silent, name)
    command = (sys.executable, "-m", file.words("py", "modules")[0], *args)
    program = PyProgram(command, file.words("py", "modules"), silent / "probes" / file.side("py")["folder"])
    log = silent / "PY.log"
    _, report = run_probed(program, file.spec("py"), PyRun(log), silent / "run")
    drop_superseded(log)
    assert sorted(log.read_text().splitlines()) == expected
    assert len(expected) > least
    assert all("comprehension" in u.reason for u in report.unplaced)  # in what prints, and left in place


@pytest.mark.parametrize(
    "args",
    [
        ["-fix", "none", "-phi", "0", "-osc", "2", "-phisteps", "3", "-mosaic", "1", "-mosaic_domains", "2"],
        ["-fix", "all", "-oversample", "2", "-dispersion", "2", "-dispsteps", "2", "-default_F", "10", "-interpolate"],
    ],
)
def test_the_reference_compiled_without_probes(tmp_path: Path, args: list[str]) -> None:
    """reference_c has its probes in macros: its build without -DTRACE has no trace line, and gets the same log."""
    traced = ROOT / "reference_c" / "build" / "nanoBragg-trace"
    subprocess.run(["make", "-s", "-C", ROOT / "reference_c"], check=True, env={**os.environ, "V": ""})
    cell = ["-cell", "70", "80", "90", "85", "95", "105", "-N", "5", "-lambda", "1", "-distance", "100"]
    words = [*cell, "-detpixels", "12", "-pixel", "0.4", "-default_F", "100", *args]
    place = ["-trace_pixel", "7", "5", "-trace_file", str(tmp_path / "printed.log")]
    subprocess.run([traced, *words, *place], cwd=tmp_path, capture_output=True, check=True)
    file = find_probes(ROOT / "traces" / "nanobragg", PROBES / "reference_c.toml")
    program = CProgram(file.c_files(), " ".join(file.words("c", "compile")), tmp_path)
    built = build(program, file.spec("c"), tmp_path / "build")
    image = [*words, "-floatfile", "image.bin", "-nopgm", "-nonoise", "-threads", "1"]
    lines = trace_c(built, image, tmp_path, "spixel=7,fpixel=5")
    assert sorted(lines) == sorted((tmp_path / "printed.log").read_text().splitlines())
    assert len(lines) > 100


def test_the_simulator_read_by_probes(tmp_path: Path) -> None:
    """All 62 variables, read in the function that evaluates pixels, give the lines of the simulator's own trace."""
    file = find_probes(ROOT / "traces" / "nanobragg", PROBES / "simulator.toml")
    words = (
        "-cell 70 80 90 85 95 105 -N 5 -lambda 1 -distance 100 -detpixels 12 -pixel 0.4 -default_F 100 -phi 0 -osc 2"
    )
    more = f"-phisteps 3 -mosaic 1 -mosaic_domains 2 -oversample 2 -trace_pixel 7 5 -trace_file {tmp_path / 'own.log'}"
    command = (sys.executable, "-m", "nanobragg_torch", *words.split(), *more.split())
    program = PyProgram(command, file.words("py", "modules"), ROOT / "simulator")
    _, report = run_probed(program, file.spec("py"), PyRun(tmp_path / "PY.log"), tmp_path / "run")
    drop_superseded(tmp_path / "PY.log")
    own = sorted((tmp_path / "own.log").read_text().splitlines())
    assert sorted((tmp_path / "PY.log").read_text().splitlines()) == own
    assert len(own) > 400
    assert all("comprehension" in u.reason for u in report.unplaced)  # in what prints, and left in place
