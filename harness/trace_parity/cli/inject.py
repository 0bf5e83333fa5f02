"""`trace-diff inject`: rerun the port with C's values of some variables; `--bisect` isolates the faults that way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import gathered, pair_option, rtol_option, rules_of
from trace_parity.cli.pair_options import PairCommand, pair_values
from trace_parity.cli.screen import detail_options, is_screen, show
from trace_parity.errors import Exit, HarnessError
from trace_parity.printable import plural

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair
    from trace_parity.run.counterfactual import Bisection, Injection


@dataclass(frozen=True)
class Words:
    """The arguments and options of the command."""

    pair: Pair
    bundle: Path
    names: tuple[str, ...]
    is_bisect: bool
    trust_bundle: bool
    rtol_words: tuple[str, ...]
    form: str


@click.command(
    cls=PairCommand,
    epilog="Exit codes: 0 everything downstream agrees, 1 it does not, 2 usage or another input file, "
    "3 the port failed, 5 unreadable, 6 nothing downstream was compared.",
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=candidates.variables)
@click.option(
    "--bisect", "is_bisect", is_flag=True, help="Find the smallest set of variables that explains everything."
)
@click.option("--trust-bundle", is_flag=True, help="Run commands of the bundle's case that no installed case has.")
@rtol_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output form."
)
@detail_options("every variable, even if they do not fit on the screen.")
@pair_option
@gathered(Words)
def inject(words: Words) -> None:
    """Run the port with C's values of the variables NAME, and report whether everything downstream agrees.

    Only the port is run again; BUNDLE does not change. A name that exists in several scopes is replaced in each;
    `scope.NAME` means one of them.

    \b
    trace-diff inject BUNDLE F_cell
    trace-diff inject BUNDLE rot_a_angstroms rot_b_angstroms rot_c_angstroms
    trace-diff inject BUNDLE --bisect
    """
    from trace_parity.cli.progress import stages
    from trace_parity.result.result import to_json
    from trace_parity.run import counterfactual as lab

    names = words.names
    if bool(names) == words.is_bisect:
        raise HarnessError(
            Exit.USAGE,
            "both names and --bisect" if names else "no variable to inject",
            expected="names of variables, or --bisect",
        )
    lab.known_ids(names, words.pair.vocabulary)  # before anything is run
    files = pair_values(click.get_current_context())
    with (
        stages() as stage,
        lab.counterfactual(
            words.pair,
            words.bundle,
            files=files,
            rules=rules_of(words.rtol_words),
            is_trusted=words.trust_bundle,
            stage=stage,
        ) as ready,
    ):
        found: Injection | Bisection = lab.bisect(ready) if words.is_bisect else lab.inject(ready, names)
    if words.form == "json":
        click.echo(to_json(found), nl=False)
    else:
        *body, verdict = _lines(found)
        show(body, [verdict])
    raise SystemExit(int(Exit.PARITY if found.agrees else Exit.DIVERGENCE))


def _lines(found: Injection | Bisection) -> list[str]:
    """What was found, the verdict last."""
    from trace_parity.run.counterfactual import Bisection

    return _bisection(found) if isinstance(found, Bisection) else _injection(found)


def _injection(found: Injection) -> list[str]:
    names = ", ".join(found.names)
    if not found.agrees:
        verdict = f"STILL DIVERGES  with C's {names}, some variables downstream still differ"
    elif found.cured:
        verdict = f"AGREES  with C's {names}, everything downstream agrees"
    else:
        verdict = f"AGREES  everything downstream of {names} agrees, but it did so without C's values too"
    lines = [f"  after      {_few(found.after)}"]
    if found.cured:
        lines.append(f"  cured      {_few(found.cured)}")
    differing = [(v, "still" if v.after else "elsewhere") for v in found.variables if v.now]
    differing.sort(key=lambda row: not row[0].after)
    for row, title in differing:
        counts = f"{row.now} of {plural(row.compared, 'number')}"
        lines.append(f"  {title:9}  {row.variable}: {counts} (without C's values: {row.before})")
    return [*lines, f"  reruns     {found.reruns}", verdict]


MOST_NAMES = 8
"""Names in a line of a screen."""


def _few(variables: Sequence[str]) -> str:
    """The names of variables; on a screen the first of them, and how many more there are."""
    names = [_last(variable) for variable in variables]
    if not is_screen() or len(names) <= MOST_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def _bisection(found: Bisection) -> list[str]:
    count = len(found.faults)
    if not found.agrees:
        left = f"{', '.join(found.left[:4])}" + (f" and {len(found.left) - 4} more" if len(found.left) > 4 else "")
        verb = "diverges" if len(found.left) == 1 else "diverge"
        head = f"NOT ISOLATED  {plural(len(found.left), 'variable')} still {verb}: {left}"
    elif not count:
        head = "AGREES  nothing diverges; there is no fault to isolate"
    else:
        head = (
            f"ISOLATED  {plural(count, 'fault')}; with C's values of {'them' if count > 1 else 'it'} everything agrees"
        )
    lines = []
    for fault in found.faults:
        others = [i for i in fault.needed_for if i != fault.variable]
        more = f"; without C's values of it {_few(others)} diverge too" if others else ""
        lines.append(f"  {_last(fault.variable)}: its inputs agree, but it differs{more}")
    if found.stubborn:
        verb = "differs" if len(found.stubborn) == 1 else "differ"
        lines.append(f"  {_few(found.stubborn)}: {verb} even with C's values; the port changes them afterwards")
    return [*lines, f"  reruns    {found.reruns}", head]


def _last(variable: str) -> str:
    return variable.rpartition(".")[2]
