"""The grammar of a sweep: sweep.toml of a pair, read strictly. docs/how-to/sweep.md explains its keys."""

from __future__ import annotations

import itertools
import math
import random
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.case import InputFile, Place, input_files
from trace_parity.pair.flag_rule import KINDS, NUMBER, SWITCH, WHOLE, FlagRule, Words, grid_of
from trace_parity.pair.toml_table import Table, located, nearest, parse_toml, read_text

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@dataclass(frozen=True)
class Part:
    """A flag in a command line with what follows it; `name` is the grammar's, or the flag's where it has none."""

    name: str
    words: Words


Line = tuple[Part, ...]
"""The flags of a command line behind what all begin with."""


@dataclass(frozen=True)
class Grammar:
    """The flags of a sweep in the order in which command lines have them."""

    where: str
    base: Words
    rules: tuple[FlagRule, ...]
    most: int = 5  # flags in a drawn line
    picks: str = ""  # pixels to pick off the images; empty for the usual ones
    places: tuple[Place, ...] = ()  # to trace, in place of picking
    timeout_s: int = 60  # for one run of a program
    shuffle: bool = False  # draw the order of flags too
    files: tuple[InputFile, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, FlagRule]:
        """The flags by name."""
        return {rule.name: rule for rule in self.rules}

    def argv(self, line: Line) -> Words:
        """The command line."""
        return (*self.base, *(word for part in line for word in part.words))

    def line(self, values: dict[str, Words]) -> Line:
        """A line with these flags and those that must be there."""
        found = []
        for rule in self.rules:
            if rule.name in values:
                found.append(Part(rule.name, values[rule.name]))
            elif rule.always:
                found.append(Part(rule.name, rule.simplest))
        return tuple(found)

    def is_whole(self, line: Line) -> bool:
        """Whether each flag has those that it needs and none that it excludes."""
        names = {part.name for part in line}
        rules = [self.by_name[name] for name in names if name in self.by_name]
        return all(names >= set(rule.needs) and not names & set(rule.excludes) for rule in rules)

    def drawn(self, seed: int, count: int) -> Iterator[Line]:
        """`count` random lines. The n-th depends on the seed and on n alone, so that more lines begin with fewer."""
        for n in range(count):
            rng = random.Random(f"{seed}/{n}")
            chosen = rng.sample(self.rules, rng.randint(1, min(self.most, len(self.rules))))
            line = self._consistent(chosen, rng)
            yield tuple(rng.sample(line, len(line))) if self.shuffle else line

    def _consistent(self, chosen: Sequence[FlagRule], rng: random.Random) -> Line:
        """The chosen flags, with those that they need, without those that an earlier one excludes."""
        values: dict[str, Words] = {}
        excluded: set[str] = set()
        for rule in chosen:
            together = [rule, *(self.by_name[name] for name in rule.needs)]
            names = {r.name for r in together}
            barred = {name for r in together for name in r.excludes}
            if names & excluded or barred & (set(values) | names):
                continue
            for each in together:
                if each.name not in values:
                    values[each.name] = each.draw(rng)
            excluded |= barred
        return self.line(values)

    def grid(self, names: Sequence[str]) -> Iterator[Line]:
        """All combinations of the named flags; of every two flags where none is named. HarnessError (exit 2)."""
        for name in names:
            if name not in self.by_name:
                raise HarnessError(
                    Exit.USAGE,
                    f"no flag {name!r}",
                    where=self.where,
                    expected="flags of the grammar",
                    hint=nearest(name, self.by_name),
                )
        sets: Iterable[tuple[FlagRule, ...]] = (
            [tuple(self.by_name[name] for name in names)] if names else itertools.combinations(self.rules, 2)
        )
        seen: set[Line] = set()
        for rules in sets:
            for words in grid_of(rules):
                values = {rule.name: w for rule, w in zip(rules, words, strict=True) if w is not None}
                for name in [name for rule in rules if rule.name in values for name in rule.needs]:
                    values.setdefault(name, self.by_name[name].simplest)
                line = self.line(values)
                if line not in seen and self.is_whole(line):
                    seen.add(line)
                    yield line

    def read(self, words: Sequence[str]) -> Line:
        """A listed command line, whose flags the grammar may know or not; it does not begin with the base."""
        parts, left = [], list(words)
        while left:
            found = next(((rule.name, w) for rule in self.rules if (w := rule.reads(left))), None)
            if found is None:
                size = 1
                while size < len(left) and not _is_flag(left[size]):
                    size += 1
                found = (left[0], tuple(left[:size]))
            parts.append(Part(*found))
            left = left[len(found[1]) :]
        return tuple(parts)


def _is_flag(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and not (word[1].isdigit() or word[1] == ".")


def load_grammar(path: Path, pair: Pair) -> Grammar:
    """The grammar in a file. Raises HarnessError (exit 2) with line and key of what is wrong in it."""
    name, text = str(path), read_text(path)
    with located(text, name):
        table = Table(parse_toml(text, name), name)
        table.need("flags", "a table of flags with their values")
        rules = tuple(_rule(key, entry) for key, entry in table.named_tables("flags").items())
        if not rules:
            raise table.wrong("flags", {}, "at least one flag")
        places = table.places("focus", tuple(pair.focus_names))
        grammar = Grammar(
            name,
            table.arguments("base"),
            rules,
            most=table.count("most", 5),
            picks=table.text("picks"),
            places=places,
            timeout_s=table.count("timeout_s", 60),
            shuffle=table.flag("shuffle"),
            files=input_files(table, pair.folders),
        )
        table.finish()
        _check_names(grammar, table)
        if pair.focus and not places and not pair.programs.can_render:
            raise table.wrong("focus", "nothing", "places to trace, since there are no images to pick them on")
    return grammar


def _check_names(grammar: Grammar, table: Table) -> None:
    for rule in grammar.rules:
        for key in ("needs", "excludes"):
            for name in getattr(rule, key):
                if name not in grammar.by_name or name == rule.name:
                    raise table.wrong(
                        f"flags.{rule.name}.{key}", name, "another flag of the grammar", nearest(name, grammar.by_name)
                    )


def _rule(name: str, table: Table) -> FlagRule:
    kinds = [kind for kind in KINDS if kind in table]
    if len(kinds) != 1:
        raise table.wrong("", dict(table.data), f"one of {', '.join(KINDS)}")
    kind = kinds[0]
    low, high = table.range(kind) if kind in (WHOLE, NUMBER) else (0.0, 0.0)
    listed = kind not in (WHOLE, NUMBER, SWITCH)
    choices = tuple(tuple(shlex.split(word)) for word in table.words(kind)) if listed else ()
    if kind == SWITCH and not table.flag(SWITCH):
        raise table.wrong(SWITCH, False, "true")
    if listed and not (choices and all(choices)):
        raise table.wrong(kind, table.data[kind], "a list of words, one or more, none of them empty")
    default = table.number("default")
    rule = FlagRule(
        name,
        kind,
        low=low,
        high=high,
        choices=choices,
        count=table.count("count", 1),
        default=default if "default" in table else None,
        log=table.flag("log"),
        digits=table.count("digits", 3),
        always=table.flag("always"),
        needs=table.words("needs"),
        excludes=table.words("excludes"),
    )
    table.finish()
    if kind not in (WHOLE, NUMBER):
        for key in ("default", "count", "log", "digits"):
            if key in table:
                raise table.wrong(key, table.data[key], "this key only with whole or number")
    elif rule.default is not None and not low <= rule.default <= high:
        raise table.wrong("default", rule.default, f"a number in the range, {low:g} to {high:g}")
    if rule.log and low <= 0:
        raise table.wrong("log", True, "a range above 0")
    if kind == WHOLE and any(not math.isclose(v, round(v)) for v in (low, high, rule.default or 0.0)):
        raise table.wrong(WHOLE, table.data[WHOLE], "whole numbers")
    return rule
