"""The variables of a trace, as `vocabulary.toml` lists them: what each is, where it stands, how it is judged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.dependency import parse_dependency
from trace_parity.pair.expression import parse_expression
from trace_parity.pair.fields import Fields, nearest, parse_toml
from trace_parity.pair.toml_table import read_text
from trace_parity.pair.variables import (
    ABSENT,
    DEFAULT_TOLERANCE,
    EXACT,
    IMAGE_TOLERANCE,
    Alias,
    Column,
    ImageTolerance,
    Key,
    Scale,
    Scope,
    TickTable,
    Tolerance,
    Variable,
)

__all__ = [
    "ABSENT",
    "DEFAULT_TOLERANCE",
    "EXACT",
    "Alias",
    "Column",
    "ImageTolerance",
    "Key",
    "Scale",
    "Scope",
    "TickTable",
    "Tolerance",
    "Variable",
    "Vocabulary",
    "build_vocabulary",
    "load_vocabulary",
    "parse_vocabulary",
]


@dataclass(frozen=True)
class Vocabulary:
    """All of the file.

    `nests` are loop nests that follow each other inside the `nests_inside` outermost loops, in order of evaluation.
    `loop_sizes` says how many iterations a loop has, as a number or by a variable: sums need all of them.
    """

    title: str
    loops: tuple[str, ...]
    scopes: Mapping[str, Scope]
    tolerances: Mapping[str, Tolerance]
    variables: tuple[Variable, ...]
    aliases: Mapping[str, Alias]
    tick_table: TickTable | None = None
    image: ImageTolerance = IMAGE_TOLERANCE
    nests: tuple[str, ...] = ()
    nests_inside: int = 0
    loop_sizes: Mapping[str, int | str] = field(default_factory=dict)
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

    def scopes_of(self) -> dict[str, list[tuple[str, ...]]]:
        """The loops of every variable, by name and by id."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for variable in self.variables:
            for name in (variable.name, variable.id):
                found.setdefault(name, []).append(variable.scope.loops)
        return found

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
        tolerance = self.tolerances.get(DEFAULT_TOLERANCE.name, DEFAULT_TOLERANCE)
        return Variable(name, scope, 0, "", "not in the vocabulary", (), tolerance, False, len(self.variables), False)

    def order(self, variable: Variable, key: Key, component: int) -> tuple[Any, ...]:
        """Sorting by this gives the order of evaluation.

        That is by loop indices, outermost first, then place in the vocabulary. Inside the loops around sibling nests
        the nest comes before the index of its loop. What closes a loop comes after all that is inside it.
        """
        depth = max((i + 1 for i, index in enumerate(key) if index != ABSENT), default=0)
        after = float("inf") if variable.scope.closing and depth else ABSENT
        indices: tuple[float, ...] = (*key[:depth], *(after for _ in key[depth:]))
        if self.nests:
            around, nest = self.nests_inside, variable.scope.nest
            which = self.nests.index(nest) if nest else ABSENT if depth > around else after
            indices = (*indices[:around], which, *indices[around:])
        return (*indices, variable.place, variable.name, component)

    def describe(self, key: Key) -> str:
        """`step=3 i=7 …`, or `the whole run` for a row in no loop."""
        words = [f"{loop}={index}" for loop, index in zip(self.loops, key, strict=True) if index != ABSENT]
        return " ".join(words) or "the whole run"


def load_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary in `path`."""
    return parse_vocabulary(read_text(path), str(path))


def parse_vocabulary(text: str, where: str) -> Vocabulary:
    """Read a vocabulary and check that it hangs together. Raises HarnessError (exit 2): one line, file and key."""
    return build_vocabulary(parse_toml(text, where), where)


_FIELDS = (
    "title",
    "loops",
    "loop_sizes",
    "nests",
    "nests_inside",
    "scopes",
    "tolerances",
    "variables",
    "aliases",
    "tick_table",
)


def build_vocabulary(data: Mapping[str, Any], where: str) -> Vocabulary:
    """The vocabulary of a file's tables."""
    top = Fields(data, where, "", (*_FIELDS, "image"))
    loops, nests = top.words("loops"), top.words("nests", ())
    scopes = {n: _scope(n, s, where, loops, nests) for n, s in top.get("scopes", dict).items()}
    inside = top.one_of("nests_inside", loops, "") if "nests_inside" in data else None
    tolerances = {n: _tolerance(n, t, where) for n, t in top.get("tolerances", dict, {}).items()}
    entries = _entries(data.get("variables", []), top)
    variables = tuple(_variable(i, v, path, where, (scopes, tolerances, loops)) for i, (path, v) in enumerate(entries))
    aliases = {a.name: a for a in (_alias(a, where) for a in top.get("aliases", list, []))}
    tick_table = _tick_table(data["tick_table"], variables, where) if "tick_table" in data else None
    image = _image(data["image"], where) if "image" in data else IMAGE_TOLERANCE
    around = loops.index(inside) + 1 if inside else _around(scopes.values(), nests)
    made = Vocabulary(
        top.get("title", str, ""), loops, scopes, tolerances, variables, aliases, tick_table, image, nests, around,
        _sizes(top, loops),
    )  # fmt: skip
    _check(made, where)
    return made


def _sizes(top: Fields, loops: tuple[str, ...]) -> dict[str, int | str]:
    sizes: dict[str, int | str] = top.get("loop_sizes", dict, {})
    fields = Fields(sizes, top.where, "loop_sizes", loops)
    for loop, size in sizes.items():
        if not isinstance(size, (int, str)) or isinstance(size, bool):
            raise fields.wrong(loop, size, "a whole number, or the name of the variable that holds it")
    return sizes


def _entries(given: object, top: Fields) -> list[tuple[str, Any]]:
    """`[[variables]]` with names, or `[variables.NAME]`: (key in the file, table) of each."""
    if isinstance(given, Mapping):
        return [(f"variables.{name}", {"name": name, **top.get("variables", dict)[name]}) for name in given]
    listed = top.get("variables", list, [])
    return [(f"variables[{n}]" if "name" not in v else f"variables.{v['name']}", v) for n, v in enumerate(listed)]


def _scope(name: str, entry: object, where: str, loops: tuple[str, ...], nests: tuple[str, ...]) -> Scope:
    fields = Fields(entry, where, f"scopes.{name}", ("loops", "closing", "nest"))
    own = fields.words("loops")
    for loop in own:
        if loop not in loops:
            raise fields.wrong("loops", list(own), f"loops of {list(loops)}", nearest(loop, loops))
    nest = fields.one_of("nest", nests, "") if "nest" in fields.data else ""
    return Scope(name, tuple(loop for loop in loops if loop in own), fields.get("closing", bool, False), nest)


def _around(scopes: Iterable[Scope], nests: tuple[str, ...]) -> int:
    """How many outermost loops sibling nests have around them, where the file does not say it (`nests_inside`).

    It is what their loops have in common; where that is all that a nest has, and but one other goes deeper, the nests
    share names of loops and not the loops: the last one is each nest's own.
    """
    inside = [s.loops for s in scopes if s.nest]
    common = 0
    while inside and all(len(s) > common and s[: common + 1] == inside[0][: common + 1] for s in inside):
        common += 1
    deepest = {nest: max((len(s.loops) for s in scopes if s.nest == nest), default=0) for nest in nests}
    deeper = sum(1 for length in deepest.values() if length > common)
    return common - 1 if common and deeper < len(nests) and deeper < 2 else common


def _tick_table(entry: object, variables: tuple[Variable, ...], where: str) -> TickTable:
    fields = Fields(entry, where, "tick_table", ("loop", "shared", "columns"))
    loop = fields.get("loop", str)

    def column(given: object, path: str) -> Column:
        one = Fields(given, where, path, ("name", "of", "component"))
        inside = {v.name: v for v in reversed(variables) if loop in v.scope.loops}
        of = one.one_of("of", inside)
        return Column(one.get("name", str, of), inside[of], one.get("component", int, 0))

    columns = tuple(column(c, f"tick_table.columns[{n}]") for n, c in enumerate(fields.get("columns", list)))
    return TickTable(loop, column(fields.get("shared", dict), "tick_table.shared"), columns)


def _image(entry: object, where: str) -> ImageTolerance:
    fields = Fields(entry, where, "image", ("rtol", "floor", "reason"))
    default = IMAGE_TOLERANCE
    rtol, floor = fields.get("rtol", float, default.rtol), fields.get("floor", float, default.floor)
    return ImageTolerance(rtol, floor, fields.get("reason", str, "as the vocabulary says"))


def _alias(entry: object, where: str) -> Alias:
    fields = Fields(entry, where, "aliases", ("name", "of", "component", "factor", "note"))
    component = fields.get("component", int) if "component" in fields.data else None
    factor, note = fields.get("factor", float, 1.0), fields.get("note", str, "")
    return Alias(fields.get("name", str), fields.get("of", str), component, factor, note)


def _tolerance(name: str, entry: object, where: str) -> Tolerance:
    fields = Fields(entry, where, f"tolerances.{name}", ("rtol", "floor", "scale", "reason"))
    parsed: Scale | None = None
    if "scale" in fields.data:
        scale = Fields(
            fields.data["scale"], where, f"tolerances.{name}.scale",
            ("norm", "largest", "of", "how", "component", "unit"),
        )  # fmt: skip
        if scale.get("norm", bool, False):
            parsed = Scale("norm", "length of the vector")
        elif scale.get("largest", bool, False):
            parsed = DEFAULT_TOLERANCE.scale
        elif "of" in scale.data:
            how = scale.one_of("how", ("product", "inverse", "component"), "component")
            parsed = Scale("variable", scale.get("of", str), how, scale.get("component", int, 0))
        else:
            parsed = Scale("unit", scale.get("unit", str))
    floor = fields.get("floor", float, 0.0)
    return Tolerance(name, fields.get("rtol", float), floor, parsed, fields.get("reason", str))


_VARIABLE = ("name", "scope", "size", "unit", "description", "depends_on", "tolerance", "integer", "equals")


def _variable(
    place: int,
    entry: object,
    path: str,
    where: str,
    known: tuple[Mapping[str, Scope], Mapping[str, Tolerance], tuple[str, ...]],
) -> Variable:
    fields = Fields(entry, where, path, _VARIABLE)
    scopes, tolerances, _ = known
    integer = fields.get("integer", bool, False)
    tolerance = EXACT if integer else tolerances.get(DEFAULT_TOLERANCE.name, DEFAULT_TOLERANCE)
    if "tolerance" in fields.data:
        tolerance = {**{t.name: t for t in (DEFAULT_TOLERANCE, EXACT)}, **tolerances}[
            fields.one_of("tolerance", (*tolerances, *(t.name for t in (DEFAULT_TOLERANCE, EXACT))))
        ]
    given, equals = fields.words("depends_on", ()), None
    if "equals" in fields.data:
        equals = parse_expression(fields.get("equals", str), f"{path}.equals", where, known[2])
    for word in given:
        if parse_dependency(word) is None:
            raise fields.wrong("depends_on", word, "name, name@loop-1 or sum(name over loop)")
    computed = [str(d) for d in equals.dependencies] if equals is not None else []
    return Variable(
        name=fields.get("name", str),
        scope=scopes[fields.one_of("scope", scopes)],
        size=fields.get("size", int, 0),
        unit=fields.get("unit", str, ""),
        description=fields.get("description", str, ""),
        depends_on=tuple(dict.fromkeys([*given, *computed])),
        tolerance=tolerance,
        integer=integer,
        place=place,
        equals=equals,
    )


def _check(vocabulary: Vocabulary, where: str) -> None:
    """That every name that is meant exists, and that no variable is listed twice."""
    variables, loops = vocabulary.variables, vocabulary.loops
    names = dict.fromkeys(v.name for v in variables)

    def need(name: str, known: Collection[str], path: str) -> None:
        if name not in known:
            what = f"{path}: nothing is called {name!r}"
            raise HarnessError(Exit.USAGE, what, where=where, expected="a listed name", hint=nearest(name, known))

    seen: set[str] = set()
    scopes = vocabulary.scopes_of()
    for variable in variables:
        if variable.id in seen:
            raise HarnessError(Exit.USAGE, f"a variable stands twice: {variable.id}", where=where)
        seen.add(variable.id)
        scale, path = variable.tolerance.scale, f"variables.{variable.name}"
        if variable.equals is not None:
            variable.equals.check(variable.id, scopes, loops, where)
        given = [parse_dependency(word) for word in variable.depends_on]
        for dependency in [d for d in given if d is not None]:
            need(dependency.name, scopes, f"{path}.depends_on")
            for loop in dependency.loops:
                need(loop, loops, f"{path}.depends_on")
        if scale is not None and scale.kind == "variable":
            need(scale.name, names, f"tolerances.{variable.tolerance.name}.scale")
    for loop, size in vocabulary.loop_sizes.items():
        if isinstance(size, str):
            need(size, names, f"loop_sizes.{loop}")
    for alias in vocabulary.aliases.values():
        need(alias.of, names, f"aliases.{alias.name}")
