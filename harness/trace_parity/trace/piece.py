"""Shared by the scanners of plain lines: see trace/scanner.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trace_parity.trace.names import Known
from trace_parity.trace.rows import Rows

Texts = tuple[bytes, npt.NDArray[np.int64]]
"""Numbers as printed in a log, one after another, and where each of them ends."""
Sink = Callable[[Rows, Texts], None]


class Lines(Protocol):
    """A reader of the plain lines of a piece of a log."""

    def learn(self, known: Known) -> None:
        """Names may be on plain lines."""

    def scan(self, buffer: bytearray, length: int) -> Piece:
        """The plain lines of a piece, which ends with a newline."""

    def aliased(self) -> list[tuple[str, int]]:
        """The older names that were met, with their loops as a mask."""

    def close(self) -> None:
        """Free what is held."""


class Piece:
    """The content of one piece; lines and offsets count from its start."""

    def __init__(
        self, rows: Rows, slow: list[tuple[int, int, int]], lines: int, others: int, texts: Texts | None = None
    ) -> None:
        self.rows, self.slow, self.lines, self.others, self.texts = rows, slow, lines, others, texts
