"""`trace-diff export`: figures of a bundle for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import pair_option
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@click.group()
def export() -> None:
    """Export figures of a bundle."""


@export.command("rot-star")
@click.argument("bundle", type=click.Path(path_type=Path))
@pair_option
def rot_star(bundle: Path, pair: Pair) -> None:
    """CSV of the pair's rotated vectors, tick by tick, both sides, every digit, to standard output."""
    from trace_parity.pair.modules import import_from
    from trace_parity.trace import read_trace

    own: Pair | None = pair
    while own is not None and not (own.folder / "rot_star.py").is_file():
        own = own.base
    if own is None:
        raise HarnessError(
            Exit.USAGE, "the pair exports no rot-star", where=pair.where, expected="rot_star.py next to it"
        )
    vocabulary = pair.vocabulary
    tables = [read_trace(bundle / "traces" / f"{side.lower()}.log", side, vocabulary) for side in ("C", "PY")]
    click.echo(import_from(own.folder, "rot_star").rot_star_csv(tables[0], tables[1], vocabulary), nl=False)
