"""Progress on standard error while programs run: bars on a terminal, else a line for each stage."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from trace_parity.printable import visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import TaskID

    from trace_parity.run.launch import Progress
    from trace_parity.run.state import Stage

SECONDS = re.compile(r"about (\d+) s\b")
"""How long something takes, as a program says it."""
NEARLY = 0.95
"""Where the bar of an estimate stops until the program goes on."""


@contextmanager
def stages() -> Iterator[Stage]:
    """A bar per stage while programs run; plain lines where standard error is not a terminal.

    What a program compiles first has a bar of its own, which follows the estimate that the program gives.
    """
    if not sys.stderr.isatty():
        yield _line_stage
        return
    from rich import progress
    from rich.console import Console

    class Bars(progress.Progress):
        """Bars of which those with an estimate go on by themselves."""

        def get_renderables(self) -> Iterable[RenderableType]:
            """Called for every refresh."""
            for task in self.tasks:
                if task.fields.get("is_estimate") and task.total is not None:
                    self.update(task.id, completed=min(task.elapsed or 0.0, NEARLY * task.total))
            return super().get_renderables()

    columns = (
        progress.TextColumn("{task.description:36}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:

        def compiling(words: str) -> TaskID:
            seconds = SECONDS.search(words)
            if seconds is None:
                return bars.add_task("compiling kernels (once)", total=None)
            title = f"compiling kernels (once, about {seconds[1]} s)"
            return bars.add_task(title, total=float(seconds[1]), is_estimate=True)

        @contextmanager
        def bar_stage(title: str) -> Iterator[Callable[[int | str], None]]:
            task = bars.add_task(title, total=None)
            further: list[TaskID] = []

            def end_further() -> None:
                for one in further:
                    bars.update(one, total=100, completed=100, is_estimate=False)
                further.clear()

            def show(now: int | str) -> None:
                end_further()
                if isinstance(now, str):
                    further.append(compiling(now))
                else:
                    bars.update(task, total=100, completed=now)

            yield show
            end_further()
            bars.update(task, total=100, completed=100)

        yield bar_stage


@contextmanager
def _line_stage(title: str) -> Iterator[Progress]:
    click.echo(f"{visible(title)} …", err=True)

    def show(now: int | str) -> None:
        if isinstance(now, str):
            click.echo(f"{visible(title)}: {visible(now)}", err=True)

    yield show
