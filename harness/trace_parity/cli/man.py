"""`trace-diff man`: the manual page, made from the help texts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from trace_parity import __version__


@click.command()
def man() -> None:
    """Print the manual page of trace-diff and all its commands.

    \b
    trace-diff man | man -l -                                        read it
    trace-diff man > ~/.local/share/man/man1/trace-diff.1            install it
    """
    from trace_parity.cli.main import trace_diff

    click.echo("\n".join(page(trace_diff)))


def page(root: click.Group) -> Iterator[str]:
    """The lines of the page in roff."""
    context = click.Context(root, info_name="trace-diff", **root.context_settings)
    yield f'.TH TRACE\\-DIFF 1 "" "trace\\-parity {__version__}" "User Commands"'
    yield from (".SH NAME", "trace\\-diff \\- " + _roff(_paragraphs(root.help or "")[0].rstrip(".")))
    yield from (".SH SYNOPSIS", ".B trace\\-diff", "COMMAND [ARGUMENTS]")
    yield from (".SH DESCRIPTION", *_body(root.help or ""))
    yield ".SH COMMANDS"
    for command, inner in _commands(root, context):
        yield from (
            f".SS {_roff(inner.command_path)}",
            ".PP",
            f"\\fB{_roff(inner.command_path)}\\fR {_usage(command, inner)}",
        )
        yield from _body(command.help or "")
        yield from _options(command, inner)
        if command.epilog:
            yield from (".PP", _roff(command.epilog))


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield command, inner
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _usage(command: click.Command, context: click.Context) -> str:
    return _roff(" ".join(command.collect_usage_pieces(context)))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None and parameter.name != "help":
            yield from (".TP", f"\\fB{_roff(record[0])}\\fR", _roff(record[1]) or "\\&")


def _body(text: str) -> Iterator[str]:
    """Paragraphs; one that begins with \\b keeps its lines."""
    for paragraph in _paragraphs(text):
        if paragraph.startswith("\b"):
            yield from (".PP", ".nf", *(_roff(line) for line in paragraph.splitlines()[1:]), ".fi")
        else:
            yield from (".PP", _roff(" ".join(paragraph.split())))


def _paragraphs(text: str) -> list[str]:
    return [paragraph.lstrip(" \n") for paragraph in re.split(r"\n[ \t]*\n", inspect.cleandoc(text))]


def _roff(text: str) -> str:
    """Text in which nothing is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text
