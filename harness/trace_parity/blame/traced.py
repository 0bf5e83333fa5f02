"""Arrays that note how many digits each operation on them loses, and what the operation is in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trace_parity.blame.log_values import Array

STEP = np.longdouble(1e-10)
"""Relative step of the derivative of a function of one argument."""
TEXT = 60
"""Characters of an operation in words; what is longer is cut inside."""
SIGNS = {"add": " + ", "subtract": " − ", "multiply": "·", "divide": "/", "power": "^"}
EXACT_RESULT = frozenset("rint floor ceil trunc sign isfinite isnan signbit logical_and logical_or logical_not".split())
COMPARISONS = frozenset("less less_equal greater greater_equal equal not_equal".split())


@dataclass
class Operations:
    """What was done: each operation in words, with the factor by which it enlarges a relative error at each place."""

    done: list[tuple[str, Array]] = field(default_factory=list)

    def note(self, text: str, factor: Any) -> None:
        """One operation; only factors beyond 1 are of interest."""
        array = np.asarray(factor, np.longdouble)
        if array.ndim == 2 and np.nanmax(np.where(np.isfinite(array), array, 0), initial=0) > 10:
            self.done.append((text, array))


class Traced(np.ndarray[Any, Any]):
    """`text` is what the array is, `exact` that it is known without error; `operations` are those of the evaluation."""

    text: str
    exact: bool
    operations: Operations | None

    def __array_finalize__(self, source: Any) -> None:
        self.text = getattr(source, "text", "")
        self.exact = getattr(source, "exact", True)
        self.operations = getattr(source, "operations", None)

    def __getitem__(self, index: Any) -> Any:
        """A component is named by its index."""
        part = super().__getitem__(index)
        if isinstance(part, Traced) and isinstance(index, tuple) and len(index) == 2 and self.text.isidentifier():
            which = index[1]
            first = which[0] if isinstance(which, list) else which.start if isinstance(which, slice) else which
            if isinstance(first, int) and np.shape(part) != np.shape(self):
                part.text = f"{self.text}[{first}]"
        return part

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """Evaluate on plain arrays and record what is lost."""
        bare = [_bare(value) for value in inputs]
        result = getattr(ufunc, method)(*bare, **options)
        operations = next((v.operations for v in inputs if isinstance(v, Traced) and v.operations is not None), None)
        exact = [not isinstance(value, Traced) or value.exact for value in inputs]
        text = _in_words(ufunc.__name__, method, inputs)
        if operations is not None and not all(exact):
            with np.errstate(all="ignore"):
                factor = _factor(ufunc, method, bare, exact, result, options)
            if factor is not None:
                operations.note(text, factor)
        known = all(exact) or ufunc.__name__ in EXACT_RESULT or ufunc.__name__ in COMPARISONS
        return traced(result, text, known, operations)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Functions other than ufuncs: evaluated on plain arrays, the result named by the function."""
        flat = list(_flat((*args, *kwargs.values())))
        operations = next((v.operations for v in flat if v.operations is not None), None)
        result = func(*_plain(args), **{name: _bare(value) for name, value in kwargs.items()})
        first = flat[-1] if func is np.where and flat else None
        names = ", ".join(dict.fromkeys(v.text for v in flat if v.text))
        if func is np.sum and flat:
            with np.errstate(all="ignore"):
                sizes = func(np.abs(_bare(args[0])), *_plain(args[1:]), **kwargs)
                if operations is not None and not flat[0].exact:
                    operations.note(f"sum of {flat[0].text}", sizes / np.abs(result))
        text = first.text if first is not None else f"{getattr(func, '__name__', '')}({names})"
        if func is np.full_like and len(args) > 1:
            return traced(result, _number(_bare(args[1])), True, operations)
        return traced(result, _cut(text), all(v.exact for v in flat), operations)


def traced(value: Any, text: str, exact: bool, operations: Operations | None) -> Any:
    """An array as one that records its operations; anything else unchanged."""
    if not isinstance(value, np.ndarray):
        return value
    made = value.view(Traced)
    made.text, made.exact, made.operations = _cut(text), exact, operations
    return made


def _factor(ufunc: Any, method: str, bare: list[Any], exact: list[bool], result: Any, options: Any) -> Any:
    """By how much a relative error of the operands grows; None where it does not."""
    name = ufunc.__name__
    if method == "reduce" and name == "add":
        return ufunc.reduce(np.abs(bare[0]), **options) / np.abs(result)
    if method != "__call__" or name in EXACT_RESULT or name in COMPARISONS:
        return None
    if name in ("add", "subtract"):
        return sum(np.abs(v) for v, known in zip(bare, exact, strict=True) if not known) / np.abs(result)
    if len(bare) == 1 and name not in ("negative", "absolute", "positive", "sqrt", "square"):
        moved = ufunc(np.asarray(bare[0]) * (1 + STEP))
        return np.abs(moved - result) / (STEP * np.abs(result))
    return None


def _in_words(name: str, method: str, inputs: tuple[Any, ...]) -> str:
    words = [v.text if isinstance(v, Traced) else _number(v) for v in inputs]
    if method == "reduce":
        return f"sum of {words[0]}" if name == "add" else f"{name} of {words[0]}"
    if name in SIGNS and len(words) == 2:
        sign = SIGNS[name]
        inner = [f"({w})" if sign not in (" + ", " − ") and (" + " in w or " − " in w) else w for w in words]
        return f"{inner[0]}{sign}{inner[1]}"
    if name == "negative":
        return f"−{words[0]}"
    return f"{name}({', '.join(words)})"


def _number(value: Any) -> str:
    flat = np.unique(np.asarray(value))
    return f"{float(flat[0]):.6g}" if flat.size == 1 and flat.dtype.kind in "fiub" else "…"


def _cut(text: str) -> str:
    return text if len(text) <= TEXT else f"{text[: TEXT // 2 - 1]}…{text[-TEXT // 2 :]}"


def _bare(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Traced) else value


def _plain(values: Any) -> Any:
    return type(values)(_plain(v) if isinstance(v, (list, tuple)) else _bare(v) for v in values)


def _flat(values: Any) -> Any:
    for value in values:
        if isinstance(value, Traced):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _flat(value)
