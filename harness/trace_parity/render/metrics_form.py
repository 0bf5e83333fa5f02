"""metrics.json, in the form that existing tools read: one factor per variable with its worst number."""

from __future__ import annotations

from typing import Any

from trace_parity.result.result import Result, VariableResult, to_json

DEFAULT_RTOL = 1e-6


def render(result: Result) -> str:
    """`tolerance_rel`, `first_divergence` (a name or null), `num_divergent`, `factors`."""
    first = result.first_divergence
    return to_json(
        {
            "tolerance_rel": result.rtol if result.rtol is not None else DEFAULT_RTOL,
            "first_divergence": None if first is None else first.variable,
            "num_divergent": result.num_divergent,
            "factors": {_name(v, result): _factor(v) for v in result.variables},
        }
    )


def _name(variable: VariableResult, result: Result) -> str:
    """The bare name, as long as only one variable has it."""
    twins = sum(1 for other in result.variables if other.name == variable.name)
    return variable.name if twins == 1 else f"{variable.scope}.{variable.name}"


def _factor(variable: VariableResult) -> dict[str, Any]:
    c, py = variable.worst_c, variable.worst_py
    delta = None if c is None or py is None else py - c
    status = {"match": "PASS", "divergent": "CRITICAL", "missing": "MISSING"}[variable.status]
    return {
        "description": variable.description,
        "c_value": c,
        "py_value": py,
        "abs_delta": delta,
        "rel_delta": None if delta is None else (delta / c if c else (0.0 if delta == 0 else None)),
        "status": status,
    }
