"""The variables of a trace, as `vocabulary.toml` lists them: what each is, its scope, how it is judged."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.dependency import parse_dependency
from trace_parity.pair.expression import parse_expression
from trace_parity.pair.toml_table import Table, nearest, parse_toml, read_text
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
    index_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # `pixel 0 0`: the loops it is of
    repeats: tuple[str, ...] = ()  # the loops that number blocks which a log repeats without an index

    @property
    def site_depth(self) -> int:
        """How many outermost loops make a site: those up to the focus, the first two where none is declared."""
        places = [self.loops.index(loop) + 1 for loop in self.focus if loop in self.loops]
        return max(places, default=min(2, len(self.loops)))

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

    @cached_property
    def known_names(self) -> tuple[tuple[str, Key, int, Alias | None], ...]:
        """Every name at the loops of every scope: which of `variables` it is there, and the alias that leads to it."""
        where = {variable.id: i for i, variable in enumerate(self.variables)}
        names = [*dict.fromkeys(v.name for v in self.variables), *self.aliases]
        made = []
        for loops in dict.fromkeys(scope.loops for scope in self.scopes.values()):
            key = self.key(dict.fromkeys(loops, 0))
            for name in names:
                variable, alias = self.find(name, key)
                made.append((name, key, where[variable.id], alias))
        return tuple(made)

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


def build_vocabulary(data: Mapping[str, Any], where: str) -> Vocabulary:
    """The vocabulary of a file's tables."""
    top = Table(data, where)
    top.need("loops", "loops = [...]")
    top.need("scopes", "a table of scopes")
    loops, nests = top.words("loops"), top.words("nests")
    scopes = {n: _scope(n, entry, loops, nests) for n, entry in top.named_tables("scopes").items()}
    inside = top.choice("nests_inside", loops) if "nests_inside" in top else None
    tolerances = {n: _tolerance(n, entry) for n, entry in top.named_tables("tolerances").items()}
    variables = tuple(_variable(i, v, scopes, tolerances, loops) for i, v in enumerate(_entries(top)))
    aliases = {a.name: a for a in map(_alias, top.tables("aliases"))}
    tick, image = top.table("tick_table"), top.table("image")
    made = Vocabulary(
        title=top.string("title"),
        loops=loops,
        scopes=scopes,
        tolerances=tolerances,
        variables=variables,
        aliases=aliases,
        tick_table=_tick_table(tick, variables) if tick is not None else None,
        image=_image(image) if image is not None else IMAGE_TOLERANCE,
        nests=nests,
        nests_inside=loops.index(inside) + 1 if inside else _around(scopes.values(), nests),
        loop_sizes=_sizes(top, loops),
        index_names=_index_names(top, loops),
        repeats=_loops_of(top, "repeats", loops),
    )
    top.finish()
    _check(made, where)
    return made


def _sizes(top: Table, loops: tuple[str, ...]) -> dict[str, int | str]:
    given = top.table("loop_sizes")
    sizes: dict[str, int | str] = dict(given.data) if given is not None else {}
    for loop, size in sizes.items():
        assert given is not None
        if loop not in loops:
            raise given.wrong(loop, size, f"one of {', '.join(loops)}", nearest(loop, loops))
        if not isinstance(size, (int, str)) or isinstance(size, bool):
            raise given.wrong(loop, size, "a whole number, or the name of the variable that holds it")
    return sizes


def _index_names(top: Table, loops: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    table = top.table("index_names")
    made = {} if table is None else {name: _loops_of(table, name, loops) for name in table.data}
    if table is not None:
        table.finish()
    return made


def _loops_of(table: Table, name: str, loops: tuple[str, ...]) -> tuple[str, ...]:
    """A list of loops of the vocabulary."""
    given = table.words(name)
    for loop in given:
        if loop not in loops:
            raise table.wrong(name, list(given), f"loops of {list(loops)}", nearest(loop, loops))
    return given


def _entries(top: Table) -> list[Table]:
    """`[[variables]]` with names, or `[variables.NAME]`."""
    if not isinstance(top.data.get("variables", []), Mapping):
        return list(top.tables("variables", named_by="name"))
    named = top.named_tables("variables")
    return [Table({"name": name, **table.data}, table.where, table.key) for name, table in named.items()]


def _scope(name: str, table: Table, loops: tuple[str, ...], nests: tuple[str, ...]) -> Scope:
    table.need("loops", "a list of strings")
    own = table.words("loops")
    for loop in own:
        if loop not in loops:
            raise table.wrong("loops", list(own), f"loops of {list(loops)}", nearest(loop, loops))
    nest = table.choice("nest", nests) if "nest" in table else ""
    made = Scope(name, tuple(loop for loop in loops if loop in own), table.flag("closing"), nest)
    table.finish()
    return made


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


def _tick_table(table: Table, variables: tuple[Variable, ...]) -> TickTable:
    for key in ("loop", "shared", "columns"):
        table.need(key, {"loop": "a loop", "shared": "a column", "columns": "a list of columns"}[key])
    loop, shared = table.text("loop"), table.table("shared")
    inside = {v.name: v for v in reversed(variables) if loop in v.scope.loops}

    def column(one: Table) -> Column:
        of = one.choice("of", inside)
        made = Column(one.text("name", of), inside[of], one.whole("component"))
        one.finish()
        return made

    assert shared is not None
    columns = tuple(map(column, table.tables("columns")))
    name, title = table.text("name", f"per_{loop}"), table.text("title", f"Per {loop}")
    if not re.fullmatch(r"[\w.-]+", name):
        raise table.wrong("name", name, "a name of a file, without its ending")
    made = TickTable(loop, column(shared), columns, name, title)
    table.finish()
    return made


def _image(table: Table) -> ImageTolerance:
    rtol, floor = table.number("rtol", IMAGE_TOLERANCE.rtol), table.number("floor", IMAGE_TOLERANCE.floor)
    made = ImageTolerance(rtol, floor, table.text("reason", "as the vocabulary says"))
    table.finish()
    return made


def _alias(table: Table) -> Alias:
    for key in ("name", "of"):
        table.need(key, "a string")
    component = table.whole("component") if "component" in table else None
    made = Alias(table.text("name"), table.text("of"), component, table.number("factor", 1.0), table.text("note"))
    table.finish()
    return made


def _tolerance(name: str, table: Table) -> Tolerance:
    table.need("rtol", "a number")
    table.need("reason", "a string")
    scale = table.table("scale")
    made = Tolerance(
        name,
        table.number("rtol"),
        table.number("floor"),
        _scale(scale) if scale is not None else None,
        table.text("reason"),
    )
    table.finish()
    return made


def _scale(table: Table) -> Scale | None:
    made: Scale | None
    if table.flag("norm"):
        made = Scale("norm", "length of the vector")
    elif table.flag("largest"):
        made = DEFAULT_TOLERANCE.scale
    elif "of" in table:
        how = table.choice("how", ("product", "inverse", "component"), "component")
        made = Scale("variable", table.text("of"), how, table.whole("component"))
    else:
        table.need("unit", "norm, largest, of or unit")
        made = Scale("unit", table.text("unit"))
    table.finish()
    return made


def _variable(
    place: int, table: Table, scopes: Mapping[str, Scope], tolerances: Mapping[str, Tolerance], loops: tuple[str, ...]
) -> Variable:
    table.need("name", "a string")
    known = {**{t.name: t for t in (DEFAULT_TOLERANCE, EXACT)}, **tolerances}
    integer, equals = table.flag("integer"), None
    tolerance = known[table.choice("tolerance", known, EXACT.name if integer else DEFAULT_TOLERANCE.name)]
    given = table.words("depends_on")
    if "equals" in table:
        equals = parse_expression(table.text("equals"), f"{table.key}.equals", table.where, loops)
    for word in given:
        if parse_dependency(word) is None:
            raise table.wrong("depends_on", word, "name, name@loop-1 or sum(name over loop)")
    computed = [str(d) for d in equals.dependencies] if equals is not None else []
    made = Variable(
        name=table.text("name"),
        scope=scopes[table.choice("scope", scopes)],
        size=table.whole("size"),
        unit=table.string("unit"),
        description=table.string("description"),
        depends_on=tuple(dict.fromkeys([*given, *computed])),
        tolerance=tolerance,
        integer=integer,
        place=place,
        equals=equals,
    )
    table.finish()
    return made


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
            raise HarnessError(Exit.USAGE, f"a variable occurs twice: {variable.id}", where=where)
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
