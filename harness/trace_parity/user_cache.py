"""The user's cache: a private folder, with built files that are checked before they are loaded."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from functools import cache
from pathlib import Path

from trace_parity.errors import cannot_write
from trace_parity.files import write_whole

SUM = ".sha256"


@cache
def cache_folder() -> Path:
    """`trace-diff` in XDG_CACHE_HOME or ~/.cache, mode 0700 and owned by the user.

    If it cannot be created, written or trusted (a link, another user's), a private folder in the temporary
    folder is used, with a notice on standard error. Raises HarnessError (exit 74) where that fails too.
    """
    named = os.environ.get("XDG_CACHE_HOME")
    home = Path(named) if named else Path(os.environ.get("HOME") or "/nonexistent") / ".cache"
    wanted = home / "trace-diff"
    try:
        return _private(wanted)
    except OSError as error:
        why = error.strerror or str(error)
    import tempfile

    spare = Path(tempfile.gettempdir()) / f"trace-diff-cache-{os.getuid()}"
    try:
        folder = _private(spare)
    except OSError as error:
        raise cannot_write(error, spare, "XDG_CACHE_HOME names another folder for what is built once") from error
    print(f"note: {wanted} cannot be used ({why}); {folder} is used as the cache", file=sys.stderr)
    return folder


def _private(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise OSError("it is a link or a file, not a folder")
    if status.st_uid != os.getuid():
        raise OSError("it belongs to another user")
    if status.st_mode & 0o077:
        folder.chmod(0o700)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(None, "Permission denied")
    return folder


def is_sound(file: Path) -> bool:
    """Whether a cached file is the user's own regular file with its recorded size and hash.

    A truncated library kills every process that loads it; this is checked first.
    """
    try:
        status = file.lstat()
        recorded = file.with_name(file.name + SUM).read_text(encoding="ascii")
        return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and recorded == _sum(file)
    except (OSError, UnicodeDecodeError):
        return False


def keep(built: Path, target: Path) -> None:
    """Move a newly built file to its place in the cache and record its size and hash. Raises OSError."""
    recorded = _sum(built)
    built.replace(target)
    write_whole(target.with_name(target.name + SUM), recorded)


def _sum(file: Path) -> str:
    data = file.read_bytes()
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}\n"
