"""The plots of a pair whose vocabulary names no table: the first divergence along its innermost loop."""

from __future__ import annotations

from pathlib import Path

import trace_parity as tp

VOCABULARY = """title = "atoms"
loops = ["step", "i"]
[scopes]
run = { loops = [] }
atom = { loops = ["step", "i"] }
[variables]
n = { scope = "run" }
r = { scope = "atom", size = 2 }
"""
PAIR = """title = "atoms"
[programs.C]
trace = "false {args}"
[programs.PY]
trace = "false {args}"
"""


def logs(folder: Path, wrong: str) -> tuple[Path, Path]:
    lines = [f"TRACE_C[step={s} i={i}]: r {s + i} {s * i}" for s in range(2) for i in range(3)]
    c = "\n".join(["TRACE_C: n 3", *lines]) + "\n"
    (folder / "pair.toml").write_text(PAIR)
    (folder / "vocabulary.toml").write_text(VOCABULARY)
    (folder / "c.log").write_text(c)
    (folder / "py.log").write_text(c.replace(wrong, wrong + ".5").replace("TRACE_C", "TRACE_PY"))
    return folder / "c.log", folder / "py.log"


def test_the_first_divergence_is_followed_along_its_loop(tmp_path: Path) -> None:
    result = tp.compare(*logs(tmp_path, "[step=1 i=2]: r 3"), pair=str(tmp_path))
    assert (result.tick_loop, result.tick_title) == ("i", "Per i, at the first divergence")
    assert [(row["step"], row["i"], row["r[0]_diff"]) for row in result.per_tick] == [(1, 0, 0), (1, 1, 0), (1, 2, 0.5)]
    assert set(result.per_tick[0]) >= {"r[1]_c", "r[1]_py"}
    page = tmp_path / "page.html"
    result.write_html(page)
    text = page.read_text()
    assert text.index('id="verdict"') < text.index('id="ticks"') < text.index('id="first"')
    assert "ticks.csv" not in text


def test_a_value_of_the_whole_run_has_no_ticks(tmp_path: Path) -> None:
    result = tp.compare(*logs(tmp_path, "TRACE_C: n 3"), pair=str(tmp_path))
    assert result.first_divergence is not None
    assert result.per_tick == ()


def test_parity_has_no_ticks(tmp_path: Path) -> None:
    assert tp.compare(*logs(tmp_path, "nothing"), pair=str(tmp_path)).per_tick == ()
