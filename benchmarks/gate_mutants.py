"""Does the gate's matrix see every planted fault? Each of planted_faults.toml must fail at least one case.

    python -m benchmarks.gate_mutants [--side C|PY] [--only WORD] [--jobs 2] [--every]

Each fault is planted in a copy of its program. The edited program traces the cases of the shipped matrix, one after the
other, until one of its logs differs from the log of the unchanged other program beyond the tolerances of `trace-diff
gate`, or the program fails. Only traces are compared: a fault that shows in images alone counts as missed. Exits with 1
if a fault is missed, and lists it. `--every` goes on after the first failing case and prints how many fail.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from trace_parity.compare.align import align
from trace_parity.errors import HarnessError
from trace_parity.pair.case import Case, make_input
from trace_parity.pair.find import shipped
from trace_parity.trace import read_trace

from benchmarks.planted_faults import SIDES, Fault, all_faults, build, copy_sources


@dataclass(frozen=True)
class Caught:
    """The cases of the matrix that fail with a fault; empty when the gate misses it. `problem`: it was not planted."""

    fault: Fault
    cases: tuple[str, ...]
    problem: str = ""


def words_of(case: Case, log: Path) -> list[str]:
    """The arguments that trace a case."""
    places = [word for pixel in case.places for word in ("-trace_pixel", *map(str, pixel))]
    return [*places, "-trace_file", str(log), *case.argv]


def logs_of(
    side: str, programs: Path, inputs: Path, folder: Path, cases: Sequence[Case]
) -> Iterator[tuple[Case, Path]]:
    """Trace the cases in turn with the program under `programs`; yields each with its log, which a failed run lacks."""
    folder.mkdir(exist_ok=True)
    if side == "C":
        program = programs / "reference_c" / "build" / "nanoBragg-trace"
        for case in cases:
            log = folder / f"{case.id}.log"
            command = [str(program), "-fix", "all", *words_of(case, log)]
            if subprocess.run(command, cwd=inputs, capture_output=True, check=False).returncode:
                log.unlink(missing_ok=True)
            yield case, log
        return
    path = os.pathsep.join([str(programs / "simulator"), str(Path(__file__).resolve().parent.parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", "import benchmarks.gate_mutants as g; g.serve()"],
        cwd=inputs,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for case in cases:
            log = folder / f"{case.id}.log"
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(words_of(case, log)) + "\n")
                process.stdin.flush()
            if process.stdout.readline() != "0\n":
                log.unlink(missing_ok=True)
            yield case, log
    finally:
        process.kill()
        process.wait()


def serve() -> None:
    """Run the simulator on one JSON list of arguments a line; print its exit code."""
    from nanobragg_torch.cli import main as simulate

    for line in sys.stdin:
        code = 70
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            code = simulate(json.loads(line))
        print(code, flush=True)


def differs(c: Path, py: Path) -> bool:
    """Whether two logs would fail the gate."""
    if not (c.exists() and py.exists()):
        return True
    vocabulary = shipped().vocabulary
    try:
        found = align(read_trace(c, "C", vocabulary), read_trace(py, "PY", vocabulary), vocabulary).compare()
    except HarnessError:
        return True
    return any(tally.divergent or any(tally.only) for tally in (found.tallies[n] for n in found.met))


def try_fault(fault: Fault, work: Path, cases: Sequence[Case], every: bool) -> Caught:
    """Plant a fault and trace the cases with it; `work` holds the unchanged programs, their logs and the inputs."""
    failing = []
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        try:
            sources = copy_sources(fault.side, folder, work if fault.side == "C" else None)
            for edit in fault.edits:
                edit.plant(sources)
            if fault.side == "C":
                build(folder / "reference_c")
        except (RuntimeError, ValueError) as error:
            return Caught(fault, (), str(error))
        other = SIDES[1 - SIDES.index(fault.side)]
        for case, log in logs_of(fault.side, folder, work / "inputs", folder / "logs", cases):
            logs = {fault.side: log, other: work / other / f"{case.id}.log"}
            if differs(logs["C"], logs["PY"]):
                failing.append(case.id)
                if not every:
                    break
            log.unlink(missing_ok=True)
    return Caught(fault, tuple(failing))


def prepare(work: Path, cases: Sequence[Case]) -> None:
    """Inputs, unchanged programs and their logs, which must agree."""
    (work / "inputs").mkdir()
    for file in {file.name: file for case in cases for file in case.files}.values():
        make_input(file, work / "inputs")
    for side in SIDES:
        copy_sources(side, work)
    build(work / "reference_c")
    for side in SIDES:
        for _ in logs_of(side, work, work / "inputs", work / side, cases):
            pass
    if wrong := [case.id for case in cases if differs(work / "C" / f"{case.id}.log", work / "PY" / f"{case.id}.log")]:
        raise SystemExit(f"the unchanged programs differ in {', '.join(wrong)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", choices=SIDES)
    parser.add_argument("--only", default="", help="faults whose name holds this word")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", action="store_true", help="all cases, not only up to the first that fails")
    given = parser.parse_args()
    faults = [f for f in all_faults() if f.side == (given.side or f.side) and given.only in f.name]
    cases = shipped().matrix(None).cases
    missed = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        work = Path(name)
        prepare(work, cases)
        with ProcessPoolExecutor(given.jobs) as pool:
            count = len(faults)
            for caught in pool.map(try_fault, faults, [work] * count, [cases] * count, [given.every] * count):
                missed += not caught.cases
                what = caught.problem or ", ".join(caught.cases[:3]) or "MISSED"
                counted = f" ({len(caught.cases)} of {len(cases)} cases)" if given.every else ""
                print(f"{caught.fault.side:2} {caught.fault.name}: {what}{counted}", flush=True)
    print(f"{count - missed} of {count} faults fail the gate of {len(cases)} cases; {missed} missed")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
