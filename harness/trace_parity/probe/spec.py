"""What to trace, and where, as the pair defines it: the input of both instrumentors.

Plain data; nothing here parses C or Python. `probe_variable` reads the table that a pair has per variable and side:

    c = { in = "forces", expr = "f_over_r" }            py = { in = "forces", expr = "dr", axes = ["i", "j"] }
    at = "write" (the default) | "enter FUNCTION" | "before: REGEX" | "after: REGEX"
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from trace_parity.errors import Exit, HarnessError

_AT = re.compile(r"(?:(write)|(enter) ([A-Za-z_][\w.]*)|(before|after):\s*(\S.*))$")
_SLICE = re.compile(r"(?:\[\s*\d+\s*:\s*\d+\s*\])+")
_BOUNDS = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*\]")
MAX_COMPONENTS = 4096
"""Numbers in one value; more is a field, and loop keys belong on it."""


@dataclass(frozen=True)
class Trigger:
    """When a value is read: after each write, on entry of a function, before or after the statements of a line."""

    kind: str  # "write", "enter", "before" or "after"
    argument: str = ""  # the function, or the regular expression


@dataclass(frozen=True)
class ProbeVariable:
    """One variable of the trace, and how its value is read on one side.

    `functions`: where it is looked for, all when empty. `exprs`: one per component, slices not yet expanded in C.
    `watch`: what the writes are to; empty for what the expressions name. `index`: loops that are not around the place,
    with the expression of their index. `axes` and `where` are PyTorch's.
    """

    name: str
    loops: tuple[str, ...]
    exprs: tuple[str, ...]
    functions: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    trigger: Trigger = field(default_factory=lambda: Trigger("write"))
    axes: tuple[str, ...] = ()
    where: str = ""
    index: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LoopRule:
    """A loop of the vocabulary in the program, if its counter has another name.

    `var`: the counter. `index`: the expression that gives the key (`ii - 1`). `macro`: a macro that opens the loop.
    `line`: a regular expression that the text of the loop's first line matches. `functions`: where the rule holds.
    """

    loop: str
    var: str
    index: str
    macro: str = ""
    line: str = ""
    functions: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProbeSpec:
    """All variables of one side, outermost loop first in `loops`."""

    loops: tuple[str, ...]
    variables: tuple[ProbeVariable, ...]
    rules: tuple[LoopRule, ...] = ()


@dataclass(frozen=True)
class Placed:
    """A probe that was put into the program: which variable, where, and what triggers it."""

    file: str
    line: int
    variable: str
    why: str


@dataclass(frozen=True)
class Unplaced:
    """A write that could not be probed, or may have been missed."""

    file: str
    line: int
    variable: str
    text: str
    reason: str


def probe_variable(name: str, loops: Sequence[str], table: Mapping[str, Any], where: str) -> ProbeVariable:
    """The variable of one `c = {...}` or `py = {...}` table. Raises HarnessError (exit 2) for a wrong key."""
    known = {"in", "expr", "exprs", "watch", "at", "axes", "where", "index"}
    if unknown := sorted(set(table) - known):
        raise _wrong(f"unknown key {unknown[0]!r}", where, expected=", ".join(sorted(known)))
    if ("expr" in table) == ("exprs" in table):
        raise _wrong("needs one of expr and exprs", where, expected='expr = "f_over_r" or exprs = ["a", "b"]')
    exprs = _words(table["expr" if "expr" in table else "exprs"], f"{where}: exprs")
    if not exprs or ("expr" in table and not isinstance(table["expr"], str)):
        raise _wrong(f"{table.get('expr', list(exprs))!r}", f"{where}: expr", expected="an expression of the program")
    for key in ("at", "where"):
        if not isinstance(table.get(key, ""), str):
            raise _wrong(f"{table[key]!r}", f"{where}: {key}", expected="a string")
    index = table.get("index", {})
    if not isinstance(index, Mapping) or not all(isinstance(v, str | int) for v in index.values()):
        raise _wrong(f"{index!r}", f"{where}: index", expected='{ loop = "expression" }')
    axes = _words(table.get("axes", ()), f"{where}: axes")
    if stray := [loop for loop in (*axes, *index) if loop not in loops]:
        raise _wrong(f"{stray[0]!r} is not a loop of its scope", where, expected=f"one of {', '.join(loops) or 'none'}")
    return ProbeVariable(
        name,
        tuple(loops),
        exprs,
        _words(table.get("in", ()), f"{where}: in"),
        _words(table.get("watch", ()), f"{where}: watch"),
        trigger(table.get("at", "write"), where),
        axes,
        table.get("where", ""),
        tuple((loop, str(value)) for loop, value in index.items()),
    )


def trigger(text: str, where: str) -> Trigger:
    """`write`, `enter forces`, `before: REGEX`, `after: REGEX`. Raises HarnessError (exit 2) for anything else."""
    match = _AT.match(text)
    if match is None:
        raise _wrong(f"at = {text!r}", where, expected="write, enter FUNCTION, before: REGEX or after: REGEX")
    kind = match[1] or match[2] or match[4]
    argument = match[3] or match[5] or ""
    if match[4]:
        try:
            re.compile(argument)
        except re.error as error:
            raise _wrong(f"at: {argument!r} is not a regular expression: {error}", where) from error
    return Trigger(kind, argument)


def loop_rules(loops: Sequence[str], table: Mapping[str, Any], where: str) -> tuple[LoopRule, ...]:
    """`i = "FOR"` (a macro that opens the loop), `i = { var = "ii", index = "ii - 1", line = "REGEX", in = "f" }`."""
    rules = []
    for loop, entries in table.items():
        if loop not in loops:
            raise _wrong(f"{loop!r} is not a loop of the pair", where, expected=f"one of {', '.join(loops)}")
        for entry in entries if isinstance(entries, list) else [entries]:
            if not isinstance(entry, str | Mapping):
                raise _wrong(f"{loop} = {entry!r}", where, expected='a macro, or { var = "ii", index = "ii - 1" }')
            given = {"macro": entry} if isinstance(entry, str) else dict(entry)
            if unknown := sorted(set(given) - {"var", "index", "macro", "line", "in"}):
                raise _wrong(
                    f"unknown key {unknown[0]!r} of loop {loop}", where, expected="var, index, macro, line, in"
                )
            if bad := [k for k in given if k != "in" and not isinstance(given[k], str)]:
                raise _wrong(f"{loop}.{bad[0]} = {given[bad[0]]!r}", where, expected="a string")
            try:
                re.compile(given.get("line", ""))
            except re.error as error:
                raise _wrong(f"{loop}.line: not a regular expression: {error}", where) from error
            var = given.get("var", loop)
            rules.append(
                LoopRule(
                    loop,
                    var,
                    given.get("index", var),
                    given.get("macro", ""),
                    given.get("line", ""),
                    _words(given.get("in", ()), f"{where}: {loop}.in"),
                )
            )
    return tuple(rules)


def expand_slices(expr: str, where: str = "expr") -> tuple[str, ...]:
    """`v[1:4]` as `v[1]`, `v[2]`, `v[3]`; `m[0:2][0:2]` row by row; several slices of one shape go together.

    Raises HarnessError (exit 2) when the slices of one expression differ in shape, or one is empty.
    """
    found = list(_SLICE.finditer(expr))
    if not found:
        return (expr,)
    ranges = [[range(int(a), int(b)) for a, b in _BOUNDS.findall(match[0])] for match in found]
    shapes = {tuple(len(r) for r in chain) for chain in ranges}
    if len(shapes) > 1:
        raise _wrong(
            f"{expr!r}: slices of different shapes", where, expected="slices of one shape, e.g. a[1:4] - b[0:3]"
        )
    if 0 in (shape := shapes.pop()):
        raise _wrong(f"{expr!r}: an empty slice", where, expected="[first:last+1]")
    expanded = []
    for places in itertools.islice(itertools.product(*(range(n) for n in shape)), MAX_COMPONENTS + 1):
        text, end = "", 0
        for match, chain in zip(found, ranges, strict=True):
            text += expr[end : match.start()] + "".join(f"[{r[k]}]" for r, k in zip(chain, places, strict=True))
            end = match.end()
        expanded.append(text + expr[end:])
    if len(expanded) > MAX_COMPONENTS:
        raise _wrong(f"{expr!r}: more than {MAX_COMPONENTS} numbers", where, hint="make a loop key of an index")
    return tuple(expanded)


def to_json(spec: ProbeSpec) -> str:
    """The specification as text for another process."""
    return json.dumps(asdict(spec))


def from_json(text: str) -> ProbeSpec:
    """What `to_json` wrote."""

    def frozen(value: Any) -> Any:
        return tuple(frozen(v) for v in value) if isinstance(value, list) else value

    data = json.loads(text)
    variables = (
        ProbeVariable(**{k: frozen(v) for k, v in entry.items() if k != "trigger"}, trigger=Trigger(**entry["trigger"]))
        for entry in data["variables"]
    )
    rules = tuple(LoopRule(**{k: frozen(v) for k, v in entry.items()}) for entry in data["rules"])
    return ProbeSpec(tuple(data["loops"]), tuple(variables), rules)


def parse_only(words: Sequence[str], loops: Sequence[str]) -> tuple[tuple[tuple[str, int], ...], ...]:
    """`--only step=3,i=7`, repeatable, as alternatives of (loop, index). Raises HarnessError (exit 2)."""
    alternatives = []
    for word in words:
        pairs = []
        for part in word.split(","):
            loop, equals, index = part.strip().partition("=")
            if not equals or loop not in loops or not index.isdecimal():
                raise _wrong(f"{part!r}", "--only", expected=f"LOOP=INDEX with LOOP one of {', '.join(loops)}")
            pairs.append((loop, int(index)))
        alternatives.append(tuple(pairs))
    return tuple(alternatives)


def _words(value: Any, where: str) -> tuple[str, ...]:
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) and word.strip() for word in words):
        raise _wrong(f"{value!r}", where, expected="a string or a list of strings")
    return tuple(words)


def _wrong(what: str, where: str, *, expected: str = "", hint: str = "") -> HarnessError:
    return HarnessError(Exit.USAGE, what, where=where, expected=expected, hint=hint)
