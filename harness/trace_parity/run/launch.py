"""Build the two programs, and run them with their progress shown."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from trace_parity.bundle.provenance import is_installed
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import Place
from trace_parity.pair.programs import Program, Programs
from trace_parity.user_cache import cache_folder

_PROGRESS = re.compile(rb"^\s*(\d+)% done")
_COMPILING = re.compile(rb"^(?:[\w-]+: )?(compiling\b.*)")
Progress = Callable[[int | str], None]
"""Called while a program runs with whole percents, and with a line that says what it is compiling."""


@dataclass(frozen=True)
class Ran:
    """A program that ran to its end. Its output is in the two files."""

    command: tuple[str, ...]
    returncode: int
    stdout: Path
    stderr: Path


def fill(template: Sequence[str], words: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> list[str]:
    """A command from its template: `{args}` becomes the words given for it, `{trace}` within a word its name."""
    command: list[str] = []
    for word in template:
        if word[1:-1] in words and word.startswith("{"):
            command += words[word[1:-1]]
        else:
            command.append(re.sub(r"\{(\w+)\}", lambda m: names[m[1]], word))
    return command


def focus_words(programs: Programs, focus: Sequence[str], asked: Sequence[Place]) -> list[str]:
    """The arguments that select these places in the loops of `focus`."""
    indices = [{loop: str(i) for loop, i in zip(focus, place, strict=True)} for place in asked]
    return [word for place in indices for word in fill(programs.focus_words, {}, place)]


def build_program(program: Program, on_output: Callable[[str], None] | None = None) -> Path:
    """The folder {build} of a program, which is built first if its entry has a build command.

    Raises HarnessError (exit 3) when a tool is not installed or the build fails.
    """
    folder = build_folder(program)
    if not program.build:
        return folder / "build"
    where = f"building the {program.title}"
    command = fill(program.build, {}, places(program))
    has_c = program.source_folder is not None and any(program.source_folder.rglob("*.c"))
    tools = [command[0], os.environ.get("CC", "cc")] if has_c else [command[0]]
    for tool in tools:
        if shutil.which(tool.split()[0]) is None:
            raise HarnessError(Exit.PROGRAM_FAILED, f"{tool} is not installed", where=where, hint=program.build_hint)
    with _locked(folder):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if on_output is not None:
        on_output(done.stdout)
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise HarnessError(Exit.PROGRAM_FAILED, f"{command[0]} failed:\n{tail}", where=where)
    return folder / "build"


def places(program: Program) -> dict[str, str]:
    """The values of {source}, {build}, {pair} and {python} in a program's commands."""
    folder = build_folder(program)
    names = {"source": folder, "build": folder / "build", "pair": program.folder}
    return {**{name: str(path) for name, path in names.items()}, "python": python()}


def build_folder(program: Program) -> Path:
    """Where a program is built: its sources, or, for an installed package, their copy under the user's cache.

    The copy is named by the contents of the sources, so that each version is built once.
    """
    source = program.source_folder
    if source is None:
        return program.folder
    is_kept = is_installed(source) or not os.access(source, os.W_OK)
    return _copy(source) if program.build and is_kept else source


def source_files(source: Path) -> list[Path]:
    """The files that a program is built from."""
    return sorted(
        p
        for p in source.rglob("*")
        if p.is_file()
        and "build" not in p.relative_to(source).parts
        and "__pycache__" not in p.parts
        and not any(part.startswith(".") for part in p.relative_to(source).parts)
    )


def digest_of(source: Path) -> str:
    """sha256 over names and contents of a folder's sources."""
    digest = hashlib.sha256()
    for path in source_files(source):
        digest.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _copy(source: Path) -> Path:
    """The sources under the user's cache, in a folder named by their contents."""
    folder = cache_folder() / f"{source.name}-{digest_of(source)[:16]}"
    for path in source_files(source):
        target = folder / path.relative_to(source)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return folder


class _locked:
    """One build at a time in a folder: two runs at the same time must not overwrite each other's build."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".build-lock"

    def __enter__(self) -> None:
        import fcntl

        self.stream: IO[bytes] = self.path.open("wb")
        fcntl.flock(self.stream, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.stream.close()


class Process(Protocol):
    """A program that was started, as `subprocess.Popen` gives it; the process leads a group of its own."""

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group."""

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""

    def wait(self) -> int:
        """The same, once it has ended."""


Start = Callable[[Sequence[str], Path, Mapping[str, str], Sequence[int]], Process]
"""Starts a command in a folder, with more environment, and the descriptors of its standard output and error."""


def start_process(command: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Sequence[int]) -> Process:
    """Start a new process. Raises OSError when it cannot be."""
    out, err = streams
    return subprocess.Popen(
        list(command),
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        process_group=0,
    )


def run_program(
    command: Sequence[str],
    cwd: Path,
    output: Path,
    label: str,
    progress: Progress | None = None,
    env: Mapping[str, str] | None = None,
    start: Start = start_process,
) -> Ran:
    """Run one program to its end, its progress streamed from standard error.

    `output` is the stem of the two files that keep what it prints. The program is a process group of its own, which an
    interrupt of this function ends. Raises HarnessError (exit 3) when it cannot be started or fails.
    """
    stdout, stderr = output.with_suffix(".stdout.txt"), output.with_suffix(".stderr.txt")
    try:
        with stdout.open("wb") as out, stderr.open("wb") as err:
            read, write = os.pipe()
            with os.fdopen(read, "rb") as stream:
                try:
                    process = start(command, cwd, env or {}, (out.fileno(), write))
                finally:
                    os.close(write)
                _RUNNING.add(process)
                try:
                    _follow(stream, err, progress)
                    code = process.wait()
                finally:
                    _RUNNING.discard(process)
                    end_process(process)
    except OSError as error:
        raise HarnessError(Exit.PROGRAM_FAILED, f"cannot be started: {error}", where=label) from error
    if code:
        raise HarnessError(
            Exit.PROGRAM_FAILED,
            f"{_how_it_ended(code)}: {_last_words(stderr)}",
            where=label,
            hint=" ".join(command[:6]) + " ...",
        )
    return Ran(tuple(command), code, stdout, stderr)


_RUNNING: set[Process] = set()


def end_programs() -> None:
    """End every program that a thread of this process is running; their threads then see them as killed."""
    for process in tuple(_RUNNING):
        end_process(process)


def end_process(process: Process) -> None:
    """End a program with its group, where it still runs."""
    if process.poll() is None:
        with suppress(ProcessLookupError):  # a child of a fork server may have ended since
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _follow(stream: IO[bytes], keep: IO[bytes], progress: Progress | None) -> None:
    for line in stream:
        percent = _PROGRESS.match(line)
        if percent is None:
            keep.write(line)
            if progress is not None and (compiling := _COMPILING.match(line)):
                progress(compiling[1].decode("utf-8", "replace").strip())
        elif progress is not None:
            progress(int(percent[1]))


def _how_it_ended(code: int) -> str:
    return f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _last_words(stderr: Path) -> str:
    """The end of what a program printed on standard error: the error first, warnings of other things after it."""
    lines = stderr.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
    lines.sort(key=lambda line: "warning" in line.lower())
    return " | ".join(lines) or "it printed nothing on standard error"


def python() -> str:
    """The interpreter that runs the port: this one, where its packages are."""
    return sys.executable
