"""The variables of a trace, as `vocabulary.toml` lists them: what each is, where it stands, how it is judged."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.toml_table import read_text

ABSENT = -1
"""Loop index of a loop that a row does not sit in."""

Key = tuple[int, ...]
"""One index per loop of the vocabulary, outermost first; ABSENT where the row sits in no such loop."""


@dataclass(frozen=True)
class Scale:
    """The named quantity that the absolute part of a tolerance is a fraction of."""

    kind: str  # "norm", "variable" or "unit"
    name: str
    how: str = ""
    component: int = 0


@dataclass(frozen=True)
class Tolerance:
    """|c - py| <= rtol * max(|c|, |py|) + floor * scale, or no more than `ulps` doubles apart.

    `own`: asked for by name, so that a relative tolerance for all does not replace it.
    """

    name: str
    rtol: float
    floor: float
    scale: Scale | None
    reason: str
    ulps: float = 0.0
    own: bool = False
    hidden: float = 0.0  # what the logs' printing can hide, relative

    @property
    def exact(self) -> bool:
        """Whether only equal numbers agree."""
        return self.rtol == 0.0 and self.floor == 0.0 and self.ulps == 0.0

    def under(self, rtol: float | None) -> tuple[float, float]:
        """(rtol, floor) when `rtol` is asked for in place of the relative part.

        A tolerance that has only an absolute part takes it there; exact ones and those asked for by name keep theirs.
        """
        relative, floor = self.rtol, self.floor
        if rtol is not None and not self.exact and not self.own:
            relative, floor = (rtol, floor) if relative else (0.0, rtol)
        return (relative if self.exact else relative + self.hidden), floor


@dataclass(frozen=True)
class Scope:
    """The loops that a line sits in; a closing scope is evaluated after the loops inside it."""

    name: str
    loops: tuple[str, ...]
    closing: bool


@dataclass(frozen=True)
class Variable:
    """One name at one scope."""

    name: str
    scope: Scope
    size: int
    unit: str
    description: str
    depends_on: tuple[str, ...]
    tolerance: Tolerance
    integer: bool
    place: int
    listed: bool = True

    @property
    def id(self) -> str:
        """`scope.name`: unique, since a name may stand at more than one scope."""
        return f"{self.scope.name}.{self.name}"


@dataclass(frozen=True)
class Alias:
    """A name that an older log uses."""

    name: str
    of: str
    component: int | None
    factor: float
    note: str


@dataclass(frozen=True)
class ImageTolerance:
    """Pixels agree to `rtol` of themselves or, where they are faint, to `floor` of the image's maximum."""

    rtol: float
    floor: float
    reason: str


@dataclass(frozen=True)
class Column:
    """One column of the per-tick table: a component of a variable."""

    name: str
    of: Variable
    component: int


@dataclass(frozen=True)
class TickTable:
    """The table that shows chosen variables tick by tick of one loop; `shared` is the same on both sides."""

    loop: str
    shared: Column
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Vocabulary:
    """All of the file. Raises HarnessError (exit 2) on loading when the file contradicts itself."""

    title: str
    loops: tuple[str, ...]
    scopes: Mapping[str, Scope]
    tolerances: Mapping[str, Tolerance]
    variables: tuple[Variable, ...]
    aliases: Mapping[str, Alias]
    tick_table: TickTable | None = None
    image: ImageTolerance = ImageTolerance(1e-6, 1e-12, "the default")
    focus: tuple[str, ...] = ()  # the loops that a case picks places in

    @cached_property
    def _by_name(self) -> dict[str, list[Variable]]:
        table: dict[str, list[Variable]] = {}
        for variable in self.variables:
            table.setdefault(variable.name, []).append(variable)
        return table

    def named(self, name: str) -> list[Variable]:
        """The variables of that name, in order of evaluation; empty when there is none."""
        return self._by_name.get(name, [])

    def key(self, indices: Mapping[str, int]) -> Key:
        """The row key of the given loop indices. Raises KeyError for a loop that the vocabulary does not know."""
        unknown = set(indices) - set(self.loops)
        if unknown:
            raise KeyError(sorted(unknown)[0])
        return tuple(indices.get(loop, ABSENT) for loop in self.loops)

    def find(self, name: str, key: Key) -> tuple[Variable, Alias | None]:
        """Which variable a line of that name and key carries, and the alias that led there.

        A name at exactly its own loops is itself; else an alias; else the name with some loops left out, as older
        logs do; else a variable of its own, unlisted, that is judged under the default tolerance.
        """
        present = tuple(loop for loop, index in zip(self.loops, key, strict=True) if index != ABSENT)
        candidates = self.named(name)
        for variable in candidates:
            if variable.scope.loops == present:
                return variable, None
        alias = self.aliases.get(name)
        if alias is not None:
            return self._target(alias, present), alias
        if candidates:
            return candidates[-1], None
        return self._unlisted(name, present), None

    def _target(self, alias: Alias, present: tuple[str, ...]) -> Variable:
        targets = self.named(alias.of)
        return next((v for v in targets if v.scope.loops == present), targets[-1])

    def _unlisted(self, name: str, present: tuple[str, ...]) -> Variable:
        scope = next((s for s in self.scopes.values() if s.loops == present), Scope("unlisted", present, False))
        default = next(iter(self.tolerances.values()))
        return Variable(name, scope, 0, "", "not in the vocabulary", (), default, False, len(self.variables), False)

    def order(self, variable: Variable, key: Key, component: int) -> tuple[Any, ...]:
        """Sorting by this gives the order of evaluation: (loop indices, place in the vocabulary)."""
        depth = max((i + 1 for i, index in enumerate(key) if index != ABSENT), default=0)
        after = float("inf") if variable.scope.closing and depth else ABSENT
        return (*key[:depth], *(after for _ in key[depth:]), variable.place, variable.name, component)

    def describe(self, key: Key) -> str:
        """`spixel=685 fpixel=1039 …`, or `the whole run` for a row in no loop."""
        words = [f"{loop}={index}" for loop, index in zip(self.loops, key, strict=True) if index != ABSENT]
        return " ".join(words) or "the whole run"


def load_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary in `path`."""
    return parse_vocabulary(read_text(path), str(path))


def parse_vocabulary(text: str, where: str) -> Vocabulary:
    """Read a vocabulary and check that it hangs together."""
    try:
        data = tomllib.loads(text)
        loops = tuple(data["loops"])
        scopes = {n: Scope(n, tuple(s["loops"]), s.get("closing", False)) for n, s in data["scopes"].items()}
        tolerances = {n: _tolerance(n, t) for n, t in data["tolerances"].items()}
        variables = tuple(_variable(i, v, scopes, tolerances) for i, v in enumerate(data["variables"]))
        aliases = {
            a["name"]: Alias(a["name"], a["of"], a.get("component"), a.get("factor", 1.0), a.get("note", ""))
            for a in data.get("aliases", [])
        }
        tick_table = _tick_table(data["tick_table"], variables) if "tick_table" in data else None
        image = ImageTolerance(**data["image"]) if "image" in data else Vocabulary.image
    except (KeyError, TypeError, StopIteration, tomllib.TOMLDecodeError) as error:
        raise HarnessError(Exit.USAGE, f"not a vocabulary: {error!r}", where=where) from error
    _check(loops, scopes, variables, aliases, where)
    return Vocabulary(data.get("title", ""), loops, scopes, tolerances, variables, aliases, tick_table, image)


def _tick_table(entry: Mapping[str, Any], variables: tuple[Variable, ...]) -> TickTable:
    loop = entry["loop"]

    def column(c: Mapping[str, Any]) -> Column:
        variable = next(v for v in variables if v.name == c["of"] and loop in v.scope.loops)
        return Column(c["name"], variable, c.get("component", 0))

    return TickTable(loop, column(entry["shared"]), tuple(column(c) for c in entry["columns"]))


def _tolerance(name: str, entry: Mapping[str, Any]) -> Tolerance:
    scale = entry.get("scale")
    parsed: Scale | None = None
    if scale is not None:
        if scale.get("norm"):
            parsed = Scale("norm", "length of the vector")
        elif "of" in scale:
            parsed = Scale("variable", scale["of"], scale["how"], scale.get("component", 0))
        else:
            parsed = Scale("unit", scale["unit"])
    return Tolerance(name, float(entry["rtol"]), float(entry.get("floor", 0.0)), parsed, entry["reason"])


def _variable(
    place: int, entry: Mapping[str, Any], scopes: Mapping[str, Scope], tolerances: Mapping[str, Tolerance]
) -> Variable:
    return Variable(
        name=entry["name"],
        scope=scopes[entry["scope"]],
        size=int(entry["size"]),
        unit=entry["unit"],
        description=entry["description"],
        depends_on=tuple(entry["depends_on"]),
        tolerance=tolerances[entry["tolerance"]],
        integer=entry.get("integer", False),
        place=place,
    )


def _check(
    loops: tuple[str, ...],
    scopes: Mapping[str, Scope],
    variables: tuple[Variable, ...],
    aliases: Mapping[str, Alias],
    where: str,
) -> None:
    def wrong(what: str) -> HarnessError:
        return HarnessError(Exit.USAGE, what, where=where)

    for scope in scopes.values():
        if unknown := set(scope.loops) - set(loops):
            raise wrong(f"scope {scope.name} names unknown loops {sorted(unknown)}")
    ids = [v.id for v in variables]
    if len(set(ids)) != len(ids):
        raise wrong(f"a variable stands twice: {sorted(i for i in ids if ids.count(i) > 1)[0]}")
    names = {v.name for v in variables}
    for variable in variables:
        if unknown := set(variable.depends_on) - names:
            raise wrong(f"{variable.id} depends on unknown {sorted(unknown)}")
        scale = variable.tolerance.scale
        if scale is not None and scale.kind == "variable" and scale.name not in names:
            raise wrong(f"tolerance {variable.tolerance.name} names unknown {scale.name}")
    for alias in aliases.values():
        if alias.of not in names:
            raise wrong(f"alias {alias.name} stands for unknown {alias.of}")
