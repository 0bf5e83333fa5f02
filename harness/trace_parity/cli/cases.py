"""`trace-diff cases`: what can be run by name."""

from __future__ import annotations

import shlex
import shutil
import sys
from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import pair_option
from trace_parity.cli.screen import show

if TYPE_CHECKING:
    from trace_parity.pair.case import Case
    from trace_parity.pair.pair import Pair


@click.group()
def cases() -> None:
    """List and show the cases of the pair and of its matrix."""


@cases.command("list")
@pair_option
def list_all(pair: Pair) -> None:
    """One line per case: id, places, title. The cases of `gate` follow those of `run`.

    A pipe gets whole lines, the columns separated by tabs; on a terminal `cases show CASE` prints what is cut off.
    """
    known = pair.every_case()
    rows = [(case.id, _places(case), case.title if case.title != case.id else shlex.join(case.argv)) for case in known]
    if not sys.stdout.isatty():
        click.echo("".join("\t".join(row) + "\n" for row in rows), nl=False)
        return
    columns = shutil.get_terminal_size().columns
    widths = [max((len(row[i]) for row in rows), default=0) for i in (0, 1)]
    for name, places, title in rows:
        line = f"{name:{widths[0]}}  {places:{widths[1]}}  {title}".rstrip()
        click.echo(line if len(line) <= columns else f"{line[: columns - 1]}…")


def _places(case: Case) -> str:
    return " ".join(f"({','.join(map(str, place))})" for place in case.places)


@cases.command("show")
@click.argument("name", metavar="CASE", shell_complete=candidates.all_cases)
@pair_option
def show_case(name: str, pair: Pair) -> None:
    """Print a case: its command line, places, files, and the variables that must be compared."""
    case = pair.case(name)
    text = [f"{case.id}: {case.title}" if case.title != case.id else case.id]
    text += ["", *case.description.split("\n"), ""] if case.description else []
    text.append(f"command line: {shlex.join(case.argv)}")
    if pair.focus:
        places = " ".join(f"({', '.join(map(str, place))})" for place in case.places)
        text.append(f"{pair.focus_option or 'place'}s ({', '.join(pair.focus_names)}): {places}")
    for file in case.files:
        if file.text is not None:
            text.append(f"file {file.name}: text in the case")
        elif file.path:
            text.append(f"file {file.name}: {file.path}")
        else:
            text.append(f"command of {file.name}: {shlex.join(file.command)}")
    text.append("must be compared: " + (", ".join(case.variables) or "whatever one side prints"))
    text.append("ticks: " + (" ".join(f"{loop}={count}" for loop, count in case.ticks.items()) or "1 of each loop"))
    text += [f"expected against {against}: {what}" for against, what in case.expectation.items()]
    show(text)
