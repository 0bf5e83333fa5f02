"""`trace-diff bundle`: look at bundles and check that they are what they were."""

from __future__ import annotations

from pathlib import Path

import click

from trace_parity.errors import Exit, HarnessError
from trace_parity.printable import plural, visible


@click.group()
def bundle() -> None:
    """Verify, list and show bundles."""


@bundle.command()
@click.argument("folder", type=click.Path(path_type=Path))
def verify(folder: Path) -> None:
    """Check every file of a bundle against its manifest; exit 5 when one was changed, removed or added."""
    from trace_parity.bundle.bundle import verify as check

    faults = check(folder)
    for fault in faults:
        click.echo(visible(fault))
    if faults:
        click.echo(f"CHANGED  {visible(str(folder))}: {plural(len(faults), 'file')} not as written")
        raise SystemExit(int(Exit.UNREADABLE))
    click.echo(f"UNCHANGED  {visible(str(folder))}: every file is as it was written")


@bundle.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
def diff(a: Path, b: Path) -> None:
    """Say what differs between two bundles: settings, environment, commit, worst numbers; exit 1 when anything does."""
    from trace_parity.bundle.diff import diff_bundles

    found = diff_bundles(a, b)
    for d in found:
        click.echo(f"{d.place}: {d.a!r} -> {d.b!r}")
    if found:
        click.echo(f"DIFFERENT  {plural(len(found), 'difference')}")
        raise SystemExit(int(Exit.DIVERGENCE))
    click.echo("SAME  no difference")


@bundle.command("list")
@click.argument("root", type=click.Path(path_type=Path), default=Path("reports"))
def list_bundles(root: Path) -> None:
    """List the bundles under ROOT (default: reports), oldest first."""
    from trace_parity.bundle.bundle import find_bundles

    if not root.is_dir() and root != Path("reports"):
        raise HarnessError(
            Exit.UNREADABLE, "no such folder", where=str(root), expected="a folder with bundles below it"
        )
    found = find_bundles(root)
    if not found:
        click.echo(f"no bundles under {root}", err=True)
    for info in found:
        cells = (info.case, info.name, info.ended, f"{info.num_divergent} divergent", info.against, info.path)
        click.echo("\t".join(visible(str(cell)) for cell in cells))


@bundle.command()
@click.argument("folder", type=click.Path(path_type=Path))
def show(folder: Path) -> None:
    """Print a bundle's summary; the last line is its verdict."""
    from trace_parity.bundle.bundle import load_result
    from trace_parity.render.places import Places
    from trace_parity.result.result_json import read_result

    result = load_result(folder)  # says clearly when this is not a bundle
    try:
        headline = Places(read_result(folder / "result.json")).sentence(str(result["headline"]))
    except HarnessError:  # of another schema: what it says, as it says it
        headline = str(result["headline"])
    click.echo((folder / "summary.md").read_text(encoding="utf-8"), nl=False)
    click.echo(f"\n{str(result['verdict']).upper()}  {visible(headline)}")
