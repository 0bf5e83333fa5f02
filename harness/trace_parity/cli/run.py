"""`trace-diff run`: both programs on one command line, compared; writes a bundle."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import (
    against_option,
    calibration_for,
    calibration_option,
    emit,
    gathered,
    in_tree_option,
    note,
    output_options,
    pair_option,
    parse_formats,
    rules_of,
    waive_option,
)
from trace_parity.cli.pair_options import PairCommand, pair_values, pasted, places
from trace_parity.cli.progress import stages
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.case import Case
    from trace_parity.pair.pair import Pair


@dataclass(frozen=True)
class Words:
    """The argument and options of the command."""

    pair: Pair
    case: str | None
    picks: str | None
    against: str
    out: Path
    waive: tuple[str, ...]
    calibration: Path | None
    no_images: bool
    no_preflight: bool
    device: str | None
    dtype: str | None
    threads: int | None
    rtol_words: tuple[str, ...]
    formats: tuple[str, ...]
    lenient: bool


@click.command(
    cls=PairCommand,
    epilog="Exit codes: 0 parity, 1 divergence, 2 usage, 3 a program failed, 4 shapes differ, 5 unreadable, "
    "6 nothing or one side only to compare, 7 a stale waiver.",
)
@click.argument("case", required=False, metavar="[CASE | -- COMMAND LINE]", shell_complete=candidates.case_or_file)
@click.option(
    "--pixels",
    "picks",
    metavar="PICKS",
    help="Pick pixels on the two images: worst:5,brightest:3,edge:2,weak:2,random:10@SEED. "
    "[default for a command line without a place: worst:2,brightest:1]",
)
@against_option("Variant of the programs, such as fixed or unfixed. [default: the pair's first]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Folder for the bundle: OUT/<case>/<time>-<commit>/.",
)
@pair_option
@in_tree_option
@waive_option
@calibration_option
@click.option("--no-images", is_flag=True, help="Trace only; render neither image.")
@click.option("--no-preflight", is_flag=True, help="Do not compare the settings that the programs resolve first.")
@click.option("--device", help="Device of the PyTorch program, e.g. cpu or cuda.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), help="Number type of the PyTorch program.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of each program.")
@output_options
@gathered(Words)
def run(words: Words) -> None:
    """Run both programs on CASE or on a pasted command line, compare, and write a bundle.

    \b
    trace-diff run CASE
    trace-diff run -- COMMAND LINE OF THE PROGRAMS

    The verdict goes to standard output, everything else to standard error; the last line there names the bundle.
    """
    from trace_parity.compare.options import Options
    from trace_parity.compare.picks import parse_picks
    from trace_parity.files import near
    from trace_parity.pair.tolerances import global_rtol
    from trace_parity.quirks.waivers import check_ids
    from trace_parity.run.options import takes_command_line, with_options
    from trace_parity.run.run_case import run_case

    wanted = parse_formats(words.formats)
    rules = rules_of(words.rtol_words)
    check_ids(words.waive, words.pair.quirks)
    case, picks = _what_to_run(words)
    case = with_options(case, words.pair, pair_values(click.get_current_context()))
    if case.argv and not any(takes_command_line(side) for side in words.pair.programs.sides.values()):
        note("neither program gets the command line: their commands in pair.toml lack {args}")
    programs = {"device": words.device, "dtype": words.dtype, "threads": words.threads}
    options = Options(
        against=words.against,
        out=words.out,
        render_images=not words.no_images,
        rtol=global_rtol(rules),
        rules=rules,
        waive=words.waive,
        lenient=words.lenient,
        program_options={name: str(value) for name, value in programs.items() if value is not None},
        asked_as=("trace-diff", *sys.argv[1:]),
        picks=parse_picks(picks) if picks is not None else (),
        preflight=not words.no_preflight,
        calibration=calibration_for(words.pair, case, words.against, words.calibration),
    )
    with stages() as stage:
        outcome = run_case(words.pair, case, options, stage)

    def files() -> dict[str, bytes]:
        from trace_parity.cli.page_files import files_of_bundle

        return files_of_bundle(outcome.bundle, outcome.result)

    emit(dataclasses.replace(outcome.result, bundle=str(near(outcome.bundle))), wanted, files)
    click.echo(f"bundle: {outcome.bundle}", err=True)
    raise SystemExit(outcome.result.exit_code)


def _what_to_run(words: Words) -> tuple[Case, str | None]:
    """The case, and how its places are picked off the images, if they are. Raises HarnessError (exit 2)."""
    from trace_parity.compare.picks import DEFAULT_PICKS
    from trace_parity.pair.case import pasted_case, with_places

    context, pair, picks = click.get_current_context(), words.pair, words.picks
    argv, asked = pasted(context), places(context)
    if words.case is None and not argv and (pair.cases() or pair.focus):
        raise HarnessError(
            Exit.USAGE, "nothing to run", expected="a case, or a command line after --", hint="trace-diff cases list"
        )
    if words.case is not None and argv:
        raise HarnessError(
            Exit.USAGE,
            f"both a case ({words.case}) and a command line",
            expected="one of them",
            hint="leave out the case",
        )
    if picks is not None and (asked or words.no_images):
        raise HarnessError(
            Exit.USAGE,
            "--pixels picks places on the images; it cannot be combined with places or --no-images",
            expected="one of them",
        )
    chosen = pasted_case(argv, asked) if words.case is None else with_places(pair.case(words.case), asked)
    if picks is None and pair.focus and not chosen.places:
        if words.no_images or not pair.programs.can_render:
            names = " ".join(name.upper() for name in pair.focus_names)
            expected = f"--{pair.focus_option or 'at'} {names}, since there are no images"
            raise HarnessError(Exit.USAGE, "no place to trace", expected=expected)
        picks = DEFAULT_PICKS
    return chosen, picks
