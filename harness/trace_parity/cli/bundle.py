"""`trace-diff bundle`: look at bundles and check that nothing in them was changed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from trace_parity.cli.common import show_result
from trace_parity.cli.screen import detail, detail_options, show
from trace_parity.errors import Exit, HarnessError
from trace_parity.printable import plural, visible


@click.group()
def bundle() -> None:
    """Verify, list and show bundles."""


@bundle.command()
@click.argument("folder", metavar="BUNDLE", type=click.Path(path_type=Path))
@detail_options("every changed file, even if they do not fit on the screen.")
def verify(folder: Path) -> None:
    """Check every file of a bundle against its manifest; exit 5 when one was changed, removed or added."""
    from trace_parity.bundle.bundle import verify as check

    faults = check(folder)
    count = f"CHANGED  {folder}: {plural(len(faults), 'file')} not as written"
    show(faults, [count if faults else f"UNCHANGED  {folder}: every file is as it was written"])
    if faults:
        raise SystemExit(int(Exit.UNREADABLE))


@bundle.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@detail_options("every difference, even if they do not fit on the screen.")
def diff(a: Path, b: Path) -> None:
    """Print what differs between two bundles: settings, environment, commit, worst numbers.

    The exit code is 1 when anything differs.
    """
    from trace_parity.bundle.diff import diff_bundles

    found = diff_bundles(a, b)
    show(
        [d.words for d in found], [f"DIFFERENT  {plural(len(found), 'difference')}" if found else "SAME  no difference"]
    )
    if found:
        raise SystemExit(int(Exit.DIVERGENCE))


@bundle.command("list")
@click.argument("root", type=click.Path(path_type=Path), default=Path("reports"))
def list_bundles(root: Path) -> None:
    """List the bundles under ROOT (default: reports), oldest first.

    A pipe gets one line per bundle, with tabs between case, name, verdict, divergent numbers, variant and path.
    """
    from trace_parity.bundle.bundle import find_bundles, no_folder

    if not root.is_dir() and root != Path("reports"):
        raise no_folder(root)
    found = find_bundles(root)
    if not found:
        click.echo(f"no bundles under {root}", err=True)
    on_terminal = sys.stdout.isatty()
    for info in found:
        counts = f"{info.num_divergent} divergent"
        if on_terminal:
            against = f", against {info.against}" if info.against else ""
            details = f", {info.details}" if info.details else ""
            show([f"{info.case}{against}{details}: {info.ended}, {counts}", f"  {info.path}"])
            continue
        cells = (info.case, info.name, info.ended, counts, info.against, info.path)
        click.echo("\t".join(visible(str(cell)) for cell in cells))


@bundle.command("show")
@click.argument("folder", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown"]),
    default="text",
    show_default=True,
    help="The verdict as `run` prints it, or summary.md.",
)
@detail_options("every finding in full, inherited differences included.")
def show_bundle(folder: Path, form: str) -> None:
    """Print the report of a bundle as the run printed it; the last line is the verdict."""
    from trace_parity.bundle.bundle import load_result
    from trace_parity.render.places import Places
    from trace_parity.result.result_json import read_result

    stored = load_result(folder)  # reports clearly when this is not a bundle
    try:
        result = read_result(folder / "result.json")
    except HarnessError:  # of another schema: its own verdict
        result = None
    if result is not None and form == "text":
        show_result(replace(result, bundle=str(folder)))
        return
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    headline = Places(result).headline if result is not None else stored["headline"]
    if detail() != "verdict":
        click.echo(summary)
    click.echo(visible(f"{str(stored['verdict']).upper()}  {headline}"))
