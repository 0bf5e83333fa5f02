"""The gradient of a whole image by all its parameters: time against the forward pass, peak memory.

    python -m benchmarks.gradient [--budget-mb 256 ...] [--dtype float64] [--repeats 3] [--engine auto]

The image is the supervisor case (6.2 megapixels, ten φ ticks). The gradient is that of its sum of squares by every
crystal and detector parameter that `nanobragg_torch.parameters` lists for it, in one backward pass. Each measurement
runs in a process of its own. Processor time and wall-clock time show what a shared machine took; peak memory is
that of the process, PyTorch's libraries (some 250 MiB) with it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.render import cpu_model, make_inputs, workloads

NOT_CRYSTAL_OR_DETECTOR = {"structure_factors", "default_F", "flux", "fluence"}


def child(folder: Path, dtype: str, budget: float, repeats: int, threads: int, with_F: bool, engine: str) -> None:
    """Forward without gradients, then forward and backward, timed; prints one JSON line."""
    import torch
    from nanobragg_torch import from_argv, render
    from nanobragg_torch.parameters import PARAMETERS

    torch.set_num_threads(threads)
    argv = next(work.argv for work in workloads() if work.name == "supervisor")
    base = from_argv([*argv, "-dtype", dtype], folder=folder)

    def timed(function: Callable[[], object]) -> list[tuple[float, float]]:
        """(wall-clock, processor) seconds."""
        seconds = []
        for _ in range(repeats + 1):
            begin = time.perf_counter(), time.process_time()
            function()
            seconds.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
        return seconds[1:]

    def forward() -> None:
        with torch.no_grad():
            render(base, memory_budget_MB=budget, engine=engine)

    forwards = timed(forward)
    forward_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    leaves = {}
    for parameter in PARAMETERS:
        if parameter.name in NOT_CRYSTAL_OR_DETECTOR and not (with_F and parameter.name == "structure_factors"):
            continue
        start = parameter.tensor(base)
        if start is not None:
            leaves[parameter.name] = (parameter, start.requires_grad_())

    def gradient() -> None:
        experiment = base
        for parameter, leaf in leaves.values():
            experiment = parameter.put(experiment, leaf)
        image = render(experiment, memory_budget_MB=budget, engine=engine)
        found = torch.autograd.grad((image * image).sum(), [leaf for _, leaf in leaves.values()], allow_unused=True)
        assert all(g is None or bool(torch.isfinite(g).all()) for g in found)

    gradients = timed(gradient)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    numbers = sum(leaf.numel() for _, leaf in leaves.values())
    print(
        json.dumps(
            {
                "forward": forwards,
                "gradient": gradients,
                "forward_mib": forward_mib,
                "peak_mib": peak,
                "numbers": numbers,
                "parameters": list(leaves),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--budget-mb", type=float, action="append", help="memory budget of the render; repeatable")
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--with-structure-factors", action="store_true", help="by the whole grid too")
    parser.add_argument("--engine", default="auto", choices=["auto", "kernel", "eager"], help="of both columns")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    budgets = options.budget_mb or [256.0]
    if options.child:
        child(
            options.child,
            options.dtype,
            budgets[0],
            options.repeats,
            options.threads,
            options.with_structure_factors,
            options.engine,
        )
        return
    print(
        f"{options.threads} threads, {cpu_model()}, {options.dtype}, engine {options.engine}; "
        f"medians of {options.repeats}\n"
    )
    print("| budget MiB | numbers | forward s (CPU s) | gradient s (CPU s) | ratio (CPU) | forward MiB | peak MiB |")
    print("|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        make_inputs(Path(name))
        for budget in budgets:
            words = [sys.executable, "-m", "benchmarks.gradient", "--child", name, "--budget-mb", str(budget)]
            words += ["--dtype", options.dtype, "--repeats", str(options.repeats), "--threads", str(options.threads)]
            words += ["--engine", options.engine]
            words += ["--with-structure-factors"] if options.with_structure_factors else []
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            got = json.loads(done.stdout.splitlines()[-1])
            (forward, forward_cpu), (gradient, gradient_cpu) = (
                [statistics.median(column) for column in zip(*got[name], strict=True)]
                for name in ("forward", "gradient")
            )
            print(
                f"| {budget:g} | {got['numbers']} | {forward:.2f} ({forward_cpu:.2f}) "
                f"| {gradient:.2f} ({gradient_cpu:.2f}) | {gradient / forward:.1f} ({gradient_cpu / forward_cpu:.1f}) "
                f"| {got['forward_mib']:.0f} | {got['peak_mib']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
