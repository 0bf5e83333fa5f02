"""Entry points of installed packages, read from the folders that importlib.metadata would search.

That module takes 25 ms to import and to search, a tenth of the time of a comparison of small logs.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class EntryPoint(NamedTuple):
    """`name = module:attr` of a distribution's metadata; the distribution's name has hyphens and small letters."""

    name: str
    value: str
    distribution: str

    @property
    def module(self) -> str:
        """In front of the colon."""
        return self.value.partition(":")[0].strip()

    @property
    def attr(self) -> str:
        """Behind the colon, without extras."""
        return self.value.partition(":")[2].partition("[")[0].strip()


def entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Those of a group, each distribution once: the first on sys.path counts, as it does for the importer."""
    if any(Path(path).is_file() for path in sys.path):  # packages in an archive
        from importlib import metadata

        of_archives = metadata.entry_points(group=group)
        return tuple(EntryPoint(e.name, e.value, _normal(e.dist.name) if e.dist else "") for e in of_archives)
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for folder, distribution in _distributions():
        if distribution not in seen:
            seen.add(distribution)
            found += _of_group(folder / "entry_points.txt", group, distribution)
    return tuple(found)


def _distributions() -> Iterator[tuple[Path, str]]:
    for path in dict.fromkeys(sys.path):
        with suppress(OSError), os.scandir(path or ".") as inside:
            for entry in inside:
                if entry.name.endswith((".dist-info", ".egg-info")):
                    yield Path(entry.path), _normal(entry.name.rpartition(".")[0].partition("-")[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _of_group(file: Path, group: str, distribution: str) -> Iterator[EntryPoint]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return
    if group not in text:
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == group and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield EntryPoint(name.strip(), value.strip(), distribution)
