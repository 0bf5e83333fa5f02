"""Which side has the default of a setting, and which of two values the command line asks for.

A number of a log is that of a command line whatever its unit: where the two differ by a power of ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

import numpy as np

from trace_parity.blame.equation import Default, Domain, LoopSetting
from trace_parity.blame.log_values import Array, LogView
from trace_parity.blame.shape import EXPLAINS
from trace_parity.pair.vocabulary import Key
from trace_parity.printable import spell_apart

AS_ENTERED = 9
"""Most digits that a person enters."""
ROUNDED = 1e-14
"""Relative error in the last digits after a change of unit."""
FLAG = re.compile(r"(?<![\w-])-[A-Za-z]\w*")


def default_of(
    variable: str, key: Key, views: tuple[LogView, LogView], domain: Domain, argv: Sequence[str] = ()
) -> str:
    """Which of C's and PY's values is the default of a setting, at all its places, and what that says; else empty.

    `argv` is the command line, of which nothing is known where it is empty.
    """
    default = domain.defaults.get(variable)
    values = [view.at(variable, key) for view in views]
    if default is None or values[0] is None or values[1] is None or not _is_first(default, key, views[0]):
        return ""
    are = [
        all(_is_default(default, v.at(variable, k)) for k in v.keys(variable) if _is_first(default, k, v))
        for v in views
    ]
    at_key = [_is_default(default, v) for v in values]
    if are[0] == are[1] or at_key[0] == at_key[1]:
        return ""
    return told(default, ("C", "PY"), values[1], argv) if are[0] else told(default, ("PY", "C"), values[0], argv)


def told(default: Default, names: tuple[str, str], value: Array, argv: Sequence[str] = ()) -> str:
    """The hint when the first of two programs has the default and the other one `value`."""
    name, other = names
    if default.is_entered and not is_entered(value):
        return ""  # computed from something else, which may differ as well
    (usual, spelled), flags = in_words(default.values, value), [*FLAG.findall(default.flag), *default.also]
    if argv and not any(word in flags for word in argv):
        return f"{name} has the default, {other} {spelled}, and the command line has no {_or(default.flag)}"
    if default.is_entered and _asks_for(default.values, value, argv, flags):
        return f"{name} has {usual}, as the command line asks for; {other} has {spelled}"
    if name == "C" and not argv:  # the command line may ask for what C has
        return f"C has the default; PY has {spelled}, set by {default.flag}"
    return f"{name} has the default; {other} has {spelled}: {name} ignores {default.flag}"


def _is_first(default: Default, key: Key, view: LogView) -> bool:
    """Whether a place is of the iteration that the default is of."""
    loops = view.vocabulary.loops
    return not default.first_of or key[loops.index(default.first_of)] <= 0


def _is_default(default: Default, value: Array | None) -> bool:
    if value is None or len(value) != len(default.values):
        return False
    scale = np.max(np.abs(default.values)) or ROUNDED
    return bool((np.abs(value - default.values) <= EXPLAINS * scale).all())


def who_ignores(setting: LoopSetting, flags: str, c: int, py: int, argv: Sequence[str] = ()) -> str:
    """The same of the number of iterations of a loop."""
    if setting.default is None or setting.default not in (c, py):
        return f"set by {flags}"
    name, other, value = ("C", "PY", py) if c == setting.default else ("PY", "C", c)
    if _asks_for([setting.default], [value], argv, FLAG.findall(flags)):
        return f"{name} has {setting.default}, as the command line asks for; {other} has {value}"
    if name == "C" and not argv:
        return f"C has the default; PY has {value}, set by {flags}"
    return f"{name} has the default; {other} has {value}: {name} ignores {flags}"


def is_entered(value: Array) -> bool:
    """Whether numbers look entered by a person: few digits, apart from a change of unit."""
    with np.errstate(all="ignore"):
        few = np.array([np.longdouble(f"{x:.{AS_ENTERED - 1}e}") for x in value])
        return bool((np.abs(value - few) <= ROUNDED * np.abs(value)).all())


def in_words(*values: Iterable[float]) -> list[str]:
    """Values in words of a few digits, or of as many as tell components apart that differ."""
    columns = zip_longest(*([float(x) for x in value] for value in values))
    texts = [iter(spell_apart(*(x for x in column if x is not None))) for column in columns]
    return [" ".join(next(text) for text, _ in zip(texts, value, strict=False)) for value in values]


def _or(flags: str) -> str:
    return flags.replace(" and ", " or ")


def _asks_for(default: Iterable[float], value: Iterable[float], argv: Sequence[str], flags: Sequence[str]) -> bool:
    """Whether the numbers after the flags are those of the default, and not the other side's."""
    asked = _after(argv, flags)
    return bool(asked) and _is_of(asked, default) and not _is_of(asked, value)


def _after(argv: Sequence[str], flags: Sequence[str]) -> list[float]:
    """All numbers that follow one of the flags."""
    found: list[float] = []
    is_after = False
    for word in argv:
        try:
            number = float(word)
        except ValueError:
            is_after = word in flags
            continue
        if is_after:
            found.append(number)
    return found


def _is_of(asked: Sequence[float], values: Iterable[float]) -> bool:
    """Whether each value is among the numbers of the command line, a power of ten apart."""
    return all(any(_mantissa(number) == _mantissa(float(v)) for number in asked) for v in values)


def _mantissa(number: float) -> str:
    return f"{number:.6e}".partition("e")[0]
