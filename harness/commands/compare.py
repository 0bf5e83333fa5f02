"""`trace-diff compare`: two logs that are already there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands.common import emit, output_options, parse_formats

if TYPE_CHECKING:
    from harness.coverage import Contract
    from harness.result import CaseResult, Result
    from harness.tolerances import Rule


@click.command(epilog="Exit codes as for `trace-diff run`.")
@click.argument("c_log", metavar="C.log", type=click.Path(path_type=Path))
@click.argument("py_log", metavar="PY.log", type=click.Path(path_type=Path))
@click.option("--case", "case_name", help="Ask for what this case asks for (variables, pixels, ticks).")
@click.option(
    "--stream/--no-stream",
    default=None,
    help="Read both logs side by side and hold only what waits for its counterpart, or hold everything. "
    "[default: stream when a log is larger than 32 MB]",
)
@click.option(
    "--columns",
    type=click.Path(path_type=Path),
    metavar="PATH.parquet",
    help="Write all rows of both logs here too, in columns; `compare` takes that file in place of a log.",
)
@output_options
def compare(
    c_log: Path,
    py_log: Path,
    case_name: str | None,
    stream: bool | None,
    columns: Path | None,
    rtol_words: tuple[str, ...],
    formats: tuple[str, ...],
    lenient: bool,
) -> None:
    """Compare the trace lines of two logs, today's or older forms, amid any other output.

    Without --case, whatever one log holds must stand in the other too.
    """
    from harness.coverage import Contract
    from harness.result import CaseResult
    from harness.tolerances import parse_rules

    wanted, rules, case = parse_formats(formats), parse_rules(rtol_words), None
    if case_name:
        from harness.case import load_case

        case = load_case(case_name)
    label = CaseResult(case.id, case.title) if case else CaseResult("compare", f"{c_log.name} against {py_log.name}")
    contract = case.contract if case else Contract()
    result = _compare(c_log, py_log, label, contract, rules, lenient, stream, columns)
    emit(result, wanted)
    raise SystemExit(result.exit_code)


def _compare(
    c_log: Path,
    py_log: Path,
    label: CaseResult,
    contract: Contract,
    rules: tuple[Rule, ...],
    lenient: bool,
    stream: bool | None,
    columns: Path | None,
) -> Result:
    """Streaming where the logs are large or it is asked for, in memory else; both find the same."""
    from harness.align import align
    from harness.columns import read_any, write_columns
    from harness.commands.common import stages
    from harness.precision import with_precision
    from harness.result import compare as judge_all
    from harness.stream import NoCompilerError, UnsuitableError, is_large, stream_compare, with_note
    from harness.tolerances import global_rtol, with_rules
    from harness.vocabulary import load_vocabulary

    vocabulary, rtol, note = with_rules(load_vocabulary(), rules), global_rtol(rules), ""
    vocabulary, precision = with_precision(vocabulary, {"C": c_log, "PY": py_log})
    if stream or (stream is None and is_large(c_log, py_log)):
        try:
            with stages() as stage, stage(f"comparing {c_log.name} and {py_log.name}") as progress:
                result = stream_compare(
                    c_log,
                    py_log,
                    vocabulary,
                    label,
                    contract,
                    rtol=rtol,
                    lenient=lenient,
                    progress=progress,
                    columns=columns,
                )
            if "streaming" in result.logs["C"].notes:
                click.echo(f"note: {result.logs['C'].notes['streaming']}", err=True)
            return replace(result, precision=precision)
        except (NoCompilerError, UnsuitableError) as why:
            note = f"compared in memory, not streaming: {why}"
            click.echo(f"note: {note}", err=True)
    c = read_any(c_log, "C", vocabulary, lenient=lenient)
    py = read_any(py_log, "PY", vocabulary, lenient=lenient)
    result = replace(judge_all(align(c, py, vocabulary), label, contract, rtol=rtol), precision=precision)
    if columns is not None:
        write_columns(columns, (c, py), vocabulary)
    return with_note(result, note) if note else result
