"""The equations of a domain in float32: the error that a port in that precision cannot avoid.

A chain is followed: what an equation gives in float32 goes into the equations that use it. Every elementary operation
of an equation is rounded to float32, its constants too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trace_parity.blame.equation import Domain, Equation
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.log_values import Array
from trace_parity.pair.calibration import Number
from trace_parity.pair.vocabulary import Key, Vocabulary
from trace_parity.trace.table import TraceTable

PASSES = 100
"""Passes over the equations before a chain that still changes is given up."""
Place = tuple[str, Key]


class Single(np.ndarray[Any, Any]):
    """An array of which every operation is rounded to float32."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """Round the operands and the result; anything but real numbers (a comparison) is left alone."""
        rounded = [_bare(value) for value in inputs]
        options.pop("dtype", None)
        return _single(getattr(ufunc, method)(*rounded, **options))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Functions other than ufuncs, such as np.where and np.cross, on rounded operands."""
        kwargs.pop("dtype", None)
        return _single(func(*_each(args), **{name: _bare(value) for name, value in kwargs.items()}))


def _each(values: Any) -> Any:
    return type(values)(_each(v) if isinstance(v, (list, tuple)) else _bare(v) for v in values)


def _bare(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.longdouble, np.float64)):
        array = np.asarray(value).view(np.ndarray)
        return array.astype(np.float32) if array.dtype.kind == "f" else array
    return np.float32(value) if isinstance(value, float) else value


def _single(value: Any) -> Any:
    array = np.asarray(value)
    return array.astype(np.float32).view(Single) if array.dtype.kind == "f" and array.ndim else value


@np.errstate(all="ignore")
def errors_in_float32(table: TraceTable, vocabulary: Vocabulary, domain: Domain) -> dict[Number, float]:
    """The error of float32 in each number that an equation computes, from C's log; empty where it is unknown."""
    side = EvaluatedLog(table, vocabulary, domain)
    known: dict[Place, Array] = {}
    for _ in range(PASSES):
        moved = False
        for equation in domain.equations:
            moved |= _evaluate(side, equation, known)
        if not moved:
            break
    errors: dict[Number, float] = {}
    for (variable, key), value in known.items():
        exact = side.view.at(variable, key)
        for n, (a, b) in enumerate(zip(value, exact if exact is not None else (), strict=False)):
            errors[(variable, key, n)] = float(abs(a - b))
    return errors


def _evaluate(side: EvaluatedLog, equation: Equation, known: dict[Place, Array]) -> bool:
    """One equation at all its places; whether that changed anything. Sums over many lines are left out."""
    found = side.found[equation.id]
    if equation.backward or equation.relation is not None or not found.row or equation.conditional is True:
        return False
    keys = [key for key in found.row if key in found.outcomes and found.outcomes[key].ok]
    rows = [found.row[key] for key in keys]
    if not rows or any(wanted.computed is not None for wanted in equation.inputs):
        return False
    values = {label: _rounded(array[rows]) for label, array in found.values.items()}
    for label, sources in found.sources.items():
        for i, n in enumerate(rows):
            place = sources[n]
            if place is not None and place in known and place != (equation.output, keys[i]):
                new = known[place]
                values[label][i, : len(new)] = new[: values[label].shape[1]]
    moved = False
    for name in {found.form[key].name for key in keys}:
        of_form = [i for i, key in enumerate(keys) if found.form[key].name == name]
        function = found.form[keys[of_form[0]]].function
        result = _call(function, {label: array[of_form] for label, array in values.items()})
        if result is None:
            return False
        for row, i in zip(result, of_form, strict=True):
            place, size = (equation.output, keys[i]), len(found.outcomes[keys[i]].got)
            new = np.broadcast_to(row, (size,)).astype(np.float32)
            if place not in known or not np.array_equal(known[place], new, equal_nan=True):
                known[place], moved = new, True
    return moved


def _rounded(array: Array) -> Array:
    return array.astype(np.float32).view(Single)


def _call(function: Callable[[Mapping[str, Array]], Array], values: Mapping[str, Array]) -> Array | None:
    """The equation in float32; None where one of its functions does not take such arrays."""
    try:
        return np.asarray(function(values)).view(np.ndarray).astype(np.float32)
    except (TypeError, ValueError, AttributeError):
        return None
