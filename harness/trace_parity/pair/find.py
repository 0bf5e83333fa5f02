"""Which pair a command works on: --pair, else the nearest pair.toml upwards, else an installed one, else the shipped.

Installed pairs announce themselves by the entry point group `trace_parity.pairs`.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.entry_points import EntryPoint, entry_points
from trace_parity.pair.pair import FILE_NAME, Pair, load_pair
from trace_parity.pair.toml_table import nearest

GROUP = "trace_parity.pairs"
OWN_DISTRIBUTION = "trace-parity"


def find_pair(name: str | None = None, start: Path | None = None) -> Pair:
    """The pair of that name or folder; without one the nearest around `start` (default: the working directory).

    Raises HarnessError (exit 2) when there is none, or when several are installed and none is selected.
    """
    if name is not None:
        return _named(name, Path.cwd())
    folder = nearest_folder(start or Path.cwd())
    if folder is not None:
        return load_pair(folder, _named)
    others = [entry.name for entry in _installed() if not _is_shipped(entry)]
    if len(others) > 1:
        raise HarnessError(
            Exit.USAGE, f"several pairs are installed: {', '.join(sorted(others))}", expected="--pair NAME"
        )
    return _loaded(installed_folder(others[0])) if others else shipped()


@cache
def shipped() -> Pair:
    """The pair that is installed with the framework. Raises HarnessError (exit 2) when there is none."""
    for entry in _installed():
        if _is_shipped(entry):
            return _loaded(_folder(entry))
    raise HarnessError(Exit.USAGE, "no pair is installed with trace-parity", expected=f"an entry point of {GROUP}")


def nearest_folder(start: Path) -> Path | None:
    """The nearest folder upwards with a pair.toml; not one that another user owns, since a pair runs programs."""
    for folder in (start.resolve(), *start.resolve().parents):
        file = folder / FILE_NAME
        if file.is_file() and _is_own(folder) and _is_own(file):
            return folder
    return None


def _is_own(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def _named(name: str, folder: Path) -> Pair:
    """A folder, relative to `folder`, or the name of an installed pair."""
    path = folder / name
    if path.is_dir() and (os.sep in name or name in (".", "..") or (path / FILE_NAME).is_file()):
        return load_pair(path, _named)
    if path.name == FILE_NAME and path.is_file():
        return load_pair(path.parent, _named)
    if path.is_dir() and name not in {entry.name for entry in _installed()}:
        raise HarnessError(
            Exit.USAGE, f"no {FILE_NAME} in it", where=name, expected="the folder of a pair, or the name of one"
        )
    return _loaded(installed_folder(name))


@cache
def _loaded(folder: Path) -> Pair:
    """An installed pair is read once."""
    return load_pair(folder, _named)


def installed_folder(name: str) -> Path:
    """The folder of an installed pair. Raises HarnessError (exit 2) when none has that name."""
    known = {entry.name: entry for entry in _installed()}
    if name not in known:
        raise HarnessError(
            Exit.USAGE,
            f"no pair {name!r}",
            where="--pair",
            expected=f"a folder with a {FILE_NAME}, or one of {', '.join(sorted(known)) or 'none installed'}",
            hint=nearest(name, known),
        )
    return _folder(known[name])


def installed_names() -> list[str]:
    """The names of the installed pairs, in order."""
    return sorted(entry.name for entry in _installed())


@cache
def _installed() -> tuple[EntryPoint, ...]:
    return entry_points(GROUP)


def _is_shipped(entry: EntryPoint) -> bool:
    return entry.distribution == OWN_DISTRIBUTION


def _folder(entry: EntryPoint) -> Path:
    """The folder of an entry point `package.module:NAME`; the package itself is not imported."""
    package, _, module = entry.module.partition(".")
    spec = find_spec(package)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    for location in locations:
        file = Path(location, *module.split(".")).with_suffix(".py")
        if file.is_file():
            return Path(run_path(str(file))[entry.attr])
    raise HarnessError(Exit.USAGE, f"the entry point {entry.name} = {entry.value} names no file", where=GROUP)
