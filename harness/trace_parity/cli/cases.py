"""`trace-diff cases`: what can be run by name."""

from __future__ import annotations

import shlex

import click


@click.group()
def cases() -> None:
    """List and show the shipped cases."""


@cases.command("list")
def list_all() -> None:
    """One line per case: id, pixels, title."""
    from trace_parity.pair.case import list_cases

    for case in list_cases():
        pixels = " ".join(f"({slow},{fast})" for slow, fast in case.pixels)
        click.echo(f"{case.id}\t{pixels}\t{case.title}")


@cases.command()
@click.argument("name", metavar="CASE")
def show(name: str) -> None:
    """Print a case: its command line, pixels, files and what it asks for."""
    from trace_parity.pair.case import load_case

    case = load_case(name)
    lines = [f"{case.id}: {case.title}", "", case.description, "", f"command line: {shlex.join(case.argv)}"]
    lines.append("pixels (slow, fast): " + " ".join(f"({s}, {f})" for s, f in case.pixels))
    for file in case.files:
        lines.append(
            f"file {file.name}: " + ("text in the case" if file.text is not None else shlex.join(file.command))
        )
    lines.append("must be compared: " + (" ".join(case.variables) or "whatever one side prints"))
    lines.append("ticks: " + (" ".join(f"{loop}={count}" for loop, count in case.ticks.items()) or "1 of each loop"))
    lines += [f"expected against {against}: {what}" for against, what in case.expectation.items()]
    click.echo("\n".join(lines))
