"""A run on a terminal says that the port compiles its kernels, next to the bars of progress."""

from __future__ import annotations

import os
import pty
import re
import sys
from pathlib import Path

import pytest

WORDS = (
    "-cell 100 100 100 90 90 90 -lambda 6.2 -N 5 -distance 100 -detpixels 64 -pixel 0.1 -default_F 100 -oversample 32"
)
"""Just above the number of steps from which on kernels are compiled."""


def test_a_run_says_that_kernels_are_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty cache; the compiler refuses, so that the test need not wait for it, and the port does without."""
    compiler = tmp_path / "refusing-compiler"
    compiler.write_text("#!/bin/sh\necho 'error: not today' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    printed = bytearray()

    def read(fd: int) -> bytes:
        data = os.read(fd, 1 << 16)
        printed.extend(data)
        return data

    status = pty.spawn([sys.executable, "-m", "trace_parity", "run", "--pixel", "5", "5", "--", *WORDS.split()], read)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.decode("utf-8", "replace"))
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert re.search(r"compiling kernels \(once, about \d+ s\) +━+ +100%", text)
    assert re.search(r"PyTorch simulator renders +━+ +100%", text)
    assert "PARITY  pasted-" in text
