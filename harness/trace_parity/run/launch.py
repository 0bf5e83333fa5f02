"""Find or build the two programs, and run them with their progress shown."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import Pixel
from trace_parity.pair.find import shipped_pair

_PROGRESS = re.compile(rb"^\s*(\d+)% done")
Progress = Callable[[int], None]
"""Called with whole percents while a program runs."""


@dataclass(frozen=True)
class Unread:
    """Files that a program cannot read: those after `flag` with one of the suffixes, .gz after it or not."""

    flag: str
    suffixes: tuple[str, ...]
    hint: str

    def among(self, argv: Sequence[str]) -> str | None:
        """The first such file that a command line names."""
        named = (value for word, value in pairwise(argv) if word == self.flag)
        return next((n for n in named if n.lower().removesuffix(".gz").endswith(self.suffixes)), None)


@dataclass(frozen=True)
class Side:
    """One program: what it is called and how it is run."""

    name: str  # "C" or "PY"
    title: str
    source: str | None
    fix: Mapping[str, Sequence[str]]
    options: Mapping[str, Sequence[str]]
    trace: tuple[str, ...]
    render: tuple[str, ...]
    inject: tuple[str, ...] = ()  # options of a trace that goes on from given values; empty where it cannot
    config: tuple[str, ...] = ()  # prints the settings as JSON; empty where the program cannot
    together: tuple[str, ...] = ()  # traces and renders in one process; empty where it had better not
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True)
class Programs:
    """Both programs and what they share."""

    sides: Mapping[str, Side]
    input_flags: tuple[str, ...]
    output_flags: tuple[str, ...]
    switches: tuple[str, ...]
    replace: Mapping[str, str]
    pixel: tuple[str, ...]
    shape: re.Pattern[str]

    def find_shape(self, output: str) -> tuple[int, int] | None:
        """The detector's (slow, fast) size that a program printed."""
        match = self.shape.search(output)
        return (int(match["slow"]), int(match["fast"])) if match else None


@dataclass(frozen=True)
class Ran:
    """A program that ran to its end. Its output stands in the two files."""

    command: tuple[str, ...]
    returncode: int
    stdout: Path
    stderr: Path


def load_programs() -> Programs:
    """The shipped pair, from `pair.toml`."""
    data = tomllib.loads((shipped_pair() / "pair.toml").read_text(encoding="utf-8"))
    common = data["common"]
    return Programs(
        sides={name: _side(name, data[name]) for name in ("C", "PY")},
        input_flags=tuple(common["input_flags"]),
        output_flags=tuple(common["output_flags"]),
        switches=tuple(common["switches"]),
        replace=common["replace"],
        pixel=tuple(common["pixel"]),
        shape=re.compile(common["shape"]),
    )


def _side(name: str, entry: Mapping[str, Any]) -> Side:
    return Side(
        name,
        entry["title"],
        entry.get("source"),
        entry.get("fix", {}),
        entry.get("options", {}),
        tuple(entry["trace"]),
        tuple(entry["render"]),
        tuple(entry.get("inject", ())),
        tuple(entry.get("config", ())),
        tuple(entry.get("together", ())),
        tuple(Unread(u["flag"], tuple(u["suffixes"]), u["hint"]) for u in entry.get("unread", ())),
    )


def check_readable(programs: Programs, argv: Sequence[str]) -> None:
    """HarnessError (exit 2) for an input file that one of the programs cannot read."""
    for side in programs.sides.values():
        for unread in side.unread:
            if file := unread.among(argv):
                raise HarnessError(
                    Exit.USAGE,
                    f"the {side.title} does not read {file}",
                    where=unread.flag,
                    expected="a file that both programs read",
                    hint=unread.hint.format(file=shlex.quote(file)),
                )


def fill(template: Sequence[str], words: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> list[str]:
    """A command from its template: `{args}` becomes the words given for it, `{trace}` within a word its name."""
    command: list[str] = []
    for word in template:
        if word[1:-1] in words and word.startswith("{"):
            command += words[word[1:-1]]
        else:
            command.append(re.sub(r"\{(\w+)\}", lambda m: names[m[1]], word))
    return command


def pixel_words(programs: Programs, pixels: Sequence[Pixel]) -> list[str]:
    """The flags that ask for these pixels."""
    return [word.format(slow=slow, fast=fast) for slow, fast in pixels for word in programs.pixel]


def source_folder(side: Side) -> Path | None:
    """The folder of a program's sources, where its entry names one, relative to the pair's folder."""
    return None if side.source is None else (shipped_pair() / side.source).resolve()


def build_c(side: Side, on_output: Callable[[str], None] | None = None) -> Path:
    """The folder with the built C program; builds it first when its sources are newer.

    In a checkout that is `<source>/build`; an installed package builds a copy under the user's cache, once per version
    of the sources. Raises HarnessError (exit 3) when there is no compiler or the build fails.
    """
    source = source_folder(side)
    assert source is not None
    for tool in ("make", os.environ.get("CC", "cc")):
        if shutil.which(tool.split()[0]) is None:
            raise HarnessError(
                Exit.PROGRAM_FAILED,
                f"{tool} is not installed",
                where="building the C reference",
                hint="install a C compiler and make, e.g. `apt-get install gcc make`, or set CC",
            )
    folder = source if os.access(source, os.W_OK) and (source.parent / "pyproject.toml").exists() else _copy(source)
    with _locked(folder):
        done = subprocess.run(["make", "-C", str(folder)], capture_output=True, text=True, check=False)
    if on_output is not None:
        on_output(done.stdout)
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise HarnessError(Exit.PROGRAM_FAILED, f"make failed:\n{tail}", where="building the C reference")
    return folder / "build"


def _copy(source: Path) -> Path:
    """The sources under the user's cache, in a folder named by their contents."""
    files = sorted(
        p for p in source.rglob("*") if p.is_file() and "build" not in p.parts and p.suffix in {".c", ".h", ""}
    )
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "trace-diff" / f"{source.name}-{digest.hexdigest()[:16]}"
    for path in files:
        target = folder / path.relative_to(source)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return folder


class _locked:
    """One build at a time in a folder: two runs started together must not build over each other."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".build-lock"

    def __enter__(self) -> None:
        import fcntl

        self.stream: IO[bytes] = self.path.open("wb")
        fcntl.flock(self.stream, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.stream.close()


def run_program(command: Sequence[str], cwd: Path, output: Path, label: str, progress: Progress | None = None) -> Ran:
    """Run one program to its end, its progress streamed from standard error.

    `output` is the stem of the two files that keep what it prints. The program is a process group of its own, which an
    interrupt of this function ends. Raises HarnessError (exit 3) when it cannot be started or fails.
    """
    stdout, stderr = output.with_suffix(".stdout.txt"), output.with_suffix(".stderr.txt")
    try:
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(
                list(command), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, process_group=0
            )
            _RUNNING.add(process)
            try:
                assert process.stderr is not None
                _follow(process.stderr, err, progress)
                process.wait()
            finally:
                _RUNNING.discard(process)
                _end(process)
    except OSError as error:
        raise HarnessError(Exit.PROGRAM_FAILED, f"cannot be started: {error}", where=label) from error
    if process.returncode:
        raise HarnessError(
            Exit.PROGRAM_FAILED,
            f"{_how_it_ended(process.returncode)}: {_last_words(stderr)}",
            where=label,
            hint=" ".join(command[:6]) + " ...",
        )
    return Ran(tuple(command), process.returncode, stdout, stderr)


_RUNNING: set[subprocess.Popen[bytes]] = set()


def end_programs() -> None:
    """End every program that a thread of this process is running; their threads then see them as killed."""
    for process in tuple(_RUNNING):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _follow(stream: IO[bytes], keep: IO[bytes], progress: Progress | None) -> None:
    for line in stream:
        percent = _PROGRESS.match(line)
        if percent is None:
            keep.write(line)
        elif progress is not None:
            progress(int(percent[1]))


def _how_it_ended(code: int) -> str:
    return f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _last_words(stderr: Path) -> str:
    lines = stderr.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " | ".join(lines[-3:]) or "it said nothing"


def python() -> str:
    """The interpreter that runs the port: this one, where its packages are."""
    return sys.executable
