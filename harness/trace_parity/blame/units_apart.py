"""Values that are all in one wrong unit: each is the other log's times a factor between units.

Equations between such values hold; equations between them and other values are broken.
"""

from __future__ import annotations

from collections.abc import Collection

from trace_parity.blame.accused import BrokenEquation
from trace_parity.blame.remedies import Place, Remedy
from trace_parity.blame.worlds import Worlds


def in_another_unit(worlds: Worlds, group: list[BrokenEquation], chosen: set[str]) -> set[str]:
    """The fewest variables in another unit that make a group of equations hold, and break none; none where none do.

    Among them are those of `chosen` that are connected with these. What should have been printed goes to `worlds`.
    """
    remedies = {v.id: found for v in worlds.side.view.vocabulary.variables if (found := _remedies(v.id, worlds))}
    few = _together(worlds, remedies.keys(), {v for b in group for v in (b.output, *worlds.feeding(b.equation))})
    group = [b for b in worlds.broken if b in group or b.output in few]
    if not _explain(worlds, group, few, chosen - few, remedies):
        return set()
    for variable in reversed([v for v in remedies if v in few]):
        if _explain(worlds, group, few - {variable}, chosen - few, remedies):
            few = few - {variable}
    for variable in few:
        worlds.put(variable, remedies[variable])
    return few


def _together(worlds: Worlds, variables: Collection[str], begun: set[str]) -> set[str]:
    """Those that equations lead to from some, through none but these variables."""
    found = begun & set(variables)
    equations = [({e.output} | worlds.feeding(e)) & set(variables) for e in worlds.side.domain.equations]
    grew = True
    while grew:
        more = {v for linked in equations if linked & found for v in linked} - found
        grew = bool(more)
        found |= more
    return found


Remedies = dict[Place, Remedy]
"""What should be at places."""


def _remedies(variable: str, worlds: Worlds) -> Remedies:
    """What should be at all places of a variable that is in another unit; none where it is not, or somewhere not."""
    found: dict[Place, Remedy] = {}
    for key in worlds.side.view.keys(variable):
        same = worlds.witness.is_same((variable, key))
        if same is False:
            value = worlds.witness.in_unit((variable, key))
            if value is None:
                return {}
            found[(variable, key)] = Remedy(value, worlds.side.view.uncertainty(variable, value[None])[0])
        elif same is None:
            return {}
    return found


def _explain(
    worlds: Worlds, group: list[BrokenEquation], few: set[str], chosen: set[str], remedies: dict[str, Remedies]
) -> bool:
    """Whether the group holds, and so does all that held, with these in the right unit."""
    world = {place: remedy for variable in few for place, remedy in remedies[variable].items()}
    if not world:
        return False
    for broken in group:
        if broken.output not in few | chosen:
            fitted = worlds.fitted(broken, {**worlds.plain(chosen), **world})
            if fitted is None or not fitted.fine.any(axis=0).all():
                return False
    guilty = {broken.equation.id for broken in worlds.broken}
    for equation in worlds.side.domain.equations:
        found = worlds.side.found[equation.id]
        held = tuple(o for o in found.outcomes.values() if o.ok and o.key in found.row)
        if equation.backward or equation.id in guilty or equation.output in few or not held:
            continue
        if not worlds.feeding(equation) & few:
            continue
        fitted = worlds.fitted(BrokenEquation(equation, held), world)
        if fitted is not None and not fitted.fine.any(axis=0).all():
            return False
    return True
