"""Runs of a program in folders of their own, and whether two of them left the same, byte for byte."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trace_parity.errors import Exit, HarnessError


@dataclass(frozen=True)
class Outcome:
    """What one run left: its exit status, and the digest of standard output and of each file."""

    returncode: int
    outputs: Mapping[str, str]
    stderr: str = field(compare=False, default="")


@dataclass(frozen=True)
class Identity:
    """Whether probes that are off change the program's output. `varying`: what differs between two bare runs, too."""

    compared: tuple[str, ...]
    differing: tuple[str, ...]
    varying: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything that can be compared is equal, byte for byte."""
        return not self.differing


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float) -> Outcome:
    """Run once in the new folder. Raises HarnessError (exit 3) when it cannot be started, is killed or does not end."""
    folder.mkdir(parents=True)
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            list(command), cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise HarnessError(Exit.PROGRAM_FAILED, f"no end after {timeout_s:g} s", where=name) from error
    except OSError as error:
        raise HarnessError(Exit.PROGRAM_FAILED, f"cannot be started: {error}", where=name) from error
    stderr = done.stderr.decode("utf-8", "replace")
    if done.returncode < 0:
        what = f"ended by signal {-done.returncode}: {' | '.join(stderr.strip().splitlines()[-3:])}"
        raise HarnessError(Exit.PROGRAM_FAILED, what, where=name)
    outputs = {"standard output": hashlib.sha256(done.stdout).hexdigest()}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        outputs[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return Outcome(done.returncode, outputs, stderr)


def compare_runs(off: Outcome, bare: Outcome, again: Callable[[], Outcome]) -> Identity:
    """Hold a run with probes off against a bare run; where they differ, a second bare run shows what varies."""
    differing = _differences(off, bare)
    varying = _differences(bare, again()) if differing else set()
    names = sorted((set(off.outputs) | set(bare.outputs)) - varying)
    return Identity(tuple(names), tuple(sorted(differing - varying)), tuple(sorted(varying)))


def _differences(one: Outcome, other: Outcome) -> set[str]:
    names = set(one.outputs) | set(other.outputs)
    differing = {name for name in names if one.outputs.get(name) != other.outputs.get(name)}
    return differing | ({"exit code"} if one.returncode != other.returncode else set())


def drop_superseded(trace: Path) -> int:
    """Take the lines out of a log that a later write of the same key replaced; how many remain."""
    lines = 0
    kept = trace.with_name(trace.name + ".part")
    with trace.open("rb") as source, kept.open("wb") as target:
        for line in source:
            if not line.startswith(b"removed"):
                lines += 1
                target.write(line)
    kept.replace(trace)
    return lines
