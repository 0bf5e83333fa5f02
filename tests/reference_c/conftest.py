"""Builds the reference programs once per test run and hands out a way to run them in a poisoned folder."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.golden import INPUTS, ROOT

SOURCE = ROOT / "reference_c"
SMALL_INPUTS = ("mask.img", "header.img", "orient.mat", "small.hkl", "sources.txt")


@dataclass(frozen=True)
class Program:
    """A built reference program."""

    path: Path

    def run(self, args: list[str], cwd: Path, *, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs it without raising; text is decoded."""
        return subprocess.run(
            [str(self.path), *args],
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )

    def image(self, args: list[str], cwd: Path, shape: tuple[int, int]) -> tuple[np.ndarray, str]:
        """Renders into a file that held only inf, so that a pixel never written cannot pass; the image and stdout."""
        target = cwd / "out.bin"
        np.full(shape, np.inf, np.float32).tofile(target)
        done = self.run([*args, "-noprogress", "-floatfile", target.name], cwd)
        assert done.returncode == 0, done.stderr
        return np.fromfile(target, np.float32).reshape(shape), done.stdout


def build(build_dir: Path, *words: str) -> None:
    """Runs make into a folder, one process of the test run at a time."""
    command = ["make", "-j2", "-C", str(SOURCE), f"BUILD={build_dir}", *words]
    build_dir.mkdir(parents=True, exist_ok=True)
    with (build_dir / ".test-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def plain() -> Program:
    """The timing build, without probes."""
    build(SOURCE / "build")
    return Program(SOURCE / "build" / "nanoBragg")


@pytest.fixture(scope="session")
def traced(plain: Program) -> Program:
    """The build with probes; the same make run made it."""
    return Program(plain.path.with_name("nanoBragg-trace"))


SANITIZERS = "-fsanitize=address,undefined -fno-sanitize-recover=all"


@pytest.fixture(scope="session")
def sanitized() -> Program:
    """The build with probes under AddressSanitizer and UndefinedBehaviorSanitizer; skips where there are none."""
    probe = ["cc", *SANITIZERS.split(), "-x", "c", "-", "-o", "/dev/null"]
    if subprocess.run(probe, input="int main(void){return 0;}", text=True, capture_output=True, check=False).returncode:
        pytest.skip("this compiler has no sanitizers")
    program = SOURCE / "build" / "asan" / "nanoBragg-trace"
    build(program.parent, f"CFLAGS=-O1 -g {SANITIZERS}", str(program))
    return Program(program)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A fresh folder with the golden input files; the large one by link."""
    for name in SMALL_INPUTS:
        shutil.copy(INPUTS / name, tmp_path / name)
    (tmp_path / "synth.hkl").symlink_to(INPUTS / "synth.hkl")
    return tmp_path
