"""The figures of the original program, as tests want them.

Two sources: the full set in the folder `../shared/golden` next to the checkout, where there is one, and the small
committed set in `traces/golden`. A test says which it needs; one that needs the full set skips by name without it.
"""

from __future__ import annotations

import functools
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests import tolerances as tol

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
GOLDEN = SHARED / "golden"
INPUTS = GOLDEN / "inputs"
SUPERVISOR = GOLDEN / "supervisor"
COMMITTED = ROOT / "traces" / "golden"

needs_shared = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the full golden set ../shared/golden is not here")

# The cases of the main job: no shapes, interpolation, thickness, curved detector or image files in.
MAIN_JOB = """
base default_F cubic mat_matrix mat_other_lambda conv_adxv conv_denzo conv_xds conv_dials conv_mosflm
mosflm_beamcenter adxv_beamcenter denzo_beamcenter xds_beamcenter xds_org dials_close custom_beam_vec custom_all
custom_pivot_sample custom_pivot_beam custom_then_phi pix0_vector_mm pix0_vector close_distance rect_detector detsize
rotx roty rotz rotxyz twotheta twotheta_axis twotheta_axis_last tilt_all point_pixel misset N1 Nmixed
xtalsize sample_xyz mosaic mosaic_auto mosaic_seed phi_scan phi_step phi_xds phi_mosaic phi0_start phi0_center
phisteps_only phi_carry_mosaic phi_carry_sources phi_carry_oversample conv_after_custom pivot_ignored cell_partial
energy dispersion disp_nosteps div div_square div_step div_disp polar nopolar polar_xds fluence flux water dmin roi
hkl_default
""".split()


@dataclass(frozen=True)
class GoldenCase:
    id: str
    args: tuple[str, ...]
    shape: tuple[int, int]
    has_state_leak: bool

    @property
    def trace_path(self) -> Path:
        return GOLDEN / "traces" / f"{self.id}.log"

    @property
    def leaky_trace_path(self) -> Path:
        return GOLDEN / "traces" / f"{self.id}__state_leak.log"


@functools.cache
def golden_cases() -> dict[str, GoldenCase]:
    """All cases of the full set by id; empty where the set is not there."""
    if not GOLDEN.is_dir():
        return {}
    entries = json.loads((GOLDEN / "cases.json").read_text())
    with np.load(GOLDEN / "images.npz") as images:
        leaky = {name.removesuffix("__state_leak") for name in images.files if name.endswith("__state_leak")}
    return {
        e["id"]: GoldenCase(e["id"], tuple(e["args"]), (e["shape"][0], e["shape"][1]), e["id"] in leaky)
        for e in entries
    }


@functools.cache
def golden_image(name: str) -> np.ndarray:
    """One array of images.npz: `<id>`, `<id>__state_leak`, `<id>__noise`, `outputs__int`, `outputs__pgm`."""
    with np.load(GOLDEN / "images.npz") as images:
        image: np.ndarray = images[name]
        return image


@functools.cache
def committed_cases() -> dict[str, GoldenCase]:
    """The cases of the committed set by id."""
    entries = json.loads((COMMITTED / "cases.json").read_text())
    return {
        e["id"]: GoldenCase(e["id"], tuple(e["args"]), (e["shape"][0], e["shape"][1]), e["has_state_leak"])
        for e in entries
    }


@functools.cache
def committed_pixels(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices and values of the committed pixels of one image; the brightest of the image are among them."""
    with np.load(COMMITTED / "pixels.npz") as arrays:
        return arrays[f"{name}.at"], arrays[f"{name}.value"]


def sampled_image_faults(image: np.ndarray, name: str) -> str:
    """As image_faults, over the committed pixels of `name`."""
    at, value = committed_pixels(name)
    return image_faults(image.ravel()[at][None, :], value[None, :])


def image_faults(image: np.ndarray, golden: np.ndarray) -> str:
    """Empty when the image matches under tests/tolerances.py, else one line that says where it is worst."""
    if image.shape != golden.shape:
        return f"shape {image.shape}, golden {golden.shape}"
    got, want = image.astype(np.float64), golden.astype(np.float64)
    if not np.isfinite(got).all():
        return f"{int((~np.isfinite(got)).sum())} pixels are not finite"
    top = float(np.abs(want).max())
    faint = np.abs(want) < tol.IMAGE_FAINT * top
    allowed = np.where(faint, tol.IMAGE_FAINT_OF_MAX * top, tol.IMAGE_REL * np.abs(want))
    excess = np.abs(got - want) - allowed
    if (excess <= 0).all():
        return ""
    s, f = np.unravel_index(int(np.argmax(excess)), want.shape)
    return (
        f"{int((excess > 0).sum())} of {want.size} pixels differ, worst at (slow {s}, fast {f}): "
        f"{got[s, f]!r}, golden {want[s, f]!r}"
    )


_LINE = re.compile(r"^TRACE_(C|PY)(?:\[([^\]]*)\])?: (\S+) (.+)$")
Row = tuple[tuple[str, ...], str]


def parse_trace(text: str) -> dict[Row, tuple[float, ...]]:
    """{(keys as printed, name): numbers}. A second reader, independent of the harness's."""
    rows: dict[Row, tuple[float, ...]] = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            keys = tuple((match[2] or "").split())
            rows[(keys, match[3])] = tuple(float(word) for word in match[4].split())
    return rows


def traced_pixels(text: str) -> list[tuple[int, int]]:
    """The (slow, fast) pixels that a trace holds, in its order."""
    seen = dict.fromkeys(re.findall(r"\[spixel=(\d+) fpixel=(\d+)", text))
    return [(int(s), int(f)) for s, f in seen]


def trace_faults(text: str, golden_text: str, cells: float) -> list[str]:
    """What a trace gets wrong against a golden one (that may hold fewer names): missing, extra, beyond tolerance.

    `cells` is Na*Nb*Nc, the scale that lattice factors are compared with.
    """
    ours, golden = parse_trace(text), parse_trace(golden_text)
    if not golden:
        return ["the golden trace is empty"]
    names = {name for _, name in golden}
    scopes = {(name, tuple(k.split("=")[0] for k in keys)) for keys, name in golden}
    faults = [f"missing: {' '.join(k)} {n}" for k, n in golden if (k, n) not in ours]
    for keys, name in ours:
        shape = (name, tuple(k.split("=")[0] for k in keys))
        if name in names and shape in scopes and (keys, name) not in golden:
            faults.append(f"extra: {' '.join(keys)} {name}")
    for row, want in golden.items():
        got = ours.get(row)
        if got is None:
            continue
        if len(got) != len(want):
            faults.append(f"size: {row} {got} {want}")
            continue
        allowed = _allowed(row[1], want, cells)
        for g, w in zip(got, want, strict=True):
            if not abs(g - w) <= allowed:
                faults.append(f"{' '.join(row[0])} {row[1]}: {got}, golden {want}, allowed {allowed:.3g}")
                break
    return faults


def _allowed(name: str, want: tuple[float, ...], cells: float) -> float:
    if name in tol.TRACE_EXACT:
        return 0.0
    if tol.TRACE_SCALE.get(name) == "cells":
        return tol.TRACE_REL * abs(cells)
    return tol.TRACE_REL * math.hypot(*want)
