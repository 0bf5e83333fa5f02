"""`trace-diff calibrate`: measure how far rounding alone moves each number of a case."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import against_option, note, pair_option
from trace_parity.cli.progress import stages
from trace_parity.cli.screen import show
from trace_parity.errors import HarnessError
from trace_parity.files import make_folder

if TYPE_CHECKING:
    from trace_parity.pair.calibration import Calibration, Member
    from trace_parity.pair.pair import Pair


@click.command(epilog="Exit codes: 0 measured, 2 usage, 3 a program failed, 5 unreadable, 6 no trace lines.")
@click.argument("case", shell_complete=candidates.all_cases)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="Runs in which the real numbers of the inputs are changed by one unit in the last place.",
)
@against_option("Variant of the programs, as for `trace-diff run`.")
@click.option("--fresh", is_flag=True, help="Run everything again; by default, cached runs are not repeated.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it. [default: calibrations/CASE.json in the pair's folder, where comparisons find it]",
)
@pair_option
def calibrate(pair: Pair, case: str, samples: int, against: str, fresh: bool, out: Path | None) -> None:
    """Run the C program of CASE (or of a case of the matrix) in variants that change rounding only.

    These are the builds that the pair lists, and its own build with inputs that are changed by one unit in the last
    place. How far each number changes is written to a file; `run` and `compare --case` then report by what
    factor a difference exceeds what rounding explains. Builds and logs are kept in the user's cache.
    """
    from trace_parity.pair.calibration import write_calibration
    from trace_parity.run.calibrate import calibrate as measure
    from trace_parity.run.calibrate import calibration_path
    from trace_parity.run.options import check_against

    chosen = pair.case(case)
    path = out or calibration_path(pair, chosen.id, check_against(pair.programs, against))
    make_folder(path.parent)  # an error before anything is run
    try:
        with stages() as stage:
            found = measure(pair, chosen, samples=samples, against=against, fresh=fresh, stage=stage)
    except BaseException as error:
        if not isinstance(error, HarnessError):
            again = shlex.join(["trace-diff", *(word for word in sys.argv[1:] if word != "--fresh")])
            error.add_note(f"finished runs are kept in the user's cache; to continue: {again}")
        raise
    write_calibration(found, path)
    show(_lines(found))
    note(f"written to {path}")


def _lines(found: Calibration) -> list[str]:
    numbers = len(found.spreads)
    lines = [f"{found.origin.case}: rounding moves {found.moved} of {numbers} numbers"]
    lines += [f"  {member.name:16} {_of(member, numbers)}" for member in found.members[1:]]
    return lines


def _of(member: Member, numbers: int) -> str:
    if member.skipped:
        return f"left out: {member.skipped}"
    words = f"moves {member.moved}, by {member.largest_rel:.2g} relative at most"
    words += f"; {member.missing} of {numbers} numbers are not printed" if member.missing else ""
    return words + ("; float32, not part of the spread" if member.kind == "float32" else "")
