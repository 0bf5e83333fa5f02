"""Read `probes.toml` of a pair's folder: what is probed in each program, and how each is built and run.

    [c]
    file = "lj.c"
    compile = "cc -O2 {in} -o {out} -lm"
    [py]
    command = ["{python}", "-m", "lj_port"]
    modules = ["lj_port.model"]
    [variables.f_over_r]
    scope = "pair"
    c = { in = "forces", expr = "f_over_r" }
    py = { in = "forces", expr = "f_over_r", axes = ["i", "j"], where = "i != j" }

Loops and scopes are those of the vocabulary in the same folder, unless the file has its own.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.probe.spec import ProbeSpec, loop_rules, probe_variable

FILE_NAME = "probes.toml"
_KNOWN = {
    "": {"title", "loops", "scopes", "c", "py", "variables", "replay"},
    "c": {"file", "compile", "loops", "timeout_s"},
}
_KNOWN["py"] = {"command", "modules", "folder", "loops", "timeout_s"}


@dataclass(frozen=True)
class ProbesFile:
    """The file's tables. `scopes`: the loops of each scope, outermost first."""

    path: Path
    loops: tuple[str, ...]
    scopes: Mapping[str, tuple[str, ...]]
    listed: Mapping[str, Sequence[str]]  # the scopes of each variable of the vocabulary
    tables: Mapping[str, Any]

    def side(self, name: str) -> Mapping[str, Any]:
        """The table [c] or [py]. Raises HarnessError (exit 2) when it is missing or has an unknown key."""
        table = self.tables.get(name)
        if not isinstance(table, dict):
            raise self._wrong(f"no table [{name}]", f"[{name}] with {', '.join(sorted(_KNOWN[name]))}")
        _only(table, _KNOWN[name], f"{self.path}: {name}")
        return table

    def spec(self, side: str) -> ProbeSpec:
        """What is probed on one side. Raises HarnessError (exit 2), naming the variable and the key that is wrong."""
        given = self.tables.get("variables", {})
        entries = given if isinstance(given, list) else [{"name": name, **entry} for name, entry in given.items()]
        variables = []
        for entry in entries:
            name = str(entry.get("name", ""))
            where = f"{self.path}: {name or 'variables'}"
            _only(entry, {"name", "scope", "c", "py"}, where)
            if not name:
                raise HarnessError(Exit.USAGE, "a variable without a name", where=where, expected='name = "..."')
            if side in entry:
                loops = self._scope(name, entry.get("scope"), where)
                variables.append(probe_variable(name, loops, entry[side], f"{where}: {side}"))
        if not variables:
            raise self._wrong(f"no variable has {side} = {{...}}", f'{side} = {{ in = "function", expr = "name" }}')
        rules = loop_rules(self.loops, self.side(side).get("loops", {}), f"{self.path}: {side}.loops")
        return ProbeSpec(self.loops, tuple(variables), rules)

    def _scope(self, name: str, scope: str | None, where: str) -> tuple[str, ...]:
        if scope is None:
            known = self.listed.get(name, ())
            if len(known) != 1:
                expected = f"one of {', '.join(known or self.scopes)}"
                raise HarnessError(Exit.USAGE, "no scope", where=where, expected=expected)
            scope = known[0]
        if scope not in self.scopes:
            raise HarnessError(
                Exit.USAGE, f"scope = {scope!r}", where=where, expected=f"one of {', '.join(self.scopes)}"
            )
        return self.scopes[scope]

    def words(self, side: str, key: str) -> tuple[str, ...]:
        """A text or a list of texts of a side's table."""
        value = self.side(side).get(key, ())
        words = (value,) if isinstance(value, str) else tuple(value)
        if not words or not all(isinstance(word, str) for word in words):
            raise self._wrong(f"{side}.{key} = {value!r}", "a text or a list of texts")
        return words

    def _wrong(self, what: str, expected: str) -> HarnessError:
        return HarnessError(Exit.USAGE, what, where=str(self.path), expected=expected)


def find_probes(folder: Path | None, file: Path | None) -> ProbesFile:
    """`file`, else probes.toml in `folder`, else the nearest one upwards from here.

    Raises HarnessError (exit 2) when there is none or it cannot be used.
    """
    here = Path.cwd()
    places = [folder] if folder is not None else [here, *here.parents]
    path = file or next((p / FILE_NAME for p in places if (p / FILE_NAME).is_file()), None)
    if path is None:
        where = str(folder or here)
        raise HarnessError(Exit.USAGE, f"no {FILE_NAME}", where=where, expected=f"a pair's folder with a {FILE_NAME}")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HarnessError(Exit.USAGE, error.strerror or str(error), where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(Exit.USAGE, f"not TOML: {error}", where=str(path)) from error
    _only(tables, _KNOWN[""], str(path))
    loops, scopes, listed = _vocabulary((folder or path.parent) / "vocabulary.toml")
    loops = tuple(tables.get("loops", loops))
    scopes = scopes | {name: tuple(entry["loops"]) for name, entry in tables.get("scopes", {}).items()}
    for name, own in scopes.items():
        if stray := [loop for loop in own if loop not in loops]:
            expected = f"one of {', '.join(loops)}"
            raise HarnessError(
                Exit.USAGE, f"{stray[0]!r} is not a loop", where=f"{path}: scopes.{name}", expected=expected
            )
    return ProbesFile(path, loops, scopes, listed, tables)


def _vocabulary(path: Path) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]], dict[str, list[str]]]:
    if not path.is_file():
        return (), {"run": ()}, {}
    from trace_parity.pair.vocabulary import load_vocabulary

    vocabulary = load_vocabulary(path)
    listed: dict[str, list[str]] = {}
    for variable in vocabulary.variables:
        listed.setdefault(variable.name, []).append(variable.scope.name)
    return vocabulary.loops, {name: scope.loops for name, scope in vocabulary.scopes.items()}, listed


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(table) - known):
        raise HarnessError(Exit.USAGE, f"unknown key {unknown[0]!r}", where=where, expected=", ".join(sorted(known)))


def filled(words: Sequence[str]) -> tuple[str, ...]:
    """A command with {python} replaced by this interpreter."""
    return tuple(word.replace("{python}", sys.executable) for word in words)
