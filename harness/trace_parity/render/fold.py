"""Text broken at the width of a terminal; commands to copy stay in one line, and so does a path."""

from __future__ import annotations

import re
import textwrap
from typing import Literal

Detail = Literal["verdict", "screen", "full"]
"""How much: the last lines alone (-q), what fits on a screen of 24 lines, or all (-v)."""


def fold(text: str, columns: int, rows: int = 24) -> str:
    """The text with lines broken at words for a terminal with this number of columns, and indented as their values are.

    Where it would not fit into the rows without the last, which is the prompt's, its empty lines are left out.
    """
    folded_lines = []
    for line in text.splitlines():
        if len(line) <= columns or _COPIED.match(line):
            folded_lines.append(line)
            continue
        label = _LABEL.match(line)
        indent = len(line) - len(line.lstrip())
        hang = min(label.end() if label and label[0].strip() else indent + 2, columns // 2)
        folded_lines += textwrap.wrap(
            line,
            columns,
            subsequent_indent=" " * hang,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
    if len(folded_lines) >= rows:
        folded_lines = [line for line in folded_lines if line]
    return "\n".join(folded_lines) + "\n"


def fold_message(line: str, columns: int) -> list[str]:
    """An error or a note in lines of a terminal: what is wrong, then the hint on a line of its own."""
    if len(line) <= columns:
        return [line]
    found = _HINT.fullmatch(line)
    parts = [line]
    if found is not None:
        what, hint, expected = found.groups(default="")
        parts = [what, f"  hint: {hint}", *([f"  {expected}"] if expected else [])]
    lines: list[str] = []
    for part in parts:
        hang = "    " if part.startswith("  ") else "  "
        lines += textwrap.wrap(part, columns, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)
    return lines


_HINT = re.compile(r"(.*?) \(hint: (.*)\)(?:; (expected .*))?")
_LABEL = re.compile(r" *(?:[\w:.-]+(?: [\w:.-]+)?  +)?")
"""The indent and the label of a line, such as `  differ  `."""
_COPIED = re.compile(r" *(?:(?:next|or): +)?trace-diff | *command(?: line| of \S+)?: ")
"""How a line begins that is copied as a whole."""
