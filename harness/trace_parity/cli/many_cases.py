"""Shared by `gate` and `sweep`: their options, and how an interrupted one continues."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import against_option, cluster_option, pair_option, rtol_option, rules_of
from trace_parity.cli.screen import detail_options

if TYPE_CHECKING:
    from trace_parity.compare.options import Options
    from trace_parity.pair.pair import Pair

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class ManyCases:
    """The options that both have."""

    pair: Pair
    jobs: int
    cluster: str
    out: Path
    against: str
    rtol_words: tuple[str, ...]
    waive: tuple[str, ...]
    no_images: bool
    resume: bool

    def options(self, **more: Any) -> Options:
        """The options of a run, checked before anything is run. Raises HarnessError (exit 2)."""
        from trace_parity.compare.options import Options
        from trace_parity.pair.tolerances import global_rtol, with_rules
        from trace_parity.quirks.waivers import check_ids
        from trace_parity.run.cluster import program_options
        from trace_parity.run.options import check_against

        check_ids(self.waive, self.pair.quirks)
        if self.against:
            check_against(self.pair.programs, self.against)
        rules = rules_of(self.rtol_words)
        with_rules(self.pair.vocabulary, rules)
        return Options(
            against=self.against,
            out=self.out,
            render_images=not self.no_images,
            rtol=global_rtol(rules),
            rules=rules,
            waive=self.waive,
            program_options=program_options(self.pair, self.jobs, self.cluster),
            asked_as=("trace-diff", *sys.argv[1:]),
            **more,
        )

    def note_kept(self, error: BaseException, what: str) -> None:
        """Add to an error what is kept, and the command that continues."""
        again = shlex.join(["trace-diff", *sys.argv[1:], *([] if self.resume else ["--resume"])])
        error.add_note(f"{what} kept in {self.out}; to continue: {again}")


def many_cases_options(each: str, out: str, holds: str, *, waive: str, no_images: str, resume: str) -> Callable[[F], F]:
    """The options of a command that runs many of `each`, with bundles in the folder `out`, which `holds` more."""
    options = (
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            default=os.cpu_count() or 1,
            show_default=True,
            help=f"{each} at a time.",
        ),
        cluster_option,
        click.option(
            "--out",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path(out),
            show_default=True,
            help=f"Folder for {holds}.",
        ),
        against_option("Variant of the programs. [default: the pair's first]"),
        rtol_option,
        click.option(
            "--waive",
            multiple=True,
            metavar="QUIRK",
            shell_complete=candidates.quirks,
            help=f"{waive} Repeatable.",
        ),
        click.option("--no-images", is_flag=True, help=no_images),
        click.option("--resume", is_flag=True, help=resume),
        detail_options("everything, even if it does not fit on the screen."),
        pair_option,
    )

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
