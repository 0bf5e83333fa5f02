"""Blocks that a log repeats without an index: the repeats are numbered by the loops that the vocabulary names for it.

An oversampled run of an instrumented program prints the same names once per sub-sample, and no index tells them apart.
Where all names that change are printed equally often, n to the power of the loops, the k-th one is that of
the k-th iteration of these loops, outermost first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trace_parity.pair.vocabulary import ABSENT, Key, Vocabulary

Place = tuple[str, str, Key]
"""A variable, the name that it has in the log, and the indices that the line has."""


@dataclass(frozen=True)
class Numbering:
    """`variables` are printed `iterations` ** len(places) times; `places` are those of the loops in a key."""

    variables: frozenset[str]
    places: tuple[int, ...]
    iterations: int

    @property
    def count(self) -> int:
        """How often each of the variables is printed."""
        return int(self.iterations ** len(self.places))


class Counted:
    """A numbering at work: how often each variable has been met so far."""

    def __init__(self, numbering: Numbering) -> None:
        self.numbering = numbering
        self._met: Counter[Place] = Counter()

    def key(self, variable: str, name: str, key: Key) -> Key:
        """The key of a line with the iteration that it is of."""
        numbering = self.numbering
        if variable not in numbering.variables or any(key[place] != ABSENT for place in numbering.places):
            return key
        at = (variable, name, key)
        count, made = self._met[at], list(key)
        self._met[at] += 1
        for place in reversed(numbering.places):
            count, made[place] = divmod(count, numbering.iterations)
        return tuple(made)


class Repeated:
    """How often each variable is printed in a log at the same indices, and whether with another value."""

    def __init__(self) -> None:
        self.counts: Counter[Place] = Counter()
        self._values: dict[Place, object] = {}
        self.changing: set[str] = set()

    def add(self, place: Place, values: object) -> None:
        """One more line."""
        self.counts[place] += 1
        if self._values.setdefault(place, values) != values:
            self.changing.add(place[0])

    def of(self, variables: Iterable[str]) -> Iterator[tuple[Place, int]]:
        """How often each of some variables is printed."""
        chosen = set(variables)
        return ((place, count) for place, count in self.counts.items() if place[0] in chosen)


def numbering_of(logs: Iterable[Repeated], vocabulary: Vocabulary) -> Numbering | None:
    """How the repeats of two logs are numbered; None where they are not n x n blocks."""
    logs = list(logs)
    changing = frozenset().union(*(log.changing for log in logs))
    places = tuple(vocabulary.loops.index(loop) for loop in vocabulary.repeats)
    counts = {count for log in logs for _, count in log.of(changing)}
    if not changing or not places or len(counts) != 1:
        return None
    count = counts.pop()
    n = round(count ** (1 / len(places)))
    if n < 2 or n ** len(places) != count:
        return None
    keys = (place[2] for log in logs for place, _ in log.of(changing))
    if any(key[i] != ABSENT for key in keys for i in places):
        return None
    return Numbering(changing, places, n)


def what_to_do(logs: Iterable[Repeated], vocabulary: Vocabulary) -> str:
    """A hint for a log that repeats blocks in another way."""
    changing = set().union(*(log.changing for log in logs))
    counts = sorted({count for log in logs for _, count in log.of(changing)})
    loops = " ".join(f"{loop}=..." for loop in vocabulary.repeats)
    often = f"{counts[0]} times" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} times" if counts else "twice"
    where = f"print it in the brackets ({loops or 'loop=index'}), or trace one block"
    return f"its blocks are {often} without an index: {where}"
