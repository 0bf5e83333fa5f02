"""`trace-diff cases`: what can be run by name."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import pair_option

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@click.group()
def cases() -> None:
    """List and show the cases of the pair."""


@cases.command("list")
@pair_option
def list_all(pair: Pair) -> None:
    """One line per case: id, places, title. The cases of `gate` follow those of `run`."""
    matrix = pair.matrix().cases if pair.file("matrix") is not None else ()
    own = pair.cases()
    for case in [*own, *(case for case in matrix if case.id not in {known.id for known in own})]:
        places = " ".join(f"({','.join(map(str, place))})" for place in case.places)
        title = case.title if case.title != case.id else shlex.join(case.argv)
        click.echo(f"{case.id}\t{places}\t{title}")


@cases.command()
@click.argument("name", metavar="CASE", shell_complete=candidates.cases)
@pair_option
def show(name: str, pair: Pair) -> None:
    """Print a case: its command line, places, files and what it asks for."""
    case = pair.case(name)
    lines = [f"{case.id}: {case.title}", "", case.description, "", f"command line: {shlex.join(case.argv)}"]
    if pair.focus:
        places = " ".join(f"({', '.join(map(str, place))})" for place in case.places)
        lines.append(f"{pair.focus_option or 'place'}s ({', '.join(pair.focus_names)}): {places}")
    for file in case.files:
        lines.append(
            f"file {file.name}: "
            + ("text in the case" if file.text is not None else file.path or shlex.join(file.command))
        )
    lines.append("must be compared: " + (" ".join(case.variables) or "whatever one side prints"))
    lines.append("ticks: " + (" ".join(f"{loop}={count}" for loop, count in case.ticks.items()) or "1 of each loop"))
    lines += [f"expected against {against}: {what}" for against, what in case.expectation.items()]
    click.echo("\n".join(lines))
