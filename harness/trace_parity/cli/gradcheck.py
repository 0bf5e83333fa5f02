"""`trace-diff gradcheck`: are the gradients of the port's image right?"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import pair_option
from trace_parity.cli.screen import detail, detail_options, show
from trace_parity.errors import Exit
from trace_parity.printable import plural

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair
    from trace_parity.run.gradcheck import GradientRow


@click.command(
    epilog="Exit codes: 0 all gradients are correct, 1 one is wrong, 2 usage, 3 the port failed, 6 nothing checked."
)
@click.option("--case", "cases", multiple=True, help="Case to check, or all. Repeatable. [default: the program's own]")
@click.option(
    "--parameter", "parameters", multiple=True, help="Parameter to differentiate by. Repeatable. [default: all]"
)
@click.option("--list", "is_list", is_flag=True, help="List cases and parameters.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output form."
)
@detail_options()
@pair_option
def gradcheck(pair: Pair, cases: tuple[str, ...], parameters: tuple[str, ...], is_list: bool, form: str) -> None:
    """Compare the gradients of the PyTorch port with finite differences.

    `ok`: the error of the central difference falls as the square of the step. `exact`: the image is linear or quadratic
    in the parameter, and only rounding differs. `none`: the pixel does not depend on it. torch.autograd.gradcheck must
    agree.
    """
    from trace_parity.cli.progress import stages
    from trace_parity.run import gradcheck as port

    program = pair.programs.sides["PY"]

    if is_list:
        known_cases, known_parameters = port.names(program)
        known = {"cases": known_cases, "parameters": known_parameters}
        lines = [f"{kind}: {' '.join(entries)}" for kind, entries in known.items()]
        click.echo(json.dumps(known) if form == "json" else "\n".join(lines))
        return
    with stages() as stage, stage("gradients") as progress:
        rows = port.check(program, cases, parameters, progress)
    wrong = [row for row in rows if not row.good]
    if form == "json":
        click.echo(json.dumps({"wrong": len(wrong), "rows": [dataclasses.asdict(row) for row in rows]}, indent=1))
    else:
        if detail() != "verdict":
            _table(rows)
        show([], [_summary(rows)])
    raise SystemExit(int(Exit.DIVERGENCE if wrong else Exit.PARITY))


def _table(rows: list[GradientRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("parameter", "case", "place", "pixel", box=None, pad_edge=False, header_style="bold")
    for title in ("analytic", "differences", "order"):
        table.add_column(title, justify="right")
    table.add_column("autograd")
    table.add_column("verdict")
    for row in rows:
        name = row.parameter if row.components == 1 else f"{row.parameter}\\[{row.component}]"
        style = {"wrong": "bold red", "none": "dim"}.get(row.verdict)
        table.add_row(
            name,
            row.case,
            row.place,
            "{},{}".format(*row.pixel),
            f"{row.analytic:.8g}",
            f"{row.difference:.8g}",
            "" if row.order is None else f"{row.order:.3f}",
            "ok" if row.gradcheck else "fails",
            row.verdict.upper() if row.verdict == "wrong" else row.verdict,
            style=style,
        )
    console = Console()
    if not console.is_terminal:  # piped, a table keeps its lines whole
        console = Console(width=160)
    console.print(table)


def _summary(rows: list[GradientRow]) -> str:
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("ok", "exact", "none", "wrong")}
    head = f"WRONG  {plural(counts['wrong'], 'gradient')}" if counts["wrong"] else "CORRECT"
    return (
        f"{head}  {counts['ok']} converge as the square of the step, {counts['exact']} are exact, "
        f"{counts['none']} do not depend on the parameter, {counts['wrong']} are wrong"
    )
