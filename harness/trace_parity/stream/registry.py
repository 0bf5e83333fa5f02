"""The vocabulary as the C part is told it: variables with their tolerances and scales, names, and loops."""

from __future__ import annotations

import ctypes as ct
from collections.abc import Mapping
from typing import Any

from trace_parity.pair.vocabulary import ABSENT, Key, Variable, Vocabulary
from trace_parity.stream import native

HOLD_ALL = 0
"""Depth of blocks in which everything is one block: any order is right, memory grows with the logs."""
MOST_NAMES = 65536
"""How many names may be learned from the logs; lines of further ones are read one by one, which is slow but right."""


class UnsuitableError(Exception):
    """The streaming comparison does not do this; the comparison in memory does."""


def context_key(key: Key) -> native.Key:
    """A row key as C holds it. Raises UnsuitableError for an index beyond 32 bits."""
    if any(index >= 2**31 for index in key):
        raise UnsuitableError(f"a loop index beyond 2^31 ({max(key)})")
    made = native.Key()
    for i in range(native.LOOPS):
        made.at[i] = key[i] if i < len(key) else ABSENT
    return made


def depths(vocabulary: Vocabulary) -> tuple[int, ...]:
    """How blocks may be cut, best first: by the two outermost loops (the pixel), by all loops, not at all.

    A finer cut is right only when the scale of every tolerance lies in the same block or in the run.
    """
    pixel = min(2, len(vocabulary.loops))
    outer = set(vocabulary.loops[:pixel])
    possible = [pixel, len(vocabulary.loops)] if pixel else []
    for variable in vocabulary.variables:
        scale = variable.tolerance.scale
        for target in vocabulary.named(scale.name) if scale is not None and scale.kind == "variable" else ():
            inside = outer & set(target.scope.loops)
            if inside and inside != outer:
                return (HOLD_ALL,)
            if inside and target.scope.loops != variable.scope.loops and len(possible) > 1:
                possible = possible[:1]
    return (*possible, HOLD_ALL)


class Registry:
    """One comparison's C context, and which number each variable and name has in it."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        depth: int,
        rtol: float | None,
        block_limit: int,
        largest: Mapping[str, float] | None = None,
    ) -> None:
        """`largest`: what an earlier run through both logs found by `largest_met`."""
        if len(vocabulary.loops) > native.LOOPS:
            raise UnsuitableError(f"the vocabulary has more than {native.LOOPS} loops")
        self.lib = native.library()
        self.vocabulary = vocabulary
        self.rtol = rtol
        self.largest = largest or {}
        self.variables: list[Variable] = []
        self._numbers: dict[str, int] = {}
        self._slots: dict[tuple[str, int], int] = {}
        self.slot_names: list[str] = []
        self._pending: dict[tuple[str, int], Key] = {}
        loops = (ct.c_char_p * max(1, len(vocabulary.loops)))(*(name.encode() for name in vocabulary.loops))
        self.context: Any = self.lib.ts_new(len(vocabulary.loops), loops, native.powers_of_five())
        if not self.context:
            raise UnsuitableError("the names of the loops do not fit")
        native.check(self.lib.ts_begin(self.context, depth, block_limit))
        self.lib.ts_nests(self.context, vocabulary.nests_inside if vocabulary.nests else native.NONE)
        self._register_all()

    def close(self) -> None:
        """Free the context."""
        context, self.context = self.context, None
        if context:
            self.lib.ts_free(context)

    def _register_all(self) -> None:
        vocabulary = self.vocabulary
        for place, variable in enumerate(vocabulary.variables):
            self._numbers[variable.id] = place
        for variable in vocabulary.variables:
            self._add(variable)
        names = [*dict.fromkeys(v.name for v in vocabulary.variables), *vocabulary.aliases]
        for loops in dict.fromkeys(scope.loops for scope in vocabulary.scopes.values()):
            key = vocabulary.key(dict.fromkeys(loops, 0))
            for name in names:
                self.learn(name, key)
        self.apply_learned()

    def number(self, variable: Variable) -> int:
        """The variable's number; a new one is registered."""
        found = self._numbers.get(variable.id)
        if found is None:
            found = self._numbers[variable.id] = len(self.variables)
            self._add(variable)
        return found

    def largest_met(self) -> dict[str, float]:
        """The largest magnitude in both logs of every variable whose tolerance needs it, by id."""
        return {
            variable.id: float(self.lib.ts_largest(self.context, n))
            for n, variable in enumerate(self.variables)
            if variable.tolerance.scale is not None and variable.tolerance.scale.kind == "largest"
        }

    def _mask(self, loops: tuple[str, ...]) -> int:
        return sum(1 << self.vocabulary.loops.index(loop) for loop in loops)

    def _add(self, variable: Variable) -> None:
        tolerance = variable.tolerance
        relative, floor = tolerance.under(self.rtol)
        scale = tolerance.scale
        made = native.CVariable(
            name=variable.name.encode("utf-8", "replace"),
            rtol=relative,
            floor=floor,
            own_floor=tolerance.floor,
            ulps=tolerance.ulps,
            place=variable.place,
            closing=variable.scope.closing,
            nest=self.vocabulary.nests.index(variable.scope.nest) + 1 if variable.scope.nest else 0,
            exact=tolerance.rtol == tolerance.floor == 0.0,  # no relative tolerance would let it pass
            scale=native.SCALE_KINDS[scale.kind] if scale is not None else 0,
            mask=self._mask(variable.scope.loops),
            size=variable.size,
            largest=self.largest.get(variable.id, 0.0),
            is_scale=any(
                v.tolerance.scale is not None and v.tolerance.scale.name == variable.name
                for v in self.vocabulary.variables
            ),
        )
        if scale is not None and scale.kind == "variable":
            made.how = native.HOWS.get(scale.how, native.HOWS["component"])
            made.component = scale.component
            targets = list(reversed(self.vocabulary.named(scale.name)))
            if len(targets) > native.MOST_TARGETS or scale.component < 0:
                raise UnsuitableError(f"tolerance {tolerance.name} has a scale beyond what the C part takes")
            made.targets = len(targets)
            for i, target in enumerate(targets):
                made.target[i] = self._numbers[target.id]
        self.variables.append(variable)
        native.check(self.lib.ts_add_variable(self.context, ct.byref(made)))

    def learn(self, name: str, key: Key) -> None:
        """Remember a name that the scanner may read itself from the next scan on (see `apply_learned`)."""
        mask = sum(1 << i for i, index in enumerate(key) if index != ABSENT)
        wanted = (name, mask)
        plain = name.isascii() and name.isprintable() and " " not in name
        if plain and wanted not in self._slots and len(self._slots) + len(self._pending) < MOST_NAMES:
            self._pending[wanted] = key

    def apply_learned(self) -> None:
        """Tell the scanners what was learned; not while one runs."""
        for (name, mask), key in self._pending.items():
            variable, alias = self.vocabulary.find(name, key)
            first, factor = (0, 1.0) if alias is None else (alias.component or 0, alias.factor)
            code = self.lib.ts_add_slot(
                self.context, name.encode(), len(name), mask, self.number(variable), first, alias is not None, factor
            )
            native.check(code)
            self._slots[name, mask] = len(self.slot_names)
            self.slot_names.append(name)
        self._pending.clear()

    def aliased(self, side: int) -> dict[str, str]:
        """The older names that the scanner met on a side, and what they were read as."""
        found = {}
        for (name, mask), slot in self._slots.items():
            if name not in self.vocabulary.aliases or not self.lib.ts_used(self.context, slot, side):
                continue
            present = [loop for i, loop in enumerate(self.vocabulary.loops) if mask >> i & 1]
            variable, alias = self.vocabulary.find(name, self.vocabulary.key(dict.fromkeys(present, 0)))
            if alias is not None:
                found[name] = variable.name if alias.component is None else f"{variable.name}[{alias.component}]"
        return found
