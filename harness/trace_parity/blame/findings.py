"""What blame found, as plain data: a Result holds it, renderers and result.json get it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BlameFinding:
    """One equation broken on one side, or one variable that differs without anyone breaking an equation.

    kind: introduced, inherited, unexplained, or self-inconsistent (one log alone, or both alike). `residual` and
    `allowed` are relative, at the worst place; `count` places, the first of which is `place`. `instead`: variables that
    would explain as much if they were wrong; each of these sets has findings of its own, and one of them is innocent.
    manner: "probe" where the value is only printed wrong and what follows behaves as if it were right, "computation"
    where the program went on with it, empty where nothing tells.
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
    instead: tuple[str, ...] = ()
    manner: str = ""


@dataclass(frozen=True)
class Blame:
    """All findings in order of evaluation. `missing` says which equations could not be asked and for want of what;
    `digits` how many significant digits each log prints, which is what the rounding was taken from."""

    findings: tuple[BlameFinding, ...]
    equations_checked: int
    instances_checked: int
    missing: tuple[str, ...]
    digits: dict[str, int]

    @property
    def guilty(self) -> bool:
        """Whether a side breaks an equation."""
        return any(f.kind in ("introduced", "self-inconsistent") for f in self.findings)
