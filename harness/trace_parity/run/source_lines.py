"""The lines of both programs that compute the variables of a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trace_parity.pair.source_lines import SourceLine, find_source_lines, program_folder, with_context

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair
    from trace_parity.pair.programs import Programs
    from trace_parity.result.result import Result

MOST_EXCERPTS = 12
"""Variables whose source is kept with the lines around it."""


class Scoped(Protocol):
    """A variable: its name, and that of its scope."""

    @property
    def name(self) -> str:
        """Without the scope."""

    @property
    def scope(self) -> str:
        """The name of its scope."""


def source_lines(pair: Pair, variables: Iterable[Scoped]) -> dict[str, dict[str, SourceLine]]:
    """By `scope.name`, then side: see find_source_lines. Variables that are found nowhere are left out.

    The whole vocabulary is searched, whatever is wanted: what prints other variables shows which line prints one.
    """
    wanted = [(v.scope, v.name) for v in variables]
    known = [(v.scope.name, v.name) for v in pair.vocabulary.variables]
    told = tuple((name, tuple(side.lines.items())) for name, side in pair.programs.sides.items())
    found = _found(_folders(pair.programs), tuple(dict.fromkeys([*known, *wanted])), told)
    return {name: lines for name, lines in found.items() if tuple(name.split(".", 1)) in wanted}


def sources_of(
    pair: Pair, result: Result, settings: Mapping[str, Mapping[str, object]] | None = None
) -> dict[str, dict[str, SourceLine]]:
    """The lines of all variables of a result, with the lines around them where the result names a cause.

    `settings`: those that each side resolved, where they are known.
    """
    folders = _folders(pair.programs)
    found = {
        name: {side: line.chosen((settings or {}).get(side, {})) for side, line in lines.items()}
        for name, lines in source_lines(pair, result.variables).items()
    }
    shown = [f"{d.scope}.{d.variable}" for d in (result.first_divergence,) if d is not None]
    if result.blame is not None:
        shown += [f"{f.scope}.{f.variable}" for f in result.blame.findings if f.is_cause]
    excerpts = dict.fromkeys(name for name in shown if name in found)
    return {**found, **{name: with_context(dict(folders), found[name]) for name in list(excerpts)[:MOST_EXCERPTS]}}


def _folders(programs: Programs) -> tuple[tuple[str, Path], ...]:
    folders = {name: program_folder(side.source_folder, side.trace) for name, side in programs.sides.items()}
    return tuple((name, folder) for name, folder in folders.items() if folder is not None)


@lru_cache(maxsize=8)
def _found(
    folders: tuple[tuple[str, Path], ...],
    variables: tuple[tuple[str, str], ...],
    told: tuple[tuple[str, tuple[tuple[str, str], ...]], ...],
) -> dict[str, dict[str, SourceLine]]:
    """A gate's cases have the same variables: the sources are searched once."""
    return find_source_lines(dict(folders), list(variables), {name: dict(lines) for name, lines in told})


def with_source_lines(result: Result, pair: Pair) -> Result:
    """The result with the lines of the pair's programs that compute what differs; as it is where nothing does."""
    if not result.num_divergent or not (pair.table.named_tables("programs") or pair.base is not None):
        return result
    return replace(result, sources=sources_of(pair, result))
