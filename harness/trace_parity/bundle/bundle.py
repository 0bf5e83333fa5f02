"""A bundle: one folder with everything a run left, hashed, that appears under its name only when it is whole.

It is written in a folder beside its final name (`.partial-…`) and renamed last; the manifest is the last file written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError

MANIFEST = "manifest-sha256.txt"
PARTIAL = ".partial-"


@contextmanager
def bundle_folder(root: Path, case_id: str, name: str) -> Iterator[Path]:
    """A folder to fill. On leaving without an exception it is sealed and renamed to its final name, else removed.

    Raises HarnessError (exit 2) when `root` cannot be written. The final path is told by `final_path` of the folder.
    """
    parent = root / case_id
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        partial = parent / f"{PARTIAL}{name}.{os.getpid()}"
        partial.mkdir()
    except OSError as error:
        what = error.strerror or str(error)
        raise HarnessError(Exit.USAGE, what, where=str(parent), expected="a folder to write to") from error
    try:
        yield partial
        write_manifest(partial)
        _rename(partial, parent / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def final_path(partial: Path) -> Path:
    """Where a folder of `bundle_folder` ends up, unless that name is taken by then (then `<name>.2`, …)."""
    return _free(partial.parent / partial.name.removeprefix(PARTIAL).rpartition(".")[0])


def _free(path: Path) -> Path:
    candidate, count = path, 2
    while candidate.exists():
        candidate, count = path.with_name(f"{path.name}.{count}"), count + 1
    return candidate


def _rename(partial: Path, final: Path) -> None:
    """Flush to disk, then rename: after a power cut the name stands for a whole bundle or for none."""
    for path in partial.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    partial.rename(_free(final))


def _sweep(parent: Path) -> None:
    """Remove what killed runs left: partial folders whose process is gone."""
    for left in parent.glob(f"{PARTIAL}*"):
        pid = left.name.rpartition(".")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)


def write_manifest(folder: Path) -> None:
    """`manifest-sha256.txt` over every other file, in the form that `sha256sum -c` reads."""
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in _files(folder)]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")


def verify(folder: Path) -> list[str]:
    """What is wrong with a bundle: changed, missing and unlisted files; empty when it is as it was written.

    Raises HarnessError (exit 5) when there is no readable manifest.
    """
    listed = _read_manifest(folder)
    faults = []
    for name, digest in listed.items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name}: missing")
        elif _sha256(path) != digest:
            faults.append(f"{name}: changed since the bundle was written")
    return faults + [f"{name}: not in the manifest" for name in _files(folder) if name not in listed]


def _read_manifest(folder: Path) -> dict[str, str]:
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            Exit.UNREADABLE, error.strerror or str(error), where=str(folder / MANIFEST), expected="a bundle"
        ) from error
    listed = {}
    for number, line in enumerate(text.splitlines(), start=1):
        digest, gap, name = line.partition("  ")
        if not gap or len(digest) != 64 or Path(name).is_absolute() or ".." in Path(name).parts:
            raise HarnessError(Exit.UNREADABLE, "not a manifest line", where=f"{folder / MANIFEST}:{number}")
        listed[name] = digest
    if not listed:
        raise HarnessError(Exit.UNREADABLE, "the manifest is empty", where=str(folder / MANIFEST))
    return listed


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class BundleInfo:
    """A line of `bundle list`."""

    path: Path
    case: str
    name: str
    verdict: str
    headline: str
    num_divergent: int


def find_bundles(root: Path) -> list[BundleInfo]:
    """The whole bundles under `root`, oldest first. Half-written ones have no manifest or a hidden name."""
    found = []
    for manifest in sorted(root.glob(f"*/*/{MANIFEST}")):
        folder = manifest.parent
        if folder.name.startswith("."):
            continue
        try:
            result = load_result(folder)
        except HarnessError:
            continue
        found.append(
            BundleInfo(
                folder,
                folder.parent.name,
                folder.name,
                result["verdict"],
                result["headline"],
                result["num_divergent"],
            )
        )
    return sorted(found, key=lambda b: (b.name, b.case))


def load_result(folder: Path) -> dict[str, Any]:
    """result.json of a bundle, as plain data. Raises HarnessError (exit 5)."""
    path = folder / "result.json"
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"schema", "verdict", "headline", "num_divergent"} <= data.keys():
            raise ValueError("not the result of a comparison")
    except (OSError, ValueError) as error:
        raise HarnessError(Exit.UNREADABLE, str(error), where=str(path), expected="a bundle") from error
    return data
