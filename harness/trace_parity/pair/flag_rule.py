"""One flag of a sweep: what values it may have, which are drawn, and which are simpler than others."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

SWITCH, WHOLE, NUMBER, WORDS, ONE_OF = "switch", "whole", "number", "words", "one_of"
KINDS = (SWITCH, WHOLE, NUMBER, WORDS, ONE_OF)
Words = tuple[str, ...]
AT_AN_END = 0.25
"""Probability that a drawn number is an end of its range or the default: behaviour often changes there."""


@dataclass(frozen=True)
class FlagRule:
    """A flag with its values. `default` is the simplest value, and the value of a flag that must be present."""

    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Words, ...] = ()  # of words and one_of
    count: int = 1  # numbers that follow the flag
    default: float | None = None
    log: bool = False  # draw evenly in the logarithm
    digits: int = 3
    always: bool = False
    needs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    @property
    def simplest(self) -> Words:
        """The words of the flag at its simplest value."""
        if self.kind in (WHOLE, NUMBER):
            return self._with([self._nearest_default] * self.count)
        return self._chosen(0)

    def draw(self, rng: random.Random) -> Words:
        """The words of the flag with a drawn value."""
        if self.kind in (WHOLE, NUMBER):
            return self._with([self._draw_number(rng) for _ in range(self.count)])
        return self._chosen(rng.randrange(max(1, len(self.choices))))

    def points(self) -> list[Words]:
        """The values of a grid: all choices, or the ends of the range, the default and the middle."""
        if self.kind not in (WHOLE, NUMBER):
            return [self._chosen(i) for i in range(max(1, len(self.choices)))]
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        values = [self._nearest_default, self.low, self._rounded(middle), self.high]
        return list(dict.fromkeys(self._with([value] * self.count) for value in values))

    def reads(self, words: Sequence[str]) -> Words | None:
        """The words of this flag at the head of a command line; None where they are not its."""
        if self.kind == ONE_OF or self.kind == WORDS:
            for i in range(len(self.choices)):
                chosen = self._chosen(i)
                if tuple(words[: len(chosen)]) == chosen:
                    return chosen
            return None
        size = 1 if self.kind == SWITCH else 1 + self.count
        if not words or words[0] != self.name or len(words) < size:
            return None
        return tuple(words[:size]) if all(_is_number(word) for word in words[1:size]) else None

    def simpler(self, words: Words) -> Iterator[Words]:
        """Simpler values, the simplest first; each is nearer to the end of this than the one given."""
        if self.kind in (WORDS, ONE_OF):
            for i in range(len(self.choices)):
                if self._chosen(i) == words:
                    return
                yield self._chosen(i)
        elif self.kind in (WHOLE, NUMBER):
            values = [float(word) for word in words[1:]]
            if len(values) > 1 and words != self.simplest:
                yield self.simplest
            for place, value in enumerate(values):
                for better in self._simpler_numbers(value):
                    yield self._with([*values[:place], better, *values[place + 1 :]])

    @property
    def _nearest_default(self) -> float:
        if self.default is not None:
            return self.default
        return min(max(0.0, self.low), self.high)

    def _draw_number(self, rng: random.Random) -> float:
        if rng.random() < AT_AN_END:
            return rng.choice([self.low, self.high, self._nearest_default])
        if self.kind == WHOLE:
            return float(rng.randint(int(self.low), int(self.high)))
        if self.log:
            return self._rounded(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return self._rounded(rng.uniform(self.low, self.high))

    def _rounded(self, value: float) -> float:
        if self.kind == WHOLE:
            return float(round(value))
        return min(max(float(f"{value:.{self.digits}g}"), self.low), self.high)

    def _simpler_numbers(self, value: float) -> Iterator[float]:
        start = self._nearest_default
        if self.kind == WHOLE:
            step = value - start
            found = [start, *(start + math.trunc(step / 2**k) for k in range(int(abs(step)).bit_length(), 0, -1))]
            found += [value - math.copysign(1, step)]
        else:
            found = [start, 0.0, 1.0, *(float(f"{value:.{digits}g}") for digits in range(1, self.digits))]
        for other in dict.fromkeys(found):
            if self.low <= other <= self.high and self._rank(other) < self._rank(value):
                yield other

    def _rank(self, value: float) -> tuple[float, ...]:
        """How far a number is from simple: the default, then few digits, then small."""
        far = abs(value - self._nearest_default)
        if self.kind == WHOLE:
            return (far,)
        return (float(far > 0), float(len(f"{value:.15e}".partition("e")[0].strip("-0.").rstrip("0"))), abs(value))

    def _with(self, values: Sequence[float]) -> Words:
        return (self.name, *(f"{value:.15g}" for value in values))

    def _chosen(self, index: int) -> Words:
        if self.kind == SWITCH:
            return (self.name,)
        return self.choices[index] if self.kind == ONE_OF else (self.name, *self.choices[index])


def grid_of(rules: Sequence[FlagRule]) -> Iterator[tuple[Words | None, ...]]:
    """Every combination of the values of these flags, and of their absence where they need not be there."""
    values = [[*([] if rule.always else [None]), *rule.points()] for rule in rules]
    return product(*values)


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
