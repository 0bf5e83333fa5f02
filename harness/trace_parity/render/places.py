"""Places for a reader: the loops with more than one iteration, always; those with one never."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cached_property

from trace_parity.result.result import Result


class Places:
    """How the places of one result are written; `loops` are the loops that are named, outermost first."""

    def __init__(self, result: Result) -> None:
        self.loops = result.loops or _telling(result)
        self._result = result

    @cached_property
    def headline(self) -> str:
        """The result's headline with its places shortened."""
        return self.sentence(self._result.headline)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """The result's problems with their places shortened."""
        return tuple(map(self.sentence, self._result.problems))

    def short(self, place: str) -> str:
        """`step=3 i=0 …` without the loops that have one iteration; anything but a place is left alone."""
        return shorten(place, self.loops)

    def sentence(self, text: str) -> str:
        """A sentence with its places shortened in the same way."""
        return in_sentence(text, self.loops)


def shorten(place: str, loops: Collection[str]) -> str:
    """`step=3 i=0 …` with these loops only; as it is for no loops, and anything but a place."""
    words = place.split(" ")
    if not loops or not all("=" in word for word in words):
        return place
    return " ".join(w for w in words if w.partition("=")[0] in loops) or place


def in_sentence(text: str, loops: Collection[str]) -> str:
    """A sentence, as a headline is one, with the places in it shortened: any two or more of `loop=index` in a row."""
    return _PLACE.sub(lambda found: shorten(found[0], loops), text)


def shared(texts: Iterable[str]) -> str:
    """The words that all places in these sentences have, where there are two places or more; empty for none."""
    places = [found[0].split() for text in texts for found in _PLACE.finditer(text)]
    if len(places) < 2:
        return ""
    return " ".join(word for word in places[0] if all(word in place for place in places))


def beyond(text: str, here: str) -> str:
    """A sentence whose places have only the words that `here` lacks, the last one of a place in any case."""
    known = set(here.split())

    def left(found: re.Match[str]) -> str:
        words = found[0].split()
        return " ".join([word for word in words if word not in known] or words[-1:])

    return _PLACE.sub(left, text) if known else text


_PLACE = re.compile(r"(?<![\w.=-])[A-Za-z_][\w.]*=-?\d+(?: [A-Za-z_][\w.]*=-?\d+)+(?![\w=-]|\.\d)")


def _telling(result: Result) -> tuple[str, ...]:
    """For a result that does not name them: loops that are seen at a second index, or at another than 0."""
    seen: dict[str, set[int]] = {}
    places = [v.worst_at for v in result.variables]
    if result.blame is not None:
        places += [f.place for f in result.blame.findings]
    indices = [pair for place in places for pair in _indices(place)]
    for loop, index in (*indices, *(pair for d in result.divergences for pair in d.loops.items())):
        seen.setdefault(loop, set()).add(index)
    for row in result.per_tick:
        for loop in seen:
            if isinstance(row.get(loop), int):
                seen[loop].add(row[loop])
    return tuple(loop for loop, indices in seen.items() if indices != {0})


def _indices(place: str) -> Iterable[tuple[str, int]]:
    for word in place.split(" "):
        loop, _, index = word.partition("=")
        if index.isdecimal():
            yield loop, int(index)
