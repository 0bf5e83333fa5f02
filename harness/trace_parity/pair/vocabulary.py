"""The variables of a trace, as listed in `vocabulary.toml`: meaning, scope and tolerance of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from trace_parity.pair.variables import (
    ABSENT,
    DEFAULT_TOLERANCE,
    EXACT,
    IMAGE_TOLERANCE,
    Alias,
    Column,
    ImageTolerance,
    Key,
    Scale,
    Scope,
    TickTable,
    Tolerance,
    Variable,
)

__all__ = [
    "ABSENT",
    "DEFAULT_TOLERANCE",
    "EXACT",
    "Alias",
    "Column",
    "ImageTolerance",
    "Key",
    "Scale",
    "Scope",
    "TickTable",
    "Tolerance",
    "Variable",
    "Vocabulary",
]


@dataclass(frozen=True)
class Vocabulary:
    """All of the file.

    `nests` are loop nests that follow each other inside the `nests_inside` outermost loops, in order of evaluation.
    `loop_sizes` says how many iterations a loop has, as a number or by a variable: sums need all of them.
    """

    title: str
    loops: tuple[str, ...]
    scopes: Mapping[str, Scope]
    tolerances: Mapping[str, Tolerance]
    variables: tuple[Variable, ...]
    aliases: Mapping[str, Alias]
    tick_table: TickTable | None = None
    image: ImageTolerance = IMAGE_TOLERANCE
    nests: tuple[str, ...] = ()
    nests_inside: int = 0
    loop_sizes: Mapping[str, int | str] = field(default_factory=dict)
    focus: tuple[str, ...] = ()  # the loops that a case picks places in
    index_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # `pixel 0 0`: the loops it is of
    repeats: tuple[str, ...] = ()  # the loops that number blocks which a log repeats without an index

    @property
    def site_depth(self) -> int:
        """How many outermost loops make a site: those up to the focus, the first two where none is declared."""
        places = [self.loops.index(loop) + 1 for loop in self.focus if loop in self.loops]
        return max(places, default=min(2, len(self.loops)))

    def naming_loops(self, repeated: Collection[str]) -> tuple[str, ...]:
        """The loops that name a place, outermost first: those with several iterations and those of the focus."""
        return tuple(loop for loop in self.loops if loop in repeated or loop in self.focus)

    @cached_property
    def _by_name(self) -> dict[str, list[Variable]]:
        table: dict[str, list[Variable]] = {}
        for variable in self.variables:
            table.setdefault(variable.name, []).append(variable)
        return table

    def named(self, name: str) -> list[Variable]:
        """The variables of that name, in order of evaluation; empty when there is none."""
        return self._by_name.get(name, [])

    def scopes_of(self) -> dict[str, list[tuple[str, ...]]]:
        """The loops of every variable, by name and by id."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for variable in self.variables:
            for name in (variable.name, variable.id):
                found.setdefault(name, []).append(variable.scope.loops)
        return found

    def key(self, indices: Mapping[str, int]) -> Key:
        """The row key of the given loop indices. Raises KeyError for a loop that the vocabulary does not know."""
        unknown = set(indices) - set(self.loops)
        if unknown:
            raise KeyError(sorted(unknown)[0])
        return tuple(indices.get(loop, ABSENT) for loop in self.loops)

    def find(self, name: str, key: Key) -> tuple[Variable, Alias | None]:
        """Which variable a line of that name and key carries, and the alias that led there.

        A name at exactly its own loops is itself; else an alias; else the name with some loops left out, as older
        logs do; else a variable of its own, unlisted, that is judged under the default tolerance.
        """
        present = tuple(loop for loop, index in zip(self.loops, key, strict=True) if index != ABSENT)
        candidates = self.named(name)
        for variable in candidates:
            if variable.scope.loops == present:
                return variable, None
        alias = self.aliases.get(name)
        if alias is not None:
            return self._target(alias, present), alias
        if candidates:
            return candidates[-1], None
        return self._unlisted(name, present), None

    @cached_property
    def known_names(self) -> tuple[tuple[str, Key, int, Alias | None], ...]:
        """Every name at the loops of every scope: which of `variables` it is there, and the alias that leads to it."""
        where = {variable.id: i for i, variable in enumerate(self.variables)}
        names = [*dict.fromkeys(v.name for v in self.variables), *self.aliases]
        made = []
        for loops in dict.fromkeys(scope.loops for scope in self.scopes.values()):
            key = self.key(dict.fromkeys(loops, 0))
            for name in names:
                variable, alias = self.find(name, key)
                made.append((name, key, where[variable.id], alias))
        return tuple(made)

    def _target(self, alias: Alias, present: tuple[str, ...]) -> Variable:
        targets = self.named(alias.of)
        return next((v for v in targets if v.scope.loops == present), targets[-1])

    def _unlisted(self, name: str, present: tuple[str, ...]) -> Variable:
        scope = next((s for s in self.scopes.values() if s.loops == present), Scope("unlisted", present, False))
        tolerance = self.tolerances.get(DEFAULT_TOLERANCE.name, DEFAULT_TOLERANCE)
        return Variable(name, scope, 0, "", "not in the vocabulary", (), tolerance, False, len(self.variables), False)

    def order(self, variable: Variable, key: Key, component: int) -> tuple[Any, ...]:
        """Sorting by this gives the order of evaluation.

        That is by loop indices, outermost first, then place in the vocabulary. Inside the loops around sibling nests
        the nest comes before the index of its loop. What closes a loop comes after all that is inside it.
        """
        depth = max((i + 1 for i, index in enumerate(key) if index != ABSENT), default=0)
        after = float("inf") if variable.scope.closing else ABSENT
        indices: tuple[float, ...] = (*key[:depth], *(after for _ in key[depth:]))
        if self.nests:
            around, nest = self.nests_inside, variable.scope.nest
            which = self.nests.index(nest) if nest else ABSENT if depth > around else after
            indices = (*indices[:around], which, *indices[around:])
        return (*indices, variable.place, variable.name, component)

    def describe(self, key: Key) -> str:
        """`step=3 i=7 …`, or `the whole run` for a row in no loop."""
        words = [f"{loop}={index}" for loop, index in zip(self.loops, key, strict=True) if index != ABSENT]
        return " ".join(words) or "the whole run"
