"""Both programs on the same command lines, one after the other in one run: medians, ratios, peak memory.

    python -m benchmarks.render [--only NAME ...] [--repeats 5] [--device cuda]

The C program is timed as a process (its start-up is some milliseconds); the simulator in a process of its own, after
one warm-up render, start-up and import left out. A step is one (pixel, sub-sample, source, φ, mosaic domain). With a
CUDA device the simulator's memory is that of the device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nanobragg.inputs.formula_reflections import synth
from trace_parity.pair.case import make_input
from trace_parity.pair.find import shipped
from trace_parity.run.launch import build_program

CELL = "-cell 70 80 90 85 95 105 -hkl synth.hkl -lambda 1.0 -Na 5 -Nb 6 -Nc 7 -distance 100"


@dataclass(frozen=True)
class Workload:
    name: str
    argv: list[str]
    steps: int


def workloads() -> list[Workload]:
    supervisor = [word for word in shipped().case("supervisor").argv if word != "-nonoise"]
    big = "-detpixels 2048 -pixel 0.05"
    small = "-detpixels 512 -pixel 0.1"
    return [
        Workload("supervisor", supervisor, 2463 * 2527 * 10),
        Workload(
            "mosaic scan 512², 50 domains, 10 φ",
            f"{CELL} {small} -nointerpolate -oversample 1 -mosaic 0.5 -mosaic_dom 50 "
            "-phi 1 -osc 1 -phisteps 10".split(),
            512**2 * 500,
        ),
        Workload("2048² oversampled 3×", f"{CELL} {big} -nointerpolate -oversample 3".split(), 2048**2 * 9),
        Workload("2048² interpolated", f"{CELL} {big} -interpolate -oversample 1".split(), 2048**2),
        Workload(
            "512², 5×5 divergence, 5 wavelengths",
            f"{CELL} {small} -nointerpolate -oversample 1 -divergence 2 -divsteps 5 -square_div "
            "-dispersion 1 -dispsteps 5".split(),
            512**2 * 125,
        ),
    ]


def make_inputs(folder: Path) -> None:
    (folder / "synth.hkl").write_text(synth())
    for file in shipped().case("supervisor").files:
        make_input(file, folder)


def time_c(binary: Path, work: Workload, folder: Path, repeats: int, threads: int) -> tuple[list[float], float]:
    command = [str(binary), *work.argv, "-fix", "all", "-threads", str(threads), "-nopgm", "-nonoise", "-noprogress"]
    command += ["-floatfile", "c.bin", "-intfile", "/dev/null"]
    seconds, peak = [], 0.0
    for _ in range(repeats):
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - begin)
        if status:
            raise SystemExit(f"the C program failed on {work.name}")
        peak = max(peak, usage.ru_maxrss / 1024)
    return seconds, peak


def time_py(
    work: Workload, folder: Path, repeats: int, threads: int, dtype: str, device: str
) -> tuple[list[float], float]:
    words = [sys.executable, "-m", "benchmarks.render", "--child", json.dumps(work.argv), "--dtype", dtype]
    words += ["--device", device]
    words += ["--folder", str(folder), "--repeats", str(repeats), "--threads", str(threads)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["seconds"], answer["peak_mib"]


def child(argv: list[str], folder: Path, dtype: str, repeats: int, threads: int, device: str) -> None:
    """The simulator's side: one warm-up, then the timed renders."""
    import torch
    from nanobragg_torch import from_argv, render

    torch.set_num_threads(threads)
    seconds = []
    with torch.no_grad():
        experiment = from_argv([*argv, "-dtype", dtype], folder=folder)
        experiment = experiment.replace(device=torch.device(device))
        for _ in range(repeats + 1):
            begin = time.perf_counter()
            render(experiment)
            if device != "cpu":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if device != "cpu":
        peak = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps({"seconds": seconds[1:], "peak_mib": peak}))


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def device_name(device: str) -> str:
    if device == "cpu":
        return "the same"
    # Not here: the memory of a process that is started from this one counts this one's.
    program = f"import torch; print(torch.cuda.get_device_name({device!r}))"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="workloads whose name begins so")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu", help="of the simulator: cpu (default) or cuda")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--dtype", default="float64", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(
            json.loads(options.child), options.folder, options.dtype, options.repeats, options.threads, options.device
        )
        return
    binary = build_program(shipped().programs.sides["C"]) / "nanoBragg"
    where = f"{options.threads} threads, {cpu_model()}, {platform.system()}"
    print(f"{where}; the simulator on {device_name(options.device)}; medians of {options.repeats}\n")
    print("| workload | C s | Msteps/s/core | C MiB | float64 s | ratio | MiB | float32 s | ratio | MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder)
        for work in workloads():
            if options.only and not any(work.name.startswith(word) for word in options.only):
                continue
            c, c_mib = time_c(binary, work, folder, options.repeats, options.threads)
            c_median = statistics.median(c)
            row = (
                f"| {work.name} | {c_median:.2f} | {work.steps / c_median / options.threads / 1e6:.1f} | {c_mib:.0f} |"
            )
            for dtype in ("float64", "float32"):
                py, mib = time_py(work, folder, options.repeats, options.threads, dtype, options.device)
                median = statistics.median(py)
                row += f" {median:.2f} | {c_median / median:.1f} | {mib:.0f} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
