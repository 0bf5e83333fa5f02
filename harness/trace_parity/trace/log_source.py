"""One log under comparison: read piece by piece into columns, and read again for the reported lines."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from trace_parity.pair.vocabulary import ABSENT, Vocabulary
from trace_parity.printable import plural
from trace_parity.trace.lines import ParsedLine
from trace_parity.trace.log_file import LogFile
from trace_parity.trace.names import Names
from trace_parity.trace.reader import SIDES, LineReader, Taken, Value, read_trace_lines, side_of_others
from trace_parity.trace.repeats import Numbering, Place, Repeated
from trace_parity.trace.rows import Rows
from trace_parity.trace.scanner import Scanner
from trace_parity.trace.table import TraceTable

_HEAD = 1 << 20
_MOST_COUNTED = 256 << 20


class LogSource:
    """See compare/logs.py, Source. Lines of the side `taken` are compared as those of `side`.

    With `other_side`, a log that holds nothing but the other side's lines has those taken, which its table notes.
    """

    def __init__(
        self,
        path: Path,
        side: str,
        taken: str,
        vocabulary: Vocabulary,
        *,
        rank: str | None = None,
        rank_loop: str = "",
        other_side: bool = True,
    ) -> None:
        self.path, self.side, self.taken, self.vocabulary = path, side, taken, vocabulary
        self.how = Taken(rank, None if other_side else taken, rank_loop=rank_loop)
        self._may_swap, self._swapped = other_side, False
        self.log = LogFile(path)
        self.size = max(1, self.log.size)
        self._scanner: Scanner | None = None

    @property
    def scanner(self) -> Scanner:
        """What reads the log."""
        assert self._scanner is not None
        return self._scanner

    def begin(self, names: Names) -> None:
        """See Source."""
        if self._scanner is not None:
            self._scanner.close()
        self._scanner = Scanner(self.log, self.taken, names, self.how)
        self.table = self._scanner.table

    @property
    def position(self) -> int:
        """See Source."""
        return min(self.size, self.scanner.position)

    @property
    def ended(self) -> bool:
        """See Source."""
        return self.scanner.ended

    def read(self, amount: int) -> Rows:
        """See Source."""
        return self.scanner.read(amount)

    def finish(self) -> bool:
        """See Source."""
        scanner = self.scanner
        if not scanner.has_own and scanner.has_others and self._may_swap:
            self.taken, self._may_swap, self._swapped = SIDES[1 - SIDES.index(self.taken)], False, True
            return False
        if scanner.reader.unsided:
            other = SIDES[1 - SIDES.index(self.taken)]
            has = {self.taken: scanner.has_own, other: scanner.has_others}
            if whose := side_of_others(scanner.reader, str(self.path), has):
                self.how = replace(self.how, sideless=whose)
                return False
        scanner.finish()
        if scanner.reader.sideless_lines:
            count = scanner.reader.sideless_lines
            self.table.notes["no side"] = (
                f"{plural(count, 'line')} with TRACE: in place of TRACE_{self.taken}, taken as {self.taken}'s"
            )
        if self.how.numbering is not None:
            loops = ", ".join(self.vocabulary.repeats)
            self.table.notes["repeats"] = (
                f"{self.how.numbering.count} blocks without an index are numbered by {loops} in the order of the log"
            )
        if self._swapped:
            self.table.notes["side"] = f"the log contains only lines of the other side; they are taken as {self.side}"
        self.table.side = self.side
        return True

    def repeated(self) -> Repeated | None:
        """How often the log repeats each variable; None for a log that is too large to be read line by line."""
        if self.size > _MOST_COUNTED:
            return None
        found = Repeated()
        with self.log.guard():
            reader = LineReader(str(self.path), self.vocabulary, self.how)
            for number, raw in enumerate(self.log.buffered(), start=1):
                if b"TRACE" in raw:
                    for side, parsed, values in reader.read(
                        raw.decode("utf-8", "backslashreplace").rstrip("\n"), number
                    ):
                        if side == self.taken:
                            for place, value in _by_name(parsed, values, self.vocabulary):
                                found.add(place, value)
        return found

    def number(self, numbering: Numbering) -> None:
        """Number the repeats from the next reading on."""
        self.how = replace(self.how, numbering=numbering)

    def texts(self, places: Collection[tuple[int, int, int]]) -> dict[tuple[int, int, int], str]:
        """See Source."""
        lines = self.log.lines_at(sorted({offset for _, offset, _ in places}))
        words: dict[int, list[str]] = {}
        for offset, raw in lines.items():
            reader = LineReader(str(self.path), self.vocabulary, self.how)
            text = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            words[offset] = [
                value.text for of, _, values in reader.read(text, 0) if of == self.taken for value in values
            ]
        return {place: words[place[1]][place[2]] for place in places if place[2] < len(words[place[1]])}

    def lines(self, places: Collection[tuple[int, int, int]]) -> dict[tuple[int, int, int], str]:
        """See Source."""
        lines = self.log.lines_at(sorted({offset for _, offset, _ in places}))
        return {place: lines[place[1]].decode("utf-8", "backslashreplace").rstrip("\r\n") for place in places}

    def in_memory(self, sites: Collection[tuple[int, ...]] | None) -> TraceTable:
        """See Source."""
        if sites is None or self.how.numbering is not None:  # numbered logs are small
            with self.log.guard():
                lines = io.TextIOWrapper(self.log.buffered(), encoding="utf-8", errors="backslashreplace", newline="\n")
                return self._table(lines)
        return self._of_sites(set(sites))

    def _table(self, lines: Iterable[str]) -> TraceTable:
        table = read_trace_lines(lines, self.taken, str(self.path), self.vocabulary, how=self.how)
        table.side = self.side
        return table

    def _of_sites(self, sites: set[tuple[int, ...]]) -> TraceTable:
        """The lines of these sites and of no site, once each, read again."""
        depth = len(next(iter(sites), (0, 0)))
        scanner = Scanner(self.log, self.taken, Names(self.vocabulary), self.how)
        wanted: dict[int, None] = {}
        seen: set[tuple[object, ...]] = set()
        try:
            while not scanner.ended:
                rows = scanner.read(1 << 21)
                for i in _within(rows, sites, depth):
                    key = rows.at(i)
                    if all(index == ABSENT for index in key[:depth]):
                        start = int(rows.start[i])
                        said = (key, int(rows.variable[i]), rows.values[start : start + int(rows.count[i])].tobytes())
                        if said in seen:  # programs print what concerns the whole run again and again
                            continue
                        seen.add(said)
                    wanted[int(rows.offset[i])] = None
        finally:
            scanner.close()
        lines = self.log.lines_at(sorted(wanted))
        return self._table([raw.decode("utf-8", "backslashreplace") for _, raw in sorted(lines.items())])

    @property
    def has_ranks(self) -> bool:
        """Whether a rank precedes a line of the taken side."""
        return bool(self.scanner.reader.prefixes[self.taken].ranks)

    def nothing(self) -> str:
        """See Source."""
        table = self.table
        if not table.lines:
            return "the file is empty"
        if self.scanner.reader.prefixes[self.taken].passed_over:
            return f"no line is of rank {self.how.rank}"
        if self.scanner.has_others:
            return f"its trace lines are of the other side, none begins with TRACE_{self.taken}"
        if table.trace_lines:
            return f"its {plural(table.trace_lines, 'trace line')} have no number"
        with self.log.guard():
            head = self.log.buffered().read(_HEAD)
        if b"TRACE:" in head:
            return (
                f"{plural(table.lines, 'line')}; those that begin with TRACE: do not name their side "
                "(--sides C,PY reads the first log as C's, the second as PY's)"
            )
        form = f"TRACE_{self.taken}: name number ..."
        if b"trace_c" in head.lower() or b"trace_py" in head.lower():
            return f"{plural(table.lines, 'line')}; the lines that look like trace lines do not have the form {form}"
        return f"{plural(table.lines, 'line')}, no trace line among them ({form})"

    def close(self) -> None:
        """See Source."""
        if self._scanner is not None:
            self._scanner.close()
        self.log.close()


def _by_name(parsed: ParsedLine, values: list[Value], vocabulary: Vocabulary) -> Iterator[tuple[Place, object]]:
    """Each name of a line with its place and its numbers."""
    start, key = 0, vocabulary.key(parsed.indices)
    for name, numbers in parsed.values:
        if numbers:
            one = values[start : start + len(numbers)]
            yield (one[0].variable.id, name, key), tuple(v.number for v in one)
            start += len(numbers)
    for value, (name, _) in zip(values[start:], parsed.texts, strict=False):
        yield (value.variable.id, name, key), value.number


def _within(rows: Rows, sites: set[tuple[int, ...]], depth: int) -> list[int]:
    """The rows that sit in one of the sites, or in none."""
    if not len(rows):
        return []
    outer = rows.table[:, :depth]
    inside = (outer == ABSENT).all(axis=1)
    for site in sites:
        inside |= (outer == np.array(site)).all(axis=1)
    return [int(i) for i in np.flatnonzero(inside[rows.key])]
