"""How far rounding alone changes each number of a case: the file that `trace-diff calibrate` writes.

A spread is the largest deviation of a number from that of the program's own build, over builds that change rounding
only and over inputs changed by one unit in the last place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.files import parse_json, read_regular, write_whole
from trace_parity.pair.variables import Key
from trace_parity.plain import from_plain

FORMAT = "trace-diff calibration 1"
FOLDER = "calibrations"
"""Where the files lie in a pair's folder, one per case."""
Number = tuple[str, Key, int]
"""Variable.id, loop indices, component."""


@dataclass(frozen=True)
class Member:
    """One run of the measurement: how many numbers it changed, and how many of the default build's it lacks.

    kind: build, perturbed or float32; `skipped` says why it was not run.
    """

    name: str
    kind: str
    compiler: str = ""
    moved: int = 0
    missing: int = 0
    largest_rel: float = 0.0
    skipped: str = ""


@dataclass(frozen=True)
class Origin:
    """The origin of a calibration. `sources`, `case` and `variants` are digests; it is outdated when one changes."""

    pair: str
    case: str
    against: str
    date: str
    sources: str
    case_digest: str
    variants: str
    samples: int


@dataclass(frozen=True)
class Calibration:
    """The spreads of one case. `loops` are the loops that the keys index; `single` has the error of a float32 build."""

    origin: Origin
    loops: tuple[str, ...]
    members: tuple[Member, ...]
    spreads: Mapping[Number, float]
    single: Mapping[Number, float] = field(default_factory=dict)

    @property
    def moved(self) -> int:
        """How many numbers rounding moves at all."""
        return sum(1 for spread in self.spreads.values() if spread > 0)

    def with_loops(self, loops: tuple[str, ...]) -> Calibration:
        """The same with keys in the order of `loops`. Raises HarnessError (exit 2) where it has other loops."""
        if loops == self.loops:
            return self
        if unknown := [loop for loop in self.loops if loop not in loops]:
            raise HarnessError(
                Exit.USAGE,
                f"the calibration indexes loop {unknown[0]!r}",
                expected=f"loops of the logs: {', '.join(loops) or 'none'}",
            )

        def moved(numbers: Mapping[Number, float]) -> dict[Number, float]:
            return {
                (name, tuple(dict(zip(self.loops, key, strict=True)).get(loop, -1) for loop in loops), n): spread
                for (name, key, n), spread in numbers.items()
            }

        return Calibration(self.origin, loops, self.members, moved(self.spreads), moved(self.single))


def write_calibration(found: Calibration, path: Path) -> None:
    """Write the file whole. Raises HarnessError (exit 74 or 2)."""
    origin, members = vars(found.origin), [_plain(vars(member)) for member in found.members]
    head = {"format": FORMAT, **origin, "loops": list(found.loops), "members": members}
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    rows = [f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in _by_variable(found).items()]
    write_whole(path, "{\n" + ",\n".join(lines) + ',\n  "variables": {\n' + ",\n".join(rows) + "\n  }\n}\n")


def _by_variable(found: Calibration) -> dict[str, dict[str, list[Any]]]:
    made: dict[str, dict[str, list[Any]]] = {}
    for (name, key, component), spread in found.spreads.items():
        entry = made.setdefault(name, {"places": [], "spread": []})
        entry["places"].append([*key, component])
        entry["spread"].append(_rounded_up(spread))
        if found.single:
            entry.setdefault("float32", []).append(_rounded_up(found.single.get((name, key, component), math.nan)))
    return made


def _rounded_up(spread: float) -> Any:
    """Three digits are enough; rounded up. JSON has no infinity."""
    if not math.isfinite(spread):
        return "inf" if spread > 0 else "nan"
    if spread == 0:
        return 0
    step = 10.0 ** (math.floor(math.log10(spread)) - 2)
    rounded = float(f"{spread:.2e}")
    return rounded if rounded >= spread or step == 0 else float(f"{rounded + step:.2e}")


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {k: (repr(v) if isinstance(v, float) and not math.isfinite(v) else v) for k, v in entry.items()}


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file. Raises HarnessError (exit 5) if it is not a calibration."""
    try:
        data = parse_json(read_regular(path))
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"no {FORMAT!r}")
        origin = from_plain(Origin, data)
        members = tuple(from_plain(Member, member) for member in data["members"])
        loops = tuple(data["loops"])
        if not isinstance(data["loops"], list) or not all(isinstance(loop, str) for loop in loops):
            raise ValueError(f"loops: {data['loops']!r}")
        spreads: dict[Number, float] = {}
        single: dict[Number, float] = {}
        for name, entry in data["variables"].items():
            for n, (place, spread) in enumerate(zip(entry["places"], entry["spread"], strict=True)):
                if [type(i) for i in place] != [int] * (len(loops) + 1) or not float(spread) >= 0:
                    raise ValueError(f"{name}: place {place} with spread {spread}")
                number = (name, tuple(place[:-1]), place[-1])
                spreads[number] = float(spread)
                if "float32" in entry:
                    single[number] = float(entry["float32"][n])
        return Calibration(origin, loops, members, spreads, single)
    except OSError as error:
        raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(path)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"no field {error}" if isinstance(error, KeyError) else str(error)[:200]
        what = "not JSON" if isinstance(error, json.JSONDecodeError) else what
        hint = "`trace-diff calibrate CASE` writes one"
        raise HarnessError(Exit.UNREADABLE, f"not a calibration: {what}", where=str(path), hint=hint) from error
