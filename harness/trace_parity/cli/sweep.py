"""`trace-diff sweep`: try many command lines of a grammar and shrink those that differ to a few flags."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import gathered
from trace_parity.cli.many_cases import ManyCases, many_cases_options
from trace_parity.cli.screen import show, tell
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import write_whole

if TYPE_CHECKING:
    from trace_parity.pair.sweep_grammar import Grammar, Line


@dataclass(frozen=True)
class Words(ManyCases):
    """The options of the command."""

    grammar: Path | None
    count: int | None
    seed: int
    grid: str | None
    listed: Path | None


@click.command(
    epilog="Exit code: that of the worst command line; 6 if none could be compared. "
    "--resume continues an interrupted sweep."
)
@click.option("--grammar", type=click.Path(path_type=Path), help="Grammar of flags. [default: sweep.toml of the pair]")
@click.option("--random", "count", type=click.IntRange(min=1), metavar="N", help="Draw N command lines.")
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of --random. A larger N keeps the first lines.",
)
@click.option(
    "--grid",
    is_flag=False,
    flag_value="",
    metavar="[NAME,NAME...]",
    help="Every combination of the values of these flags, named without the dash; without names, of every two flags.",
)
@click.option(
    "--list", "listed", type=click.Path(path_type=Path), metavar="FILE", help="File with one command line per line."
)
@many_cases_options(
    "Lines",
    "reports/sweep",
    "sweep.html, sweep.json, cases and bundles",
    waive="Let this known quirk pass.",
    no_images="Trace only; needs a grammar that names places.",
    resume="Reuse the tries of an earlier sweep of the same pair and programs.",
)
@gathered(Words)
def sweep(words: Words) -> None:
    """Run many command lines through both programs and shrink each that differs to the fewest flags.

    \b
    trace-diff sweep --random 200 --seed 1
    trace-diff sweep --grid oversample,detpixels
    trace-diff sweep --list LINES.txt
    """
    from trace_parity.render.sweep_report import sweep_json, sweep_page, sweep_table
    from trace_parity.run.sweep import STATE, Sweep, run_sweep

    pair, out = words.pair, words.out
    options = words.options()
    grammar = pair.sweep(words.grammar)
    lines = _lines(words, grammar)

    try:
        result = run_sweep(Sweep(pair, grammar, options, words.jobs, words.cluster, words.resume, tell), lines)
    except BaseException as error:
        if (out / STATE).is_file():  # else nothing was tried
            words.note_kept(error, "what was tried is")
        raise
    write_whole(out / "sweep.json", sweep_json(result))
    write_whole(out / "sweep.html", sweep_page(result))
    *body, verdict = sweep_table(result)
    show(body, [verdict])
    click.echo(f"report: {out / 'sweep.html'}", err=True)
    raise SystemExit(result.exit_code)


def _lines(words: Words, grammar: Grammar) -> list[Line]:
    """The requested command lines. Raises HarnessError (exit 2)."""
    asked = [words.count is not None, words.grid is not None, words.listed is not None]
    if sum(asked) != 1:
        raise HarnessError(
            Exit.USAGE,
            "nothing to sweep" if not any(asked) else "more than one source of command lines",
            expected="one of --random N, --grid [NAMES] and --list FILE",
        )
    if words.count is not None:
        return list(grammar.drawn(words.seed, words.count))
    if words.grid is not None:
        names = [name for name in words.grid.split(",") if name]
        return list(grammar.grid([name if name in grammar.by_name else f"-{name}" for name in names]))
    assert words.listed is not None
    return _read_list(words.listed, grammar)


def _read_list(path: Path, grammar: Grammar) -> list[Line]:
    from trace_parity.pair.toml_table import read_text

    found = []
    for number, text in enumerate(read_text(path).splitlines(), 1):
        try:
            line = shlex.split(text, comments=True)
        except ValueError as error:
            raise HarnessError(Exit.USAGE, f"not a command line: {error}", where=f"{path}:{number}") from error
        if line and not line[0].startswith("-"):
            line = line[1:]  # the program's own name, pasted along
        if line:
            found.append(grammar.read(line))
    if not found:
        raise HarnessError(Exit.USAGE, "no command line in it", where=str(path), expected="one per line")
    return found
