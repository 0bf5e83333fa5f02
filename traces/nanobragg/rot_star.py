"""The rotated reciprocal vectors of a trace as a table."""

from __future__ import annotations

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import ABSENT, Key, Vocabulary
from trace_parity.trace.table import RowId, TraceTable

VECTORS = ("rot_a_star_A_inv", "rot_b_star_A_inv", "rot_c_star_A_inv")


def rot_star_csv(c: TraceTable, py: TraceTable, vocabulary: Vocabulary) -> str:
    """One row per step: loop indices, phi_deg, then nine components in 1/Å of C and nine of PY, as printed in the logs.

    A value that a log lacks is left empty. Raises HarnessError (exit 6) when neither log has any.
    """
    variables = [variable for name in VECTORS for variable in vocabulary.named(name)]
    ids = {variable.id for variable in variables}
    keys = sorted({row.key for table in (c, py) for row in table.rows if row.variable in ids})
    if not keys:
        raise HarnessError(Exit.NOTHING_TO_COMPARE, "no rotated reciprocal vectors in either log", expected=VECTORS[0])
    columns = [f"{v.name}_{axis}_{side}" for side in ("c", "py") for v in variables for axis in "xyz"]
    lines = [",".join([*vocabulary.loops, "phi_deg", *columns])]
    for key in keys:
        cells = [_text(table, key, v.id, i) for table in (c, py) for v in variables for i in range(3)]
        phi = _text(c, key, "step.phi_deg", 0) or _text(py, key, "step.phi_deg", 0)
        lines.append(",".join([*("" if i == ABSENT else str(i) for i in key), phi, *cells]))
    return "\n".join(lines) + "\n"


def _text(table: TraceTable, key: Key, variable: str, component: int) -> str:
    number = table.rows.get(RowId(key, variable, component))
    return "" if number is None else number.text
