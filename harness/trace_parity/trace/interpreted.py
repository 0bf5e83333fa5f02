"""Plain lines of a log without a compiler: the same that the compiled scanner takes.

A piece is split line by line, with little work per line; its numbers are converted and checked all
at once. Only if that check finds something unusual are the lines in question read one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from trace_parity.pair.vocabulary import ABSENT
from trace_parity.trace.names import Known, Names, Slot
from trace_parity.trace.piece import Piece, Texts
from trace_parity.trace.reader import SIDES
from trace_parity.trace.rows import ALIASED, WHOLE, Floats, Rows, empty, starts

_PLAIN_NUMBER = rb"(?:[-+]?(?:\d{1,15}|\d+\.\d*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.\d+(?:[eE][-+]?\d+)?)|nan|[-+]?inf)"
_NUMBERS = re.compile(rb"(?: *" + _PLAIN_NUMBER + rb"(?= |$))+ *")
_INDEX = re.compile(rb"=(\d+)")
_FEW_DIGITS = 15
_MOST_DIGITS = 9
"""Of a loop index."""
_MOST_SHAPES = 4096


@dataclass
class _Taken:
    """Columns of the lines that are plain up to their numbers."""

    number: list[int] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    slot: list[int] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    numbers: list[bytes] = field(default_factory=list)

    def without(self, gone: set[int]) -> _Taken:
        """All but the lines at some places."""
        kept = [i for i in range(len(self.number)) if i not in gone]
        columns = (self.number, self.offset, self.slot, self.key)
        number, offset, slot, key = ([column[i] for i in kept] for column in columns)
        return _Taken(number, offset, slot, key, [self.numbers[i] for i in kept])


class Interpreted:
    """Plain lines without a compiler."""

    def __init__(self, names: Names, accepted: str, texts: bool) -> None:
        self.names, self.texts = names, texts
        self.loops = len(names.vocabulary.loops)
        self._begin = f"TRACE_{accepted}".encode()
        self._other = tuple(f"TRACE_{side}{c}".encode() for side in SIDES if side != accepted for c in "[:")
        self._slots: list[tuple[str, int, Slot]] = []
        self._numbers: dict[int, dict[bytes, int]] = {}  # of slots, by the loops of the line and its name
        self._shapes: dict[bytes, tuple[list[int], int] | None] = {}
        self._used: set[int] = set()

    def learn(self, known: Known) -> None:
        """See Lines."""
        for name, mask, slot in known:
            self._numbers.setdefault(mask, {})[name.encode()] = len(self._slots)
            self._slots.append((name, mask, slot))

    def _shape(self, shape: bytes) -> tuple[list[int], int] | None:
        """The loops of brackets whose indices were taken out, as places in the key and as a mask.

        None when they are not plain.
        """
        if shape in self._shapes:
            return self._shapes[shape]
        loops = self.names.vocabulary.loops
        words = [] if not shape else shape[1:-1].decode("ascii", "replace").split(" ")
        names = [word.removesuffix("=") for word in words]
        plain = not shape or (shape.startswith(b"[") and shape.endswith(b"]") and all(w.endswith("=") for w in words))
        plain = plain and set(names) <= set(loops) and len(set(names)) == len(names)
        if len(self._shapes) > _MOST_SHAPES:
            self._shapes.clear()
        places = [loops.index(name) for name in names] if plain else []
        self._shapes[shape] = (places, sum(1 << place for place in places)) if plain else None
        return self._shapes[shape]

    def scan(self, buffer: bytearray, length: int) -> Piece:
        """See Lines."""
        text = bytes(buffer[: length - 1])
        taken, table = _Taken(), list[list[int]]()
        slow, others, lines = self._take_apart(text, taken, table)
        rows, texts, left = self._rows(taken, table)
        if left:
            ends = [text.find(b"\n", offset) for _, offset in left]
            more = ((*at, (end if end >= 0 else len(text)) - at[1]) for at, end in zip(left, ends, strict=True))
            slow = sorted([*slow, *more])
        return Piece(rows, slow, lines, others, texts)

    def _take_apart(
        self, text: bytes, taken: _Taken, table: list[list[int]]
    ) -> tuple[list[tuple[int, int, int]], int, int]:
        """Fill `taken` and the table of keys; the lines that are not plain, how many are the other side's, and all."""
        places: dict[bytes, tuple[int, dict[bytes, int]] | None] = {}
        slow, others, offset, number = list[tuple[int, int, int]](), 0, 0, 0
        last, here = b"", None
        put_number, put_offset, put_slot = taken.number.append, taken.offset.append, taken.slot.append
        put_key, put_numbers = taken.key.append, taken.numbers.append
        for number, line in enumerate(text.split(b"\n"), start=1):
            head, _, rest = line.partition(b": ")
            if head != last:
                last = head
                if head not in places:
                    places[head] = self._place(head, table)
                here = places[head]
            slot = None
            if here is not None:
                name, _, numbers = rest.partition(b" ")
                slot = here[1].get(name)
            if slot is not None and here is not None and numbers:
                put_number(number)
                put_offset(offset)
                put_slot(slot)
                put_key(here[0])
                put_numbers(numbers)
            elif b"TRACE" in line:
                if line.startswith(self._other) and b"TRACE_" not in line[6:]:
                    others += 1
                else:
                    slow.append((number, offset, len(line)))
            offset += len(line) + 1
        if b"\r" in text:
            taken.numbers = [numbers.rstrip(b"\r") for numbers in taken.numbers]
        return slow, others, number

    def _place(self, head: bytes, table: list[list[int]]) -> tuple[int, dict[bytes, int]] | None:
        """Of lines that begin so, the place of their key in the table, and the slots of names that are known there.

        None when they are not plain.
        """
        if not head.startswith(self._begin):
            return None
        brackets = head[len(self._begin) :]
        shape, indices = self._shape(_INDEX.sub(b"=", brackets)), _INDEX.findall(brackets)
        if shape is None or len(indices) != len(shape[0]) or max(map(len, indices), default=0) > _MOST_DIGITS:
            return None
        key = [ABSENT] * self.loops
        for place, index in zip(shape[0], indices, strict=True):
            key[place] = int(index)
        table.append(key)
        return len(table) - 1, self._numbers.setdefault(shape[1], {})

    def _rows(self, taken: _Taken, table: list[list[int]]) -> tuple[Rows, Texts | None, list[tuple[int, int]]]:
        """The rows, the texts of their numbers if they are wanted, and where the lines are that are not plain."""
        words = [numbers.split() for numbers in taken.numbers]
        unusual, values = _unusual(taken.numbers, words)
        gone = {i for i in unusual if not _are_plain(taken.numbers[i])}
        left = [(taken.number[i], taken.offset[i]) for i in sorted(gone)]
        if gone:
            taken, words, values = taken.without(gone), [w for i, w in enumerate(words) if i not in gone], None
        texts = None
        if self.texts:
            ends = np.cumsum([len(word) for word in chain.from_iterable(words)], dtype=np.int64)
            texts = (b"".join(chain.from_iterable(words)), ends)
        if not words:
            return empty(self.loops), texts, left
        if values is None:
            values = np.array(list(map(float, chain.from_iterable(words))), np.float64)
        slot, count = np.array(taken.slot, np.int64), np.array(list(map(len, words)), np.int32)
        slots = [s for _, _, s in self._slots]
        factor = np.array([s.factor for s in slots])[slot]
        if (factor != 1.0).any():
            values *= np.repeat(factor, count)
        aliased = np.array([s.aliased for s in slots])
        self._used |= set(np.flatnonzero((np.bincount(slot, minlength=len(slots)) > 0) & aliased).tolist())
        whole = [not (b"." in t or b"e" in t or b"E" in t or b"n" in t) for t in taken.numbers]
        flags = np.where(np.array(whole) & (factor == 1.0), WHOLE, 0) | np.where(aliased[slot], ALIASED, 0)
        rows = Rows(
            np.array(table, np.int32).reshape(len(table), self.loops),
            np.array(taken.key, np.int32),
            np.array([s.variable for s in slots], np.int32)[slot],
            np.array([s.first for s in slots], np.int32)[slot],
            count,
            starts(count),
            flags.astype(np.uint8),
            np.array(taken.number, np.int64),
            np.array(taken.offset, np.int64),
            np.zeros(len(words), np.int32),
            values,
        )
        return rows, texts, left

    def aliased(self) -> list[tuple[str, int]]:
        """See Lines."""
        return sorted(self._slots[n][:2] for n in self._used)

    def close(self) -> None:
        """See Lines."""


def _unusual(numbers: list[bytes], words: list[list[bytes]]) -> tuple[list[int], Floats | None]:
    """The lines that have to be looked at one by one, and all numbers where those can be had at once."""
    every = list(range(len(words)))
    if b" ".join(numbers).translate(None, b"0123456789.+-eE "):
        return every, None
    flat = list(chain.from_iterable(words))
    try:
        values = np.array(list(map(float, flat)), np.float64)
    except ValueError:
        return every, None
    found = {i for i, some in enumerate(words) if not some}
    doubtful = {int(i) for i in np.flatnonzero((values == 0.0) | np.isinf(values)) if flat[i].strip(b"-+.0")}
    doubtful |= {i for i, word in enumerate(flat) if b"." not in word and _is_long(word)}
    if doubtful:
        row = np.repeat(np.arange(len(words)), [len(some) for some in words])
        found |= {int(row[i]) for i in doubtful}
    return sorted(found), values


def _is_long(word: bytes) -> bool:
    digits = word.lstrip(b"+-")
    return len(digits) > _FEW_DIGITS and digits.isdigit()


def _are_plain(numbers: bytes) -> bool:
    """Whether the text is one of plain numbers that doubles hold."""
    if not _NUMBERS.fullmatch(numbers):
        return False
    words = numbers.split()
    values = [float(word) for word in words]
    return not any(
        value in _EDGES and b"inf" not in word and re.search(rb"[1-9]", re.split(rb"[eE]", word)[0])
        for value, word in zip(values, words, strict=True)
    )


_EDGES = (0.0, float("inf"), float("-inf"))
