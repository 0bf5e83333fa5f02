"""Fenced blocks of the documents, taken and run in their order as a reader would.

A comment on the line before a fence gives what the kind of the fence does not show:

    <!-- test: load vocabulary -->       toml: what reads it (see LOADERS of test_docs.py)
    <!-- test: append pair.toml -->      toml: text to add to a file of the reader
    <!-- test: pytest -->                python: a file of tests
    <!-- test: exit 1 -->                console: the exit code of its commands, when that is not 0
    <!-- test: not run: the reason -->   any kind

`# file: NAME` as the first line of a block is the name of the file that it is.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.golden import ROOT
from tests.in_process import call

FENCE = re.compile(r"( *)(`{3,})(.*)")
TAG = re.compile(r" *<!-- test: (.*) -->")
NOT_RUN = "not run: "
SHELL = re.compile(r"[|><;&$*~`(]")
"""What only a shell understands."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its place, its kind, its text without indentation, and the words of its tag."""

    page: str
    line: int
    kind: str
    text: str
    tag: str = ""

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> tuple[str, str] | None:
        """The name of the file that the block is, and its text."""
        match = re.match(r"# file: (\S+)\n", self.text)
        return (match[1], self.text[match.end() :]) if match else None


def pages() -> list[str]:
    """Every document of the repository, but notes on changes and those made by a program."""
    command = ["git", "ls-files", "--", "*.md"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in names if not name.startswith(("reports/", "tests/", "benchmarks/RESULTS"))]


def blocks(page: str) -> list[Block]:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        start = FENCE.fullmatch(lines[number])
        if start is None:
            number += 1
            continue
        end = next(n for n in range(number + 1, len(lines)) if lines[n].rstrip() == start[1] + start[2])
        text = "".join(f"{line.removeprefix(start[1])}\n" for line in lines[number + 1 : end])
        tag = TAG.fullmatch(lines[number - 1]) if number else None
        found.append(Block(page, number + 1, start[3].strip(), text, tag[1] if tag else ""))
        number = end + 1
    return found


@dataclass
class Reader:
    """Somebody who follows a page in a folder, block by block."""

    folder: Path
    load: Mapping[str, Callable[[Path], object]]
    """What reads a block of TOML, given the file that it was written to."""
    in_process: bool = True
    """Whether commands without a shell's words run in this process, which spares them a start of Python."""
    names: dict[str, Any] = field(default_factory=dict)
    bundle: str = ""
    ran: int = 0

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "BUNDLE": self.bundle}

    def follow(self, block: Block) -> None:
        """Run or check one block; AssertionError where it does not do what it says."""
        if block.tag.startswith(NOT_RUN):
            assert len(block.tag) > len(NOT_RUN) + 10, f"{block.where}: a reason is missing"
            return
        kinds = {"sh": self.shell, "console": self.console, "toml": self.toml, "python": self.python}
        assert block.kind in kinds, f"{block.where}: nothing runs a block of kind {block.kind!r}"
        kinds[block.kind](block)
        self.ran += 1

    def command(self, line: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a command line."""
        words = shlex.split(line.replace('"$BUNDLE"', shlex.quote(self.bundle)), comments=True)
        alone = not SHELL.search(line.replace('"$BUNDLE"', ""))
        if self.in_process and alone and words[0] == "trace-diff":
            done = call(words[1:], self.folder)
        else:
            done = subprocess.run(
                ["bash", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
            )
        code, out, err = done.returncode, done.stdout, done.stderr
        if found := re.search(r"^bundle: (.*)$", err, re.MULTILINE):
            self.bundle = found[1]
        return code, out, err

    def shell(self, block: Block) -> None:
        """A command a line; `   # exit N` behind one that does not end with 0."""
        for line in block.text.replace("\\\n", " ").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            words, _, note = line.partition("   # exit ")
            code, out, err = self.command(words)
            assert code == int(note or 0), f"{block.where}: {line}\n{out}{err}"

    def console(self, block: Block) -> None:
        """Commands behind `$ `, each with what it prints; `…` is anything, as a line or in one."""
        expected: list[tuple[str, list[str]]] = []
        for line in block.text.splitlines():
            if line.startswith("$ "):
                expected.append((line[2:], []))
            else:
                expected[-1][1].append(line)
        wanted = int(block.tag.removeprefix("exit ") or 0)
        for line, lines in expected:
            code, out, err = self.command(line)
            assert code == wanted, f"{block.where}: {line}\n{out}{err}"
            if lines:
                assert_printed(out, lines, f"{block.where}: {line}")

    def toml(self, block: Block) -> None:
        if block.file:
            name, text = block.file
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        verb, _, name = block.tag.partition(" ")
        if verb == "append":
            with (self.folder / name).open("a", encoding="utf-8") as stream:
                stream.write(block.text)
            return
        assert verb == "load", f"{block.where}: neither a file's name nor a tag says what reads this"
        path = self.folder / "block.toml"
        path.write_text(block.text, encoding="utf-8")
        self.load[name](path)

    def python(self, block: Block) -> None:
        if block.tag == "pytest":
            (self.folder / "test_block.py").write_text(block.text, encoding="utf-8")
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_block.py"]
            done = subprocess.run(
                command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{block.where}\n{done.stdout}{done.stderr}"
            return
        if self.in_process:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.text, block.where, "exec"), self.names)
            return
        command = [sys.executable, "-c", block.text]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.where}\n{done.stderr}"


def assert_printed(printed: str, expected: list[str], where: str) -> None:
    """`printed` is `expected`, in which `…` is any text within a line and any lines on a line of its own.

    Line numbers of sources may differ: they move with every edit.
    """
    pattern = "\n".join(re.escape(line).replace("…", ".*") for line in expected)
    pattern = re.sub(r"(\\\.(?:py|c)):\d+", r"\1:\\d+", pattern)
    pattern = re.sub(r"(?:^|\n)\.\*(?=\n|$)", r"(?:\n.*)*", f"\n{pattern}")
    assert re.fullmatch(pattern, "\n" + printed.rstrip("\n")), f"{where}: expected\n{pattern}\nprinted\n{printed}"
