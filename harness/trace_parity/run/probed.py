"""Trace a program of a pair that prints none: build it with probes, run it, check its output.

The instrumented source is temporary. The build is kept for the life of the process; the outcome of the comparison of
outputs is kept in the user's cache, by the contents of the programs, the command line and the input files.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity import __version__
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import parse_json, scratch_folder, write_whole
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import Program
from trace_parity.pair.source_lines import SourceLine, with_context
from trace_parity.probe.identity import Identity, Outcome, compare_runs
from trace_parity.probe.identity import run as run_apart
from trace_parity.probe.probes_file import ProbesFile
from trace_parity.probe.spec import Placed
from trace_parity.user_cache import cache_folder

if TYPE_CHECKING:
    from trace_parity.probe.c_program import Built

HEADERS = {".h", ".hh", ".hpp", ".inc", ".c", ".cc", ".cpp", ".cxx"}


@dataclass(frozen=True)
class Asked:
    """One run with probes: the filled command, its folder, its log, the places, where temporary files go."""

    command: Sequence[str]
    folder: Path
    trace: Path
    focus: str
    work: Path


@dataclass(frozen=True)
class Probed:
    """The output of a run with probes in addition to its log: a record as JSON, and the probes that were placed."""

    record: str
    placed: tuple[Placed, ...]

    def sources(self, names: Sequence[tuple[str, str]]) -> dict[str, SourceLine]:
        """The line of the last probe of each (scope, name): what comes before is where a value is set to 0."""
        last = {probe.variable: probe for probe in self.placed}
        return {f"{scope}.{name}": _source_line(last[name]) for scope, name in names if name in last}


def focus_text(loops: Sequence[str], places: Sequence[Sequence[int]]) -> str:
    """The places of a case as the programs with probes read them: `i=5;i=7`."""
    return ";".join(",".join(f"{n}={i}" for n, i in zip(loops, place, strict=True)) for place in places)


def executables(pair: Pair) -> dict[str, str]:
    """{probed} and {unprobed} in the commands of C; nothing for a pair without [c.probe]."""
    if pair.probes is None or not pair.probes.has("c"):
        return {}
    built = built_c(pair.probes)
    return {"probed": str(built.probed), "unprobed": str(built.bare)}


def probe_files(pair: Pair, side: Program) -> list[Path]:
    """The C sources that are probed and what lies around them that they may include."""
    if pair.probes is None or side.name != "C" or not pair.probes.has("c"):
        return []
    sources = pair.probes.c_files()
    around = (p for folder in {s.parent for s in sources} if folder.is_dir() for p in folder.iterdir())
    return sorted(
        {p for p in (*sources, *around) if p.suffix in {*HEADERS, *(s.suffix for s in sources)} and p.is_file()}
    )


_builds: dict[str, Built] = {}
_building = threading.Lock()
_until_exit = ExitStack()
atexit.register(_until_exit.close)


def built_c(file: ProbesFile) -> Built:
    """The C program of a pair with its probes; built once per process. Raises HarnessError, see `c_program.build`."""
    from trace_parity.probe.c_program import CProgram, build
    from trace_parity.probe.spec import to_json

    program = CProgram(file.c_files(), " ".join(file.words("c", "compile")), file.path.parent, file.timeout_s("c"))
    spec = file.spec("c")
    folders = {path.parent for path in program.files}
    near = sorted(p for f in folders if f.is_dir() for p in f.iterdir() if p.suffix in HEADERS and p.is_file())
    key = _digest(to_json(spec), program.compile, str(program.files), *(p.read_bytes() for p in near))
    with _building:
        if key not in _builds:
            folder = _until_exit.enter_context(scratch_folder("probed"))
            _builds[key] = build(program, spec, folder)
        return _builds[key]


def trace_c(
    pair: Pair, side: Program, asked: Asked, launch: Callable[[Sequence[str], Mapping[str, str]], None]
) -> Probed:
    """Run the C program with probes by `launch` (command, environment), and check it. Raises HarnessError."""
    from trace_parity.probe.c_program import record
    from trace_parity.probe.identity import drop_superseded

    assert pair.probes is not None
    built = built_c(pair.probes)
    if str(built.probed) not in asked.command:
        raise HarnessError(
            Exit.USAGE, " ".join(side.trace), where="programs.C.trace", expected="{probed} as a word of the command"
        )
    launch(asked.command, {**_threads(), "TRACE_PROBE_FILE": str(asked.trace), "TRACE_PROBE_FOCUS": asked.focus})
    if not asked.trace.exists():
        raise HarnessError(Exit.PROGRAM_FAILED, "it ended before its log was closed", where=side.title)
    drop_superseded(asked.trace)
    bare = [str(built.bare) if word == str(built.probed) else word for word in asked.command]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRACE_PROBE_")}
    environment |= {**side.env, **_threads()}
    timeout_s = pair.probes.timeout_s("c")

    def outcome(command: Sequence[str], name: str) -> Outcome:
        return run_apart(command, _apart(asked, name), environment, timeout_s)

    def check() -> Identity:
        return compare_runs(outcome(asked.command, "off"), outcome(bare, "plain"), lambda: outcome(bare, "plain-again"))

    words = [word for word in asked.command if word != str(built.probed)]
    key = (built.probed.read_bytes(), built.bare.read_bytes(), *_inputs(words, asked))
    identity = _kept("c", pair.probes, key, check, side.title)
    return Probed(record(built, identity), tuple(built.placed))


def trace_py(
    pair: Pair, side: Program, asked: Asked, launch: Callable[[Sequence[str], Mapping[str, str]], None]
) -> Probed:
    """The same for the port."""
    from trace_parity.probe import py_program
    from trace_parity.probe.identity import drop_superseded
    from trace_parity.probe.spec import to_json

    assert pair.probes is not None
    file, spec = pair.probes, pair.probes.spec("py")
    folder = file.path.parent / str(file.side("py").get("folder", "."))
    program = py_program.PyProgram(tuple(asked.command), file.words("py", "modules"), folder, file.timeout_s("py"))
    own = {k: v for k, v in side.env.items() if k != "PYTHONPATH"}
    if "PYTHONPATH" in side.env:
        paths = (str((asked.folder / p).resolve()) for p in side.env["PYTHONPATH"].split(os.pathsep) if p)
        own["PYTHONPATH"] = os.pathsep.join([str(folder.resolve()), str(py_program.HARNESS), *paths])
    wanted = py_program.PyRun(asked.trace, asked.focus)
    jobs = asked.work / "py-probes"
    jobs.mkdir()
    command, environment = py_program.launch_command(program, spec, wanted, jobs)
    launch(command, {**environment, **own})
    report = py_program.read_report(program, wanted, jobs, "see its standard error")
    drop_superseded(asked.trace)
    plain = {**py_program.environment_of(program, eager=False), **own}

    def outcome(command: Sequence[str], name: str, environment: Mapping[str, str]) -> Outcome:
        return run_apart(command, _apart(asked, name), environment, program.timeout_s)

    def check() -> Identity:
        off = asked.work / "py-probes-off"
        off.mkdir()
        command, environment = py_program.launch_command(program, spec, py_program.PyRun(None), off)
        return compare_runs(
            outcome(command, "off", {**environment, **own}),
            outcome(program.command, "plain", plain),
            lambda: outcome(program.command, "plain-again", plain),
        )

    key = (json.dumps(dict(report.files)), to_json(spec), sys.version, *_inputs(asked.command, asked))
    identity = _kept("py", file, key, check, side.title)
    return Probed(py_program.record(program, report, identity), report.placed)


def _kept(
    side: str, file: ProbesFile, key: Sequence[str | bytes], check: Callable[[], Identity], title: str
) -> Identity | None:
    """The comparison of outputs, from the cache where it was made before. Raises HarnessError (exit 3) if it fails."""
    if not file.side(side).get("check", True):
        return None
    kept = cache_folder() / f"probes-off-{_digest(__version__, *key)[:32]}.json"
    try:
        identity = Identity(**{k: tuple(v) for k, v in parse_json(kept.read_text(encoding="utf-8")).items()})
    except (OSError, ValueError, TypeError, AttributeError):
        identity = check()
        write_whole(kept, json.dumps(asdict(identity)))
    if not identity.holds:
        raise HarnessError(
            Exit.PROGRAM_FAILED,
            f"with probes off it writes different output: {', '.join(identity.differing)}",
            where=title,
            expected="the output of the program without probes, byte for byte",
            hint=f"`trace-diff probe {side} --list` names the probes; check = false in [{side}.probe] skips this",
        )
    return identity


def _apart(asked: Asked, name: str) -> Path:
    """The folder of a run that is compared: a new one with the input files linked into it, or the one that is named."""
    if asked.work.resolve() not in asked.folder.resolve().parents:
        return asked.folder
    folder = asked.folder.with_name(f"{asked.folder.name}-{name}")
    folder.mkdir()
    for path in asked.folder.iterdir():
        if path.is_symlink():
            (folder / path.name).symlink_to(path.resolve())
    return folder


def _inputs(command: Sequence[str], asked: Asked) -> list[str | bytes]:
    """The words of a command, files by their contents, and the contents of the input files."""
    found: list[str | bytes] = []
    for word in command:
        path = asked.folder / word
        is_file = bool(word) and len(word) < 4096 and path.is_file()
        found.append(path.read_bytes() if is_file else word.replace(str(asked.work), ""))
    return found + [p.read_bytes() for p in sorted(asked.work.iterdir()) if p.is_file()]


def _threads() -> dict[str, str]:
    return {"OMP_NUM_THREADS": "1"}  # loop indices belong to a thread


def _source_line(probe: Placed) -> SourceLine:
    path = Path(probe.file)
    try:
        text = path.read_text(encoding="utf-8", errors="replace").splitlines()[probe.line - 1].strip()[:160]
    except (OSError, IndexError):
        text = ""
    line = SourceLine(f"{path.parent.name}/{path.name}", probe.line, text)
    return with_context({"": path.parent}, {"": line})[""]


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
