"""Faults planted in the source of either program: does blame name the side and the stage?

    python -m benchmarks.planted_faults [--side C|PY] [--only WORD] [--jobs 2] [--write RESULTS-faults.md]

Each fault of planted_faults.toml is an edit of a copy of the simulator or of the C reference, in a temporary folder;
the edited program is built and traced with the correct other one on three command lines, and the logs are compared as
`trace-diff compare` does. Every accusation must be of the edited side and of a variable that the edited stage makes,
and every one of several faults planted together must be named.
"""

from __future__ import annotations

import argparse
import datetime
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import torch  # for its forks, which load it no more
from trace_parity.blame.findings import Blame
from trace_parity.compare.align import align
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult
from trace_parity.trace import read_trace

from benchmarks.anchors import replaced
from tests.golden_inputs import write_inputs

ROOT = Path(__file__).resolve().parent.parent
DATA = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
SIDES = ("PY", "C")
torch.set_num_threads(1)  # no thread may be left behind by a fork


@dataclass(frozen=True)
class Edit:
    """`old` is code of the function that `file` names (`FILE:FUNCTION`), there exactly once however it is laid out; the
    edited stage makes the variables `expected`."""

    expected: tuple[str, ...]
    file: str
    old: str
    new: str

    def plant(self, sources: Path) -> None:
        """Edit a copy. ValueError where the old code is not there exactly once."""
        path = sources / self.path
        text = path.read_text(encoding="utf-8")
        anchor = self.file.partition(":")[2]
        path.write_text(replaced(text, anchor, self.old, self.new, path.suffix), encoding="utf-8")

    @property
    def path(self) -> str:
        """The file, without the function."""
        return self.file.partition(":")[0]


@dataclass(frozen=True)
class Fault:
    """One edit, or several at once. One that no equation tells (`is_told` False) is expected to come out as an
    unexplained first divergence at one of its variables."""

    name: str
    side: str
    edits: tuple[Edit, ...]
    is_told: bool

    @property
    def expected(self) -> tuple[str, ...]:
        """What the edited stages make."""
        return tuple(name for edit in self.edits for name in edit.expected)


def single_faults(side: str, *, is_told: bool) -> list[Fault]:
    """The faults of one side, one edit each, in the order of the file."""
    faults = []
    for name, words, file, old, new in DATA["told" if is_told else "untold"][side]:
        expected = [part for word in words.split() for part in DATA["families"].get(word, word).split()]
        faults.append(Fault(name, side, (Edit(tuple(expected), file, old, new),), is_told))
    return faults


def together(side: str) -> Fault:
    """Five at once."""
    planted = [f for f in single_faults(side, is_told=True) if f.name in DATA["together"][side]]
    names = "five at once: " + "; ".join(f.name for f in planted)
    return Fault(names, side, tuple(edit for f in planted for edit in f.edits), True)


def all_faults() -> list[Fault]:
    """All of them, the groups first, then what no equation tells."""
    told = zip_longest(*(single_faults(side, is_told=True) for side in SIDES))
    untold = [f for side in SIDES for f in single_faults(side, is_told=False)]
    return [*map(together, SIDES), *untold, *(f for both in told for f in both if f is not None)]


@dataclass(frozen=True)
class Outcome:
    """The findings of blame on one fault, over all command lines; accusations are (side, variable)."""

    fault: Fault
    accused: tuple[tuple[str, str], ...]
    hints: tuple[str, ...]
    first: str
    unexplained: tuple[str, ...]
    failure: str = ""

    @property
    def others(self) -> tuple[str, ...]:
        """Accusations that are wrong."""
        right = {(self.fault.side, name) for name in self.fault.expected} if self.fault.is_told else set()
        return tuple(f"{side} {name}" for side, name in self.accused if (side, name) not in right)

    @property
    def is_right(self) -> bool:
        named = {name for side, name in self.accused if side == self.fault.side}
        if not self.fault.is_told:
            return not self.accused and self.first in self.fault.expected and self.first in self.unexplained
        missed = [edit for edit in self.fault.edits if not named & set(edit.expected)]
        return not missed and not self.others and not self.failure


def build(folder: Path) -> Path:
    """The tracing program of the C sources in `folder`; builds only what is newer than its object."""
    program = folder / "build" / "nanoBragg-trace"
    done = subprocess.run(
        ["make", "-C", str(folder), f"BUILD={folder / 'build'}", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"make failed: {done.stderr.strip().splitlines()[-1]}")
    return program


def trace(side: str, programs: Path, inputs: Path, log: Path, words: str) -> None:
    """Run the tracing command of one side; `programs` holds `simulator` or `reference_c`."""
    if side == "PY":
        _trace_forked(programs / "simulator", inputs, ["-trace_file", str(log), *words.split()])
        return
    command = [str(programs / "reference_c" / "build" / "nanoBragg-trace"), "-fix", "all"]
    command += ["-trace_file", str(log), *words.split()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=inputs, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{side} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")


def _trace_forked(simulator: Path, inputs: Path, words: list[str]) -> None:
    """`python -m nanobragg_torch` of that folder, in a fork of this process: torch, loaded once, is most of a start."""
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                os.chdir(inputs)
                sys.path.insert(0, str(simulator))
                sys.argv = ["nanobragg_torch", *words]
                runpy.run_module("nanobragg_torch", run_name="__main__")
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        if ended:
            said.seek(0)
            code = os.waitstatus_to_exitcode(ended)
            raise RuntimeError(f"PY ended with {code}: {said.read().strip().splitlines()[-1:]}")


def blamed(c: Path, py: Path) -> tuple[Blame | None, str]:
    """What blame says of two logs, and the variable that diverges first."""
    vocabulary = shipped().vocabulary
    alignment = align(read_trace(c, "C", vocabulary), read_trace(py, "PY", vocabulary), vocabulary)
    result = compare(alignment, CaseResult("planted", "a planted fault"), Contract(), pair=shipped())
    return result.blame, result.first_divergence.variable if result.first_divergence else ""


def copy_sources(side: str, target: Path, base: Path | None = None) -> Path:
    """A copy of one program under `target`; of C with the objects of `base`."""
    name = "reference_c" if side == "C" else "simulator"
    skipped = shutil.ignore_patterns("__pycache__", "fuzz", *(["build"] if base is None else []))
    shutil.copytree((base or ROOT) / name, target / name, ignore=skipped, dirs_exist_ok=True)
    flags = "reference_c/src/flags.def"  # the simulator reads it in a checkout
    if side == "PY" and not (target / flags).exists():
        (target / flags).parent.mkdir(parents=True)
        shutil.copy(ROOT / flags, target / flags)
    return target / name / ("src" if side == "C" else "nanobragg_torch")


def try_fault(fault: Fault, work: Path) -> Outcome:
    """Plant, build, trace, compare; `work` holds the sound logs, the inputs and the built sound C program."""
    accused: dict[tuple[str, str], None] = {}
    hints: list[str] = []
    unexplained: list[str] = []
    first = failure = ""
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        try:
            sources = copy_sources(fault.side, folder, work if fault.side == "C" else None)
            for edit in fault.edits:
                edit.plant(sources)
            if fault.side == "C":
                build(folder / "reference_c")
            for line, words in DATA["lines"].items():
                log = folder / f"{line}.log"
                trace(fault.side, folder, work / "inputs", log, words)
                logs = {side: work / f"{side}-{line}.log" for side in ("C", "PY")} | {fault.side: log}
                blame, diverges = blamed(logs["C"], logs["PY"])
                first = first or diverges
                for finding in blame.findings if blame else ():
                    if finding.kind in ("introduced", "self-inconsistent"):
                        accused.setdefault((finding.side, finding.variable))
                        hints += [finding.hint] if finding.hint and line == "rich" else []
                    elif finding.kind == "unexplained":
                        unexplained.append(finding.variable)
        except (RuntimeError, ValueError) as why:
            failure = str(why)
    return Outcome(fault, tuple(accused), tuple(dict.fromkeys(hints)), first, tuple(unexplained), failure)


def prepare(work: Path) -> None:
    """Inputs, sound programs, sound logs, and that blame is silent on them."""
    (work / "inputs").mkdir()
    write_inputs(work / "inputs")
    for side in ("C", "PY"):
        copy_sources(side, work)
    build(work / "reference_c")
    for line, words in DATA["lines"].items():
        logs = {side: work / f"{side}-{line}.log" for side in ("C", "PY")}
        for side, log in logs.items():
            trace(side, work, work / "inputs", log, words)
        blame, first = blamed(logs["C"], logs["PY"])
        if blame is not None or first:
            raise SystemExit(f"the sound programs differ on the line {line!r}, first in {first}")


def rows(outcomes: list[Outcome]) -> Iterator[str]:
    yield "| # | fault | stage | blame named | hint | others accused | right |"
    yield "|---:|---|---|---|---|---|---|"
    for n, o in enumerate(outcomes, 1):
        named = _joined(f"{side} {name}" for side, name in o.accused if f"{side} {name}" not in o.others)
        if o.failure:
            named = o.failure
        elif not o.fault.is_told:
            named = f"unexplained, first at {o.first}" if o.first in o.unexplained else f"first at {o.first}"
        cells = (str(n), o.fault.name, _joined(o.fault.expected), named, "; ".join(o.hints[:5]) or "-")
        yield f"| {' | '.join(cells)} | {_joined(o.others)} | {'yes' if o.is_right else 'NO'} |"


def _joined(words: Iterator[str] | tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys(words)) or "-"


def report(outcomes: list[Outcome], command: str) -> str:
    """The tables as markdown."""
    right = sum(o.is_right for o in outcomes)
    parts = [HEADER.format(command=command, date=datetime.date.today(), right=right, count=len(outcomes))]
    for title, side, is_told in (
        ("Planted in the simulator", "PY", True),
        ("Planted in the C reference", "C", True),
        ("What no equation can tell, on either side", "", False),
    ):
        group = [o for o in outcomes if o.fault.is_told == is_told and o.fault.side in (side or ("C", "PY"))]
        if group:
            parts.append("\n".join([f"## {title}: {sum(o.is_right for o in group)} of {len(group)}", "", *rows(group)]))
    return "\n\n".join(parts) + "\n"


HEADER = """# Faults planted in the source, and what blame says

    {command}

{date}. {right} of {count} are right. Each fault is one edit (the five at once: five) of a copy of the program's source;
the edited program was built and traced with the correct other one on a rich command line (triclinic cell, misset, φ
from 20°, mosaic domains, two wavelengths, 2×2 sub-samples, two sensor layers, polarised, tilted), a plain one, and one
with the detector on a 2θ arm, water, and φ from 0.

*Right* means that every accusation is of the edited side and of a variable that the edited stage makes; other
accusations are listed as they came. Faults of the last table leave every equation obeyed, since a setting, a table or
a random draw is wrong and none of these is in a log: there, right means that neither side is accused and that the first
divergence is reported as unexplained, at the variable where the wrong value enters."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", choices=["C", "PY"])
    parser.add_argument("--only", default="", help="faults whose name holds this word")
    parser.add_argument("--line", choices=list(DATA["lines"]), help="one command line only")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, help="where the tables go; default: standard output")
    given = parser.parse_args()
    command = " ".join(["python -m benchmarks.planted_faults", *sys.argv[1:]])
    faults = [f for f in all_faults() if f.side == (given.side or f.side) and given.only in f.name]
    if given.line:
        DATA["lines"] = {given.line: DATA["lines"][given.line]}
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        work = Path(name)
        prepare(work)
        with ProcessPoolExecutor(given.jobs) as pool:
            outcomes = []
            for outcome in pool.map(try_fault, faults, [work] * len(faults)):
                outcomes.append(outcome)
                if given.write:
                    given.write.write_text(report(outcomes, command), encoding="utf-8")
                if not outcome.is_right:
                    print(f"{outcome.fault.side} {outcome.fault.name}: {outcome}", file=sys.stderr)
    print(f"{len(outcomes)} faults in {time.monotonic() - start:.0f} s", file=sys.stderr)
    text = report(outcomes, command)
    if not given.write:
        print(text)


if __name__ == "__main__":
    main()
