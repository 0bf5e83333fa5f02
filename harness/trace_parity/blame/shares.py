"""How much of the final difference each finding explains, and which of them is the headline.

For each finding the other side's value is put in on the guilty side, and sent through the equations to the value in
which the site ends. Where something upstream is wrong as well, what the equation says of the side's own inputs is put
in instead, so that each fault is given its own part. What that moves, of the difference between the sides, is the
finding's share. Of positive numbers the difference is that of the logarithms, so that the shares of two factors add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trace_parity.blame.equation import asked
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.findings import HARMLESS, BlameFinding
from trace_parity.blame.log_values import Array
from trace_parity.blame.propagation import Changed, propagate
from trace_parity.blame.remedies import SAME, Place
from trace_parity.blame.unsettled import Placed, Sides
from trace_parity.pair.dependencies import Graph, downstream, inputs, upstream

NEXT_TO = 1e-5
"""Two remedies are the same when they are apart by less than this part of what they put right."""

MUCH = 1.5
"""A share above this overshoots the difference."""
FAR = 10.0
"""A share above this is not believed of what may be wrong in print only."""
NEXT = 0.1
"""Shares add up to the whole difference to within this."""


def final_of(pair: Sides) -> str:
    """The variable in which a site ends: the domain's own, else the last one that both logs have, and print right.

    One of which nothing says what it is computed from comes last: no fault can be followed to it.
    """
    held = [v.id for v in pair.vocabulary.variables if all(s.view.keys(v.id) for s in pair.both)]
    named = [name for name in pair.domain.finals if name in held]
    right = [name for name in (*named, *reversed(held)) if name not in pair.printed]
    made = {e.output for e in asked(pair.domain)} | {
        name for name, feeding in inputs(pair.vocabulary).items() if feeding
    }
    return next((name for name in right if name in made), next(iter(right), ""))


@dataclass(frozen=True)
class Effect:
    """The share of the final difference, the factor by which the sides differ there, and that part of PY/C."""

    share: float | None = None
    factor: float | None = None
    ratio: float | None = None


class Shares:
    """The shares of all findings of a pair of logs."""

    def __init__(self, pair: Sides) -> None:
        self.pair = pair
        self.final = final_of(pair)
        self.graph: Graph = inputs(pair.vocabulary)
        self.wrong: set[str] = set()
        self.wrong_on_both: set[str] = set()
        self.keys = [key for key in pair.c.view.keys(self.final) if self._differs(key)]

    def _differs(self, key: tuple[int, ...]) -> bool:
        """Whether the final values are apart by more than rounding: of that, no fault has a share."""
        c, py = (s.view.at(self.final, key) for s in self.pair.both)
        if c is None or py is None or c.shape != py.shape:
            return False
        rounding = sum(s.view.uncertainty(self.final, v[None])[0] for s, v in zip(self.pair.both, (c, py), strict=True))
        with np.errstate(invalid="ignore"):
            return not bool(((np.abs(c - py) <= SAME * rounding) | (c == py)).all())

    def apart(self) -> float:
        """By how much the final values differ, relatively, where most; 0 where they do not."""
        found = [0.0]
        for key in self.keys:
            c, py = (s.view.at(self.final, key) for s in self.pair.both)
            if c is not None and py is not None:
                found.append(float(np.max(np.abs(c - py)) / np.max(np.maximum(np.abs(c), np.abs(py)))))
        return max(found)

    def of(self, placed: Sequence[Placed]) -> list[BlameFinding]:
        """The findings with their shares, in the order given."""
        causes = [p for p in placed if p.finding.is_cause and p.finding.manner != "probe"]
        self.wrong = {p.variable for p in causes}
        by_side = [{p.variable for p in causes if p.finding.side == name} for name in ("C", "PY")]
        self.wrong_on_both = by_side[0] & by_side[1]
        self.pair = self._as_meant(placed)
        parts = [part for members in self._groups(placed) for part in self._apart(members)]
        is_pending = any(p.finding.manner == "probe" for p in placed)
        effects = [(part, _believed(part, self._effect(part), is_pending=is_pending)) for part in parts]
        found: dict[int, BlameFinding] = {}
        for part, effect in self._jointly(effects):
            names = [m.finding.variable for m in part]
            for m in part:
                others = tuple(dict.fromkeys(n for n in names if n != m.finding.variable))
                found[id(m)] = replace(
                    m.finding, share=effect.share, factor=effect.factor, ratio=effect.ratio, together=others
                )
        return [found[id(one)] for one in placed]

    def _jointly(self, effects: Sequence[tuple[list[Placed], Effect]]) -> list[tuple[list[Placed], Effect]]:
        """With one share for faults of one side of which none is known alone, and for settings that overshoot.

        What one makes without the other may be in no log; and a setting that is put in without what follows from it in
        a way that no equation tells may move far more than the difference.
        """
        found = list(effects)
        for kind, side in {_kind_and_side(part): None for part, _ in effects if part[0].finding.is_cause}:
            alike = [one for one in effects if _kind_and_side(one[0]) == (kind, side) and _is_in_use(one[0])]
            few = [(part, effect) for part, effect in alike if effect.share is None]
            if kind == "unexplained" and not few and _overshoot([effect.share for _, effect in alike]):
                few = [(part, effect) for part, effect in alike if effect.share and abs(effect.share) >= HARMLESS]
            union = [m for part, _ in few for m in part]
            effect = self._effect(union) if len(few) > 1 else Effect()
            if effect.share is not None and abs(effect.share - 1) <= NEXT:
                found = [*(one for one in found if one not in few), (union, effect)]
        return found

    def _as_meant(self, placed: Sequence[Placed]) -> Sides:
        """Both logs with what should have been printed where only the print is wrong."""
        meant: dict[str, dict[Place, Array]] = {"C": {}, "PY": {}, "both": {}}
        for one in placed:
            if one.finding.manner == "probe" and one.finding.kind == "introduced":
                meant[one.finding.side] |= {(one.variable, key): value for key, value in one.expected.items()}
        c, py = (side.with_values(meant[side.name]) for side in self.pair.both)
        return replace(self.pair, c=c, py=py)

    def _groups(self, placed: Sequence[Placed]) -> list[list[Placed]]:
        """What may be one fault: variables of one kind that are wrong at the same places, or in the same way."""
        groups: list[list[Placed]] = []
        for one in placed:
            group = next((g for g in groups if any(self._is_one_fault(one, other) for other in g)), None)
            if group is None:
                groups.append([one])
            else:
                group.append(one)
        return groups

    def _is_one_fault(self, one: Placed, other: Placed) -> bool:
        a, b = one.finding, other.finding
        alike = [(f.kind, f.side, f.scope, f.manner, bool(f.instead), self._kind(p)) for p, f in ((one, a), (other, b))]
        if alike[0] != alike[1] or not self._read_by(one.variable) & self._read_by(other.variable):
            return False
        return (a.count, a.place) == (b.count, b.place) or (bool(a.hint) and a.hint == b.hint)

    def _kind(self, one: Placed) -> tuple[object, ...]:
        variable = self.pair.c.view.variables.get(one.variable)
        return (variable.size, variable.unit) if variable is not None else (one.variable,)

    def _read_by(self, variable: str) -> set[str]:
        """What is computed from a variable at once; where nothing is, what it is computed from itself."""
        made = {name for name, feeding in self.graph.items() if variable in feeding}
        return made or set(self.graph.get(variable, ()))

    def _apart(self, members: list[Placed]) -> list[list[Placed]]:
        """A group, or each alone where one of them is made from another."""
        ids = {m.variable for m in members}
        if any(downstream(self.graph, [i]) & ids for i in ids):
            return [[m] for m in members]
        return [members]

    def _effect(self, part: Sequence[Placed]) -> Effect:
        """What the final value would be without these faults; unknown if the logs do not determine it."""
        finding = part[0].finding
        if not self.final or not finding.is_cause:
            return Effect()
        if not self.keys:
            return Effect()
        if finding.manner == "probe" or finding.kind == "self-inconsistent":
            return Effect(0.0)  # nothing is computed from the print; what both do alike makes no difference
        ids = {m.variable for m in part}
        if self.final in ids and finding.kind == "unexplained":
            return Effect()
        if self.final not in ids and self.final not in downstream(self.graph, ids):
            return Effect(0.0)
        first = self.pair.c if finding.side == "C" else self.pair.py
        for own in (first, *(s for s in self.pair.both if s is not first)):
            other = self.pair.c if own is self.pair.py else self.pair.py
            alone = all(self._is_first(m, ids) for m in part)
            put_in = {p: value for m in part for p, value in self._values(m, own, other, alone)}
            changed = propagate(own, put_in, other, self.wrong | self.pair.printed)
            met = self._met(ids, changed, own)
            if put_in and self.final not in met:
                return Effect(0.0)
            if put_in and self._reaches(met, changed, own):
                return self._moved(changed, own, other)
        return Effect()

    def _is_first(self, one: Placed, ids: set[str]) -> bool:
        """Whether nothing that feeds a finding goes wrong itself, but `ids`, nor the same value on the other side."""
        wrong = self.wrong - ids
        return not (
            upstream(self.graph, [one.variable]) & wrong
            or one.variable == self.final
            or one.variable in self.wrong_on_both
        )

    def _values(self, one: Placed, own: EvaluatedLog, other: EvaluatedLog, alone: bool) -> list[tuple[Place, Array]]:
        """What is put in: the other log's value; what the equation says of own inputs where these are wrong as well."""
        view, theirs = own.view, other.view
        expected = one.expected
        missed = max((_apart(view.at(one.variable, key), made) for key, made in expected.items()), default=0.0)
        found = []
        for key in view.keys(one.variable):
            mine, value, made = view.at(one.variable, key), theirs.at(one.variable, key), expected.get(key)
            if expected and not alone:
                value = mine
            if made is not None and (
                value is None or not alone or _apart(made, value) <= NEXT_TO * _apart(mine, value)
            ):
                value = made
            elif expected and made is None and _apart(mine, value) <= NEXT_TO * missed:
                continue  # right there, as far as the fault goes
            if value is not None and mine is not None and len(value) == len(mine):
                found.append(((one.variable, key), value))
        return found

    def _met(self, ids: set[str], changed: Changed, own: EvaluatedLog) -> set[str]:
        """What a change may move: all that is made from what it moves, one step after the other."""
        moving = {name for name, _ in changed.unknown} | ids
        kept = set()
        for place, value in changed.values.items():
            mine = own.view.at(*place)
            if mine is None or (np.abs(value - mine) > own.view.uncertainty(place[0], mine[None])[0]).any():
                moving.add(place[0])
            else:
                kept.add(place[0])
        met: set[str] = set()
        passing: set[str] = set(ids)
        while True:
            reached = {made for made, feeding in self.graph.items() if passing & set(feeding)}
            lost = self._lost(reached, moving | kept, own)
            passing |= {name for name in reached if name in moving or name not in kept or name in lost}
            if reached == met:
                return met | (ids & {self.final})
            met = reached

    def _lost(self, met: set[str], made_again: set[str], own: EvaluatedLog) -> set[str]:
        """What the log has of `met` and no equation made again, and of `met` all that is made from that."""
        lost = {name for name in met - made_again if own.view.keys(name)}
        return lost | (downstream(self.graph, lost) & met)

    def _reaches(self, met: set[str], changed: Changed, own: EvaluatedLog) -> bool:
        """Whether the change went all the way: each variable between that the log has was made again."""
        view = own.view
        touched = {p[0] for p in changed.values} | {p[0] for p in changed.unknown}
        between = met & ({self.final} | upstream(self.graph, [self.final]))
        held = {v for v in between if view.keys(v) and upstream(self.graph, [v]) & touched}
        held = {v for v in held if v in touched or not _is_apart(v, changed, own)}
        made = {key for e in own.domain.equations if e.output == self.final for key in own.found[e.id].row}
        final = {(self.final, key) for key in self.keys}
        left = {place for place in final - changed.values.keys() if place in changed.unknown or place[1] not in made}
        return held <= touched and not left and bool(final & changed.values.keys())

    def _moved(self, changed: Changed, own: EvaluatedLog, other: EvaluatedLog) -> Effect:
        moved = whole = np.longdouble(0)
        ratios: list[float] = []
        for key in self.keys:
            a, b = own.view.at(self.final, key), other.view.at(self.final, key)
            assert a is not None
            assert b is not None
            new = changed.values.get((self.final, key), a)
            if (a > 0).all() and (b > 0).all() and (new > 0).all():
                ratios.append(float(a[0] / new[0] if own is self.pair.py else new[0] / a[0]))
                a, b, new = np.log(a), np.log(b), np.log(new)
            moved += np.sum((b - a) * (new - a))
            whole += np.sum((b - a) ** 2)
        if not whole > 0 or not np.isfinite(moved):
            return Effect()
        ratio = float(np.median(ratios)) if len(ratios) == len(self.keys) else None
        return Effect(float(moved / whole), self._factor(), ratio)

    def _factor(self) -> float | None:
        """The larger final value over the smaller where the sides are furthest apart; None for 0 or another sign."""
        factors = []
        for key in self.keys:
            c, py = (s.view.at(self.final, key) for s in self.pair.both)
            if c is None or py is None or len(c) != 1 or not c[0] * py[0] > 0:
                return None
            factors.append(float(max(c[0] / py[0], py[0] / c[0])))
        return max(factors, default=None)


def _kind_and_side(part: Sequence[Placed]) -> tuple[str, str]:
    return part[0].finding.kind, part[0].finding.side


def _is_in_use(part: Sequence[Placed]) -> bool:
    """Whether a fault is more than a print."""
    return part[0].finding.manner != "probe"


def _believed(part: Sequence[Placed], effect: Effect, *, is_pending: bool) -> Effect:
    """No share far above the whole where a value may be wrong in print only, or is made from one that is.

    Had the program gone on with it, the final values would be as far apart.
    """
    is_accused = part[0].finding.kind == "introduced"
    is_unsure = is_accused and (is_pending or not part[0].finding.manner)
    return Effect() if is_unsure and effect.share is not None and abs(effect.share) > FAR else effect


def _overshoot(shares: Sequence[float | None]) -> bool:
    """Whether shares move far more than there is to explain, and do not add up to it."""
    known = [share for share in shares if share is not None]
    return any(abs(share) > MUCH for share in known) and abs(sum(known) - 1) > NEXT


def _is_apart(variable: str, changed: Changed, own: EvaluatedLog) -> bool:
    """Whether equations make a variable at all its places from what did not change, as a first value is."""
    left = set(own.view.keys(variable))
    for equation in asked(own.domain):
        found = own.found[equation.id]
        if equation.output == variable and equation.conditional is not True:
            rows = ((key, n) for key, n in found.row.items() if key in left and found.outcomes[key].ok)
            left -= {key for key, n in rows if not any(place in changed for place in found.feeding(n))}
    return not left


def _apart(a: Array | None, b: Array | None) -> float:
    """The largest difference of a component; infinite if the two cannot be compared."""
    if a is None or b is None or a.shape != b.shape:
        return np.inf
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(a - b)))
