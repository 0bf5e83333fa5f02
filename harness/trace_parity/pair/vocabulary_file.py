"""vocabulary.toml to a Vocabulary, with every mistake as one line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.dependency import parse_dependency
from trace_parity.pair.expression import parse_expression
from trace_parity.pair.toml_table import Table, nearest, parse_toml, read_text
from trace_parity.pair.variables import (
    DEFAULT_TOLERANCE,
    EXACT,
    IMAGE_TOLERANCE,
    Alias,
    Column,
    ImageTolerance,
    Scale,
    Scope,
    TickTable,
    Tolerance,
    Variable,
)
from trace_parity.pair.vocabulary import Vocabulary


def load_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary in `path`."""
    return parse_vocabulary(read_text(path), str(path))


def parse_vocabulary(text: str, where: str) -> Vocabulary:
    """Read a vocabulary and check that it is consistent. Raises HarnessError (exit 2): one line, file and key."""
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
        if not isinstance(size, str):
            given.count(loop)
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
    rtol, floor = table.amount("rtol", IMAGE_TOLERANCE.rtol), table.amount("floor", IMAGE_TOLERANCE.floor)
    made = ImageTolerance(rtol, floor, table.text("reason", "as the vocabulary says"), table.text("unit"))
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
        table.amount("rtol"),
        table.amount("floor"),
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
        size=table.count("size", 0),
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


def _circle(vocabulary: Vocabulary) -> list[str]:
    """A cycle of variables, each of which needs the next one at the same place for its `equals`."""
    ids = {name: v.id for v in vocabulary.variables for name in (v.name, v.id)}
    single = {name for name, loops in vocabulary.scopes_of().items() if len(loops) == 1}
    needs = {
        v.id: [ids[name] for name in dict.fromkeys(v.equals.here) if name in single] if v.equals is not None else []
        for v in vocabulary.variables
    }
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _check(vocabulary: Vocabulary, where: str) -> None:
    """Check that every referenced name exists, and that no variable is listed twice."""
    variables, loops = vocabulary.variables, vocabulary.loops
    names = dict.fromkeys(v.name for v in variables)

    def need(name: str, known: Collection[str], path: str) -> None:
        if name not in known:
            kind = "loop" if known is loops else "variable"
            what = f"{path}: no {kind} {name!r}"
            expected = f"a {kind} of the vocabulary"
            raise HarnessError(Exit.USAGE, what, where=where, expected=expected, hint=nearest(name, known))

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
    if circle := _circle(vocabulary):
        path = " from ".join(circle)
        raise HarnessError(
            Exit.USAGE,
            f"variables.{circle[0].rpartition('.')[2]}.equals: circular: {path}",
            where=where,
            expected="equations that can be evaluated one after the other; prev(x) is x of the iteration before",
        )
    for loop, size in vocabulary.loop_sizes.items():
        if isinstance(size, str):
            need(size, names, f"loop_sizes.{loop}")
    for alias in vocabulary.aliases.values():
        need(alias.of, names, f"aliases.{alias.name}")
