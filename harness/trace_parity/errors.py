"""Exit codes and the one exception that carries them to the command line.

Every error says what was wrong, where, what was expected, and gives a hint.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `trace-diff`; a script may rely on them."""

    PARITY = 0
    DIVERGENCE = 1
    USAGE = 2
    PROGRAM_FAILED = 3
    SHAPE_MISMATCH = 4
    UNREADABLE = 5
    NOTHING_TO_COMPARE = 6
    STALE_WAIVER = 7


class HarnessError(Exception):
    """An expected failure: one clear message and the exit code it ends in."""

    def __init__(self, code: Exit, what: str, *, where: str = "", expected: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.where = where
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.expected:
            text += f"; expected {self.expected}"
        if self.hint:
            text += f" (hint: {self.hint})"
        return text
