"""The gate's matrix: many small cases in one TOML file that share input files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity.pair.case import Case, InputFile, case_id, focus_of, input_files, load_case
from trace_parity.pair.toml_table import Table, located, nearest, parse_toml, read_text

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@dataclass(frozen=True)
class Matrix:
    """The cases of a gate, in the order of the file, and the file's name for messages."""

    name: str
    cases: tuple[Case, ...]


def load_matrix(path: Path, pair: Pair) -> Matrix:
    """The matrix in `path`; `pair` has the cases that it names. Raises HarnessError (exit 2) with line and key."""
    name = str(path)
    text = read_text(path)
    with located(text, name):
        table = Table(parse_toml(text, name), name)
        table.need("cases", "[[cases]] tables: a gate without a case would pass everything")
        files, defaults = input_files(table, pair.folders), table.strings("defaults")
        entries = list(table.tables("cases"))
        cases = tuple(_case(entry, defaults, files, pair) for entry in entries)
        table.finish()
        for n, case in enumerate(cases):
            if any(case.id == earlier.id for earlier in cases[:n]):
                raise entries[n].wrong("id", case.id, "an id that no other case of the matrix has")
        if not cases:
            raise table.wrong("cases", [], "at least one case: a gate without a case would pass everything")
    return Matrix(name, cases)


def _case(entry: Table, defaults: Mapping[str, str], files: tuple[InputFile, ...], pair: Pair) -> Case:
    if "case" in entry:
        name = entry.text("case")
        entry.finish()
        if name.endswith(".toml"):
            return load_case(name, pair)
        cases = {case.id: case for case in pair.cases()}
        if name not in cases:
            raise entry.wrong("case", name, f"one of {', '.join(cases) or 'the case files'}", nearest(name, cases))
        return cases[name]
    for key, expected in (("id", "letters, digits, _ . -"), ("argv", "a command line")):
        entry.need(key, expected)
    identity, template = case_id(entry), entry.string("argv")
    try:
        words = shlex.split(template.format(**defaults))
    except (KeyError, IndexError, ValueError) as error:
        expected = "a command line, {NAME} only for what [defaults] has"
        raise entry.wrong("argv", template, expected, nearest(str(error).strip("'"), defaults)) from error
    places = focus_of(entry, pair)
    title = entry.text("title", identity)
    entry.finish()
    named = tuple(f for f in files if f.name in words)
    return Case(identity, title, tuple(words), places, files=named)
