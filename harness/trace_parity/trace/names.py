"""Numbers for variables, so that columns can refer to them; and the meaning of names, as scanners learn it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable
from typing import NamedTuple

from trace_parity.pair.vocabulary import ABSENT, Alias, Key, Variable, Vocabulary

MOST_NAMES = 65536
"""How many names a scanner learns; lines of further ones are read one by one, which is slow but right."""


class Slot(NamedTuple):
    """What a name is on lines that sit in the same loops."""

    variable: int
    first: int
    aliased: bool
    factor: float


class Names:
    """The variables of two logs, numbered as they are met."""

    def __init__(self, vocabulary: Vocabulary, unlisted: Iterable[Variable] = ()) -> None:
        """`unlisted`: variables that the vocabulary lacks, as far as they are known, with their places."""
        self.vocabulary = vocabulary
        self.variables: list[Variable] = []
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()  # two scanners may meet a new name at once
        for variable in (*vocabulary.variables, *sorted(unlisted, key=lambda v: v.place)):
            self.number(variable)

    def number(self, variable: Variable) -> int:
        """The variable's number; a new one gets the next."""
        found = self._numbers.get(variable.id)
        if found is None:
            with self._lock:
                found = self._numbers.get(variable.id)
                if found is None:
                    found = len(self.variables)
                    if not variable.listed:  # evaluated in the order of first appearance
                        variable = dataclasses.replace(variable, place=found)
                    self.variables.append(variable)
                    self._numbers[variable.id] = found
        elif variable.unit == "text" and self.variables[found].unit != "text":  # words anywhere: compared exactly
            self.variables[found] = dataclasses.replace(variable, place=self.variables[found].place)
        return found

    def slot(self, name: str, key: Key) -> Slot:
        """What `name` means at the loops of `key`."""
        variable, alias = self.vocabulary.find(name, key)
        return _slot(self.number(variable), alias)


Known = tuple[tuple[str, int, Slot], ...]
"""Names, their loops as a mask, and what they mean there."""


def known_slots(vocabulary: Vocabulary) -> Known:
    """Every name of the vocabulary at the loops of every scope; its variables are numbered first, in their order."""
    made: Known | None = vocabulary.__dict__.get("_known_slots")
    if made is None:
        made = tuple(
            (name, mask_of(key), _slot(variable, alias))
            for name, key, variable, alias in vocabulary.known_names
            if is_plain(name)
        )
        vocabulary.__dict__["_known_slots"] = made  # as functools.cached_property keeps what it made
    return made


def _slot(variable: int, alias: Alias | None) -> Slot:
    if alias is None:
        return Slot(variable, 0, False, 1.0)
    return Slot(variable, alias.component or 0, True, alias.factor)


def is_plain(name: str) -> bool:
    """Whether scanners may find the name on a plain line."""
    return name.isascii() and name.isprintable() and " " not in name


def mask_of(key: Key) -> int:
    """A bit per loop that the key sits in."""
    return sum(1 << i for i, index in enumerate(key) if index != ABSENT)
