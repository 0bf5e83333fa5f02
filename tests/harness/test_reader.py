from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import shipped
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace import TraceTable, read_trace, read_trace_lines

from tests.golden import SHARED, needs_shared


def read(text: str, side: str = "C") -> TraceTable:
    return read_trace_lines(text.splitlines(keepends=True), side, "log", shipped().vocabulary)


def only(table: TraceTable) -> dict[str, tuple[float, ...]]:
    found: dict[str, list[float]] = {}
    for row, number in table.rows.items():
        found.setdefault(row.variable, []).append(number.value)
    return {name: tuple(values) for name, values in found.items()}


def test_reads_trace_lines_amid_other_output() -> None:
    table = read(
        "nanoBragg simulator\nTRACE: not ours\nTRACE_CONFIG: tracing\n"
        "TRACE_C[spixel=685 fpixel=1039]: I_pixel_final 2.4647073117176019e-07\n 3% done\nTRACE_C: beam_vec 1 0 -0\n"
    )
    assert only(table) == {"pixel.I_pixel_final": (2.4647073117176019e-07,), "run.beam_vec": (1.0, 0.0, -0.0)}
    assert (table.lines, table.trace_lines, table.unreadable) == (6, 2, [])


@given(st.floats())
def test_17_digits_lose_nothing(x: float) -> None:
    (value,) = only(read(f"TRACE_C: distance_meters {x:.17g}\n"))["run.distance_meters"]
    assert struct.pack("d", value) == struct.pack("d", x) or (math.isnan(value) and math.isnan(x))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "TRACE_C_PHI phi_tic=1 phi_deg=0.01 k_frac=-0.59 F_latt_b=-0.65 F_latt=1.09",
            {"step.phi_deg": (0.01,), "step.hkl_frac": (-0.59,), "step.F_latt_b": (-0.65,), "step.F_latt": (1.09,)},
        ),
        ("TRACE_C:fdet_after_rotz=0.99 -0.006 -0.0001", {"run.fdet_after_rotz": (0.99, -0.006, -0.0001)}),
        (
            "TRACE_C:angles_rad=rotx:0 roty:1.5e-3",
            {"run.angles_rad.rotx": (0.0,), "run.angles_rad.roty": (0.0015,)},
        ),
        ("TRACE_C_TRICUBIC: [0,0,0]=127.89", {"run.TRICUBIC[0,0,0]": (127.89,)}),
        ("TRACE_C_TRICUBIC_H_COORDS: [-8.0, -7.0]", {"run.TRICUBIC_H_COORDS": (-8.0, -7.0)}),
        ("TRACE_C_TRICUBIC_GRID_START", {}),
        ("TRACE_C: polar 0.91", {"pixel.polar_final": (0.91,)}),
        ("TRACE_C: F_cell_nearest 190.27", {"step.F_cell": (190.27,)}),
    ],
)
def test_reads_the_older_forms(line: str, wanted: dict[str, tuple[float, ...]]) -> None:
    table = read(line + "\n")
    assert only(table) == wanted
    assert table.unreadable == []


def test_an_alias_may_name_one_component_in_another_unit(vocabulary: Vocabulary) -> None:
    table = read("TRACE_PY_PHI phi_tic=2 S_y=0.393 b_star_y=0.0104\n", "PY")
    key = vocabulary.key({"phi_tic": 2})
    assert table.value(key, "source.scattering_vec_m_inv", 1) == pytest.approx(3.93e9)
    assert table.value(key, "step.rot_b_star_A_inv", 1) == 0.0104
    assert table.aliased == {"S_y": "scattering_vec_m_inv[1]", "b_star_y": "rot_b_star_A_inv[1]"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("TRACE_C[spixel=1 fpixel=2]: I_pixel_final", "no form"),
        ("TRACE_C[spixel=1 fpixel=2]: I_pixel_final twelve", "'twelve' is not a number"),
        ("TRACE_C[spixel=1 fpi", "no form"),
        ("TRACE_C[spixel=1 xpixel=2]: steps 1", "unknown loop 'xpixel'"),
        ("TRACE_C[spixel=1 spixel=2]: steps 1", "occurs twice"),
        ("TRACE_C[spixel=-1]: steps 1", "not a loop index"),
        ("TRACE_C[]: steps 1", "empty brackets"),
        ("TRACE_C: steps 1 2x", "'2x' is not a number"),
        ("TRACE_C: steps 0x10", "not a number"),
        ("TRACE_C: steps 1_0", "not a number"),
        ("TRACE_C", "no form"),
        ("TRACE_C:fdet=", "has no value"),
    ],
)
def test_a_line_that_begins_like_a_trace_line_and_does_not_parse_is_an_error(
    line: str, why: str, tmp_path: Path, vocabulary: Vocabulary
) -> None:
    log = tmp_path / "c.log"
    log.write_text(f"hello\nTRACE_C: distance_meters 1\n{line}\n")
    with pytest.raises(HarnessError, match=f"c.log:3: .*{why}") as caught:
        read_trace(log, "C", vocabulary)
    assert caught.value.code == Exit.UNREADABLE
    table = read_trace(log, "C", vocabulary, lenient=True)
    assert [u.line for u in table.unreadable] == [3]
    assert only(table) == {"run.distance_meters": (1.0,)}


def test_a_value_that_stands_twice_must_be_the_same() -> None:
    assert read("TRACE_C: steps 1\nTRACE_C: steps 1\n").unreadable == []
    (bad,) = read("TRACE_C: steps 1\nTRACE_C: steps 2\n").unreadable
    assert "occurs twice" in bad.why


def test_both_sides_may_stand_in_one_log() -> None:
    text = "TRACE_C: distance_meters 1\nTRACE_PY: distance_meters 2\n"
    assert only(read(text, "C")) == {"run.distance_meters": (1.0,)}
    assert only(read(text, "PY")) == {"run.distance_meters": (2.0,)}


def test_a_log_of_the_other_side_is_taken_and_said(tmp_path: Path) -> None:
    table = read("TRACE_C: distance_meters 1\n", "PY")
    assert only(table) == {"run.distance_meters": (1.0,)}
    assert table.side == "PY"
    assert "other side" in table.notes["side"]


def test_a_missing_log_is_said_clearly(tmp_path: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(HarnessError, match="No such file") as caught:
        read_trace(tmp_path / "none.log", "C", vocabulary)
    assert caught.value.code == Exit.UNREADABLE


def test_a_last_line_without_newline_is_noticed() -> None:
    assert read("TRACE_C: steps 1").unterminated
    assert not read("TRACE_C: steps 1\n").unterminated
    assert not read("TRACE_C: steps 1\nbye").unterminated


@needs_shared
@pytest.mark.parametrize(
    ("name", "side", "numbers"),
    [
        ("20251008T212459Z_spec_baseline_c_trace_scaling.log", "C", 308),
        ("fix_20251008T231211Z_trace_py_scaling.log", "PY", 185),
        ("fix_20251008T231211Z_trace_py_scaling_per_phi.log", "PY", 110),
    ],
)
def test_every_trace_line_of_the_legacy_logs_is_read(
    name: str, side: str, numbers: int, vocabulary: Vocabulary
) -> None:
    path = SHARED / "legacy_logs" / name
    table = read_trace(path, side, vocabulary)
    begin = [
        line for line in path.read_text().splitlines() if line.startswith(("TRACE_C:", f"TRACE_{side}_", "TRACE_PY:"))
    ]
    without_side = [line for line in path.read_text().splitlines() if line.startswith("TRACE:") and "=" in line]
    prose = [line for line in without_side if line.endswith(":")]
    assert table.trace_lines == len(begin) + len(without_side) - len(prose)
    assert len(table.rows) == numbers
