"""`trace-diff` inside the process of the tests, and the shipped port forked from a server that has imported it.

A new interpreter takes 0.6 s of CPU time for each command, the import of PyTorch 2 s for each run of the port. Tests of
streams, signals, limits and environments start new processes, and so do those of the installed command.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.cli.main import main
from trace_parity.pair.find import shipped
from trace_parity.pair.programs import Program
from trace_parity.run import source_lines
from trace_parity.run.launch import Start
from trace_parity.run.prepared import Prepared
from trace_parity.run.warm import WarmPrograms
from trace_parity.trace import native
from trace_parity.user_cache import cache_folder

QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""What the interpreter ignores by default."""


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
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def shipped_port_stays_loaded() -> Iterator[None]:
    """Runs of the shipped port are forks of one server, as in a gate, where the environment is that of the tests."""
    environment = _environment()
    start_of = Prepared.start_of
    with WarmPrograms() as warm, pytest.MonkeyPatch.context() as patch:

        def forked(prepared: Prepared, program: Program) -> Start:
            is_ours = program == shipped().programs.sides.get(program.name)
            if prepared.warm is None and is_ours and _environment() == environment:
                prepared = replace(prepared, warm=warm)
            return start_of(prepared, program)

        patch.setattr(Prepared, "start_of", forked)
        yield


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
