"""`trace-diff gate`: many cases, one exit code."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import cluster_option, gathered, pair_option, rtol_option, rules_of
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import write_whole

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@dataclass(frozen=True)
class Words:
    """The options of the command."""

    pair: Pair
    matrix: Path | None
    only: tuple[str, ...]
    jobs: int
    cluster: str
    out: Path
    against: str
    rtol_words: tuple[str, ...]
    waive: tuple[str, ...]
    no_images: bool
    preflight: bool
    resume: bool


@click.command(epilog="Exit code: that of the worst case. A gate that was broken off goes on with --resume.")
@click.option("--matrix", type=click.Path(path_type=Path), help="Matrix file. [default: the shipped one]")
@click.option("--only", multiple=True, metavar="ID", help="Run this case of the matrix, repeatable.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default=True, help="Cases at a time."
)
@cluster_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports/gate"),
    show_default=True,
    help="Folder for the bundles, gate.json and gate.junit.xml.",
)
@click.option("--against", default="", metavar="VARIANT", help="Variant of the programs. [default: the pair's first]")
@rtol_option
@click.option(
    "--waive",
    multiple=True,
    metavar="QUIRK",
    help="Let this known quirk pass in the cases that show it; one that no case shows ends the gate with 7. "
    "Repeatable.",
)
@click.option("--no-images", is_flag=True, help="Trace only; render no image.")
@click.option(
    "--preflight",
    is_flag=True,
    help="Compare the settings of both programs first, as `run` does; 1 to 2 s a case more.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Take over the outcomes of an earlier gate of the same pair, programs and options.",
)
@pair_option
@gathered(Words)
def gate(words: Words) -> None:
    """Run every case of a matrix through both programs; print a table, write one JUnit file.

    One case that crashes does not lose the others. In a git work tree the pair and its programs must lie in it, unless
    --pair names another.
    """
    from trace_parity.compare.options import Options
    from trace_parity.pair.matrix import Matrix
    from trace_parity.pair.tolerances import global_rtol, with_rules
    from trace_parity.pair.toml_table import nearest
    from trace_parity.quirks.waivers import check_ids
    from trace_parity.render.gate_report import gate_junit, gate_markdown, gate_table, gate_verdict
    from trace_parity.result.outcome import Outcome
    from trace_parity.run.cluster import program_options
    from trace_parity.run.gate import run_gate, stale_waivers, worst

    pair, out = words.pair, words.out
    check_ids(words.waive, pair.quirks)
    rules = rules_of(words.rtol_words)
    with_rules(pair.vocabulary, rules)  # an error before anything is run
    loaded = pair.matrix(words.matrix)
    known = [case.id for case in loaded.cases]
    for name in words.only:
        if name not in known:
            raise HarnessError(
                Exit.USAGE,
                f"no case {name!r} in the matrix",
                where=loaded.name,
                hint=nearest(name, known) or "`trace-diff cases list` shows them",
            )
    chosen = Matrix(loaded.name, tuple(c for c in loaded.cases if not words.only or c.id in words.only))
    options = Options(
        against=words.against,
        out=out,
        render_images=not words.no_images,
        rtol=global_rtol(rules),
        rules=rules,
        waive=words.waive,
        waive_unused=True,
        together=True,
        program_options=program_options(pair, words.jobs, words.cluster),
        asked_as=("trace-diff", *sys.argv[1:]),
        preflight=words.preflight,
    )
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
        again = shlex.join(["trace-diff", *sys.argv[1:], *([] if words.resume else ["--resume"])])
        error.add_note(f"{seen} of {len(chosen.cases)} cases are kept in {out}; to go on: {again}")
        raise
    write_whole(out / "gate.junit.xml", gate_junit(outcomes, "trace-diff gate"))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(gate_markdown(outcomes))
    stale = stale_waivers(outcomes, words.waive)
    code = worst(outcomes, stale)
    click.echo(gate_table(outcomes), nl=False)
    for quirk in stale:
        click.echo(f"waiver {quirk}: its divergence shows in no case; remove the waiver")
    click.echo(gate_verdict(outcomes, int(code), out), nl=False)
    raise SystemExit(int(code))
