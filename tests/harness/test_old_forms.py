"""Lines without a side, blocks without an index, named blocks with keys, logs of different places: how they end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trace_parity.pair.find import shipped
from trace_parity.trace import read_trace, read_trace_lines

from tests.harness.conftest import Cli
from tests.harness.test_readable_logs import ends

VOCABULARY = shipped().vocabulary
SIDELESS = "TRACE: a_vec = [1, 2, 3] |a_vec| = 3.7\nTRACE: V_cell = 12.5\n"
BY_PLACE = {"sides": ("C", "PY")}


def block(side: str, number: int, more: str = "") -> str:
    """What an instrumented run prints per sub-pixel."""
    lines = [f"pixel_pos_meters 0.1 {number} 0.3", f"hkl_frac 1.{number} 2.{number} 3", f"F_latt {number}.5{more}"]
    return "".join(f"TRACE_{side}: {line}\n" for line in lines)


def oversampled(side: str, count: int, wrong: int = -1) -> str:
    """A run of `count` sub-pixels without an index; the number of one of them may be another."""
    blocks = "".join(block(side, n, "7" if n == wrong else "") for n in range(count))
    return f"TRACE_{side}: beam_vec 1 0 0\n{blocks}TRACE_{side}: I_pixel_final 3e-7\n"


PROSE = """TRACE: Raw matrix values from file:
TRACE:   a_star (raw) = [-0.0283771, -0.0287139, 0.0105005]
TRACE:   lambda0 = 0.9768 Angstroms
TRACE:   scaling factor = 1e-10/lambda0 = 1.02375
TRACE:   V_star = a_star . (b_star x c_star) = 4.05149e-05
TRACE: Direct-space cell volume: V_cell = 1/V_star = 24682.3
TRACE:   V_cell = 24682.3, V_star = 4.05149e-05
TRACE:   Before conversion: b = [-11.4987, 0.71732, -29.1132] |b| = 31.31 Angstroms
TRACE: Copying vectors to a0, b0, c0 (phi=0 mosaic=0 reference):
"""
SAME = "TRACE_{}: steps 1\n"
BLOCK = "TRACE_{}_TAP4: pixel 0 {} subpixel 0 0 source 0 h -7.{}\n"
CASES: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "no side, taken from the other lines": (SIDELESS + SAME, SIDELESS + SAME, {}, 0, "all 6 numbers"),
    "no side, another number": (SIDELESS + SAME, SIDELESS.replace("12.5", "12.6") + SAME, {}, 1, "first at V_cell"),
    "no side, another length": (SIDELESS + SAME, SIDELESS.replace("3.7", "3.8") + SAME, {}, 1, "first at |a_vec|"),
    "no side at all": (SIDELESS, SIDELESS, {}, 6, "--sides C,PY"),
    "no side at all, by place": (SIDELESS, SIDELESS, BY_PLACE, 0, "all 5 numbers"),
    "no side at all, by place, another number": (SIDELESS, SIDELESS.replace("2, 3", "2, 4"), BY_PLACE, 1, "a_vec[2]"),
    "no side beside both": (SIDELESS + "TRACE_C: x 1\nTRACE_PY: x 1\n", SAME, {}, 5, "2 lines with TRACE: in place of"),
    "no side, unreadable": ("TRACE: V_cell = 1,5\n" + SAME, SAME, {}, 5, "decimal comma"),
    "messages of a level TRACE": ("TRACE: step 3 started\nTRACE: connecting\n" + SAME, SAME, {}, 0, "the only number"),
    "4 blocks": (oversampled("C", 4), oversampled("PY", 4), {}, 0, "all 32 numbers"),
    "9 blocks": (oversampled("C", 9), oversampled("PY", 9), {}, 0, "all 67 numbers"),
    "4 blocks, one differs": (oversampled("C", 4), oversampled("PY", 4, 2), {}, 1, "F_latt (subS=1 subF=0)"),
    "3 blocks": (oversampled("C", 3), oversampled("PY", 3), {}, 5, "its blocks are 3 times without an index"),
    "4 blocks against one": (oversampled("C", 4), oversampled("PY", 1), {}, 5, "1 to 4 times without an index"),
    "4 blocks against 9": (oversampled("C", 4), oversampled("PY", 9), {}, 5, "4 to 9 times without an index"),
    "named blocks": (BLOCK.format("{}", 0, 9), BLOCK.format("{}", 0, 9), {}, 0, "the only number"),
    "named blocks, another number": (BLOCK.format("{}", 0, 9), BLOCK.format("{}", 0, 8), {}, 1, "fpixel=0 subS=0"),
    "named blocks of two places": (BLOCK.format("{}", 0, 9), BLOCK.format("{}", 1, 9), {}, 6, "no place in common"),
    "named blocks with keys": ("TRACE_{}_X: pixel=(0,1) h=1\n", "TRACE_{}_X: pixel=(0,1) h=2\n", {}, 1, "fpixel=1"),
    "too few indices": ("TRACE_{}_X: pixel 0 h 1\n", "TRACE_{}_X: pixel 0 h 1\n", {}, 5, "has 1 indices, not 2"),
    "different pixels, the same otherwise": (
        "TRACE_{}: beam_vec 1 0 0\nTRACE_{}[spixel=1 fpixel=2]: steps 1\n",
        "TRACE_{}: beam_vec 1 0 0\nTRACE_{}[spixel=1 fpixel=3]: steps 1\n",
        {},
        6,
        "not everything was compared: the logs have no place in common: C begins at spixel=1 fpixel=2",
    ),
    "different cases": (
        "TRACE_{}: beam_vec 1 0 0\nTRACE_{}[spixel=1 fpixel=2]: steps 1\n",
        "TRACE_{}: beam_vec 1 0 1\nTRACE_{}[spixel=1 fpixel=3]: steps 1\n",
        {},
        1,
        "the logs have no place in common",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_as_it_should(tmp_path: Path, name: str) -> None:
    c, py, how, code, words = CASES[name]
    ended, said, _ = ends(tmp_path, c.replace("{}", "C"), py.replace("{}", "PY"), **how)
    assert (ended, words in said) == (code, True), said
    if words.startswith("the logs"):
        assert said.startswith(words)


def test_numbered_blocks_are_said(tmp_path: Path) -> None:
    result = ends(tmp_path, oversampled("C", 4), oversampled("PY", 4))[2]
    assert result is not None
    assert result.logs["PY"].notes["repeats"] == (
        "4 blocks without an index are numbered by subS, subF in the order of the log"
    )


def test_numbered_blocks_go_into_columns(trace_diff: Cli, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "c.log").write_text(oversampled("C", 4))
    (tmp_path / "py.log").write_text(oversampled("PY", 4, 3))
    first = trace_diff("compare", "c.log", "py.log", "--columns", "rows.parquet")
    again = trace_diff("compare", "rows.parquet", "rows.parquet")
    assert (first.returncode, again.returncode) == (1, 1)
    assert "1 of 32 numbers differ" in again.stdout
    assert "subS=1 subF=1" in again.stdout


def test_a_log_read_alone_takes_lines_without_a_side(tmp_path: Path) -> None:
    (tmp_path / "py.log").write_text(SIDELESS + "TRACE_PY: steps 1\n")
    table = read_trace(tmp_path / "py.log", "PY", VOCABULARY)
    assert sorted({row.variable.rpartition(".")[2] for row in table.rows}) == ["V_cell", "a_vec", "steps", "|a_vec|"]


def test_prose_with_values_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text(PROSE + "TRACE_C: steps 1\n")
    table = read_trace(tmp_path / "c.log", "C", VOCABULARY)
    found = {row.variable.rpartition("unlisted.")[2].partition(".")[2]: n.value for row, n in table.rows.items()}
    assert found == {
        "a_star_raw": 0.0105005,
        "lambda0": 0.9768,
        "scaling_factor": 1.02375,
        "V_star": 4.05149e-05,
        "direct_space_cell_volume.V_cell": 24682.3,
        "V_cell": 24682.3,
        "before_conversion.b": -29.1132,
        "before_conversion.|b|": 31.31,
        "steps": 1.0,
    }


def test_without_a_side_nothing_is_taken() -> None:
    assert read_trace_lines(SIDELESS.splitlines(keepends=True), "C", "log", VOCABULARY).rows == {}
