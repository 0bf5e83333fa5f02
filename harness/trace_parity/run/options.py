"""The options of a run, checked against what the pair's programs take."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import Case, with_flag_value
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import Program, Programs
from trace_parity.pair.toml_table import nearest
from trace_parity.result.result import Result


@dataclass(frozen=True)
class RunOutcome:
    """The finding and where its bundle is."""

    result: Result
    bundle: Path


def with_options(case: Case, pair: Pair, values: Mapping[str, str | None]) -> Case:
    """The case with the values of the pair's own options put in, each after the option's flag."""
    for name, value in values.items():
        if value is not None:
            case = with_flag_value(case, pair.options[name].flag, value)
    return case


def check_against(programs: Programs, against: str) -> str:
    """The variant of the programs that --against names, the first where it names none. HarnessError (exit 2)."""
    known = programs.against
    if against and against not in known:
        raise HarnessError(
            Exit.USAGE,
            f"no variant {against!r}",
            where="--against",
            expected="one of " + ", ".join(known) if known else "nothing: no program of the pair has variants",
            hint=nearest(against, known),
        )
    return against or next(iter(known), "")


def takes_command_line(program: Program) -> bool:
    """Whether the command that traces passes the case's command line on."""
    return any("{args}" in word for word in program.trace)


def check_templates(programs: Programs, argv: Sequence[str], options: Options) -> None:
    """HarnessError (exit 2) for a command line that one program only would get, or for an option that is dropped."""
    deaf = [side for side in programs.sides.values() if not takes_command_line(side)]
    if argv and len(deaf) == 1:
        raise HarnessError(
            Exit.USAGE,
            f"the command line {shlex.join(argv)[:60]!r} would be dropped",
            where=f"programs.{deaf[0].name}.trace",
            expected="{args} in the command",
        )
    for name in options.program_options:
        takes = [side for side in programs.sides.values() if name in side.options]
        if not takes:
            known = dict.fromkeys(n for side in programs.sides.values() for n in side.options)
            raise HarnessError(
                Exit.USAGE, f"neither program takes --{name}", expected=", ".join(known) or "no such option"
            )
        for side in takes:
            if "{options}" not in side.trace:
                raise HarnessError(
                    Exit.USAGE,
                    f"--{name} would be dropped",
                    where=f"programs.{side.name}.trace",
                    expected="{options} in the command",
                )
