"""Files that appear whole or not at all, and scratch folders that a later command removes if their owner was killed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError, cannot_write

LOCK = ".lock-"
DAY_S = 86400.0
"""A scratch folder without a lock file is left by a killed process when it is older than this."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name and rename it: a reader sees the old or the new content, never a mixture.

    A device or a pipe is written to directly. Raises HarnessError: exit 74 if the file system fails, exit 2 if
    the path is wrong; no partial file is left.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        _replace(path.resolve(), data)
    except OSError as error:
        raise cannot_write(error, path) from error


def make_folder(folder: Path, hint: str = "") -> None:
    """Make a folder and those above it. Raises HarnessError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(error, folder, hint) from error


def parse_json(text: str | bytes) -> Any:
    """As `json.loads`, with ValueError also for a text that is nested too deep for the parser."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def read_regular(path: Path) -> str:
    """The UTF-8 text of a regular file. Raises OSError, also for a FIFO, which would block; UnicodeDecodeError."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.read_text(encoding="utf-8")


def _replace(target: Path, data: bytes) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
    import tempfile

    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:60]}.", suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@contextmanager
def owned_folder(parent: Path, prefix: str, name: str = "") -> Iterator[Path]:
    """A new folder `<prefix><name>.<random>` in `parent`, removed on leaving if it is still there.

    A lock file next to it is held as long: `sweep` of another process, container or host that shares the file system
    takes a folder for abandoned only when it gets that lock. Raises OSError when the folder cannot be made.
    """
    import shutil

    folder = parent / f"{prefix}{name}.{os.urandom(4).hex()}"
    lock = parent / f"{LOCK}{folder.name.lstrip('.')}"
    with lock.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        try:
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                lock.unlink()


def sweep(parent: Path, prefix: str) -> None:
    """Remove the folders of `owned_folder` whose owner is gone, and lock files without a folder."""
    import shutil

    for folder in parent.glob(f"{prefix}*"):
        lock = parent / f"{LOCK}{folder.name.lstrip('.')}"
        with suppress(OSError):
            if _is_abandoned(folder, lock):
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink(missing_ok=True)
    for lock in parent.glob(f"{LOCK}{prefix.lstrip('.')}*"):
        with suppress(OSError):
            if time.time() - lock.stat().st_mtime > DAY_S and _is_free(lock):
                lock.unlink()


def _is_abandoned(folder: Path, lock: Path) -> bool:
    if lock.exists():
        return _is_free(lock)
    return time.time() - folder.stat().st_mtime > DAY_S


def _is_free(lock: Path) -> bool:
    with lock.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A folder for temporary files, in the system's temporary folder; those of killed processes are removed first."""
    parent, prefix = _temporary(), f"trace-diff-{purpose}-{os.getuid()}"
    try:
        sweep(parent, prefix)
        with owned_folder(parent, prefix) as folder:
            folder.chmod(0o700)
            yield folder
    except OSError as error:
        if error.filename is None or Path(str(error.filename)).parent != parent:
            raise
        raise cannot_write(error, error.filename, "TMPDIR names another folder") from error


def _temporary() -> Path:
    try:
        import tempfile

        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        what = "no folder for temporary files can be written"
        raise HarnessError(Exit.FILE_SYSTEM, what, hint="TMPDIR names another folder") from error


def near(path: Path) -> Path:
    """The path as it is typed from here: relative where it lies below the current folder."""
    with suppress(ValueError):
        return path.absolute().relative_to(Path.cwd())
    return path


def bundle_hint(folder: Path) -> str:
    """For a path that is not a bundle: where the bundles below it are listed; for a file, what takes logs."""
    if folder.is_file():
        return "trace-diff compare C.log PY.log compares two logs"
    below = any(True for depth in ("*", "*/*", "*/*/*") for _ in folder.glob(f"{depth}/result.json"))
    return f"`trace-diff bundle list {folder}` lists the bundles below it" if below else ""


def logs_of_bundle(path: Path) -> tuple[Path, Path] | None:
    """C's log and PY's of a bundle; None where it does not have both."""
    logs = path / "traces" / "c.log", path / "traces" / "py.log"
    return logs if all(log.is_file() for log in logs) else None


def log_hint(path: Path) -> str:
    """For a folder where a log was expected: which logs it has; empty where it has none."""
    if not path.is_dir():
        return ""
    if (logs := logs_of_bundle(path)) is not None:
        return f"it is a bundle; its logs are {logs[0]} and {logs[1]}"
    found = sorted(log.name for log in path.glob("*.log"))[:3]
    return f"logs in it: {', '.join(found)}" if found else bundle_hint(path)
