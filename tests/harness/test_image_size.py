"""The image's size is found in what a program prints, on standard output or on standard error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.conftest import Cli

PROGRAM = """
import struct, sys
side, stream, path, kind = sys.argv[1:5]
with open(path, "w" if kind == "trace" else "wb") as out:
    out.write(f"TRACE_{side}: x 1.5\\n" if kind == "trace" else struct.pack("<6f", *range(6)))
print("slow 2, fast 3", file=getattr(sys, stream))
"""
PAIR = """
[programs.C]
trace = "{python} program.py C STREAM {trace} trace {args}"
render = "{python} program.py C STREAM {image} image {args}"
[programs.PY]
trace = "{python} program.py PY STREAM {trace} trace {args}"
render = "{python} program.py PY STREAM {image} image {args}"
[image]
size = 'slow (?P<slow>\\d+), fast (?P<fast>\\d+)'
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_size_is_read_from(stream: str, trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "pair.toml").write_text(PAIR.replace("STREAM", stream))
    (tmp_path / "case.toml").write_text('id = "a"\ntitle = "a"\nargv = ""\n')
    done = trace_diff("run", "case.toml")
    assert (done.returncode, "images 2 x 3" in done.stdout) == (0, True), done.stdout + done.stderr
