"""Run the port with probes in a process of its own, and compare its output with a run without them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.probe.identity import Identity, Outcome, compare_runs, findings, named, run
from trace_parity.probe.spec import Placed, ProbeSpec, Unplaced, to_json

HARNESS = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class PyProgram:
    """The `[py.probe]` of a pair. `command`: how it runs without probes. `folder` is on the path of its modules."""

    command: tuple[str, ...]
    modules: tuple[str, ...]
    folder: Path
    timeout_s: float = 3600.0


@dataclass(frozen=True)
class PyReport:
    """The report of a run with probes."""

    modules: tuple[str, ...]
    placed: tuple[Placed, ...]
    unplaced: tuple[Unplaced, ...]
    printed: Mapping[str, int]
    notes: tuple[str, ...]
    no_gradient: tuple[str, ...]
    files: Mapping[str, str]  # sha256 of each file that the program imported, by path; libraries apart
    rewritten: Mapping[str, str]  # sha256 of the code that each module became


@dataclass(frozen=True)
class PyRun:
    """Where the log goes, which places are kept, whether gradients are traced, whether torch.compile is left out."""

    trace: Path | None
    focus: str = ""
    gradients: bool = False
    eager: bool = False


def run_probed(program: PyProgram, spec: ProbeSpec, wanted: PyRun, work: Path) -> tuple[Outcome, PyReport]:
    """Run the port with probes in the new folder `work`/run.

    Raises HarnessError: exit 2 where the pair does not fit the program, exit 3 when it fails.
    """
    work.mkdir(parents=True, exist_ok=True)
    command, environment = launch_command(program, spec, wanted, work)
    outcome = run(command, work / "run", environment, program.timeout_s)
    if outcome.returncode and (work / "report.json").exists():
        raise HarnessError(
            Exit.PROGRAM_FAILED, f"ended with exit code {outcome.returncode}: {_last(outcome)}",
            where=" ".join(program.command[:4]),
        )  # fmt: skip
    return outcome, read_report(program, wanted, work, _last(outcome))


def launch_command(program: PyProgram, spec: ProbeSpec, wanted: PyRun, work: Path) -> tuple[list[str], dict[str, str]]:
    """The command that runs the port with probes, and its environment; the job and the report lie in `work`."""
    report = work / "report.json"
    job = {
        "spec": to_json(spec),
        "modules": list(program.modules),
        "trace": str(wanted.trace.resolve()) if wanted.trace else "",
        "focus": wanted.focus,
        "gradients": wanted.gradients,
        "report": str(report.resolve()),
    }
    (work / "job.json").write_text(json.dumps(job), encoding="utf-8")
    launch = [sys.executable, "-m", "trace_parity.probe.launch", str((work / "job.json").resolve())]
    python, rest = _split(program.command)
    launch[0] = python
    environment = environment_of(program, wanted.eager)
    by_hand = work / "by_hand.log"  # a copy of recorder.py in the program has a log of its own
    if wanted.trace:
        environment |= {"TRACE_PROBE_FILE": str(by_hand.resolve()), "TRACE_PROBE_FOCUS": wanted.focus}
        environment["TRACE_PROBE_JOB"] = "1"
    return [*launch, *rest], environment


def read_report(program: PyProgram, wanted: PyRun, work: Path, said: str) -> PyReport:
    """What the run left in `work`; what it put by hand is added to the log. Raises HarnessError, see `run_probed`."""
    report, by_hand = work / "report.json", work / "by_hand.log"
    if not report.exists():
        raise HarnessError(Exit.PROGRAM_FAILED, f"it did not start: {said}", where=" ".join(program.command[:4]))
    data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    if not data["modules"]:
        raise HarnessError(
            Exit.USAGE, f"the program imported none of {', '.join(program.modules)}", where="py.probe.modules",
            expected="modules that the port imports, or the name of its script",
        )  # fmt: skip
    if data["unknown_functions"]:
        raise HarnessError(
            Exit.USAGE, f"no function {data['unknown_functions'][0]!r} in {', '.join(data['modules'])}", where="py: in"
        )
    if wanted.trace and by_hand.exists():
        with wanted.trace.open("ab") as trace:
            trace.write(by_hand.read_bytes())
    return PyReport(
        tuple(data["modules"]),
        tuple(Placed(**p) for p in data["placed"]),
        tuple(Unplaced(**u) for u in data["unplaced"]),
        data["printed"],
        tuple(data["notes"]),
        tuple(data["no_gradient"]),
        data["files"],
        data["rewritten"],
    )


def check_identity(program: PyProgram, spec: ProbeSpec, work: Path) -> Identity:
    """Run with probes off and without probes and compare their output; if it differs, run without probes once more."""
    off, _ = run_probed(program, spec, PyRun(None), work / "off")
    environment = environment_of(program, eager=False)
    bare = run(program.command, work / "bare", environment, program.timeout_s)
    return compare_runs(off, bare, lambda: run(program.command, work / "again", environment, program.timeout_s))


def record(program: PyProgram, report: PyReport, identity: Identity | None) -> str:
    """What a bundle keeps of the probes, as JSON, in the form that the C side has."""
    return json.dumps(
        {
            "sha256": {**{Path(f).name: digest for f, digest in report.files.items()}, **report.rewritten},
            "command": named(program.command),
            **findings(report.placed, report.unplaced, identity),
        },
        indent=1,
    )


def environment_of(program: PyProgram, eager: bool) -> dict[str, str]:
    """The environment that the port runs in: its folder and this package are on the path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRACE_PROBE_")}
    known = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
    environment["PYTHONPATH"] = os.pathsep.join([str(program.folder.resolve()), str(HARNESS), *known])
    if eager:
        environment["TORCHDYNAMO_DISABLE"] = "1"
    return environment


def _split(command: Sequence[str]) -> tuple[str, list[str]]:
    """(interpreter, the rest from -m or the script on). Raises HarnessError (exit 2) for another kind of program."""
    first = command[0]
    if Path(first).name.startswith("python") or first == sys.executable:
        return first, list(command[1:])
    script = shutil.which(first)
    if script and Path(script).read_bytes()[:2] == b"#!" and b"python" in Path(script).read_bytes()[:200]:
        return Path(script).read_text(encoding="utf-8").splitlines()[0][2:].strip(), [script, *command[1:]]
    raise HarnessError(
        Exit.USAGE, f"{first} is not a Python program", where="py.trace", expected='["{python}", "-m", "package", ...]'
    )


def _last(outcome: Outcome) -> str:
    return " | ".join(outcome.stderr.strip().splitlines()[-2:]) or "no message"
