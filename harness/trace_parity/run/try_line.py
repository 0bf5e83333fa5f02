"""The outcome of one command line of a sweep: both programs run, traces and images compared, nothing kept."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import Case
from trace_parity.pair.pair import Pair
from trace_parity.render.places import Places
from trace_parity.result.finding import DIFFERS, EMPTY, REFUSED, SAME, Shown
from trace_parity.result.result import Result
from trace_parity.run.prepared import Prepared
from trace_parity.run.run_case import side_fails, try_case


def try_line(pair: Pair, prepared: Prepared, case: Case, options: Options, timeout_s: int) -> Shown:
    """The outcome of a case. Raises HarnessError (exit 74) where a file cannot be written."""
    limited = replace(prepared, timeout_s=timeout_s)
    try:
        result = try_case(pair, case, options, limited)
    except HarnessError as error:
        return _shown_by(error, pair, case, options, limited)
    return shown(result)


def shown(result: Result) -> Shown:
    """The outcome of a comparison."""
    code = Exit(result.exit_code)
    if code == Exit.PARITY:
        return Shown(SAME, places=result.case.places)
    if code == Exit.NOTHING_TO_COMPARE and not result.compared:
        return Shown(EMPTY, int(code), headline=Places(result).headline)
    first = result.first_divergence
    if first is not None and math.isnan(first.c_value) and math.isnan(first.py_value):
        return Shown(EMPTY, int(code), headline=f"{first.variable} is not a number in either program")
    return Shown(
        DIFFERS,
        int(code),
        first=f"{first.scope}.{first.variable}" if first is not None else result.verdict,
        blame=_blamed(result),
        headline=Places(result).headline,
        places=result.case.places,
    )


def _blamed(result: Result) -> str:
    """The side and the variable that breaks its equation first in order of evaluation; empty if unknown."""
    if result.blame is None:
        return ""
    broken = [f for f in result.blame.findings if f.is_cause]
    found = next((f for f in broken if f.variable == result.blame.first), broken[0] if broken else None)
    return f"{found.side} {found.variable}" if found is not None else ""


def _shown_by(error: HarnessError, pair: Pair, case: Case, options: Options, prepared: Prepared) -> Shown:
    if error.code == Exit.FILE_SYSTEM:
        raise error
    if error.code == Exit.NOTHING_TO_COMPARE:
        return Shown(EMPTY, int(error.code), headline=error.what)
    if error.code == Exit.USAGE:
        return Shown(REFUSED, int(error.code), headline=str(error))
    first = re.sub(r"\S*/\S*|[-+]?\d[\d.eE+-]*", "#", error.what)  # what two runs of one fault have in common
    if error.code == Exit.PROGRAM_FAILED:
        sides = pair.programs.sides.values()
        failed = next((side for side in sides if error.where.startswith(side.title)), None)
        if failed is None:  # an input file that cannot be made
            return Shown(REFUSED, int(error.code), headline=str(error))
        other = next(side for side in sides if side is not failed)
        if side_fails(pair, case, options, prepared, other):
            return Shown(REFUSED, int(error.code), headline=error.what)
        first = f"only the {failed.title} fails"
    return Shown(DIFFERS, int(error.code), first=first, headline=error.what)
