"""The flags: the table that the C program shares (flags.def), and those of the simulator alone.

The original matches flags by substring; we match whole names, the listed synonyms and the prefixes, so that a
mistyped flag is an error and not a wrong image. What flags mean is in `effects`. Source: cli.md of the specification.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_IN_WHEEL = _PACKAGE / "data" / "reference_c" / "src" / "flags.def"
TABLE = _IN_WHEEL if _IN_WHEEL.is_file() else _PACKAGE.parents[1] / "reference_c" / "src" / "flags.def"


@dataclass(frozen=True)
class Flag:
    """One flag: `names` are matched whole, `prefixes` at the start of a word.

    `words` has a token for each word that follows: "number", "count", "limit", "file", "word"; flags.def explains what
    may follow a token. `values`, `unit` and `effect` are for the help.
    """

    key: str
    names: tuple[str, ...]
    prefixes: tuple[str, ...]
    words: tuple[str, ...]
    values: str
    unit: str
    effect: str


def _flag(key: str, names: str, words: str, values: str, unit: str, effect: str) -> Flag:
    spelled = names.split()
    whole = tuple(name for name in spelled if not name.endswith("*"))
    prefixes = tuple(name.removesuffix("*") for name in spelled if name.endswith("*"))
    return Flag(key, whole, prefixes, tuple(words.split()), values, unit, effect)


def _shared() -> tuple[Flag, ...]:
    """The rows of flags.def: FLAG(key, "names", "words", "values", "unit", "effect"), one per line."""
    rows = [line for line in TABLE.read_text().splitlines() if line.startswith("FLAG(")]
    parts = (row.removeprefix("FLAG(").removesuffix(")").split(", ", 1) for row in rows)
    return tuple(_flag(key, *ast.literal_eval(f"({rest})")) for key, rest in parts)


_OWN = (
    ("hkl_column", "-hkl_column", "word", "NAME", "", "column of the MTZ or CIF of -hkl; intensities: sqrt(I)"),
    ("cbffile", "-cbffile", "file", "FILE", "", "CBF image (none), with the pixels of the SMV image"),
    ("nexusfile", "-nexusfile", "file", "FILE", "", "NeXus image (none): NXmx, float32"),
    ("inject", "-inject", "word", "NAME[,NAME...]", "", "take these variables from -inject_from"),
    ("inject_from", "-inject_from", "file", "LOG", "", "trace log, such as the C program's"),
    ("device", "-device", "word", "cpu|cuda[:n]", "", "where to compute (cpu)"),
    ("dtype", "-dtype", "word", "float64|float32", "", "number type of the computation (float64)"),
    ("engine", "-engine", "word", "auto|kernel|eager", "", "compiled kernels: for large images, always, never (auto)"),
)
SHARED: tuple[Flag, ...] = _shared()
FLAGS: tuple[Flag, ...] = SHARED + tuple(_flag(*row) for row in _OWN)

_BY_NAME = {name: flag for flag in FLAGS for name in flag.names}
_BY_PREFIX = {prefix: flag for flag in FLAGS for prefix in flag.prefixes}


def find(word: str) -> Flag | None:
    """The flag that a word names: whole name first, then the longest prefix."""
    if word in _BY_NAME:
        return _BY_NAME[word]
    for prefix in sorted(_BY_PREFIX, key=len, reverse=True):
        if word.startswith(prefix):
            return _BY_PREFIX[prefix]
    return None


LETTERS_PER_MISTAKE = 3
"""One mistake in so many letters is taken for a slip of the keyboard."""


def nearest(word: str) -> list[str]:
    """Up to three known flags that `word` may mean: with few mistakes, or those that begin with it."""
    letters = len(word.lstrip("-"))
    near = []
    for name in [*_BY_NAME, *_BY_PREFIX]:
        mistakes = _edit_distance(word.lower(), name.lower())
        if letters > 1 and mistakes <= max(1, letters // LETTERS_PER_MISTAKE):
            near.append((0, mistakes, name))
        elif letters >= LETTERS_PER_MISTAKE and name.startswith(word):
            near.append((1, mistakes, name))
    return [name for *_, name in sorted(near, key=lambda found: found[:2])[:3]]


def _edit_distance(a: str, b: str) -> int:
    """Levenshtein's distance: letters to replace, add or remove."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j - 1] + (x != y), before[j] + 1, row[j - 1] + 1))
    return row[-1]


def usage() -> str:
    """The help text."""
    lines = [
        "usage: nanobragg-torch -mat FILE | -cell a [b c al be ga]  -hkl FILE | -default_F F  [flags]",
        "A name that ends in * matches every longer word that begins so. -hkl also takes MTZ, CIF and PDB, by suffix.",
        "",
    ]
    for flag in FLAGS:
        names = " ".join([*flag.names, *(prefix + "*" for prefix in flag.prefixes)])
        unit = f"[{flag.unit}]" if flag.unit else ""
        lines.append("  " + " ".join(part for part in (names, flag.values, unit) if part))
        lines.append(f"      {flag.effect}")
    return "\n".join(lines) + "\n"
