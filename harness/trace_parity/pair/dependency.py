"""What `depends_on` names: a variable, one of the previous iteration (`force@step-1`), or a sum (`sum(f over i)`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    def loops(self) -> tuple[str, ...]:
        """The loops that it names."""
        return (*([self.loop] if self.loop else []), *self.over)


def parse_dependency(text: str) -> Dependency | None:
    """The dependency that a word of `depends_on` describes, or None. A name alone may be any text."""
    if match := _SUM.fullmatch(text):
        return Dependency(match[1], over=tuple(re.split(", *", match[2])))
    if match := _PLAIN.fullmatch(text):
        return Dependency(match[1], match[2] or "", int(match[3] or 0))
    return Dependency(text) if text and not re.search(r"[@()\s]", text) else None
