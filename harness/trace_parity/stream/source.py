"""One log under a streaming comparison: scanned by C, its unusual lines read here by the one parser there is."""

from __future__ import annotations

import ctypes as ct
import os
from pathlib import Path
from typing import Any, Protocol

from trace_parity.errors import Exit, HarnessError
from trace_parity.stream import native
from trace_parity.stream.registry import Registry, context_key
from trace_parity.trace.lines import BadLineError, ParsedLine, looks_cut, parse_line
from trace_parity.trace.table import TraceTable, Unreadable

SIDES = ("C", "PY")
KEPT_UNREADABLE = 1000
"""How many unreadable lines are listed; the count covers all."""


class Restart(Exception):  # noqa: N818 - no error: the comparison begins again in another way
    """What was assumed of the logs does not hold: begin again, `code` says how."""

    def __init__(self, code: int, side: int) -> None:
        super().__init__(code, side)
        self.code = code
        self.side = side


class Source(Protocol):
    """Where the rows of one side come from."""

    side: int
    size: int
    weight: int
    """Bytes of text that one step of `position` stands for."""
    table: TraceTable
    unreadable: int

    def open(self, registry: Registry) -> None:
        """Begin from the start, for this registry."""

    def position(self) -> int:
        """How much of `size` has been read."""

    def scan(self, amount: int) -> bool:
        """Read about that much more; False at the end. May run in a thread of its own."""

    def drain(self) -> None:
        """Take what was scanned into the join. Raises Restart."""

    def finish(self) -> None:
        """Complete `table` once all has been read. Raises Restart."""

    def text(self, offset: int, pos: int) -> str:
        """How the number at that place stood in the log."""

    def close(self) -> None:
        """Let go of the file."""


class LogSource:
    """A log as text. `table` gets all but the rows: variables, older names, notes, the first unreadable lines."""

    weight = 1

    def __init__(self, path: Path, side: int, *, keep_text: bool = False) -> None:
        self.path, self.side, self.keep_text = path, side, keep_text
        try:
            self.fd = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(path)) from error
        self.size = os.fstat(self.fd).st_size
        self.accepted = self._guess()
        self.by_hand_rows: list[tuple[int, native.Key, int, float, str, int, int]] = []

    def _guess(self) -> int:
        """Whose lines to take: the side's own, unless the log seems to hold the other's only."""
        head = b"\n" + os.pread(self.fd, 65536, 0)
        own, other = (b"\nTRACE_" + SIDES[i].encode() for i in (self.side, 1 - self.side))
        return 1 - self.side if own not in head and other in head else self.side

    def open(self, registry: Registry) -> None:
        """See Source."""
        self.registry, self.lib = registry, registry.lib
        self.table = TraceTable(SIDES[self.side], str(self.path))
        self.unreadable = self.others = self.trace_lines = 0
        self.by_hand_rows.clear()
        self.lib.ts_open(registry.context, self.side, self.fd, self.accepted, self.keep_text)

    def state(self) -> Any:
        """cursor, lines, plain trace lines, other side's lines, unterminated, last offset, bytes done, values,
        bytes of text."""
        out = (ct.c_uint64 * 9)()
        self.lib.ts_state(self.registry.context, self.side, out)
        return out

    def position(self) -> int:
        """See Source."""
        return int(self.state()[6])

    def scan(self, amount: int) -> bool:
        """See Source."""
        got = self.lib.ts_scan(self.registry.context, self.side, amount)
        if got < 0:
            raise HarnessError(Exit.UNREADABLE, os.strerror(-got), where=str(self.path))
        return bool(got)

    def drain(self) -> None:
        """See Source."""
        context, lib = self.registry.context, self.lib
        while (code := lib.ts_advance(context, self.side)) != native.OK:
            if code not in (native.SLOW, native.TWICE):
                native.check(code)
                raise Restart(code, self.side)
            count = ct.c_uint64()
            record = lib.ts_records(context, self.side, ct.byref(count))[self.state()[0]]
            self._read(record.offset, record.length, record.line, counted=code == native.TWICE)
            lib.ts_step(context, self.side)
        lib.ts_learn(context, self.side)

    def _read(self, offset: int, length: int, line: int, *, counted: bool) -> None:
        """One line that is not plain, or that says something twice."""
        text = self.line(offset, length)
        try:
            parsed = parse_line(text, self.registry.vocabulary.loops)
            if parsed is None:
                return
            if SIDES.index(parsed.side) != self.accepted:
                self.others += 1
                return
            self.trace_lines += not counted
            self._add(parsed, offset, line)
        except BadLineError as error:
            if text.startswith("TRACE_C") != (self.accepted == 0):
                self.others += 1
                return
            self.unreadable += 1
            if len(self.table.unreadable) < KEPT_UNREADABLE:
                self.table.unreadable.append(Unreadable(line, text, str(error)))

    def _add(self, parsed: ParsedLine, offset: int, line: int) -> None:
        """As the reader in memory adds a line to its table: the first of two equal rows stays."""
        registry, vocabulary = self.registry, self.registry.vocabulary
        key = vocabulary.key(parsed.indices)
        packed = context_key(key)
        self.table.notes.update(parsed.notes)
        pos = -1
        for name, words in parsed.values:
            variable, alias = vocabulary.find(name, key)
            self.table.variables.setdefault(variable.id, variable)
            registry.learn(name, key)
            number, first, factor = registry.number(variable), 0, 1.0
            if alias is not None:
                read_as = variable.name if alias.component is None else f"{variable.name}[{alias.component}]"
                self.table.aliased[name] = read_as
                first, factor = alias.component or 0, alias.factor
            for component, word in enumerate(words, start=first):
                pos += 1
                value = float(word) * factor if factor != 1.0 else float(word)
                earlier = self.lib.ts_look_up(registry.context, self.side, ct.byref(packed), number, component)
                if not earlier:
                    code = self.lib.ts_put(
                        registry.context, self.side, ct.byref(packed), number, component, value, line, offset, pos
                    )
                    if code != native.OK:
                        native.check(code)
                        raise Restart(code, self.side)
                    if self.keep_text:
                        self.by_hand_rows.append((number, packed, component, value, word, line, pos))
                    continue
                run = earlier.contents
                if alias is None and run.number(component) != value:
                    text = self.text(run.offset, run.pos + component - run.first)
                    if text != word:
                        where = vocabulary.describe(key)
                        raise BadLineError(f"{name} stands twice at {where}: {text} on line {run.line}, now {word}")

    def finish(self) -> None:
        """See Source."""
        state = self.state()
        taken, passed_over = state[2] + self.trace_lines + self.unreadable, state[3] + self.others
        own, other = (taken, passed_over) if self.accepted == self.side else (passed_over, taken)
        right = self.side if own or not other else 1 - self.side
        if right != self.accepted:
            self.accepted = right
            raise Restart(native.OK, self.side)
        table, registry = self.table, self.registry
        if self.accepted != self.side:
            side = SIDES[self.side]
            table.notes["side"] = f"the log holds only lines of the other side; they are taken as {side}"
        table.lines, table.trace_lines = int(state[1]), int(state[2]) + self.trace_lines
        table.aliased.update(registry.aliased(self.side))
        last = self.line(state[5], self.size - state[5]) if state[4] else ""
        table.unterminated = bool(state[4]) and looks_cut(last)

    def line(self, offset: int, length: int) -> str:
        """That many bytes of the log as a line, without its newline."""
        return os.pread(self.fd, length, offset).decode("utf-8", "replace").rstrip("\r\n")

    def text(self, offset: int, pos: int) -> str:
        """See Source."""
        # A line may be long, but no longer than what the scanner held at once.
        chunk, size = b"", 4096
        while b"\n" not in chunk and len(chunk) < self.size - offset:
            chunk = os.pread(self.fd, size, offset)
            size *= 4
        parsed = parse_line(
            chunk.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r\n"), self.registry.vocabulary.loops
        )
        assert parsed is not None
        return [word for _, words in parsed.values for word in words][pos]

    def close(self) -> None:
        """See Source."""
        os.close(self.fd)
