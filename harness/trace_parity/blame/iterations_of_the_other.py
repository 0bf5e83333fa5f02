"""What one log has at an iteration and the other log at another one: a loop off by one, a stale value, longer steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from trace_parity.blame.changes import length, smells
from trace_parity.blame.equation import Domain, same_but
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.log_values import LogView
from trace_parity.blame.shape import EXPLAINS
from trace_parity.pair.vocabulary import ABSENT, Key
from trace_parity.printable import spell_apart

MOST_TICKS = 16
"""Ticks of one loop that are tried."""


def elsewhere(variable: str, keys: Sequence[Key], own: EvaluatedLog, other: EvaluatedLog) -> str:
    """That a log has at these places what the other one has at another tick of one loop; empty where it has not."""
    vocabulary, known = own.view.vocabulary, other.view.keys(variable)
    for place in reversed(range(len(vocabulary.loops))):
        ticks = sorted({key[place] for key in known} - {ABSENT})
        if len(ticks) < 2:
            continue
        name = vocabulary.loops[place]
        moves: list[tuple[str, Callable[[int], int]]] = [
            (f"of the previous {name}: off by one tick", lambda tick: tick - 1),
            (f"of the next {name}: off by one tick", lambda tick: tick + 1),
            *((f"of {name}={one}: stale", partial(_always, one)) for one in ticks[:MOST_TICKS]),
        ]
        for text, move in moves:
            pairs = [(key, same_but(key, place, move(key[place]))) for key in keys if key[place] != ABSENT]
            offered = [(key, there) for key, there in pairs if other.view.at(variable, there) is not None]
            if any(_is_common(variable, at, other, alone=len(offered) == 1) for at in offered[:MOST_TICKS]):
                continue
            if offered and all(_has_of(variable, key, there, own, other) for key, there in offered):
                return f"{own.name} has {other.name}'s value {text}"
    return ""


def _always(tick: int, _: int) -> int:
    return tick


def _has_of(variable: str, key: Key, there: Key, own: EvaluatedLog, other: EvaluatedLog) -> bool:
    """Whether `own` has at `key` what the other log has at `there`, and that is not what the other has at `key`."""
    mine, theirs, right = own.view.at(variable, key), other.view.at(variable, there), other.view.at(variable, key)
    if mine is None or theirs is None or mine.shape != theirs.shape or key == there or not np.any(theirs):
        return False
    return bool(length(mine - theirs) <= EXPLAINS * length(mine)) and not np.array_equal(theirs, np.asarray(right))


def _is_common(variable: str, at: tuple[Key, Key], other: EvaluatedLog, *, alone: bool) -> bool:
    """Whether half of the other iterations of that loop have the value as well, so that meeting it again is chance.

    `at`: the place, and the one that the value is of; `alone`: no other place speaks for it, so that one is enough.
    """
    key, there = at
    place = next((n for n, (a, b) in enumerate(zip(key, there, strict=True)) if a != b), None)
    value = other.view.at(variable, there)
    if place is None or value is None:
        return False
    line = [
        k
        for k in other.view.keys(variable)
        if k not in (key, there) and same_but(k, place, 0) == same_but(key, place, 0)
    ]
    same = sum(np.array_equal(np.asarray(other.view.at(variable, k)), value) for k in line)
    return len(line) > 1 and (2 * same >= len(line) or (alone and same > 0))


def unmoved(variable: str, c: LogView, py: LogView, domain: Domain) -> str:
    """That a number is the same all along a loop on one side, and grows by even steps on the other; else empty."""
    default = domain.defaults.get(variable)
    flag = default.steps if default is not None else ""
    least = 2 if flag else 3  # two numbers that are the same may be the iteration before as well
    for place, loop in reversed(list(enumerate(c.vocabulary.loops))):
        lines: dict[Key, list[Key]] = {}
        for key in c.keys(variable):
            if key[place] != ABSENT and py.at(variable, key) is not None:
                lines.setdefault(same_but(key, place, ABSENT), []).append(key)
        found = {_still(variable, line, c, py) for line in lines.values() if len(line) >= least}
        if len(found) == 1 and (still := found.pop()) is not None:
            name, value, step = still
            other = "PY" if name == "C" else "C"
            why = f": {name} ignores {flag}" if flag and name == "PY" else f", set by {flag}" if flag else ""
            return f"{name} has {value:.6g} at every {loop}, {other} steps of {step:.6g}{why}"
    return ""


def _still(variable: str, keys: Sequence[Key], c: LogView, py: LogView) -> tuple[str, float, float] | None:
    """The side that stays at one number along a line, the number, and the other side's even step; None for neither."""
    rows = [[view.at(variable, key) for key in keys] for view in (c, py)]
    sides = [np.array([row[0] for row in side if row is not None and len(row) == 1]) for side in rows]
    if len(sides[0]) < len(keys) or len(sides[1]) < len(keys):
        return None
    for name, own, other in (("C", sides[0], sides[1]), ("PY", sides[1], sides[0])):
        steps = np.diff(other)
        size = float(np.max(np.abs(other)))
        if np.all(own == own[0]) and float(f"{steps[0]:.6g}") and np.ptp(steps) <= EXPLAINS * size:
            return name, float(own[0]), float(f"{steps[0]:.6g}")
    return None


def longer_steps(variable: str, c: LogView, py: LogView, domain: Domain) -> str:
    """That a number starts alike on both sides and grows by other equal steps along a loop; empty where it does not."""
    loops = c.vocabulary.loops
    for place in reversed(range(len(loops))):
        lines: dict[Key, list[Key]] = {}
        for key in c.keys(variable):
            if key[place] != ABSENT and py.at(variable, key) is not None:
                lines.setdefault(same_but(key, place, ABSENT), []).append(key)
        found = [_steps(variable, line, c, py) for line in lines.values() if len(line) > 1]
        ratios = [ratio for ratio in found if ratio is not None]
        if not found or len(ratios) < len(found) or np.ptp(ratios) > EXPLAINS * abs(ratios[0]):
            continue
        ratio, smell = ratios[0], ""
        for factor, words in smells(domain, c.variables[variable].unit):
            if any(abs(ratio / power - 1) <= EXPLAINS for power in (factor, 1 / factor)):
                smell = f": {words}"
                break
        return f"PY's step from one {loops[place]} to the next is {spell_apart(ratio, 1.0)[0]} times C's{smell}"
    return ""


def _steps(variable: str, keys: Sequence[Key], c: LogView, py: LogView) -> float | None:
    """PY's step over C's along a line of iterations; None unless both are even, and the first values agree."""
    rows = [[view.at(variable, key) for key in keys] for view in (c, py)]
    sides = [np.array([row[0] for row in side if row is not None and len(row) == 1]) for side in rows]
    if len(sides[0]) < len(keys) or len(sides[1]) < len(keys):
        return None
    steps = [np.diff(side) for side in sides]
    size = max(float(np.max(np.abs(side))) for side in sides)
    is_even = all(np.ptp(step) <= EXPLAINS * size and step[0] != 0 for step in steps)
    if (
        not is_even
        or abs(sides[0][0] - sides[1][0]) > EXPLAINS * size
        or abs(steps[1][0] - steps[0][0]) <= EXPLAINS * size
    ):
        return None
    return float(steps[1][0] / steps[0][0])
