"""Two logs on disk, compared as the command compares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trace_parity.compare.logs import compare_logs
from trace_parity.compare.options import Options
from trace_parity.pair.contract import Contract
from trace_parity.pair.pair import Pair
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.result.compare import result_of
from trace_parity.result.result import CaseResult, Result

CASE = CaseResult("t", "t")


def compare_files(
    c: Path,
    py: Path,
    vocabulary: Vocabulary,
    contract: Contract | None = None,
    pair: Pair | None = None,
    **options: Any,
) -> Result:
    """`options` are fields of Options."""
    chosen = Options(**options)
    with compare_logs((c, py), vocabulary, contract or Contract(), chosen) as found:
        return result_of(found, CASE, pair=pair, options=chosen)
