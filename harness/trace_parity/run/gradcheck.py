"""The port's own check of its gradients, run as a program, and what it found.

The numbers come from `python -m nanobragg_torch.gradcheck`; here they are asked for, read and counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.files import scratch_folder
from trace_parity.run.launch import Progress, python, run_program

PROGRAM = ("-m", "nanobragg_torch.gradcheck")


@dataclass(frozen=True)
class GradientRow:
    """One parameter of one case at one place, and whether its gradient holds."""

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


def names() -> tuple[list[str], list[str]]:
    """(cases, parameters) that the port knows. Raises HarnessError (exit 3) when it does not run."""
    answer = _run(["--list"], "asking the port for its cases", None)
    return list(answer["cases"]), list(answer["parameters"])


def check(cases: Sequence[str], parameters: Sequence[str], progress: Progress | None = None) -> list[GradientRow]:
    """Run the check. HarnessError: 2 for a name that is unknown, 3 when the port fails, 6 when nothing was checked."""
    known_cases, known_parameters = names()
    for option, wanted, known in (
        ("--case", cases, [*known_cases, "all"]),
        ("--parameter", parameters, known_parameters),
    ):
        for name in wanted:
            if name not in known:
                raise HarnessError(Exit.USAGE, f"no {option[2:]} {name!r}", where=option, expected=" or ".join(known))
    words = ["--format", "json", *(word for name in cases for word in ("--case", name))]
    words += [word for name in parameters for word in ("--parameter", name)]
    rows = [_row(entry) for entry in _run(words, "checking gradients", progress)["rows"]]
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


def _run(words: Sequence[str], label: str, progress: Progress | None) -> dict[str, Any]:
    with scratch_folder("gradcheck") as folder:
        ran = run_program([python(), *PROGRAM, *words], Path.cwd(), folder / "gradcheck", label, progress)
        text = ran.stdout.read_text(encoding="utf-8")
    try:
        answer: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise HarnessError(Exit.PROGRAM_FAILED, f"printed no JSON: {error}", where=label) from error
    return answer
