"""Every key of the files of a pair deleted, misspelt or of a wrong type: read, or refused in one line that names it."""

from __future__ import annotations

import copy
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import find_pair
from trace_parity.run.check_pair import report

from tests.golden import ROOT

PAIR = ROOT / "examples" / "pairs" / "lennard_jones"
FILES = [path.relative_to(PAIR).as_posix() for path in sorted(PAIR.rglob("*.toml"))]
WRONG: tuple[object, ...] = (7, math.nan, "zzz", [[]], {"a": 1})
FREE = ("against", "flags")
"""Tables whose keys are names that the user makes up; what refers to them is checked where it is used."""
ELSEWHERE = {
    "id": "cases[0].case",
    "nests": "scopes.drift.nest",
    "scopes": "scope",
    "variables": "loop_sizes",
    "loops": "does not sit in loop",
    "default": "whole numbers",
}
"""Keys whose mistake shows where they are used: what is named there."""
Path_ = tuple[str | int, ...]


def paths(data: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Every key, and of each list the first entry."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*at, key)
            yield from paths(value, (*at, key))
    elif isinstance(data, list) and data:
        yield from paths(data[0], (*at, 0))


def changes(data: dict[str, Any], path: Path_) -> Iterator[tuple[str, dict[str, Any]]]:
    """The data with the key at `path` deleted, misspelt and of other types."""
    last = str(path[-1])
    for what in ("deleted", "misspelt", *WRONG):
        changed = copy.deepcopy(data)
        table: Any = changed
        for key in path[:-1]:
            table = table[key]
        value = table.pop(last)
        if what != "deleted":
            table[f"{last}q" if what == "misspelt" else last] = value if what == "misspelt" else what
        yield repr(what), changed


def read_all(folder: Path) -> HarnessError | None:
    """What is wrong in the files of a pair; None where nothing is."""
    try:
        pair = find_pair(str(folder))
        report(pair)
        assert pair.options is not None
        list(pair.sweep().drawn(0, 2))
    except HarnessError as error:
        return error
    return None


@pytest.mark.parametrize("name", FILES)
def test_a_mistake_is_one_line_that_names_the_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (PAIR / name).read_text(encoding="utf-8")
    data, real = tomllib.loads(text), tomllib.loads
    refused = 0
    for path in paths(data):
        for what, changed in changes(data, path):
            monkeypatch.setattr(tomllib, "loads", lambda t, made=changed: copy.deepcopy(made) if t == text else real(t))
            place = f"{name}: {path} {what}"
            error = read_all(PAIR)
            if error is not None:
                said, key = str(error), str(path[-1])
                refused += 1
                assert (error.code, "\n" in said) == (Exit.USAGE, False), f"{place}: {said}"
                assert key in said or ELSEWHERE.get(key, "?") in said, f"{place}: {said}"
            else:
                free = len(path) > 1 and path[-2] in FREE
                variable = len(path) == 2 and path[0] == "variables"  # one that nothing is computed from
                assert what != "'misspelt'" or free or variable, f"{place} was read"
                assert what != "nan", f"{place} was read"
    assert refused > 5 * len(data)


def test_all_files_are_there() -> None:
    assert FILES == ["cases/small.toml", "matrix.toml", "pair.toml", "quirks.toml", "sweep.toml", "vocabulary.toml"]
