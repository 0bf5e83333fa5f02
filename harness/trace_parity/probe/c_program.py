"""Build a probed C program, run it, and compare it with the program without probes.

Both are compiled by the pair's command in a temporary folder; nothing is written into the user's tree. Each run has
an empty folder, so all files in it afterwards are its output.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.probe.c_source import Instrumented, instrument
from trace_parity.probe.identity import Identity, Outcome, compare_runs, findings, named
from trace_parity.probe.identity import run as run_command
from trace_parity.probe.spec import Placed, ProbeSpec, Unplaced

NO_CONTRACTION = "-ffp-contract=off"
"""Added to a compile command without such a flag: a probe must not change which products and sums are fused."""


@dataclass(frozen=True)
class CProgram:
    """The `[c.probe]` of a pair. `compile` has {in} and {out}; relative paths are taken from `folder`."""

    files: tuple[Path, ...]
    compile: str
    folder: Path
    timeout_s: float = 3600.0


@dataclass(frozen=True)
class Built:
    """The two executables and what the probes are."""

    probed: Path
    bare: Path
    commands: tuple[tuple[str, ...], ...]
    sources: tuple[Instrumented, ...]
    sha256: Mapping[str, str]  # of each source, as it is and as "NAME with probes"

    @property
    def placed(self) -> list[Placed]:
        """All probes, by file and line."""
        return sorted((p for s in self.sources for p in s.placed), key=lambda p: (p.file, p.line, p.variable))

    @property
    def unplaced(self) -> list[Unplaced]:
        """All writes that could not be probed, by file and line."""
        return sorted((u for s in self.sources for u in s.unplaced), key=lambda u: (u.file, u.line, u.variable))


def build(program: CProgram, spec: ProbeSpec, work: Path) -> Built:
    """Instrument and compile, with and without probes, under `work`.

    Raises HarnessError: exit 2 where the pair does not fit the sources, exit 3 when the compiler refuses.
    """
    if "{in}" not in program.compile or "{out}" not in program.compile:
        raise HarnessError(
            Exit.USAGE, f"{program.compile!r}", where="c.probe.compile", expected="a command with {in} and {out}"
        )
    sources = tuple(instrument(path, spec) for path in program.files)
    _check_functions(sources, spec)
    work.mkdir(parents=True, exist_ok=True)
    bare = _compile(program, [p.resolve() for p in program.files], work / "bare", ())
    try:
        return _build(program, spec, work, bare, sources)
    except HarnessError as error:
        if error.code is not Exit.PROGRAM_FAILED:
            raise
    in_place = tuple(instrument(path, spec, copies=False) for path in program.files)
    return _build(program, spec, work, bare, in_place)  # a copy of a function did not compile


def _build(
    program: CProgram, spec: ProbeSpec, work: Path, bare: tuple[str, ...], sources: tuple[Instrumented, ...]
) -> Built:
    written, digests = [], {}
    for number, source in enumerate(sources):
        target = work / f"{number}-{source.path.name}"
        target.write_bytes(source.text)
        written.append(target)
        digests[source.path.name] = hashlib.sha256(source.path.read_bytes()).hexdigest()
        digests[f"{source.path.name} with probes"] = hashlib.sha256(source.text).hexdigest()
    runtime = work / f"trace_probe_runtime{sources[0].path.suffix}"
    runtime.write_text(runtime_text(spec), encoding="utf-8")
    folders = tuple(dict.fromkeys(path.parent.resolve() for path in program.files))
    probed = _compile(program, [*written, runtime], work / "probed", folders)
    return Built(work / "probed", work / "bare", (bare, probed), sources, digests)


def runtime_text(spec: ProbeSpec) -> str:
    """The C text that keeps and writes the values: a table of the loops and variables, then `trace_probe.c`."""
    depth = max((len(v.loops) for v in spec.variables), default=0)
    rows = []
    for variable in spec.variables:
        places = [spec.loops.index(loop) for loop in variable.loops]
        indices = ", ".join(map(str, places)) or "0"
        rows.append(f'    {{"{variable.name}", {len(places)}, {{{indices}}}, {sum(1 << p for p in places)}UL}},')
    names = ", ".join(f'"{loop}"' for loop in spec.loops) or '""'
    table = [
        f"#define LOOPS {max(1, len(spec.loops))}",
        f"#define VARIABLES {max(1, len(rows))}",
        f"struct variable {{ const char *name; int depth; int loops[{max(1, depth)}]; unsigned long mask; }};",
        f"static const char *const loop_names[LOOPS] = {{{names}}};",
        "static const struct variable variables[VARIABLES] = {",
        *(rows or ['    {"", 0, {0}, 0UL},']),
        "};",
    ]
    text = (resources.files("trace_parity.probe") / "trace_probe.c").read_text(encoding="utf-8")
    return text.replace("#define ABSENT", "\n".join(table) + "\n#define ABSENT", 1)  # after the includes


def run(
    executable: Path, args: Sequence[str], folder: Path, trace: Path | None, focus: str, timeout_s: float
) -> Outcome:
    """Run once in the new folder; with `trace`, probes on. Raises HarnessError (exit 3) when that fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRACE_PROBE_")}
    environment["OMP_NUM_THREADS"] = (
        "1"  # indices belong to a thread: loops around a parallel region are not seen in it
    )
    if trace is not None:
        environment |= {"TRACE_PROBE_FILE": str(trace.resolve()), "TRACE_PROBE_FOCUS": focus}
    return run_command([str(executable), *args], folder, environment, timeout_s)


def check_identity(built: Built, args: Sequence[str], work: Path, timeout_s: float) -> Identity:
    """Run with probes off and without probes and compare their output; if it differs, run without probes once more."""
    off = run(built.probed, args, work / "off", None, "", timeout_s)
    bare = run(built.bare, args, work / "bare-run", None, "", timeout_s)
    return compare_runs(off, bare, lambda: run(built.bare, args, work / "bare-again", None, "", timeout_s))


def record(built: Built, identity: Identity | None) -> str:
    """The record of the probes in a bundle, as JSON: hashes, commands, probes, what was not probed, the check."""
    return json.dumps(
        {
            "sha256": dict(built.sha256),
            "compile": [shlex.join(named(command)) for command in built.commands],
            **findings(built.placed, built.unplaced, identity),
        },
        indent=1,
    )


def _check_functions(sources: Sequence[Instrumented], spec: ProbeSpec) -> None:
    known = {name for source in sources for name in source.functions}
    if not known:
        where = ", ".join(source.path.as_posix() for source in sources)
        raise HarnessError(Exit.USAGE, "no C function is defined there", where=where, expected="the program's C source")
    for variable in spec.variables:
        names = (variable.trigger.argument,) if variable.trigger.kind == "enter" else variable.functions
        if missing := [name for name in names if not any(k == name or k.endswith(f"::{name}") for k in known)]:
            raise HarnessError(
                Exit.USAGE, f"no function {missing[0]!r} is defined", where=f"{variable.name}: c",
                expected=f"one of {', '.join(sorted(known)[:20])}",
            )  # fmt: skip


def _compile(program: CProgram, inputs: Sequence[Path], out: Path, folders: Sequence[Path]) -> tuple[str, ...]:
    words: list[str] = []
    for word in shlex.split(program.compile):
        if word == "{in}":
            words += [word for folder in folders for word in ("-iquote", str(folder))]
            words += [str(path) for path in inputs]
        else:
            words.append(word.replace("{in}", str(inputs[0])).replace("{out}", str(out)))
    if not any(word.startswith("-ffp-contract") for word in words):
        words.insert(1, NO_CONTRACTION)
    try:
        done = subprocess.run(words, cwd=program.folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise HarnessError(
            Exit.PROGRAM_FAILED, f"cannot be started: {error}", where="c.probe.compile", hint="install a C compiler"
        ) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        what = "the program without probes" if not folders else "the probed program"
        hint = "" if not folders else "is each expr visible where its probe is? `trace-diff probe c --list` shows where"
        raise HarnessError(
            Exit.PROGRAM_FAILED,
            f"{what} does not compile: {' | '.join(lines[:3])}",
            where=shlex.join(words[:6]),
            hint=hint,
        )
    return tuple(words)
