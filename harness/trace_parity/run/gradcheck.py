"""The port's own check of its gradients, run as a program, and its results.

The numbers come from the program that the pair names (`programs.PY.gradcheck`); here they are read and counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.files import scratch_folder
from trace_parity.pair.programs import Program
from trace_parity.run.launch import Progress, fill, places, run_program


@dataclass(frozen=True)
class GradientRow:
    """One parameter of one case at one place, and whether its gradient is correct."""

    case: str
    parameter: str
    unit: str
    place: str
    pixel: tuple[int, int]
    component: str
    components: int
    analytic: float
    difference: float
    error: float
    order: float | None
    gradcheck: bool
    verdict: str
    good: bool


def names(program: Program) -> tuple[list[str], list[str]]:
    """(cases, parameters) that the port knows. Raises HarnessError (exit 3) when it does not run."""
    answer = _run(program, ["--list"], "reading the cases of the port", None)
    return list(answer["cases"]), list(answer["parameters"])


def check(
    program: Program, cases: Sequence[str], parameters: Sequence[str], progress: Progress | None = None
) -> list[GradientRow]:
    """Run the check. HarnessError: 2 for a name that is unknown, 3 when the port fails, 6 when nothing was checked."""
    known_cases, known_parameters = names(program)
    for option, wanted, known in (
        ("--case", cases, [*known_cases, "all"]),
        ("--parameter", parameters, known_parameters),
    ):
        for name in wanted:
            if name not in known:
                raise HarnessError(Exit.USAGE, f"no {option[2:]} {name!r}", where=option, expected=" or ".join(known))
    words = ["--format", "json", *(word for name in cases for word in ("--case", name))]
    words += [word for name in parameters for word in ("--parameter", name)]
    rows = [_row(entry) for entry in _run(program, words, "checking gradients", progress)["rows"]]
    if not rows:
        raise HarnessError(
            Exit.NOTHING_TO_COMPARE,
            "no gradient was checked",
            expected="a case that has one of the parameters",
            hint="trace-diff gradcheck --list",
        )
    return rows


def _row(entry: dict[str, Any]) -> GradientRow:
    slow, fast = entry["pixel"]
    return GradientRow(**{**entry, "pixel": (int(slow), int(fast))})


def _run(program: Program, words: Sequence[str], label: str, progress: Progress | None) -> dict[str, Any]:
    if not program.gradcheck:
        expected = f"gradcheck in [programs.{program.name}]: the command that checks the gradients"
        raise HarnessError(Exit.USAGE, "the pair's port has no gradient check", expected=expected)
    command = fill(program.gradcheck, {}, places(program))
    with scratch_folder("gradcheck") as folder:
        cwd = program.folder if program.cwd == "{work}" else program.folder / program.cwd
        ran = run_program([*command, *words], cwd, folder / "gradcheck", label, progress)
        text = ran.stdout.read_text(encoding="utf-8")
    try:
        answer: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise HarnessError(Exit.PROGRAM_FAILED, f"printed no JSON: {error}", where=label) from error
    return answer
