"""`trace-diff compare`: two logs that are already there."""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands.common import emit, output_options, parse_formats


@click.command(epilog="Exit codes as for `trace-diff run`.")
@click.argument("c_log", metavar="C.log", type=click.Path(path_type=Path))
@click.argument("py_log", metavar="PY.log", type=click.Path(path_type=Path))
@click.option("--case", "case_name", help="Ask for what this case asks for (variables, pixels, ticks).")
@output_options
def compare(
    c_log: Path, py_log: Path, case_name: str | None, rtol: float | None, formats: tuple[str, ...], lenient: bool
) -> None:
    """Compare the trace lines of two logs, today's or older forms, amid any other output.

    Without --case, whatever one log holds must stand in the other too.
    """
    from harness.align import align
    from harness.case import load_case
    from harness.coverage import Contract
    from harness.result import CaseResult
    from harness.result import compare as judge_all
    from harness.trace import read_trace
    from harness.vocabulary import load_vocabulary

    wanted = parse_formats(formats)
    case = load_case(case_name) if case_name else None
    vocabulary = load_vocabulary()
    c = read_trace(c_log, "C", vocabulary, lenient=lenient)
    py = read_trace(py_log, "PY", vocabulary, lenient=lenient)
    label = CaseResult(case.id, case.title) if case else CaseResult("compare", f"{c_log.name} against {py_log.name}")
    result = judge_all(align(c, py, vocabulary), label, case.contract if case else Contract(), rtol=rtol)
    emit(result, wanted)
    raise SystemExit(result.exit_code)
