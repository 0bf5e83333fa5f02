"""Logs that fit no pair: read as every log is, and never under the installed pair's vocabulary."""

from __future__ import annotations

import codecs
import gzip
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.compare.windows import block_depth
from trace_parity.pair.find import find_pair, shipped
from trace_parity.trace.infer import fits, observe

from tests.golden import ROOT
from tests.harness.conftest import Cli

LOG = "".join(
    f"TRACE_C[step={step} i={i}]: pos {step + 1.5} {i + 0.25} 2\nTRACE_C[step={step} i={i}]: mass 2.5\n"
    for step in range(2)
    for i in range(3)
)


def as_list(text: str) -> str:
    return text.replace(".5 ", ".5, ").replace("25 2\n", "25, 2]\n").replace("pos ", "pos [")


SAVED: dict[str, Callable[[str], bytes]] = {
    "gzip": lambda text: gzip.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "UTF-16": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "a byte order mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "a prefix": lambda text: text.replace("TRACE_", "2026-01-02 10:11:12 INFO TRACE_").encode(),
    "a progress bar": lambda text: text.replace("TRACE_", "  3% done\rTRACE_").encode(),
    "lists": lambda text: as_list(text).encode(),
}


@pytest.mark.parametrize("how", SAVED)
def test_loops_and_names_are_read_off_any_log(how: str, tmp_path: Path) -> None:
    (tmp_path / "plain.log").write_text(LOG)
    (tmp_path / "saved.log").write_bytes(SAVED[how](LOG))
    plain, saved = (observe(tmp_path / name, tmp_path / name).tables() for name in ("plain.log", "saved.log"))
    assert [v["name"] for v in plain["variables"]] == ["pos", "mass"]
    assert [v["size"] for v in plain["variables"]] == [3, 1]
    assert plain["loops"] == ["step", "i"]
    assert saved == plain
    assert not fits(shipped().vocabulary, tmp_path / "saved.log")


def test_every_command_takes_what_the_logs_tell(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log.gz").write_bytes(gzip.compress(LOG.encode()))
    port = LOG.replace("TRACE_C", "TRACE_PY").replace("mass 2.5\n", "mass 2.75\n")
    (tmp_path / "py.log").write_bytes(codecs.BOM_UTF16_LE + port.encode("utf-16-le"))
    note = "note: no pair's vocabulary matches the logs: loops and order are taken from c.log.gz"
    done = trace_diff("compare", "c.log.gz", "py.log")
    assert (done.returncode, note in done.stderr) == (1, True)
    assert "first at mass; 6 of 24 numbers differ" in done.stdout
    done = trace_diff("table", "step", "--c", "c.log.gz", "--py", "py.log")
    assert (done.returncode, note in done.stderr) == (2, True)
    assert "no variable is in loop 'step'" in done.stderr
    done = trace_diff("table", "i", "--c", "c.log.gz", "--py", "py.log")
    assert (done.returncode, note in done.stderr) == (0, True)
    assert "mass_diff" in done.stdout
    done = trace_diff("blame", "c.log.gz", "py.log")
    assert (done.returncode, note in done.stderr) == (6, True)
    assert "there are no equations" in done.stderr


@pytest.mark.parametrize(
    ("c", "py", "code"),
    [
        ("Rx [1 0 0; 0 1 0; 0 0 1]", "Rx [1 0 0; 0 1 0; 0 0 1.5]", 1),
        ("Rx [1 0 0; 0 1 0; 0 0 1]", "Rx [1 0 0; 0 1 0; 0 0 1]", 0),
        ("angles_rad rotx:0 roty:0", "angles_rad rotx:0 roty:0.1", 1),
        ("convention MOSFLM", "convention MOSFLM", 0),
        ("convention MOSFLM", "convention XDS", 1),
        ("x = [1, 2, 3] |x| = 3.7", "x = [1, 2, 3] |x| = 3.7", 0),
        ("x = [1, 2, 3] |x| = 3.7", "x = [1, 2, 3] |x| = 3.8", 1),
    ],
)
def test_a_log_of_one_line_in_no_loop(c: str, py: str, code: int, trace_diff: Cli, tmp_path: Path) -> None:
    """Text is compared as text, and a name has the size of its own numbers, not of what follows them."""
    (tmp_path / "c.log").write_text(f"TRACE_C: {c}\n")
    (tmp_path / "py.log").write_text(f"TRACE_PY: {py}\n")
    assert trace_diff("compare", "c.log", "py.log").returncode == code


def test_sites_go_as_deep_as_the_focus() -> None:
    nanobragg, atoms = shipped().vocabulary, find_pair(str(ROOT / "examples" / "pairs" / "lennard_jones")).vocabulary
    assert (nanobragg.focus, nanobragg.site_depth) == (("spixel", "fpixel"), 2)
    assert atoms.loops == ("step", "i", "j")
    depths = [replace(atoms, focus=focus).site_depth for focus in ((), ("step",), ("i",), ("i", "j"))]
    assert depths == [2, 1, 2, 3]
    assert block_depth(nanobragg) == 2
    assert block_depth(atoms) == 1  # forces and both kicks run through the atoms of one step in turn


@pytest.mark.parametrize("last", ["TRACE_PY[i=1", "TRACE_PY[i=1]: x", "TRACE_PY[i=1]:", "TRACE_PY[i=1: x 2\n"])
def test_a_log_that_is_cut_off_is_not_taken_for_an_older_form(last: str, trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text("TRACE_C[i=0]: x 1\nTRACE_C[i=1]: x 2\n")
    (tmp_path / "py.log").write_text(f"TRACE_PY[i=0]: x 1\n{last}")
    done = trace_diff("compare", "c.log", "py.log")
    why = "no form of a trace line fits" if last.endswith("\n") else "the log is truncated in this line"
    assert (done.returncode, f"trace-diff: py.log:2: {why}" in done.stderr) == (5, True), done.stderr
