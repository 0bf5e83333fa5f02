"""Processor seconds of a gate, of an old checkout and of this one in turn, and of this one on workers of Dask.

    git worktree add /somewhere/old COMMIT && make -C /somewhere/old/reference_c
    python -m benchmarks.many_cases /somewhere/old [--cases N] [--jobs 1] [--rounds 2] [--cluster local:2]

Processor time is user and system time of the whole tree of processes; other work on the machine is not in it. The wall
clock is given too. The cases are spread over the matrix; `--cases 0` takes all. The results of both gates are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Gate:
    """A gate that was run: seconds, the largest process, and what each case came to."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    outcomes: dict[str, tuple[object, ...]]


def run(checkout: Path, words: list[str], out: Path) -> Gate:
    environment = os.environ | {"PYTHONPATH": f"{checkout / 'harness'}{os.pathsep}{checkout / 'simulator'}"}
    pair = str(checkout / "traces" / "nanobragg")
    command = [sys.executable, "-m", "trace_parity", "gate", "--pair", pair, *words, "--out", str(out)]
    begin = time.perf_counter()
    with (out.parent / f"{out.name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=out.parent, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{checkout}: {(out.parent / f'{out.name}.log').read_text()[-2000:]}")
    kept = json.loads((out / "gate.json").read_text())
    outcomes: dict[str, tuple[object, ...]] = {
        o["case"]: (o["exit_code"], o["verdict"], o["compared"], o["num_divergent"]) for o in kept
    }
    return Gate(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, outcomes)


def cases(count: int) -> list[str]:
    """Cases spread evenly over the matrix."""
    table = tomllib.loads((ROOT / "traces" / "nanobragg" / "matrix.toml").read_text())
    names = [case.get("id") or case["case"] for case in table["cases"]]
    names.remove("supervisor") if "supervisor" in names else None  # the C program's minute is that of both
    return names if not count else names[:: max(1, len(names) // count)][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("--cases", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cluster", help="measure this too, e.g. local:2; compare with --jobs 2")
    options = parser.parse_args()
    names = cases(options.cases)
    words = [word for name in names for word in ("--only", name)]
    kinds = {
        "old": (options.old.resolve(), ["--jobs", str(options.jobs)]),
        "new": (ROOT, ["--jobs", str(options.jobs)]),
    }
    if options.cluster:
        kinds[f"new, {options.cluster}"] = (ROOT, ["--cluster", options.cluster])
    found: dict[str, list[Gate]] = {name: [] for name in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.rounds):
            for name, (checkout, more) in kinds.items():
                gate = run(checkout, [*words, *more], Path(folder) / f"{name.replace(' ', '')}{turn}")
                found[name].append(gate)
                print(f"# {name}: {gate.cpu_s:.1f} s CPU, {gate.wall_s:.1f} s", file=sys.stderr, flush=True)
    first = found["old"][0].outcomes
    same = all(gate.outcomes == first for gates in found.values() for gate in gates)
    print(f"{len(names)} cases, --jobs {options.jobs}, {options.rounds} rounds, medians\n")
    print("| gate | CPU s | s a case | of old | wall s | largest process MiB |\n|---|---:|---:|---:|---:|---:|")
    base = statistics.median(gate.cpu_s for gate in found["old"])
    for name, gates in found.items():
        cpu, wall = (statistics.median(getattr(g, key) for g in gates) for key in ("cpu_s", "wall_s"))
        peak = max(g.peak_mib for g in gates)
        print(f"| {name} | {cpu:.1f} | {cpu / len(names):.2f} | {cpu / base:.2f} | {wall:.1f} | {peak:.0f} |")
    print(f"\nOutcomes of all gates are {'the same' if same else 'DIFFERENT'}.")


if __name__ == "__main__":
    main()
