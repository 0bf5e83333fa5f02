"""Text from logs, made safe to print: control sequences of a terminal or a CI runner are shown, not executed.

A log may hold any bytes as a name. Printed as they are, an escape sequence moves the cursor or clears the screen, a
bidirectional mark reverses the line, and a line that begins with `::` is a command to GitHub's runner.
"""

from __future__ import annotations

import re
import unicodedata

FULL_DIGITS = 17
"""Significant digits that tell any two doubles apart."""
_OBEYED = re.compile(r"##(?=\w*\[)")
_KINDS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Control, format (bidirectional marks among them), lone surrogates, private use, separators of lines."""


def visible(text: str) -> str:
    """`text` on one line, without control characters: `\\x1b` for an escape, `\\n` for a newline."""
    if not text.isascii() or not text.isprintable():
        text = "".join(_shown(ch) if unicodedata.category(ch) in _KINDS else ch for ch in text)
    text = _OBEYED.sub(r"#\\#", text)
    stripped = text.lstrip()
    if stripped.startswith("::"):
        text = f"{text[: len(text) - len(stripped)]}\\{stripped}"
    return text


def visible_lines(text: str) -> str:
    """The same of each line of a text that has more than one."""
    return "\n".join(visible(line) for line in text.split("\n"))


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 case`, `2 cases`; `many` is a plural that does not end in s alone."""
    return f"{count} {noun if count == 1 else many or f'{noun}s'}"


def spell_apart(*values: float, digits: int = 6) -> list[str]:
    """Numbers that a reader compares, in `digits` significant digits or in as many as tell unequal ones apart."""
    texts = [f"{value:.{digits}g}" for value in values]
    if digits >= FULL_DIGITS or len(set(texts)) == len({repr(float(value)) for value in values}):
        return texts
    return spell_apart(*values, digits=digits + 1)


def _shown(ch: str) -> str:
    return ch.encode("unicode_escape").decode("ascii")
