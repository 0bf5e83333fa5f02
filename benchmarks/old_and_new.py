"""Two builds of the simulator in turn on the same command lines, in one run: median processor seconds, ratio, memory.

    git worktree add /somewhere/old COMMIT
    python -m benchmarks.old_and_new /somewhere/old [--only NAME ...] [--gradient] [--rounds 3] [--dtype float64]

Each measurement is a process of its own with one warm-up, start-up and import left out. Processor time says less about
other work on the machine than the wall clock does; that is given too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.render import CELL, Workload, cpu_model, make_inputs, workloads

CHILD = """
import importlib, json, resource, sys, time
package, argv, dtype, repeats, threads, gradient = json.loads(sys.argv[1])
import torch
simulator = importlib.import_module(package)
parameters = importlib.import_module(package + ".parameters").PARAMETERS
torch.set_num_threads(threads)
from_argv = getattr(simulator, "from_argv", None) or simulator.Experiment.from_argv  # of a build up to 0.1
base = from_argv([*argv, "-dtype", dtype])
left_out = {"structure_factors", "default_F", "flux", "fluence"} if gradient == "all but F" else set()
leaves = [] if not gradient else [(p, p.tensor(base).requires_grad_()) for p in parameters
          if p.name not in left_out and p.tensor(base) is not None]

def once():
    experiment = base
    for parameter, leaf in leaves:
        experiment = parameter.put(experiment, leaf)
    with torch.set_grad_enabled(bool(leaves)):
        image = simulator.render(experiment)
        if leaves:
            torch.autograd.grad((image * image).sum(), [leaf for _, leaf in leaves], allow_unused=True)

seconds = []
for _ in range(repeats + 1):
    begin = time.process_time(), time.perf_counter()
    once()
    seconds.append((time.process_time() - begin[0], time.perf_counter() - begin[1]))
print(json.dumps([seconds[1:], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
SMALL = "-detpixels 512 -pixel 0.1 -oversample 1 -phi 1 -osc 1 -phisteps 20"


def more_workloads() -> list[Workload]:
    """What only eager code could do before there were kernels for it."""
    plain = f"{CELL} {SMALL} -nointerpolate"
    steps = 512**2 * 20
    return [
        Workload("round", f"{plain} -round_xtal".split(), steps),
        Workload("gauss", f"{plain} -gauss_xtal".split(), steps),
        Workload("tophat", f"{plain} -binary_spots".split(), steps),
        Workload("square", plain.split(), steps),
        Workload("square interpolated", f"{CELL} {SMALL} -interpolate".split(), steps),
    ]


def measure(checkout: Path, work: Workload, folder: Path, options: argparse.Namespace) -> tuple[float, float, float]:
    """(median processor seconds, median wall-clock seconds, peak MiB) of one process."""
    is_package = (checkout / "simulator" / "nanobragg_torch").is_dir()  # before, the folder itself was one
    package, where = ("nanobragg_torch", checkout / "simulator") if is_package else ("simulator", checkout)
    job = [package, work.argv, options.dtype, options.repeats, options.threads, options.gradient]
    environment = os.environ | {"PYTHONPATH": str(where)}
    command = [sys.executable, "-c", CHILD, json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{checkout}: {done.stderr.strip().splitlines()[-1]}")
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    cpu, wall = (statistics.median(column) for column in zip(*seconds, strict=True))
    return cpu, wall, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path, help="a checkout of the old build")
    parser.add_argument("--only", action="append", metavar="NAME", help="workloads whose name begins so")
    parser.add_argument("--gradient", choices=["all", "all but F"], help="by all parameters, or all but intensities")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each build")
    parser.add_argument("--repeats", type=int, default=3, help="renders of each process")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    options = parser.parse_args()
    new = Path(__file__).resolve().parent.parent
    print(
        f"{options.threads} threads, {cpu_model()}, {options.dtype}; medians of {options.rounds} x {options.repeats}\n"
    )
    print("| workload | old CPU s (s) | new CPU s (s) | CPU ratio | old MiB | new MiB |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        make_inputs(Path(name))
        for work in [*workloads(), *more_workloads()]:
            if options.only and not any(work.name.startswith(word) for word in options.only):
                continue
            found = [
                [measure(checkout, work, Path(name), options) for checkout in (options.old.resolve(), new)]
                for _ in range(options.rounds)
            ]
            old, now = ([statistics.median(x) for x in zip(*side, strict=True)] for side in zip(*found, strict=True))
            row = f"| {work.name} | {old[0]:.3f} ({old[1]:.3f}) | {now[0]:.3f} ({now[1]:.3f}) | {old[0] / now[0]:.2f} "
            print(f"{row}| {old[2]:.0f} | {now[2]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
