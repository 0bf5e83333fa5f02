"""`trace-diff replay`: one function of the port under C's inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import rules_of
from trace_parity.cli.log_path import LogPath
from trace_parity.cli.screen import detail_options, show
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.tolerances import Rule

_PATH = click.Path(path_type=Path)


@click.command(epilog="Exit codes: 0 all agree, 1 some differ, 2 usage, 3 the function failed, 6 nothing to compare.")
@click.argument("function", shell_complete=candidates.replayed)
@click.argument("c_log", metavar="C.log|BUNDLE", type=LogPath())
@click.option("--pair", type=_PATH, metavar="DIR", help="The pair's folder. [default: the nearest upwards]")
@click.option("--probes", type=_PATH, metavar="FILE", help="The file with [replay.FUNCTION]. [default: probes.toml]")
@click.option(
    "--rtol",
    "rtol_words",
    multiple=True,
    metavar="RULE...",
    help="Relative tolerance, for all outputs or by name: --rtol 1e-9 force:1e-6. [default: 1e-6]",
)
@detail_options()
def replay(function: str, c_log: Path, pair: Path | None, probes: Path | None, rtol_words: tuple[str, ...]) -> None:
    """Call FUNCTION of the port with the inputs that C.log has at each place, and compare its outputs with C's.

    [replay.FUNCTION] in probes.toml names the function and the variables that are its inputs and outputs.
    """
    from trace_parity.files import logs_of_bundle
    from trace_parity.probe.probes_file import find_probes
    from trace_parity.probe.replay import describe, find_function, read_replay
    from trace_parity.probe.replay import replay as run

    if (logs := logs_of_bundle(c_log)) is not None:
        c_log = logs[0]
    file = find_probes(pair, probes)
    wanted = read_replay(file, function)
    rtol = _rtol_of(rules_of(rtol_words), wanted.outputs)
    result = run(c_log, wanted, find_function(wanted.call, file.path.parent), file.loops, rtol)
    if not result.compared:
        raise HarnessError(
            Exit.NOTHING_TO_COMPARE, f"no place has {', '.join(wanted.outputs)} and all inputs", where=str(c_log)
        )
    *body, verdict = describe(result, wanted)
    show(body, [verdict])
    raise SystemExit(int(Exit.DIVERGENCE if result.differences else Exit.PARITY))


def _rtol_of(rules: Sequence[Rule], outputs: Sequence[str]) -> Callable[[str], float]:
    """The relative tolerance of an output; the last rule that fits it. Raises HarnessError (exit 2)."""
    for rule in rules:
        if rule.part != "rtol":
            raise HarnessError(
                Exit.USAGE, f"{rule.part} rules are not supported here", where="--rtol", expected="relative tolerances"
            )
        if rule.names and not any(rule.fits(output) for output in outputs):
            raise HarnessError(
                Exit.USAGE, f"{rule.names!r} matches no output", where="--rtol", expected=", ".join(outputs)
            )

    def of(output: str) -> float:
        return next((rule.value for rule in reversed(rules) if rule.fits(output)), 1e-6)

    return of
