"""Hints that several vectors or factors share: what is one mistake in all of them is described once.

Three vectors that are wrong at the same places are the rows of a matrix: it may be transposed, or turned as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from trace_parity.blame.accused import Accused
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.findings import UNREAD
from trace_parity.blame.log_values import Array
from trace_parity.blame.misprints import ONLY_PRINTED
from trace_parity.blame.shape import EXPLAINS, turn_between
from trace_parity.blame.unsettled import NOT_MADE, NOT_SEEN, Placed, Sides

Member = tuple[Accused, Placed]
ROWS = 3


def in_unison(members: Sequence[Member], side: EvaluatedLog) -> list[Placed]:
    """The findings on one side; of one kind and at the same places, with one hint where one explains them all."""

    def kind(member: Member) -> tuple[object, ...]:
        accused, placed = member
        variable, finding = side.view.variables[accused.variable], placed.finding
        return variable.scope.name, variable.size or 0, variable.unit, finding.count, finding.place, finding.manner

    order = {id(placed): n for n, (_, placed) in enumerate(members)}
    found: dict[int, Placed] = {}
    for _, group in groupby(sorted(members, key=lambda m: repr(kind(m))), key=kind):
        alike = list(group)
        text = _of_all(alike, side)
        for _, placed in alike:
            made = replace(placed, finding=replace(placed.finding, hint=text)) if text else placed
            found[order[id(placed)]] = made
    return [found[n] for n in sorted(found)]


def _of_all(alike: Sequence[Member], side: EvaluatedLog) -> str:
    """The hint of all; empty where they have none in common, or have it already."""
    hints = [placed.finding.hint for _, placed in alike]
    lead = next((words for words in (UNREAD, ONLY_PRINTED) if all(h.startswith(words) for h in hints)), "")
    own = [hint.removeprefix(lead).removeprefix(": ") for hint in hints]
    if len(alike) < 2 or (len(set(own)) == 1 and own[0]) or any(placed.finding.quirk for _, placed in alike):
        return ""
    for text in filter(None, dict.fromkeys(own)):
        fitting = (
            h == text or (a.is_output and side.fits(a.equation, a.outcomes, text))
            for h, (a, _) in zip(own, alike, strict=True)
        )
        if all(fitting):
            return f"{lead}: {text}" if lead else text
    is_open = any(not hint or "turned by" in hint for hint in own)
    text = _as_matrix([accused for accused, _ in alike], side) if is_open and len(alike) == ROWS else ""
    return f"{lead}: {text}" if lead and text else text


def _as_matrix(rows: Sequence[Accused], side: EvaluatedLog) -> str:
    """What three vectors look like as the rows of a matrix."""
    by_key = [{o.key: o for o in one.outcomes} for one in rows]
    keys = [key for key in by_key[0] if all(key in one for one in by_key)]
    if any(len(o.got) != ROWS for one in by_key for o in one.values()) or not keys:
        return ""
    pairs = [
        (np.array([one[key].got for one in by_key]), np.array([one[key].expected for one in by_key])) for key in keys
    ]
    names = ", ".join(side.view.variables[one.variable].name for one in rows)
    return _of_matrices(pairs, names)


def _of_matrices(pairs: Sequence[tuple[Array, Array]], names: str) -> str:
    """What all matrices are to what they should be."""
    if not pairs:
        return ""
    if all(_is_same(got, expected.T) for got, expected in pairs):
        return f"the matrix with the rows {names} is transposed"
    turns = [turn_between(expected, got) for got, expected in pairs]
    if all(turn is not None for turn in turns):
        most = max(turn for turn in turns if turn is not None)
        return f"{names} are turned by one rotation of {most:.4g}°"
    return ""


def _is_same(a: Array, b: Array) -> bool:
    return bool(np.max(np.abs(a - b)) <= EXPLAINS * np.max(np.abs(a)))


def together(placed: Sequence[Placed], pair: Sides) -> list[Placed]:
    """The same of what no side is accused of: three vectors that one rotation takes from C's to PY's, or transposed."""

    def kind(one: Placed) -> tuple[object, ...]:
        variable, finding = pair.c.view.variables[one.variable], one.finding
        return finding.kind, variable.scope.name, variable.size or 0, variable.unit, finding.count, finding.place

    found = {id(one): one for one in placed}
    for key, group in groupby(sorted(placed, key=lambda one: repr(kind(one))), key=kind):
        rows = list(group)
        if key[0] != "unexplained" or key[2] != ROWS or len(rows) != ROWS or not all(_is_vague(one) for one in rows):
            continue
        names = ", ".join(one.finding.variable for one in rows)
        if text := _between([one.variable for one in rows], names, pair):
            found |= {id(one): replace(one, finding=replace(one.finding, hint=text)) for one in rows}
    return [found[id(one)] for one in placed]


def _is_vague(one: Placed) -> bool:
    hint = one.finding.hint
    return hint in ("", NOT_SEEN, NOT_MADE) or "turned by" in hint


def _between(variables: Sequence[str], names: str, pair: Sides) -> str:
    """What the matrix of three variables on one side is to that of the other."""
    keys = [key for key in pair.c.view.keys(variables[0]) if pair.py.view.at(variables[0], key) is not None]
    pairs = []
    for key in keys:
        rows = [[view.at(variable, key) for variable in variables] for view in pair.views]
        if any(row is None or len(row) != ROWS for side in rows for row in side):
            return ""
        pairs.append((np.array(rows[1]), np.array(rows[0])))
    return _of_matrices(pairs, names)
