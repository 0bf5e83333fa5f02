"""What the runs of one gate or sweep share: built programs, their identity, input files, programs that stay loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import Program
from trace_parity.run.identity import identity
from trace_parity.run.launch import Start, build_program, start_process
from trace_parity.run.state import Stage, silent
from trace_parity.run.warm import WarmPrograms


@dataclass(frozen=True)
class Prepared:
    """The programs are built. `inputs` is where input files lie that several runs share."""

    identity: Mapping[str, Any]
    inputs: Path | None = None
    warm: WarmPrograms | None = None

    def start_of(self, program: Program) -> Start:
        """What starts a program's commands."""
        return start_process if self.warm is None else self.warm.start_of(program)


def prepare(pair: Pair, out: Path, stage: Stage = silent) -> Prepared:
    """Build both programs. Raises HarnessError (exit 3) when one cannot be built."""
    for program in pair.programs.sides.values():
        if program.build:
            with stage(f"building the {program.title}"):
                build_program(program)
    return Prepared(identity(pair, out))
