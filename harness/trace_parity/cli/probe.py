"""`trace-diff probe c|py`: trace a program that prints no trace."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trace_parity.errors import Exit, HarnessError
from trace_parity.files import scratch_folder, write_whole
from trace_parity.printable import plural

if TYPE_CHECKING:
    from trace_parity.probe.identity import Identity
    from trace_parity.probe.probes_file import ProbesFile
    from trace_parity.probe.spec import Placed, ProbeSpec, Unplaced

_PATH = click.Path(path_type=Path)
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class _Wanted:
    """The options that both sides have."""

    pair: Path | None
    probes: Path | None
    only: tuple[str, ...]
    output: Path | None
    is_list: bool
    check: bool
    record: Path | None
    args: tuple[str, ...]


def _options(command: F) -> F:
    for option in (
        click.argument("args", nargs=-1, type=click.UNPROCESSED),
        click.option("--record", type=_PATH, metavar="PATH", help="Write hashes, commands and the check as JSON."),
        click.option(
            "--check/--no-check",
            default=True,
            help="Compare the output with probes off, byte for byte, with that of the program without probes.",
        ),
        click.option(
            "--list", "is_list", is_flag=True, help="List probes, writes not probed, variables never printed."
        ),
        click.option("-o", "--output", type=_PATH, metavar="LOG", help="The log. [default: standard output]"),
        click.option(
            "--only", multiple=True, metavar="LOOP=INDEX,...", help="Keep the lines of these places. Repeatable."
        ),
        click.option("--probes", type=_PATH, metavar="FILE", help="What to probe. [default: the pair's probes.toml]"),
        click.option("--pair", type=_PATH, metavar="DIR", help="The pair's folder. [default: the nearest upwards]"),
    ):
        command = option(command)
    return command


@click.group()
def probe() -> None:
    """Trace a program that prints no trace, from the names in the pair's probes.toml.

    \b
    trace-diff probe c -o C.log -- 3      the C program with the argument 3
    trace-diff probe py -o PY.log -- 3    the port
    trace-diff probe c --list -- 3        probes, writes not probed, never printed
    """


@probe.command(epilog="Exit codes: 0 traced, 1 probes change the program's output, 2 usage, 3 a program failed.")
@_options
@click.option(
    "--file", "sources", type=_PATH, multiple=True, metavar="C", help="The source, in place of [c] file. Repeatable."
)
def c(sources: tuple[Path, ...], **options: Any) -> None:
    """Insert probes into the C program and run it with ARGS, in an empty folder and on one thread."""
    from trace_parity.probe.c_program import CProgram, build, check_identity, record, run
    from trace_parity.probe.identity import drop_superseded

    wanted, file, spec = _read("c", options)
    files = sources or file.c_files()
    timeout_s = file.timeout_s("c")
    program = CProgram(files, " ".join(file.words("c", "compile")), file.path.parent, timeout_s)
    with scratch_folder("probe") as work:
        built = build(program, spec, work / "build")
        args, identity = _absolute(wanted.args), None
        trace = work / "trace.log"
        done = run(built.probed, args, work / "run", trace, _focus(wanted, spec), timeout_s)
        if done.returncode:
            click.echo(f"note: the program ended with exit code {done.returncode}", err=True)
        if not trace.exists():
            raise HarnessError(Exit.PROGRAM_FAILED, "it ended before its log was closed", where=str(files[0]))
        drop_superseded(trace)
        if wanted.check:
            identity = check_identity(built, args, work / "check", timeout_s)
        if wanted.record:
            write_whole(wanted.record, record(built, identity) + "\n")
        _emit(wanted, trace, spec, _Findings(built.placed, built.unplaced, identity))


@probe.command(epilog="Exit codes: 0 traced, 1 probes change the program's output, 2 usage, 3 a program failed.")
@_options
@click.option(
    "--gradients", is_flag=True, help="Also trace grad_NAME after the backward pass, for values that carry gradients."
)
@click.option("--eager", is_flag=True, help="Run without torch.compile (TORCHDYNAMO_DISABLE=1).")
def py(gradients: bool, eager: bool, **options: Any) -> None:
    """Run the port with ARGS, with probes in the modules of [py] as they are imported."""
    from trace_parity.probe.identity import drop_superseded
    from trace_parity.probe.py_program import PyProgram, PyRun, check_identity, record, run_probed

    wanted, file, spec = _read("py", options)
    folder = file.path.parent / str(file.side("py").get("folder", "."))
    command = (*_py_command(file), *_absolute(wanted.args))
    program = PyProgram(command, file.words("py", "modules"), folder, file.timeout_s("py"))
    with scratch_folder("probe") as work:
        trace, identity = work / "trace.log", None
        _, report = run_probed(program, spec, PyRun(trace, _focus(wanted, spec), gradients, eager), work / "traced")
        drop_superseded(trace)
        if wanted.check:
            identity = check_identity(program, spec, work / "check")
        if wanted.record:
            write_whole(wanted.record, record(program, report, identity) + "\n")
        notes = [*report.notes, *(f"{name}: no gradient arrived" for name in report.no_gradient)]
        _emit(wanted, trace, spec, _Findings(report.placed, report.unplaced, identity, notes))


def _py_command(file: ProbesFile) -> tuple[str, ...]:
    """How the port runs without its arguments: `command` of [py.probe], else [programs.PY] of the pair."""
    from trace_parity.pair.find import find_pair
    from trace_parity.pair.pair import FILE_NAME
    from trace_parity.probe.probes_file import filled
    from trace_parity.run.launch import fill, places

    if "command" in file.side("py") or not (file.path.parent / FILE_NAME).is_file():
        return filled(file.words("py", "command"))
    side = find_pair(str(file.path.parent)).programs.sides["PY"]
    return tuple(
        fill([w for w in side.trace if w not in ("{args}", "{focus}", "{against}", "{options}")], {}, places(side))
    )


@dataclass(frozen=True)
class _Findings:
    placed: Sequence[Placed]
    unplaced: Sequence[Unplaced]
    identity: Identity | None
    notes: Sequence[str] = ()


def _read(side: str, options: Mapping[str, Any]) -> tuple[_Wanted, ProbesFile, ProbeSpec]:
    from trace_parity.probe.probes_file import find_probes

    wanted = _Wanted(**options)
    file = find_probes(wanted.pair, wanted.probes)
    return wanted, file, file.spec(side)


def _focus(wanted: _Wanted, spec: ProbeSpec) -> str:
    from trace_parity.probe.spec import parse_only

    alternatives = parse_only(wanted.only, spec.loops)
    return ";".join(",".join(f"{loop}={index}" for loop, index in places) for places in alternatives)


def _absolute(args: Sequence[str]) -> list[str]:
    """Words that name files here, as paths that hold in another folder."""
    return [os.path.abspath(word) if word and Path(word).exists() else word for word in args]  # noqa: PTH100


def _emit(wanted: _Wanted, trace: Path, spec: ProbeSpec, findings: _Findings) -> None:
    counts: dict[str, int] = {}
    with trace.open("rb") as log:
        for line in log:
            name = line.partition(b": ")[2].partition(b" ")[0].decode("utf-8", "replace")
            counts[name] = counts.get(name, 0) + 1
    placed = {p.variable for p in findings.placed}
    never = [v.name for v in spec.variables if v.name not in counts]
    if wanted.output is not None:
        write_whole(wanted.output, trace.read_bytes())
    elif not wanted.is_list:
        click.echo(trace.read_text(encoding="utf-8"), nl=False)
    if wanted.is_list:
        for p in findings.placed:
            click.echo(f"{_short(p.file)}:{p.line}: {p.variable}: {p.why}")
        for u in findings.unplaced:
            click.echo(f"{_short(u.file)}:{u.line}: not probed: {u.variable or 'any'}: {u.text}: {u.reason}")
        for name in never:
            why = "in no place where all loops of its scope are known" if name in placed else "no probe was placed"
            click.echo(f"never printed: {name}: {why}")
    lines = sum(counts.values())
    summary = f"{plural(len(findings.placed), 'probe')} of {plural(len(placed), 'variable')}, {plural(lines, 'line')}"
    details = f"{plural(len(findings.unplaced), 'write')} not probed, {plural(len(never), 'variable')} never printed"
    click.echo(f"{summary}; {details}{'' if wanted.is_list else ' (--list shows them)'}", err=True)
    for note in findings.notes:
        click.echo(f"note: {note}", err=True)
    _say_identity(findings.identity)


def _say_identity(identity: Identity | None) -> None:
    if identity is None:
        return
    if identity.varying:
        click.echo(f"note: varies from run to run without probes: {', '.join(identity.varying)}", err=True)
    if not identity.holds:
        raise HarnessError(
            Exit.DIVERGENCE,
            f"with probes off the program writes different output: {', '.join(identity.differing)}",
            expected="the output of the program without probes, byte for byte",
        )
    click.echo(f"output with probes off is unchanged: {', '.join(identity.compared) or 'nothing to compare'}", err=True)


def _short(file: str) -> str:
    path = os.path.relpath(file)
    return path if not path.startswith("..") else file
