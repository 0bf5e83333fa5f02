"""What a case requires of a comparison."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contract:
    """What a case requires: each variable present on both sides at every index of its loops.

    `places` are those in the vocabulary's focus; `ticks` says how many ticks each other loop has
    (1 where it is not named).
    """

    variables: tuple[str, ...] = ()
    places: tuple[tuple[int, ...], ...] = ()
    ticks: dict[str, int] = field(default_factory=dict)
