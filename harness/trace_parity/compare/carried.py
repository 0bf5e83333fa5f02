"""Values that a log carries over from another tick of a loop, and what both logs carry over alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trace_parity.compare.align import Alignment
from trace_parity.pair.quirk_ledger import Quirk, Stale
from trace_parity.pair.vocabulary import Key
from trace_parity.trace.table import TraceTable

Floats = npt.NDArray[np.float64]

EVEN = 0.05
"""A difference of the sides that varies relatively by less than this over the ticks counts as constant."""


NEAREST = 4
"""Ticks from which the value of another one is predicted."""
MOVES = 1e-9
"""A value that changes relatively by less than this over the ticks is constant apart from rounding."""
PREDICTS = 1e-3
"""A prediction with a larger relative error is not used."""


def _through(ticks: Sequence[tuple[float, Floats]], at: float) -> Floats:
    """The value at `at` of the polynomial through the ticks (Lagrange)."""
    total = np.zeros_like(ticks[0][1])
    for i, (x, value) in enumerate(ticks):
        weight = math.prod((at - other) / (x - other) for j, (other, _) in enumerate(ticks) if j != i)
        total = total + weight * value
    return total


class Ticks:
    """One variable of one log over the ticks of a loop."""

    def __init__(self, table: TraceTable, variable: str, place: int) -> None:
        self.place = place
        self.vectors: dict[Key, tuple[float, ...]] = {}
        for key, name, _ in table.rows:
            if name == variable and key[place] >= 0 and key not in self.vectors:
                self.vectors[key] = table.vector(key, name)

    def carried_from(self, key: Key) -> int | None:
        """The tick whose value is at `key` in all digits, where not all ticks have that value.

        Of two ticks alone this is true of every value that does not change: there the other log has to differ.
        """
        own = self.vectors.get(key)
        others = {k[self.place]: v for k, v in self._alike(key) if k != key}
        same = [tick for tick, value in others.items() if value == own]
        return max(same) if own is not None and same and (len(others) == 1 or len(same) < len(others)) else None

    def moves(self) -> bool:
        """Whether the value changes over three ticks or more, by more than rounding."""
        found = list(self.vectors.values())
        values = np.array([v for v in found if len(v) == len(found[0])], dtype=np.float64)
        values = values[np.isfinite(values).all(axis=-1)] if values.size else values
        size = float(np.max(np.abs(values), initial=0))
        return len(values) > 2 and bool(np.max(np.ptp(values, axis=0), initial=0) > MOVES * size)

    def is_predicted(self, key: Key, at: Callable[[Key], float], rtol: float) -> bool:
        """Whether the value at `key` continues those of the nearest ticks, `at` being the quantity that they go by.

        A polynomial through four ticks predicts it; that through three says how well. False where they do not predict
        it to PREDICTS, or where there are fewer ticks: what cannot be checked is not evidence.
        """
        own = np.asarray(self.vectors.get(key, ()))
        others = [(at(k), np.asarray(v)) for k, v in self._alike(key) if k != key and len(v) == len(own)]
        there = at(key)
        near = [(x, v) for x, v in others if math.isfinite(x) and x != there] if math.isfinite(there) else []
        near = sorted(near, key=lambda tick: abs(tick[0] - there))[:NEAREST]
        if len(near) < NEAREST or len({x for x, _ in near}) < NEAREST:
            return False
        with np.errstate(all="ignore"):
            three, four = (_through(near[:n], there) for n in (NEAREST - 1, NEAREST))
            size = max(float(np.linalg.norm(own)), float(np.linalg.norm(four)))
            doubt = 4 * float(np.linalg.norm(four - three)) + rtol * size
            return bool(doubt <= PREDICTS * size and np.linalg.norm(own - four) <= doubt)

    def _alike(self, key: Key) -> Iterator[tuple[Key, tuple[float, ...]]]:
        rest = (key[: self.place], key[self.place + 1 :])
        return ((k, v) for k, v in self.vectors.items() if (k[: self.place], k[self.place + 1 :]) == rest)


@dataclass(frozen=True)
class Known:
    """What is known of the values of both logs apart from their ticks.

    `differing`: where the sides differ beyond the tolerance. `obeyed`: whether a log has the value there that an
    equation makes, which then shows no quirk, whatever the other ticks have.
    """

    differing: Collection[tuple[str, Key]]
    obeyed: Callable[[str, Key], bool]


def of_both(alignment: Alignment, quirks: tuple[Quirk, ...], known: Known) -> tuple[str, ...]:
    """A sentence per quirk that both logs show at the same tick, with what still differs."""
    notes = []
    for quirk in quirks:
        if isinstance(quirk.signature, Stale) and (note := _of_both(alignment, quirk, quirk.signature, known)):
            notes.append(note)
    return tuple(notes)


def _of_both(alignment: Alignment, quirk: Quirk, signature: Stale, known: Known) -> str:
    vocabulary = alignment.vocabulary
    place = vocabulary.loops.index(signature.loop)
    condition = next((v.id for v in vocabulary.named(signature.when_variable)), "")
    for name in (*signature.variables, *signature.instead):
        for variable in vocabulary.named(name):
            c, py = (Ticks(table, variable.id, place) for table in (alignment.c, alignment.py))
            for key in c.vectors:
                tick = c.carried_from(key)
                holds = all(t.value(key, condition) == signature.when_equals for t in (alignment.c, alignment.py))
                tells = c.moves() or (variable.id, key) in known.differing
                same = holds and tick is not None and tick == py.carried_from(key)
                if same and tells and not known.obeyed(variable.id, key):
                    at = f"{signature.loop}={key[place]}"
                    seen = f"{name} at {at} is that of {signature.loop}={tick}"
                    apart = _constant(c, py, variable.id, signature.loop, known)
                    return f"both sides show quirk {quirk.id} ({seen}){apart}"
    return ""


UPSTREAM = "that comes from upstream"
"""The end of a note, with what differs."""


def _constant(c: Ticks, py: Ticks, variable: str, loop: str, known: Known) -> str:
    """A note if the sides differ by the same at every tick, which no carried value explains."""
    keys = [k for k in c.vectors if k in py.vectors]
    if not keys or any((variable, k) not in known.differing for k in keys):
        return ""
    apart = [max(abs(a - b) for a, b in zip(c.vectors[k], py.vectors[k], strict=False)) for k in keys]
    by = f"by the same {max(apart):.2g} " if max(apart) - min(apart) <= EVEN * max(apart) else ""
    return f"; {variable.rpartition('.')[2]} differs {by}at all {len(apart)} ticks of {loop}: {UPSTREAM}"
