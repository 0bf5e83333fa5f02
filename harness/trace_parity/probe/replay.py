"""Call one function of the port with the inputs that C had at each place, and compare its results with C's.

    [replay.pair_force]                       # in probes.toml
    call = "lj_port.model:pair_force"
    inputs = { r2 = "r2" }                    # parameter = variable of the trace
    outputs = ["f_over_r"]                    # what it returns, in order

An input that has fewer loops than the outputs is the one of the loops around. So a routine is tested on its own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.printable import plural
from trace_parity.probe.probes_file import ProbesFile
from trace_parity.probe.recorder import _numbers as numbers_of
from trace_parity.trace.lines import BadLineError, parse_line

Place = tuple[tuple[str, int], ...]
FLOOR = 1e-12
"""Of the largest magnitude of an output: numbers that cancel to less have no digits of their own."""


@dataclass(frozen=True)
class Replay:
    """One `[replay.NAME]` table."""

    name: str
    call: str
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """A number that the function returns and that differs from C's."""

    place: Place
    output: str
    component: int
    c: float
    py: float


@dataclass(frozen=True)
class Replayed:
    """The outcome: places called, numbers compared, differences in the order of the log, places left out."""

    places: int
    compared: int
    differences: tuple[Difference, ...]
    without_inputs: int


def read_replay(file: ProbesFile, name: str) -> Replay:
    """The table of that name. Raises HarnessError (exit 2) when there is none or it is not complete."""
    tables = file.tables.get("replay", {})
    if name not in tables:
        known = ", ".join(tables) or "none has been described"
        raise HarnessError(Exit.USAGE, f"no [replay.{name}]", where=str(file.path), expected=f"one of {known}")
    table, where = tables[name], f"{file.path}: replay.{name}"
    for key in ("call", "inputs", "outputs"):
        if key not in table:
            raise HarnessError(Exit.USAGE, f"no {key}", where=where, expected="call, inputs and outputs")
    if table["call"].count(":") != 1:
        raise HarnessError(Exit.USAGE, f"call = {table['call']!r}", where=where, expected='"package.module:function"')
    return Replay(name, table["call"], dict(table["inputs"]), tuple(table["outputs"]))


def find_function(call: str, folder: Path) -> Callable[..., Any]:
    """`package.module:function`, with `folder` on the path. Raises HarnessError (exit 2) when there is none."""
    module, _, name = call.partition(":")
    sys.path.insert(0, str(folder.resolve()))
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise HarnessError(Exit.USAGE, str(error), where=call, expected="a function of the port") from error
    finally:
        sys.path.remove(str(folder.resolve()))
    function: Callable[..., Any] = found
    return function


def replay(
    log: Path, wanted: Replay, function: Callable[..., Any], loops: Sequence[str], rtol: float | Callable[[str], float]
) -> Replayed:
    """Call the function at every place where the log has all outputs; `rtol` may depend on the output's name.

    Raises HarnessError: exit 3 when the function fails, exit 5 for a log that cannot be read.
    """
    values = _read(log, {*wanted.inputs.values(), *wanted.outputs}, loops)
    places = [p for p in values.get(wanted.outputs[0], {}) if all(p in values.get(o, {}) for o in wanted.outputs)]
    largest = {
        o: max((abs(x) for v in values.get(o, {}).values() for x in v if math.isfinite(x)), default=0.0)
        for o in wanted.outputs
    }
    differences, compared, left_out = [], 0, 0
    for place in places:
        given = {name: _around(values.get(variable, {}), place) for name, variable in wanted.inputs.items()}
        if any(v is None for v in given.values()):
            left_out += 1
            continue
        try:
            returned = function(**{name: _argument(v) for name, v in given.items() if v is not None})
        except Exception as error:
            raise HarnessError(
                Exit.PROGRAM_FAILED, f"{type(error).__name__}: {error}", where=f"{wanted.call} at {_say(place)}"
            ) from error
        parts = returned if len(wanted.outputs) > 1 else (returned,)
        if len(parts) != len(wanted.outputs):
            raise HarnessError(
                Exit.USAGE,
                f"{plural(len(parts), 'value')} returned",
                where=wanted.call,
                expected=", ".join(wanted.outputs),
            )
        for output, part in zip(wanted.outputs, parts, strict=True):
            c, py = values[output][place], numbers_of(output, part)
            if len(c) != len(py):
                raise HarnessError(
                    Exit.SHAPE_MISMATCH,
                    f"{output}: C has {plural(len(c), 'number')}, {wanted.call} {len(py)}",
                    where=_say(place),
                )
            compared += len(c)
            allowed = rtol(output) if callable(rtol) else rtol
            differences += [
                Difference(place, output, k, a, float(b))
                for k, (a, b) in enumerate(zip(c, py, strict=True))
                if not _agree(a, float(b), allowed, largest[output])
            ]
    return Replayed(len(places) - left_out, compared, tuple(differences), left_out)


def _agree(c: float, py: float, rtol: float, largest: float) -> bool:
    if not (math.isfinite(c) and math.isfinite(py)):
        return c == py or (math.isnan(c) and math.isnan(py))
    return c == py or abs(c - py) <= rtol * max(abs(c), abs(py)) + FLOOR * largest


def _read(log: Path, names: set[str], loops: Sequence[str]) -> dict[str, dict[Place, list[float]]]:
    found: dict[str, dict[Place, list[float]]] = {}
    try:
        with log.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    parsed = parse_line(line, tuple(loops))
                except BadLineError as error:
                    raise HarnessError(Exit.UNREADABLE, str(error), where=f"{log}:{number}") from error
                if parsed is not None and parsed.side == "C":
                    for name, words in parsed.values:
                        if name in names:
                            values = [number.value for _, number in words]
                            found.setdefault(name, {})[tuple(parsed.indices.items())] = values
    except OSError as error:
        raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(log)) from error
    return found


def _around(values: Mapping[Place, list[float]], place: Place) -> list[float] | None:
    """The value at a place, or at the loops around it."""
    for depth in range(len(place), -1, -1):
        if (found := values.get(place[:depth])) is not None:
            return found
    return None


def _argument(numbers: Sequence[float]) -> Any:
    """Numbers as the port takes them: a float64 tensor when it uses torch, else a float or a list."""
    plain: Any = numbers[0] if len(numbers) == 1 else list(numbers)
    torch = sys.modules.get("torch")
    return plain if torch is None else torch.tensor(plain, dtype=torch.float64)


def _say(place: Iterable[tuple[str, int]]) -> str:
    return " ".join(f"{loop}={index}" for loop, index in place) or "the whole run"


def describe(result: Replayed, wanted: Replay) -> list[str]:
    """The result in lines: the first difference, the worst of each output, and how much agrees, as the verdict."""
    places, numbers = plural(result.places, "place"), plural(result.compared, "number")
    word = "DIFFERS" if result.differences else "AGREES"
    verdict = f"{word}  {wanted.call}: {places}, {numbers}, {len(result.differences)} differ"
    lines = []
    if result.without_inputs:
        lines.append(f"{plural(result.without_inputs, 'place')} left out: the log lacks an input there")
    if result.differences:
        d = result.differences[0]
        lines.append(f"first: {d.output}[{d.component}] at {_say(d.place)}: C {d.c:.17g}, port {d.py:.17g}")
        for output in wanted.outputs:
            own = [
                abs(d.c - d.py) / (max(abs(d.c), abs(d.py)) or 1.0) for d in result.differences if d.output == output
            ]
            if own:
                lines.append(f"{output}: {len(own)} differ, largest relative difference {max(own):.3g}")
    return [*lines, verdict]
