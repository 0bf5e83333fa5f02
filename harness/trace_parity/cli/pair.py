"""`trace-diff pair`: make a pair's folder from two logs, and check one that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import note, pair_option
from trace_parity.cli.log_path import LogPath
from trace_parity.cli.screen import show
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair

_PATH = click.Path(path_type=Path)


@click.group()
def pair() -> None:
    """Create and check the folder that describes a pair of programs."""


@pair.command()
@click.argument("c_log", metavar="C.log|BUNDLE", type=LogPath())
@click.argument("py_log", metavar="[PY.log]", required=False, type=LogPath())
@click.option("--out", type=_PATH, default=Path(), show_default="here", help="The folder to write to.")
@click.option("--force", is_flag=True, help="Replace existing files.")
def init(c_log: Path, py_log: Path | None, out: Path, force: bool) -> None:
    """Write a commented pair.toml and vocabulary.toml from two logs: names, sizes, loops, order, scales.

    A name that only one log has, with the same values as another name of the other log, is written as an alias.
    """
    from trace_parity.files import log_hint, logs_of_bundle
    from trace_parity.pair.pair import FILE_NAME
    from trace_parity.trace.draft import draft

    if py_log is None:
        if (logs := logs_of_bundle(c_log)) is None:
            raise HarnessError(Exit.USAGE, "one log", where=str(c_log), expected="C.log PY.log", hint=log_hint(c_log))
        c_log, py_log = logs
    if c_log.resolve() == py_log.resolve():
        raise HarnessError(Exit.USAGE, "the same log twice", where=str(c_log), expected="C.log PY.log")
    vocabulary, made, notes = draft(c_log, py_log, out.resolve().name)
    texts = {"vocabulary.toml": vocabulary, FILE_NAME: made}
    for name in texts:
        if (out / name).exists() and not force:
            raise HarnessError(Exit.USAGE, "exists already", where=str(out / name), hint="--force replaces it")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(Exit.USAGE, error.strerror or str(error), where=str(out), expected="a folder") from error
    for name in texts:
        click.echo(str(out / name))
    for text in notes:
        note(text)
    note(f"next: trace-diff pair check {out}")


@pair.command()
@click.argument("folder", metavar="[DIR]", type=_PATH, required=False)
@pair_option
def check(folder: Path | None, pair: Pair) -> None:
    """Read every file of a pair and list what it has, and what is missing for which command.

    The exit code is 0 if all files are valid, otherwise 2 with the first mistake.
    """
    from trace_parity.pair.find import find_pair
    from trace_parity.run.check_pair import report

    if folder is not None:
        if folder.suffix and not folder.is_dir():
            what = "not a folder" if folder.exists() else "no such folder"
            raise HarnessError(Exit.USAGE, what, where=str(folder), expected="a folder with a pair.toml")
        pair = find_pair(str(folder.resolve() if folder.is_dir() else folder))
    show(report(pair))
