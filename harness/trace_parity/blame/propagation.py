"""What a log would contain if a program had other values: a change is propagated through the equations downstream.

A place is made again from its changed inputs by the equation that made it. Where the program breaks that equation, its
miss is kept: as a factor where it is one, else as a sum. Constants that an equation reads off the log (the size of
a step, say) stay as they were.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from trace_parity.blame.between import interpolates
from trace_parity.blame.equation import Equation, Evaluated, Form, Outcome, Values
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.log_values import Array
from trace_parity.blame.remedies import Place
from trace_parity.blame.vouched import Vouched
from trace_parity.pair.dependencies import upstream
from trace_parity.pair.vocabulary import ABSENT, Key

PARALLEL = 1e-6
"""Relative deviation from parallel up to which one vector counts as a multiple of another."""
AFFINE = 1e-12


@dataclass
class Changed:
    """Values by place that are other ones; `unknown` are places whose new value does not follow from the logs."""

    values: dict[Place, Array] = field(default_factory=dict)
    unknown: set[Place] = field(default_factory=set)

    def __contains__(self, place: object) -> bool:
        return place in self.values or place in self.unknown


def propagate(
    side: EvaluatedLog,
    put_in: Mapping[Place, Array],
    other: EvaluatedLog | None = None,
    suspects: Collection[str] = (),
) -> Changed:
    """What follows in the log of `side` from having `put_in` instead; numbers of tables are looked up in `other`.

    What no equation makes is taken from `other` where all that feeds it is as there; not for `suspects`.
    """
    changed = Changed(dict(put_in))
    vouched = Vouched(side, other, suspects) if other is not None else None
    place = _stepped(side)
    ticks: list[int | None] = [None]
    if place is not None:  # what is made in a step feeds the next: all equations, step by step
        seen = {key[place] for e in side.domain.equations for key in side.found[e.id].row}
        ticks = [*sorted(seen - {ABSENT}), None]
    for tick in ticks:
        for equation in side.domain.equations:
            if vouched is not None:
                _fill(vouched, equation, changed, (place, tick))
            _one(side, other, equation, changed, (place, tick))
        if vouched is not None:
            _fill(vouched, None, changed, (place, tick))
    return changed


def _fill(vouched: Vouched, equation: Equation | None, changed: Changed, step: tuple[int | None, int | None]) -> None:
    """What no equation makes again of the variables before an equation, as far as the other log tells."""
    place, tick = step
    waiting = vouched.before(equation, {p[0] for p in changed.values}, {p[0] for p in changed.unknown})
    for variable, keys in waiting.items():
        at = [k for k in keys if place is None or tick is None or k[place] == tick]
        for where in dict.fromkeys([*((variable, k) for k in at), *(p for p in changed.unknown if p[0] == variable)]):
            if (
                where not in changed.values
                and (new := vouched.value(where, changed.values, changed.unknown)) is not None
            ):
                changed.values[where] = new
                changed.unknown.discard(where)


def _one(
    side: EvaluatedLog,
    other: EvaluatedLog | None,
    equation: Equation,
    changed: Changed,
    step: tuple[int | None, int | None],
) -> None:
    """What one equation makes again, of one tick of a loop or (None) of all."""
    found = side.found[equation.id]
    names = {p[0] for p in changed.values} | {p[0] for p in changed.unknown}
    place, tick = step
    if equation.table:
        keys = [key for key in side.view.keys(equation.output) if place is None or tick is None or key[place] == tick]
        _look_up(side, other, equation, keys, changed)
        return
    if equation.backward or not found.row or not found.outcomes or not _feeding(side, equation) & names:
        return
    keys = list(found.row)
    here = [n for n, key in enumerate(keys) if place is None or tick is None or key[place] == tick]
    if place is None and (labels := _own_labels(side, equation)):
        _recur(side, equation, found, labels, changed)
    else:
        rows = [n for n in here if _is_due(equation, found, n, keys[n], changed)]
        _make_again(side, equation, found, rows, changed)


def _stepped(side: EvaluatedLog) -> int | None:
    """The loop along which variables feed each other from one tick to the next; None where each feeds itself at most.

    An integrator is such a one: velocities make positions, these forces, and these the velocities of the next step.
    """
    if "stepped" not in side.view.memo:
        side.view.memo["stepped"] = _loop_of_cycle(side)
    place: int | None = side.view.memo["stepped"]
    return place


def _loop_of_cycle(side: EvaluatedLog) -> int | None:
    equations = [e for e in side.domain.equations if not e.backward and side.found[e.id].row]
    fed: dict[str, set[str]] = {}
    for equation in equations:
        fed.setdefault(equation.output, set()).update(_feeding(side, equation) - {equation.output})
    graph = {output: tuple(feeding) for output, feeding in fed.items()}
    for equation in equations:
        if equation.output not in upstream(graph, fed[equation.output]):
            continue
        found = side.found[equation.id]
        for key, n in found.row.items():
            for _, source in found.feeding(n):
                back = [p for p, i in enumerate(source) if ABSENT < i < key[p]]
                if back and all(source[p] == key[p] for p in range(back[0])):
                    return back[0]
    return None


def _feeding(side: EvaluatedLog, equation: Equation) -> set[str]:
    """The variables that feed an equation in this log."""
    name = f"feeds {equation.id}"
    if name not in side.view.memo:
        found = side.found[equation.id]
        side.view.memo[name] = {place[0] for n in range(len(found.row)) for place in found.feeding(n)}
    feeding: set[str] = side.view.memo[name]
    return feeding


def _own_labels(side: EvaluatedLog, equation: Equation) -> list[str]:
    """The inputs that are other places of the output itself, as the step before is for a running sum."""
    name = f"own inputs of {equation.id}"
    if name not in side.view.memo:
        found = side.found[equation.id]
        side.view.memo[name] = [
            label
            for label, sources in found.sources.items()
            if any(
                p is not None and p[0] == equation.output and p[1] != key
                for p, key in zip(sources, found.row, strict=True)
            )
        ]
    labels: list[str] = side.view.memo[name]
    return labels


def _is_due(equation: Equation, found: Evaluated, n: int, key: Key, changed: Changed) -> bool:
    """Whether a place is to be made again: not yet, by an equation that makes it, from something that is changed."""
    outcome = found.outcomes.get(key)
    makes = outcome is not None and (outcome.ok or equation.conditional is not True)
    return makes and (equation.output, key) not in changed and _is_fed(equation, found, n, key, changed)


def _is_fed(equation: Equation, found: Evaluated, n: int, key: Key, changed: Changed) -> bool:
    return any(place in changed and place != (equation.output, key) for place in found.feeding(n))


def _inputs(found: Evaluated, rows: list[int], changed: Changed) -> tuple[dict[str, Array], list[bool]]:
    """The inputs at `rows` with what is changed put in, and whether one of them is unknown."""
    values = {label: array[rows] for label, array in found.values.items()}
    lost = [False] * len(rows)
    for label, sources in found.sources.items():
        copied = False
        for i, n in enumerate(rows):
            place = sources[n]
            if place is None:
                continue
            new = changed.values.get(place)
            if place in changed.unknown:
                lost[i] = True
            elif new is not None:
                if not copied:
                    values[label], copied = values[label].copy(), True
                values[label][i, : len(new)] = new[: values[label].shape[1]]
    for label in found.parts:
        copied = False
        for i, n in enumerate(rows):
            lost[i] |= any(place in changed.unknown for place in found.parts[label][n])
            made = found.made_again(label, n, changed.values)
            if made is not None:
                if not copied:
                    values[label], copied = values[label].copy(), True
                values[label][i, : len(made)] = made
    return values, lost


def _function(side: EvaluatedLog, equation: Equation, found: Evaluated, form: Form, rows: list[int]) -> Form:
    """The form with the constants that it reads off the log kept as they are."""
    if equation.settled is None:
        return form
    old = {label: array[rows] for label, array in found.values.items()}
    return Form(form.name, equation.settled(side.view, form.name, found.values, old) or form.function)


def _make_again(side: EvaluatedLog, equation: Equation, found: Evaluated, rows: list[int], changed: Changed) -> None:
    keys = list(found.row)
    by_form: dict[str, list[int]] = {}
    for n in rows:
        by_form.setdefault(found.form[keys[n]].name, []).append(n)
    for group in by_form.values():
        values, lost = _inputs(found, group, changed)
        form = _function(side, equation, found, found.form[keys[group[0]]], group)
        before = form.function(_inputs(found, group, Changed())[0])
        after = form.function(values)
        for i, n in enumerate(group):
            place = (equation.output, keys[n])
            outcome = found.outcomes[keys[n]]
            new = response(outcome, np.broadcast_to(before[i], outcome.got.shape), after[i])
            if lost[i] or not np.isfinite(new[np.isfinite(outcome.got)]).all():
                changed.unknown.add(place)
            else:
                changed.values[place] = new


def response(outcome: Outcome, before: Array, after: Array) -> Array:
    """The value at a place once its equation gives `after` instead of `before`."""
    got = outcome.got
    if outcome.ok:
        moved: Array = got + (after - before)
        return moved
    size = np.sum(before * before)
    if size > 0 and np.isfinite(got).all():
        factor = np.sum(got * before) / size
        if np.sqrt(np.sum((got - factor * before) ** 2)) <= PARALLEL * np.sqrt(np.sum(got * got)):
            scaled: Array = factor * after
            return scaled
    shifted: Array = got + (after - before)
    return shifted


def _recur(side: EvaluatedLog, equation: Equation, found: Evaluated, labels: list[str], changed: Changed) -> None:
    """One place after the other in the order of evaluation, by offset and slope where the recurrence has these."""
    keys, order = list(found.row), list(found.row.values())
    fast = _affine(equation, found, order, labels, changed) if len(labels) == 1 else None
    for i, n in enumerate(order):
        key = keys[n]
        place, outcome = (equation.output, key), found.outcomes.get(key)
        if outcome is None or not _is_due(equation, found, n, key, changed):
            continue
        if fast is None:
            _make_again(side, equation, found, [n], changed)
            continue
        source = found.sources[labels[0]][n]
        old = found.values[labels[0]][n, 0]
        if fast.lost[i] or (source is not None and source in changed.unknown):
            changed.unknown.add(place)
            continue
        new = changed.values[source][0] if source is not None and source in changed.values else old
        before = fast.before[0][i] + fast.before[1][i] * old
        after = fast.after[0][i] + fast.after[1][i] * new
        changed.values[place] = response(outcome, np.array([before]), np.array([after]))


@dataclass(frozen=True)
class _Affine:
    """Offset and slope of a recurrence at each row, before and after the change of its other inputs."""

    before: tuple[Array, Array]
    after: tuple[Array, Array]
    lost: list[bool]


def _affine(
    equation: Equation, found: Evaluated, rows: list[int], labels: list[str], changed: Changed
) -> _Affine | None:
    """A recurrence of one number that is offset + slope · previous; None where it is not."""
    label = labels[0]
    if (
        found.values[label].shape[1] != 1
        or equation.settled is not None
        or len({f.name for f in found.form.values()}) > 1
    ):
        return None
    others = Changed(
        {p: v for p, v in changed.values.items() if p[0] != equation.output},
        {p for p in changed.unknown if p[0] != equation.output},
    )
    function = next(iter(found.form.values())).function
    values, lost = _inputs(found, rows, others)

    def parts(inputs: Values) -> tuple[Array, Array] | None:
        at = [function({**inputs, label: np.full_like(inputs[label], x)})[:, 0] for x in (0, 1, 2)]
        slope = at[1] - at[0]
        size = np.abs(at[2]) + np.abs(at[0]) + np.abs(slope)
        return (at[0], slope) if (np.abs(at[2] - at[0] - 2 * slope) <= AFFINE * size).all() else None

    before, after = parts(_inputs(found, rows, Changed())[0]), parts(values)
    return None if before is None or after is None else _Affine(before, after, lost)


def _look_up(
    side: EvaluatedLog, other: EvaluatedLog | None, equation: Equation, keys: list[Key], changed: Changed
) -> None:
    """A number of a table: what either log has where what it is looked up by is the same."""
    tables = [_table(s, equation) for s in (side, other) if s is not None]
    factor = _between(tables)
    is_between = interpolates(equation, side)
    for key in keys:
        place = (equation.output, key)
        index = side.view.find(equation.table, key)
        if place in changed or index is None or index not in changed:
            continue
        if index in changed.unknown:
            changed.unknown.add(place)
            continue
        words = tuple(float(v) for v in changed.values[index])
        if is_between:
            changed.unknown.add(place)
        elif words == _words(side, index):
            got = side.view.at(*place)
            assert got is not None
            changed.values[place] = got
        elif words in tables[0]:
            changed.values[place] = tables[0][words]
        elif len(tables) > 1 and words in tables[1]:
            changed.values[place] = tables[1][words] * factor
        else:
            changed.unknown.add(place)


def _words(side: EvaluatedLog, place: Place) -> tuple[float, ...]:
    value = side.view.at(*place)
    return () if value is None else tuple(float(v) for v in value)


def _table(side: EvaluatedLog, equation: Equation) -> dict[tuple[float, ...], Array]:
    name = f"table of {equation.id}"
    if name not in side.view.memo:
        found: dict[tuple[float, ...], Array] = {}
        for key in side.view.keys(equation.output):
            index = side.view.find(equation.table, key)
            words, value = (side.view.at(*index) if index is not None else None), side.view.at(equation.output, key)
            if words is not None and value is not None:
                found.setdefault(tuple(float(v) for v in words), value)
        side.view.memo[name] = found
    table: dict[tuple[float, ...], Array] = side.view.memo[name]
    return table


def _between(tables: list[dict[tuple[float, ...], Array]]) -> np.longdouble:
    """The offset between the first log's numbers and the other's, where both have some."""
    if len(tables) < 2:
        return np.longdouble(1)
    ratios = [tables[0][w][0] / tables[1][w][0] for w in tables[0].keys() & tables[1].keys() if tables[1][w][0]]
    return np.longdouble(np.median(ratios)) if ratios else np.longdouble(1)
