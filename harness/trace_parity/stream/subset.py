"""The rows of a few pixels out of large logs, as tables in memory: for the search for quirks and the per-tick table."""

from __future__ import annotations

import ctypes as ct
from collections.abc import Sequence

from trace_parity.compare.sites import NO_PIXEL, Pixel, pixel_of
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.stream.engine import PIECE
from trace_parity.stream.registry import HOLD_ALL, Registry
from trace_parity.stream.source import SIDES, LogSource
from trace_parity.trace.lines import BadLineError, parse_line
from trace_parity.trace.reader import read_trace_lines
from trace_parity.trace.table import TraceTable


def read_pixels(source: LogSource, pixels: Sequence[Pixel], vocabulary: Vocabulary) -> TraceTable:
    """The rows of these pixels and of no pixel, read from the log once more."""
    registry = Registry(vocabulary, HOLD_ALL, None, 0)
    # A reading of its own: what the source has found is still wanted.
    source, accepted = LogSource(source.path, source.side), source.accepted
    source.accepted = accepted
    try:
        source.open(registry)
        wanted = (ct.c_int32 * (2 * len(pixels) + 1))(*(index for pixel in pixels for index in pixel))
        chosen = set(pixels)
        lines: list[str] = []
        seen: set[str] = set()
        while source.scan(PIECE) or source.state()[0] < _count(registry, source):
            left = registry.lib.ts_filter(registry.context, source.side, wanted, len(pixels))
            count = ct.c_uint64()
            records = registry.lib.ts_records(registry.context, source.side, ct.byref(count))
            for i in range(left):
                line = source.line(records[i].offset, records[i].length)
                pixel = _pixel_of_line(line, vocabulary)
                if pixel in chosen or (pixel == NO_PIXEL and line not in seen):
                    lines.append(line + "\n")
                    # Programs print what concerns the whole run again and again.
                    if pixel == NO_PIXEL:
                        seen.add(line)
    finally:
        registry.close()
        source.close()
    return read_trace_lines(lines, SIDES[source.side], str(source.path), vocabulary)


def _count(registry: Registry, source: LogSource) -> int:
    """How many records the last scan left: at the end of a log the last line may come without any byte being read."""
    count = ct.c_uint64()
    registry.lib.ts_records(registry.context, source.side, ct.byref(count))
    return int(count.value)


def _pixel_of_line(line: str, vocabulary: Vocabulary) -> Pixel | None:
    """None for a line that is no trace line."""
    try:
        parsed = parse_line(line, vocabulary.loops)
    except BadLineError:
        return None
    return None if parsed is None else pixel_of(vocabulary.key(parsed.indices))
