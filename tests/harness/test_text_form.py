"""The verdict on a terminal: the place once, the verdict last, on a screen of 24 lines of 80 columns."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from trace_parity.render.fold import fold
from trace_parity.render.text_form import render

from tests.harness.conftest import Cli, as_py
from tests.harness.snapshots.results import RESULTS
from tests.in_process import call

FORMS = ("markdown", "github", "junit", "sarif", "step-summary")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, supervisor_log: str, leaky_log: str) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("logs")
    c, py = folder / "c.log", folder / "py.log"
    c.write_text(supervisor_log)
    py.write_text(as_py(leaky_log))
    return c, py


@pytest.fixture(scope="module")
def printed(logs: tuple[Path, Path]) -> dict[str, str]:
    """What `compare` prints with -v, -q and neither, and what it writes in each of FORMS."""
    folder, names = logs[0].parent, [log.name for log in logs]
    forms = ["--format=text", *(f"--format={form}:{form}" for form in FORMS)]
    given = {"": forms, "-q": ["-q"], "-v": ["-v"]}
    texts = {option: call(["compare", *names, *words], folder).stdout for option, words in given.items()}
    return texts | {form: (folder / form).read_text() for form in FORMS}


def on_a_terminal(words: list[str], cwd: Path, columns: int = 80) -> list[str]:
    """What a terminal with this number of columns gets on standard output."""
    parent, child = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24"}
    done = subprocess.Popen([sys.executable, "-m", "trace_parity", *words], cwd=cwd, stdout=child, env=environment)
    os.close(child)
    got = b""
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:
            break
        if not piece:
            break
        got += piece
    done.wait()
    os.close(parent)
    return got.decode().replace("\r\n", "\n").splitlines()


def test_a_divergence_fits_on_a_screen_and_ends_with_the_verdict(logs: tuple[Path, Path]) -> None:
    lines = on_a_terminal(["compare", "c.log", "py.log"], logs[0].parent)
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("DIVERGENCE  compare: first at rot_a_angstroms[1]; 28 of 318 numbers differ")
    assert "wrong:  PY, in rot_a_angstroms" in "\n".join(lines)
    assert any(line.startswith("next:   ") for line in lines)


def test_the_place_is_printed_once(printed: dict[str, str]) -> None:
    place = "spixel=685 fpixel=1039 phi_tic=0"
    assert f"`{place}`" in printed["markdown"]
    assert "thick_tic=" not in printed["markdown"].replace("thick\\_tic", "thick_tic"), "a loop with one iteration"
    for form in ("github", "junit", "sarif", "step-summary"):
        assert "phi_tic=0" in printed[form], form
        assert "thick_tic=" not in printed[form], form
    for option in ("", "-v"):
        text = printed[option]
        assert text.count(place) == 1, text
        assert text.splitlines()[1] == f"place: {place}"
        assert "thick_tic=" not in text, "a loop with one iteration"


def test_another_place_is_told_by_what_differs(
    trace_diff: Cli, logs: tuple[Path, Path], supervisor_log: str, tmp_path: Path
) -> None:
    text = as_py(supervisor_log)
    for tick in ("phi_tic=2", "phi_tic=7"):
        start = text.index(" F_cell ", text.index(f"{tick} mos_tic=0]: F_cell"))
        text = text[:start] + " F_cell 9" + text[start + 9 :]
    changed = tmp_path / "py.log"
    changed.write_text(text)
    said = trace_diff("compare", logs[0], changed).stdout
    assert "phi_tic=2" in said.splitlines()[1]
    assert said.count("spixel=685") == 1


def test_more_and_less(trace_diff: Cli, logs: tuple[Path, Path], printed: dict[str, str]) -> None:
    quiet, screen, full = (printed[option] for option in ("-q", "", "-v"))
    assert quiet.splitlines() == screen.splitlines()[-1:] == full.splitlines()[-1:]
    assert "I_before_scaling: inherited" in full
    assert "I_before_scaling: inherited" not in screen
    both = trace_diff("compare", *logs, "-q", "-v")
    assert (both.returncode, both.stderr) == (2, "trace-diff: both -v and -q; expected one of them\n")


def test_a_pipe_gets_whole_lines_and_a_terminal_broken_ones() -> None:
    text = render(RESULTS["quirk"]())
    assert max(map(len, text.splitlines())) > 80
    assert max(map(len, fold(text, 80).splitlines())) <= 80
    assert " ".join(fold(text, 80).split()) == " ".join(text.split())
    assert fold("  differ  " + "word " * 30, 40).splitlines()[1].startswith(" " * 10 + "word")
