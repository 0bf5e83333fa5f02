"""The two programs of a pair, as the tables [programs.C] and [programs.PY] of pair.toml describe them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.toml_table import Table, nearest
from trace_parity.pair.variants import Variant, read_variants

FILE, STDOUT, STDERR, PROBES = "file", "stdout", "stderr", "probes"
PLACEHOLDERS = {
    "args": "the case's command line",
    "against": "the arguments of --against",
    "options": "the arguments of --device and similar options",
    "focus": "the arguments that select the places to trace",
    "source": "the folder of the program's sources",
    "build": "the folder build in it",
    "python": "the interpreter of trace-diff",
    "pair": "the pair's folder",
    "work": "the folder of the run's input files",
    "trace": "the trace file to write",
    "image": "the image file to write",
    "probed": "the C program with probes",
    "unprobed": "the same without, compiled by the same command",
}
"""A placeholder in braces in a command."""


@dataclass(frozen=True)
class Unread:
    """Files that a program cannot read: those after `flag` with one of the suffixes, optionally followed by .gz."""

    flag: str
    suffixes: tuple[str, ...]
    hint: str

    def among(self, argv: Sequence[str]) -> str | None:
        """The first such file that a command line names."""
        named = (value for word, value in pairwise(argv) if word == self.flag)
        return next((n for n in named if n.lower().removesuffix(".gz").endswith(self.suffixes)), None)


@dataclass(frozen=True)
class Program:
    """One program: what it is called, how it is built and run. Commands are templates, see PLACEHOLDERS."""

    name: str  # "C" or "PY"
    folder: Path  # of the pair that describes it
    title: str
    trace: tuple[str, ...]
    trace_from: str = FILE  # or stdout, stderr, probes
    source: str = ""
    build: tuple[str, ...] = ()
    build_hint: str = ""
    cwd: str = "."  # relative to the pair's folder, or {work}
    env: Mapping[str, str] = field(default_factory=dict)
    against: Mapping[str, Sequence[str]] = field(default_factory=dict)
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    render: tuple[str, ...] = ()
    inject: tuple[str, ...] = ()  # options of a trace that continues from given values; empty if not supported
    config: tuple[str, ...] = ()  # prints the settings as JSON; empty if not supported
    together: tuple[str, ...] = ()  # traces and renders in one process; empty if separate runs are better
    version: tuple[str, ...] = ()  # prints the program's version
    gradcheck: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    variants: tuple[Variant, ...] = ()  # builds that change rounding only
    lines: Mapping[str, str] = field(default_factory=dict)  # `scope.name` or name to text of the line that computes it
    worker: str = ""  # MODULE:FUNCTION that the commands run, which a process that serves many cases calls; empty: none

    @property
    def source_folder(self) -> Path | None:
        """The folder of the sources, where the entry names one, relative to the pair's folder."""
        return (self.folder / self.source).resolve() if self.source else None


@dataclass(frozen=True)
class Option:
    """An option that `trace-diff run` has for this pair: a file or a word, put after `flag` in the command line."""

    name: str
    flag: str
    help: str
    is_file: bool


@dataclass(frozen=True)
class Programs:
    """Both programs and what they share."""

    sides: Mapping[str, Program]
    input_flags: tuple[str, ...] = ()
    output_flags: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    focus_words: tuple[str, ...] = ()
    perturb: tuple[str, ...] = ()  # flags whose values are real numbers, however they are written
    perturb_files: tuple[str, ...] = ()  # flags that name text files of real numbers
    shape: re.Pattern[str] | None = None

    @property
    def can_render(self) -> bool:
        """Whether both programs write an image."""
        return all(side.render for side in self.sides.values())

    def find_shape(self, output: str) -> tuple[int, int] | None:
        """The image's (slow, fast) size that a program printed."""
        match = self.shape.search(output) if self.shape is not None else None
        return (int(match["slow"]), int(match["fast"])) if match else None

    @property
    def against(self) -> tuple[str, ...]:
        """What --against can be, the default first."""
        return tuple(dict.fromkeys(name for side in self.sides.values() for name in side.against))


def read_program(name: str, table: Table, folder: Path, is_probed: bool = False) -> Program:
    """[programs.NAME]; `is_probed`: the pair has probes for it. Raises HarnessError (exit 2) with what is wrong."""
    table.need("trace", "the command that traces")
    trace = _template(table, "trace")
    default = FILE if any("{trace}" in word for word in trace) else PROBES if is_probed else STDOUT
    program = Program(
        name,
        folder,
        title=table.text("title", f"{name} program"),
        trace=trace,
        trace_from=table.choice("trace_from", (FILE, STDOUT, STDERR, PROBES), default),
        source=table.text("source"),
        build=_template(table, "build"),
        build_hint=table.text("build_hint"),
        cwd=table.text("cwd", "."),
        env=table.strings("env"),
        against=table.commands("against"),
        options=table.commands("options"),
        render=_template(table, "render"),
        inject=table.command("inject"),
        config=_template(table, "config"),
        together=_template(table, "together"),
        version=_template(table, "version"),
        gradcheck=_template(table, "gradcheck"),
        unread=tuple(_unread(entry) for entry in table.tables("unread")),
        variants=read_variants(table, _template, "source" in table),
        lines=table.strings("lines"),
        worker=table.text("worker"),
    )
    table.finish()
    if program.trace_from == PROBES and not is_probed:
        raise table.wrong("trace_from", PROBES, f"[{name.lower()}.probe], or file, stdout or stderr")
    if any("probed}" in word for word in trace) and (not is_probed or name != "C"):
        raise table.wrong("trace", " ".join(trace), "[c.probe] in the pair, for {probed} and {unprobed} of C")
    if program.trace_from == FILE and default != FILE:
        raise table.wrong("trace", " ".join(trace), "{trace} in the command, since trace_from is file")
    for key in ("render", "together"):
        words = getattr(program, key)
        if words and not any("{image}" in word for word in words):
            raise table.wrong(key, " ".join(words), "{image} in the command: the image file to write")
    if program.worker:
        _check_worker(program, table)
    if program.source_folder is not None and not program.source_folder.is_dir():
        raise table.wrong("source", program.source, f"a folder, relative to {folder}")
    if program.cwd != "{work}" and not (folder / program.cwd).is_dir():
        raise table.wrong("cwd", program.cwd, f"a folder, relative to {folder}, or {{work}}")
    return program


def _check_worker(program: Program, table: Table) -> None:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", program.worker):
        raise table.wrong("worker", program.worker, "MODULE:FUNCTION, what the program's commands run")
    for key in ("trace", "render", "config", "together"):
        words = getattr(program, key)
        if words and not (words[0] == "{python}" and len(words) > 1 + (words[1:2] == ("-m",))):
            expected = "{python} -m MODULE or {python} FILE at its beginning, since there is a worker"
            raise table.wrong(key, " ".join(words), expected)


def _template(table: Table, key: str) -> tuple[str, ...]:
    command = table.command(key)
    for word in command:
        for found in re.findall(r"\{(\w+)\}", word):
            if found not in PLACEHOLDERS:
                known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
                raise table.wrong(key, f"{{{found}}}", f"one of {known}", nearest(found, PLACEHOLDERS))
    return command


def _unread(table: Table) -> Unread:
    for key in ("flag", "suffixes"):
        table.need(key, "a flag and the suffixes that the program does not read")
    entry = Unread(table.text("flag"), table.words("suffixes"), table.text("hint"))
    table.finish()
    return entry


def read_option(name: str, table: Table) -> Option:
    """[options.NAME]."""
    table.need("flag", "the flag that the value follows")
    option = Option(name, table.text("flag"), table.text("help", f"Value of {name}."), table.flag("file"))
    table.finish()
    return option


def read_shape(table: Table, key: str) -> re.Pattern[str] | None:
    """The pattern that finds the image's size in what a program prints."""
    text = table.text(key)
    if not text:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise table.wrong(key, text, f"a regular expression ({error})") from error
    if missing := {"slow", "fast"} - set(pattern.groupindex):
        raise table.wrong(key, text, f"a group named {sorted(missing)[0]}: (?P<{sorted(missing)[0]}>\\d+)")
    return pattern


def check_readable(programs: Programs, argv: Sequence[str]) -> None:
    """HarnessError (exit 2) for an input file that one of the programs cannot read."""
    import shlex

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
