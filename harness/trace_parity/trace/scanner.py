"""A log to columns, piece by piece: by the compiled scanner, or line by line where there is no compiler.

Both take plain lines of today's form themselves and leave every other trace line to the one reader there is
(trace/reader.py). What they find is the same.
"""

from __future__ import annotations

import ctypes as ct
from functools import lru_cache
from mmap import mmap
from typing import Any

import numpy as np

from trace_parity.pair.vocabulary import Key
from trace_parity.trace import native
from trace_parity.trace.lines import looks_cut
from trace_parity.trace.log_file import LogFile
from trace_parity.trace.names import MOST_NAMES, Known, Names, is_plain, known_slots, mask_of
from trace_parity.trace.number import EXACT_DIGITS
from trace_parity.trace.piece import Lines, Piece, Sink, Texts
from trace_parity.trace.reader import ALL, SIDES, LineReader, Taken, Value
from trace_parity.trace.rows import ALIASED, WHOLE, RowList, Rows, joined

_SLACK = 1024
_MOST_LOOPS = 32


class Scanner:
    """One log, read from the start to its end by `read`. All but its numbers is in `table` after `finish`.

    `accepted` is the side whose lines are taken.
    """

    def __init__(self, log: LogFile, accepted: str, names: Names, how: Taken = ALL, sink: Sink | None = None) -> None:
        self.log, self.accepted, self.names = log, accepted, names
        self.loops = len(names.vocabulary.loops)
        self.reader = LineReader(str(log.path), names.vocabulary, how)
        self._numbered = frozenset() if how.numbering is None else how.numbering.variables
        self.table = self.reader.tables[accepted]
        self.lines = self.others = self.taken = self.numbers = 0
        self._stream = log.open()
        self._buffer, self._fill, self._base = bytearray(), 0, 0
        self._ended = False
        self._sink = sink
        self._scan = _scanner(names, accepted, sink is not None)
        known = known_slots(names.vocabulary)
        if self._numbered:  # their lines are counted one by one
            known = tuple(one for one in known if names.variables[one[2].variable].id not in self._numbered)
        self._learned = {one[:2] for one in known}
        self._scan.learn(known)

    @property
    def position(self) -> int:
        """Bytes of the log that were read."""
        return self._base + self._fill

    @property
    def ended(self) -> bool:
        """Whether all of the log was read."""
        return self._ended

    def read(self, amount: int) -> Rows:
        """The rows of about that many further bytes."""
        fresh = self._fill_buffer(amount)
        if fresh == 0:
            return joined([], self.loops)
        piece = self._scan.scan(self._buffer, fresh)
        rows = piece.rows
        rows.line += self.lines
        rows.offset += self._base
        self.taken += len(rows)
        if len(rows):
            self.table.last_line = max(self.table.last_line, int(rows.line[-1]))
        if self._sink is not None and piece.texts is not None:
            self._sink(rows, piece.texts)
        parts = [rows, *self._slow_lines(piece)]
        self.lines += piece.lines
        self.others += piece.others
        self._base += fresh
        self._fill -= fresh
        self._buffer[: self._fill] = self._buffer[fresh : fresh + self._fill]
        made = joined(parts, self.loops)
        self.numbers += made.numbers
        return made

    def _fill_buffer(self, amount: int) -> int:
        """Read on; how many bytes make whole lines. The end of a log gets the newline that it may lack."""
        while not self._ended:
            if len(self._buffer) < self._fill + amount + _SLACK:
                self._buffer.extend(bytes(self._fill + amount + _SLACK - len(self._buffer)))
            with self.log.guard(), memoryview(self._buffer) as view:
                got = self._stream.readinto(view[self._fill : self._fill + amount]) or 0
            old, self._fill = self._fill, self._fill + got
            if not got:
                self._ended = True
                if self._fill:
                    last = bytes(self._buffer[self._buffer.rfind(b"\n", 0, self._fill) + 1 : self._fill])
                    ended = last.endswith(b"\r")  # by old ends of lines
                    self.table.unterminated = not ended and looks_cut(last.decode("utf-8", "backslashreplace"))
                    self._buffer[self._fill : self._fill + 1] = b"\n"
                    self._fill += 1
                return self._fill
            end = self._buffer.rfind(b"\n", old, self._fill) + 1
            if end:
                return end
        return 0

    def _slow_lines(self, piece: Piece) -> list[Rows]:
        """The lines that the scanner left, read one by one."""
        if not piece.slow:
            return []
        rows, words = RowList(self.loops), list[str]()
        for line, offset, length in piece.slow:
            text = self._buffer[offset : offset + length].decode("utf-8", "backslashreplace")
            number = self.lines + line
            pos = 0
            for side, parsed, values in self.reader.read(text, number):
                if side != self.accepted:
                    continue
                pos = self._add(rows, values, number, self._base + offset, pos)
                words += [value.text for value in values]
                if parsed.plain and values[0].variable.id not in self._numbered:
                    self._learn(parsed.values[0][0], self.names.vocabulary.key(parsed.indices))
        made = rows.rows()
        if self._sink is not None and len(made):
            self._sink(made, _joined_texts(words))
        return [made]

    def _add(self, rows: RowList, values: list[Value], line: int, offset: int, pos: int) -> int:
        """Rows of consecutive components of one variable."""
        run: list[Value] = []
        for value in [*values, None]:
            if run and (value is None or not _follows(run[-1], value)):
                whole = all(v.number.whole is not None for v in run)
                flags = (WHOLE if whole else 0) | (ALIASED if run[0].aliased else 0)
                first, variable = run[0], self.names.number(run[0].variable)
                for v in run:
                    if v.number.whole is not None and abs(v.number.whole) >= 10**EXACT_DIGITS:
                        rows.exact[line, pos + v.pos] = v.number.whole
                at = (flags, line, offset, pos + first.pos)
                rows.add(first.key, variable, first.component, [v.number.value for v in run], at)
                run = []
            if value is not None:
                run.append(value)
        return pos + len(values)

    def _learn(self, name: str, key: Key) -> None:
        wanted = (name, mask_of(key))
        if wanted not in self._learned and is_plain(name) and len(self._learned) < MOST_NAMES:
            self._learned.add(wanted)
            self._scan.learn(((*wanted, self.names.slot(name, key)),))

    def finish(self) -> None:
        """Complete `table` once all has been read. Raises HarnessError for the lines of several ranks."""
        table, vocabulary = self.table, self.names.vocabulary
        table.side = self.accepted
        self.reader.finish(self.accepted)
        table.lines = self.lines
        table.trace_lines += self.taken
        for name, mask in self._scan.aliased():
            present = [loop for i, loop in enumerate(vocabulary.loops) if mask >> i & 1]
            variable, alias = vocabulary.find(name, vocabulary.key(dict.fromkeys(present, 0)))
            if alias is not None:
                table.aliased[name] = (
                    variable.name if alias.component is None else f"{variable.name}[{alias.component}]"
                )

    @property
    def has_own(self) -> bool:
        """Whether a line of the log says that it is of the accepted side."""
        lines = self.table.trace_lines + self.table.unreadable_lines - self.reader.sideless_lines
        return bool(self.taken or lines > 0)

    @property
    def has_others(self) -> bool:
        """Whether the other side has one."""
        other = self.reader.tables[SIDES[1 - SIDES.index(self.accepted)]]
        return bool(self.others or other.trace_lines or other.unreadable)

    def close(self) -> None:
        """Free what is held; the log stays open."""
        self._scan.close()


def _follows(before: Value, value: Value) -> bool:
    return (value.key, value.variable.id, value.component, value.aliased) == (
        before.key,
        before.variable.id,
        before.component + 1,
        before.aliased,
    )


def _joined_texts(words: list[str]) -> Texts:
    encoded = [word.encode("utf-8", "replace") for word in words]
    return b"".join(encoded), np.cumsum([len(word) for word in encoded], dtype=np.int64)


def _scanner(names: Names, accepted: str, texts: bool) -> Lines:
    if len(names.vocabulary.loops) <= _MOST_LOOPS:
        try:
            return _Compiled(names, accepted, texts)
        except native.NoCompilerError:
            pass
    from trace_parity.trace.interpreted import Interpreted

    return Interpreted(names, accepted, texts)


@lru_cache(maxsize=16)
def _packed(known: Known) -> tuple[Any, ...]:
    """Names and what they are as the compiled part takes them."""
    slots = [slot for _, _, slot in known]
    u32, n = ct.c_uint32, len(known)
    return (
        b"".join(name.encode() + b"\0" for name, _, _ in known),
        (u32 * n)(*(mask for _, mask, _ in known)),
        (u32 * n)(*(slot.variable for slot in slots)),
        (u32 * n)(*(slot.first for slot in slots)),
        (u32 * n)(*(ALIASED if slot.aliased else 0 for slot in slots)),
        (ct.c_double * n)(*(slot.factor for slot in slots)),
    )


class _Compiled:
    """Plain lines by the compiled scanner."""

    def __init__(self, names: Names, accepted: str, texts: bool) -> None:
        self.names, self.wanted, self.texts = names, SIDES.index(accepted), texts
        loops = names.vocabulary.loops
        self.loops, self.lib = len(loops), native.library()
        self._slots: list[tuple[str, int, bool]] = []
        pointers = (ct.c_char_p * max(1, len(loops)))(*(name.encode() for name in loops))
        self._context: Any = self.lib.ts_new(len(loops), pointers)
        if not self._context:
            raise MemoryError
        self._room = -1
        self._arrays: dict[str, Any] = {}

    def learn(self, known: Known) -> None:
        """See Lines."""
        packed = _packed(known)
        if not self.lib.ts_add_slots(self._context, len(known), *packed):
            raise MemoryError
        self._slots += [(name, mask, slot.aliased) for name, mask, slot in known]

    def _make_room(self, length: int) -> None:
        """The shortest row is `TRACE_C: a 1` and its newline, the shortest number ` 1`, the shortest line `TRACE_`."""
        if length <= self._room:
            return
        self._arrays.clear()
        rows, others = length // 13 + 2, length // 7 + 2
        sizes: dict[str, tuple[int, Any]] = {
            "keys": (others * self.loops, np.int32),
            "key": (rows, np.int32),
            "variable": (rows, np.int32),
            "first": (rows, np.int32),
            "count": (rows, np.int32),
            "flags": (rows, np.uint8),
            "line": (rows, np.int64),
            "offset": (rows, np.int64),
            "values": (length // 2 + 2, np.float64),
            "texts": (length, np.uint8),
            "text_end": (length // 2 + 2, np.int64),
            "slow_line": (others, np.int64),
            "slow_offset": (others, np.int64),
            "slow_length": (others, np.int64),
        }
        # Only the first part of each is ever touched, and NumPy's own memory would be had in pages of 2 MB.
        for name, (size, kind) in sizes.items():
            self._arrays[name] = np.frombuffer(mmap(-1, max(1, size) * np.dtype(kind).itemsize), kind, size)
        self._found = native.Found(*(array.ctypes.data for array in self._arrays.values()))
        if not self.texts:
            self._found.texts = None
        self._room = length

    def scan(self, buffer: bytearray, length: int) -> Piece:
        """See Lines."""
        self._make_room(len(buffer))
        held = (ct.c_char * len(buffer)).from_buffer(buffer)
        try:
            self.lib.ts_scan(self._context, ct.addressof(held), length, self.wanted, ct.byref(self._found))
        finally:
            del held
        found, a = self._found, self._arrays
        n = found.n_rows
        count = a["count"][:n].copy()
        ends = np.cumsum(count, dtype=np.int64)
        rows = Rows(
            a["keys"][: found.n_keys * self.loops].reshape(found.n_keys, self.loops).copy(),
            a["key"][:n].copy(),
            a["variable"][:n].copy(),
            a["first"][:n].copy(),
            count,
            ends - count,
            a["flags"][:n].copy(),
            a["line"][:n].copy(),
            a["offset"][:n].copy(),
            np.zeros(n, np.int32),
            a["values"][: found.n_values].copy(),
        )
        slow = [a[f"slow_{name}"][: found.n_slow].tolist() for name in ("line", "offset", "length")]
        texts = None
        if self.texts:
            ends_of = a["text_end"][: found.n_values].copy()
            texts = (a["texts"][: ends_of[-1] if len(ends_of) else 0].tobytes(), ends_of)
        return Piece(rows, list(zip(*slow, strict=True)), found.lines, found.others, texts)

    def aliased(self) -> list[tuple[str, int]]:
        """See Lines."""
        return [
            (name, mask)
            for i, (name, mask, aliased) in enumerate(self._slots)
            if aliased and self.lib.ts_used(self._context, i)
        ]

    def close(self) -> None:
        """See Lines."""
        context, self._context = self._context, None
        if context:
            self.lib.ts_free(context)
