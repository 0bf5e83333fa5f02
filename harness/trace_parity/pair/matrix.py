"""The gate's matrix: many small cases in one TOML file that share input files."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import Case, InputFile, focus_of, input_file, load_case
from trace_parity.pair.toml_table import read_text

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@dataclass(frozen=True)
class Matrix:
    """The cases of a gate, in the order of the file, and the file's name for messages."""

    name: str
    cases: tuple[Case, ...]


def load_matrix(path: Path, pair: Pair) -> Matrix:
    """The matrix in `path`; `pair` has the cases that it names. Raises HarnessError (exit 2)."""
    name = str(path)
    try:
        data = tomllib.loads(read_text(path))
        files = tuple(input_file(n, f, pair.folder) for n, f in data.get("files", {}).items())
        cases = tuple(_case(entry, data.get("defaults", {}), files, pair) for entry in data["cases"])
    except (KeyError, TypeError, ValueError) as error:  # TOMLDecodeError is a ValueError
        raise HarnessError(Exit.USAGE, f"not a matrix: {error!r}", where=name) from error
    ids = [case.id for case in cases]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise HarnessError(Exit.USAGE, f"case {twice[0]} stands twice", where=name)
    if not cases:
        raise HarnessError(Exit.USAGE, "no case: a gate of nothing lets everything through", where=name)
    return Matrix(name, cases)


def _case(entry: Mapping[str, Any], defaults: Mapping[str, str], files: tuple[InputFile, ...], pair: Pair) -> Case:
    if "case" in entry:
        return load_case(entry["case"], pair)
    words = shlex.split(entry["argv"].format(**defaults))
    try:
        pixels = focus_of(entry, pair)
    except ValueError as error:
        raise ValueError(f"case {entry['id']}: {error}") from error
    named = tuple(f for f in files if f.name in words)
    source = f'id = "{entry["id"]}"\nargv = {entry["argv"]!r}\nfocus = {[list(p) for p in pixels]}\n'
    return Case(entry["id"], entry.get("title", entry["id"]), tuple(words), pixels, files=named, source=source)
