"""The argument type of a log: a file, or a pipe, which is copied since a log is read more than once."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from trace_parity.errors import Exit, HarnessError

STDIN = "-"


class LogPath(click.Path):
    """A path as click.Path gives it. A pipe, as `<(zcat c.log.gz)` makes one, and `-` for standard input become copies.

    A copy exists until the command ends.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, or that of the copy."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        is_stdin = str(path) == STDIN
        if ctx is None or ctx.resilient_parsing or not (is_stdin or path.is_fifo()):
            return path
        if is_stdin:
            _check_stdin(ctx)
        folder = TemporaryDirectory(prefix="trace-diff-")
        ctx.call_on_close(folder.cleanup)
        copy = Path(folder.name) / ("stdin" if is_stdin else path.name)
        with copy.open("wb") as to, nullcontext(sys.stdin.buffer) if is_stdin else path.open("rb") as stream:
            shutil.copyfileobj(stream, to)
        return copy


def _check_stdin(ctx: click.Context) -> None:
    why = "closed" if sys.stdin is None else "taken for two logs" if STDIN in ctx.meta else ""
    if why:
        expected = "one log from standard input, the other from a file"
        raise HarnessError(Exit.USAGE, f"standard input is {why}", where=STDIN, expected=expected)
    ctx.meta[STDIN] = True
