"""The parts of a domain's equations, and the result of evaluating them on one log.

An equation says what an output variable should be, from inputs in the same log. It is evaluated at all
places at once. What it may miss by is the uncertainty of its inputs, each sent through the equation, and that of the
output: never a number chosen to make things pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.quirk_ledger import Quirk
from trace_parity.pair.vocabulary import ABSENT, Key, Vocabulary

Values = Mapping[str, Array]
"""Input name to an array of shape (places, components).

`loops` holds the loop indices; `one` is 1 with the roundings of 1, for differences that cancel.
"""
Pick = Callable[[LogView, Key], Key | None]


@dataclass(frozen=True)
class Computed:
    """An input that is made of many values of a log, as a sum is, and how well it is known.

    parts: the values it is made of; again: what it is with some of these replaced.
    """

    value: Array
    spread: Array
    parts: tuple[tuple[str, Key], ...] = ()
    again: Callable[[Mapping[tuple[str, Key], Array]], Array] | None = None


@dataclass(frozen=True)
class Input:
    """A value that an equation needs.

    `ref` is a variable's id, or its name (the innermost scope that has it). `pick` says at which other key to look (the
    previous step, the first sub-sample); where it says None, or an optional value is missing, `default` is used.
    `computed` makes the value of an input that is not a single value of the log, or names what is missing.
    """

    ref: str
    name: str = ""
    pick: Pick | None = None
    default: float | None = None
    computed: Callable[[LogView, Key], Computed | str] | None = None

    @property
    def label(self) -> str:
        """The name that the function knows it by."""
        return self.name or self.ref.rpartition(".")[2]


@dataclass(frozen=True)
class Form:
    """One way in which an equation may be obeyed, as (places, components); NaN where it does not apply.

    `spread`, of (values, uncertainties of the inputs): how far these carry the result; by default each input is moved.
    """

    name: str
    function: Callable[[Values], Array]
    spread: Callable[[Values, Values], Array] | None = None


Forms = tuple[Form, ...] | Callable[[LogView], tuple[Form, ...]]


@dataclass(frozen=True)
class Equation:
    """`output` = one of `forms` of `inputs`.

    one_form: a log obeys the same form everywhere (a setting that is not in the log). conditional: a violation counts
    only when the other side obeys, because the equation holds for some settings only; a function of (values, output)
    decides it place by place. fallback_for: used only where these equations lack an input. variants: known mistakes, by
    name, for hints. needs_loops: indices without which it is meaningless. exact: the program uses the printed inputs
    and rounds once, so that only the print can hide anything. relation: replaces the evaluation for equations over many
    rows at once. backward: the same quantities in another direction; it accuses neither side, but gives the expected
    value of an input of other equations. settled: from (log, name of the form, values of the whole log, values of some
    rows) a function of other values of these rows that keeps the constants which the form reads from the log; None for
    the form itself. table: the output is a number from a table, looked up by this variable. slips: further mistakes,
    tried after those that any value can have.
    """

    id: str
    text: str
    section: str
    output: str
    inputs: tuple[Input, ...] = ()
    forms: Forms = ()
    one_form: bool = False
    conditional: bool | Callable[[Values, Array], np.ndarray] = False
    fallback_for: tuple[str, ...] = ()
    variants: Forms = ()
    needs_loops: tuple[str, ...] = ()
    exact: bool = False
    needs_also: Callable[[LogView, Key], str] | None = None
    relation: Callable[[LogView, Equation], Evaluated] | None = None
    backward: bool = False
    settled: Callable[[LogView, str, Values, Values], Callable[[Values], Array] | None] | None = None
    table: str = ""
    slips: Forms = ()


@dataclass(frozen=True)
class Default:
    """The default of a setting, and the flag that sets it.

    is_entered: the log has the number as given, apart from its unit; otherwise the program computes it. also: further
    flags that set it. first_of: a loop whose first iteration alone has the value. steps: what sets by how much it
    grows from one iteration of that loop to the next.
    """

    values: tuple[float, ...]
    flag: str
    is_entered: bool = True
    also: tuple[str, ...] = ()
    first_of: str = ""
    steps: str = ""


@dataclass(frozen=True)
class LoopSetting:
    """The setting of a loop's number of iterations: `name` is what these are, `flag` what sets their number.

    default: their number when nothing is set; None if the program computes it. by: another flag, by the id of a
    variable that changes from one iteration to the next where it is used. is_counted: among all iterations.
    """

    name: str
    flag: str
    default: int | None = None
    by: Mapping[str, str] = field(default_factory=dict)
    is_counted: bool = True


@dataclass(frozen=True)
class Domain:
    """The equations of one pair, the factors between units that people mix up in it, and its known quirks.

    defaults: settings that are in logs, by the id of their variable; loops: settings that say how many iterations a
    loop has, by its name. iterations: the id of the variable that says how many there are of all loops together.
    finals: the ids of the values in which a site ends, first choice first; by default the last that both logs have.
    hints: by the id of a variable without an equation, how PY's value differs from C's, in words; empty for no idea.
    """

    title: str
    equations: tuple[Equation, ...]
    unit_factors: tuple[tuple[float, str], ...] = ()
    quirks: tuple[Quirk, ...] = ()
    finals: tuple[str, ...] = ()
    defaults: Mapping[str, Default] = field(default_factory=dict)
    loops: Mapping[str, LoopSetting] = field(default_factory=dict)
    iterations: str = ""
    hints: Mapping[str, Callable[[LogView, LogView], str]] = field(default_factory=dict)


def asked(domain: Domain) -> list[Equation]:
    """The equations that accuse a side when they are broken."""
    return [e for e in domain.equations if not e.backward]


@dataclass(frozen=True)
class Outcome:
    """One equation at one place of one log. `forms` are the names of those obeyed; none when it is broken."""

    key: Key
    got: Array
    expected: Array
    allowed: Array
    forms: frozenset[str]
    conditional: bool = False

    @property
    def ok(self) -> bool:
        """Whether the equation is obeyed."""
        return bool(self.forms)

    @property
    def scale(self) -> float:
        """What the residual is relative to: the length of the expected vector."""
        with np.errstate(invalid="ignore", over="ignore"):
            sizes = [float(np.sqrt(np.nansum(v * v))) for v in (self.expected, self.got)]
        return next((s for s in sizes if np.isfinite(s) and s > 0), 1.0)

    @property
    def residual(self) -> float:
        """Largest error of a component, relative to `scale`; infinite where a number is NaN."""
        with np.errstate(invalid="ignore"):
            miss = np.where(self.got == self.expected, 0, np.abs(self.got - self.expected))[~np.isnan(self.expected)]
        if not len(miss) or not np.isfinite(miss).all():
            return float("inf")
        return float(np.max(miss)) / self.scale

    @property
    def permitted(self) -> float:
        """What would have been allowed at the component that misses most, relative to `scale`."""
        with np.errstate(invalid="ignore"):
            excess = np.nan_to_num(np.abs(self.got - self.expected) - self.allowed, nan=-np.inf)
        return float(self.allowed[int(np.argmax(excess))]) / self.scale


Place = tuple[str, Key]
"""A variable's id, and where."""


@dataclass
class Evaluated:
    """One equation over one log: outcomes by key, what is missing by key, and the arrays for those who ask further.

    `equation` is the one whose forms were evaluated, which a relation may have made; none where there are no forms. If
    it has inputs, it is evaluated on the other log too, where that log alone does not give the constants in it.
    `sources`: by input where each row's value is; `parts`: the same of an input that is made of many values.
    """

    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    missing: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)
    spreads: dict[str, Array] = field(default_factory=dict)
    row: dict[Key, int] = field(default_factory=dict)
    form: dict[Key, Form] = field(default_factory=dict)
    sources: dict[str, list[Place | None]] = field(default_factory=dict)
    parts: dict[str, list[tuple[Place, ...]]] = field(default_factory=dict)
    again: dict[str, list[Callable[[Mapping[Place, Array]], Array] | None]] = field(default_factory=dict)
    equation: Equation | None = None

    def made_again(self, label: str, n: int, changed: Mapping[Place, Array]) -> Array | None:
        """An input of many values with some of them replaced; None where none of them is."""
        again = self.again[label][n]
        if again is None or not any(place in changed for place in self.parts[label][n]):
            return None
        return again(changed)

    def feeding(self, n: int) -> Iterator[Place]:
        """Every value that row n is made from."""
        for sources in self.sources.values():
            place = sources[n]
            if place is not None:
                yield place
        for parts in self.parts.values():
            yield from parts[n]


def loop_index(vocabulary: Vocabulary, name: str) -> int:
    """The column of a loop in `values["loops"]`."""
    return vocabulary.loops.index(name)


def same_but(key: Key, place: int, tick: int) -> Key:
    """The key with another index in one loop."""
    return (*key[:place], tick, *key[place + 1 :])


def without(key: Key, place: int) -> Key:
    """The key with one loop left out."""
    return same_but(key, place, ABSENT)
