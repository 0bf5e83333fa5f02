"""`trace-diff table`: chosen variables of two logs or of a bundle, tick by tick of one loop."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import note, pair_option
from trace_parity.cli.log_path import LogPath
from trace_parity.cli.screen import detail_options, is_screen, show
from trace_parity.errors import Exit, HarnessError
from trace_parity.printable import plural

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


_verbose = detail_options("all variables in one table, however wide, also those that are equal.", has_verdict=False)


def _options(command: click.Command) -> click.Command:
    """What both names of the command take."""
    command.params += [
        click.Argument(["logs"], nargs=-1, type=LogPath(), metavar="BUNDLE | C.log PY.log"),
        click.Option(["--c", "c_log"], type=click.Path(path_type=Path), hidden=True),
        click.Option(["--py", "py_log"], type=click.Path(path_type=Path), hidden=True),
        click.Option(
            ["--format", "form"],
            type=click.Choice(["csv", "json", "markdown"]),
            help="csv and json keep every digit. [default: a table as wide as the terminal, to a pipe markdown]",
        ),
        click.Option(["--lenient"], is_flag=True, help="Skip unreadable trace lines instead of refusing the log."),
    ]
    return command


@_options
@click.command()
@click.argument("loop", shell_complete=candidates.loops)
@_verbose
@pair_option
def table(loop: str, pair: Pair, **chosen: Any) -> None:
    """Print variables of both sides per tick of LOOP, with differences (PY - C).

    This is the pair's own table if it has one for this loop, else all variables of the scopes that end in LOOP.

    \b
    trace-diff table phi_tic C.log PY.log
    trace-diff table phi_tic BUNDLE
    """
    _print(pair, loop, **chosen)


@_options
@click.command()
@_verbose
@pair_option
def phi(pair: Pair, **chosen: Any) -> None:
    """Print the pair's own table: `table LOOP` for the loop that it names."""
    _print(pair, None, **chosen)


def _print(
    pair: Pair,
    loop: str | None,
    logs: tuple[Path, ...],
    c_log: Path | None,
    py_log: Path | None,
    form: str | None,
    lenient: bool,
) -> None:
    from trace_parity.cli.common import check_not_empty
    from trace_parity.compare.tick_table import table_of, tick_rows, write_ticks
    from trace_parity.files import log_hint, logs_of_bundle
    from trace_parity.trace import read_trace
    from trace_parity.trace.pair_of_logs import pair_for_logs

    if c_log is not None and py_log is not None and not logs:  # the options of earlier versions
        logs = c_log, py_log
    if len(logs) == 1:
        both = logs_of_bundle(logs[0])
        if both is None:
            hint = "trace-diff table LOOP C.log PY.log" if loop is not None and Path(loop).is_file() else ""
            raise HarnessError(
                Exit.USAGE,
                "a folder without logs" if logs[0].is_dir() else "one log",
                where=str(logs[0]),
                expected="C.log PY.log, or the folder of a bundle",
                hint=hint or log_hint(logs[0]),
            )
        logs = both
    if len(logs) != 2:
        is_bundle = loop is not None and logs_of_bundle(Path(loop)) is not None
        hint = f"trace-diff table LOOP {loop}; trace-diff phi {loop} prints the pair's own table" if is_bundle else ""
        expected = "C.log PY.log, or the folder of a bundle"
        raise HarnessError(Exit.USAGE, plural(len(logs), "log"), expected=expected, hint=hint)
    c_log, py_log = logs
    pair, inferred = pair_for_logs(pair, c_log, py_log)
    if inferred:
        note(inferred)
    vocabulary = pair.vocabulary
    wanted = table_of(vocabulary, loop, pair.where)
    c, py = (read_trace(path, side, vocabulary, lenient=lenient) for path, side in ((c_log, "C"), (py_log, "PY")))
    for table in (c, py):
        check_not_empty(table)
    rows = tick_rows(c, py, vocabulary, wanted)
    if form is None and rows and is_screen():
        from trace_parity.render.tick_text import tick_text

        show(tick_text(rows, wanted.loop, shutil.get_terminal_size().columns))
        return
    click.echo(write_ticks(rows, form or "markdown", wanted.loop), nl=False)
