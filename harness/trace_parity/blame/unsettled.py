"""Differences without a broken equation: inherited from upstream, or unexplained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trace_parity.blame.accused import Cleared
from trace_parity.blame.between import (
    between_sides,
    nearest_or_interpolated,
    of_domain,
    takes_nearest,
    throughout,
)
from trace_parity.blame.defaults import default_of
from trace_parity.blame.equation import Domain, Equation, Input, asked
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.findings import BlameFinding
from trace_parity.blame.iterations import Uneven, due_to
from trace_parity.blame.iterations_of_the_other import elsewhere, longer_steps, unmoved
from trace_parity.blame.log_values import Array, LogView
from trace_parity.blame.reach import as_far_as
from trace_parity.blame.remedies import Place
from trace_parity.blame.shape import EXPLAINS
from trace_parity.blame.table_entries import as_read, of_neighbour
from trace_parity.compare.judge import Judged
from trace_parity.pair.dependencies import inputs as graph_of
from trace_parity.pair.vocabulary import ABSENT, Key, Variable, Vocabulary

EXPLAINED = 8
"""Places of one variable whose inputs are examined one by one; the others of the same kind are taken as these."""
NOT_SEEN = "both sides obey it, and no input that both logs have differs: the cause is not in the logs"
TWO_CONSTANTS = "each side obeys it with a constant of its own that is not in the logs: a setting differs"
NOT_MADE = "no equation computes it: a setting of the run, or data"
AS_MUCH = 1e-2
"""A value that no equation makes is inherited from inputs that differ, relatively, by at least this part of it."""
NAMED_INPUTS = 4
"""How many differing inputs, or missing lines, a finding lists."""


@dataclass(frozen=True)
class Placed:
    """A finding with its variable's id, its place in the order of evaluation and what should be at its places."""

    order: tuple[object, ...]
    finding: BlameFinding
    variable: str
    expected: Mapping[Key, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Sides:
    """Both evaluated logs, and what is cleared on each by putting right what is accused."""

    c: EvaluatedLog
    py: EvaluatedLog
    cleared: dict[str, Cleared]
    printed: frozenset[str] = frozenset()
    """Variables that are wrong in print only: nothing is derived from these."""
    uneven: tuple[Uneven, ...] = ()
    """Loops with another number of iterations in the other log."""
    argv: tuple[str, ...] = ()
    """The command line of both; empty where it is not known."""

    @property
    def both(self) -> tuple[EvaluatedLog, EvaluatedLog]:
        """C, then PY."""
        return self.c, self.py

    @property
    def domain(self) -> Domain:
        """The equations of both."""
        return self.c.domain

    @property
    def vocabulary(self) -> Vocabulary:
        """The variables of both."""
        return self.c.view.vocabulary

    @property
    def views(self) -> tuple[LogView, LogView]:
        """The values of C, then of PY."""
        return self.c.view, self.py.view

    def is_cleared(self, side: EvaluatedLog, equation: Equation, key: Key) -> bool:
        """Whether a broken equation holds once what is accused is put right."""
        return (equation.id, key) in self.cleared[side.name]


def unsettled(differing: dict[tuple[str, Key], Judged], settled: set[tuple[str, Key]], pair: Sides) -> Iterable[Placed]:
    """Differences without a broken equation: one finding per variable and kind."""
    groups: dict[tuple[str, str], list[tuple[Judged, _Said]]] = {}
    alike: dict[tuple[object, ...], list[_Said]] = {}
    for (variable, key), judged in differing.items():
        if (variable, key) in settled:
            continue
        equations = [e for e in asked(pair.domain) if e.output == variable]
        told = alike.setdefault((variable, *(_standing(e, s, key, pair) for e in equations for s in pair.both)), [])
        if len(told) < EXPLAINED:
            told.append(_explain(judged, equations, pair))
        groups.setdefault((variable, told[-1].finding.kind), []).append((judged, told[-1]))
    for members in groups.values():
        first, finding, is_certain = members[0][0], members[0][1].finding, members[0][1].is_certain
        worst = max(members, key=lambda m: m[0].rel_diff)[0]
        scale = worst.abs_diff / worst.rel_diff if worst.rel_diff and np.isfinite(worst.rel_diff) else 1.0
        values = {**finding.__dict__, "count": len(members)}
        values |= {"residual": worst.rel_diff, "allowed": worst.allowed / scale}
        values["missing"] = tuple(dict.fromkeys(w for _, said in members for w in said.finding.missing))
        if finding.kind == "unexplained" and not is_certain:
            of = first.row.variable
            keys = {key: (of.id, key) in settled for name, key in differing if name == of.id}
            values["hint"] = _of_all_places(of, keys, finding.hint, pair)
        order = pair.vocabulary.order(first.row.variable, first.row.id.key, 0)
        yield Placed(order, BlameFinding(**values), first.row.variable.id)


@dataclass(frozen=True)
class _Said:
    """A finding for one number; is_certain: its hint names a setting, and no guess at the numbers is needed."""

    finding: BlameFinding
    is_certain: bool


def _of_all_places(variable: Variable, differing: Mapping[Key, bool], hint: str, pair: Sides) -> str:
    """The hint of all places that differ, settled or not: what those that are not show together, if that says more."""
    keys = [key for key, is_settled in differing.items() if not is_settled]
    said = _together(variable, keys, pair) or hint
    if hint in ("", NOT_SEEN, NOT_MADE) and said == hint:
        said = _of_all(variable, keys, pair) or hint
    right = [key for key in pair.c.view.keys(variable.id) if key not in differing]
    return as_far_as(said, variable.id, {*keys}, right, pair.c.view)


def _together(variable: Variable, keys: Sequence[Key], pair: Sides) -> str:
    """What the values at all places together show: another iteration's, or other steps along a loop."""
    return (
        unmoved(variable.id, *pair.views, pair.domain)
        or elsewhere(variable.id, keys, pair.py, pair.c)
        or longer_steps(variable.id, *pair.views, pair.domain)
    )


def _of_all(variable: Variable, keys: Sequence[Key], pair: Sides) -> str:
    """What the values of both sides show where nothing that is computed tells: of a table, then of any numbers."""
    tables = [e for e in asked(pair.domain) if e.output == variable.id and e.table]
    said = (
        *(of_neighbour(equation, *pair.both) for equation in tables),
        throughout(variable, keys, *pair.both),
        *(as_read(equation, *pair.both) for equation in tables),
    )
    return next(filter(None, said), "")


def _standing(equation: Equation, side: EvaluatedLog, key: Key, pair: Sides) -> object:
    """The state of an equation at a place: what is missing, or which forms are obeyed."""
    found = side.found[equation.id]
    outcome = found.outcomes.get(key)
    return found.missing.get(key) if outcome is None else (outcome.forms, pair.is_cleared(side, equation, key))


def _explain(judged: Judged, equations: list[Equation], pair: Sides) -> _Said:
    """Inherited or unexplained, for one number. A side that obeys is cleared, whatever the other does."""
    key, variable = judged.row.id.key, judged.row.variable
    known = [(e, s) for e in equations for s in pair.both if key in s.found[e.id].outcomes]
    holding = [(e, s) for e, s in known if s.found[e.id].outcomes[key].ok or pair.is_cleared(s, e, key)]
    obeyed = {s.name for _, s in holding}
    unasked = [(e, s) for e in equations for s in pair.both if key in s.found[e.id].missing and s.name not in obeyed]
    missing = _by_line((s.name, w) for e, s in unasked for w in s.found[e.id].missing[key])
    equation = holding[0][0] if holding else equations[0] if equations else None
    kind, hint = "unexplained", ""
    if equation is not None and obeyed:
        kind, hint = _inherited(equation, equations, key, pair, obeyed)
    elif words := _without_equation(judged, equations, pair):
        kind, hint = "inherited", f"from {', '.join(words)}"
    values = [s.view.at(variable.id, key) for s in pair.both]
    told = default_of(variable.id, key, pair.views, pair.domain, pair.argv) or next(
        (text for e in equations if e.table and (text := nearest_or_interpolated(e, *pair.both))), ""
    )
    sure = [one for one in pair.uneven if one.is_sure]
    loop = due_to(variable.id, sure)
    if told and loop is None:
        kind, hint = "unexplained", told
    elif kind == "unexplained" and (hint in ("", NOT_SEEN, TWO_CONSTANTS) or variable.id == pair.domain.iterations):
        of = [loop] if loop is not None else sure if variable.id == pair.domain.iterations else []
        kind, hint = ("inherited", f"from {' and '.join(one.source for one in of)}") if of else (kind, hint)
    if hint in ("", NOT_SEEN):
        hint = (
            of_domain(variable, *pair.both) or between_sides(values[0], values[1], pair.domain, variable.unit) or hint
        )
    if not hint and not equations:
        hint = NOT_MADE
    finding = BlameFinding(
        kind=kind,
        side="both",
        variable=variable.name,
        scope=variable.scope.name,
        equation=equation.id if equation else "",
        equation_text=equation.text if equation else "",
        section=equation.section if equation else "",
        count=1,
        place=pair.vocabulary.describe(key),
        residual=judged.rel_diff,
        allowed=0.0,
        hint=hint,
        missing=missing,
    )
    return _Said(finding, bool(told))


def _by_line(lacks: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """`F_latt_b (C, PY)`: each missing line with the sides that lack it; loop indices only where nothing else lacks."""
    sides: dict[str, list[str]] = {}
    for side, line in lacks:
        if side not in sides.setdefault(line, []):
            sides[line].append(side)
    lines = [line for line in sides if "(loop index)" not in line] or list(sides)
    return tuple(f"{line} ({', '.join(sides[line])})" for line in lines)


def _inherited(
    equation: Equation, equations: list[Equation], key: Key, pair: Sides, obeyed: set[str]
) -> tuple[str, str]:
    c, py = pair.both
    is_cleared = any(pair.is_cleared(s, equation, key) for s in pair.both)
    forms = [s.found[equation.id].outcomes[key].forms for s in (c, py) if key in s.found[equation.id].outcomes]
    if len(forms) == 2 and not forms[0] & forms[1] and not is_cleared:
        names = [" or ".join(sorted(f)) or "neither form" for f in forms]
        return "unexplained", f"C follows '{names[0]}', PY '{names[1]}': a setting differs"
    if _has_two_constants(equation, key, pair):
        return "unexplained", TWO_CONSTANTS
    inputs = _named([equation], key, pair) or _named(equations, key, pair)
    if not inputs:
        return "unexplained", _of_two_equations(equations, key, pair) or NOT_SEEN
    has = {s.name for e in equations for s in (c, py) if key in s.found[e.id].outcomes}
    unasked = " and ".join(name for name in ("C", "PY") if name not in obeyed | has)
    caveat = f"; {unasked} could not be evaluated" if unasked else ""
    return "inherited", f"from {', '.join(inputs)}{caveat}"


def _of_two_equations(equations: Sequence[Equation], key: Key, pair: Sides) -> str:
    """That each side obeys an equation of its own, as of two shapes; empty where both obey the same."""
    said: list[tuple[Equation, str]] = []
    for side in pair.both:
        held = ((e, side.found[e.id].outcomes.get(key)) for e in equations)
        equation, forms = next(((e, o.forms) for e, o in held if o is not None and o.ok), (None, frozenset()))
        if equation is None:
            return ""
        plain = {one.name for one in equation.forms} == forms if not callable(equation.forms) else False
        said.append((equation, equation.text if plain else " or ".join(sorted(forms))))
    if said[0][0] is said[1][0]:
        return ""
    return f"C follows '{said[0][1]}', PY '{said[1][1]}': a setting differs"


def differing_inputs(
    equations: Iterable[Equation], key: Key, pair: Sides
) -> Iterator[tuple[str, float, tuple[Place, Place] | None]]:
    """Inputs that differ between the sides by more than their rounding: name, by how much relatively, and places."""
    for equation in equations:
        for wanted in equation.inputs:
            differs = _difference(wanted, equation.output, key, pair)
            if differs is not None:
                yield differs
        yield from _differing_sources(equation, key, pair)


def _without_equation(judged: Judged, equations: list[Equation], pair: Sides) -> list[str]:
    """From what a value comes, with which no equation of one log alone can find fault; empty where that is not sure."""
    key = judged.row.id.key
    for equation in equations:
        if equation.table and (words := _entry(equation, key, pair)):
            return words
        if equation.settled is not None and _has_one_constant(equation, key, pair):
            return _named([equation], key, pair)
    return _from_what_feeds(judged, equations, pair)


def _entry(equation: Equation, key: Key, pair: Sides) -> list[str]:
    """Where in its table each side looks a number up, if these are two places; if it interpolates, between which."""
    names = [equation.table]
    if all(takes_nearest(equation, side) is False for side in pair.both):
        table = pair.vocabulary.named(equation.table.rpartition(".")[2])
        names += [name for variable in table for name in variable.depends_on]
    found = (_difference(Input(name), equation.output, key, pair) for name in names)
    return [f"{differs[0]} ({differs[1]:.2g})" for differs in found if differs is not None]


def _has_one_constant(equation: Equation, key: Key, pair: Sides) -> bool:
    """Whether a constant that a form reads off C's values there makes PY's of PY's: each alone fits any constant."""
    return any(left <= EXPLAINS for left, _ in _left_by_one_constant(equation, key, pair))


def _has_two_constants(equation: Equation, key: Key, pair: Sides) -> bool:
    """Whether with C's constant a good part of the difference at a place is left: each side obeys with its own.

    Not where both obey a form that reads none, as that of a copy is.
    """
    obeyed = [s.found[equation.id].outcomes[key].forms for s in pair.both if key in s.found[equation.id].outcomes]
    values = pair.c.found[equation.id].values
    if equation.settled is not None and any(
        equation.settled(pair.c.view, name, values, values) is None for name in frozenset.intersection(*obeyed)
    ):
        return False
    parts = [left >= AS_MUCH * by for left, by in _left_by_one_constant(equation, key, pair)]
    return bool(parts) and all(parts)


def _left_by_one_constant(equation: Equation, key: Key, pair: Sides) -> Iterator[tuple[float, float]]:
    """By what PY's value misses what C's constants make of PY's inputs, and differs from C's; relatively, by form."""
    c, py = (side.found[equation.id] for side in pair.both)
    if equation.settled is None or key not in c.row or key not in py.row:
        return
    rows = [{label: array[[f.row[key]]] for label, array in f.values.items()} for f in (c, py)]
    got = [f.outcomes[key].got for f in (c, py)]
    forms = equation.forms(pair.c.view) if callable(equation.forms) else equation.forms
    for form in forms:
        function = equation.settled(pair.c.view, form.name, c.values, rows[0])
        if function is None:
            continue
        with np.errstate(all="ignore"):
            made = [np.broadcast_to(function(row), (1, len(g)))[0] for row, g in zip(rows, got, strict=True)]
            misses = [float(np.max(np.abs(m - g)) / np.max(np.abs(g))) for m, g in zip(made, got, strict=True)]
            by = float(np.max(np.abs(got[1] - got[0])) / np.max(np.abs(got[1])))
        if misses[0] <= EXPLAINS:
            yield misses[1], by


def _from_what_feeds(judged: Judged, equations: list[Equation], pair: Sides) -> list[str]:
    """What feeds a value that no equation makes, where it differs by as much; empty where it does not."""
    variable, key = judged.row.variable, judged.row.id.key
    if not all(e.conditional is True for e in equations):
        return []
    found = []
    for name in graph_of(pair.vocabulary).get(variable.id, ()):
        differs = _difference(Input(name), variable.id, key, pair)
        if differs is not None and differs[1] >= AS_MUCH * judged.rel_diff and differs[2] is not None:
            found.append(f"{differs[0]} ({differs[1]:.2g})")
    return [*found[:-1], f"{found[-1]}; no equation checks it"] if found else []


def _named(equations: Iterable[Equation], key: Key, pair: Sides) -> list[str]:
    found: dict[str, float] = {}
    every = list(differing_inputs(equations, key, pair))
    for name, by, _ in [d for d in every if d[2] is None or d[2][0][0] not in pair.printed] or every:
        found[name] = max(found.get(name, 0.0), by) if not np.isnan(by) else by
    return [f"{name} ({by:.2g})" for name, by in found.items()][:NAMED_INPUTS]


Differs = tuple[str, float, tuple[Place, Place] | None]


def _difference(wanted: Input, output: str, key: Key, pair: Sides) -> Differs | None:
    """An input that differs; None where it does not, or is in one log only."""
    c, py = pair.both
    if wanted.computed is not None:
        made = [wanted.computed(s.view, key) for s in (c, py)]
        if isinstance(made[0], str) or isinstance(made[1], str) or made[0].value.shape != made[1].value.shape:
            return None
        by = _apart(made[0].value, made[1].value, made[0].spread + made[1].spread)
        return None if by is None else (wanted.label, by, None)
    where = [wanted.pick(s.view, key) if wanted.pick else key for s in (c, py)]
    places = [s.view.find(wanted.ref, k) if k is not None else None for s, k in zip((c, py), where, strict=True)]
    if None in places:
        places = [s.view.find(wanted.ref, (ABSENT,) * len(key)) for s in (c, py)]
    return _between(places[0], places[1], (output, key), pair)


def _differing_sources(equation: Equation, key: Key, pair: Sides) -> Iterator[Differs]:
    """The same of an equation over many rows at once, whose inputs its evaluation alone knows."""
    c, py = (s.found[equation.id] for s in pair.both)
    if equation.relation is None or key not in c.row or key not in py.row:
        return
    for label in c.sources.keys() & py.sources.keys():
        a, b = c.sources[label][c.row[key]], py.sources[label][py.row[key]]
        differs = _between(a, b, (equation.output, key), pair)
        if differs is not None:
            yield differs


def _between(c: Place | None, py: Place | None, output: Place, pair: Sides) -> Differs | None:
    if c is None or py is None or c == output:
        return None
    a, b = pair.c.view.at(*c), pair.py.view.at(*py)
    if a is None or b is None or a.shape != b.shape:
        return None
    by = _apart(a, b, pair.c.view.uncertainty(c[0], a) + pair.py.view.uncertainty(py[0], b))
    return None if by is None else (c[0].rpartition(".")[2], by, (c, py))


def _apart(a: Array, b: Array, spread: Array) -> float | None:
    if (np.isnan(a) != np.isnan(b)).any():
        return float("nan")
    if not (np.abs(a - b) > spread).any():
        return None
    size = float(np.sqrt(np.nansum(np.maximum(a * a, b * b)))) or 1.0
    return float(np.nanmax(np.abs(a - b), initial=0)) / size
