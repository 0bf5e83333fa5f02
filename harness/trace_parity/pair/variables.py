"""The parts of a vocabulary: variables with their scopes and tolerances, older names, tables."""

from __future__ import annotations

from dataclasses import dataclass

from trace_parity.pair.expression import Expression

ABSENT = -1
"""The index of a loop that a row is not in."""

Key = tuple[int, ...]
"""One index per loop of the vocabulary, outermost first; ABSENT where the row sits in no such loop."""


@dataclass(frozen=True)
class Scale:
    """The named quantity that the absolute part of a tolerance is a fraction of."""

    kind: str  # "norm", "variable", "unit" or "largest" (the largest magnitude of the variable in both logs)
    name: str
    how: str = ""
    component: int = 0


@dataclass(frozen=True)
class Tolerance:
    """|c - py| <= rtol * max(|c|, |py|) + floor * scale, or no more than `ulps` doubles apart.

    `own`: set by name, so that a relative tolerance for all does not replace it.
    """

    name: str
    rtol: float
    floor: float
    scale: Scale | None
    reason: str
    ulps: float = 0.0
    own: bool = False
    hidden: float = 0.0  # relative error that the logs' limited digits can hide

    @property
    def exact(self) -> bool:
        """Whether only equal numbers agree."""
        return self.rtol == 0.0 and self.floor == 0.0 and self.ulps == 0.0

    def under(self, rtol: float | None) -> tuple[float, float]:
        """(rtol, floor) when `rtol` replaces the relative part.

        A tolerance that has only an absolute part takes it there; exact ones and those set by name keep theirs.
        """
        relative, floor = self.rtol, self.floor
        if rtol is not None and not self.exact and not self.own:
            relative, floor = (rtol, floor) if relative else (0.0, rtol)
        return (relative if self.exact else relative + self.hidden), floor


DEFAULT_TOLERANCE = Tolerance(
    "default",
    1e-6,
    1e-12,
    Scale("largest", "largest magnitude of the variable"),
    "default for variables without a tolerance: 1e-6 relative plus 1e-12 of the largest value, so 0 and 1e-17 agree",
)
"""For names that no vocabulary lists, and for variables that name no tolerance."""
EXACT = Tolerance("exact", 0.0, 0.0, None, "whole numbers must be equal")


@dataclass(frozen=True)
class Scope:
    """The loops that a line sits in; a closing scope is evaluated after the loops inside it.

    `nest` is one of the vocabulary's sibling loop nests; empty for what sits in none of them.
    """

    name: str
    loops: tuple[str, ...]
    closing: bool
    nest: str = ""


@dataclass(frozen=True)
class Variable:
    """One name at one scope."""

    name: str
    scope: Scope
    size: int
    unit: str
    description: str
    depends_on: tuple[str, ...]
    tolerance: Tolerance
    integer: bool
    place: float
    listed: bool = True
    equals: Expression | None = None

    @property
    def id(self) -> str:
        """`scope.name`: unique, since a name may be in more than one scope."""
        return f"{self.scope.name}.{self.name}"


@dataclass(frozen=True)
class Alias:
    """A name that an older log uses."""

    name: str
    of: str
    component: int | None
    factor: float
    note: str


@dataclass(frozen=True)
class ImageTolerance:
    """Pixels agree to `rtol` of themselves or, where they are faint, to `floor` of the image's maximum.

    A few hot pixels do not count as the maximum (compare/images.py, `floor_scale`)."""

    rtol: float
    floor: float
    reason: str
    unit: str = ""


IMAGE_TOLERANCE = ImageTolerance(1e-6, 1e-12, "the default")


@dataclass(frozen=True)
class Column:
    """One column of the per-tick table: a component of a variable."""

    name: str
    of: Variable
    component: int


@dataclass(frozen=True)
class TickTable:
    """The table that shows chosen variables tick by tick of one loop; `shared` is the same on both sides.

    `name` is that of its files in a bundle, `title` its heading in reports.
    """

    loop: str
    shared: Column | None
    columns: tuple[Column, ...]
    name: str = ""
    title: str = ""
