"""Every exit code, those of `compare` through the installed command too. It runs no program, so 3 is that of `run`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.harness.conftest import as_py
from tests.in_process import call

SMALL = "-cell 100 100 100 90 90 90 -lambda 6.2 -N 5 -distance 100 -detpixels 16 -pixel 0.1 -default_F 100".split()
INSTALLED = Path(sys.executable).with_name("trace-diff")


def trace_diff(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return call(words, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.golden import COMMITTED

    path = tmp_path_factory.mktemp("exits")
    log = (COMMITTED / "supervisor_trace_685_1039.log").read_text()
    for name, text in {
        "c.log": log,
        "py.log": as_py(log),
        "other.log": as_py(log).replace("F_cell 190.27", "F_cell 191.27"),
        "short.log": as_py(log).replace("hkl_rounded -7 -1 -14", "hkl_rounded -7 -1"),
        "lacks.log": "".join(x for x in as_py(log).splitlines(keepends=True) if ": polar " not in x),
        "bad.log": as_py(log) + "TRACE_PY: steps ten\n",
        "empty.log": "",
        "sized.log": log + "detector (4x3 pixels)\n",
    }.items():
        (path / name).write_text(text)
    image = np.arange(12, dtype="<f4")
    image.tofile(path / "a.bin")
    (image * np.float32(1.5)).tofile(path / "b.bin")
    image[:6].tofile(path / "half.bin")
    return path


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        (0, "c.log py.log", "PARITY"),
        (0, "c.log py.log --c-image a.bin --py-image a.bin --shape 3,4", "images 3 x 4"),
        (0, "sized.log py.log --c-image a.bin --py-image a.bin", "images 3 x 4"),
        (1, "c.log other.log", "first at F_cell"),
        (1, "c.log py.log --c-image a.bin --py-image b.bin --shape 3,4", "pixels of the images differ"),
        (2, "c.log", "one log; expected C.log PY.log"),
        (2, "c.log py.log --rtol F_lat:1e-9", "did you mean F_latt?"),
        (2, "c.log py.log --rtol zzz*:1e-9", "'zzz*' matches no variable"),
        (2, "c.log py.log --waive carryover", "did you mean phi-carryover?"),
        (2, "c.log py.log --case supervisr", "no case 'supervisr'"),
        (2, "c.log py.log --c-image a.bin", "one image only"),
        (2, "c.log py.log --shape 3,4", "a shape without images"),
        (2, "c.log py.log --c-image a.bin --py-image a.bin --shape 3", "'3' is not a shape"),
        (2, "c.log py.log --c-image a.bin --py-image a.bin", "shape of the images is unknown"),
        (4, "c.log short.log", "hkl_rounded: 3 numbers in C, 2 in PY"),
        (4, "c.log py.log --c-image a.bin --py-image half.bin --shape 3,4", "half.bin: holds 6 float32 values"),
        (4, "c.log py.log --c-image a.bin --py-image a.bin --shape 3,5", "expected 3 x 5 (slow x fast) = 15"),
        (5, "c.log bad.log", "'ten' is not a number"),
        (5, "c.log none.log", "none.log: No such file"),
        (5, "c.log py.log --c-image a.bin --py-image none.bin --shape 3,4", "none.bin: No such file"),
        (6, "c.log lacks.log", "polar: missing in PY at 1 place"),
        (6, "empty.log empty.log", "nothing was compared"),
        (7, "c.log py.log --waive phi-carryover", "waiver phi-carryover: its divergence is gone"),
    ],
)
def test_compare(folder: Path, code: int, words: str, says: str) -> None:
    done = trace_diff(folder, "compare", *words.split())
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "py.log"),
        (1, "other.log"),
        (2, "py.log --rtol zzz*:1e-9"),
        (4, "short.log"),
        (5, "none.log"),
        (6, "lacks.log"),
        (7, "py.log --waive phi-carryover"),
    ],
)
def test_the_installed_command(folder: Path, code: int, words: str) -> None:
    command = [str(INSTALLED), "compare", "c.log", *words.split()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    within = trace_diff(folder, "compare", "c.log", *words.split())
    assert done.returncode == code
    assert (done.stdout, done.stderr) == (within.stdout, within.stderr)


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        (0, ["--pixel", "8", "8", "--no-images", "--", *SMALL], "PARITY"),
        (1, ["--pixel", "8", "8", "--no-images", "--rtol", "0", "--", *SMALL], "DIVERGENCE"),
        (2, ["--pixel", "8", "8", "--waive", "nothing", "--", *SMALL], "no quirk 'nothing'"),
        (2, ["--pixel", "8", "8", "--rtol", "F_lat:1e-9", "--", *SMALL], "did you mean F_latt?"),
        (3, ["--pixel", "8", "8", "--no-images", "--", *SMALL, "-nosuchflag"], "-nosuchflag"),
        (5, ["--pixel", "8", "8", "--no-images", "--", *SMALL, "-mat", "none.mat"], "none.mat"),
        (7, ["--pixel", "8", "8", "--no-images", "--waive", "phi-carryover", "--", *SMALL], "STALE WAIVER"),
    ],
)
def test_run(folder: Path, code: int, words: list[str], says: str) -> None:
    done = trace_diff(folder, "run", "--no-preflight", *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr


MATRIX = """
[[cases]]
id = "small"
argv = "{words}"
pixels = [[8, 8]]
"""


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        (0, "", "1 case: 1 in parity"),
        (1, "--rtol 0", "divergence"),
        (2, "--waive nothing", "no quirk 'nothing'"),
        (7, "--waive phi-carryover", "no case shows its divergence"),
    ],
)
def test_gate(folder: Path, code: int, words: str, says: str) -> None:
    (folder / "m.toml").write_text(MATRIX.replace("{words}", " ".join(SMALL)))
    done = trace_diff(folder, "gate", "--matrix", "m.toml", "--no-images", "--out", f"gate{code}", *words.split())
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    """A bundle in parity, whose PY log is then made to differ in three variables by known amounts."""
    words = ["run", "--no-images", "--no-preflight", "--pixel", "8", "8", "--out", "bundles", "--", *SMALL]
    made = trace_diff(folder, *words)
    assert made.returncode == 0, made.stderr
    path = folder / made.stderr.rpartition("bundle: ")[2].strip()
    log = path / "traces" / "py.log"
    lines = log.read_text().splitlines(keepends=True)
    for name in ("distance_meters", "F_latt", "rot_a_angstroms"):
        at = next(i for i, line in enumerate(lines) if f": {name} " in line)
        head, middle, numbers = lines[at].partition(f": {name} ")
        first, *rest = numbers.split()
        lines[at] = f"{head}{middle}{' '.join([f'{float(first) * (1 + 1e-4):.17g}', *rest])}\n"
    log.write_text("".join(lines))
    return path


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        (1, ""),
        (0, "1e-3"),  # for all
        (1, "1e-6"),
        (0, "F_latt:1e-3 rot_*:1e-3 distance_meters:1e-3"),  # by name, by pattern
        (1, "F_latt:1e-3 rot_*:1e-6 distance_meters:1e-3"),
        (0, "1e-3 F_latt:abs=1e-3"),  # a fraction of the scale
        (1, "1e-3 F_latt:abs=1e-12"),
        (0, "1e-3 distance_meters:1e-9 distance_meters:ulp=1e15"),  # neighbouring doubles
        (1, "1e-3 distance_meters:1e-9 distance_meters:ulp=4"),
        (2, "F_lat:1e-3"),
        (2, "1e-3 nothing_*:1e-3"),
    ],
)
def test_judging_again(bundle: Path, code: int, rules: str) -> None:
    words = ["--rtol", *rules.split()] if rules else []
    done = trace_diff(bundle, "judge", ".", *words)
    assert done.returncode == code, done.stdout + done.stderr
    if code < 2:
        held = trace_diff(bundle, "compare", "traces/c.log", "traces/py.log", *words)
        assert held.returncode == code
        same = "; rtol "
        assert [x for x in done.stdout.splitlines() if same in x] == [x for x in held.stdout.splitlines() if same in x]


@pytest.mark.parametrize("words", [["--waive", "nothing"], ["--rtol", "ten"], ["--format", "yaml"]])
def test_judging_again_with_what_is_no_such_thing(bundle: Path, words: list[str]) -> None:
    done = trace_diff(bundle, "judge", ".", *words)
    assert (done.returncode, done.stdout) == (2, "")
