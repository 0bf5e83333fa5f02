"""Where in a source an edit goes: the function that it names, and within it a piece of code, however it is laid out."""

from __future__ import annotations

import ast
import re


def function_range(text: str, name: str, suffix: str) -> tuple[int, int]:
    """Start and end of a function's text. ValueError where there is not exactly one of that name."""
    found = list(functions(text, suffix).get(name, []))
    if len(found) != 1:
        raise ValueError(f"{len(found)} functions are named {name!r}, expected one")
    return found[0]


def functions(text: str, suffix: str) -> dict[str, list[tuple[int, int]]]:
    """The ranges of all functions by name, methods as Class.method; suffix .py, or C otherwise."""
    found: dict[str, list[tuple[int, int]]] = {}
    if suffix == ".py":
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))

        def walk(node: ast.AST, prefix: str) -> None:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.FunctionDef | ast.ClassDef):
                    name = f"{prefix}{child.name}"
                    if isinstance(child, ast.FunctionDef):
                        found.setdefault(name, []).append((starts[child.lineno - 1], starts[child.end_lineno or 0]))
                    walk(child, f"{name}.")

        walk(ast.parse(text), "")
        return found
    for match in re.finditer(r"^[A-Za-z_][\w \t*]*?\b(\w+)\([^;{}]*\)\s*\{.*?^\}", text, re.MULTILINE | re.DOTALL):
        found.setdefault(match[1], []).append(match.span())
    return found


def replaced(text: str, anchor: str, old: str, new: str, suffix: str) -> str:
    """`text` with `old` in the function `anchor` (the whole file for an empty one) replaced.

    White space in `old` matches any white space. ValueError where `old` is not there exactly once.
    """
    start, end = function_range(text, anchor, suffix) if anchor else (0, len(text))
    words = re.findall(r"\w+|[^\w\s]", old)
    pattern = r"\s*".join(map(re.escape, words))
    if old[:1].isspace():
        pattern = r"[ \t]*" + pattern
    if old.endswith("\n"):
        pattern += r"[ \t]*\n"
    places = list(re.finditer(pattern, text[start:end]))
    if len(places) != 1:
        raise ValueError(f"{anchor or 'the file'} holds {old!r} {len(places)} times, expected once")
    at, to = places[0].span()
    return text[: start + at] + new + text[start + to :]
