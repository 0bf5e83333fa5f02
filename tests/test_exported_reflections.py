"""The C program on the text list that is made of a crystal file gives the image of the simulator on the file itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from nanobragg_torch import from_argv, render
from nanobragg_torch.io.convert import main
from trace_parity.pair.find import shipped
from trace_parity.run.launch import build_program

from tests.golden import image_faults
from tests.simulator.crystals import structure

WORDS = "-N 8 -detpixels 64 -pixel 1 -distance 60 -lambda 1.5 -misset 10 20 30 -oversample 2".split()


@pytest.fixture(scope="module")
def program() -> Path:
    return build_program(shipped().programs.sides["C"]) / "nanoBragg"


@pytest.mark.parametrize("more", [["-nointerpolate"], ["-interpolate"]], ids=["nearest", "interpolated"])
def test_both_programs_on_one_crystal(more: list[str], program: Path, tmp_path: Path) -> None:
    structure("P 21 21 21").write_pdb(str(tmp_path / "a.pdb"))
    assert main([str(tmp_path / "a.pdb"), str(tmp_path / "a.hkl"), "--d-min-A", "1.2"]) == 0
    ours = render(from_argv([*WORDS, *more, "-hkl", "a.pdb"], tmp_path)).to(torch.float32).numpy()
    cell = "-cell 11 12 13 90 90 90 -hkl a.hkl -fix all -nonoise -nopgm -noprogress -floatfile c.bin".split()
    subprocess.run([program, *WORDS, *more, *cell], cwd=tmp_path, capture_output=True, check=True)
    theirs = np.fromfile(tmp_path / "c.bin", dtype=np.float32).reshape(ours.shape)
    assert theirs.max() > 100 * np.median(theirs)
    assert image_faults(ours, theirs) == ""
