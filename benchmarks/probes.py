"""What probes cost: off, on for one atom, on for everything, and the program without probes, in turn in one run.

    python benchmarks/probes.py [--repeats 7] [--nanobragg nanoBragg.c]

User CPU seconds, the median of the repeats (of at least 25 for the programs without a log), and percent of the median
without probes. The Lennard-Jones programs are those of the tests, with more atoms. `--nanobragg` adds the original
nanoBragg.c, which is not part of this project. "Off" is the program as instrumented, without a log.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trace_parity.probe import recorder
from trace_parity.probe.c_program import Built, CProgram, build, run
from trace_parity.probe.identity import drop_superseded
from trace_parity.probe.probes_file import ProbesFile, find_probes
from trace_parity.probe.py_import import load

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "harness" / "probe_programs"
Run = Callable[[], None]
OFF_ROUNDS = 25


def child_seconds(work: Run) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    work()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def own_seconds(work: Run) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def in_turn(runs: Mapping[str, Run], repeats: int, seconds: Callable[[Run], float]) -> dict[str, float]:
    """The median time of each, all measured once per round, in another order each round."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for n in range(repeats):
        for name in names[n % len(names) :] + names[: n % len(names)]:
            times[name].append(seconds(runs[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def medians(runs: Mapping[str, Run], repeats: int, seconds: Callable[[Run], float]) -> dict[str, float]:
    """Those without a log, whose difference is small, in more rounds than those with one."""
    quick = {name: runs[name] for name in ("bare", "off")}
    slow = {name: run for name, run in runs.items() if name not in quick}
    return {**in_turn(quick, max(repeats, OFF_ROUNDS), seconds), **in_turn(slow, repeats, seconds)}


def show(title: str, medians: Mapping[str, float], lines: Mapping[str, int]) -> None:
    bare = medians["bare"]
    for name, seconds in medians.items():
        extra = f"  {lines[name]:>9,} lines" if name in lines else ""
        print(f"{title:<28} {name:<11} {seconds:8.3f} s  {100 * (seconds / bare - 1):+7.1f} %{extra}", flush=True)


def measure_c(title: str, built: Built, args: Sequence[str], focus: str, repeats: int, *, every: bool = True) -> None:
    with tempfile.TemporaryDirectory() as name:
        work, count = Path(name), [0]
        log = work / "log"

        def once(probed: bool, traced: bool, where: str = "") -> Run:
            def work_once() -> None:
                count[0] += 1
                folder = work / str(count[0])
                run(built.probed if probed else built.bare, args, folder, log if traced else None, where, 600)

            return work_once

        runs = {"bare": once(False, False), "off": once(True, False), "focus": once(True, True, focus)}
        if every:
            runs["everything"] = once(True, True)
        lines = {}
        for which in list(runs)[2:]:
            runs[which]()
            lines[which] = drop_superseded(log)
        show(title, medians(runs, repeats, child_seconds), lines)


def measure_py(file: ProbesFile, atoms: int, steps: int, repeats: int) -> None:
    sys.path.insert(0, str(PROGRAMS))
    bare = importlib.import_module("lj_port.model")
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        probed = load("lj_port.model", file.spec("py"), log)
        recorder.stop()

        def traced(focus: str) -> Run:
            def work_once() -> None:
                recorder.start(str(log), recorder.parse_focus(focus))
                probed.run(steps, atoms)
                recorder.stop()

            return work_once

        runs: dict[str, Run] = {
            "bare": lambda: bare.run(steps, atoms),
            "off": lambda: probed.run(steps, atoms),
            "focus": traced("i=5"),
            "everything": traced(""),
        }
        lines = {}
        for which in ("focus", "everything"):
            runs[which]()
            lines[which] = drop_superseded(log)
        show(f"PyTorch LJ, {atoms} atoms", medians(runs, repeats, own_seconds), lines)


def nanobragg(source: Path, repeats: int) -> None:
    file = find_probes(None, ROOT / "traces" / "nanobragg" / "original_probes.toml")
    with tempfile.TemporaryDirectory() as name:
        program = CProgram((source.resolve(),), "cc -O2 {in} -o {out} -lm", Path(name))
        built = build(program, file.spec("c"), Path(name) / "build")
        words = "-default_F 100 -cell 70 80 90 85 95 105 -lambda 1 -N 5 -distance 100 -detpixels 400 -pixel 0.1"
        args = f"{words} -osc 1 -phisteps 4 -oversample 1 -nonoise -nopgm -noprogress".split()
        measure_c("original nanoBragg, 160,000 px", built, args, "spixel=200,fpixel=200", repeats, every=False)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--nanobragg", type=Path)
    given = options.parse_args()
    print(f"processors: {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    file = find_probes(PROGRAMS, None)
    with tempfile.TemporaryDirectory() as name:
        for flags in ("-O2", "-O3 -march=native"):
            program = CProgram((PROGRAMS / "lj.c",), f"cc {flags} -DN=64 {{in}} -o {{out}} -lm", PROGRAMS)
            built = build(program, file.spec("c"), Path(name) / flags.split()[0])
            title = f"C LJ, 64 atoms, {flags.split()[0]}"
            measure_c(title, built, ["10000"], "i=5", given.repeats, every=False)
            measure_c(f"{title}, short", built, ["100"], "i=5", min(given.repeats, 3))
    measure_py(file, 64, 20, given.repeats)
    if given.nanobragg:
        nanobragg(given.nanobragg, given.repeats)


if __name__ == "__main__":
    main()
