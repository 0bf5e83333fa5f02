"""What `depends_on` names: a variable, one of the previous iteration (`force@step-1`), or a sum (`sum(f over i)`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

_NAME = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?"
_PLAIN = re.compile(rf"({_NAME})(?:@([A-Za-z_]\w*)-(\d+))?")
_SUM = re.compile(rf"sum\(({_NAME}) over ([A-Za-z_]\w*(?:, *[A-Za-z_]\w*)*)\)")


@dataclass(frozen=True)
class Dependency:
    """A variable by name or id; `back` iterations of `loop` ago, or summed over the loops of `over`."""

    name: str
    loop: str = ""
    back: int = 0
    over: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.over:
            return f"sum({self.name} over {', '.join(self.over)})"
        return f"{self.name}@{self.loop}-{self.back}" if self.loop else self.name

    @property
    def which(self) -> str:
        """Of which iterations, in words; empty for those of the variable itself."""
        if self.over:
            return f"of every {', '.join(self.over)}"
        if self.back == 1:
            return f"of the previous {self.loop}"
        return f"of {self.back} iterations of {self.loop} before" if self.back else ""

    @property
    def loops(self) -> tuple[str, ...]:
        """The loops that it names."""
        return (*([self.loop] if self.loop else []), *self.over)


def in_words(dependencies: Iterable[str]) -> str:
    """`f_over_r and dr of every j, v of the previous step`; other texts are kept."""
    parts = []
    for which, group in groupby(map(name_and_iterations, dependencies), key=lambda one: one[1]):
        names = [name for name, _ in group]
        parts.append(f"{_listed(names)} {which}" if which else ", ".join(names))
    return ", ".join(parts)


def name_and_iterations(text: str) -> tuple[str, str]:
    """`("f_over_r", "of every j")` for `sum(f_over_r over j)`; the text itself and nothing for a plain name."""
    found = parse_dependency(text)
    return (found.name, found.which) if found is not None and found.which else (text, "")


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def parse_dependency(text: str) -> Dependency | None:
    """The dependency that a word of `depends_on` describes, or None. A name alone may be any text."""
    if match := _SUM.fullmatch(text):
        return Dependency(match[1], over=tuple(re.split(", *", match[2])))
    if match := _PLAIN.fullmatch(text):
        return Dependency(match[1], match[2] or "", int(match[3] or 0))
    return Dependency(text) if text and not re.search(r"[@()\s]", text) else None
