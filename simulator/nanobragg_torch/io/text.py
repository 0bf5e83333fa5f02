"""Reading small text files with one clear error if that fails, and numbers as C reads them."""

from __future__ import annotations

import re
from pathlib import Path

from nanobragg_torch.errors import ExperimentError

_LEADING_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)")

_LEADING_INTEGER = re.compile(r"\s*[+-]?\d+")


def read_bytes(path: Path, flag: str) -> bytes:
    """The file's bytes; ExperimentError names the flag and the file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExperimentError(f"{flag}: cannot read {path}: {error.strerror or error}") from None


def read_text(path: Path, flag: str) -> str:
    """The file's text; ExperimentError names the flag and the file."""
    return read_bytes(path, flag).decode("utf-8", errors="replace")


def leading_number(word: str) -> float:
    """The number that a word begins with, 0 for none: what C's atof makes of decimal numbers."""
    match = _LEADING_NUMBER.match(word)
    return float(match[0]) if match else 0.0


def leading_integer(word: str) -> int:
    """The integer that a word begins with, 0 for none: what C's atoi makes of it."""
    match = _LEADING_INTEGER.match(word)
    return int(match[0]) if match else 0


def as_float(word: str) -> float | None:
    """The word as a number, None if it is not one from end to end."""
    try:
        return float(word)
    except ValueError:
        return None
