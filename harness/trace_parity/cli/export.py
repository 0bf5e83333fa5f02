"""`trace-diff export`: figures of a bundle for other tools."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def export() -> None:
    """Export figures of a bundle."""


@export.command("rot-star")
@click.argument("bundle", type=click.Path(path_type=Path))
def rot_star(bundle: Path) -> None:
    """CSV of the rotated reciprocal vectors per φ and mosaic tick, both sides, every digit, to standard output."""
    from trace_parity.pair.domain import import_from
    from trace_parity.pair.find import shipped_pair
    from trace_parity.pair.vocabulary import load_vocabulary
    from trace_parity.trace import read_trace

    vocabulary = load_vocabulary()
    tables = [read_trace(bundle / "traces" / f"{side.lower()}.log", side, vocabulary) for side in ("C", "PY")]
    click.echo(import_from(shipped_pair(), "rot_star").rot_star_csv(tables[0], tables[1], vocabulary), nl=False)
