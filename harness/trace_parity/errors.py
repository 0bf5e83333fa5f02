"""Exit codes and the one exception that carries them to the command line.

Every error states what was wrong, where, what was expected, and gives a hint.
"""

from __future__ import annotations

import errno
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
    INTERNAL = 70  # a fault of this program (EX_SOFTWARE of sysexits.h)
    FILE_SYSTEM = 74  # full, read-only or failing (EX_IOERR)


REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})
"""Errors of the file system on writing; other errors with a path are for the user to fix."""


_LONG = 250
"""Characters of a list of what was expected; of a longer one the reader sees the nearest name first."""


class HarnessError(Exception):
    """An expected failure: one clear message and the exit code it ends in."""

    def __init__(self, code: Exit, what: str, *, where: str = "", expected: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.where = where
        self.expected = expected
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.code, self.what, self.where, self.expected, self.hint)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        expected = f"; expected {self.expected}" if self.expected else ""
        hint = f" (hint: {self.hint})" if self.hint else ""
        if len(self.expected) > _LONG and self.hint.startswith("did you mean"):
            return text + hint + expected
        return text + expected + hint


def _again(code: Exit, what: str, where: str, expected: str, hint: str) -> HarnessError:
    """An error that comes from another process."""
    return HarnessError(code, what, where=where, expected=expected, hint=hint)


def cannot_write(error: OSError, where: object, hint: str = "") -> HarnessError:
    """The error for a file that cannot be written: exit 74 if the file system fails, else exit 2."""
    code = Exit.FILE_SYSTEM if error.errno in REFUSALS else Exit.USAGE
    return HarnessError(code, f"cannot be written: {error.strerror or error}", where=str(where), hint=hint)
