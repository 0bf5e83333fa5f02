"""The line that computes what a probe prints: the assignment above it, or that of the field it reads.

Best effort, on text: the printed expression is a name or a field, and the nearest assignment to it above the probe is
looked for in the same function, then any assignment to the field in the program. None where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

File = tuple[str, list[str]]
STEPS = 3
"""Names that a value is handed on under before the line that computes it."""
REACH = 120
"""Lines above a probe in which its value may be assigned."""
CONSTANT = r"[-+\d\"']|None|NAN|vec3\([-\d]"
"""Right sides that compute nothing."""
ASSIGNS = r"\s*[-+*/]?=(?!=)"


def computing_line(files: Sequence[File], path: str, index: int, name: str) -> tuple[str, int] | None:
    """Path and index of the line that assigns what the line `index` of `path` prints under `name`."""
    lines = next(text for file, text in files if file == path)
    value = _printed(lines[index], name)
    if value is None:
        return None
    parts = [part for part in re.split(r"->|\.", re.sub(r"\[[^\]]*\]", "", value)) if part]
    while len(parts) > 1 and parts[-1] in "abcxyz":  # a component
        parts.pop()
    place: tuple[str, int] | None = None
    if (above := _above(lines, index, parts)) is not None:
        place = path, above
    elif len(parts) > 1:
        place = _field(files, parts)
    return _followed(files, place) if place is not None else None


def _followed(files: Sequence[File], place: tuple[str, int]) -> tuple[str, int]:
    """Past lines that only hand a name on, as `fdet=fdet,` and `omega_final = omega` do."""
    for _ in range(STEPS):
        lines = next(text for file, text in files if file == place[0])
        handed = re.search(r"=\s*([A-Za-z_]\w*)\s*[,;)]?\s*$", lines[place[1]])
        above = _above(lines, place[1], [handed[1]]) if handed is not None else None
        if above is None:
            break
        place = place[0], above
    return place


def _printed(text: str, name: str) -> str | None:
    """The name or field that a line prints under `name`; None for an expression, which the line computes itself."""
    after = re.search(rf"\b{re.escape(name)}\b\"?\s*[,:]\s*(.*)", text)
    after = after or re.search(r"""f(["'])[^"']*\{[^"']*\1\s*,\s*(?P<rest>.*)""", text)  # a name in parts
    if after is None:
        return None
    last = _arguments(after.groupdict().get("rest") or after[1])[-1:]
    cast = re.sub(r"^\(\w+\)\s*", "", last[0].strip()) if last else ""
    return cast if re.fullmatch(r"[A-Za-z_]\w*((->|\.)\w+|\[[^\]]*\])*", cast) else None


def _arguments(text: str) -> list[str]:
    """What is between the commas of a call, up to the bracket that closes it."""
    found: list[str] = []
    depth = start = 0
    for n, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0 or letter == ";":
            return [*found, text[start:n]]
        if letter == "," and depth == 0:
            found.append(text[start:n])
            start = n + 1
    return [*found, text[start:]] if text[start:].strip() else found


def _above(lines: list[str], index: int, parts: list[str]) -> int | None:
    """The nearest line above, within the function, that assigns the field or its whole."""
    root, read = parts[0], None
    whole = r"(->|\.)".join(map(re.escape, parts))
    for n in range(index - 1, max(-1, index - REACH), -1):
        text = lines[n]
        if re.match(r"(def |async def |class |\})", text):
            return None
        if re.match(r"\s*(#|//|/?\*|\"\"\")", text) or re.search(r"\b(if|while|assert|for)\b[^=]*==", text):
            continue
        left = r"[\s\w,.>\[\]-]*?(?<![\w.>\"'])"
        if made := re.match(rf"{left}{whole}\b[\w\s,]*{ASSIGNS}\s*", text):
            is_constant = re.match(rf"({CONSTANT})[^(]*$", text[made.end() :]) is not None
            return read if is_constant and read is not None else n
        if len(parts) == 1 and re.match(rf"[^=]*&{re.escape(root)}\b", text):
            return n  # filled in by a call
        if len(parts) == 1 and read is None and re.search(rf"&{re.escape(root)}\b", text):
            read = n  # filled in, or only read, by a call that makes something else
        if len(parts) > 1 and re.match(rf"{left}{re.escape(root)}{ASSIGNS}[^=]*\(", text):
            return n  # the whole is made by a call
    return None


def _field(files: Sequence[File], parts: list[str]) -> tuple[str, int] | None:
    """Where a field is assigned something computed: last on an object of the probe's name, else last of all."""
    found: dict[bool, tuple[str, int]] = {}
    for path, lines in files:
        for n, text in enumerate(lines):
            right = re.search(rf"(\b\w*)?(->|\.|^\s*|[(,]\s*){re.escape(parts[-1])}{ASSIGNS}\s*(.+)", text)
            if right is not None and not re.match(CONSTANT, right[3]) and not re.match(r"\s*(#|//|/?\*|if\b)", text):
                found[right[1] == parts[-2]] = path, n
    return found.get(True) or found.get(False)
