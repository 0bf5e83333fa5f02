"""Outputs of both programs under names that are links or open files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ARGV = (
    "-default_F 100 -lambda 1 -distance 100 -cell 50 60 70 90 90 90 -N 2 -detpixels 32 -trace_pixel 5 6 -trace_file"
).split()


@pytest.fixture(params=["C", "PY"])
def program(request: pytest.FixtureRequest, c_build: Path) -> list[str]:
    start = [str(c_build / "nanoBragg-trace")] if request.param == "C" else [sys.executable, "-m", "nanobragg_torch"]
    return [*start, *ARGV]


def test_a_link_is_followed(program: list[str], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    for _ in range(2):  # a link to nothing, then to a file
        subprocess.run([*program, "link"], cwd=tmp_path, capture_output=True, check=True)
        assert (tmp_path / "link").is_symlink()
        assert "I_pixel_final" in (tmp_path / "real").read_text()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_to_and_not_replaced(program: list[str], name: str, tmp_path: Path) -> None:
    """By name, with a file and with a pipe behind it."""
    link = Path("/dev/stdout").is_symlink()
    with (tmp_path / "all.txt").open("w") as stream:
        subprocess.run([*program, name], stdout=stream, stderr=subprocess.PIPE, check=True)
    piped = subprocess.run([*program, name], capture_output=True, text=True, check=True).stdout
    found = (tmp_path / "all.txt").read_text()
    assert [line for line in found.splitlines() if "TRACE_" in line] == [
        line for line in piped.splitlines() if line.startswith("TRACE_")
    ]
    assert "I_pixel_final" in found
    assert "phi steps" in found  # what the program prints itself is kept
    assert Path("/dev/stdout").is_symlink() == link
