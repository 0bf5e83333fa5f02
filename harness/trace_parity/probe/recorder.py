"""Write values of a Python program as trace lines. One file without dependencies: copy it into a program as `probe.py`.

    import probe                                   # or: from trace_parity import probe
    for step in probe.loop("step", range(steps)):
        dr = positions[:, None] - positions[None, :]
        probe.put("dr", dr, axes="i j", where="i != j")

Nothing happens unless the environment names a log in TRACE_PROBE_FILE, or `start` is called. TRACE_PROBE_FOCUS keeps
chosen places, as "i=5;i=7" or "step=1,i=2". A tensor is cut down to these before it is copied to the host, once.

A value waits until an index of its scope is left, so the last one that is put for a key is the one that is written.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any

Place = tuple[int, ...]
Focus = tuple[tuple[tuple[str, int], ...], ...]
"""Alternatives of (loop, index) pairs that hold together."""


class ProbeError(RuntimeError):
    """A value that cannot be written; the message says which and what to do."""


class Variable:
    """The properties of one variable, known before it is put: `loops` are its keys, `axes` those on leading axes."""

    def __init__(self, name: str, loops: Sequence[str], axes: Sequence[str] = (), where: str = "") -> None:
        self.name, self.loops, self.axes = name, tuple(loops), tuple(axes)
        self.outer = tuple(loop for loop in self.loops if loop not in self.axes)
        self.where = compile(where, f"where of {name}", "eval") if where else None


class Recorder:
    """One open log. Loop indices belong to a thread, or to a task of asyncio; the log is shared."""

    def __init__(self, path: str, focus: Focus = (), gradients: bool = False) -> None:
        self.file: IO[bytes] = open(path, "w+b")  # noqa: SIM115, PTH123
        self.focus, self.gradients = focus, gradients
        self.current: ContextVar[dict[str, int]] = ContextVar("indices")
        self.lock = threading.RLock()
        self.waiting: dict[tuple[str, Place, int], tuple[Variable, list[tuple[str, str]]]] = {}
        self.offsets: dict[bytes, int] = {}
        self.notes: dict[str, None] = {}
        self.hooked: set[str] = set()
        self.reached: set[str] = set()
        self.printed: dict[str, int] = {}

    @property
    def indices(self) -> dict[str, int]:
        """The loops that this thread or task is in, outermost first. Never changed in place, since tasks share it."""
        return self.current.get({})

    def set(self, loop: str, index: Any) -> None:
        """Enter an iteration."""
        try:
            number = index.__index__()
        except (AttributeError, TypeError, ValueError, RuntimeError):
            self.notes[f"{loop}: {type(index).__name__} is not a whole number, so it is not a key"] = None
            return
        if self.indices.get(loop) != number:
            self.flush(loop)
        self.current.set({**self.indices, loop: number})

    def leave(self, loop: str, before: int | None) -> None:
        """Leave a loop: back to the index that held before it."""
        if self.indices.get(loop) != before:
            self.flush(loop)
        if before is None:
            self.current.set({name: index for name, index in self.indices.items() if name != loop})
        else:
            self.current.set({**self.indices, loop: before})

    def wants(self, variable: Variable) -> bool:
        """Whether a value here is in the variable's scope and in focus; called before the value is read."""
        if any(self.indices.get(loop, -1) < 0 for loop in variable.outer):
            return False
        return not self.focus or any(self._fits(variable, alternative) for alternative in self.focus)

    def _fits(self, variable: Variable, alternative: tuple[tuple[str, int], ...]) -> bool:
        return all(self.indices[loop] == index for loop, index in alternative if loop in variable.outer)

    def put(self, variable: Variable, parts: Sequence[Any]) -> None:
        """Keep the value of a variable at the present indices; `parts` are joined into one vector."""
        outer = tuple(self.indices[loop] for loop in variable.outer)
        lines = self._lines(variable, parts, dict(zip(variable.outer, outer, strict=True)))
        key = (variable.name, outer, threading.get_ident())
        with self.lock:
            self.waiting.pop(key, None)
            self.waiting[key] = (variable, lines)
        if self.gradients and len(parts) == 1 and getattr(parts[0], "requires_grad", False):
            self._watch_gradient(variable, parts[0], dict(zip(variable.outer, outer, strict=True)))

    def flush(self, loop: str | None = None) -> None:
        """Write the waiting values that have this loop among their keys; all for None."""
        with self.lock:
            for key in [k for k, (variable, _) in self.waiting.items() if loop is None or loop in variable.outer]:
                for start, numbers in self.waiting.pop(key)[1]:
                    self._write(key[0], start.encode(), numbers.encode())

    def close(self) -> None:
        """Write out everything and close the log."""
        self.flush()
        self.file.close()

    def unreached(self) -> list[str]:
        """Variables whose gradient was expected and never arrived."""
        return sorted(self.hooked - self.reached)

    def _write(self, name: str, start: bytes, numbers: bytes) -> None:
        line = start + numbers + b"\n"
        earlier = self.offsets.get(start)
        if earlier is not None:  # a later write of the same key: mark the line, `drop_superseded` takes it out
            self.file.seek(earlier)
            self.file.write(b"removed")
        self.offsets[start] = self.file.seek(0, os.SEEK_END)
        self.file.write(line)
        self.printed[name] = self.printed.get(name, 0) + 1

    def _lines(self, variable: Variable, parts: Sequence[Any], outer: dict[str, int]) -> list[tuple[str, str]]:
        if not variable.axes:
            numbers = [n for part in parts for n in _numbers(variable.name, part)]
            return [(_start(variable, outer), _text(numbers))]
        rows: dict[Place, list[Any]] = {}
        for part in parts:
            places = self._places(variable, part, outer)
            for place, numbers in zip(places, _rows(variable, part, places), strict=True):
                rows.setdefault(place, []).extend(numbers)
        return [
            (_start(variable, outer | dict(zip(variable.axes, place, strict=True))), _text(numbers))
            for place, numbers in rows.items()
        ]

    def _places(self, variable: Variable, value: Any, outer: dict[str, int]) -> list[Place]:
        """The places of the leading axes that are in focus and that `where` keeps."""
        shape = tuple(value.shape)
        if len(shape) < len(variable.axes):
            raise ProbeError(f"{variable.name}: a value of shape {shape} has no axes {' '.join(variable.axes)}")
        chosen: dict[Place, None] = {}
        for alternative in self.focus or ((),):
            if self._fits(variable, alternative):
                wanted = dict(alternative)
                ranges = (
                    (wanted[axis],) if axis in wanted else range(size)
                    for axis, size in zip(variable.axes, shape, strict=False)
                )  # fmt: skip
                chosen |= dict.fromkeys(itertools.product(*ranges))
        places = [p for p in chosen if all(index < size for index, size in zip(p, shape, strict=False))]
        if variable.where is None:
            return places
        return [p for p in places if eval(variable.where, {}, outer | dict(zip(variable.axes, p, strict=True)))]

    def _watch_gradient(self, variable: Variable, value: Any, outer: dict[str, int]) -> None:
        gradient = Variable(f"grad_{variable.name}", variable.loops, variable.axes)
        gradient.where = variable.where
        self.hooked.add(variable.name)

        def arrived(grad: Any) -> None:
            self.reached.add(variable.name)
            with self.lock:
                key = (gradient.name, tuple(outer.values()), threading.get_ident())
                self.waiting[key] = (gradient, self._lines_at(gradient, grad, outer))

        value.register_hook(arrived)

    def _lines_at(self, variable: Variable, value: Any, outer: dict[str, int]) -> list[tuple[str, str]]:
        """Lines under the indices that held when the value was put, not those of now."""
        now = self.indices
        try:
            self.current.set(dict(outer))
            return self._lines(variable, (value,), outer)
        finally:
            self.current.set(now)


def _start(variable: Variable, indices: dict[str, int]) -> str:
    key = " ".join(f"{loop}={indices[loop]}" for loop in variable.loops)
    return f"TRACE_PY[{key}]: {variable.name}" if key else f"TRACE_PY: {variable.name}"


def _text(numbers: Iterable[Any]) -> str:
    return "".join(f" {n:d}" if isinstance(n, int) else f" {n:.17g}" for n in numbers)


def _rows(variable: Variable, value: Any, places: Sequence[Place]) -> list[list[Any]]:
    """The numbers at each place: selected where the value is, then copied to the host in one piece."""
    count = len(variable.axes)
    shape = tuple(value.shape)
    total = 1
    for size in shape[:count]:
        total *= size
    flat = value.detach() if hasattr(value, "detach") else value
    flat = flat.reshape((total, -1)) if total else flat.reshape((0, 1))
    if len(places) < total:
        strides = [1] * count
        for axis in range(count - 2, -1, -1):
            strides[axis] = strides[axis + 1] * shape[axis + 1]
        flat = flat[[sum(i * s for i, s in zip(place, strides, strict=True)) for place in places]]
    if not places:
        return []
    numbers = _numbers(variable.name, flat)
    width = len(numbers) // len(places)
    return [numbers[width * k : width * (k + 1)] for k in range(len(places))]


def _numbers(name: str, value: Any) -> list[Any]:
    """All numbers of a value, last axis fastest; a complex one as its two parts. Raises ProbeError."""
    try:
        if hasattr(value, "detach"):
            value = value.detach()
        if hasattr(value, "cpu"):
            value = value.cpu()
        plain = value.tolist() if hasattr(value, "tolist") else value
    except (RuntimeError, NotImplementedError) as error:
        raise ProbeError(
            f"{name}: the value has no numbers here ({str(error).splitlines()[0]}); it is inside torch.vmap, another"
            " transform or a compiled graph. Trace without compiling (TORCHDYNAMO_DISABLE=1), or put the value by hand"
            f' where the call has returned: probe.put("{name}", value, axes="...")'
        ) from error
    numbers: list[Any] = []
    pending = [plain]
    while pending:
        part = pending.pop()
        if isinstance(part, (list, tuple)):
            pending.extend(reversed(part))
        elif isinstance(part, complex):
            numbers += [part.real, part.imag]
        elif isinstance(part, (bool, int)):
            numbers.append(int(part))
        elif hasattr(part, "detach"):
            numbers += _numbers(name, part)
        else:
            try:
                numbers.append(float(part))
            except (TypeError, ValueError) as error:
                raise ProbeError(f"{name}: {type(part).__name__} is not a number") from error
    return numbers


# what a program calls

_recorder: Recorder | None = None


def start(path: str, focus: Focus = (), gradients: bool = False) -> Recorder:
    """Write a log from here on. Raises OSError when it cannot be opened."""
    global _recorder
    if _recorder is not None:
        stop()
    _recorder = Recorder(path, focus, gradients)
    return _recorder


def stop() -> Recorder | None:
    """Close the log, if there is one, and return what wrote it."""
    global _recorder
    last, _recorder = _recorder, None
    if last is not None:
        last.close()
    return last


def enabled() -> bool:
    """Whether a log is being written."""
    return _recorder is not None


def put(name: str, value: Any, axes: str | Sequence[str] = (), where: str = "", **indices: int) -> None:
    """Write a value under the loops that the program is in, its leading `axes`, and the given indices."""
    if _recorder is None:
        return
    names = axes.split() if isinstance(axes, str) else tuple(axes)
    with at(**indices):
        variable = Variable(name, (*_recorder.indices, *names), names, where)
        if _recorder.wants(variable):
            _recorder.put(variable, (value,))


def loop(name: str, iterable: Iterable[Any]) -> Iterator[Any]:
    """Iterate, with each whole number (else its place) as the index of loop `name`."""
    if _recorder is None:
        yield from iterable
        return
    before = enter(name)
    try:
        for place, item in enumerate(iterable):
            set_index(name, item if hasattr(item, "__index__") else place)
            yield item
    finally:
        leave(name, before)


@contextmanager
def at(**indices: int) -> Iterator[None]:
    """Set loop indices for a block."""
    before = {name: enter(name) for name in indices}
    try:
        for name, index in indices.items():
            set_index(name, index)
        yield
    finally:
        for name in reversed(before):
            leave(name, before[name])


# what rewritten functions call

variables: list[Variable] = []
"""The table that the numbers in rewritten functions refer to."""


def enter(name: str) -> int | None:
    """The index of a loop before it is entered, for `leave`."""
    return _recorder.indices.get(name) if _recorder is not None else None


def set_index(name: str, index: Any) -> None:
    """Begin an iteration of a loop."""
    if _recorder is not None:
        _recorder.set(name, index)


def leave(name: str, before: int | None) -> None:
    """Leave a loop."""
    if _recorder is not None:
        _recorder.leave(name, before)


def probe(number: int, value: Callable[[], tuple[Any, ...]], /, **index: Callable[[], Any]) -> None:
    """Read and keep the value of a variable, when it is wanted here, under `index` and the loops around."""
    if _recorder is None:
        return
    if index:
        before = {name: enter(name) for name in index}
        try:
            for name, read in index.items():
                set_index(name, read())
            probe(number, value)
        finally:
            for name, last in before.items():
                leave(name, last)
        return
    variable = variables[number]
    if not _recorder.wants(variable):
        return
    try:
        parts = value()
    except (NameError, AttributeError):  # a name of the expression that is set further on
        return
    except Exception as error:
        raise ProbeError(f"{variable.name}: its expression fails: {type(error).__name__}: {error}") from error
    _recorder.put(variable, parts)


def then(value: Any, number: int, read: Callable[[], tuple[Any, ...]], /, **index: Callable[[], Any]) -> Any:
    """`value`, after a probe: for assignments inside expressions."""
    probe(number, read, **index)
    return value


for _function in (put, enter, set_index, leave, probe, then, start, stop):
    setattr(_function, "_torchdynamo_disable", True)  # noqa: B010  # what torch.compiler.disable sets: not traced


def parse_focus(text: str) -> Focus:
    """`i=5;i=7` as alternatives. Raises ValueError."""
    alternatives = (a for a in text.split(";") if a)
    return tuple(tuple((k.strip(), int(v)) for k, v in (p.split("=") for p in a.split(","))) for a in alternatives)


def _from_environment() -> None:
    path = os.environ.get("TRACE_PROBE_FILE")
    launched = (
        __name__ == "trace_parity.probe.recorder" and "TRACE_PROBE_JOB" in os.environ
    )  # its launcher starts the log
    if path and not launched:
        start(path, parse_focus(os.environ.get("TRACE_PROBE_FOCUS", "")), bool(os.environ.get("TRACE_PROBE_GRADIENTS")))
    atexit.register(stop)


_from_environment()
