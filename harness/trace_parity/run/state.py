"""A run in progress: the folder that becomes the bundle, and the results so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trace_parity.compare.images import Image
from trace_parity.compare.options import Options
from trace_parity.compare.picks import Picked
from trace_parity.pair.case import Case
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import Program, Programs
from trace_parity.run.launch import (
    Progress,
    Ran,
    Start,
)
from trace_parity.run.probed import Probed

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Opens a stage of the run under a title and yields what takes its percents."""


@contextmanager
def silent(title: str) -> Iterator[Progress]:
    """A stage without a progress display."""
    del title
    yield lambda percent: None


@dataclass
class Run:
    """A run in progress: the folder that becomes the bundle and the results so far."""

    folder: Path
    pair: Pair
    case: Case
    options: Options
    stage: Stage
    start_of: Callable[[Program], Start]  # what starts a program's commands
    keeps: bool = True  # the result is a bundle
    images: tuple[Image, Image] | None = None
    picked: tuple[Picked, ...] = ()
    settings: tuple[str, ...] = ()  # those that differ
    ran: list[tuple[Program, str, Ran, list[str]]] = field(default_factory=list)
    probed: dict[str, Probed] = field(default_factory=dict)  # what is known of the probes of a side

    @property
    def programs(self) -> Programs:
        """Both programs of the pair."""
        return self.pair.programs

    @property
    def work(self) -> Path:
        """Where the programs run and their input files lie; not part of the bundle."""
        return self.folder / "work"
