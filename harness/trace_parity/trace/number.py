"""Printed numbers to floats: plain decimals and the forms of Fortran, C, Windows, NumPy and PyTorch.

A whole number keeps every digit (`Parsed.whole`): 9007199254740993 is not the nearest double. A number that no double
can hold (1e400) is refused, because two different ones would both become infinity.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

_DECIMAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[-+]?\d+", re.ASCII)
_FORTRAN = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))[dD]([-+]?\d+)", re.ASCII)
_FORTRAN_BARE = re.compile(r"([-+]?(?:\d+\.\d*|\.\d+))([-+]\d{3})", re.ASCII)  # .14-270: no room for the E
_HEX = re.compile(r"[-+]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][-+]?\d+", re.ASCII)
_NAN = re.compile(r"[-+]?(?:nan(?:\(\w*\))?|1\.#(?:qnan|snan|ind)\d*)", re.ASCII | re.IGNORECASE)
_INF = re.compile(r"([-+]?)(?:inf(?:inity)?|1\.#inf\d*)", re.ASCII | re.IGNORECASE)
_NAN_CALL = re.compile(r"(nan)\(\w*\)", re.ASCII | re.IGNORECASE)

_CALL = re.compile(
    r"(?:\b(?:np|numpy|torch|jnp)\.)?\b"
    r"(?:float(?:16|32|64|128)?|u?int(?:8|16|32|64)?|double|longdouble|tensor|Tensor|array|Array|asarray)(?=\()"
)
_KEYWORD = re.compile(
    r",\s*(?:dtype|device|grad_fn|requires_grad|size|layout)\s*=\s*(?:<[^>]*>|'[^']*'|\"[^\"]*\"|\([^)]*\)|[\w.:]+)"
)
EXACT_DIGITS = 15
"""Whole numbers of up to this many digits are exact as doubles."""


class Parsed(NamedTuple):
    """One number: as a double, and as the whole number that was printed where it was one."""

    value: float
    whole: int | None


class NotANumberError(ValueError):
    """A word is not a number; the hint is how to print it so that it can be read."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


def parse_number(word: str) -> Parsed:
    """The number that `word` prints. Raises NotANumberError."""
    if _DECIMAL.fullmatch(word):
        value = float(word)
        return Parsed(_held(value, word), int(word) if _WHOLE.fullmatch(word) else None)
    if _NAN.fullmatch(word):
        return Parsed(math.nan, None)
    if match := _INF.fullmatch(word):
        return Parsed(-math.inf if match[1] == "-" else math.inf, None)
    if match := _FORTRAN.fullmatch(word) or _FORTRAN_BARE.fullmatch(word):
        return Parsed(_held(float(f"{match[1]}e{match[2]}"), word), None)
    if _HEX.fullmatch(word):
        try:
            return Parsed(float.fromhex(word), None)
        except OverflowError:
            return Parsed(_held(math.inf, word), None)
    raise NotANumberError(f"{word!r} is not a number", _hint(word))


def _held(value: float, word: str) -> float:
    """`value`, where a double holds what was printed."""
    if math.isinf(value):
        raise NotANumberError(
            f"{word!r} is beyond the largest double", "print what a double can hold, or its logarithm"
        )
    if value == 0.0 and re.search("[1-9a-fA-F]", re.split("[eEdDpP]", word.removeprefix("0x"))[0]):
        raise NotANumberError(
            f"{word!r} is below the smallest double", "print what a double can hold, or its logarithm"
        )
    return value


def _hint(word: str) -> str:
    """A hint on how to print a number so that it can be read."""
    if re.fullmatch(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?", word):
        return "a decimal comma: set the locale to C (LC_ALL=C), print with %.17g"
    if word in ("...", "..."):
        return "the array was shortened: print every element (numpy threshold, torch.set_printoptions)"
    if set(word) == {"*"}:
        return "Fortran's field was too narrow: print with ES24.16E3"
    if "tensor" in word or "<" in word:
        return "print a tensor's number with .item() and %.17g"
    return "print numbers with %.17g"


def split_numbers(text: str) -> list[str]:
    """The words of a value: `1 2 3`, `[1, 2, 3]`, `(1, 2)`, `[1 0; 0 1]`, `np.float64(1.5)`, `tensor([1.], dtype=...)`.

    A comma separates only inside brackets or before a space; `1,5` stays one word. Raises NotANumberError when brackets
    do not match.
    """
    if not any(c in text for c in "[](),;"):
        return text.split()
    text = _CALL.sub("", without_keywords(_NAN_CALL.sub(r"\1", text)))
    made, depth = [], 0
    for i, c in enumerate(text):
        if c in "[(":
            depth += 1
            c = " "
        elif c in "])":
            depth -= 1
            c = " "
            if depth < 0:
                raise NotANumberError("a closing bracket without an opening one")
        elif (c == "," and (depth or text[i + 1 : i + 2].isspace())) or (c == ";" and depth):
            c = " "
        made.append(c)
    if depth:
        raise NotANumberError("a bracket is not closed", "print each value on one line")
    return "".join(made).split()


def without_keywords(text: str) -> str:
    """A tensor as it is printed, without `dtype=...` and the like."""
    return _KEYWORD.sub("", text) if "=" in text else text


def looks_numeric(word: str) -> bool:
    """Whether a word is a number or looks like one: these are never taken for text."""
    return not word[:1].isalpha() or bool(_NAN.fullmatch(word) or _INF.fullmatch(word))
