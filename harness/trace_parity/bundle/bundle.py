"""A bundle: one folder with all output of a run, hashed, that appears under its name only when it is complete.

It is written in a folder next to its final name (`.partial-…`) and renamed last; the manifest is the last file written.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError, cannot_write
from trace_parity.files import bundle_hint, owned_folder, parse_json, read_regular, sweep, write_whole
from trace_parity.render.places import in_sentence

MANIFEST = "manifest-sha256.txt"
PARTIAL = ".partial-"


@contextmanager
def bundle_folder(root: Path, case_id: str, name: str) -> Iterator[Path]:
    """A folder to fill. On leaving without an exception it is sealed and renamed to its final name, else removed.

    Raises HarnessError when `root` cannot be written: exit 74 if the file system fails, else exit 2.
    `final_path` of the folder is the final path.
    """
    parent = root / case_id
    with ExitStack() as stack:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            sweep(parent, PARTIAL)
            partial = stack.enter_context(owned_folder(parent, PARTIAL, name))
        except OSError as error:
            raise cannot_write(error, parent, "--out names the folder for bundles") from error
        yield partial
        try:
            write_manifest(partial)
            _rename(partial, parent / name)
        except OSError as error:
            raise cannot_write(error, parent) from error


def final_path(partial: Path) -> Path:
    """Where a folder of `bundle_folder` ends up, unless that name is taken by then (then `<name>.2`, …)."""
    return _free(partial.parent / partial.name.removeprefix(PARTIAL).rpartition(".")[0])


def _free(path: Path) -> Path:
    candidate, count = path, 2
    while candidate.exists():
        candidate, count = path.with_name(f"{path.name}.{count}"), count + 1
    return candidate


def _rename(partial: Path, final: Path) -> None:
    """Flush to disk, then rename: after a power cut there is a whole bundle under the name, or none."""
    for path in partial.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    partial.rename(_free(final))


def write_manifest(folder: Path) -> None:
    """`manifest-sha256.txt` over every other file, in the form that `sha256sum -c` reads."""
    names = sorted(name for name, is_regular in _entries(folder) if is_regular)
    write_whole(folder / MANIFEST, "".join(f"{_sha256(folder / name)}  {name}\n" for name in names))


def verify(folder: Path) -> list[str]:
    """Faults of a bundle: changed, missing, doubly listed and unlisted entries; empty if it is unchanged.

    A bundle contains regular files only: a link, a FIFO or a device is a fault, whatever it points to. Raises
    HarnessError (exit 5) when there is no readable manifest.
    """
    entries = _read_manifest(folder)
    there = dict(_entries(folder))
    counts = Counter(name for name, _ in entries)
    faults = [f"{name}: listed {count} times in the manifest" for name, count in counts.items() if count > 1]
    for name, digest in dict(entries).items():
        if name not in there:
            faults.append(f"{name}: missing")
        elif not there[name]:
            faults.append(f"{name}: not a regular file")
        elif _sha256(folder / name) != digest:
            faults.append(f"{name}: changed since the bundle was written")
    return faults + [f"{name}: not in the manifest" for name in there if name not in counts]


def check_whole(folder: Path) -> None:
    """Raises HarnessError (exit 5) for a bundle that was changed."""
    if faults := verify(folder):
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise HarnessError(
            Exit.UNREADABLE,
            f"not as it was written: {faults[0]}{more}",
            where=str(folder),
            hint=f"trace-diff bundle verify {folder} lists all of them",
        )


def _read_manifest(folder: Path) -> list[tuple[str, str]]:
    path = folder / MANIFEST
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise HarnessError(Exit.UNREADABLE, "not a regular file", where=str(path), expected="a bundle")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            Exit.UNREADABLE,
            error.strerror or str(error),
            where=str(path),
            expected="a bundle",
            hint=bundle_hint(folder),
        ) from error
    except UnicodeDecodeError as error:
        raise HarnessError(Exit.UNREADABLE, "not a manifest: not text", where=str(path)) from error
    listed = []
    for number, line in enumerate(text.splitlines(), start=1):
        digest, gap, name = line.partition("  ")
        if not gap or len(digest) != 64 or Path(name).is_absolute() or ".." in Path(name).parts:
            raise HarnessError(Exit.UNREADABLE, "not a manifest line", where=f"{path}:{number}")
        listed.append((name, digest))
    if not listed:
        raise HarnessError(Exit.UNREADABLE, "the manifest is empty", where=str(path))
    return listed


def _entries(folder: Path) -> Iterator[tuple[str, bool]]:
    """Everything in a folder but its manifest and plain subfolders: (name, whether it is a regular file)."""
    for place, folders, files in os.walk(folder):
        for name in sorted([*folders, *files]):
            path = Path(place, name)
            mode = path.lstat().st_mode
            relative = path.relative_to(folder).as_posix()
            if not stat.S_ISDIR(mode) and relative != MANIFEST:
                yield relative, stat.S_ISREG(mode)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class BundleInfo:
    """One bundle in a list. `against` is the variant of the reference, `waived` the quirks that passed."""

    path: Path
    case: str
    name: str
    verdict: str
    headline: str
    num_divergent: int
    exit_code: int
    needed_rtol: float  # not a number where the result does not have it
    against: str
    waived: tuple[str, ...]
    setting: str  # equal for runs of one case that can be compared: same pair, reference, places and options
    pair: str  # the title of the pair; empty in bundles of older versions
    details: str  # places, options and tolerance, for a reader

    @property
    def ended(self) -> str:
        """The verdict; a run that passed by waivers is not shown as plain parity."""
        return f"{self.verdict}, waived: {', '.join(self.waived)}" if self.waived else self.verdict


def find_bundles(root: Path, pair: str = "") -> list[BundleInfo]:
    """The complete bundles under `root` at any depth, of the pair with this title or of all, oldest first.

    Half-written ones have no manifest or a hidden name.
    """
    found = []
    for folder in _folders_of_bundles(root):
        try:
            found.append(_info(folder, load_result(folder)))
        except HarnessError:
            continue
    return sorted((b for b in found if pair in ("", b.pair)), key=lambda b: (b.name, b.case))


def _folders_of_bundles(root: Path) -> Iterator[Path]:
    """Folders with a manifest below `root`: those of runs two levels down, those of a gate deeper."""
    for place, folders, files in os.walk(root):
        if MANIFEST in files and Path(place) != root:
            yield Path(place)
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def no_folder(root: Path) -> HarnessError:
    """The error for a path that is not a folder, where one with bundles is expected."""
    what = "not a folder" if root.exists() else "no such folder"
    return HarnessError(Exit.UNREADABLE, what, where=str(root), expected="a folder with bundles below it")


def pair_of(folder: Path) -> str:
    """The title of the pair that a bundle was made with; empty where git.json does not have it."""
    try:
        return str(parse_json(read_regular(folder / "git.json"))["pair"]["title"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""


def _info(folder: Path, result: dict[str, Any]) -> BundleInfo:
    case, needed = result.get("case"), result.get("needed_rtol")
    case = case if isinstance(case, dict) else {}
    against = str(case.get("against", ""))
    waivers = result.get("waivers") or ()
    pair, judged_with = pair_of(folder), (result.get("rtol"), sorted(str(w.get("id")) for w in waivers))
    return BundleInfo(
        folder,
        folder.parent.name,
        folder.name,
        str(result["verdict"]),
        in_sentence(str(result["headline"]), tuple(map(str, result.get("loops") or ()))),
        int(result["num_divergent"]),
        int(result.get("exit_code", 1)),
        math.nan if needed is None else float(needed),
        against,
        tuple(str(w.get("id")) for w in waivers if w.get("state") in ("used", "expired")),
        repr((pair, against, case.get("places", case.get("pixels")), case.get("options"), judged_with)),
        pair,
        _details(case, result.get("rtol")),
    )


MOST_PLACES = 2
"""Places of a run that a list names."""


def _details(case: dict[str, Any], rtol: object) -> str:
    """`(685, 1039) scale=2 rtol=0.001`: in what runs of one case may differ."""
    places = case.get("places", case.get("pixels")) or ()
    named = [f"({', '.join(map(str, place))})" for place in places[:MOST_PLACES]]
    more = [f"and {len(places) - MOST_PLACES} more"] if len(places) > MOST_PLACES else []
    options = {**(case.get("options") or {}), **({} if rtol is None else {"rtol": rtol})}
    return " ".join([*named, *more, *(f"{name}={value}" for name, value in options.items())])


def load_result(folder: Path) -> dict[str, Any]:
    """result.json of a bundle, as plain data. Raises HarnessError (exit 5)."""
    path = folder / "result.json"
    try:
        data: dict[str, Any] = parse_json(read_regular(path))
        if not {"schema", "verdict", "headline", "num_divergent"} <= data.keys():
            raise ValueError("not the result of a comparison")
    except (OSError, ValueError, AttributeError) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise HarnessError(
            Exit.UNREADABLE, what, where=str(path), expected="a bundle", hint=bundle_hint(folder)
        ) from error
    return data
