"""`trace-diff export`: tables of a bundle for other tools, as the pair declares them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import pair_option
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@click.command()
@click.argument("table", required=False, shell_complete=candidates.exports)
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@pair_option
def export(table: str | None, bundle: Path | None, pair: Pair) -> None:
    """Write a TABLE of a bundle as CSV to standard output: both logs, every digit.

    The tables are those of [exports] in pair.toml; without a TABLE they are listed.
    """
    from trace_parity.files import bundle_hint, logs_of_bundle
    from trace_parity.pair.toml_table import nearest
    from trace_parity.trace import read_trace
    from trace_parity.trace.export_table import export_csv

    if table is None:
        for known in pair.exports.values():
            click.echo(f"{known.name}\t{known.title}")
        return
    if table not in pair.exports:
        raise HarnessError(
            Exit.USAGE,
            f"the pair exports no {table!r}",
            where=pair.where,
            expected=f"one of {', '.join(pair.exports)}" if pair.exports else "[exports.NAME] with variables = [...]",
            hint=nearest(table, pair.exports),
        )
    if bundle is None:
        raise HarnessError(Exit.USAGE, "no bundle", where="export", expected=f"trace-diff export {table} BUNDLE")
    logs = logs_of_bundle(bundle)
    if logs is None:
        what = "no logs in it" if bundle.is_dir() else "not a folder" if bundle.exists() else "no such folder"
        raise HarnessError(
            Exit.UNREADABLE, what, where=str(bundle), expected="the folder of a bundle", hint=bundle_hint(bundle)
        )
    vocabulary = pair.vocabulary
    c, py = (read_trace(log, side, vocabulary) for log, side in zip(logs, ("C", "PY"), strict=True))
    click.echo(export_csv(c, py, vocabulary, pair.exports[table]), nl=False)
