"""Compiled kernels: looked up in the user's cache, compiled where they are not there yet, and loaded.

A kernel serves any experiment of its `Variant`. It is compiled by a process of its own (`compile_kernel`) and kept
under a name that changes with everything it was made of: the source of the stages, PyTorch, the processor. To load one
takes milliseconds and none of the compiler. docs/adr/0009-fused-kernels.md
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType

import torch
from torch import Tensor

from nanobragg_torch import rotations
from nanobragg_torch.kernels.library import KernelLibrary
from nanobragg_torch.kernels.stages_as_modules import Variant
from nanobragg_torch.stages import (
    absorption,
    accumulate,
    detector,
    lattice,
    polarization,
    scattering,
    structure_factors,
)

Kernel = Callable[[list[Tensor]], list[Tensor]]
_COMPILERS = 4  # at once; each takes some 700 MB
_LOG = logging.getLogger("nanobragg_torch")

_STAGES = (absorption, accumulate, detector, lattice, polarization, rotations, scattering, structure_factors)
_PACKAGE = Path(__file__).parent.parent
_SOURCES = (
    *("kernels/stages_as_modules.py", "kernels/slopes.py", "kernels/compile.py"),
    *("ops/compiler_ops.py", "ops/exact_root.py", "ops/gather_block.py", "ops/gather_block.h", "ops/sine.py"),
    *("rotations.py", "units.py", "stages/absorption.py", "stages/accumulate.py", "stages/detector.py"),
    *("stages/lattice.py", "stages/peaks.py", "stages/polarization.py", "stages/scattering.py"),
    "stages/structure_factors.py",
)


class KernelError(Exception):
    """A kernel cannot be compiled or loaded; says why."""


def _functions(module: ModuleType) -> dict[str, object]:
    return {name: value for name, value in vars(module).items() if isinstance(value, FunctionType | type)}


_AS_IMPORTED = {module: _functions(module) for module in _STAGES}


def stages_are_as_compiled() -> bool:
    """False where a stage function has been replaced since the import: a kernel would not know."""
    return all(_functions(module) == functions for module, functions in _AS_IMPORTED.items())


def kernels(variants: Sequence[Variant]) -> list[Kernel]:
    """The kernels of `variants`; KernelError where one cannot be had."""
    files = [cache_folder() / f"{_name(variant)}.so" for variant in variants]
    if not all(file.exists() for file in files):
        with _locked(cache_folder() / "lock"):
            missing = [(variant, file) for variant, file in zip(variants, files, strict=True) if not file.exists()]
            if missing:
                _compile(missing)
    return [_load(file) for file in files]


def cache_folder() -> Path:
    """Where kernels are kept: `simulator-kernels` in the user's cache (XDG_CACHE_HOME)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trace-diff" / "simulator-kernels"


def _name(variant: Variant) -> str:
    text = json.dumps(dataclasses.asdict(variant))
    digest = hashlib.sha256((text + _made_of()).encode()).hexdigest()[:20]
    return f"{variant.kind}-{variant.dtype}-{digest}"


@functools.cache
def _made_of() -> str:
    """Everything but the variant that a kernel depends on."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((_PACKAGE / name).read_bytes())
    return f"{digest.hexdigest()} {torch.__version__} {platform.machine()} {_processor()}"


def _processor() -> str:
    """What instructions there are: a cache may be shared by machines that differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return torch.backends.cpu.get_cpu_capability()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _compile(missing: Sequence[tuple[Variant, Path]]) -> None:
    names = ", ".join(f"{variant.kind} ({variant.dtype})" for variant, _ in missing)
    _LOG.info("compiling the kernels for this kind of experiment, once: %s", names)
    folder = missing[0][1].parent
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = [(variant, str(Path(scratch) / file.name), file) for variant, file in missing]
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(Path(scratch) / "compiler")}
        at_once = min(len(made), os.cpu_count() or 1, _COMPILERS)
        running: list[subprocess.Popen[str]] = []
        try:
            for first in range(at_once):
                running.append(_compiler(made[first::at_once], environment))
            for process in running:
                _, errors = process.communicate()
                if process.returncode < 0:
                    died_of = signal.Signals(-process.returncode).name
                    raise KernelError(
                        f"the kernel does not compile, or cannot be loaded: its process died of {died_of}"
                    )
                if process.returncode:
                    last = errors.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
                    raise KernelError(f"the kernel does not compile: {last[0]}")
        except OSError as error:
            raise KernelError(f"the compiler cannot be started: {error}") from None
        finally:
            for process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        for _, out, file in made:
            Path(out).replace(file)


def _compiler(made: Sequence[tuple[Variant, str, Path]], environment: dict[str, str]) -> subprocess.Popen[str]:
    """A process that compiles some kernels."""
    jobs = json.dumps([[dataclasses.asdict(variant), out] for variant, out, _ in made])
    command = [sys.executable, "-m", "nanobragg_torch.kernels.compile", jobs]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time compiles; the others wait and find the kernel made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise KernelError(f"the cache cannot be written: {error}") from None
    with handle:
        with contextlib.suppress(ImportError):  # where there is no such lock, two may compile the same
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@functools.cache
def _load(file: Path) -> Kernel:
    try:
        return KernelLibrary(file)
    except (AttributeError, OSError, RuntimeError) as error:
        raise KernelError(f"the kernel {file.name} cannot be loaded: {error}") from None
