"""A vocabulary inferred from two logs: loops, nests, scopes, names, sizes, in order of evaluation.

The C log decides, since its loops are loops; the other adds what C's lacks. Loops are nested as the lines name them.
Where a loop begins again while those around it do not advance, a sibling nest begins, unless both passes print the same
names. A scope closes a loop when its first line comes after lines from inside that loop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from trace_parity.errors import HarnessError
from trace_parity.pair.first_appearance import merged
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.pair.vocabulary_file import build_vocabulary
from trace_parity.trace.lines import BadLineError, parse_line
from trace_parity.trace.log_file import lines_of
from trace_parity.trace.number import NotANumberError, parse_number, split_numbers
from trace_parity.trace.prefix import find_trace, pieces, without_colour

_LINE = re.compile(r"TRACE(?:_(?:C|PY))?(?:\[([^\]]*)\])?: *([A-Za-z_][\w.]*)[ =:]+(.*)$")
_INDEX = re.compile(r"([A-Za-z_]\w*)=(\d+)")
_BARE = re.compile(r"TRACE_(?:C|PY)[\[:_][^\r\x1bT]*\r?\n", re.ASCII)  # with nothing before it, nor in it
_BLOCK = re.compile(r"TRACE_(?:C|PY)_[A-Za-z]\w*:? +([A-Za-z_]\w*)=(\d+) ")
_WHOLE = re.compile(r"[-+]?\d+$")
STRUCTURE_LINES = 300_000
"""Trace lines of a log from which its nests are read; names are taken from all lines."""

Loops = tuple[str, ...]
NameAt = tuple[str, Loops]


@dataclass
class Seen:
    """The known properties of a name in the loops of its lines."""

    name: str
    loops: Loops
    size: int = 0
    integer: bool = True
    closing: bool = False
    nest: int = 0
    sides: set[str] = field(default_factory=set)
    least: float = float("inf")
    largest: float = 0.0


@dataclass
class Observed:
    """Inferred from two logs. `names` are in order of evaluation; `nests` counts sibling nests, 0 if there are none."""

    loops: Loops
    sizes: dict[str, int]
    names: list[Seen]
    nests: int
    nests_inside: int

    def tables(self, title: str = "") -> dict[str, Any]:
        """As in a vocabulary file."""
        nested = [f"nest{n + 1}" for n in range(self.nests)]
        scopes: dict[str, Any] = {}
        for seen in self.names:
            scopes.setdefault(self.scope(seen), self._scope(seen))
        tables: dict[str, Any] = {"title": title, "loops": list(self.loops)}
        if self.nests:
            tables["nests"] = nested
            if self.nests_inside:
                tables["nests_inside"] = self.loops[self.nests_inside - 1]
        tables["scopes"] = scopes
        tables["variables"] = [self._variable(seen) for seen in self.names]
        return tables

    def scope(self, seen: Seen) -> str:
        """The name of a scope, made from its loops."""
        words = [*([f"nest{seen.nest}"] if seen.nest else []), *seen.loops, *(["end"] if seen.closing else [])]
        return "_".join(words) or "run"

    def _scope(self, seen: Seen) -> dict[str, Any]:
        scope: dict[str, Any] = {"loops": list(seen.loops)}
        if seen.nest:
            scope["nest"] = f"nest{seen.nest}"
        if seen.closing:
            scope["closing"] = True
        return scope

    def _variable(self, seen: Seen) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": seen.name, "scope": self.scope(seen), "size": seen.size}
        return {**entry, "integer": True} if seen.integer else entry


def infer_vocabulary(c: Path, py: Path) -> Vocabulary:
    """A vocabulary made from two logs alone. Raises HarnessError (exit 5) for what is not a log."""
    return build_vocabulary(observe(c, py).tables(), "the logs")


def observe(c: Path, py: Path) -> Observed:
    """Infer it from two logs."""
    logs = [_Log(side, _lines(path)) for side, path in (("C", c), ("PY", py))]
    loops = merged([order for log in logs for order in log.loop_orders])
    groups, inside = _nests(logs[0], loops)
    names: list[Seen] = []
    order = merged([names for log in logs for names in (log.fullest(), list(log.names))])
    for key in order:
        found = [log.names[key] for log in logs if key in log.names]
        one = found[0]
        one.loops = tuple(loop for loop in loops if loop in one.loops)
        one.size = max(seen.size for seen in found)
        one.integer = all(seen.integer for seen in found)
        one.sides = {side for seen in found for side in seen.sides}
        one.least, one.largest = min(s.least for s in found), max(s.largest for s in found)
        names.append(one)
    _assign(names, groups, inside)
    sizes = {loop: max(log.sizes.get(loop, 0) for log in logs) for loop in loops}
    return Observed(tuple(loops), sizes, names, len(groups), inside)


def _trace_lines(path: Path) -> Iterator[str]:
    """Every trace line of a log, without its prefix."""
    for line in lines_of(path):
        if _BARE.match(line):
            yield line.rstrip()
        elif "TRACE" in line:
            found = (find_trace(without_colour(piece)) for piece in pieces(line))
            yield from (one.text.rstrip() for one in found if one is not None)


def _lines(path: Path) -> Iterator[tuple[str, str, tuple[tuple[str, int], ...], list[str]]]:
    """(side, name, loop indices, words) of every plain trace line, and of blocks whose lines begin with an index."""
    blocks: dict[str, list[str]] = {}  # by what is taken for their loop
    counts: dict[str, set[str]] = {}
    for line in _trace_lines(path):
        match = _LINE.match(line)
        if match is not None:
            indices = tuple((loop, int(index)) for loop, index in _INDEX.findall(match[1] or ""))
            yield "C" if line.startswith("TRACE_C") else "PY", match[2], indices, _words(match[3])
        elif (block := _BLOCK.match(line)) is not None and len(blocks.setdefault(block[1], [])) < STRUCTURE_LINES:
            blocks[block[1]].append(line)
            counts.setdefault(block[1], set()).add(block[2])
    loops = tuple(loop for loop, indices in counts.items() if len(indices) > 1)
    for line in (line for loop in loops for line in blocks[loop]):
        with suppress(BadLineError):
            if (parsed := parse_line(line, loops)) is not None:
                for name, numbers in parsed.values:
                    yield parsed.side, name, tuple(parsed.indices.items()), [text for text, _ in numbers]


def _words(text: str) -> list[str]:
    """The numbers that a name's value begins with; none for text, or where further names follow at once."""
    try:
        words = split_numbers(text.partition(" |")[0])
    except NotANumberError:
        words = text.split()
    return list(takewhile(_is_number, words))


def _is_number(word: str) -> bool:
    try:
        parse_number(word)
    except NotANumberError:
        return False
    return True


class _Log:
    """One log read once: its names in order of first appearance, and the passes of its loops."""

    def __init__(self, side: str, lines: Iterable[tuple[str, str, tuple[tuple[str, int], ...], list[str]]]) -> None:
        self.names: dict[NameAt, Seen] = {}
        self.loop_orders: list[list[str]] = []
        self.sizes: dict[str, int] = {}
        self.rounds: dict[tuple[str, int] | None, dict[NameAt, None]] = {}
        self.sequence: list[tuple[NameAt, tuple[tuple[str, int], ...]]] = []
        orders: set[Loops] = set()
        opened: set[tuple[tuple[str, int], ...]] = set()
        for count, (_, name, indices, words) in enumerate(lines):
            loops = tuple(loop for loop, _ in indices)
            key = (name, tuple(sorted(loops)))
            if loops not in orders:
                orders.add(loops)
                self.loop_orders.append(list(loops))
            for loop, index in indices:
                self.sizes[loop] = max(self.sizes.get(loop, 0), index + 1)
            if not words:  # text, or another form: such a name is not listed
                continue
            seen = self.names.get(key)
            if seen is None:
                seen = self.names[key] = Seen(name, loops, closing=indices in opened, sides={side})
            seen.size = max(seen.size, len(words))
            seen.integer = seen.integer and all(_WHOLE.match(word) for word in words)
            _measure(seen, words)
            if count < STRUCTURE_LINES:
                opened.update(indices[:depth] for depth in range(len(indices)))
                self.sequence.append((key, indices))
                self.rounds.setdefault(indices[0] if indices else None, {})[key] = None

    def fullest(self) -> list[NameAt]:
        """The names of the iteration of the outermost loop that has most of them: the first may lack some."""
        return max((list(names) for names in self.rounds.values()), key=len, default=[])


def _measure(seen: Seen, words: Sequence[str]) -> None:
    for word in words:
        try:
            size = abs(float(word))
        except ValueError:
            continue
        if 0 < size < float("inf"):
            seen.least, seen.largest = min(seen.least, size), max(seen.largest, size)


def _nests(log: _Log, loops: Sequence[str]) -> tuple[list[set[NameAt]], int]:
    """Groups of names by sibling nest, in order of evaluation, and how many loops are around them; maybe none."""
    for depth in range(len(loops)):
        groups = _siblings(log.sequence, depth)
        if len(groups) > 1:
            return groups, depth
    return [], 0


def _siblings(sequence: Sequence[tuple[NameAt, tuple[tuple[str, int], ...]]], depth: int) -> list[set[NameAt]]:
    """Names by pass. A pass ends where the loop at `depth` begins again, becomes another, or a line around it comes.

    Names that share a pass are of one nest. A line around the loop is a nest of its own where it comes between others.
    """
    passes: list[tuple[object, list[NameAt]]] = []
    outer: set[NameAt] = set()
    around: object = None
    last: tuple[str, int] | None = None
    for key, indices in sequence:
        if len(indices) < depth:
            continue
        loop = indices[depth] if len(indices) > depth else ("", 0)
        if indices[:depth] != around or last is None or loop[0] != last[0] or loop[1] < last[1]:
            passes.append((indices[:depth], []))
        around, last = indices[:depth], loop
        if not loop[0]:
            outer.add(key)
        names = passes[-1][1]
        if key not in names:
            names.append(key)
    groups: list[set[NameAt]] = []
    for _, names in passes:
        joined = [g for g in groups if g & set(names)]
        for g in joined[1:]:
            groups.remove(g)
            joined[0] |= g
        if joined:
            joined[0].update(names)
        else:
            groups.append(set(names))

    def which(name: NameAt) -> int:
        return next(n for n, g in enumerate(groups) if name in g)

    runs: list[list[int]] = []
    before: object = None
    for place, names in passes:
        if place != before:
            runs.append([])
            before = place
        if names and which(names[0]) not in runs[-1]:
            runs[-1].append(which(names[0]))
    ordered = [groups[n] for n in merged(sorted(runs, key=len, reverse=True))]
    while ordered and ordered[0] <= outer:  # what comes before all nests, or after them, is in none
        del ordered[0]
    while ordered and ordered[-1] <= outer:
        del ordered[-1]
    return ordered


def _assign(names: Sequence[Seen], groups: Sequence[set[NameAt]], inside: int) -> None:
    """Say of each name which nest it belongs to; names of the other log alone belong where their neighbours do."""
    last: dict[int, int] = {}
    for seen in names:
        key = (seen.name, tuple(sorted(seen.loops)))
        known = next((n + 1 for n, group in enumerate(groups) if key in group), None)
        if not groups or (len(seen.loops) <= inside and known is None):
            continue
        seen.nest = known or last.get(len(seen.loops), 1)
        last[len(seen.loops)] = seen.nest
    _unclose(names)


def _unclose(names: Sequence[Seen]) -> None:
    """A scope closes only a loop of its own nest: lines from inside an earlier sibling do not count."""
    for seen in names:
        if seen.closing and seen.nest:
            inner = [s for s in names if s.nest == seen.nest and set(s.loops) > set(seen.loops)]
            seen.closing = bool(inner) and any(names.index(s) < names.index(seen) for s in inner)


SAMPLE_LINES = 4_000
"""Trace lines of a log that decide whether a vocabulary fits it."""
ENOUGH_LINES = 1_000
"""Trace lines that do where all of them fit."""


def fits(vocabulary: Vocabulary, *logs: Path) -> bool:
    """Whether a vocabulary that the user did not choose may be used for these logs.

    It has to know a name of them, and the loops of most lines: the reader refuses a few others. Logs of older
    forms, where fewer than half of the trace lines are plain, and pipes, which are read once, do not rule it out.
    """
    known = {v.name for v in vocabulary.variables} | set(vocabulary.aliases)
    names: set[str] = set()
    strangers: dict[str, bool] = {}  # whether brackets name a loop that the vocabulary lacks
    strange = lines = plain = other = 0
    for n, path in enumerate(logs):
        to_come = SAMPLE_LINES * (len(logs) - n)
        if not path.is_file() or (names & known and 2 * strange + to_come <= lines):  # whatever the others hold
            return True
        try:
            for line in islice(_trace_lines(path), SAMPLE_LINES):
                if line.startswith("TRACE:"):  # an older form, without a side
                    continue
                match = _LINE.match(line)
                if match is None:  # an older form, or a line that was cut off
                    other += 1
                    continue
                plain += 1
                brackets = match[1] or ""
                if brackets not in strangers:
                    strangers[brackets] = any(loop not in vocabulary.loops for loop, _ in _INDEX.findall(brackets))
                strange += strangers[brackets]
                lines += bool(brackets)
                names.add(match[2])
                if plain == ENOUGH_LINES and not strange and not other and names & known:
                    return True
        except HarnessError:  # columns, or an error that reading will report
            return True
    return other > plain or (2 * strange <= lines and (not names or bool(names & known)))
