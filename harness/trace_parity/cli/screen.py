"""How much a command prints (-q, -v): on a terminal as much as fits on the screen, to a pipe or a file whole lines."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from trace_parity.errors import Exit, HarnessError
from trace_parity.printable import visible
from trace_parity.render.fold import Detail, fold, fold_message

F = TypeVar("F", bound=Callable[..., Any])
_DETAIL = f"{__name__}.detail"


def _keep_detail(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        before = context.meta.setdefault(_DETAIL, parameter.name)
        if before != parameter.name:
            raise HarnessError(Exit.USAGE, "both -v and -q", expected="one of them")


def detail() -> Detail:
    """What -v and -q ask for."""
    context = click.get_current_context(silent=True)
    found: Detail = (context.meta.get(_DETAIL) if context is not None else None) or "screen"
    return found


def is_screen() -> bool:
    """Whether the output is for one screen of a terminal."""
    return sys.stdout.isatty() and detail() == "screen"


def detail_options(more: str = "", *, has_verdict: bool = True) -> Callable[[F], F]:
    """-q for the verdict alone where there is one, and -v for `more`, where there is more."""
    options = (
        click.option(
            "-v",
            "--verbose",
            "full",
            is_flag=True,
            expose_value=False,
            callback=_keep_detail,
            help=f"Text: {more}",
        ),
        click.option(
            "-q",
            "--quiet",
            "verdict",
            is_flag=True,
            expose_value=False,
            callback=_keep_detail,
            help="Text: the verdict alone, one line.",
        ),
    )

    def decorate(command: F) -> F:
        for option in reversed(options[0 if more else 1 : 2 if has_verdict else 1]):
            command = option(command)
        return command

    return decorate


def tell(text: str) -> None:
    """Print a message on standard error: on a terminal broken at its width, else each line whole."""
    lines = text.split("\n")
    if sys.stderr.isatty():
        columns = shutil.get_terminal_size().columns
        lines = [row for line in lines for row in fold_message(line, columns)]
    click.echo("\n".join(lines), err=True)


def cut(line: str, columns: int) -> str:
    """A line of at most so many columns; of a longer one the words that fit, and a mark that there are more."""
    if len(line) <= columns:
        return line
    head = line[: columns - 1]
    return f"{head[: head.rfind(' ')] if ' ' in head[columns // 2 :] else head}…"


def show(body: Sequence[str], end: Sequence[str] = (), *, head: int = 0) -> None:
    """Print the lines of `body`, then those of `end`; the last of them is the verdict, the one line that -q leaves.

    On a terminal, lines of the body after its first `head` are left out so that the rest ends on one screen, unless -v
    asks for all. A command without a verdict has no `end`, and nothing of it is left out.
    """
    if detail() == "verdict" and end:
        body, end = (), end[-1:]
    lines = [visible(line) for line in body]
    last = [visible(line) for line in end]
    if not sys.stdout.isatty():
        click.echo("".join(f"{line}\n" for line in [*lines, *last]), nl=False)
        return
    columns, rows = shutil.get_terminal_size()
    if detail() == "verdict" and end:
        click.echo(cut(last[-1], columns))
        return
    blocks, tail = ([fold(line, columns).splitlines() for line in part] for part in (lines, last))
    room = rows - 1 - sum(map(len, tail))
    if is_screen() and last and sum(map(len, blocks)) > room:
        blocks = [block for block in blocks if any(block)]
        blocks = _fitting(blocks, room, head)
    click.echo("".join(f"{row}\n" for block in [*blocks, *tail] for row in block or [""]), nl=False)


def _fitting(blocks: list[list[str]], room: int, head: int) -> list[list[str]]:
    """The blocks of rows with those in the middle left out that there is no room for, and a row that counts them."""
    if sum(map(len, blocks)) <= room:
        return blocks
    kept, rest = blocks[:head], blocks[head:]
    room -= sum(map(len, kept)) + 1
    shown = 0
    while shown < len(rest) and len(rest[shown]) <= room:
        room -= len(rest[shown])
        shown += 1
    return [*kept, *rest[:shown], [f"… and {len(rest) - shown} more; -v shows them"]]
