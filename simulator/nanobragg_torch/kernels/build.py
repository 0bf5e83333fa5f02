"""The kernels' shared libraries: built from the C++ in `source`, once on a machine, and kept in the user's cache.

There are four: forward and backward, in double and in single precision. Each serves every experiment. A library is
kept under a name that changes with its source and the processor's instructions. It is written next to its final name
and renamed, verified by size and checksum before it is loaded, and loaded once by a process of its own first, so that
a library that crashes does not take the user's program with it. A failure is remembered for a day. Each use marks a
library's files; when another is built, those that no program has used for a month are removed.
docs/adr/0009-kernels.md
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

Kind: TypeAlias = "tuple[str, str]"
"""The kind of a library: ("forward" or "backward", "float64" or "float32")."""
_SOURCE = Path(__file__).parent / "source"
_FLAGS = (
    "-std=c++17 -O3 -march=native -ffp-contract=off -fno-math-errno -fno-exceptions -fno-rtti -fPIC -shared".split()
)
_REAL = {"float64": "double", "float32": "float"}
_COMPILING_S = 10
"""About how long a processor takes for one library."""
_REMEMBERED_S = 24 * 3600.0
_UNUSED_S = 30 * 24 * 3600.0
_LOG = logging.getLogger("nanobragg_torch")


class KernelError(Exception):
    """A kernel cannot be built or loaded; the message gives the reason."""


def libraries(kinds: Sequence[Kind]) -> list[Path]:
    """The files of the libraries, each built where it is missing or damaged; KernelError if one is not available."""
    folder = _private_folder()
    files = {kind: folder / f"{'-'.join(kind)}-{_digest()}.so" for kind in kinds}
    if not all(map(_is_intact, files.values())):
        with _locked(folder / "lock"):
            missing = {kind: file for kind, file in files.items() if not _is_intact(file)}
            if missing:
                _build(missing)
                _remove_unused(folder, set(files.values()))
    for file in files.values():
        with contextlib.suppress(OSError):  # of another user's, or read-only: then nobody removes it either
            os.utime(file)
    return list(files.values())


def cache_folder() -> Path:
    """Where the libraries are kept: `simulator-kernels` in the user's cache (XDG_CACHE_HOME)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trace-diff" / "simulator-kernels"


def _private_folder() -> Path:
    """The cache folder, made for the user alone; KernelError where others could write to it."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.stat()
        if hasattr(os, "getuid") and status.st_uid != os.getuid():
            raise KernelError(f"the cache {folder} belongs to another user")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            folder.chmod(0o700)
    except OSError as error:
        raise KernelError(f"the cache cannot be written: {error}") from None
    return folder


def _remove_unused(folder: Path, kept: set[Path]) -> None:
    """Libraries of other versions that no program has used for a month. One that is loaded stays where it is loaded."""
    oldest = time.time() - _UNUSED_S
    for file in folder.glob("*-*-*.*"):
        library = file.with_suffix(".so")
        with contextlib.suppress(OSError):
            used = library if library.exists() else file
            if library not in kept and used.stat().st_mtime < oldest:
                for suffix in (".sha256", ".failed", ".so"):  # the library last: its time is that of all
                    library.with_suffix(suffix).unlink(missing_ok=True)


@functools.cache
def _digest() -> str:
    """A digest of everything a library depends on except its kind."""
    digest = hashlib.sha256()
    for file in sorted(_SOURCE.iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    digest.update(f"{_FLAGS} {platform.machine()} {_processor()}".encode())
    return digest.hexdigest()[:20]


def _processor() -> str:
    """What instructions there are: a cache may be shared by machines that differ."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return platform.processor()


def _checksum(file: Path) -> str:
    data = file.read_bytes()
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}"


def _is_intact(file: Path) -> bool:
    try:
        return file.with_suffix(".sha256").read_text(encoding="ascii") == _checksum(file)
    except (OSError, ValueError):
        return False


def _build(missing: dict[Kind, Path]) -> None:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        raise KernelError("there is no C++ compiler (g++ or clang++, or the one that CXX names)")
    for file in missing.values():
        _raise_remembered(file.with_suffix(".failed"), compiler)
    names = ", ".join(" ".join(kind) for kind in missing)
    seconds = _COMPILING_S * -(-len(missing) // (os.cpu_count() or 1))
    _LOG.info("compiling kernels (once on this machine, about %d s): %s", seconds, names)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
        running: list[tuple[Path, Path, subprocess.Popen[str]]] = []
        try:
            for (direction, dtype), file in missing.items():
                made = Path(scratch) / file.name
                words = [
                    compiler,
                    *_FLAGS,
                    f"-DREAL={_REAL[dtype]}",
                    str(_SOURCE / f"{direction}.cpp"),
                    "-o",
                    str(made),
                ]
                if sys.platform == "linux":
                    words.insert(1, "-Wl,--as-needed")  # it does not use the C++ library
                running.append((file, made, _started(words)))
            for file, made, process in running:
                _, errors = process.communicate()
                try:
                    _check(process, errors, made)
                except KernelError as error:
                    _remember(file.with_suffix(".failed"), compiler, str(error))
                    raise
                Path(f"{made}.sha256").write_text(_checksum(made), encoding="ascii")
                made.replace(file)
                Path(f"{made}.sha256").replace(file.with_suffix(".sha256"))
        except OSError as error:
            raise KernelError(f"the compiler cannot be started: {error}") from None
        finally:
            for _, _, process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()


def _started(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")


def _check(process: subprocess.Popen[str], errors: str, made: Path) -> None:
    if process.returncode or not made.exists():
        lines = [line for line in errors.splitlines() if "error" in line] or errors.strip().splitlines()[-1:]
        raise KernelError(f"the kernel does not compile: {(lines or [f'exit status {process.returncode}'])[0]}")
    program = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).nanobragg_names"
    loading = _started([sys.executable, "-S", "-c", program, str(made)])
    _, errors = loading.communicate()
    if loading.returncode < 0:
        died_of = signal.Signals(-loading.returncode).name
        raise KernelError(f"the kernel cannot be loaded: its process died of {died_of}")
    if loading.returncode:
        raise KernelError(f"the kernel cannot be loaded: {(errors.strip().splitlines() or ['no reason given'])[-1]}")


def _remember(note: Path, compiler: str, reason: str) -> None:
    text = json.dumps({"compiler": compiler, "reason": reason, "time_s": time.time()})
    with contextlib.suppress(OSError):
        note.write_text(text, encoding="utf-8")


def _raise_remembered(note: Path, compiler: str) -> None:
    """KernelError where the same compiler failed within a day."""
    try:
        failure = json.loads(note.read_text(encoding="utf-8"))
        is_known = failure["compiler"] == compiler and 0 <= time.time() - failure["time_s"] < _REMEMBERED_S
        reason = str(failure["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if is_known:
        raise KernelError(f"{reason} (tried within the last day; to try again, remove {note})")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time builds; the others wait and find the library there."""
    try:
        handle = path.open("a")
    except OSError as error:
        raise KernelError(f"the cache cannot be written: {error}") from None
    with handle:
        with contextlib.suppress(ImportError):  # where there is no such lock, two may build the same
            import fcntl

            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                _LOG.info("waiting for another process that compiles the kernels")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
