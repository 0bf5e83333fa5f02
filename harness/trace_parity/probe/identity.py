"""Runs of a program in separate folders, and whether two of them gave the same output, byte for byte."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.probe.spec import Placed, Unplaced

NEXT_SECOND_S = 1.1


@dataclass(frozen=True)
class Outcome:
    """The output of one run: exit status, and the digest of standard output and of each file."""

    returncode: int
    outputs: Mapping[str, str]
    stderr: str = field(compare=False, default="")


@dataclass(frozen=True)
class Identity:
    """Whether inactive probes change the program's output. `varying`: what also differs between runs without probes."""

    compared: tuple[str, ...]
    differing: tuple[str, ...]
    varying: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything that can be compared is equal, byte for byte."""
        return not self.differing


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float) -> Outcome:
    """Run once in a folder; its output is what is new or changed there, which is all in a folder that is made here.

    Raises HarnessError (exit 3) when it cannot be started, is killed or does not end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _files(folder)
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
    for path, state in sorted(_files(folder).items()):
        if before.get(path) != state:
            outputs[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return Outcome(done.returncode, outputs, stderr)


def _files(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """The files of a folder and what tells that one was written; bundles and what Python keeps apart."""
    found = {}
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if {"reports", "__pycache__", ".git"} & set(parts[:-1]):
            continue
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def compare_runs(off: Outcome, bare: Outcome, again: Callable[[], Outcome]) -> Identity:
    """Compare a run with probes off with one without probes; if they differ, a second one shows what varies.

    That run begins in another second, since what varies is often a time or a seed made of one.
    """
    differing = _differences(off, bare)
    if differing:
        time.sleep(NEXT_SECOND_S)
    varying = _differences(bare, again()) if differing else set()
    names = sorted((set(off.outputs) | set(bare.outputs)) - varying)
    return Identity(tuple(names), tuple(sorted(differing - varying)), tuple(sorted(varying)))


def _differences(one: Outcome, other: Outcome) -> set[str]:
    names = set(one.outputs) | set(other.outputs)
    differing = {name for name in names if one.outputs.get(name) != other.outputs.get(name)}
    return differing | ({"exit code"} if one.returncode != other.returncode else set())


def named(command: Sequence[str]) -> list[str]:
    """A command without this machine's paths, so that the record is valid on another one."""
    return [Path(word).name if word.startswith("/") else word for word in command]


def findings(placed: Sequence[Placed], unplaced: Sequence[Unplaced], identity: Identity | None) -> dict[str, object]:
    """The common part of the records of both sides: the probes, what was not probed, the outputs with probes off."""
    return {
        "probes": [{**vars(p), "file": Path(p.file).name} for p in placed],
        "not_probed": [{**vars(u), "file": Path(u.file).name} for u in unplaced],
        "identical_with_probes_off": None if identity is None else identity.holds,
        "outputs_compared": None if identity is None else list(identity.compared),
        "outputs_that_vary_by_themselves": None if identity is None else list(identity.varying),
    }


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
