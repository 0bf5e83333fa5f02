"""Files that appear whole or not at all: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

from nanobragg_torch.errors import ExperimentError


def write_bytes(path: Path, data: bytes, flag: str) -> None:
    """Write `data` to `path`; ExperimentError names the flag and the file. An interrupt leaves no partial file."""
    temporary: Path | None = None
    try:
        if (number := _descriptor(path)) is not None:
            sys.stdout.flush()
            with os.fdopen(os.dup(number), "wb") as stream:
                stream.write(data)
            return
        path = path.resolve()  # a link is followed, not replaced
        if path.exists() and not path.is_file():  # /dev/null and other devices cannot be replaced by a rename
            path.write_bytes(data)
            return
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise ExperimentError(f"{flag}: cannot write {path}: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _descriptor(path: Path) -> int | None:
    """The open file behind /dev/stdout, /dev/fd/3 and so on: it is written to, never replaced by a rename."""
    if found := re.fullmatch(r"/dev/std(out|err)", str(path)):
        return 1 if found[1] == "out" else 2
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", str(path))
    return int(found[1]) if found else None
