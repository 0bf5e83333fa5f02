"""Two logs in, one Result out, whatever their size."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity.compare.align import align
from trace_parity.compare.sites import PIXELS, WHOLE_NUMBERS, Looked, Pixel, choose_pixels, looked_at
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.pair import Pair
from trace_parity.pair.vocabulary import ABSENT, Vocabulary
from trace_parity.result.compare import Asked
from trace_parity.result.compare import compare as compare_in_memory
from trace_parity.result.result import CaseResult, Result
from trace_parity.stream.engine import BLOCK_LIMIT, MANY_WAITING, PIECE, WatchList, join
from trace_parity.stream.outcome import Findings, result_of
from trace_parity.stream.registry import UnsuitableError
from trace_parity.stream.source import LogSource, Source
from trace_parity.stream.subset import read_pixels
from trace_parity.trace.parquet import is_columns, read_columns, unreadable_lines
from trace_parity.trace.table import TraceTable

if TYPE_CHECKING:
    from trace_parity.stream.column_writer import ColumnWriter

THRESHOLD = 32 << 20
"""Bytes of the larger log beyond which `trace-diff compare` streams."""

Progress = Callable[[int], None]


def stream_compare(
    c_path: Path,
    py_path: Path,
    vocabulary: Vocabulary,
    case: CaseResult,
    contract: Contract,
    *,
    pair: Pair | None = None,
    rtol: float | None = None,
    lenient: bool = False,
    progress: Progress = lambda percent: None,
    columns: Path | None = None,
    asked: Asked | None = None,
    blame_pixels: int = PIXELS,
    whole_limit: int = WHOLE_NUMBERS,
    block_limit: int = BLOCK_LIMIT,
    piece: int = PIECE,
) -> Result:
    """Compare two logs (or files of columns, see trace/parquet.py) as `result.result.compare` does.

    Raises HarnessError as the reader in memory does; NoCompilerError and UnsuitableError where only that one will do.
    `columns` names a file that all rows of both logs are written to; `asked` is what stands beside the traces.
    """
    for path in (c_path, py_path):
        if path.exists() and not path.is_file():
            raise UnsuitableError(f"{path} is no file that can be read twice")
    sources = [_source(path, side, vocabulary, columns is not None) for side, path in enumerate((c_path, py_path))]
    watch = WatchList(contract, vocabulary)
    try:
        writer = _writer(columns, vocabulary)
        try:
            with join(
                sources,
                vocabulary,
                watch,
                rtol=rtol,
                progress=progress,
                each_drained=writer.take if writer else None,
                restarted=writer.restart if writer else None,
                block_limit=block_limit,
                piece=piece,
            ) as joined:
                if not lenient:
                    _refuse_unreadable(sources)
                findings = Findings(joined, watch, rtol)
                notes = list(joined.notes)
                if joined.most_waiting() > MANY_WAITING:
                    notes.append(f"the logs are in different orders: {joined.most_waiting()} numbers waited at once")
                if writer:
                    writer.finish(sources)
                closer, looked = _closer_look(findings, sources, pair, whole_limit, blame_pixels, notes)
                result = result_of(
                    findings,
                    case,
                    closer,
                    looked,
                    replace(asked or Asked(), quirks=pair.quirks if pair is not None else ()),
                )
        finally:
            if writer:
                writer.abandon()
    finally:
        for source in sources:
            source.close()
    return with_note(result, "; ".join(notes)) if notes else result


def is_large(*paths: Path) -> bool:
    """Whether one of the logs is beyond THRESHOLD."""
    return any(path.is_file() and path.stat().st_size > THRESHOLD for path in paths)


def with_note(result: Result, note: str) -> Result:
    """The result with a note on how the logs were compared."""
    log = result.logs["C"]
    return replace(result, logs={**result.logs, "C": replace(log, notes={**log.notes, "streaming": note})})


def _source(path: Path, side: int, vocabulary: Vocabulary, keep_text: bool) -> Source:
    if not is_columns(path):
        return LogSource(path, side, keep_text=keep_text)
    from trace_parity.stream.column_source import ColumnSource

    if keep_text:
        raise HarnessError(Exit.USAGE, "holds columns already", where=str(path), hint="--columns is for logs as text")
    return ColumnSource(path, side, vocabulary)


def _writer(path: Path | None, vocabulary: Vocabulary) -> ColumnWriter | None:
    if path is None:
        return None
    from trace_parity.stream.column_writer import ColumnWriter

    return ColumnWriter(path, vocabulary)


def _refuse_unreadable(sources: Sequence[Source]) -> None:
    for source in sources:
        if source.unreadable:
            raise unreadable_lines(source.table, source.unreadable)


def _closer_look(
    findings: Findings,
    sources: Sequence[Source],
    pair: Pair | None,
    whole_limit: int,
    blame_pixels: int,
    notes: list[str],
) -> tuple[Result | None, Looked | None]:
    """The comparison in memory of all rows when they are few, else of chosen pixels; and how much that saw.

    It names the quirks and who is to blame, and makes the per-tick table. None where nothing differs in large logs.
    """
    vocabulary = findings.vocabulary
    whole = sum(side.numbers for side in findings.sides) <= whole_limit
    if not whole and not findings.kept:
        notes.append("the per-tick table is left out")
        return None, None
    pixels = None if whole else choose_pixels(findings.kept, findings.summaries(), blame_pixels)
    c, py = (_read(source, pixels, vocabulary) for source in sources)
    closer = compare_in_memory(
        align(c, py, vocabulary),
        CaseResult("", ""),
        Contract(),
        pair=pair,
        rtol=findings.rtol,
        whole_numbers=sys.maxsize,
    )
    if pixels is None:
        return closer, None
    at = ", ".join(vocabulary.describe((*pixel, *[ABSENT] * (len(vocabulary.loops) - 2))) for pixel in pixels[:3])
    more = f" and {len(pixels) - 3} further places" if len(pixels) > 3 else ""
    notes.append(f"the per-tick table is that of {at or 'no pixel'}{more}")
    return closer, looked_at(pixels, closer.num_divergent, findings.num_divergent)


def _read(source: Source, pixels: list[Pixel] | None, vocabulary: Vocabulary) -> TraceTable:
    """The rows of these pixels, or all."""
    if isinstance(source, LogSource):
        if pixels is not None:
            return read_pixels(source, pixels, vocabulary)
        from trace_parity.trace.reader import read_trace

        return read_trace(source.path, source.table.side, vocabulary, lenient=True)
    return read_columns(Path(source.table.path), source.table.side, vocabulary, pixels)
