"""The line that computes what a probe prints: the assignment above it, or that of the field it reads.

Best effort, on text: the printed expression is a name or a field, and the nearest assignment to it above the probe is
looked for in the same function, then where the function is called, then any assignment to the field in the program, or
the place where an object with such a field is made. None where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

File = tuple[str, list[str]]
Place = tuple[str, int]
STEPS = 3
"""How many times a value may be passed on under another name before the line that computes it."""
REACH = 120
"""Lines above a probe in which its value may be assigned."""
CONSTANT = r"[-+\d\"']|None|NULL|NAN|vec3\([-\d]"
"""Right-hand sides that compute nothing."""
ASSIGNS = r"(\[[^\]]*\])*\s*[-+*/]?=(?!=)"
TYPED = r"\s*(static |const )*(double|float|int|long|unsigned|bool|[A-Z]\w*) \*?\w"
"""The beginning of a C declaration, which may assign several names."""
HANDED_ON = r"(?<![-+*/=])=\s*[*&]?\s*([A-Za-z_]\w*((->|\.)\w+|\[[^\]]*\])*)\s*[,;)]?\s*$"
SAME_VALUE = r"\s*[*+]\s*([A-Z][A-Z_]+|[01]\.0)$|\.(expand|item|detach|cpu|clone)\([^()]*(\([^()]*\))?[^()]*\)$"
"""Conversions of a value for its print only: another unit, a zero without sign, another layout."""


def computing_line(files: Sequence[File], path: str, index: int, name: str) -> Place | None:
    """Path and index of the line that assigns what the line `index` of `path` prints under `name`."""
    kin = (".py",) if path.endswith(".py") else (".c", ".h")
    files = [file for file in files if file[0].endswith(kin)]
    lines = next(text for file, text in files if file == path)
    value = _printed(lines[index], name)
    if value is None:
        return None
    parts = [part for part in re.split(r"->|\.", re.sub(r"\[[^\]]*\]", "", value)) if part]
    while len(parts) > 1 and parts[-1] in "abcmxyz":  # a component, a matrix of a type of its own
        parts.pop()
    if len(parts) == 1 and parts[0].isupper() and (macro := _macro(files, parts[0])) is not None:
        return macro
    place = _assigned(files, (path, index), parts)
    return _followed(files, place) if place is not None else None


def _assigned(files: Sequence[File], at: Place, parts: list[str]) -> Place | None:
    """Where a name or a field is given its value, as seen from a line."""
    lines = _lines(files, at[0])
    above = _above(lines, at[1], parts)
    if above.line is not None and not (above.is_constant and len(parts) > 1):
        return at[0], above.line
    if above.line is None and len(parts) == 1 and above.function and (call := _call(lines, above.function)) is not None:
        further = _above(lines, call, parts).line
        if further is not None:
            return at[0], further
    if len(parts) > 1 and (place := _field(files, parts) or _made(files, parts[-1])):
        return place
    return (at[0], above.line) if above.line is not None else None


def _lines(files: Sequence[File], path: str) -> list[str]:
    return next(text for file, text in files if file == path)


def _followed(files: Sequence[File], place: Place) -> Place:
    """Skip lines that only pass a name on, such as `fdet=fdet,`, `omega_final = omega` and `u = x->umats[i].m` do."""
    for _ in range(STEPS):
        lines = _lines(files, place[0])
        handed = re.search(HANDED_ON, lines[place[1]])
        if handed is None or lines[place[1]].lstrip().startswith(("for ", "if ")):
            break
        parts = [part for part in re.split(r"->|\.", re.sub(r"\[[^\]]*\]", "", handed[1])) if part]
        while len(parts) > 1 and parts[-1] in "abcmxyz":
            parts.pop()
        further = _assigned(files, place, parts)
        if further is None or further == place:
            break
        place = further
    return place


def _printed(text: str, name: str) -> str | None:
    """The name or field that a line prints under `name`; None for an expression, which the line computes itself."""
    rest = _after(text, name)
    if rest is None:
        return None
    given = [re.sub(SAME_VALUE, "", re.sub(r"^\(\w+\)\s*", "", one.strip())) for one in _arguments(rest)]
    own = [one for one in given if re.split(r"[^\w]", one)[0] == name]
    cast = (own or given or [""])[-1]
    return cast if re.fullmatch(r"[A-Za-z_]\w*((->|\.)\w+|\[[^\]]*\])*", cast) else None


def _after(text: str, name: str) -> str | None:
    """The expression that belongs to a printed name: a further argument, a keyword's value, what a format spells."""
    word = re.escape(name)
    if found := re.search(rf"\b{word} \{{([^{{}}:]+)", text):
        return found[1]
    if found := re.search(rf"\b{word} %[^\"]*\"\s*,(.*)", text):
        return found[1]
    if found := re.search(rf"[(,]\s*{word}=(?!=)([^,)]*)", text) or re.search(rf"\b{word}\"?\s*[,:]\s*(.*)", text):
        return found[1]
    for literal in re.finditer(r"f\"([^\"]*\{[^\"]*)\"\]?\s*[,=]\s*(.*)", text):
        parts = [re.escape(part) for part in re.split(r"\{[^}]*\}", literal[1])]
        if re.fullmatch(r"\w+".join(parts), name):
            return literal[2]
    return None


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


@dataclass(frozen=True)
class _Above:
    """The nearest assignment above, whether it is of a constant, and the function that the search ended in."""

    line: int | None
    is_constant: bool = False
    function: str = ""


def _above(lines: list[str], index: int, parts: list[str]) -> _Above:
    """The nearest line above, within the function, that assigns the field or its whole."""
    root, whole = parts[0], r"(->|\.)".join(map(re.escape, parts))
    left = r"[\s\w,.>\[\]*-]*?(?<![\w.>\"'])"
    filled: int | None = None
    for n in range(index - 1, max(-1, index - REACH), -1):
        text = re.sub(r"^\s*(for|if) \([^()]*\)(?=\s*\w.*[^=!<>]=[^=])", "", lines[n])
        if starts := re.match(r"(?:async )?(?:def|class) (\w+)|\}", text):
            return _Above(filled, function=starts[1] or "")
        if starts := re.match(r"[A-Za-z_][\w \t*]*?\b(\w+)\([^;]*$", text):  # a C function begins
            return _Above(filled, function=starts[1])
        if re.match(r"\s*(#|//|/?\*|\"\"\")", text) or re.search(r"\b(if|while|assert|for)\b[^=]*==", text):
            continue
        declared = len(parts) == 1 and re.match(TYPED, text) is not None
        if found := re.match(rf"{left}{whole}\b[\w\s,]*{ASSIGNS}\s*(.*)", text) or (
            re.match(rf".*,\s*\*?{whole}{ASSIGNS}\s*(.*)", text) if declared else None
        ):
            is_constant = re.match(CONSTANT, found[found.re.groups]) is not None
            return _Above(filled) if is_constant and filled is not None else _Above(n, is_constant)
        if len(parts) == 1 and (looped := re.match(rf"\s*for\b.*\b{re.escape(root)}\b.*\bin\b(.*)", text)):
            return _of_loop(lines, n, root, looped[1])
        if filled is None and len(parts) == 1 and re.search(rf"&{re.escape(root)}\b", text):
            filled = n  # by a call
        if len(parts) > 1 and re.match(rf"{left}{re.escape(root)}{ASSIGNS}[^=]*\(", text):
            return _Above(n)  # the whole is made by a call
    return _Above(filled)


def _of_loop(lines: list[str], n: int, name: str, over: str) -> _Above:
    """What `for axis, factor in zip("abc", F_axes)` takes its names from; the loop itself for anything else."""
    targets = re.match(r"\s*for (.*?) in ", lines[n])
    names = re.findall(r"\w+", targets[1]) if targets else []
    taken = re.match(r"\s*zip\((.*)", over)
    values = _arguments(taken[1]) if taken else []
    which = names.index(name) if name in names else len(values)
    value = values[which].strip() if which < len(values) else ""
    if not re.fullmatch(r"[A-Za-z_]\w*", value):
        return _Above(None)
    found = _above(lines, n, [value])
    if found.line is None and found.function and (call := _call(lines, found.function)) is not None:
        found = _above(lines, call, [value])
    return found


def _call(lines: list[str], function: str) -> int | None:
    """The last line that calls a function; not the one that begins it."""
    calls = (n for n, text in enumerate(lines) if re.search(rf"\b{re.escape(function)}\(", text))
    return max((n for n in calls if not re.match(r"(async )?def |[A-Za-z_][\w *]*\(.*[^;]$", lines[n])), default=None)


def _field(files: Sequence[File], parts: list[str]) -> Place | None:
    """Where a field is assigned something computed: last on an object of the probe's name, else last of all."""
    found: dict[bool, Place] = {}
    assigned = re.compile(rf"(\b\w*)?(->|\.|^\s*|[(,]\s*){re.escape(parts[-1])}{ASSIGNS}\s*(.*)")
    for path, lines in files:
        for n, text in enumerate(lines):
            right = assigned.search(text) if parts[-1] in text else None
            if right is not None and not re.match(CONSTANT, right[4]) and not re.match(r"\s*(#|//|/?\*|if\b)", text):
                found[right[1] == parts[-2]] = path, n
    return found.get(True) or found.get(False)


def _made(files: Sequence[File], field: str) -> Place | None:
    """Where an object of the type that declares a field is made, without the field's name."""
    kind = next((name for _, lines in files if (name := _type_with(lines, field))), None)
    if kind is None:
        return None
    made = rf"\({kind}\)\s*\{{|(?<!class )\b{kind}\((?!\s*\))"
    places = [(path, n) for path, lines in files for n, text in enumerate(lines) if re.search(made, text)]
    return places[-1] if places else None


def _type_with(lines: list[str], field: str) -> str | None:
    """The struct, or the class, that declares a field in this file."""
    text = "\n".join(lines)
    if field not in text:
        return None
    for struct in re.finditer(r"typedef struct[^{;]*\{([^{}]*)\}\s*(\w+);", text):
        if re.search(rf"\b{re.escape(field)}\b", re.sub(r"/\*.*?\*/", "", struct[1], flags=re.DOTALL)):
            return struct[2]
    owner = None
    for line in lines:
        if found := re.match(r"class (\w+)", line):
            owner = found[1]
        elif re.match(rf"    {re.escape(field)}: ", line) and owner:
            return owner
    return None


def _macro(files: Sequence[File], name: str) -> Place | None:
    places = (
        (path, n) for path, lines in files for n, text in enumerate(lines) if re.match(rf"#define {name}\b", text)
    )
    return next(places, None)
