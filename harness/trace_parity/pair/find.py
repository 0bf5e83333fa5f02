"""Where a pair's folder is. Installed pairs announce themselves by the entry point group `trace_parity.pairs`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

from trace_parity.errors import Exit, HarnessError

GROUP = "trace_parity.pairs"
SHIPPED = "nanobragg"


@cache
def shipped_pair() -> Path:
    """The folder of the pair that is installed with the framework. Raises HarnessError (exit 2) when there is none."""
    for entry in entry_points(group=GROUP):
        if entry.name == SHIPPED:
            return _folder(entry)
    raise HarnessError(Exit.USAGE, f"no pair {SHIPPED!r} is installed", expected=f"an entry point of {GROUP}")


def _folder(entry: EntryPoint) -> Path:
    """The folder that an entry point `package.module:NAME` names; the package itself is not imported."""
    package, _, module = entry.module.partition(".")
    spec = find_spec(package)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    for location in locations:
        file = Path(location, *module.split(".")).with_suffix(".py")
        if file.is_file():
            return Path(run_path(str(file))[entry.attr])
    raise HarnessError(Exit.USAGE, f"the entry point {entry.name} = {entry.value} names no file", where=GROUP)
