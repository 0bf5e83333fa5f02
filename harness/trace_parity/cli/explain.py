"""`trace-diff explain`: everything that the pair defines for one variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import pair_option
from trace_parity.cli.screen import show

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@click.command(epilog="Exit codes: 0 known, 2 no such variable or pair.")
@click.argument("variable", metavar="VARIABLE", shell_complete=candidates.variables)
@pair_option
def explain(pair: Pair, variable: str) -> None:
    """Describe a variable: unit, loops, equation, dependencies, source lines of both programs, tolerance.

    VARIABLE is a name, with its scope where it is computed in several (step.F_latt), or a name that older logs use.
    """
    from trace_parity.run.explain import explanation

    show(explanation(pair, variable))
