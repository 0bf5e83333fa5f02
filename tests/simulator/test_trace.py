"""The lines of a trace: names, keys, order, numbers, and which pixels can be traced."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
import torch
from nanobragg_torch import ExperimentError, render, trace
from nanobragg_torch.trace_lines import KEYS, TRACE_NAMES, line, prefix

from tests import tolerances as tol
from tests.golden import parse_trace
from tests.simulator.small import experiment

LINE = re.compile(r"^TRACE_PY(\[((\w+)=\d+ ?)+\])?: [A-Za-z_]\w* \S+( \S+)*$")
LOOPS: dict[str, Any] = {
    "oversample": 2,
    "phi_start_deg": 1.0,
    "osc_deg": 1.0,
    "phisteps": 2,
    "mosaic_spread_deg": 0.4,
    "mosaic_domains": 3,
    "dispersion_fraction": 0.02,
    "dispersion_steps": 2,
    "thickness_um": 100.0,
    "thick_steps": 2,
}


def lines_of(pixels: list[tuple[int, int]], **changes: Any) -> list[str]:
    return list(trace(experiment(**changes), pixels).lines())


def test_every_name_is_printed_with_its_keys() -> None:
    lines = lines_of([(4, 5)], **LOOPS)
    assert all(LINE.match(text) for text in lines)
    printed = {(tuple(re.findall(r"(\w+)=", text)), text.split(": ")[1].split()[0]) for text in lines}
    assert printed == {(KEYS[scope], name) for scope, name, _ in TRACE_NAMES}


def test_lines_come_in_order_of_evaluation() -> None:
    """(loop indices, place in the table) never goes back, a scope's lines before those of the loops inside it."""
    lines = lines_of([(4, 5)], **LOOPS)
    order = {(KEYS[scope], name): place for place, (scope, name, _) in enumerate(TRACE_NAMES)}
    inner = []
    for text in lines:
        keys = tuple(re.findall(r"(\w+)=", text))
        counters = tuple(int(n) for n in re.findall(r"=(\d+)", text))
        if keys[:1] == ("spixel",) and len(keys) > 2:
            inner.append((counters, order[keys, text.split(": ")[1].split()[0]]))
    assert inner == sorted(inner)
    assert len(inner) == len(set(inner))
    scopes = [len(re.findall(r"(\w+)=", text)) for text in lines]
    assert [k for k, _ in itertools.groupby(scopes)][:2] == [0, 1]
    assert scopes[-1] == 2


def test_pixels_once_and_in_the_order_given() -> None:
    lines = lines_of([(4, 5), (0, 1), (4, 5)])
    seen = [match[0] for match in (re.findall(r"spixel=\d+ fpixel=\d+", text) for text in lines) if match]
    assert [key for key, _ in itertools.groupby(seen)] == ["spixel=4 fpixel=5", "spixel=0 fpixel=1"]
    assert len([text for text in lines if text.startswith("TRACE_PY: beam_vec")]) == 1


@pytest.mark.parametrize("pixels", [[(4, 5)], [(4, 5), (0, 1)], [(4, 5), (0, 1), (8, 10)]])
def test_values_do_not_depend_on_how_many_pixels_are_traced(pixels: list[tuple[int, int]]) -> None:
    alone = parse_trace("\n".join(lines_of([(4, 5)], **LOOPS)))
    together = parse_trace("\n".join(lines_of(pixels, **LOOPS)))
    assert {row: together[row] for row in alone} == alone


def test_the_trace_ends_in_the_pixel() -> None:
    e = experiment(**LOOPS)
    rows = parse_trace("\n".join(trace(e, [(4, 5)]).lines()))
    image = render(e)
    keys = ("spixel=4", "fpixel=5")
    assert rows[keys, "I_pixel_final"] == (image[4, 5].item(),)
    assert rows[keys, "floatimage_accumulated"] == (image[4, 5].to(torch.float32).item(),)
    assert rows[keys, "steps"] == (2 * 3 * 2 * 4,)
    last = (*keys, "thick_tic=1", "subS=1", "subF=1", "source=1", "phi_tic=1", "mos_tic=2")
    assert rows[last, "I_running"][0] == pytest.approx(rows[keys, "I_before_scaling"][0], rel=1e-12)


def test_the_first_value_stands_for_the_pixel() -> None:
    """quirk first-value: what is printed, and used, is the value in force, unless it is oversampled."""
    rows = parse_trace("\n".join(lines_of([(2, 7)], **LOOPS)))
    assert len({value for (_, name), value in rows.items() if name == "polar"}) == 1
    assert len({value for (_, name), value in rows.items() if name == "omega_pixel_sr"}) == 1
    assert len({value for (_, name), value in rows.items() if name == "capture_fraction"}) == 2  # one of each layer
    last = ("spixel=2", "fpixel=7", "thick_tic=1", "subS=0", "subF=0")
    assert rows[last, "capture_fraction"] == rows[last[:2], "capture_fraction_final"]
    switches = {"oversample_polar": True, "oversample_omega": True, "oversample_thick": True}
    rows = parse_trace("\n".join(lines_of([(2, 7)], **LOOPS, **switches)))
    assert len({value for (_, name), value in rows.items() if name == "polar"}) > 4
    assert len({value for (_, name), value in rows.items() if name == "omega_pixel_sr"}) == 8
    assert len({value for (_, name), value in rows.items() if name == "capture_fraction"}) == 8


def test_each_step_is_consistent_in_itself() -> None:
    """h = a·q, F_latt = product of its factors, a·a* = 1, in the printed numbers."""
    rows = parse_trace("\n".join(lines_of([(4, 5)], **LOOPS)))
    steps = {keys for keys, name in rows if name == "hkl_frac"}
    assert len(steps) == 2 * 4 * 2 * 6
    for keys in steps:
        q = np.array(rows[keys[:6], "scattering_vec_m_inv"])
        for axis, index in zip("abc", rows[keys, "hkl_frac"], strict=True):
            real = np.array(rows[keys, f"rot_{axis}_angstroms"])
            assert real @ q * 1e-10 == pytest.approx(index, rel=tol.TRACE_REL, abs=tol.TRACE_REL)
            assert abs(real @ np.array(rows[keys, f"rot_{axis}_star_A_inv"]) - 1) <= tol.DUALITY
        factors = [rows[keys, f"F_latt_{axis}"][0] for axis in "abc"]
        assert np.prod(factors) == pytest.approx(rows[keys, "F_latt"][0], rel=1e-12)


def test_factors_per_axis_are_of_the_square_shape_alone() -> None:
    assert not any("F_latt_a" in text for text in lines_of([(4, 5)], shape="round"))


def test_a_skipped_source_ends_before_it_is_polarised() -> None:
    rows = parse_trace("\n".join(lines_of([(0, 0)], dmin_A=12.0)))
    keys = ("spixel=0", "fpixel=0")
    assert rows[keys, "I_pixel_final"] == (0.0,)
    assert rows[keys, "polar_final"] == (0.0,)
    names = {name for _, name in rows}
    assert "scattering_vec_m_inv" in names
    assert not names & {"polar", "hkl_frac", "I_running"}


def test_integers_are_printed_as_integers() -> None:
    lines = lines_of([(4, 5)])
    assert "TRACE_PY: N_cells 5 6 7" in lines
    rounded = [text for text in lines if ": hkl_rounded " in text]
    assert rounded
    assert all(re.search(r"hkl_rounded( -?\d+){3}$", text) for text in rounded)


def test_mosaic_matrices_are_rotations_the_first_the_identity() -> None:
    lines = [text for text in lines_of([(4, 5)], **LOOPS) if "mosaic_umat" in text]
    assert lines[0] == "TRACE_PY[mos_tic=0]: mosaic_umat 1 0 0 0 1 0 0 0 1"
    assert [text[:18] for text in lines] == [f"TRACE_PY[mos_tic={i}" for i in range(3)]
    for text in lines:
        umat = np.array([float(word) for word in text.split()[2:]]).reshape(3, 3)
        assert np.allclose(umat @ umat.T, np.eye(3), atol=1e-14)


def test_names_that_are_not_in_the_table_raise() -> None:
    with pytest.raises(KeyError):
        line("step", "F_lattice", prefix("step", (0,) * 8), [1.0])
    with pytest.raises(ValueError, match="numbers"):
        line("run", "beam_vec", prefix("run", ()), [1.0])
    with pytest.raises(ValueError, match="counters"):
        prefix("pixel", (1,))
    traced = trace(experiment(), [(4, 5)])
    with pytest.raises(KeyError, match="F_lattice"):
        traced.keep("step", "F_lattice", (0, 0, 0, 0), torch.zeros(1, 1))


def test_non_finite_numbers_are_spelled() -> None:
    at = prefix("pixel", (1, 2))
    text = [line("pixel", "I_pixel_final", at, [value]) for value in (float("nan"), float("inf"), float("-inf"))]
    assert [t.split()[-1] for t in text] == ["nan", "inf", "-inf"]


@pytest.mark.parametrize(
    ("pixel", "match"), [((9, 0), "off"), ((0, -1), "off"), ((0, 0), "outside"), ((4, 4), "masked")]
)
def test_pixels_that_are_not_rendered_are_refused(pixel: tuple[int, int], match: str) -> None:
    mask = np.ones((9, 11), dtype=np.uint16)
    mask[4, 4] = 0
    with pytest.raises(ExperimentError, match=match):
        trace(experiment(roi=(1, 10, 1, 8), mask=mask), [pixel])
    with pytest.raises(ExperimentError, match="no pixel"):
        trace(experiment(), [])
