"""Two logs on disk, compared as the command compares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trace_parity.compare.logs import How, compare_logs
from trace_parity.compare.sites import PIXELS, WHOLE_NUMBERS
from trace_parity.compare.windows import PIECE
from trace_parity.pair.contract import Contract
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.result.compare import Asked, result_of
from trace_parity.result.result import CaseResult, Result

CASE = CaseResult("t", "t")


def compare_files(
    c: Path, py: Path, vocabulary: Vocabulary, contract: Contract | None = None, **options: Any
) -> Result:
    """`options`: pair, rtol, lenient, piece, asked, blame_pixels, whole (numbers looked at whole)."""
    how = How(options.get("rtol"), options.get("lenient", False), piece=options.get("piece", PIECE))
    with compare_logs((c, py), vocabulary, contract or Contract(), how) as found:
        return result_of(
            found,
            CASE,
            options.get("asked") or Asked(),
            pair=options.get("pair"),
            blame_pixels=options.get("blame_pixels", PIXELS),
            whole_numbers=options.get("whole", WHOLE_NUMBERS),
        )
