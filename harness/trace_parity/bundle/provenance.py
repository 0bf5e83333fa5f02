"""Provenance of a bundle: machine, versions, commit. Only the environment variables listed here are recorded."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("trace-parity", "torch", "numpy", "pandas", "click", "rich", "deepdiff", "pillow")
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CC", "CFLAGS", "NO_COLOR", "CI", "LANG", "LC_ALL")


def stamp(now: datetime) -> str:
    """`20251008T212459Z`, in UTC."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def environment(now: datetime) -> dict[str, Any]:
    """The machine and the versions, with the time."""
    return {
        "created_utc": now.astimezone(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "python": sys.version.split()[0],
        "compiler": _first_line([os.environ.get("CC", "cc"), "--version"]),
        "packages": {name: version_of(name) for name in PACKAGES},
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def git_state(folder: Path) -> dict[str, Any]:
    """Commit, branch and whether the tree has changes; `commit` is None outside a repository.

    An installed package is in none, even where its environment is a folder of one.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or is_installed(folder):
        return {"commit": None, "short": "nogit", "branch": None, "dirty": False, "changed": []}
    changed = (_git(folder, "status", "--porcelain") or "").splitlines()
    return {
        "commit": _git(folder, "rev-parse", "HEAD"),
        "short": _git(folder, "rev-parse", "--short=8", "HEAD") or "unborn",
        "branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        "dirty": bool(changed),
        "changed": changed,
    }


def is_installed(folder: Path) -> bool:
    """Whether a folder is part of an installed distribution, so not to be written to and of no repository."""
    return any(next(parent.glob("*.dist-info"), None) for parent in folder.resolve().parents)


def changes(folder: Path) -> str | None:
    """sha256 of all uncommitted changes to tracked files of a folder's repository; None outside a repository."""
    diff = _git(folder, "diff", "HEAD", "--binary")
    return None if diff is None else hashlib.sha256(diff.encode("utf-8", "surrogateescape")).hexdigest()


def bundle_name(now: datetime, git: dict[str, Any]) -> str:
    """`<UTC time>-<short commit>[-dirty]`."""
    return f"{stamp(now)}-{git['short']}{'-dirty' if git['dirty'] else ''}"


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, errors="surrogateescape", check=False
        )
    except OSError:
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def _first_line(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else None


def version_of(name: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
