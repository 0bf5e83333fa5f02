"""Odd lines of a reflection list: both programs read them alike and warn in the same words, with the line number."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from nanobragg_torch.cli import main
from nanobragg_torch.io import hkl

from tests.test_exported_reflections import program

__all__ = ["program"]
WORDS = "-cell 20 -N 3 -detpixels 24 -pixel 2 -distance 60 -nointerpolate -nonoise -nopgm -noprogress".split()
READ = "numbers are read four at a time, wherever lines end (quirk list-columns)"
FOUR = f"expected h k l F: {READ}"
WHOLE = "expected whole numbers: truncated to"
FILES = {
    "good": ("1 2 3 100\n\n  2 2 3 50\n0 0 1 7.5\n", ""),
    "words after": ("1 2 3 100\n2 2 3 50\nend of list 1\n", ""),
    "fifth column": (
        "1 2 3 100\n2 2 3 50 1.5\n0 0 1 7 1\n1 1 1 8\n",
        f"line 2: 5 columns (2 such lines), expected h k l F: {READ}",
    ),
    "missing index": ("\n1 2 3 100\n2 3 50\n2 2 2 8\n", f"line 3: 3 columns (1 such lines), {FOUR}"),
    "fractional": (
        "1 2 3 100\n2.6 0 0 50\n0 -1.5 1 7\n",
        f"line 2: Miller index 2.6 (2 such lines), {WHOLE} 2",
    ),
    "half": (
        "1 2 3 100\n0 -1.5 1 7\n",
        f"line 2: Miller index -1.5 (1 such lines), {WHOLE} -1",
    ),
    "carriage returns": ("1 2 3 100\r\n2 2 3 50 1\r\n", f"line 2: 5 columns (1 such lines), {FOUR}"),
}


@pytest.mark.parametrize("name", FILES)
def test_both_programs_warn_and_read_alike(
    name: str, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, says = FILES[name]
    (tmp_path / "a.hkl").write_bytes(text.encode())
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS, "-hkl", "a.hkl", "-floatfile", "py.bin", "-dump", "py.dump"]) == 0
    ours = capsys.readouterr().err
    words = [str(program), *WORDS, "-hkl", "a.hkl", "-fix", "all", "-floatfile", "c.bin", "-dump", "c.dump"]
    theirs = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    if says:
        assert f"WARNING: file 'a.hkl', {says}\n" in ours
        assert f"WARNING: file 'a.hkl', {says}\n" in theirs
    assert ("file 'a.hkl', line" in ours) == ("file 'a.hkl', line" in theirs) == bool(says)
    assert Path("py.dump").read_bytes() == Path("c.dump").read_bytes()


def test_fractional_indices_are_truncated(tmp_path: Path) -> None:
    (tmp_path / "a.hkl").write_text("1.9 -1.5 1.5 9\n")
    read = hkl.read_hkl(tmp_path / "a.hkl")
    assert read.lowest == (1, -1, 1)
    assert np.asarray(read.F).tolist() == [[[9.0]]]
