"""From words to an `Invocation`: splits the command line into flags and values, checks both, applies them in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nanobragg_torch.cli import effects
from nanobragg_torch.cli.effects import State, Value
from nanobragg_torch.cli.flags import Flag, find, nearest
from nanobragg_torch.cli.header import apply_header
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.text import as_float, leading_integer, leading_number
from nanobragg_torch.progress import Progress

if TYPE_CHECKING:
    from nanobragg_torch.experiment import Experiment


class UsageError(ExperimentError):
    """The command line has nothing to simulate: the usage text helps."""


@dataclass(frozen=True)
class Invocation:
    """A parsed command line: the experiment and its outputs."""

    experiment: Experiment
    outputs: effects.Outputs
    warnings: tuple[str, ...] = ()


@dataclass
class _Word:
    flag: Flag
    name: str
    values: list[Value] = field(default_factory=list)
    after: tuple[str, ...] = ()  # the three words after the flag, for a quirk


def split(argv: Sequence[str], warnings: list[str], lenient: bool) -> list[_Word]:
    """Flags with their values, in order; ExperimentError names the flag and what it expected."""
    words: list[_Word] = []
    i = 0
    while i < len(argv):
        name = argv[i]
        flag = find(name)
        if flag is None:
            close = nearest(name)
            verb = "one is" if len(close) == 1 else "ones are"
            hint = f"; the nearest known {verb} {', '.join(close)}" if close else "; --help lists all"
            if not lenient:
                raise ExperimentError(f"unknown flag {name}{hint}")
            warnings.append(f"unknown flag {name} ignored{hint}")
            i += 1
            continue
        word = _Word(flag, name, after=tuple(argv[i + 1 : i + 4]))
        word.values = _values(flag, name, argv[i + 1 :], warnings)
        i += 1 + len(word.values)
        words.append(word)
    return words


def _values(flag: Flag, name: str, after: Sequence[str], warnings: list[str]) -> list[Value]:
    """The values that follow a flag, as its row in the table says; as many as words of the command line."""
    values: list[Value] = []
    for place, token in enumerate(flag.words):
        kind, _, instead = token.removesuffix("?").partition("|")
        text = after[place] if place < len(after) else None
        if token.endswith("?") and (text is None or text.startswith("-")):
            break
        if text is None:
            raise ExperimentError(f"{name} lacks a value, expected {_expected(flag)}")
        if instead and text.startswith(instead):
            return [*values, text]
        values.append(_value(name, flag, kind, text, warnings))
    return values


def _expected(flag: Flag) -> str:
    expected = " ".join(_EXPECTED[token.removesuffix("?").partition("|")[0]] for token in flag.words)
    return f"{expected} or random" if any("|rand" in token for token in flag.words) else expected


_EXPECTED = {
    "number": "number",
    "count": "whole number",
    "limit": "number or inf",
    "file": "file name",
    "word": "word",
}
_LARGEST_COUNT = 2**31 - 1


def _value(name: str, flag: Flag, kind: str, text: str, warnings: list[str]) -> Value:
    if kind in ("file", "word"):
        if find(text) is not None or text == "":
            raise ExperimentError(f"{name} lacks a value, expected {_expected(flag)}, got {text or 'an empty word'}")
        return text
    number = as_float(text)
    if number is None or number != number or (kind == "count" and math.isinf(number)):
        raise ExperimentError(f"{name} has the value {text!r}, expected {_expected(flag)}")
    if kind == "count":
        count = leading_integer(text)
        if abs(count) > _LARGEST_COUNT:
            raise ExperimentError(f"{name} has the value {text!r}, expected {_expected(flag)}")
        if count != number:
            warnings.append(f"{name}: {text!r} is read as {count}, its leading integer")
        return count
    if math.isinf(number) and kind != "limit":
        raise ExperimentError(f"{name} has the value {text!r}, expected a finite number")
    return number


def from_argv(argv: Sequence[str], folder: str | Path | None = None) -> Experiment:
    """The experiment of a command line (without the program's name); raises ExperimentError.

    Relative file names are looked up in `folder`, by default the working directory. Output flags are accepted and have
    no effect.
    """
    return parse(argv, Path(folder) if folder is not None else Path()).experiment


def parse(argv: Sequence[str], folder: Path, summing: Callable[[str], Progress] | None = None) -> Invocation:
    """Read a command line (without the program's name); raises ExperimentError, `UsageError` for an empty one.

    Headers are read first (mask, then image), so that flags win over them. `summing` gives the callback for the
    progress of a sum over the atoms of a file, by its name.
    """
    warnings: list[str] = []
    words = split(argv, warnings, lenient="--lenient" in argv or "-lenient" in argv)
    state = State(folder=folder, warnings=warnings, summing=summing)
    for key in ("mask", "img"):
        for word in words:
            if word.flag.key == key:
                apply_header(state, key, word.name, str(word.values[0]))
    for word in words:
        if word.flag.key == "misset_seed":
            # quirk misset-seed-clobbers: -misset_seed also sets the misset to the three words after it.
            numbers3 = [leading_number(text) for text in (*word.after, "", "")[:3]]
            effects.clobber_misset(state, (numbers3[0], numbers3[1], numbers3[2]))
        effects.apply(state, word.flag.key, word.name, word.values)
    if not state.has_orientation:
        raise UsageError("nothing to simulate: no -mat and no -cell")
    effects.finish(state)
    if state.crystal.get("reflections") is None and state.crystal.get("default_F", 0.0) == 0:
        raise UsageError("nothing to simulate: no -hkl, no dump file and default_F is 0")
    return Invocation(state.experiment(), effects.Outputs(**state.outputs), tuple(state.warnings))
