"""`trace-diff report`: the pages of bundles, made again, listed and opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from trace_parity.cli import candidates
from trace_parity.cli.screen import detail_options, show
from trace_parity.printable import plural

F = TypeVar("F", bound=Callable[..., Any])


def _title(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    if value is None:
        return ""
    from trace_parity.pair.find import find_pair

    return find_pair(value).title


def _pair(text: str) -> Callable[[F], F]:
    """--pair, with what the command does with it."""
    return click.option(
        "--pair",
        metavar="DIR|NAME",
        callback=_title,
        shell_complete=candidates.pairs,
        help=f"{text} The pair is a folder with a pair.toml, or the name of an installed one. [default: any pair]",
    )


@click.group()
def report() -> None:
    """Render, index, compare and open the reports of bundles."""


@report.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write the page here (- for standard output) and do not change the bundle.",
)
@_pair("Refuse a bundle of another pair.")
def render(bundle: Path, out: Path | None, pair: str) -> None:
    """Render report.html of BUNDLE again from its result.json.

    Without --out the page replaces the one in the bundle and in its manifest, provided that no other file was changed.
    """
    from trace_parity.bundle.report_index import render_bundle, replace_report, require_pair
    from trace_parity.files import write_whole

    require_pair(bundle, pair)
    if out is None:
        click.echo(replace_report(bundle))
        return
    text = render_bundle(bundle)
    if str(out) == "-":
        click.echo(text, nl=False)
        return
    write_whole(out, text)
    click.echo(out)


@report.command()
@click.argument("root", type=click.Path(path_type=Path), default=Path("reports"))
@_pair("List bundles of this pair only.")
def index(root: Path, pair: str) -> None:
    """Write ROOT/index.html (default: reports): all bundles by case and time, with the trend of each case."""
    from trace_parity.bundle.report_index import write_index

    path, count = write_index(root, pair)
    click.echo(plural(count, "bundle"), err=True)
    click.echo(path)


@report.command(epilog="Exit codes: 0 nothing got worse, 1 something did, 5 one of the two is not a bundle.")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write the page here (- for standard output, in place of the text).",
)
@detail_options("every change, even if they do not fit on the screen.")
@_pair("Refuse bundles of another pair.")
def diff(a: Path, b: Path, out: Path | None, pair: str) -> None:
    """Compare two bundles: what got better from A to B, what got worse, which settings differ."""
    from trace_parity.bundle import report_diff
    from trace_parity.bundle.report_index import require_pair
    from trace_parity.errors import Exit
    from trace_parity.files import write_whole

    for bundle in (a, b):
        require_pair(bundle, pair)
    found = report_diff.compare_bundles(a, b)
    if out is not None and str(out) != "-":
        write_whole(out, report_diff.html(found))
    if str(out) == "-":
        click.echo(report_diff.html(found), nl=False)
    else:
        *body, verdict = report_diff.lines(found)
        show(body, [verdict])
    raise SystemExit(int(Exit.DIVERGENCE if found.is_worse else Exit.PARITY))


@report.command("open")
@click.argument("place", type=click.Path(path_type=Path), default=Path("reports"), metavar="[BUNDLE|ROOT]")
@_pair("Open a report of this pair only.")
def open_newest(place: Path, pair: str) -> None:
    """Open the report of a bundle, or of the newest under a folder (default: reports), in the browser.

    The path is always printed; without a display nothing is opened.
    """
    import os
    import sys
    import webbrowser

    from trace_parity.bundle.report_index import newest_report, open_page

    path = newest_report(place, pair)
    click.echo(path)
    if not open_page(path, os.environ, sys.platform, webbrowser.open):
        click.echo("no browser was started: there is no display", err=True)
