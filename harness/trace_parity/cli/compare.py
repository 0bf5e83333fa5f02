"""`trace-diff compare`: two logs that are already there."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import (
    blame_pixels_option,
    emit,
    note,
    output_options,
    pair_option,
    parse_formats,
    waive_option,
)

if TYPE_CHECKING:
    from trace_parity.pair.contract import Contract
    from trace_parity.pair.pair import Pair
    from trace_parity.pair.tolerances import Rule
    from trace_parity.result.compare import Asked
    from trace_parity.result.result import CaseResult, Result

_PATH = click.Path(path_type=Path)


@click.command(epilog="Exit codes as for `trace-diff run`.")
@click.argument("c_log", metavar="C.log", type=_PATH)
@click.argument("py_log", metavar="PY.log", type=_PATH)
@click.option("--case", "case_name", help="Ask for what this case asks for (variables, pixels, ticks).")
@click.option("--c-image", type=_PATH, metavar="PATH", help="C's float image: float32, little-endian, no header.")
@click.option("--py-image", type=_PATH, metavar="PATH", help="PY's float image; both are compared too.")
@click.option(
    "--shape", metavar="SLOW,FAST", help="Pixels of the images. [default: the size that a program printed into its log]"
)
@click.option(
    "--stream/--no-stream",
    default=None,
    help="Read both logs side by side and hold only what waits for its counterpart, or hold everything. "
    "[default: stream when a log is larger than 32 MB]",
)
@click.option(
    "--columns",
    type=_PATH,
    metavar="PATH.parquet",
    help="Write all rows of both logs here too, in columns; `compare` takes that file in place of a log.",
)
@pair_option
@waive_option
@blame_pixels_option
@output_options
def compare(
    pair: Pair,
    c_log: Path,
    py_log: Path,
    case_name: str | None,
    c_image: Path | None,
    py_image: Path | None,
    shape: str | None,
    stream: bool | None,
    columns: Path | None,
    waive: tuple[str, ...],
    blame_pixels: int,
    rtol_words: tuple[str, ...],
    formats: tuple[str, ...],
    lenient: bool,
) -> None:
    """Compare the trace lines of two logs, today's or older forms, amid any other output.

    Without --case, whatever one log holds must stand in the other too, and vectors must be whole.
    """
    from trace_parity.compare.images import compare_images
    from trace_parity.pair.tolerances import global_rtol, parse_rules
    from trace_parity.quirks.waivers import check_ids
    from trace_parity.result.compare import Asked
    from trace_parity.run.given_images import embedded, read_images, with_pixels_of_traces
    from trace_parity.trace.pair_of_logs import pair_for_logs

    wanted, rules = parse_formats(formats), parse_rules(rtol_words)
    pair, inferred = pair_for_logs(pair, c_log, py_log)
    if inferred:
        note(inferred)
    check_ids(waive, pair.quirks)
    case, contract = _label(pair, case_name, c_log, py_log)
    given = read_images(pair, c_image, py_image, shape, (c_log, py_log))
    tolerance, rtol = pair.vocabulary.image, global_rtol(rules)
    metrics = None if given is None else compare_images(given.c, given.py, tolerance, rtol)
    job = _Job(pair, c_log, py_log, case, contract, rules, lenient, columns, Asked(metrics, waive), blame_pixels)
    result = with_pixels_of_traces(_compare(job, stream))
    asked = f"# what was asked\n{shlex.join(('trace-diff', *sys.argv[1:]))}\n"
    beside = {"commands.txt": asked.encode("utf-8", "replace"), **(embedded(result, given) if given else {})}
    emit(result, wanted, beside)
    raise SystemExit(result.exit_code)


def _label(pair: Pair, case_name: str | None, c_log: Path, py_log: Path) -> tuple[CaseResult, Contract]:
    from trace_parity.pair.contract import Contract
    from trace_parity.printable import visible
    from trace_parity.result.result import CaseResult

    if case_name is None:
        return CaseResult("compare", f"{visible(c_log.name)} against {visible(py_log.name)}"), Contract()
    case = pair.case(case_name)
    return CaseResult(case.id, case.title), case.contract


@dataclass(frozen=True)
class _Job:
    """What is compared, and how."""

    pair: Pair
    c_log: Path
    py_log: Path
    label: CaseResult
    contract: Contract
    rules: tuple[Rule, ...]
    lenient: bool
    columns: Path | None
    asked: Asked
    blame_pixels: int


def _compare(job: _Job, stream: bool | None) -> Result:
    """Streaming where the logs are large or it is asked for, in memory else; both find the same."""
    from trace_parity.cli.common import stages
    from trace_parity.pair.tolerances import global_rtol, with_rules
    from trace_parity.stream import NoCompilerError, UnsuitableError, is_large, stream_compare, with_note
    from trace_parity.trace.precision import with_precision

    vocabulary, rtol, why_not = with_rules(job.pair.vocabulary, job.rules), global_rtol(job.rules), ""
    vocabulary, precision = with_precision(vocabulary, {"C": job.c_log, "PY": job.py_log})
    if stream or (stream is None and is_large(job.c_log, job.py_log)):
        try:
            with stages() as stage, stage(f"comparing {job.c_log.name} and {job.py_log.name}") as progress:
                result = stream_compare(
                    job.c_log,
                    job.py_log,
                    vocabulary,
                    job.label,
                    job.contract,
                    pair=job.pair,
                    rtol=rtol,
                    lenient=job.lenient,
                    progress=progress,
                    columns=job.columns,
                    asked=job.asked,
                    blame_pixels=job.blame_pixels,
                )
            if "streaming" in result.logs["C"].notes:
                note(result.logs["C"].notes["streaming"])
            return replace(result, precision=(*precision, *result.precision))
        except (NoCompilerError, UnsuitableError) as why:
            why_not = f"compared in memory, not streaming: {why}"
            note(why_not)
    from trace_parity.compare.align import align
    from trace_parity.result.compare import compare as judge_all
    from trace_parity.trace.parquet import read_any, write_columns

    tables = [
        read_any(log, side, vocabulary, lenient=job.lenient) for log, side in ((job.c_log, "C"), (job.py_log, "PY"))
    ]
    result = judge_all(
        align(tables[0], tables[1], vocabulary),
        job.label,
        job.contract,
        pair=job.pair,
        rtol=rtol,
        images=job.asked.images,
        waive=job.asked.waive,
        blame_pixels=job.blame_pixels,
    )
    if job.columns is not None:
        write_columns(job.columns, (tables[0], tables[1]), vocabulary)
    result = replace(result, precision=(*precision, *result.precision))
    return with_note(result, why_not) if why_not else result
