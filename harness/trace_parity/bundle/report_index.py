"""reports/index.html: every bundle under a folder, by case and time, with the trend of each case."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from trace_parity.bundle.bundle import MANIFEST, find_bundles, no_folder, pair_of, verify, write_manifest
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import write_whole
from trace_parity.printable import plural
from trace_parity.render.html_form import page
from trace_parity.render.html_form import render as report_page
from trace_parity.render.numbers import short
from trace_parity.render.pictures import bundle_files
from trace_parity.render.svg import sparkline
from trace_parity.result.result_json import read_result

INDEX = "index.html"
MOST_RUNS = 40
"""Points of a sparkline."""
PAGE_ROWS = 100
"""Rows of a table that are shown at first, and that each further click adds."""


@dataclass(frozen=True)
class Entry:
    """One bundle in the index; `href` is relative to the index."""

    case: str
    name: str
    href: str
    verdict: str
    exit_code: int
    headline: str
    num_divergent: int
    needed_rtol: float
    against: str = ""
    is_waived: bool = False
    setting: str = ""
    details: str = ""

    @property
    def time(self) -> str:
        """`2025-10-08 21:24:59`, from the bundle's name; the name itself where it carries none."""
        t = self.name
        if len(t) < 16 or t[8] != "T" or t[15] != "Z":
            return t
        return f"{t[:4]}-{t[4:6]}-{t[6:8]} {t[9:11]}:{t[11:13]}:{t[13:15]}"

    @property
    def commit(self) -> str:
        """The part of the bundle's name after the time."""
        return self.name.partition("-")[2]


@dataclass(frozen=True)
class CaseTrend:
    """The bundles of one case, oldest first, with their trend as an <svg> element."""

    case: str
    entries: tuple[Entry, ...]
    spark: str

    @property
    def newest(self) -> Entry:
        """The bundle that holds the present state of the case."""
        return self.entries[-1]


def entries(root: Path, pair: str = "") -> list[Entry]:
    """The bundles under `root`, of one pair or of all, oldest first.

    A bundle whose result has no exit code or tolerance shows as unknown.
    """
    found = []
    for info in find_bundles(root, pair):
        where = info.path.relative_to(root).as_posix()
        page_name = "report.html" if (info.path / "report.html").is_file() else ""
        found.append(
            Entry(
                info.case,
                info.name,
                quote(f"{where}/{page_name}"),
                info.ended,
                info.exit_code,
                info.headline,
                info.num_divergent,
                info.needed_rtol,
                info.against,
                bool(info.waived),
                info.setting,
                info.details,
            )
        )
    return found


def trends(found: list[Entry]) -> list[CaseTrend]:
    """The entries by case, pair, reference, places and options: runs that differ in these make no line together."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in found:
        groups.setdefault((entry.case, entry.setting), []).append(entry)
    return [CaseTrend(case, tuple(group), _spark(case, group)) for (case, _), group in sorted(groups.items())]


def _spark(case: str, group: list[Entry]) -> str:
    known = [e for e in group if not math.isnan(e.needed_rtol)][-MOST_RUNS:]
    if not known:
        return ""
    label = f"worst relative difference of {case} over {plural(len(known), 'run')}, {short(known[0].needed_rtol)} to "
    label += f"{short(known[-1].needed_rtol)}"
    return sparkline([e.needed_rtol for e in known], [e.exit_code == 0 for e in known], label)


def render_index(found: list[Entry]) -> str:
    """The page."""
    return page(
        "index.html.j2",
        title="trace-diff: reports",
        data={},
        page_rows=PAGE_ROWS,
        trends=trends(found),
        newest_first=sorted(found, key=lambda e: (e.name, e.case), reverse=True),
    )


def write_index(root: Path, pair: str = "") -> tuple[Path, int]:
    """Write `root/index.html`; returns its path and how many bundles it lists. Raises HarnessError (exit 5)."""
    if not root.is_dir():
        raise no_folder(root)
    found = entries(root, pair)
    target = root / INDEX
    text = render_index(found)
    write_whole(target, text)
    return target, len(found)


def render_bundle(folder: Path) -> str:
    """report.html of a bundle, made again from its result.json and pictures. Raises HarnessError (exit 5)."""
    result = read_result(folder / "result.json")
    return report_page(result, bundle_files(folder, result))


def replace_report(folder: Path) -> Path:
    """Put a newly made report.html into a bundle and into its manifest.

    Raises HarnessError (exit 5) when any other file is not as it was written: a new manifest would hide that.
    """
    target = folder / "report.html"
    faults = [fault for fault in verify(folder) if not fault.startswith("report.html: ")]
    if faults:
        raise HarnessError(
            Exit.UNREADABLE,
            f"not as it was written: {faults[0]}",
            where=str(folder / MANIFEST),
            hint="--out FILE writes the page elsewhere and leaves the bundle alone",
        )
    text = render_bundle(folder)
    write_whole(target, text)
    write_manifest(folder)
    return target


def require_pair(folder: Path, pair: str) -> None:
    """Refuse a bundle of another pair (exit 2); any bundle will do for no pair, and one that names none."""
    found = pair_of(folder)
    if pair and found and found != pair:
        raise HarnessError(
            Exit.USAGE, f"a bundle of the pair {found!r}", where=str(folder), expected=f"one of {pair!r}"
        )


def newest_report(place: Path, pair: str = "") -> Path:
    """The page to open for a bundle, or of the newest bundle under a folder. Raises HarnessError (exit 2 or 5)."""
    if (place / MANIFEST).is_file():
        require_pair(place, pair)
        folder = place
    else:
        found = find_bundles(place, pair)
        if not found:
            what = f"no bundle of the pair {pair!r}" if pair else "no bundle"
            raise HarnessError(
                Exit.UNREADABLE, what, where=str(place), hint="trace-diff run CASE leaves one under reports/"
            )
        folder = found[-1].path
    report = folder / "report.html"
    if not report.is_file():
        raise HarnessError(Exit.UNREADABLE, "no report.html", where=str(folder), hint="trace-diff report render BUNDLE")
    return report.resolve()


def open_page(path: Path, environment: Mapping[str, str], platform: str, opener: Callable[[str], bool]) -> bool:
    """Show a page in a browser if there is a display; returns whether one was started."""
    needs_display = platform.startswith(("linux", "freebsd"))
    has_display = any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if needs_display and not has_display:
        return False
    return opener(path.as_uri())
