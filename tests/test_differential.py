"""Two independent implementations of the model on command lines drawn at random, run by both.

A seed fixes the command line; `python -m tests.test_differential 200 1000 FOLDER` tries seeds 200 to 999 in an empty
folder and prints what differs.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from nanobragg_torch import from_argv, render, trace
from trace_parity.compare.align import align
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.render.text_form import render as as_text
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult
from trace_parity.run.launch import build_program
from trace_parity.trace import read_trace, read_trace_lines

from tests.golden import image_faults
from tests.golden_inputs import write_inputs

SEEDS = range(40)


def draw(seed: int) -> list[str]:
    """A command line: crystal, beam, scan and detector, each with some of their flags, in any order."""
    r = random.Random(seed)

    def maybe(chance: float, *words: object) -> list[str]:
        return [str(word) for word in words] if r.random() < chance else []

    def number(low: float, high: float) -> str:
        return f"{r.uniform(low, high):.4g}"

    def vector() -> list[str]:
        return [number(-1, 1) for _ in range(3)]

    crystal = r.choice(
        [
            ["-cell", number(40, 120), number(40, 120), number(40, 120), *(number(75, 105) for _ in range(3))],
            ["-cell", number(40, 120)],
            ["-mat", "orient.mat"],
        ]
    )
    crystal += r.choice([["-hkl", "synth.hkl"], ["-hkl", "small.hkl", "-default_F", "3"], ["-default_F", "25"]])
    crystal += r.choice(
        [
            ["-N", str(r.randint(1, 9))],
            ["-Na", str(r.randint(1, 9)), "-Nb", str(r.randint(1, 9)), "-Nc", str(r.randint(1, 9))],
            ["-xtalsize", number(2e-5, 8e-5)],
            ["-N", "4", "-sample_y", number(2e-5, 8e-5)],
        ]
    )
    crystal += maybe(0.5, "-misset", *(number(-180, 180) for _ in range(3)))
    crystal += maybe(0.3, "-mosaic", number(0.1, 3), "-mosaic_dom", r.randint(1, 6))
    crystal += maybe(0.2, "-mosaic_seed", r.randint(1, 9999))
    crystal += r.choice([[], [], [], ["-round_xtal"], ["-gauss_xtal"], ["-tophat_spots"]]) + maybe(
        0.2, "-fudge", number(0.5, 2)
    )
    crystal += r.choice([["-nointerpolate"], ["-nointerpolate"], ["-interpolate"], []])
    beam = ["-lambda", number(0.7, 2)] if r.random() < 0.8 else ["-energy", number(7000, 14000)]
    beam += maybe(0.25, "-dispersion", number(0.1, 3), "-dispsteps", r.randint(1, 4))
    beam += maybe(0.2, "-hdivrange", number(0.2, 5), "-hdivsteps", r.randint(1, 4))
    beam += maybe(0.2, "-vdivrange", number(0.2, 5), "-vdivstep", number(0.1, 3)) + maybe(0.1, "-square_div")
    beam += maybe(0.3, "-polar", number(-1, 1)) + maybe(0.1, "-nopolar") + maybe(0.2, "-dmin", number(3, 20))
    beam += maybe(0.2, "-fluence", "1e24") + maybe(
        0.2, "-flux", "1e12", "-exposure", "0.5", "-beamsize", number(0.01, 0.2)
    )
    beam += maybe(0.1, "-water", number(1, 50))
    scan = maybe(0.5, "-phi", r.choice(["0", number(-20, 90)]))
    scan += r.choice(
        [
            [],
            ["-osc", number(0.1, 5)],
            ["-osc", number(0.1, 5), "-phisteps", str(r.randint(1, 5))],
            ["-osc", "1", "-phistep", "0.3"],
            ["-phisteps", str(r.randint(0, 4))],
        ]
    )
    detector = ["-distance" if r.random() < 0.8 else "-close_distance", number(60, 200), "-pixel", number(0.2, 0.6)]
    detector += r.choice(
        [["-detpixels", str(r.randint(12, 30))], ["-detpixels_x", str(r.randint(12, 30)), "-detpixels_y", "17"]]
    )
    detector += r.choice([[], [], ["-mosflm"], ["-xds"], ["-adxv"], ["-denzo"], ["-dials"]])
    detector += maybe(0.15, "-fdet_vector", *vector(), "-sdet_vector", *vector(), "-odet_vector", *vector())
    detector += maybe(0.1, "-beam_vector", *vector()) + maybe(0.2, "-spindle_axis", *vector())
    detector += maybe(0.1, "-polar_vector", *vector()) + maybe(0.1, "-twotheta_axis", *vector())
    detector += maybe(0.1, "-pix0_vector_mm", *vector())
    detector += maybe(0.4, "-Xbeam", number(1, 12), "-Ybeam", number(1, 12))
    detector += maybe(0.15, "-Xclose", number(1, 12), "-Yclose", number(1, 12))
    detector += maybe(0.15, "-ORGX", number(1, 40), "-ORGY", number(1, 40))
    detector += maybe(0.3, "-detector_rotx", number(-9, 9)) + maybe(0.3, "-detector_roty", number(-9, 9))
    detector += maybe(0.3, "-detector_rotz", number(-9, 9)) + maybe(0.3, "-twotheta", number(-20, 20))
    detector += maybe(0.15, "-pivot", r.choice(["sample", "beam"])) + maybe(0.15, "-point_pixel")
    detector += maybe(0.6, "-oversample", r.randint(1, 3)) + maybe(0.1, "-curved_det")
    detector += maybe(0.2, "-detector_thick", number(50, 500), "-detector_thicksteps", r.randint(1, 3))
    detector += maybe(0.15, "-detector_abs", number(50, 500))
    for flag in ("-oversample_thick", "-oversample_polar", "-oversample_omega"):
        detector += maybe(0.08, flag)
    detector += maybe(0.1, "-roi", "3", "9", "2", "8")
    parts = [crystal, beam, scan, detector]
    r.shuffle(parts)
    return [word for part in parts for word in part]


def differences(words: list[str], pixel: tuple[int, int], folder: Path, build: Path) -> str:
    """What the two programs disagree on, as text; empty when on nothing."""
    pixel_words = ["-trace_pixel", str(pixel[0]), str(pixel[1])]
    command = [str(build / "nanoBragg-trace"), *words, "-fix", "all", *pixel_words, "-trace_file", "c.log"]
    command += ["-floatfile", "c.bin", "-nopgm", "-nonoise", "-noprogress"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    try:
        experiment = from_argv(words, folder=folder)
        with torch.no_grad():
            image = render(experiment).to(torch.float32).numpy()
        lines = [line + "\n" for line in trace(experiment, [pixel]).lines()]
    except ValueError as error:  # ExperimentError is one
        return "" if done.returncode == 2 else f"only the port refuses: {error}"
    if done.returncode:
        return f"only the reference refuses: {done.stderr.splitlines()[-1]}"
    golden = np.fromfile(folder / "c.bin", "<f4").reshape(image.shape)
    if not np.array_equal(image, golden, equal_nan=True) and (faults := image_faults(image, golden)):
        return faults
    vocabulary = shipped().vocabulary
    tables = [read_trace(folder / "c.log", "C", vocabulary), read_trace_lines(lines, "PY", "py", vocabulary)]
    result = compare(align(tables[0], tables[1], vocabulary), CaseResult("x", "x"), Contract(), pair=shipped())
    return "" if result.exit_code == 0 else as_text(result)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_programs_agree_on_a_command_line_drawn_at_random(seed: int, golden_folder: Path, c_build: Path) -> None:
    words = draw(seed)
    assert differences(words, (5, 6), golden_folder, c_build) == "", " ".join(words)


def main() -> None:
    first, last = (int(word) for word in sys.argv[1:3])
    build = build_program(shipped().programs.sides["C"])
    folder = Path(sys.argv[3])
    write_inputs(folder)
    bad = 0
    for seed in range(first, last):
        found = differences(draw(seed), (5, 6), folder, build)
        if found:
            bad += 1
            print(f"seed {seed}: {' '.join(draw(seed))}\n{found[:1500]}\n", flush=True)
    print(f"{last - first} command lines, {bad} with differences")


if __name__ == "__main__":
    main()
