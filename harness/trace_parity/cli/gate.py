"""`trace-diff gate`: many cases, one exit code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import gathered
from trace_parity.cli.many_cases import ManyCases, many_cases_options
from trace_parity.cli.screen import is_screen, show
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import write_whole


@dataclass(frozen=True)
class Words(ManyCases):
    """The options of the command."""

    matrix: Path | None
    only: tuple[str, ...]
    preflight: bool


@click.command(epilog="Exit code: that of the worst case. --resume continues an interrupted gate.")
@click.option("--matrix", type=click.Path(path_type=Path), help="Matrix file. [default: the pair's]")
@click.option(
    "--only",
    multiple=True,
    metavar="ID",
    shell_complete=candidates.matrix_cases,
    help="Run this case of the matrix, repeatable.",
)
@click.option(
    "--preflight",
    is_flag=True,
    help="Compare the settings of both programs first, as `run` does; this takes 1 to 2 s per case.",
)
@many_cases_options(
    "Cases",
    "reports/gate",
    "the bundles, gate.json and gate.junit.xml",
    waive="Let this known quirk pass in the cases that show it; the exit code is 7 if no case shows it.",
    no_images="Trace only; render no image.",
    resume="Reuse the outcomes of an earlier gate of the same pair, programs and options.",
)
@gathered(Words)
def gate(words: Words) -> None:
    """Run every case of a matrix through both programs; print a table, write one JUnit file.

    One case that crashes does not lose the others. In a git work tree the pair and its programs must lie in it, unless
    --pair names another.
    """
    from trace_parity.pair.matrix import Matrix
    from trace_parity.pair.toml_table import nearest
    from trace_parity.render.gate_report import gate_junit, gate_markdown, gate_table, gate_verdict
    from trace_parity.result.outcome import Outcome
    from trace_parity.run.gate import run_gate, stale_waivers, worst

    pair, out = words.pair, words.out
    options = words.options(waive_unused=True, together=True, preflight=words.preflight)
    loaded = pair.matrix(words.matrix)
    known, others = [case.id for case in loaded.cases], [case.id for case in pair.cases()]
    for name in words.only:
        if name not in known and name in others:
            raise HarnessError(
                Exit.USAGE,
                f"{name!r} is a case of the pair, not of the matrix",
                where=loaded.name,
                hint=f"trace-diff run {name}",
            )
        if name not in known:
            raise HarnessError(
                Exit.USAGE,
                f"no case {name!r} in the matrix",
                where=loaded.name,
                hint=nearest(name, [*known, *others]) or "`trace-diff cases list` shows them",
            )
    chosen = Matrix(loaded.name, tuple(c for c in loaded.cases if not words.only or c.id in words.only))
    seen = 0

    def tell(outcome: Outcome) -> None:
        nonlocal seen
        seen += 1
        click.echo(f"[{seen}/{len(chosen.cases)}] {outcome.verdict:12} {outcome.case}", err=True)

    try:
        outcomes = run_gate(
            pair, chosen, options, words.jobs, cluster=words.cluster, resume=words.resume, on_outcome=tell
        )
    except BaseException as error:
        words.note_kept(error, f"{seen} of {len(chosen.cases)} cases are")
        raise
    write_whole(out / "gate.junit.xml", gate_junit(outcomes, "trace-diff gate"))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(gate_markdown(outcomes))
    stale = stale_waivers(outcomes, words.waive)
    code = worst(outcomes, stale)
    waivers = [f"waiver {quirk}: no case shows its divergence; remove the waiver" for quirk in stale]
    end = [*waivers, *gate_verdict(outcomes, int(code), out)]
    show(gate_table(outcomes, worst_first=is_screen()), end, head=1)
    raise SystemExit(int(code))
