"""`trace-diff run`: both programs on one command line, compared, with a bundle left behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import emit, output_options, pair_option, parse_formats, rules_of, stages, waive_option
from trace_parity.cli.pair_options import PairCommand, pair_values, pasted, places
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@click.command(
    cls=PairCommand,
    epilog="Exit codes: 0 parity, 1 divergence, 2 usage, 3 a program failed, 4 shapes differ, 5 unreadable, "
    "6 nothing or one side only to compare, 7 a stale waiver.",
)
@click.argument("case", required=False, metavar="[CASE | -- COMMAND LINE]")
@click.option(
    "--pixels",
    "picks",
    metavar="PICKS",
    help="Pick pixels off the two images: worst:5,brightest:3,edge:2,weak:2,random:10@SEED. "
    "[default for a command line without a place: worst:2,brightest:1]",
)
@click.option(
    "--against",
    default="",
    metavar="VARIANT",
    help="Variant of the programs, such as fixed or unfixed. [default: the pair's first]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Folder for the bundle: OUT/<case>/<time>-<commit>/.",
)
@pair_option
@waive_option
@click.option("--no-images", is_flag=True, help="Trace only; render neither image.")
@click.option("--no-preflight", is_flag=True, help="Do not compare the settings that the programs resolve first.")
@click.option("--device", help="Device of the PyTorch program, e.g. cpu or cuda.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), help="Number type of the PyTorch program.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of each program.")
@output_options
@click.pass_context
def run(
    ctx: click.Context,
    pair: Pair,
    case: str | None,
    picks: str | None,
    against: str,
    out: Path,
    waive: tuple[str, ...],
    no_images: bool,
    no_preflight: bool,
    device: str | None,
    dtype: str | None,
    threads: int | None,
    rtol_words: tuple[str, ...],
    formats: tuple[str, ...],
    lenient: bool,
) -> None:
    """Run both programs on CASE or on a pasted command line, compare, and leave a bundle.

    \b
    trace-diff run CASE
    trace-diff run -- COMMAND LINE OF THE PROGRAMS

    The verdict goes to standard output, everything else to standard error; the last line there names the bundle.
    """
    from trace_parity.pair.case import pasted_case, with_pixels
    from trace_parity.pair.tolerances import global_rtol
    from trace_parity.quirks.waivers import check_ids
    from trace_parity.run.options import RunOptions, with_options
    from trace_parity.run.picks import DEFAULT_PICKS, parse_picks
    from trace_parity.run.run_case import run_case

    wanted = parse_formats(formats)
    rules = rules_of(rtol_words)
    check_ids(waive, pair.quirks)
    argv, pixels = pasted(ctx), places(ctx)
    has_cases = bool(pair.cases()) or bool(pair.focus)
    if case is None and not argv and has_cases:
        raise HarnessError(
            Exit.USAGE, "nothing to run", expected="a case, or a command line after --", hint="trace-diff cases list"
        )
    if case is not None and argv:
        raise HarnessError(
            Exit.USAGE, f"both a case ({case}) and a command line", expected="one of them", hint="leave out the case"
        )
    if picks is not None and (pixels or no_images):
        raise HarnessError(
            Exit.USAGE,
            "--pixels picks off the images, so it goes neither with places nor with --no-images",
            expected="one of them",
        )
    chosen = pasted_case(argv, pixels) if case is None else with_pixels(pair.case(case), pixels)
    if picks is None and pair.focus and not chosen.pixels:
        if no_images or not pair.programs.can_render:
            names = " ".join(name.upper() for name in pair.focus_names)
            expected = f"--{pair.focus_option or 'at'} {names}, since there are no images"
            raise HarnessError(Exit.USAGE, "no place to trace", expected=expected)
        picks = DEFAULT_PICKS
    chosen = with_options(chosen, pair, pair_values(ctx))
    asked = {"device": device, "dtype": dtype, "threads": threads}
    options = RunOptions(
        against=against,
        out=out,
        render_images=not no_images,
        rtol=global_rtol(rules),
        rules=rules,
        waive=waive,
        lenient=lenient,
        program_options={name: str(value) for name, value in asked.items() if value is not None},
        asked_as=("trace-diff", *sys.argv[1:]),
        picks=parse_picks(picks) if picks is not None else (),
        preflight=not no_preflight,
    )
    with stages() as stage:
        outcome = run_case(pair, chosen, options, stage)
    emit(outcome.result, wanted)
    click.echo(f"bundle: {outcome.bundle}", err=True)
    raise SystemExit(outcome.result.exit_code)
