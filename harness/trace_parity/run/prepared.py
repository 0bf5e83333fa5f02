"""Shared by the runs of one gate or sweep: built programs, their identity, input files, loaded programs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import Program
from trace_parity.run.identity import identity
from trace_parity.run.launch import Process, Start, build_program, end_process, start_process
from trace_parity.run.state import Stage, silent
from trace_parity.run.warm import WarmPrograms


@dataclass(frozen=True)
class Prepared:
    """The programs are built. `inputs` is where input files lie that several runs share."""

    identity: Mapping[str, Any]
    inputs: Path | None = None
    warm: WarmPrograms | None = None
    timeout_s: int = 0  # for one run of a program; 0: as long as it takes

    def start_of(self, program: Program) -> Start:
        """Starts a program's commands, and kills what takes too long."""
        start = start_process if self.warm is None else self.warm.start_of(program)
        if not self.timeout_s:
            return start

        def begin(command: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int]) -> Process:
            process = start(command, cwd, env, streams)
            clock = threading.Timer(self.timeout_s, end_process, [process])
            clock.daemon = True
            clock.start()
            return _Timed(process, clock)

        return begin


class _Timed:
    """A process whose clock stops when it has ended."""

    def __init__(self, process: Process, clock: threading.Timer) -> None:
        self.process, self.clock = process, clock

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait()
        self.clock.cancel()
        return code


def prepare(pair: Pair, out: Path, stage: Stage = silent) -> Prepared:
    """Build both programs. Raises HarnessError (exit 3) when one cannot be built."""
    for program in pair.programs.sides.values():
        if program.build:
            with stage(f"building the {program.title}"):
                build_program(program)
    return Prepared(identity(pair, out))
