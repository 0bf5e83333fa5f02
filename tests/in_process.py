"""`trace-diff` inside the process of the tests, and its ports forked from a server that has imported PyTorch.

A new interpreter takes 0.6 s of CPU time for each command, the import of PyTorch 2 s for each run of a port. Tests of
streams, signals, limits and environments start new processes, and so do those of the installed command.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from trace_parity.cli.main import main
from trace_parity.pair.find import shipped
from trace_parity.pair.programs import Program, Programs
from trace_parity.run import launch, source_lines
from trace_parity.run.launch import Process, Start, python
from trace_parity.run.warm import WarmPrograms
from trace_parity.trace import native
from trace_parity.user_cache import cache_folder

HERE = Path(__file__).parent
QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""What the interpreter ignores by default."""


def shell(command: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """What a command line prints in a folder: one of `trace-diff` in this process, all others by bash."""
    words = shlex.split(command)
    if words[0] == "trace-diff" and not set(command) & set("|&;<>$*`"):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            return call(words[1:], folder)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **env}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def call(words: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """What `trace-diff WORDS` prints in a folder, and its exit code."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2))
    for cached in (cache_folder, native.library, source_lines._found):
        cached.cache_clear()
    handler = signal.getsignal(signal.SIGTERM)
    code: object = None
    try:
        with (
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
            _warnings_printed(),
        ):
            patch.setattr(sys, "argv", ["trace-diff", *words])
            try:
                main()
            except SystemExit as end:
                code = end.code
    finally:
        signal.signal(signal.SIGTERM, handler)
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    assert isinstance(code, int)
    return subprocess.CompletedProcess(["trace-diff", *words], int(code), *texts)


@contextlib.contextmanager
def _warnings_printed() -> Iterator[None]:
    """Warnings go to standard error, as in a process of its own."""

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        print(warnings.formatwarning(message, category, filename, lineno), end="", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in QUIET:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


@contextlib.contextmanager
def ports_are_forked() -> Iterator[None]:
    """Python programs that a run starts are forks of a server that has imported PyTorch: see tests/preloaded.py."""
    environment = {"PYTHONPATH": str(HERE)}
    trace = ("{python}", "-m", "preloaded")
    port = replace(
        shipped().programs.sides["PY"], name="preloaded", worker="preloaded:main", env=environment, trace=trace
    )
    at_import = _of_interpreter(os.environ)
    with WarmPrograms() as warm, pytest.MonkeyPatch.context() as patch:

        def start(command: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int]) -> Process:
            wanted = {**os.environ, **env}
            is_python = command[0] == python() and (command[1] == "-m" or command[1].endswith(".py"))
            if not is_python or _of_interpreter(wanted) != at_import:
                return launch.start_process(command, cwd, env, streams)
            asked = [command[0], "preloaded", json.dumps(wanted), *command[1:]]
            return warm.start_of(port)(asked, cwd, env, streams)

        patch.setattr("trace_parity.run.prepared.start_process", start)
        patch.setattr("trace_parity.run.engine.WarmPrograms", partial(_Gate, start))
        *others, _ = launch.run_program.__defaults__ or ()
        patch.setattr(launch.run_program, "__defaults__", (*others, start))
        yield


class _Gate(WarmPrograms):
    """The programs of a gate or sweep: `start` starts the shipped port, which needs no server of its own then."""

    def __init__(self, start: Start) -> None:
        super().__init__()
        self._start = start

    def load(self, programs: Programs) -> None:
        others = {name: side for name, side in programs.sides.items() if not _is_shipped(side)}
        super().load(replace(programs, sides=others))

    def start_of(self, program: Program) -> Start:
        return self._start if _is_shipped(program) else super().start_of(program)


def _is_shipped(program: Program) -> bool:
    shipped_port = shipped().programs.sides["PY"]
    return (program.folder, program.worker) == (shipped_port.folder, shipped_port.worker)


def _of_interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are read when Python and PyTorch start."""
    names = ("PYTHON", "OMP_", "MKL_", "LD_", "TORCH")
    return {name: value for name, value in environment.items() if name.startswith(names)}
