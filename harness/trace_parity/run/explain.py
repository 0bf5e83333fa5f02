"""The lines of `trace-diff explain`: everything that a pair defines for one variable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.dependency import in_words, name_and_iterations
from trace_parity.pair.pair import Pair
from trace_parity.pair.toml_table import nearest
from trace_parity.pair.variables import Tolerance, Variable
from trace_parity.printable import plural
from trace_parity.run.source_lines import source_lines


def explanation(pair: Pair, name: str) -> list[str]:
    """The lines on a variable, by name, id (`scope.name`) or alias. Raises HarnessError (exit 2) for an unknown one."""
    vocabulary = pair.vocabulary
    alias = vocabulary.aliases.get(name)
    bare = name.partition("[")[0]
    found = [v for v in vocabulary.variables if bare in (v.name, v.id)]
    if not found and alias is not None:
        found = vocabulary.named(alias.of)
    if not found:
        known = [*(v.name for v in vocabulary.variables), *vocabulary.aliases]
        raise HarnessError(
            Exit.USAGE,
            f"no variable {name!r}" if known else "the pair has no vocabulary",
            where=pair.where,
            expected="a name of its vocabulary",
            hint=nearest(bare, known),
        )
    lines: list[str] = []
    if alias is not None and bare == name and not vocabulary.named(name):
        part = "" if alias.component is None else f"[{alias.component}]"
        times = "" if alias.factor == 1 else f" times {alias.factor:g}"
        lines += [f"{name} is an older name of {alias.of}{part}{times}" + (f": {alias.note}" if alias.note else ""), ""]
    sources = _sources(pair, found)
    for variable in found:
        lines += [*_variable(pair, variable, sources.get(variable.id, ())), ""]
    return lines[:-1]


def _variable(pair: Pair, v: Variable, sources: tuple[str, ...]) -> Iterator[str]:
    size = plural(v.size, "number") if v.size else "as many numbers as a log has"
    yield f"{v.name}: {v.description or 'no description'}"
    yield f"  unit        {v.unit or 'none'}; {size}{', whole' if v.integer else ''}"
    loops = ", ".join(v.scope.loops)
    closing = ", after the loops inside it" if v.scope.closing else ""
    yield f"  scope       {v.scope.name}: " + (f"once for each {loops}{closing}" if loops else "once in a run")
    domain = domain_of_pair(pair)
    equations = [e for e in domain.equations if e.output in (v.id, v.name)] if domain is not None else []
    for equation in equations:
        yield f"  equation    {equation.text}" + (f"  [model {equation.section}]" if equation.section else "")
    if not equations:
        yield "  equation    none: a setting or an input, or the pair has no equation for it"
    yield f"  depends on  {in_words(v.depends_on) or 'inputs of the run'}"
    after = [
        other.name
        for other in pair.vocabulary.variables
        if {v.name, v.id} & {name_and_iterations(text)[0] for text in other.depends_on}
    ]
    yield f"  used by     {', '.join(dict.fromkeys(after)) or 'nothing that is traced'}"
    yield from sources
    yield f"  tolerance   {_tolerance(v.tolerance)}"
    yield f"  reason      {v.tolerance.reason}"


def _tolerance(t: Tolerance) -> str:
    if t.exact:
        return f"{t.name}: equal"
    parts = [f"{t.rtol:g} relative"] if t.rtol else []
    if t.floor and t.scale is not None:
        scale = "the vector's length" if t.scale.kind == "norm" else t.scale.name
        parts.append(f"{t.floor:g} of {scale}")
    if t.ulps:
        parts.append(f"or {t.ulps:g} doubles apart")
    return f"{t.name}: {' plus '.join(parts)}"


@dataclass(frozen=True)
class _Named:
    scope: str
    name: str


def _sources(pair: Pair, variables: list[Variable]) -> dict[str, tuple[str, ...]]:
    """The lines of either program that compute each variable, by its id."""
    if not pair.table.named_tables("programs") and pair.base is None:
        return {}
    found = source_lines(pair, [_Named(v.scope.name, v.name) for v in variables])
    known = pair.programs.sides
    return {
        v.id: tuple(
            text
            for side in known
            for line in [found.get(v.id, {}).get(side)]
            for text in (
                [f"  in {side:<9}not found"]
                if line is None
                else [f"  in {side:<9}{line}", *(f"  or in {side:<6}{other}" for other in line.others)]
            )
        )
        for v in variables
    }
