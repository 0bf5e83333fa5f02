"""The per-tick table on a terminal."""

from __future__ import annotations

import math
from pathlib import Path

from trace_parity.render.tick_text import tick_text

from tests.harness.conftest import Cli

ROWS = [
    {"i": 0, "t": n, "time": n / 8, "a_c": 1.0 + n, "a_py": 1.5 + n, "a_diff": 0.5}
    | {"same_c": 7.0, "same_py": 7.0, "same_diff": 0.0}
    | {"a_long_name_of_one_variable[2]_c": None if n else 2, "a_long_name_of_one_variable[2]_py": math.nan}
    | {"a_long_name_of_one_variable[2]_diff": None if n else math.nan}
    for n in range(3)
]


def test_variables_are_next_to_each_other_where_they_fit() -> None:
    lines = tick_text(ROWS, "t", 80)
    assert len(lines) == 7
    assert lines[0].split() == ["a", "a_long_name_of_one_variable[2]"]
    assert lines[1].split() == ["t", "time", *["C", "PY", "PY", "-", "C"] * 2]
    assert lines[2].split() == ["0", "0", "1", "1.5", "5.0e-01", "2", "nan", "nan"]
    assert lines[4].split() == ["2", "0.25", "3", "3.5", "5.0e-01", "-", "nan", "-"]
    assert lines[5:] == ["", "equal at every tick: same"]


def test_and_below_where_they_do_not() -> None:
    lines = tick_text(ROWS, "t", 50)
    assert max(map(len, lines)) <= 50
    assert [line.split() for line in lines if "a" in line.split() or "[2]" in line] == [
        ["a"],
        ["a_long_name_of_one_variable[2]"],
    ]
    assert len(lines) == 13


def test_rows_inside_another_loop_have_its_index_too(trace_diff: Cli, tmp_path: Path) -> None:
    """A loop that a variable is in alone and others are in together with a loop outside it."""
    for side, name in (("C", "c"), ("PY", "py")):
        lines = [f"TRACE_{side}[mos_tic={m}]: mosaic_umat 1 0 0 0 1 0 0 0 {m + 1}" for m in (0, 1)]
        lines += [
            f"TRACE_{side}[spixel=1 fpixel=2 phi_tic={t} mos_tic={m}]: hkl_frac {t} {m} {len(name)}"
            for t in (0, 1)
            for m in (0, 1)
        ]
        (tmp_path / f"{name}.log").write_text("\n".join(lines) + "\n")
    rows = trace_diff("table", "mos_tic", "c.log", "py.log", "--format", "csv").stdout.splitlines()
    assert rows[0].startswith("spixel,fpixel,phi_tic,mos_tic,mosaic_umat[0]_c,")
    places = [row.split(",")[:4] for row in rows[1:]]
    assert places == [["", "", "", m] for m in "01"] + [["1", "2", t, m] for t in "01" for m in "01"]
    head, _, *cells = trace_diff("table", "mos_tic", "c.log", "py.log", "-v").stdout.splitlines()
    assert head.startswith("| phi_tic | mos_tic | mosaic_umat[0]_c | ")
    assert [row.split(" | ")[0] for row in cells] == ["| -", "| -", "| 0", "| 0", "| 1", "| 1"]
