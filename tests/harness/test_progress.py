"""Bars of progress on a terminal; the bar of what is compiled follows its estimate."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest
from trace_parity.cli.progress import stages


class Terminal(io.StringIO):
    """Standard error as a command finds it in a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def shown(monkeypatch: pytest.MonkeyPatch, words: str, wait_s: float) -> str:
    """What a stage prints in which a program compiles for so long."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with stages() as stage, stage("the port renders") as progress:
        progress(words)
        time.sleep(wait_s)
        progress(40)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_an_estimate_moves_the_bar_and_ends_with_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, "compiling kernels (once on this machine, about 2 s): forward float64", 0.5)
    percents = [int(p) for p in re.findall(r"compiling kernels \(once, about 2 s\) +[━╸╺ ]+ +(\d+)%", text)]
    assert percents == sorted(percents)
    assert any(0 < percent < 95 for percent in percents)
    assert percents[-1] == 100
    assert "the port renders" in text


def test_an_estimate_that_is_too_short_stays_below_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, "compiling kernels (about 0 s)", 0.3)
    percents = [int(p) for p in re.findall(r"compiling kernels \(once, about 0 s\) +[━╸╺ ]+ +(\d+)%", text)]
    assert percents[-1] == 100


def test_no_estimate_makes_no_percents(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, "compiling something", 0.3)
    assert "compiling kernels (once)" in text


def test_a_pipe_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with stages() as stage, stage("the port renders") as progress:
        progress("compiling kernels (once on this machine, about 10 s): forward float64")
        progress(40)
    assert capsys.readouterr().err.splitlines() == [
        "the port renders …",
        "the port renders: compiling kernels (once on this machine, about 10 s): forward float64",
    ]
