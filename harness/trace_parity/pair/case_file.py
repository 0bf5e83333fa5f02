"""A case as a case file, so that a bundle keeps what it ran, with the places and input files of that run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trace_parity.errors import HarnessError
from trace_parity.pair.case import Case, InputFile, parse_case
from trace_parity.pair.pair import Pair

INPUTS = "inputs"
MOST_BYTES = 256 * 2**20
"""Larger input files are named in the case file and not kept with it."""


def keep_case(case: Case, placed: Case, pair: Pair, folder: Path) -> str:
    """The case file of a run, whose other input files are copied to `folder`/inputs.

    `placed` is the case as the programs got it: input files that the case does not make are absolute paths there. The
    file that the case was read from is kept word for word if it is complete.
    """
    words = list(placed.argv)
    files = {f.name: f for f in case.files}
    sources = {f.name: f.folder / f.path for f in case.files if f.path}
    for i, flag in enumerate(words[:-1]):
        if flag in pair.programs.input_flags and words[i + 1] not in files:
            source = Path(words[i + 1])
            known = next((name for name, path in sources.items() if path == source), None)
            name = known or _free_name(source.name, files)
            sources[name] = source
            files[name] = InputFile(name, path=f"{INPUTS}/{name}")
            words[i + 1] = name
    for name, source in sources.items():
        if name in words and source.stat().st_size <= MOST_BYTES:
            (folder / INPUTS).mkdir(exist_ok=True)
            shutil.copyfile(source, folder / INPUTS / name)
        files[name] = InputFile(name, path=f"{INPUTS}/{name}")
    if _says_all(case, pair, files):
        return case.source
    return case_toml(replace(case, argv=tuple(words), files=tuple(files.values())))


def _free_name(name: str, taken: Collection[str]) -> str:
    free, count = name, 2
    while free in taken:
        free, count = f"{count}-{name}", count + 1
    return free


def _says_all(case: Case, pair: Pair, files: Mapping[str, InputFile]) -> bool:
    """Whether the file that the case was read from is what `case_toml` would have to say."""
    try:
        said = parse_case(case.source, "", pair)
    except HarnessError:  # no source, or one that lacks places
        return False
    paths = {f.name: f.path for f in said.files}
    return (said.id, said.argv, said.places) == (case.id, case.argv, case.places) and paths == {
        name: file.path for name, file in files.items()
    }


def case_toml(case: Case) -> str:
    """The text of a case file that `parse_case` reads as this case."""
    lines = [f"id = {_string(case.id)}", f"title = {_string(case.title)}"]
    if case.description:
        lines.append(f"description = {_string(case.description)}")
    if case.places:
        lines.append(f"focus = {json.dumps([list(p) for p in case.places])}")
    lines += ["argv = [", *(f"  {_line(words)}," for words in _by_flag(case.argv)), "]"]
    for file in case.files:
        lines += ["", f"[files.{_string(file.name)}]"]
        if file.text is not None:
            lines.append(f"text = {_string(file.text)}")
        elif file.command:
            lines.append(f"command = [{_line(file.command)}]")
        else:
            lines.append(f"path = {_string(file.path)}")
    if case.variables or case.ticks:
        lines += ["", "[coverage]"]
        lines += [f"variables = [{_line(case.variables)}]"] if case.variables else []
        lines += [f"ticks = {{ {_pairs({k: str(v) for k, v in case.ticks.items()})} }}"] if case.ticks else []
    if case.expectation:
        lines += ["", "[expectation]"]
        lines += [f"{_string(k)} = {_string(v)}" for k, v in case.expectation.items()]
    return "\n".join(lines) + "\n"


def _by_flag(argv: Sequence[str]) -> Iterable[list[str]]:
    """The words in lines that begin with a flag each."""
    line: list[str] = []
    for word in argv:
        if line and word.startswith("-") and word[1:2].isalpha():
            yield line
            line = []
        line.append(word)
    if line:
        yield line


def _line(words: Iterable[str]) -> str:
    return ", ".join(map(_string, words))


def _pairs(items: Mapping[str, str]) -> str:
    return ", ".join(f"{_string(key)} = {value}" for key, value in items.items())


def _string(text: str) -> str:
    """A basic string of TOML, which escapes what JSON does and also DEL; what is not text becomes `?`."""
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
