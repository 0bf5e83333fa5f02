"""Both programs on command lines drawn over all flags at once: images, SMV files and logs of the original."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from nanobragg_torch.cli import main

from tests.golden import image_faults
from tests.golden_inputs import write_inputs
from tests.pairs import (
    COMMITTED_PAIRS,
    NOT_PRINTED_BY_SIMULATOR,
    PAIRS,
    PairCase,
    log_faults,
    pair_cases,
    smv_faults,
)

FULL, SAMPLE = pair_cases(PAIRS), pair_cases(COMMITTED_PAIRS)
CASES = list((FULL or SAMPLE).values())  # all of them where they are, else the committed few
QUIET = ("-nonoise", "-nopgm", "-noprogress", "-floatfile", "f.bin", "-intfile", "i.img", "-dump", "d.bin")
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
without_leak = pytest.mark.parametrize("case", [c for c in CASES if not c.has_state_leak], ids=lambda case: case.id)


@pytest.fixture(scope="module")
def pair_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every input file that the command lines name."""
    folder = tmp_path_factory.mktemp("pairs")
    write_inputs(folder)
    for path in sorted(CASES[0].folder.glob("inputs/*")):
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def folder(pair_inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder, the working directory, with links to the inputs."""
    for path in pair_inputs.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def image_of(case: PairCase, folder: Path) -> np.ndarray:
    return np.fromfile(folder / "f.bin", np.float32).reshape(case.images[0].shape)


def run_c(build: Path, case: PairCase, folder: Path, *fix: str) -> str:
    done = subprocess.run(
        [build / "nanoBragg", *case.args, *QUIET, *fix],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cases
def test_reference(case: PairCase, c_build: Path, folder: Path) -> None:
    printed = run_c(c_build, case, folder, "-fix", "none", "-threads", "1")
    assert image_faults(image_of(case, folder), case.images[0]) == ""
    assert smv_faults(folder / "i.img", case) == []
    assert log_faults(printed, case.log) == []


@without_leak
def test_repaired_reference(case: PairCase, c_build: Path, folder: Path) -> None:
    run_c(c_build, case, folder, "-fix", "all")
    assert image_faults(image_of(case, folder), case.images[0]) == ""
    assert smv_faults(folder / "i.img", case) == []


@cases
def test_simulator(case: PairCase, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*case.args, *QUIET]) == 0
    printed = capsys.readouterr().out
    if case.has_state_leak:  # the image is not the original's, the rest is
        assert smv_faults(folder / "i.img", case, with_places=False) == []
        return
    assert image_faults(image_of(case, folder), case.images[0]) == ""
    assert smv_faults(folder / "i.img", case) == []
    assert log_faults(printed, case.log, NOT_PRINTED_BY_SIMULATOR) == []


def test_the_committed_cases_are_among_all() -> None:
    assert len(SAMPLE) >= 10
    if not FULL:
        pytest.skip("the full golden set ../shared/golden/pairs is not here")
    for name, case in SAMPLE.items():
        full = FULL[name]
        assert (case.args, case.header, case.log) == (full.args, full.header, full.log)
        assert all(np.array_equal(a, b) for a, b in zip(case.images, full.images, strict=True))


def test_a_fault_is_seen() -> None:
    case = CASES[0]
    lines = case.log.splitlines()
    assert log_faults(case.log, case.log) == []
    at = next(i for i, line in enumerate(lines) if line.startswith("volume"))
    changed = "\n".join([*lines[:at], lines[at].replace("e+", "1e+").replace(" A", "0 A"), *lines[at + 1 :]])
    assert len(log_faults(changed, case.log)) == 1
    assert log_faults("\n".join(lines[:-4]), case.log) != []
