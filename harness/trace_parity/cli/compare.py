"""`trace-diff compare`: two logs that are already there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli import candidates
from trace_parity.cli.common import (
    blame_sites_option,
    calibration_for,
    calibration_option,
    check_sides,
    emit,
    gathered,
    note,
    output_options,
    pair_option,
    parse_formats,
    rules_of,
    waive_option,
)
from trace_parity.cli.log_path import LogPath
from trace_parity.cli.progress import stages
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.compare.options import Options
    from trace_parity.compare.windows import Progress
    from trace_parity.pair.contract import Contract
    from trace_parity.pair.pair import Pair
    from trace_parity.result.result import CaseResult, Result
    from trace_parity.run.image_files import ImagePair

_PATH = click.Path(path_type=Path)
LARGE_BYTES = 32 << 20
"""Logs beyond which progress is shown."""


def _notice_stream(context: click.Context, parameter: click.Parameter, value: bool | None) -> None:
    if value is not None:
        note("--stream and --no-stream have no effect any more: logs of every size are compared in the same way")


@dataclass(frozen=True)
class Words:
    """The arguments and options of the command."""

    pair: Pair
    c_log: Path
    py_log: Path | None
    case_name: str | None
    c_image: Path | None
    py_image: Path | None
    shape: str | None
    sides: str | None
    rank: str | None
    rank_loop: str
    columns: Path | None
    waive: tuple[str, ...]
    calibration: Path | None
    blame_sites: int
    rtol_words: tuple[str, ...]
    formats: tuple[str, ...]
    lenient: bool

    @property
    def logs(self) -> tuple[Path, Path]:
        """C's and PY's. Raises HarnessError (exit 2) for one path only, or bundles in place of logs."""
        from trace_parity.files import log_hint, logs_of_bundle

        bundles = [path for path in (self.c_log, self.py_log) if path is not None and logs_of_bundle(path)]
        names = shlex.join(map(str, bundles))
        if self.py_log is None and bundles:
            hint = f"trace-diff judge {names} compares its logs again"
            raise HarnessError(Exit.USAGE, "a bundle", where=str(self.c_log), expected="C.log PY.log", hint=hint)
        if self.py_log is None:
            hint = f"trace-diff blame {shlex.quote(str(self.c_log))} evaluates the equations in one log"
            what, hint = ("a folder", log_hint(self.c_log)) if self.c_log.is_dir() else ("one log", hint)
            raise HarnessError(Exit.USAGE, what, where=str(self.c_log), expected="C.log PY.log", hint=hint)
        if len(bundles) == 2:
            hint = f"trace-diff report diff {names} compares two bundles"
            raise HarnessError(Exit.USAGE, "two bundles", where=names, expected="C.log PY.log", hint=hint)
        return self.c_log, self.py_log


@click.command(epilog="Exit codes as for `trace-diff run`.")
@click.argument("c_log", metavar="C.log", type=LogPath())
@click.argument("py_log", metavar="PY.log", type=LogPath(), required=False)
@click.option(
    "--case",
    "case_name",
    shell_complete=candidates.all_cases,
    help="Require the variables, places and ticks that this case requires.",
)
@click.option("--c-image", type=_PATH, metavar="PATH", help="C's float image: float32, little-endian, no header.")
@click.option("--py-image", type=_PATH, metavar="PATH", help="PY's float image; both are compared too.")
@click.option(
    "--shape", metavar="SLOW,FAST", help="Pixels of the images. [default: the size that a program printed into its log]"
)
@click.option("--stream/--no-stream", default=None, hidden=True, expose_value=False, callback=_notice_stream)
@click.option(
    "--sides",
    "--side",
    metavar="A,B",
    help="Side to read from each log: --sides C,C for two logs of C, --sides C,PY for logs whose "
    "lines begin with a plain `TRACE:`.",
)
@click.option("--rank", metavar="N", help="Read the lines of one rank only, from logs that several ranks wrote to.")
@click.option(
    "--rank-loop",
    metavar="LOOP",
    default="",
    help="Compare rank by rank: the rank at the beginning of a line becomes the index of this loop, the outermost one.",
)
@click.option(
    "--columns",
    type=_PATH,
    metavar="PATH.parquet",
    help="Also write all rows of both logs to this Parquet file; `compare` accepts it in place of a log.",
)
@pair_option
@waive_option
@calibration_option
@blame_sites_option
@output_options
@gathered(Words)
def compare(words: Words) -> None:
    """Compare the trace lines of two logs, in the current or an older form, among any other output.

    Without --case, both logs must have the same values, and vectors must be complete.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no matrix is multiplied here; starting the threads takes 0.1 s
    from trace_parity.compare.options import Options
    from trace_parity.pair.tolerances import global_rtol
    from trace_parity.run.image_files import embedded, read_images, with_places_of_traces
    from trace_parity.run.source_lines import with_source_lines
    from trace_parity.trace.pair_of_logs import pair_for_logs, with_outer_loop

    wanted, rules = parse_formats(words.formats), rules_of(words.rtol_words)
    if words.columns is not None and words.columns.suffix != ".parquet":
        raise HarnessError(
            Exit.USAGE,
            f"{words.columns.suffix or 'no'} suffix",
            where=f"--columns {words.columns}",
            expected="a name that ends in .parquet",
            hint="trace-diff table LOOP C.log PY.log --format csv prints CSV",
        )
    pair, inferred = pair_for_logs(words.pair, *words.logs)
    if inferred:
        note(inferred)
    if words.rank_loop:
        pair = with_outer_loop(pair, words.rank_loop)
    if words.waive:
        from trace_parity.quirks.waivers import check_ids

        check_ids(words.waive, pair.quirks)
    images = read_images(pair, words.c_image, words.py_image, words.shape, words.logs)
    options = Options(
        rtol=global_rtol(rules),
        rules=rules,
        lenient=words.lenient,
        sides=_sides(words.sides),
        rank=words.rank,
        rank_loop=words.rank_loop,
        blame_sites=words.blame_sites,
        waive=words.waive,
        calibration=calibration_for(
            pair, pair.case(words.case_name) if words.case_name else None, "", words.calibration
        ),
    )
    result = with_source_lines(with_places_of_traces(_compare(words, pair, options, images)), pair)

    def files() -> dict[str, bytes]:
        from trace_parity.cli.page_files import files_of_logs

        return {**files_of_logs(pair.title), **(embedded(result, images) if images else {})}

    emit(replace(result, typed_logs=tuple(map(str, words.logs))), wanted, files)
    raise SystemExit(result.exit_code)


def _label(pair: Pair, words: Words) -> tuple[CaseResult, Contract]:
    from trace_parity.pair.contract import Contract
    from trace_parity.printable import visible
    from trace_parity.result.result import CaseResult

    if words.case_name is None:
        return CaseResult("compare", f"{visible(words.logs[0].name)} against {visible(words.logs[1].name)}"), Contract()
    case = pair.case(words.case_name)
    return CaseResult(case.id, case.title), case.contract


def _sides(words: str | None) -> tuple[str, str] | None:
    """`C,PY` as a pair. Raises HarnessError (exit 2)."""
    if words is None:
        return None
    c, _, py = words.upper().partition(",")
    if {c, py} <= {"C", "PY"}:
        return c, py
    raise HarnessError(
        Exit.USAGE, f"{words!r} names no sides", where="--sides", expected="C,PY or C,C or PY,PY or PY,C"
    )


def _compare(words: Words, pair: Pair, options: Options, images: ImagePair | None) -> Result:
    from trace_parity.compare.images import compare_images
    from trace_parity.compare.logs import compare_logs
    from trace_parity.pair.tolerances import with_rules
    from trace_parity.result.compare import result_of
    from trace_parity.trace.precision import with_precision

    label, contract = _label(pair, words)
    vocabulary = with_rules(pair.vocabulary, options.rules)
    vocabulary, precision = with_precision(vocabulary, dict(zip(("C", "PY"), words.logs, strict=True)))
    metrics = None if images is None else compare_images(images.c, images.py, pair.vocabulary.image, options.rtol)
    with _progress(words.logs) as progress:
        with compare_logs(words.logs, vocabulary, contract, options, progress) as found:
            check_sides(["side" in table.notes for table in found.tables], words.logs, "--sides")
            result = result_of(found, label, pair=pair, options=options, images=metrics)
        if words.columns is not None:
            from trace_parity.trace.column_writer import write_columns

            write_columns(words.columns, words.logs, vocabulary, found.read_as)
    if sum(found.numbers) > options.whole_numbers:  # that small logs are held needs no word
        for text in found.notes:
            note(text)
    return result.with_precision(precision)


@contextmanager
def _progress(logs: tuple[Path, Path]) -> Iterator[Progress]:
    """How far large logs have been read, on standard error."""
    if not any(log.is_file() and log.stat().st_size > LARGE_BYTES for log in logs):
        yield lambda percent: None
        return
    with stages() as stage, stage(f"comparing {logs[0].name} and {logs[1].name}") as progress:
        yield progress
