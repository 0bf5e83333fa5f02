"""The commands of a page: those to copy, and the record of what ran."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trace_parity.result.result import Result

ASKED = "command line of this run"
AGAIN = "run it again"
RAN = "command lines of the two programs"
_RECORDS = {ASKED: ASKED, RAN: RAN, "what was asked": ASKED, "what that ran": RAN}
"""Headings of commands.txt under which commands are a record, also in bundles of version 0.1."""


@dataclass(frozen=True)
class Commands:
    """`usable`: (heading, command) to copy; `asked` and `ran` are what was typed and what ran, for the record."""

    usable: tuple[tuple[str, str], ...] = ()
    asked: str = ""
    ran: tuple[str, ...] = ()
    again: str = ""  # of the usable ones, the one that repeats the run
    by_heading: Mapping[str, list[str]] = field(default_factory=dict)


def commands_of(result: Result, files: Mapping[str, bytes], *, in_bundle: bool) -> Commands:
    """The commands that commands.txt has; in a bundle without any that can be copied, those that every bundle takes.

    A comparison of two logs has no bundle: what was typed can be typed again there.
    """
    sections = _sections(files.get("commands.txt", b"").decode("utf-8", "replace"))
    asked = sections.pop(ASKED, [])
    ran = sections.pop(RAN, [])
    if in_bundle and not sections:
        against = ["--against", result.case.against] if result.case.against else []
        again = shlex.join(["trace-diff", "run", "case.toml", *against, "--out", "../.."])
        sections = {AGAIN: [again], "check that the bundle is unchanged": ["trace-diff bundle verify ."]}
    elif not in_bundle and asked:
        sections = {AGAIN: asked, **sections}
    usable = tuple((title if n == 0 else "", c) for title, found in sections.items() for n, c in enumerate(found))
    return Commands(usable, " ".join(asked), tuple(ran), next(iter(sections.get(AGAIN, [])), ""), sections)


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    title = ASKED
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
            title = _RECORDS.get(heading, heading)
        elif line.strip():
            sections.setdefault(title, []).append(line)
    return sections


def with_option(command: str, option: str, value: str) -> str:
    """A command with another value of one of its options, or with the option added."""
    words = shlex.split(command)
    if option in words[:-1]:
        words[words.index(option) + 1] = value
        return shlex.join(words)
    return with_added(words, option, value)


def with_added(words: Sequence[str], option: str, value: str) -> str:
    """A command with an option more, before the command line of the programs that it may end with."""
    end = words.index("--") if "--" in words else len(words)
    return shlex.join([*words[:end], option, value, *words[end:]])


def option_in(sentence: str) -> tuple[str, str] | None:
    """The first `--option value` that a sentence names, as a quirk's remedy does."""
    found = re.search(r"(?<!\S)[`']?(--[a-z][\w-]*)[ =]([\w./@-]+)", sentence)
    return (found[1], found[2]) if found else None
