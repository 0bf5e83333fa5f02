"""Inputs of a program moved by one unit in the last place: real numbers of its command line and of its text files."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence

REAL = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+")
"""A number that is written as a real one."""
WHOLE = re.compile(r"[-+]?\d+")


def perturb_words(argv: Sequence[str], flags: Sequence[str], chance: random.Random) -> tuple[str, ...]:
    """The command line with its real numbers moved.

    Those are the numbers written as real ones, and whole ones after a flag of `flags`, whose values are real.
    """
    real = _real_words(argv, flags)
    return tuple(moved_word(word, chance) if is_real else word for word, is_real in zip(argv, real, strict=True))


def has_reals(argv: Sequence[str], flags: Sequence[str]) -> bool:
    """Whether a command line has a real number that can be moved, which zero cannot."""
    return any(is_real and float(word) != 0 for word, is_real in zip(argv, _real_words(argv, flags), strict=True))


def _real_words(argv: Sequence[str], flags: Sequence[str]) -> list[bool]:
    found, real = [], False
    for word in argv:
        found.append(bool(REAL.fullmatch(word) or (real and WHOLE.fullmatch(word))))
        if not found[-1] and not WHOLE.fullmatch(word):
            real = word in flags
    return found


def perturb_text(text: str, chance: random.Random) -> str:
    """A text file with its real numbers moved; the rest of each line stays as it is."""
    return re.sub(rf"(?<![\w.])(?:{REAL.pattern})(?![\w.])", lambda m: moved_word(m[0], chance), text)


def moved_word(word: str, chance: random.Random) -> str:
    """One number up, down or not at all by one unit in the last place, with all its digits. Zero has no such unit."""
    value = float(word)
    step = chance.choice((-1, 0, 1))
    if value == 0 or step == 0 or not math.isfinite(value):
        return word
    return repr(math.nextafter(value, math.copysign(math.inf, step)))
