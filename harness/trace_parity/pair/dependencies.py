"""Which variable is computed from which: the graph of `depends_on` in the vocabulary, between ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trace_parity.pair.dependency import Dependency, parse_dependency
from trace_parity.pair.vocabulary import Variable, Vocabulary

Graph = Mapping[str, tuple[str, ...]]


def inputs(vocabulary: Vocabulary) -> Graph:
    """The ids that each variable is computed from directly, by its id; its own where it is a recurrence."""
    return {
        v.id: tuple(u.id for word in v.depends_on for u in meant(vocabulary, v, parse_dependency(word)))
        for v in vocabulary.variables
    }


def meant(vocabulary: Vocabulary, variable: Variable, dependency: Dependency | None) -> list[Variable]:
    """The variables that a word of `depends_on` means: of its name the one nearest around `variable`.

    A sum is over variables in the loops inside; so is a plain name where nothing of that name is around.
    """
    if dependency is None:
        return []
    name = dependency.name
    named = vocabulary.named(name) or [v for v in vocabulary.variables if v.id == name]
    others = [v for v in named if v is not variable or dependency.back]
    within = set(variable.scope.loops) | set(dependency.over)
    around = [v for v in others if set(v.scope.loops) <= within and set(dependency.over) <= set(v.scope.loops)]
    return [max(around, key=lambda v: len(v.scope.loops))] if around else others


def downstream(graph: Graph, ids: Iterable[str]) -> set[str]:
    """Everything that is computed from any of `ids`, directly or not; not they themselves."""
    return _reached(_reversed(graph), ids)


def upstream(graph: Graph, ids: Iterable[str]) -> set[str]:
    """Everything that `ids` are computed from, directly or not; not they themselves."""
    return _reached(graph, ids)


def _reversed(graph: Graph) -> Graph:
    users: dict[str, tuple[str, ...]] = {}
    for variable, sources in graph.items():
        for source in sources:
            users[source] = (*users.get(source, ()), variable)
    return users


def _reached(graph: Graph, ids: Iterable[str]) -> set[str]:
    start = set(ids)
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        for neighbour in graph.get(waiting.pop(), ()):
            if neighbour not in found:
                found.add(neighbour)
                waiting.append(neighbour)
    return found - start
