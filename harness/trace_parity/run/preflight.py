"""Before anything is traced: the settings that each program derives from the command line, compared one by one.

Two programs that read one flag differently differ in every number of their traces. Both print their settings after
defaults and precedence are applied; the first that differs is reported instead of the thousand numbers that follow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.bundle.diff import differing
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.programs import Program
from trace_parity.run.launch import Ran, Start, end_programs, run_program, start_process

RTOL = 1e-10
"""Numbers of one setting agree within this, relative to the largest of them; floor, in the setting's unit, FLOOR."""
FLOOR = 1e-12


@dataclass(frozen=True)
class Launch:
    """How one program is made to print its settings."""

    side: Program
    command: Sequence[str]
    cwd: Path
    start: Start = start_process

    @property
    def title(self) -> str:
        """The name of this run in messages."""
        return f"reading the settings of the {self.side.title}"

    @property
    def target(self) -> str:
        """The file of the bundle."""
        return f"config_{self.side.name.lower()}.json"


@dataclass(frozen=True)
class Preflight:
    """A line per setting that differs, C's settings, and the two runs in the order of the launches."""

    settings: tuple[str, ...]
    c: Mapping[str, Any]
    ran: tuple[Ran, ...]


def preflight(launches: Sequence[Launch], folder: Path) -> Preflight:
    """Run both programs at the same time; their settings go to `folder`. Raises HarnessError as `run_program` does."""
    pool = ThreadPoolExecutor(max_workers=len(launches))
    try:
        asked = [pool.submit(read_settings, launch, folder) for launch in launches]
        (c, py), ran = zip(*(answer.result() for answer in asked), strict=True)
    except Exception:
        raise
    except BaseException:  # an interrupt: the threads wait for their programs
        end_programs()
        raise
    finally:
        pool.shutdown()
    return Preflight(differing_settings(c, py), c, ran)


def read_settings(launch: Launch, folder: Path) -> tuple[dict[str, Any], Ran]:
    """Run one program for its settings; they go to `folder`. Raises HarnessError (exit 3)."""
    output = folder / "logs" / f"{launch.side.name.lower()}_config"
    ran = run_program(launch.command, launch.cwd, output, launch.title, env=launch.side.env, start=launch.start)
    text = ran.stdout.read_text(encoding="utf-8", errors="replace")
    try:
        config = json.loads(text)
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise HarnessError(
            Exit.PROGRAM_FAILED,
            f"printed {text[:60]!r}",
            where=launch.title,
            expected="its settings as one JSON object",
            hint="--no-preflight skips this",
        )
    (folder / launch.target).write_text(text, encoding="utf-8")
    return config, ran


def resolved(folder: Path) -> dict[str, dict[str, Any]]:
    """The settings of each side that `preflight` left in a folder; a side that has none is left out."""
    files = {side: folder / f"config_{side.lower()}.json" for side in ("C", "PY")}
    return {side: json.loads(path.read_text(encoding="utf-8")) for side, path in files.items() if path.is_file()}


def differing_settings(c: Mapping[str, Any], py: Mapping[str, Any]) -> tuple[str, ...]:
    """A line per setting that differs, in the order in which the programs print them."""
    found = {place.partition(".")[0] for place, _, _ in differing(dict(c), dict(py))}
    names = [name for name in dict.fromkeys([*c, *py]) if name in found]
    return tuple(
        f"setting {name} differs: C {_shown(c, name)}, PY {_shown(py, name)}"
        for name in names
        if name not in c or name not in py or not _agree(c[name], py[name])
    )


def _shown(config: Mapping[str, Any], name: str) -> str:
    return json.dumps(config[name], ensure_ascii=False) if name in config else "has none"


def _agree(c: Any, py: Any) -> bool:
    """Numbers, or vectors of one length, within the tolerance; a vector's components against its largest."""
    ours, theirs = _numbers(c), _numbers(py)
    if ours is None or theirs is None or len(ours) != len(theirs):
        return bool(c == py)
    allowed = max([FLOOR, *(RTOL * abs(x) for x in (*ours, *theirs))])
    return all(abs(x - y) <= allowed for x, y in zip(ours, theirs, strict=True))


def _numbers(value: Any) -> list[float] | None:
    entries = value if isinstance(value, list) else [value]
    if all(isinstance(entry, int | float) and not isinstance(entry, bool) for entry in entries):
        return [float(entry) for entry in entries]
    return None
