"""The whole hint of mistakes in one component, in an input's storage, in a label, and of a neighbour in any loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.headline import cause_line

from tests.harness.test_blame_causes import hint_of
from tests.harness.test_blame_culprits import Change, as_py, printed
from tests.harness.test_blame_faults import Fault, Program, blame, in_single, introduced, single

DEGREES = 180 / math.pi
GOOD = Program("C").text()


def wavelength(x: dict[str, Any]) -> float:
    """That of a source of the small program, in metres."""
    return float(1.1e-10 * (1 + 0.01 * x["keys"]["source"]))


def of_the_one_before(loop: str) -> Fault:
    """At index 1 of a loop what the program had at index 0."""
    return lambda v, x: x["last"] if x["keys"][loop] == 1 else v


def transposed(v: Any) -> Any:
    return np.reshape(v, (3, 3)).T.ravel()


def in_float32_arithmetic(v: Any, x: dict[str, Any]) -> Any:
    return np.float64(np.float32(v * 0.3)) + np.float64(np.float32(v * 0.7))


ANGLE = "degrees for radians or radians for degrees"
ONE_MANY, ONE_FEW = (
    "one too many: one-based where zero-based is meant",
    "one too few: zero-based where one-based is meant",
)
HINTS: list[tuple[str, Fault, str]] = [
    ("hkl_rounded", lambda v, x: v + np.array([1, 0, 0]), f"component x {ONE_MANY}"),
    ("hkl_rounded", lambda v, x: v + np.array([0, 1, 0]), f"component y {ONE_MANY}"),
    ("hkl_rounded", lambda v, x: v - [0, 0, 1], f"component z {ONE_FEW}"),
    ("diffracted_vec", lambda v, x: v * [1, DEGREES, 1], f"component y times 57.2958: {ANGLE}"),
    ("scattering_vec_m_inv", lambda v, x: v / [1, 1, DEGREES], f"component z times 1/57.2958: {ANGLE}"),
    ("incident_vec", lambda v, x: v * [1, 1, DEGREES], f"component z times 57.2958: {ANGLE}"),
    (
        "scattering_vec_m_inv",
        lambda v, x: v * wavelength(x) / np.float64(np.float32(wavelength(x))),
        "fits with lambda_meters in float32: stored in single precision",
    ),
    (
        "scattering_vec_m_inv",
        in_float32_arithmetic,
        "off by 0.61 roundings of float32: float32 arithmetic before this",
    ),
    ("scattering_vec_m_inv", in_single, "these numbers are float32: a stage is done in single precision"),
    ("mosaic_umat", lambda v, x: transposed(v), "PY against C: the matrix is transposed"),
    (
        "rot_a_angstroms",
        lambda v, x: x["at"](x["v"], matrix=x["U"].T),
        "fits with mosaic_umat changed: the matrix is transposed",
    ),
    (
        "scattering_vec_m_inv",
        of_the_one_before("source"),
        "the value of the previous source: off by one tick",
    ),
    ("incident_vec", of_the_one_before("source"), "PY has C's value of the previous source: off by one tick"),
    ("hkl_frac", of_the_one_before("mos_tic"), "the value of the previous mos_tic: off by one tick"),
    ("F_latt_a", of_the_one_before("mos_tic"), "the value of the previous mos_tic: off by one tick"),
    ("R_distance_meters", of_the_one_before("subF"), "the value of the previous subF: off by one tick"),
]


@pytest.mark.parametrize(("name", "fault", "hint"), HINTS, ids=[f"{n} {h[0]}" for n, h in enumerate(HINTS)])
def test_what_is_computed(name: str, fault: Fault, hint: str) -> None:
    assert hint_of(name, fault) == hint


PRINTED: list[tuple[str, Change, str]] = [
    ("diffracted_vec", lambda v: v * np.array([1, DEGREES, 1]), f"component y times 57.2958: {ANGLE}"),
    ("mosaic_umat", transposed, "the matrix is transposed"),
]


@pytest.mark.parametrize(("name", "change", "hint"), PRINTED, ids=[p[0] for p in PRINTED])
def test_what_is_only_printed(name: str, change: Change, hint: str) -> None:
    found = blame(GOOD, printed(as_py(GOOD), name, change))
    assert introduced(found) == {("PY", name)}
    assert cause_line(found) == f"{name} of PY is wrong in print only: {hint}"


@pytest.mark.parametrize(
    ("halves", "where"),
    [
        (1, "half a sub-sample less on both axes: the corner of the sub-sample, not its centre"),
        (2, "one sub-sample (half a pixel) less on both axes"),
        (4, "a whole pixel less on both axes"),
    ],
)
def test_a_label_of_part_of_a_pixel_or_a_whole_one_is_harmless_and_a_value_is_not(halves: int, where: str) -> None:
    """Two sub-samples to a side of a pixel: `halves` of a sub-sample on both axes."""

    def moved(v: Any, x: dict[str, Any]) -> Any:
        return v - halves * (x["half_f"] + x["half_s"])

    computed = Program("PY", {"pixel_pos_meters": moved}).text()
    wrong = iter([line for line in computed.splitlines(keepends=True) if ": pixel_pos_meters " in line])
    lines = as_py(GOOD).splitlines(keepends=True)
    label = blame(GOOD, "".join(next(wrong) if ": pixel_pos_meters " in line else line for line in lines))
    assert introduced(label) == {("PY", "pixel_pos_meters")}
    assert cause_line(label) == f"pixel_pos_meters of PY is wrong in print only: {where}"
    value = single(blame(GOOD, computed), "pixel_pos_meters")
    assert (value.manner, value.hint) == ("computation", where)
    assert value.share == pytest.approx(1, abs=1e-6)


def test_of_final_values_that_are_apart_by_rounding_no_fault_has_a_share() -> None:
    """What a part of 1e-15 would be explained by is chance."""
    faults: dict[str, Fault] = {"F_latt": lambda v, x: -v, "I_pixel_final": lambda v, x: np.nextafter(v, 2 * v)}
    found = blame(GOOD, Program("PY", faults).text())
    assert single(found, "F_latt").hint == "the sign is wrong"
    assert [f.share for f in found.findings] == [None] * len(found.findings)
    assert cause_line(found) == ""
