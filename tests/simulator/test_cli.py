"""The command line: every flag, bad words, exit codes, files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from nanobragg_torch import ExperimentError, from_argv
from nanobragg_torch.cli import main
from nanobragg_torch.cli.parse import parse
from nanobragg_torch.io import smv

from tests import golden

BASE = "-cell 70 80 90 85 95 105 -default_F 10 -N 5 -detpixels 16 -pixel 1 -oversample 1".split()
QUIET = ["-noprogress", "-nonoise", "-nopgm"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ok.hkl").write_text("0 0 1 10\n1 0 0 20\nend of list\n")
    (tmp_path / "empty.hkl").write_text("")
    (tmp_path / "short.mat").write_text("1 2 3 4 5 6 7 8")
    (tmp_path / "word.mat").write_text("1 2 3 4 five 6 7 8 9")
    (tmp_path / "bad.src").write_text("-10 0 0 1 red\n")
    (tmp_path / "bad.img").write_bytes(b"no image")
    header = smv.header_text({"SIZE1": "8", "SIZE2": "8"}).encode()
    (tmp_path / "short.img").write_bytes(header.ljust(512) + b"\0" * 100)
    (tmp_path / "small_mask.img").write_bytes(header.ljust(512) + b"\1" * 128)
    (tmp_path / "short.dump").write_bytes(b"0 1 0 1 0 1\n\f" + b"\0" * 8)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


BAD: list[tuple[list[str], list[str]]] = [
    (["-detpixel", "5"], ["-detpixel", "-detpixels"]),
    (["-lamda", "1"], ["-lamda", "-lambda"]),
    (["-distance_mm", "1"], ["-distance_mm", "-distance"]),
    (["stray"], ["stray"]),
    (["-phi"], ["-phi", "lacks"]),
    (["-phi", "x"], ["-phi", "'x'", "number"]),
    (["-phi", "nan"], ["-phi", "nan"]),
    (["-phi", "inf"], ["-phi", "inf"]),
    (["-phi", "-osc", "1"], ["-phi", "-osc"]),
    (["-phi", "1deg"], ["-phi", "1deg"]),
    (["-N", "2x"], ["-N", "2x", "whole"]),
    (["-N", "1e400"], ["-N", "1e400"]),
    (["-beam_vector", "1", "0"], ["-beam_vector", "lacks"]),
    (["-beam_vector", "0", "0", "0"], ["-beam_vector", "zero"]),
    (["-roi", "1", "2", "3"], ["-roi", "lacks"]),
    (["-misset", "1", "2"], ["-misset", "number number number"]),
    (["-misset", "round"], ["-misset", "random"]),
    (["-misset"], ["-misset"]),
    (["-cell", "0"], ["-cell"]),
    (["-cell", "10", "10", "10", "10", "10", "90"], ["-cell", "angles"]),
    (["-cell", "10", "ten"], ["-cell", "ten"]),
    (["-cell"], ["-cell", "lacks"]),
    (["-hkl", "none.hkl"], ["-hkl", "none.hkl"]),
    (["-hkl", "-nonoise"], ["-hkl", "lacks"]),
    (["-hkl", "empty.hkl"], ["-hkl", "empty.hkl", "h k l F"]),
    (["-hkl", "."], ["-hkl"]),
    (["-mat", "none.mat"], ["-mat", "none.mat"]),
    (["-mat", "short.mat"], ["-mat", "8 numbers", "nine"]),
    (["-mat", "word.mat"], ["-mat", "five"]),
    (["-sourcefile", "bad.src"], ["-sourcefile", "line 1"]),
    (["-sourcefile", "empty.hkl"], ["-sourcefile", "no source"]),
    (["-img", "bad.img"], ["-img", "SMV"]),
    (["-mask", "short.img"], ["-mask", "short"]),
    (["-mask", "none.img"], ["-mask", "none.img"]),
    (["-mask", "small_mask.img"], ["mask", "(8, 8)"]),
    (["-dump", "short.dump"], ["-dump", "short"]),
    (["-dump", "bad.img"], ["-dump", "not a dump file"]),
    (["-detpixels", "-1"], ["-detpixels", "-1"]),
    (["-pixel", "0"], ["pixel_mm", "0"]),
    (["-lambda", "0"], ["wavelength_A"]),
    (["-energy", "0"], ["-energy"]),
    (["-distance", "-5"], ["distance_mm"]),
    (["-pivot", "corner"], ["-pivot", "corner", "sample or beam"]),
    (["-dtype", "float16"], ["-dtype", "float16"]),
    (["-device", "tpu"], ["-device", "tpu"]),
    (["-threads", "0"], ["-threads"]),
    (["-trace_pixel", "1"], ["-trace_pixel", "lacks"]),
    (["-trace_pixel", "16", "0"], ["slow 16", "off"]),
    (["-trace_pixel", "0", "0", "-roi", "1", "5", "1", "5"], ["slow 0", "region"]),
    (["-floatfile", "no/such/folder.bin"], ["-floatfile", "folder.bin"]),
    (["-intfile", "."], ["-intfile"]),
]


@pytest.mark.parametrize(("more", "words"), BAD, ids=[" ".join(more) for more, _ in BAD])
def test_bad_command_lines(more: list[str], words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr that names what is wrong; exit code 2; no file touched."""
    before = files(folder)
    assert main([*BASE, *QUIET, *more]) == 2
    printed = capsys.readouterr()
    complaint = [text for text in printed.err.splitlines() if "WARNING" not in text]
    assert len(complaint) == 1, printed.err
    assert all(word in complaint[0] for word in words), complaint
    assert printed.out == ""
    assert files(folder) == before


@pytest.mark.parametrize("argv", [[], ["-cell", "70"], ["-default_F", "1"], ["-cell", "70", "-default_F", "0"]])
def test_nothing_to_simulate_shows_the_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert "usage:" in capsys.readouterr().err


def test_cuda_without_cuda_is_a_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    assert main([*BASE, "-device", "cuda"]) == 2
    assert "no CUDA" in capsys.readouterr().err


def test_lenient_goes_on_and_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BASE, *QUIET, "--lenient", "-detpixel", "-colour"]) == 0
    err = capsys.readouterr().err
    assert "-detpixel ignored" in err
    assert "-colour ignored" in err
    assert (folder / "floatimage.bin").stat().st_size == 16 * 16 * 4


EVERYTHING = """
-cell 70 80 90 -misset 1 -2 3 -Na 3 -Nb 4 -Nc 5 -round_xtal -gauss_xtal -tophat_spots -binary_spots -square_xtal
-fudge 1.1 -mosaic 0.1 -mosaic_dom 2 -mosaic_seed 5 -seed 4 -phi 1 -osc 1 -phistep 0.5 -phisteps 2 -lambda 1
-energy 12000 -dispersion 1 -dispsteps 2 -divergence 1 -hdivrange 1 -vdivrange 1 -hdivstep 1 -vdivstep 1 -hdivsteps 2
-vdivsteps 2 -divsteps 2 -round_div -square_div -nopolar -polar 0.5 -fluence 1e20 -flux 1e12 -exposure 1 -beamsize 0.1
-water 1 -dmin 2 -detsize 10 -detsize_f 10 -detsize_s 10 -distance 100 -close_distance 90 -Xbeam 1 -Ybeam 1 -Xclose 1
-Yclose 1 -ORGX 1 -ORGY 1 -pivot beam -mosflm -xds -adxv -denzo -dials -fdet_vector 0 0 1 -sdet_vector 0 -1 0
-odet_vector 1 0 0 -beam_vector 1 0 0 -polar_vector 0 0 1 -spindle_axis 0 0 1 -twotheta_axis 0 1 0 -pix0_vector 1 1 1
-pix0_vector_mm 1 1 1 -detector_rotx 1 -detector_roty 1 -detector_rotz 1 -twotheta 1 -curved_det -point_pixel
-detector_abs 100 -detector_thick 100 -detector_thicksteps 2 -thicksteps 2 -oversample_thick -oversample_polar
-oversample_omega -interpolate -nointerpolate -roi 0 3 0 3 -scale 1 -pgmscale 1 -adc 10 -nopgm -nonoise -printout
-printout_pixel 1 1 -progress -noprogress -stol a -4stol b -Q c -stolout d -coherent -density 1 -sample_den 1 -MW 1
-molec 1 -threads 2 -fix all -device cpu -dtype float32 -sample_x 0.001 -xtal_y 0.001 -height 0.001 -hkl ok.hkl
""".split()


def test_every_flag_at_once_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BASE, *EVERYTHING]) == 0
    assert sorted(set(files(folder)) & {"floatimage.bin", "intimage.img", "image.pgm", "Fdump.bin"}) == [
        "Fdump.bin",
        "floatimage.bin",
        "intimage.img",
    ]
    printed = capsys.readouterr().out.splitlines()
    assert [text for text in printed if text.startswith("   1    1 : ")]


class TestTracing:
    def test_tracing_only(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = files(folder)
        assert main([*BASE, "-trace_pixel", "3", "4", "-trace_pixel", "8", "8"]) == 0
        printed = capsys.readouterr()
        assert all(text.startswith("TRACE_PY") for text in printed.out.splitlines())
        assert "spixel=8 fpixel=8" in printed.out
        assert "tracing only" in printed.err
        assert files(folder) == before

    def test_trace_file_and_image(self, folder: Path) -> None:
        argv = [*BASE, *QUIET, "-trace_pixel", "3", "4", "-trace_file", "t.log", "-floatfile", "f.bin"]
        assert main(argv) == 0
        image = np.fromfile(folder / "f.bin", dtype=np.float32).reshape(16, 16)
        (text,) = [t for t in (folder / "t.log").read_text().splitlines() if "floatimage_accumulated" in t]
        assert np.float32(text.split()[-1]) == image[3, 4]

    def test_fix_has_no_effect(self, folder: Path) -> None:
        images = []
        for more in ([], ["-fix", "all"], ["-fix", "phi-carryover,interp-latch"]):
            assert main([*BASE, *QUIET, "-phi", "0", "-osc", "1", *more]) == 0
            images.append((folder / "floatimage.bin").read_bytes())
        assert images[0] == images[1] == images[2]


def test_outputs_poisoned_before_the_run_are_overwritten(folder: Path) -> None:
    np.full((16, 16), np.inf, dtype=np.float32).tofile(folder / "floatimage.bin")
    for name in ("intimage.img", "image.pgm", "noiseimage.img"):
        (folder / name).write_bytes(b"\xff" * 4096)
    assert main([*BASE, "-noprogress"]) == 0
    image = np.fromfile(folder / "floatimage.bin", dtype=np.float32)
    assert np.isfinite(image).all()
    for name in ("intimage.img", "noiseimage.img"):
        assert smv.read_smv(folder / name, "-img").pixels.shape == (16, 16)
    assert (folder / "image.pgm").read_bytes().startswith(b"P5\n16 16\n")


def test_progress_is_whole_percents_once(capsys: pytest.CaptureFixture[str]) -> None:
    big = [*BASE, "-nonoise", "-nopgm", "-detpixels", "800", "-osc", "1", "-phisteps", "3"]
    assert main(big) == 0
    percents = [int(text[:-6]) for text in capsys.readouterr().err.splitlines() if text.endswith("% done")]
    assert percents == sorted(set(percents))
    assert len(percents) > 5
    assert percents[-1] == 100
    assert main([*big, "-noprogress"]) == 0
    assert "done" not in capsys.readouterr().err
    assert main([*big, "-noprogress", "-progress"]) == 0
    assert "100% done" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("-h", "--help"):
        assert main([word]) == 0
        assert "-trace_pixel" in capsys.readouterr().out
    assert main(["-version"]) == 0
    assert re.match(r"nanobragg-torch \d+\.\d+", capsys.readouterr().out)


def test_interrupt_leaves_nothing(folder: Path) -> None:
    argv = [sys.executable, "-m", "nanobragg_torch", *BASE, "-detpixels", "3000", "-osc", "1", "-phisteps", "50"]
    environment = {**os.environ, "PYTHONPATH": str(golden.ROOT)}
    before = files(folder)
    with subprocess.Popen(argv, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for text in process.stderr:
            if text.endswith("% done\n"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert files(folder) == before


def test_module_traces_in_little_time_beyond_its_start(folder: Path) -> None:
    """A traced pixel does not render the detector, however large it is."""
    started = time.perf_counter()
    argv = [*BASE, "-detpixels", "4000", "-osc", "1", "-phisteps", "10", "-trace_pixel", "2000", "2000"]
    assert main([*argv, "-trace_file", "t.log"]) == 0
    assert time.perf_counter() - started < 1.0


def test_from_argv_raises_one_type() -> None:
    for more, _ in BAD[:20]:
        with pytest.raises(ExperimentError):
            from_argv([*BASE, *more])
    assert parse([*BASE, "-pix0_vector", "1", "1", "1"], Path()).warnings


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_after_import_as_before(enabled: bool) -> None:
    program = (
        f"import gc, sys; gc.enable() if {enabled} else gc.disable(); import nanobragg_torch;"
        "before = gc.get_freeze_count(); from nanobragg_torch.cli import main;"
        "main(['-version']); first = gc.get_freeze_count(); main(['-version']); second = gc.get_freeze_count();"
        "print(gc.isenabled(), before, first > 100000, first >= second > 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == [str(enabled), "0", "True", "True"]
