"""`trace-diff phi`: the per-φ table of two logs or of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import pair_option
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@click.command()
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--c", "c_log", type=click.Path(path_type=Path), help="Log of the C program.")
@click.option("--py", "py_log", type=click.Path(path_type=Path), help="Log of the PyTorch program.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "markdown"]),
    default="markdown",
    show_default=True,
    help="csv and json carry every digit.",
)
@pair_option
@click.option("--lenient", is_flag=True, help="Skip unreadable trace lines instead of refusing the log.")
def phi(pair: Pair, bundle: Path | None, c_log: Path | None, py_log: Path | None, form: str, lenient: bool) -> None:
    """Print phi_deg, k_frac, b_star_y, F_latt_b and F_latt of both sides per φ tick, with differences (PY - C).

    Give a BUNDLE, or --c and --py.
    """
    from trace_parity.compare.tick_table import phi_rows, write_phi
    from trace_parity.trace import read_trace

    if bundle is not None and (c_log or py_log):
        raise HarnessError(Exit.USAGE, "both a bundle and logs", expected="a bundle, or --c and --py")
    if bundle is not None:
        c_log, py_log = bundle / "traces" / "c.log", bundle / "traces" / "py.log"
    if c_log is None or py_log is None:
        raise HarnessError(Exit.USAGE, "no logs", expected="a bundle, or --c C.log and --py PY.log")
    vocabulary = pair.vocabulary
    c = read_trace(c_log, "C", vocabulary, lenient=lenient)
    py = read_trace(py_log, "PY", vocabulary, lenient=lenient)
    click.echo(write_phi(phi_rows(c, py, vocabulary), form), nl=False)
