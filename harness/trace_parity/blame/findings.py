"""What blame found, as plain data: a Result holds it, renderers and result.json get it."""

from __future__ import annotations

from dataclasses import dataclass, field

HARMLESS = 1e-3
"""A finding that explains less than this fraction of the final difference is harmless."""
UNREAD = "nothing is computed from it"
"""How the hint begins for a wrong value from which nothing is computed."""


@dataclass(frozen=True)
class BlameFinding:
    """One equation broken on one side, or one variable that differs without anyone breaking an equation.

    kind: introduced, inherited, unexplained, or self-inconsistent (one log alone, or both alike). `residual` and
    `allowed` are relative, at the worst place; `count` places, the first of which is `place`. `instead`: variables that
    would explain as much if they were wrong; each of these sets has findings of its own, and one of them is innocent.
    manner: "probe" where the value is only printed wrong and what follows behaves as if it were right, "computation"
    where the program used it, empty if the logs do not show it. quirk_too: a second quirk
    that shows. share: the part of the difference of the final value
    that disappears with the other side's value here (and those of `together`); None if the logs do not show it.
    factor: by what the final values of the sides differ; ratio: the part of PY/C of the final value that this accounts
    for. image_share: the part of the ratio of the sums of the two images, where there are images.
    """

    kind: str
    side: str  # "C", "PY" or "both"
    variable: str
    scope: str
    equation: str
    equation_text: str
    section: str
    count: int
    place: str
    residual: float
    allowed: float
    hint: str
    missing: tuple[str, ...]
    quirk: str = ""
    quirk_too: str = ""
    instead: tuple[str, ...] = ()
    manner: str = ""
    share: float | None = None
    factor: float | None = None
    ratio: float | None = None
    together: tuple[str, ...] = ()
    image_share: float | None = None

    @property
    def is_cause(self) -> bool:
        """Whether the fault is here, not upstream."""
        return self.kind in ("introduced", "unexplained", "self-inconsistent")

    @property
    def is_unasked(self) -> bool:
        """Whether it differs and its equation could not be evaluated."""
        return self.kind == "unexplained" and bool(self.missing)

    @property
    def is_harmless(self) -> bool:
        """Whether it is known not to change the final value."""
        return self.is_cause and self.share is not None and abs(self.share) < HARMLESS


@dataclass(frozen=True)
class Blame:
    """All findings: causes by their share of the difference of `final`, what is inherited, what is harmless.

    In order of evaluation if these are equal; `first` is the variable of the first in that order. `notes`: what
    both sides do alike; `settings`: a line per setting that is in both logs and differs; `loops`: those of them that
    are the number of iterations of a loop. `missing` says which equations could not be evaluated, and what they lack;
    `digits` how many significant digits each log prints, from which the rounding is taken. `final_agrees`: `final` is
    within tolerance on both sides, so that shares of its difference say nothing.
    """

    findings: tuple[BlameFinding, ...]
    equations_checked: int
    instances_checked: int
    missing: tuple[str, ...]
    digits: dict[str, int]
    final: str = ""
    first: str = ""
    notes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    loops: tuple[str, ...] = ()
    final_agrees: bool = field(default=False, metadata={"plain": "where set"})

    @property
    def guilty(self) -> bool:
        """Whether a side breaks an equation."""
        return any(f.kind in ("introduced", "self-inconsistent") for f in self.findings)
