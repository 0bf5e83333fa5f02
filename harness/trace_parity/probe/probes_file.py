"""The probes of each program and how it is built and run: from `probes.toml`, or from `pair.toml` itself.

    [c.probe]                                  # in probes.toml also [c]
    file = "lj.c"
    compile = "cc -O2 {in} -o {out} -lm"
    [py.probe]
    modules = ["lj_port.model"]
    command = ["{python}", "-m", "lj_port"]    # not where [programs.PY] says it
    [variables.f_over_r]
    scope = "pair"
    c = { in = "forces", expr = "f_over_r" }
    py = { in = "forces", expr = "f_over_r", axes = ["i", "j"], where = "i != j" }

Loops and scopes are those of the vocabulary in the same folder, unless the file has its own.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.probe_keys import KEYS
from trace_parity.probe.spec import ProbeSpec, ProbeVariable, loop_rules, probe_variable

FILE_NAME = "probes.toml"
PAIR_FILE = "pair.toml"
SIDES = ("c", "py")
_OF_SIDE = {
    "c": ("file", "compile", "loops", "timeout_s", "check"),
    "py": ("command", "modules", "folder", "loops", "timeout_s", "check"),
}


@dataclass(frozen=True)
class ProbesFile:
    """The file's tables. `scopes`: the loops of each scope, outermost first."""

    path: Path
    loops: tuple[str, ...]
    scopes: Mapping[str, tuple[str, ...]]
    listed: Mapping[str, Sequence[str]]  # the scopes of each variable of the vocabulary
    tables: Mapping[str, Any]

    def has(self, side: str) -> bool:
        """Whether that side's program is probed."""
        return side in self.tables

    def side(self, name: str) -> Mapping[str, Any]:
        """The table of side c or py. Raises HarnessError (exit 2) when it is missing."""
        if name not in self.tables:
            raise self._wrong(f"no table [{name}.probe]", f"[{name}.probe] with {', '.join(_OF_SIDE[name])}")
        table: Mapping[str, Any] = self.tables[name]
        return table

    def timeout_s(self, side: str) -> float:
        """How long a run may take."""
        return float(self.side(side).get("timeout_s", 3600.0))

    def spec(self, side: str) -> ProbeSpec:
        """What is probed on one side. Raises HarnessError (exit 2), naming the variable and the key that is wrong."""
        variables = []
        for name, entry in self._entries():
            where = f"{self.path}: {name}"
            _only(entry, ("name", "scope", "c", "py"), where)
            if side in entry:
                loops = self._scope(name, entry.get("scope"), where)
                tables = entry[side] if isinstance(entry[side], list) else [entry[side]]
                where = f"{where}: {side}"
                variables += [probe_variable(name, loops, _table(table, where), where) for table in tables]
        if side == "py":
            for variable in variables:
                _check_python(variable, f"{self.path}: {variable.name}: py")
        if not variables:
            raise self._wrong(f"no variable has {side} = {{...}}", f'{side} = {{ in = "function", expr = "name" }}')
        rules = loop_rules(self.loops, self.side(side).get("loops", {}), f"{self.path}: {side}.loops")
        return ProbeSpec(self.loops, tuple(variables), rules)

    def _entries(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The tables of the variables: by name, or a list where one name has several."""
        given = self.tables.get("variables", {})
        listed = (
            given
            if isinstance(given, list)
            else [{"name": n, **_table(e, f"{self.path}: {n}")} for n, e in given.items()]
        )
        entries = [_table(entry, f"{self.path}: variables") for entry in listed]
        for entry in entries:
            if not isinstance(entry.get("name"), str) or not re.fullmatch(r"[^\s:]+", entry["name"]):
                where = f"{self.path}: variables"
                raise HarnessError(
                    Exit.USAGE, f"name = {entry.get('name')!r}", where=where, expected="a name without blanks"
                )
        return [(entry["name"], entry) for entry in entries]

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
        words = (value,) if isinstance(value, str) else value
        if not isinstance(words, list | tuple) or not words or not all(isinstance(w, str) and w for w in words):
            raise self._wrong(f"{side}.{key} = {value!r}", "a text or a list of texts")
        return tuple(words)

    def c_files(self) -> tuple[Path, ...]:
        """The sources that get probes; each word of `file` may be a pattern such as src/*.c."""
        folder, files = self.path.parent, []
        for word in self.words("c", "file"):
            is_pattern = bool(set("*?[") & set(word)) and not (folder / word).exists()
            found = sorted(Path(p) for p in glob(str(folder / word))) if is_pattern else [folder / word]  # noqa: PTH207
            if not found:
                raise self._wrong(f"c.file = {word!r} matches nothing", "a file or a pattern such as src/*.c")
            files += [Path(os.path.normpath(path)) for path in found]
        return tuple(dict.fromkeys(files))

    def _wrong(self, what: str, expected: str) -> HarnessError:
        return HarnessError(Exit.USAGE, what, where=str(self.path), expected=expected)


def find_probes(folder: Path | None, file: Path | None) -> ProbesFile:
    """`file`, else the probes of the pair in `folder`, else those of the nearest folder upwards from here.

    Raises HarnessError (exit 2) when there is none or it cannot be used.
    """
    if file is not None:
        return read_probes(file, folder or file.parent)
    here = Path.cwd()
    for place in [folder] if folder is not None else [here, *here.parents]:
        found = probes_of(place)
        if found is not None:
            return found
    expected = f"a folder with a {FILE_NAME}, or a {PAIR_FILE} with [c.probe] or [py.probe]"
    raise HarnessError(Exit.USAGE, f"no {FILE_NAME}", where=str(folder or here), expected=expected)


def probes_of(folder: Path) -> ProbesFile | None:
    """The probes of a pair's folder: in the file that pair.toml names as `probes`, in probes.toml, or in pair.toml.

    None where it has none. Raises HarnessError (exit 2) where two files have some, or one cannot be used.
    """
    pair = folder / PAIR_FILE
    tables = _read(pair) if pair.is_file() else {}
    own = {key: tables[key] for key in KEYS if key in tables}
    named = tables.get("probes", FILE_NAME)
    if not isinstance(named, str) or ("probes" in tables and not (folder / named).is_file()):
        raise HarnessError(Exit.USAGE, f"probes = {named!r}", where=str(pair), expected="a file next to pair.toml")
    if not own:
        return read_probes(folder / named, folder) if (folder / named).is_file() else None
    if (folder / named).is_file():
        raise HarnessError(
            Exit.USAGE,
            f"{next(iter(own))}: probes are in {named} too",
            where=str(pair),
            expected="one of the two files",
        )
    for side in SIDES:
        if side in own and set(_table(own[side], f"{pair}: {side}")) != {"probe"}:
            raise HarnessError(Exit.USAGE, f"unknown table [{side}]", where=str(pair), expected=f"[{side}.probe]")
    if not set(SIDES) & set(own):
        key = next(iter(own))
        raise HarnessError(
            Exit.USAGE,
            f"{key}: unknown key",
            where=str(pair),
            expected=f"{key} in vocabulary.toml, or [c.probe] as well",
        )
    return _probes(pair, folder, own)


def read_probes(path: Path, folder: Path) -> ProbesFile:
    """The probes in a file of their own, for the pair in `folder`. Raises HarnessError (exit 2) with what is wrong."""
    return _probes(path, folder, _read(path))


def _probes(path: Path, folder: Path, given: Mapping[str, Any]) -> ProbesFile:
    _only(given, ("title", *KEYS), str(path))
    tables = dict(given)
    for side in SIDES:
        if side in tables:
            table = _table(tables[side], f"{path}: {side}")
            if "probe" in table:
                _only(table, ("probe",), f"{path}: {side}")
                table = _table(table["probe"], f"{path}: {side}.probe")
            _only(table, _OF_SIDE[side], f"{path}: {side}.probe")
            _types(table, f"{path}: {side}.probe")
            tables[side] = table
    for key in ("scopes", "replay"):
        _table(tables.get(key, {}), f"{path}: {key}")
    if not isinstance(tables.get("variables", {}), list):
        _table(tables.get("variables", {}), f"{path}: variables")
    loops, scopes, listed = _vocabulary(folder / "vocabulary.toml")
    loops = _names(tables.get("loops", loops), f"{path}: loops")
    for name, entry in tables.get("scopes", {}).items():
        where = f"{path}: scopes.{name}"
        _only(_table(entry, where), ("loops",), where)
        scopes[name] = _names(entry.get("loops", ()), where)
    for name, own in scopes.items():
        if stray := [loop for loop in own if loop not in loops]:
            expected = f"one of {', '.join(loops)}"
            raise HarnessError(
                Exit.USAGE, f"{stray[0]!r} is not a loop", where=f"{path}: scopes.{name}", expected=expected
            )
    return ProbesFile(path, loops, scopes, listed, tables)


def _read(path: Path) -> dict[str, Any]:
    from trace_parity.pair.toml_table import read_toml

    return read_toml(path)


def _vocabulary(path: Path) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]], dict[str, list[str]]]:
    if not path.is_file():
        return (), {"run": ()}, {}
    from trace_parity.pair.vocabulary_file import load_vocabulary

    vocabulary = load_vocabulary(path)
    listed: dict[str, list[str]] = {}
    for variable in vocabulary.variables:
        listed.setdefault(variable.name, []).append(variable.scope.name)
    return vocabulary.loops, {name: scope.loops for name, scope in vocabulary.scopes.items()}, listed


def _check_python(variable: ProbeVariable, where: str) -> None:
    texts = (*variable.exprs, *variable.watch, *(text for _, text in variable.index), variable.where or "True")
    for text in texts:
        try:
            ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise HarnessError(Exit.USAGE, f"{text[:100]!r} is not an expression of Python", where=where) from error


def _only(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    from trace_parity.pair.toml_table import nearest

    if unknown := sorted(set(table) - set(known)):
        hint = nearest(unknown[0], known)
        raise HarnessError(Exit.USAGE, f"unknown key {unknown[0]!r}", where=where, expected=", ".join(known), hint=hint)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise HarnessError(Exit.USAGE, f"{value!r}", where=where, expected="a table")
    return value


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(v, str) and re.fullmatch(r"[A-Za-z_]\w*", v) for v in value
    ):
        raise HarnessError(Exit.USAGE, f"{value!r}", where=where, expected="a list of loop names")
    return tuple(value)


def _types(table: Mapping[str, Any], where: str) -> None:
    """The keys of a side that are neither a text nor a list of texts."""
    wanted: dict[str, tuple[type, str]] = {
        "loops": (Mapping, "a table of loops"),
        "check": (bool, "true or false"),
        "folder": (str, "a folder"),
    }
    for key, (kind, expected) in wanted.items():
        value = table.get(key)
        if key in table and not isinstance(value, kind):
            raise HarnessError(Exit.USAGE, f"{key} = {value!r}", where=where, expected=expected)
    if "timeout_s" in table:
        seconds = table["timeout_s"]
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            expected = "a number of seconds above 0"
            raise HarnessError(Exit.USAGE, f"timeout_s = {seconds!r}", where=where, expected=expected)


def filled(words: Sequence[str]) -> tuple[str, ...]:
    """A command with {python} replaced by this interpreter."""
    return tuple(word.replace("{python}", sys.executable) for word in words)
