"""Tables of a TOML file, read strictly: every mistake is one line with file, key, what was found, what was expected."""

from __future__ import annotations

import difflib
import shlex
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from trace_parity.errors import Exit, HarnessError

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """The whole file. Raises HarnessError (exit 2) when it cannot be read or is not TOML."""
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(Exit.USAGE, f"not TOML: {error}", where=str(path)) from error


def read_text(path: Path) -> str:
    """The text of a file of a pair. Raises HarnessError (exit 2) when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(Exit.USAGE, error.strerror or str(error), where=str(path)) from error
    except UnicodeDecodeError as error:
        raise HarnessError(Exit.USAGE, f"not UTF-8: {error}", where=str(path)) from error


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the known name that is most like `name`; empty when none is."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


class Table:
    """One table: each key is taken once, `finish` refuses what nobody took."""

    def __init__(self, data: Any, where: str, key: str = "") -> None:
        self.where, self.key = where, key
        if not isinstance(data, Mapping):
            raise self.wrong("", data, "a table")
        self.data: Mapping[str, Any] = data
        self.taken: list[str] = []

    def wrong(self, key: str, found: object, expected: str, hint: str = "") -> HarnessError:
        """The error for the value of a key."""
        name = ".".join(part for part in (self.key, key) if part) or "the file"
        return HarnessError(Exit.USAGE, f"{name}: found {found!r}", where=self.where, expected=expected, hint=hint)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def _take(self, key: str, default: T, read: Callable[[Any], T | None], expected: str) -> T:
        self.taken.append(key)
        if key not in self.data:
            return default
        value = read(self.data[key])
        if value is None:
            raise self.wrong(key, self.data[key], expected)
        return value

    def need(self, key: str, expected: str) -> None:
        """Raises HarnessError (exit 2) when the key is missing."""
        if key not in self.data:
            name = ".".join(part for part in (self.key, key) if part)
            raise HarnessError(
                Exit.USAGE,
                f"{name}: missing",
                where=self.where,
                expected=expected,
                hint=nearest(key, self.data),
            )

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        return self._take(key, default, lambda v: v if isinstance(v, str) and v.strip() else None, "a string")

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        return self._take(key, default, lambda v: v if isinstance(v, bool) else None, "true or false")

    def choice(self, key: str, known: tuple[str, ...], default: str) -> str:
        """One of the known words."""
        value = self.text(key, default)
        if value not in known:
            raise self.wrong(key, value, "one of " + ", ".join(known), nearest(value, known))
        return value

    def words(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of strings."""
        return self._take(key, default, _strings, "a list of strings")

    def command(self, key: str) -> tuple[str, ...]:
        """A command: a list of words, or one string that is split as a shell does. Empty when the key is missing."""

        def read(value: Any) -> tuple[str, ...] | None:
            if isinstance(value, str):
                try:
                    return tuple(shlex.split(value)) or None
                except ValueError:
                    return None
            return _strings(value) or None

        return self._take(key, (), read, "a command: a string, or a list of strings")

    def table(self, key: str) -> Table | None:
        """A table within this one; None when it is missing."""
        self.taken.append(key)
        return Table(self.data[key], self.where, self._path(key)) if key in self.data else None

    def tables(self, key: str) -> Iterator[Table]:
        """The tables of a list."""
        nothing: list[Any] = []
        entries = self._take(key, nothing, lambda v: v if isinstance(v, list) else None, "a list of tables")
        return (Table(entry, self.where, f"{self._path(key)}[{n}]") for n, entry in enumerate(entries))

    def named_tables(self, key: str) -> dict[str, Table]:
        """A table of tables, by name."""
        inner = self.table(key)
        return {name: Table(v, self.where, inner._path(name)) for name, v in inner.data.items()} if inner else {}

    def commands(self, key: str) -> dict[str, tuple[str, ...]]:
        """A table of commands, by name."""
        inner = self.table(key)
        return {name: _allow_empty(inner, name) for name in inner.data} if inner else {}

    def strings(self, key: str) -> dict[str, str]:
        """A table of strings, by name."""
        inner = self.table(key)
        return {name: inner.text(name) for name in inner.data} if inner else {}

    def finish(self) -> None:
        """Raises HarnessError (exit 2) for a key that nobody took."""
        for key in self.data:
            if key not in self.taken:
                name = self._path(key)
                known = ", ".join(sorted(set(self.taken)))
                raise HarnessError(
                    Exit.USAGE,
                    f"{name}: unknown key",
                    where=self.where,
                    expected=f"one of {known}",
                    hint=nearest(key, self.taken),
                )

    def _path(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key else key


def _allow_empty(table: Table, key: str) -> tuple[str, ...]:
    return () if table.data[key] == [] else table.command(key)


def _strings(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(isinstance(word, str) for word in value) else None
