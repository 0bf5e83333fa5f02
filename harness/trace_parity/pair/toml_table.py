"""Tables of a TOML file, read strictly: a mistake is one line with file, key, what was found and expected."""

from __future__ import annotations

import math
import re
import shlex
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from trace_parity.errors import Exit, HarnessError
from trace_parity.nearest import nearest_names

T = TypeVar("T")
MOST = 1_000_000_000
"""The largest count that a file may name: of iterations, components, digits."""


def read_toml(path: Path) -> dict[str, Any]:
    """The whole file. Raises HarnessError (exit 2) when it cannot be read or is not TOML."""
    return parse_toml(read_text(path), str(path))


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises HarnessError (exit 2) when it is not TOML."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of a number of more than 4300 digits, and of deep brackets
        what = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise HarnessError(Exit.USAGE, f"not TOML: {what}", where=where) from error


def read_text(path: Path) -> str:
    """The text of a file of a pair. Raises HarnessError (exit 2) when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(Exit.USAGE, error.strerror or str(error), where=str(path)) from error
    except UnicodeDecodeError as error:
        raise HarnessError(Exit.USAGE, f"not UTF-8: {error}", where=str(path)) from error


def line_of(text: str, key: str) -> int:
    """The line of a TOML text that has `key` (`files.x.command`, `cases[3].argv`), or that of the table around it."""
    bare = re.sub(r"\[(\d+)\]", "", key)
    wanted = [int(n) for n in re.findall(r"\[(\d+)\]", key)]
    seen: dict[str, int] = {}
    table, best, best_length = "", 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[{1,2})\s*([^\[\]]+?)\s*\]", line):
            table = header[2].replace('"', "")
            seen[table] = seen.get(table, -1) + (header[1] == "[[")
            path = table
        elif named := re.match(r"""\s*["']?([\w.-]+)["']?\s*=""", line):
            path = f"{table}.{named[1]}" if table else named[1]
        else:
            continue
        of_wanted = not wanted or seen.get(bare.partition(".")[0], wanted[0]) == wanted[0]
        if of_wanted and (bare == path or bare.startswith(f"{path}.")) and len(path) > best_length:
            best, best_length = number, len(path)
    return best


@contextmanager
def located(text: str, where: str) -> Iterator[None]:
    """Add the line to the errors of the tables of a file that was read from `text`."""
    try:
        yield
    except HarnessError as error:
        if error.where == where:
            error.where = f"{where}:{line_of(text, error.what.partition(': ')[0])}"
        raise


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the known name that is most like `name`; empty where none is near."""
    near = nearest_names(name, known)
    return f"did you mean {near[0]!r}?" if near else ""


class Table:
    """One table: each key is taken once, `finish` refuses the rest."""

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

    def string(self, key: str) -> str:
        """A string that may be empty."""
        return self._take(key, "", lambda v: v if isinstance(v, str) else None, "a string")

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        return self._take(key, default, lambda v: v if isinstance(v, bool) else None, "true or false")

    def range(self, key: str) -> tuple[float, float]:
        """Two numbers, the smaller first."""

        def read(value: Any) -> tuple[float, float] | None:
            if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)):
                return None
            return (float(value[0]), float(value[1])) if value[0] <= value[1] else None

        return self._take(key, (0.0, 0.0), read, "a range [LOW, HIGH] of numbers")

    def choice(self, key: str, known: Collection[str], default: str | None = None) -> str:
        """One of the known words; HarnessError (exit 2) where it is missing and there is no default."""
        if default is None:
            self.need(key, "one of " + ", ".join(known))
            default = ""
        value = self.text(key, default)
        if value not in known:
            expected = "one of " + ", ".join(known) if known else "none: the file names nothing to choose from"
            raise self.wrong(key, value, expected, nearest(value, known))
        return value

    def number(self, key: str, default: float = 0.0) -> float:
        """A number, neither infinite nor NaN."""
        return self._take(key, default, lambda v: float(v) if _is_number(v) else None, "a number")

    def amount(self, key: str, default: float = 0.0) -> float:
        """A number of 0 or more, not infinite."""
        expected = "a number of 0 or more"
        return self._take(key, default, lambda v: float(v) if _is_number(v) and v >= 0 else None, expected)

    def day(self, key: str) -> date | None:
        """A date without a time; None when it is missing."""
        nothing: date | None = None
        return self._take(key, nothing, lambda v: v if type(v) is date else None, "a day, as 2027-12-31")

    def whole(self, key: str, default: int = 0) -> int:
        """A whole number."""
        return self._take(key, default, lambda v: v if type(v) is int else None, "a whole number")

    def count(self, key: str, default: int = 1) -> int:
        """A whole number of 1 or more."""
        return self._take(key, default, _whole, "a whole number of 1 or more")

    def words(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of strings."""
        return self._take(key, default, _strings, "a list of strings")

    def whole_numbers(self, key: str) -> dict[str, int]:
        """A table of whole numbers, by name."""
        inner = self.table(key)
        if inner is None:
            return {}
        return {name: inner._take(name, 0, _whole, "a whole number of 1 or more") for name in inner.data}

    def places(self, key: str, names: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        """A list of places, each a list with one whole number per name."""

        def read(value: Any) -> tuple[tuple[int, ...], ...] | None:
            if not isinstance(value, list) or not all(isinstance(place, list) for place in value):
                return None
            whole = all(len(p) == len(names) and all(type(i) is int for i in p) for p in value)
            return tuple(map(tuple, value)) if whole else None

        return self._take(key, (), read, f"a list of places [{', '.join(names)}] of whole numbers")

    def command(self, key: str) -> tuple[str, ...]:
        """A command: a list of words, or one string that is split as a shell does. Empty when the key is missing."""
        return self._take(key, (), lambda v: _split(v) or None, "a command: a string, or a list of strings")

    def arguments(self, key: str) -> tuple[str, ...]:
        """The arguments of a command, which may be none."""
        return self._take(key, (), _split, "a command line: a string, or a list of strings")

    def table(self, key: str) -> Table | None:
        """A table within this one; None when it is missing."""
        self.taken.append(key)
        return Table(self.data[key], self.where, self._path(key)) if key in self.data else None

    def tables(self, key: str, named_by: str = "") -> Iterator[Table]:
        """The tables of a list; messages call each by its number, or by the text that it has under `named_by`."""
        nothing: list[Any] = []
        entries = self._take(key, nothing, lambda v: v if isinstance(v, list) else None, "a list of tables")
        for n, entry in enumerate(entries):
            name = entry.get(named_by) if isinstance(entry, Mapping) else None
            path = self._path(key)
            yield Table(entry, self.where, f"{path}.{name}" if isinstance(name, str) else f"{path}[{n}]")

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
        """Raises HarnessError (exit 2) for a key that was not taken."""
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


def _is_number(value: Any) -> bool:
    try:
        return type(value) in (int, float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 < value <= MOST else None


def _split(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, str):
        return _strings(value)
    try:
        return tuple(shlex.split(value))
    except ValueError:
        return None


def _strings(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(isinstance(word, str) for word in value) else None
