"""The C reference against the figures of the original: images, traces, printed numbers, output files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden import (
    GOLDEN,
    SHARED,
    SUPERVISOR,
    golden_cases,
    golden_image,
    image_faults,
    needs_shared,
    trace_faults,
    traced_pixels,
)
from tests.reference_c.conftest import Program

pytestmark = needs_shared

CASES = golden_cases()
LEAKY = [name for name, case in CASES.items() if case.has_state_leak]
TRACED = [name for name, case in CASES.items() if case.trace_path.is_file()]
QUIET = ["-nopgm", "-nonoise", "-intfile", "/dev/null", "-dump", "/dev/null"]


# This golden log lost its first line; with it back the rest can be held to "nothing missing, nothing extra".
FIRST_LINE_LOST = {
    "interp_edge": "TRACE_C[spixel=31 fpixel=48 thick_tic=0 subS=0 subF=0]: "
    "pix0_vector_meters 0.10000000000000001 0.013200000000000002 -0.013200000000000002\n"
}


def entries() -> dict[str, dict[str, Any]]:
    if not GOLDEN.is_dir():
        return {}
    return {entry["id"]: entry for entry in json.loads((GOLDEN / "cases.json").read_text())}


ENTRIES = entries()


def cells_of(trace: str) -> float:
    """Na*Nb*Nc as the trace itself gives it."""
    found = re.search(r"^TRACE_C: N_cells (.+)$", trace, re.M)
    assert found
    return float(np.prod([float(word) for word in found[1].split()]))


@pytest.mark.parametrize("name", CASES)
def test_image_of_the_repaired_program(name: str, plain: Program, inputs: Path) -> None:
    case = CASES[name]
    image, _ = plain.image([*case.args, *QUIET, "-fix", "all"], inputs, case.shape)
    assert image_faults(image, golden_image(name)) == ""


@pytest.mark.parametrize("name", LEAKY)
def test_image_with_the_state_leaks(name: str, plain: Program, inputs: Path) -> None:
    case = CASES[name]
    image, _ = plain.image([*case.args, *QUIET], inputs, case.shape)
    assert image_faults(image, golden_image(f"{name}__state_leak")) == ""
    assert image_faults(image, golden_image(name)) != "", "the leak has no effect: this test would prove nothing"


@pytest.mark.parametrize("name", TRACED)
@pytest.mark.parametrize("fix", ["all", "none"])
def test_trace(name: str, fix: str, traced: Program, inputs: Path) -> None:
    case = CASES[name]
    golden = (case.leaky_trace_path if fix == "none" and case.has_state_leak else case.trace_path).read_text()
    pixels = [word for s, f in traced_pixels(golden) for word in ("-trace_pixel", str(s), str(f))]
    done = traced.run([*case.args, "-fix", fix, *pixels], inputs)
    assert done.returncode == 0, done.stderr
    assert trace_faults(done.stdout, FIRST_LINE_LOST.get(name, "") + golden, cells_of(done.stdout)) == []
    assert not list(inputs.glob("*.bin")), "tracing alone must not render"


@pytest.mark.parametrize("name", CASES)
def test_printed_numbers_and_header(name: str, plain: Program, inputs: Path) -> None:
    entry = ENTRIES[name]
    options = ["-noprogress", "-floatfile", "f.bin", "-intfile", "i.img", "-dump", "/dev/null"]
    options += [] if name == "outputs" else ["-nopgm"]
    options += [] if name.startswith("noise") else ["-nonoise"]
    done = plain.run([*entry["args"], *options], inputs)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert [line for line in entry["log"] if line not in printed] == []
    kept = [line for line in printed if line in entry["log"]]
    assert kept == entry["log"], "all lines are there, in another order"
    header = (inputs / "i.img").read_bytes()[:512]
    assert header.decode("latin1").rstrip(" ") == entry["smv_header"]
    if name == "outputs":
        pixels = np.fromfile(inputs / "i.img", np.uint16, offset=512).reshape(64, 64)
        np.testing.assert_array_equal(pixels, golden_image("outputs__int"))
        assert (inputs / "image.pgm").read_bytes() == golden_image("outputs__pgm").tobytes()
    if name.startswith("noise"):
        noisy = np.fromfile(inputs / "noiseimage.img", np.uint16, offset=512).reshape(64, 64)
        np.testing.assert_array_equal(noisy, golden_image(f"{name}__noise"))


needs_data = pytest.mark.skipif(not (SHARED / "data" / "A.mat").is_file(), reason="../shared/data is not here")


@needs_data
@pytest.mark.parametrize("fix", ["all", "none"])
def test_supervisor(fix: str, plain: Program, traced: Program, tmp_path: Path) -> None:
    for name in ("A.mat", "scaled.hkl"):
        (tmp_path / name).symlink_to(SHARED / "data" / name)
    golden = json.loads((SUPERVISOR / "pixels.json").read_text())
    image, _ = plain.image([*golden["args"], *QUIET, "-fix", fix], tmp_path, tuple(golden["shape"]))
    slow, fast = np.array(golden["pixels"]).T
    want = np.array(golden["spec_values" if fix == "all" else "phi_carryover_values"], np.float32)
    assert image_faults(image[slow, fast][None], want[None]) == ""

    suffix = "" if fix == "all" else "__phi_carryover"
    trace = (SUPERVISOR / f"trace_685_1039{suffix}.log").read_text()
    done = traced.run([*golden["args"], "-fix", fix, "-trace_pixel", "685", "1039"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert trace_faults(done.stdout, trace, cells_of(done.stdout)) == []
