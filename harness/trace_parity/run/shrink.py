"""Shrink a command line that shows a divergence: first to few flags, then to simple values.

Few flags by delta debugging (Zeller and Hildebrandt, IEEE Trans. Softw. Eng. 28 (2002) 183, their ddmin): the result
no longer shows the divergence when any one of its flags is removed. Everything is tried in a fixed order, so the same
line shrinks to the same line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from trace_parity.pair.sweep_grammar import Grammar, Line, Part

Shows = Callable[[Line], bool]
"""Whether a line shows the divergence."""


def shrink(line: Line, grammar: Grammar, shows: Shows) -> Line:
    """The smallest line found that still shows the divergence."""

    def holds(other: Line) -> bool:
        return grammar.is_whole(other) and shows(other)

    while True:
        before = line
        line = simplest_values(fewest_flags(line, grammar, holds), grammar, holds)
        if line == before:
            return line


def fewest_flags(line: Line, grammar: Grammar, shows: Shows) -> Line:
    """The line without the flags that the divergence does not need; one that must be there gets its simplest value."""
    kept = given(line, grammar)
    pieces = 2
    while kept:
        size = -(-len(kept) // pieces)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            if shows(with_only(line, rest, grammar)):
                kept, pieces = rest, max(pieces - 1, 2)
                break
        else:
            if size == 1:
                break
            pieces = min(2 * pieces, len(kept))
    return with_only(line, kept, grammar)


def given(line: Line, grammar: Grammar) -> list[str]:
    """The flags of a line that have an effect: all but those at their default."""
    return [
        part.name
        for part in line
        if not ((rule := grammar.by_name.get(part.name)) and rule.always and part.words == rule.simplest)
    ]


def with_only(line: Line, names: Sequence[str], grammar: Grammar) -> Line:
    """The line with these of its flags alone, and with those that must be there."""
    found = []
    for part in line:
        rule = grammar.by_name.get(part.name)
        if part.name in names:
            found.append(part)
        elif rule is not None and rule.always:
            found.append(Part(part.name, rule.simplest))
    return tuple(found)


def simplest_values(line: Line, grammar: Grammar, shows: Shows) -> Line:
    """The line with the simplest values that still show the divergence, flag by flag until none can be made simpler."""
    changed = True
    while changed:
        changed = False
        for place in range(len(line)):
            for simpler in _simpler(line, place, grammar):
                if shows(simpler):
                    line, changed = simpler, True
                    break
    return line


def _simpler(line: Line, place: int, grammar: Grammar) -> Iterator[Line]:
    part = line[place]
    if (rule := grammar.by_name.get(part.name)) is not None:
        for words in rule.simpler(part.words):
            yield (*line[:place], Part(part.name, words), *line[place + 1 :])
