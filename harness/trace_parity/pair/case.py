"""A case: a command line that both programs run, its input files, the places to trace, and what must be compared.

A pair's cases are TOML files in its folder `cases/`; a pasted command line makes a case of its own.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity.errors import Exit, HarnessError
from trace_parity.nearest import nearest_names
from trace_parity.pair.contract import Contract
from trace_parity.pair.toml_table import Table, line_of, located, nearest, parse_toml, read_text

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair

Place = tuple[int, ...]
"""The indices of a place in the loops of the pair's focus."""
MOST_PLACES = 10_000_000
"""How many places a case can require a variable at."""


@dataclass(frozen=True)
class InputFile:
    """The source of an input file: its text, a command that prints it, or a file next to the case file.

    In the command {python} is this interpreter and {pair} the pair's folder. `path` is relative to `folder`, the case
    file's own.
    """

    name: str
    text: str | None = None
    command: tuple[str, ...] = ()
    pair: Path = Path()
    path: str = ""
    folder: Path = Path()


@dataclass(frozen=True)
class Case:
    """One case. `argv` is the command line without the program's name and without trace or output flags."""

    id: str
    title: str
    argv: tuple[str, ...]
    places: tuple[Place, ...]
    description: str = ""
    files: tuple[InputFile, ...] = ()
    variables: tuple[str, ...] = ()
    ticks: Mapping[str, int] = field(default_factory=dict)
    expectation: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    @property
    def contract(self) -> Contract:
        """What must be compared before this case may be called parity."""
        return Contract(self.variables, self.places, dict(self.ticks))


def list_cases(folder: Path, pair: Pair) -> list[Case]:
    """The cases in a folder, by id."""
    found = []
    for file in folder.glob("*.toml"):
        found.append(parse_case(read_text(file), str(file), pair))
        if folder.is_relative_to(pair.folder):  # not one that the pair inherits
            check_expectation(found[-1], pair, str(file))
    return sorted(found, key=lambda case: case.id)


def load_case(name: str, pair: Pair) -> Case:
    """A case of a pair or of its matrix by id, or a case file by path. Raises HarnessError (exit 2)."""
    path = Path(name)
    if path.suffix == ".toml":
        return parse_case(read_text(path), name, pair)
    own = {case.id: case for case in pair.cases()}
    if name in own:
        return own[name]
    if path.is_dir():
        hint = f"{path / 'case.toml'} is the case of this bundle" if (path / "case.toml").is_file() else ""
        raise HarnessError(Exit.USAGE, "is a folder", where=name, expected="a case or a case file", hint=hint)
    cases = {case.id: case for case in pair.every_case()}
    if name not in cases:
        expected = "one of " + ", ".join(own) if own else "a case file, since the pair has no cases"
        if len(cases) > len(own):
            expected = f"{expected}, or a case of the matrix" if own else "a case of the matrix"
        raise HarnessError(
            Exit.USAGE, f"no case {name!r}", where=pair.where, expected=expected, hint=_case_hint(name, cases)
        )
    return cases[name]


def _case_hint(name: str, cases: Iterable[str]) -> str:
    if name.endswith((".log", ".log.gz")):
        return "trace-diff compare C.log PY.log compares two logs"
    return (
        nearest(name, cases) or "`trace-diff cases list` shows them; a path that ends in .toml is read as a case file"
    )


def parse_case(text: str, where: str, pair: Pair) -> Case:
    """Read a case file of a pair; raises HarnessError (exit 2) with line and key of what is wrong in it."""
    with located(text, where):
        table = Table(parse_toml(text, where), where)
        for key, expected in (("id", "letters, digits, _ . -"), ("title", "a string"), ("argv", "a command line")):
            table.need(key, expected)
        coverage = table.table("coverage")
        case = Case(
            id=case_id(table),
            title=table.text("title"),
            argv=table.arguments("argv"),
            places=focus_of(table, pair),
            description=str(table.text("description")).strip(),
            files=input_files(table, pair.folders),
            variables=coverage.words("variables") if coverage else (),
            ticks=coverage.whole_numbers("ticks") if coverage else {},
            expectation=table.strings("expectation"),
            source=text,
        )
        if coverage:
            _check_coverage(coverage, case.contract, pair)
            coverage.finish()
        table.finish()
    return case


def check_expectation(case: Case, pair: Pair, where: str) -> None:
    """Check that [expectation] of a case written for this pair names variants of its programs (exit 2)."""
    if not case.expectation or not pair.has_programs:
        return
    known = pair.programs.against
    for name in case.expectation:
        if name not in known:
            raise HarnessError(
                Exit.USAGE,
                f"expectation: no variant {name!r}",
                where=f"{where}:{line_of(case.source, 'expectation')}",
                expected="one of " + ", ".join(known) if known else "no [expectation]: no program has variants",
                hint=nearest(name, known),
            )


def _check_coverage(table: Table, contract: Contract, pair: Pair) -> None:
    """Check that the vocabulary, if the pair has one, has what is required, and that this fits into memory."""
    if math.prod(contract.ticks.values()) * max(1, len(contract.places)) > MOST_PLACES:
        raise table.wrong("ticks", contract.ticks, f"at most {MOST_PLACES:,} places in all")
    if pair.file("vocabulary") is None:
        return
    names, loops = dict.fromkeys(v.name for v in pair.vocabulary.variables), pair.vocabulary.loops
    for name in contract.variables:
        if name not in names:
            raise table.wrong("variables", name, "variables of the vocabulary", nearest(name, names))
    for loop in contract.ticks:
        if loop not in loops:
            raise table.wrong(f"ticks.{loop}", loop, f"one of {', '.join(loops)}", nearest(loop, loops))


def case_id(table: Table) -> str:
    """The id of a case, which names a folder. Raises HarnessError (exit 2)."""
    name = table.text("id")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise table.wrong("id", name, "letters, digits, _ . -")
    return name


def focus_of(table: Table, pair: Pair) -> tuple[Place, ...]:
    """The places that a case names. Raises HarnessError (exit 2).

    The key is `focus`, or the name that the pair's `focus_option` gives, in the plural.
    """
    own = f"{pair.focus_option}s" if pair.focus_option else "focus"
    key = own if own in table else "focus"
    places = table.places(key, tuple(pair.focus_names))
    if pair.focus and not places:
        names = ", ".join(pair.focus_names)
        near = nearest_names(own, [k for k in table.data if k not in (own, "focus")])
        raise table.wrong(
            key,
            table.data.get(key, "nothing"),
            f"a place [{names}]: a case without one compares nothing",
            f"{near[0]} is not a key; did you mean {own!r}?" if near else "",
        )
    return places


def input_files(table: Table, folders: Sequence[Path] = (Path(),)) -> tuple[InputFile, ...]:
    """The entries of the [files] table; `folders` are that of the pair and those of the pairs that it extends.

    {pair} in a command is the first of them that has what the command names in it. Raises HarnessError (exit 2).
    """
    return tuple(_input_file(name, entry, folders) for name, entry in table.named_tables("files").items())


def _input_file(name: str, entry: Table, folders: Sequence[Path]) -> InputFile:
    if Path(name).name != name:
        raise entry.wrong("", name, "a plain file name")
    path = entry.text("path")
    if path and (Path(path).is_absolute() or ".." in Path(path).parts):
        raise entry.wrong("path", path, "a file in the folder of the case file or below it")
    text = entry.text("text") if "text" in entry else None
    command = entry.command("command")
    inside = [found[1] for word in command if (found := re.search(r"\{pair\}/(.+)", word))]
    pair = next((f for f in folders if all((f / named).exists() for named in inside)), folders[0])
    file = InputFile(name, text, command, pair, path, Path(entry.where).parent)
    if (file.text is not None) + bool(file.command) + bool(file.path) != 1:
        raise entry.wrong("", dict(entry.data), "either text, command or path")
    entry.finish()
    return file


def pasted_case(argv: Sequence[str], places: Sequence[Place]) -> Case:
    """A case of a pasted command line; without places, those have to be picked off the images."""
    words = list(argv)
    if words and _is_program(words[0]):
        words = words[1:]  # the program's own name, pasted along
    digest = hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]
    return Case(f"pasted-{digest}", "a pasted command line", tuple(words), tuple(places))


def _is_program(word: str) -> bool:
    """Whether the first word of a command line is a program: neither a flag nor a number nor a file of data."""
    try:
        float(word)
    except ValueError:
        path = Path(word)
        return not word.startswith("-") and not (path.is_file() and not os.access(path, os.X_OK))
    return False


def with_places(case: Case, places: Sequence[Place]) -> Case:
    """The case with other places traced."""
    return replace(case, places=tuple(dict.fromkeys(places))) if places else case


def with_flag_value(case: Case, flag: str, value: str) -> Case:
    """The case with the word after `flag` replaced, or the flag added."""
    words = list(case.argv)
    if flag in words[:-1]:
        words[words.index(flag) + 1] = value
    else:
        words += [flag, value]
    return replace(case, argv=tuple(words))


def without_outputs(case: Case, output_flags: Sequence[str], switches: Sequence[str] = ()) -> Case:
    """The case without the flags that name output files, and without `switches`: both are decided by the run."""
    words: list[str] = []
    skip = False
    for word in case.argv:
        if skip:
            skip = False
        elif word in output_flags:
            skip = True
        elif word in switches:
            continue
        else:
            words.append(word)
    return replace(case, argv=tuple(words))


def place_inputs(
    case: Case, folder: Path, input_flags: Sequence[str], cwd: Path, shared_inputs: Path | None = None
) -> Case:
    """Put the case's files into `folder` and return the case with other input files named by absolute path.

    A file that lies in `shared_inputs` already is linked from there, not made again. Files that the command line no
    longer names (because an option put another in) are not made. Raises HarnessError: exit 5 for an input that is not
    there, exit 3 when a generator fails.
    """
    own = {f.name: f for f in case.files}
    words = list(case.argv)
    for i, word in enumerate(words[:-1]):
        if word not in input_flags:
            continue
        value = words[i + 1]
        if value in own:
            if shared_inputs is not None and (shared_inputs / value).is_file():
                (folder / value).symlink_to(shared_inputs / value)
            else:
                for named in own[value].command:  # a file that the command reads
                    if named in own and named != value:
                        make_input(own[named], folder)
                make_input(own[value], folder)
            continue
        path = (cwd / value).resolve()
        if path.is_dir():
            raise HarnessError(Exit.UNREADABLE, "is a folder", where=value, expected=f"a file, as the value of {word}")
        if not path.is_file():
            raise HarnessError(Exit.UNREADABLE, "no such file", where=value, hint=f"the value of {word}")
        words[i + 1] = str(path)
    return replace(case, argv=tuple(words))


def of_unreadable_input(error: HarnessError, case: Case, input_flags: Sequence[str]) -> HarnessError:
    """The error of a program that failed, with exit code 5 where it complains of an input file that the user named."""
    named = [value for flag, value in pairwise(case.argv) if flag in input_flags and Path(value).is_absolute()]
    file = next((value for value in named if value in error.what), None)
    if error.code != Exit.PROGRAM_FAILED or file is None:
        return error
    return HarnessError(Exit.UNREADABLE, f"{error.where}: {error.what}", where=file, hint=error.hint)


def make_input(file: InputFile, folder: Path) -> None:
    """Make one input file in `folder` unless it is there. Raises HarnessError (exit 3) when its generator fails."""
    target = folder / file.name
    if target.exists():
        return
    if file.text is not None:
        target.write_text(file.text, encoding="utf-8")
        return
    if file.path:
        source = (file.folder / file.path).resolve()
        if not source.is_file():
            raise HarnessError(Exit.UNREADABLE, "no such file", where=str(source), hint=f"{file.name} of the case")
        target.symlink_to(source)
        return
    places = {"{python}": sys.executable, "{pair}": str(file.pair.resolve())}
    command = [re.sub(r"\{(?:python|pair)\}", lambda m: places[m[0]], word) for word in file.command]
    with target.open("wb") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, cwd=folder, check=False)
    if done.returncode:
        raise HarnessError(
            Exit.PROGRAM_FAILED,
            f"its generator ended with exit code {done.returncode}: {_last_line(done.stderr)}",
            where=file.name,
        )


def _last_line(stderr: bytes) -> str:
    return (stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing on standard error"])[-1]


def input_hashes(case: Case, folder: Path, input_flags: Sequence[str]) -> dict[str, str]:
    """sha256 of every input file that the command line names, by the name it has there (its last part)."""
    hashes = {}
    for i, word in enumerate(case.argv[:-1]):
        if word in input_flags:
            path = folder / case.argv[i + 1]
            with path.open("rb") as stream:
                hashes[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes
