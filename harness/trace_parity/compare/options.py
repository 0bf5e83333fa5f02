"""Options of a comparison and of the run before it: one object for all commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity.compare.sites import SITES, WHOLE_NUMBERS
from trace_parity.compare.windows import PIECE

if TYPE_CHECKING:
    from trace_parity.compare.picks import Pick
    from trace_parity.pair.calibration import Calibration
    from trace_parity.pair.tolerances import Rule


@dataclass(frozen=True)
class Options:
    """The options of a comparison, then those of a run."""

    rtol: float | None = None  # in place of each variable's own
    rules: tuple[Rule, ...] = ()  # tolerances of chosen variables
    lenient: bool = False
    sides: tuple[str, str] | None = None  # whose lines are taken from each log
    rank: str | None = None  # one process's lines of several
    rank_loop: str = ""  # the loop whose indices the ranks are
    piece: int = PIECE  # bytes of a log that are read at a time
    blame_sites: int = SITES  # of logs of more than `whole_numbers` that are checked against the equations
    whole_numbers: int = WHOLE_NUMBERS
    waive: tuple[str, ...] = ()  # quirks that may pass
    waive_unused: bool = False  # and that need not occur
    calibration: Calibration | None = None  # what rounding explains
    today: date | None = None  # the day with which their expiry is compared

    against: str = ""  # variant of the programs; the pair's first where it is empty
    out: Path = Path("reports")
    render_images: bool = True
    program_options: Mapping[str, str] = field(default_factory=dict)
    asked_as: tuple[str, ...] = ()  # the command line, for the bundle
    picks: tuple[Pick, ...] = ()  # places to pick off the images, in place of the case's
    preflight: bool = True  # compare the programs' settings first
    together: bool = False  # trace and render in one process where a program can


DEFAULTS = Options()
