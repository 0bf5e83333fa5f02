"""Loops that have another number of iterations in the other log: a setting, which no equation can break."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trace_parity.blame.defaults import who_ignores
from trace_parity.blame.equation import Domain, LoopSetting, same_but
from trace_parity.blame.log_values import LogView
from trace_parity.pair.vocabulary import ABSENT, Key


@dataclass(frozen=True)
class Uneven:
    """A loop and its number of iterations in each log.

    words: the flag that sets it, and who ignores it; is_sure: the number of all iterations, which is in the logs too,
    fits, so that not the lines alone are fewer; varying: the ids of variables that change between iterations.
    """

    loop: str
    c: int
    py: int
    name: str
    words: str
    is_sure: bool
    varying: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}: C {self.c}, PY {self.py}" + (f" ({self.words})" if self.words else "")

    @property
    def source(self) -> str:
        """The words for where a value comes from that differs because of it."""
        return f"the number of {self.name} (C {self.c}, PY {self.py})"


def uneven_loops(c: LogView, py: LogView, domain: Domain, argv: Sequence[str] = ()) -> tuple[Uneven, ...]:
    """The loops whose number of iterations is one number in each log, and another one; those of one setting once.

    `argv` is the command line, of which nothing is known where it is empty.
    """
    found: dict[str, Uneven] = {}
    sizes_of = {loop: (size_of(c, loop, py), size_of(py, loop, c)) for loop in c.vocabulary.loops}
    sizes_known = {loop: (a, b) for loop, (a, b) in sizes_of.items() if a is not None and b is not None and a != b}
    sure = _says_so(c, py, sizes_known, domain)
    for loop, sizes in sizes_known.items():
        if sure is False:
            continue
        longer = c if sizes[0] > sizes[1] else py
        varying = frozenset(v for v in longer.variables if _varies(longer, v, loop))
        setting = domain.loops.get(loop)
        name = setting.name if setting is not None else f"iterations of {loop}"
        words = _told(setting, varying, *sizes, argv) if setting is not None and sure else ""
        known = found.get(name)
        if known is not None:
            varying |= known.varying
        if known is None or (known.c, known.py) == (sizes[0], sizes[1]):
            found[name] = Uneven(loop, *sizes, name, words, sure is True, varying)
    return tuple(found.values())


def due_to(variable: str, uneven: Sequence[Uneven]) -> Uneven | None:
    """The loop by whose other number of iterations a value differs."""
    return next((one for one in uneven if variable in one.varying), None)


def _told(setting: LoopSetting, varying: frozenset[str], c: int, py: int, argv: Sequence[str]) -> str:
    """`PY has the default, C a number that was set, 9: PY ignores -hdivsteps`, as far as the default tells."""
    by = [flag for name, flag in setting.by.items() if name in varying]
    flags = by[0] if len(by) == 1 else setting.flag
    return who_ignores(setting, flags, c, py, argv)


def _says_so(c: LogView, py: LogView, sizes: Mapping[str, tuple[int, int]], domain: Domain) -> bool | None:
    """Whether the number of all iterations in both logs fits what is in them; None where one of them does not say."""
    settings = [domain.loops.get(loop) for loop in sizes]
    counted = [size for one, size in zip(settings, sizes.values(), strict=True) if one is None or one.is_counted]
    products = [math.prod(size[side] for size in counted) for side in (0, 1)]
    keys = set(c.keys(domain.iterations)) & set(py.keys(domain.iterations))
    totals = [(_at(c, domain.iterations, key), _at(py, domain.iterations, key)) for key in keys]
    return all(np.array_equal(a * products[1], b * products[0]) for a, b in totals) if totals else None


def _at(view: LogView, variable: str, key: Key) -> np.ndarray:
    value = view.at(variable, key)
    return np.array([]) if value is None else value


def size_of(view: LogView, loop: str, other: LogView) -> int | None:
    """The number of iterations, at every place that both logs have; None where it is not one, or some are left out."""
    place = view.vocabulary.loops.index(loop)
    theirs = {key[:place] for key in _keys(other, loop)}
    met: dict[Key, set[int]] = {}
    for key in _keys(view, loop):
        if key[:place] in theirs or not any(i != ABSENT for i in key[:place]):
            met.setdefault(key[:place], set()).add(key[place])
    sizes = {len(ticks) for ticks in met.values()}
    whole = all(max(ticks) - min(ticks) + 1 == len(ticks) and min(ticks) in (0, 1) for ticks in met.values())
    return sizes.pop() if len(sizes) == 1 and whole else None


def _keys(view: LogView, loop: str) -> list[Key]:
    """The places of all variables that sit in a loop."""
    name, place = f"places in {loop}", view.vocabulary.loops.index(loop)
    if name not in view.memo:
        inside = (v.id for v in view.variables.values() if loop in v.scope.loops)
        view.memo[name] = [key for variable in inside for key in view.keys(variable) if key[place] != ABSENT]
    keys: list[Key] = view.memo[name]
    return keys


def _varies(view: LogView, variable: str, loop: str) -> bool:
    """Whether a variable changes from the first iteration of a loop to another, by more than rounding."""
    place = view.vocabulary.loops.index(loop)
    first: dict[Key, np.ndarray] = {}
    for key in view.keys(variable):
        if key[place] == ABSENT:
            return False
        value = _at(view, variable, key)
        known = first.setdefault(same_but(key, place, ABSENT), value)
        spread = 2 * view.uncertainty(variable, known[None])[0]
        if known.shape == value.shape and (np.abs(value - known) > spread).any():
            return True
    return False
