"""Plain lines of a log without a compiler: the same that the compiled scanner takes."""

from __future__ import annotations

import re

import numpy as np

from trace_parity.pair.vocabulary import Key
from trace_parity.trace.names import Known, Names, mask_of
from trace_parity.trace.piece import Piece
from trace_parity.trace.reader import SIDES
from trace_parity.trace.rows import ALIASED, WHOLE, RowList

_PLAIN_NUMBER = rb"(?:[-+]?(?:\d{1,15}|\d+\.\d*(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.\d+(?:[eE][-+]?\d+)?)|nan|[-+]?inf)"
_PLAIN = re.compile(rb"(TRACE_(?:C|PY)(?:\[[^\]\s]+(?: [^\]\s]+)*\])?: )([!-~]+)((?: +" + _PLAIN_NUMBER + rb")+) *\r*")


class Interpreted:
    """Plain lines without a compiler."""

    def __init__(self, names: Names, accepted: str, texts: bool) -> None:
        self.names, self.accepted, self.texts = names, accepted, texts
        self.loops = len(names.vocabulary.loops)
        self._begins = f"TRACE_{accepted}".encode()
        self._other = [f"TRACE_{side}{c}".encode() for side in SIDES if side != accepted for c in "[:"]
        self._slots: dict[tuple[bytes, int], tuple[int, int, int, float]] = {}
        self._keys: dict[bytes, tuple[Key, int] | None] = {}
        self._used: set[tuple[bytes, int]] = set()

    def learn(self, known: Known) -> None:
        """See Lines."""
        for name, mask, slot in known:
            flags = ALIASED if slot.aliased else 0
            self._slots[name.encode(), mask] = (slot.variable, slot.first, flags, slot.factor)

    def _key(self, prefix: bytes) -> tuple[Key, int] | None:
        """The key of a line that begins so; None when it is not plain."""
        if prefix in self._keys:
            return self._keys[prefix]
        if len(self._keys) > 4096:
            self._keys.clear()
        indices: dict[str, int] | None = {}
        inside = prefix.decode("ascii", "replace").partition("[")[2].partition("]")[0]
        for word in inside.split():
            name, _, count = word.partition("=")
            plain = name in self.names.vocabulary.loops and re.fullmatch("[0-9]{1,9}", count)
            if not plain or indices is None or name in indices:
                indices = None
                break
            indices[name] = int(count)
        key = None if indices is None else self.names.vocabulary.key(indices)
        self._keys[prefix] = None if key is None else (key, mask_of(key))
        return self._keys[prefix]

    def scan(self, buffer: bytearray, length: int) -> Piece:
        """See Lines."""
        slots, plain, used = self._slots, _PLAIN.fullmatch, self._used
        rows = RowList(self.loops)
        slow: list[tuple[int, int, int]] = []
        others = offset = number = 0
        values, words = rows.values, list[bytes]()
        for number, line in enumerate(bytes(buffer[: length - 1]).split(b"\n"), start=1):
            if b"TRACE" in line:
                match = plain(line) if line.startswith(self._begins) else None
                key = self._key(match[1]) if match is not None else None
                slot = slots.get((match[2], key[1])) if match is not None and key is not None else None
                made = None
                if slot is not None and match is not None and key is not None:
                    made = self._numbers(match[3], slot[3])
                    if made is not None:
                        whole = WHOLE if slot[3] == 1.0 and not set(match[3]).intersection(b".eEn") else 0
                        rows.keys.append(key[0])
                        rows.heads.append((slot[0], slot[1], len(made), slot[2] | whole, number, offset, 0))
                        values.extend(made)
                        if self.texts:
                            words += match[3].split()
                        if slot[2]:
                            used.add((match[2], key[1]))
                if made is None:
                    if line.startswith(tuple(self._other)) and b"TRACE_" not in line[6:]:
                        others += 1
                    else:
                        slow.append((number, offset, len(line)))
            offset += len(line) + 1
        texts = (b"".join(words), np.cumsum([len(w) for w in words], dtype=np.int64)) if self.texts else None
        return Piece(rows.rows(), slow, number, others, texts)

    def _numbers(self, text: bytes, factor: float) -> list[float] | None:
        """The numbers, where doubles hold them."""
        made = [float(word) for word in text.split()]
        if any(v in _EDGES for v in made):
            words = text.split()
            for v, word in zip(made, words, strict=True):
                if v in _EDGES and b"inf" not in word and re.search(rb"[1-9]", re.split(rb"[eE]", word)[0]):
                    return None
        return made if factor == 1.0 else [v * factor for v in made]

    def aliased(self) -> list[tuple[str, int]]:
        """See Lines."""
        return [(name.decode(), mask) for name, mask in sorted(self._used)]

    def close(self) -> None:
        """See Lines."""


_EDGES = (0.0, float("inf"), float("-inf"))
