"""A pair's TOML tables, read strictly: a mistake is one line with file, key, what was found and what was expected."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from typing import Any

from trace_parity.errors import Exit, HarnessError

_KINDS: dict[type, str] = {
    str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "a table",
}  # fmt: skip


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises HarnessError (exit 2) when it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(Exit.USAGE, f"not TOML: {error}", where=where) from error


def nearest(name: str, names: Collection[str]) -> str:
    """`did you mean X?`, or empty where no name is near."""
    near = difflib.get_close_matches(name, [str(n) for n in names], 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else ""


class Fields:
    """One table of a file. `path` is its key in the file (`scopes.pair`), empty for the whole file."""

    def __init__(self, data: object, where: str, path: str, known: Collection[str]) -> None:
        self.where, self.path = where, path
        if not isinstance(data, Mapping):
            raise self.wrong("", data, "a table")
        self.data: Mapping[str, Any] = data
        for name in data:
            if name not in known:
                raise HarnessError(
                    Exit.USAGE,
                    f"unknown field {name!r}" + (f" in {path}" if path else ""),
                    where=where,
                    expected=f"one of {', '.join(known)}",
                    hint=nearest(name, known),
                )

    def wrong(self, field: str, found: object, expected: str, hint: str = "") -> HarnessError:
        """The error for a field with an unusable value."""
        key = ".".join(part for part in (self.path, field) if part)
        what = f"{key} = {found!r}" if key else repr(found)
        return HarnessError(Exit.USAGE, what, where=self.where, expected=expected, hint=hint)

    def get(self, field: str, kind: type, default: Any = None) -> Any:
        """The value of a field of that type; `default` where it is not given, which is an error if that is None."""
        if field not in self.data:
            if default is None:
                inside = f" in {self.path}" if self.path else ""
                what = f"no field {field!r}{inside}"
                raise HarnessError(Exit.USAGE, what, where=self.where, expected=f"{field} = {_KINDS[kind]}")
            return default
        value = self.data[field]
        is_number = kind is float and isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number:
            return float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(field, value, _KINDS[kind])
        return value

    def words(self, field: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        value = self.get(field, list, None if default is None else list(default))
        if not all(isinstance(word, str) for word in value):
            raise self.wrong(field, value, "a list of texts")
        return tuple(value)

    def one_of(self, field: str, names: Collection[str], default: str | None = None) -> str:
        """A text that is one of `names`."""
        value: str = self.get(field, str, default)
        if value not in names:
            raise self.wrong(field, value, f"one of {', '.join(names)}", nearest(value, names))
        return value
