"""One log as the equations want it: values by variable and loop indices, and how exactly each number is known.

A number in a log is known to half a unit of its last printed digit and to the roundings of the program that made it.
Both are inferred from the log itself, so that `%.15g` logs get what they need and `%.17g` logs get no more than that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from trace_parity.pair.vocabulary import ABSENT, Key, Variable, Vocabulary
from trace_parity.trace.precision import FULL_DIGITS, significant_digits
from trace_parity.trace.table import TraceTable

Array = npt.NDArray[Any]
"""Extended precision, so that the third opinion is more exact than the two that it judges."""

ROUNDINGS = 8
"""Roundings (of half a unit in the last place) that a program may commit between what it prints and the next print.

Measured: no equation in any golden log needs more than 3. The longest chain between two prints, the rebuilding of a
rotated cell and its reciprocal, is some 30 operations, whose errors mostly cancel.
"""
_UNIT = np.longdouble(2.0) ** -53


def printed_digits(table: TraceTable) -> int:
    """How many significant digits the log's writer prints: the most that any number shows, at most FULL_DIGITS.

    Numbers that carry no text, as those read back from columns, are whole doubles.
    """
    most = 0
    for number in table.rows.values():
        mantissa = re.split("[eE]", number.text.lstrip("+-"))[0]
        if mantissa[:1].isdigit() or mantissa[:1] == ".":
            most = max(most, significant_digits(mantissa))
            if most >= FULL_DIGITS:
                return FULL_DIGITS
    return most or FULL_DIGITS


class LogView:
    """Values of one side by variable id and key, as arrays of extended precision."""

    def __init__(self, table: TraceTable, vocabulary: Vocabulary) -> None:
        self.side = table.side
        self.vocabulary = vocabulary
        self.digits = printed_digits(table)
        self.memo: dict[str, Any] = {}  # what a domain works out once per log
        self.variables: dict[str, Variable] = table.variables | {v.id: v for v in vocabulary.variables}
        components: dict[str, dict[Key, dict[int, float]]] = {}
        for (key, variable, component), number in table.rows.items():
            components.setdefault(variable, {}).setdefault(key, {})[component] = number.value
        self._values: dict[str, dict[Key, Array]] = {}
        self._holes: dict[tuple[str, Key], tuple[int, ...]] = {}
        self._groups: dict[tuple[str, int], dict[Key, list[Key]]] = {}
        self._kept: dict[str, tuple[bool, ...]] = {}
        for variable, by_key in components.items():
            rows = self._values.setdefault(variable, {})
            for key in sorted(by_key, key=lambda k: vocabulary.order(self.variables[variable], k, 0)):
                rows[key] = self._row(variable, key, by_key[key])

    def _row(self, variable: str, key: Key, given: dict[int, float]) -> Array:
        size = self.variables[variable].size or max(given) + 1
        row: Array = np.full(size, np.nan, dtype=np.longdouble)
        for component, value in given.items():
            if component < size:  # of further numbers the equations know nothing
                row[component] = value
        if holes := tuple(i for i in range(len(row)) if i not in given):
            self._holes[(variable, key)] = holes
        return row

    def with_values(self, values: Mapping[tuple[str, Key], Array]) -> LogView:
        """The same log with other values at some of its places."""
        made = copy(self)
        made.memo, made._values = {}, dict(self._values)
        for variable in {name for name, _ in values}:
            made._values[variable] = dict(self._values[variable])
        for (variable, key), value in values.items():
            made._values[variable][key] = value
        return made

    def keys(self, variable: str) -> list[Key]:
        """The places of a variable, in order of evaluation."""
        return list(self._values.get(variable, {}))

    def keys_within(self, variable: str, key: Key, depth: int) -> list[Key]:
        """The places of a variable among the keys that share the `depth` outermost loops with `key`."""
        groups = self._groups.get((variable, depth))
        if groups is None:
            groups = self._groups[(variable, depth)] = {}
            for each in self._values.get(variable, {}):
                groups.setdefault(each[:depth], []).append(each)
        return groups.get(key[:depth], [])

    def at(self, variable: str, key: Key) -> Array | None:
        """All components at exactly that key; components that the log lacks are NaN (see `holes`)."""
        return self._values.get(variable, {}).get(key)

    def holes(self, variable: str, key: Key) -> tuple[int, ...]:
        """Components of a vector that the log lacks at that key."""
        return self._holes.get((variable, key), ())

    def find(self, ref: str, key: Key) -> tuple[str, Key] | None:
        """The place of the value of `ref` that is in force at `key`.

        `ref` is a variable id, or a name, which means the innermost scope that has it. The value is looked for at
        the loops of its own scope, then at the whole key, since older logs print some values at more loops.
        """
        ids = [ref] if ref in self._values else [v.id for v in reversed(self.vocabulary.named(ref))]
        for variable in ids:
            rows = self._values.get(variable)
            if not rows:
                continue
            outer = tuple([i if kept else ABSENT for i, kept in zip(key, self._keeps(variable), strict=True)])
            for candidate in (outer, key):
                if candidate in rows:
                    return variable, candidate
        return None

    def _keeps(self, variable: str) -> tuple[bool, ...]:
        """Which loops a variable's own scope sits in."""
        kept = self._kept.get(variable)
        if kept is None:
            loops = self.variables[variable].scope.loops
            kept = self._kept[variable] = tuple(loop in loops for loop in self.vocabulary.loops)
        return kept

    def uncertainty(self, variable: str, values: Array, roundings: int = ROUNDINGS) -> Array:
        """How far each of `values` (rows of a variable) may be from the number that the program had computed."""
        known = self.variables.get(variable)
        if known is not None and known.tolerance.rtol == known.tolerance.floor == 0.0:
            return np.zeros_like(values)
        size = np.abs(values)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            whole = np.sqrt(np.nansum(values * values, axis=-1, keepdims=True)) if values.shape[-1] > 1 else size
            spread: Array = np.nan_to_num(np.broadcast_to(roundings * _UNIT * whole, values.shape).copy(), posinf=0.0)
            if self.digits < FULL_DIGITS:
                exponent = np.floor(np.log10(np.where(size > 0, size, 1)))
                half = np.longdouble(0.5) * np.longdouble(10.0) ** (exponent - self.digits + 1)
                spread = spread + np.where((size > 0) & np.isfinite(size), half, 0)
        return spread
