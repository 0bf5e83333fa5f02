"""Logs from a pipe and from standard input."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from tests.harness.conftest import Cli, as_py

COMMANDS = ("compare", "table phi_tic", "pair init --out pair")


@pytest.fixture
def logs(tmp_path: Path, supervisor_log: str) -> tuple[Path, Path]:
    c, py = tmp_path / "c.log", tmp_path / "py.log"
    c.write_text(supervisor_log)
    py.write_text(as_py(supervisor_log).replace("omega_pixel_final ", "omega_pixel_final 1"))
    return c, py


def piped(log: Path) -> Path:
    """A pipe that another thread writes the log to, once."""
    pipe = log.with_suffix(".pipe")
    os.mkfifo(pipe)
    Thread(target=lambda: pipe.write_bytes(log.read_bytes()), daemon=True).start()
    return pipe


@pytest.mark.parametrize("command", COMMANDS)
def test_two_pipes_are_read_like_files(command: str, trace_diff: Cli, logs: tuple[Path, Path], tmp_path: Path) -> None:
    name, *words = command.split()
    files = trace_diff(name, *words[:1], *logs, *words[1:])
    written = {path.name: path.read_text() for path in tmp_path.glob("pair/*.toml")}
    for path in tmp_path.glob("pair/*"):
        path.unlink()
    pipes = trace_diff(name, *words[:1], *map(piped, logs), *words[1:])
    assert pipes.returncode == files.returncode, pipes.stderr
    assert pipes.stdout.replace(".pipe", ".log").splitlines()[-1:] == files.stdout.splitlines()[-1:]
    assert written.keys() == {path.name for path in tmp_path.glob("pair/*.toml")}


def test_one_log_from_standard_input(trace_diff: Cli, logs: tuple[Path, Path], tmp_path: Path) -> None:
    c, py = logs
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    from_files = trace_diff("compare", c, py, "-q")
    done = trace_diff("compare", c, "-", "-q", input=py.read_text(), env=os.environ | {"TMPDIR": str(temporary)})
    assert (done.returncode, done.stdout, done.stderr) == (1, from_files.stdout, ""), from_files.stdout
    assert not list(temporary.iterdir())  # the copy is gone


def test_standard_input_is_one_log(trace_diff: Cli, logs: tuple[Path, Path]) -> None:
    for words in ("compare", "-", "-"), ("table", "phi_tic", "-", "-"):
        done = trace_diff(*words, input=logs[0].read_text())
        assert done.returncode == 2
        assert done.stderr.startswith("trace-diff: -: standard input is taken for two logs; expected one log from")
