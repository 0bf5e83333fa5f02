"""`trace-diff export`: figures of a bundle for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import pair_option

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@click.group()
def export() -> None:
    """Export figures of a bundle."""


@export.command("rot-star")
@click.argument("bundle", type=click.Path(path_type=Path))
@pair_option
def rot_star(bundle: Path, pair: Pair) -> None:
    """CSV of the rotated reciprocal vectors per φ and mosaic tick, both sides, every digit, to standard output."""
    from trace_parity.pair.modules import import_from
    from trace_parity.trace import read_trace

    vocabulary = pair.vocabulary
    tables = [read_trace(bundle / "traces" / f"{side.lower()}.log", side, vocabulary) for side in ("C", "PY")]
    click.echo(import_from(pair.folder, "rot_star").rot_star_csv(tables[0], tables[1], vocabulary), nl=False)
