"""The per-tick table on a terminal."""

from __future__ import annotations

import math

from trace_parity.render.tick_text import tick_text

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
