"""What a domain's equations are made of, and their evaluation on one log.

An equation says what an output variable should be, from inputs that stand in the same log. It is evaluated at all
places at once. What it may miss by is the uncertainty of its inputs, each sent through the equation, and that of the
output: never a number chosen to make things pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trace_parity.blame.log_values import ROUNDINGS, Array, LogView
from trace_parity.pair.quirk_ledger import Quirk
from trace_parity.pair.vocabulary import ABSENT, Key, Vocabulary

Values = Mapping[str, Array]
"""Input name to an array of shape (places, components).

`loops` holds the loop indices; `one` is 1 with the roundings of 1, for differences that cancel.
"""
Pick = Callable[[LogView, Key], Key | None]


@dataclass(frozen=True)
class Computed:
    """An input that is made of many values of a log, as a sum is, and how well it is known."""

    value: Array
    spread: Array


@dataclass(frozen=True)
class Input:
    """A value that an equation needs.

    `ref` is a variable's id, or its name (the innermost scope that has it). `pick` says at which other key to look (the
    previous step, the first sub-sample); where it says None, or an optional value is missing, `default` stands.
    `computed` makes the value of an input that is no single value of the log, or says what it lacks.
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

    one_form: a log obeys the same form everywhere (a setting that the log does not tell). conditional: a violation says
    something only when the other side obeys, since the equation holds for some settings only; a function of (values,
    output) says so place by place. fallback_for: asked only where these equations lack an input. variants: wrong ways
    that have been seen, by name, for hints. needs_loops: indices without which it means nothing. exact: the program has
    the printed inputs in hand and rounds once, so that only the print can hide anything. relation: replaces the
    evaluation for equations over many rows at once. backward: the same quantities in another direction; it accuses no
    one, but says what an input of other equations should have been. settled: of (log, name of the form, values of the
    whole log, values of some rows) a function of other values of these rows that keeps what the form reads off the log;
    None for the form itself. table: the output is a number of a table, by the value of this variable.
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


@dataclass(frozen=True)
class Default:
    """What a setting is when it is not given, and what sets it.

    is_entered: the log has the number as it is given, a unit apart; otherwise the program works it out.
    """

    values: tuple[float, ...]
    flag: str
    is_entered: bool = True


@dataclass(frozen=True)
class Domain:
    """The equations of one pair, the factors between units that people mix up in it, and its known quirks.

    defaults: settings that stand in logs, by the id of their variable. finals: the ids of the values in which a site
    ends, first choice first; by default the last that both logs have.
    """

    title: str
    equations: tuple[Equation, ...]
    unit_factors: tuple[tuple[float, str], ...] = ()
    angles: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    finals: tuple[str, ...] = ()
    defaults: Mapping[str, Default] = field(default_factory=dict)


def asked(domain: Domain) -> list[Equation]:
    """The equations that accuse someone when they are broken."""
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
        """Largest miss of a component, relative to `scale`; infinite where a number is lost."""
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


@dataclass
class Evaluated:
    """One equation over one log: outcomes by key, what is missing by key, and the arrays for those who ask further.

    `equation` is the one whose forms were asked, which a relation may have made; none where there are no forms.
    """

    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    missing: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)
    spreads: dict[str, Array] = field(default_factory=dict)
    row: dict[Key, int] = field(default_factory=dict)
    form: dict[Key, Form] = field(default_factory=dict)
    sources: dict[str, list[tuple[str, Key] | None]] = field(default_factory=dict)
    equation: Equation | None = None


def evaluate(equation: Equation, view: LogView) -> Evaluated:
    """The equation at every place where its output stands."""
    if equation.relation is not None:
        return equation.relation(view, equation)
    found = Evaluated(equation=equation)
    keys: list[Key] = []
    rows: dict[str, list[Array]] = {i.label: [] for i in equation.inputs}
    known: dict[str, list[Array]] = {i.label: [] for i in equation.inputs if i.computed is not None}
    found.sources = {i.label: [] for i in equation.inputs}
    for key in view.keys(equation.output):
        places, lacking, computed = _gather(equation, view, key)
        if lacking:
            found.missing[key] = tuple(lacking)
            continue
        found.row[key] = len(keys)
        keys.append(key)
        for wanted, place in zip(equation.inputs, places, strict=True):
            made = computed.get(wanted.label)
            rows[wanted.label].append(made.value if made is not None else _value(view, wanted, place))
            if made is not None:
                known[wanted.label].append(made.spread)
            found.sources[wanted.label].append(place)
    if not keys:
        return found
    found.values = {label: _stack(group) for label, group in rows.items()}
    found.values["loops"] = np.array(keys, dtype=np.longdouble)
    found.values["one"] = np.ones((len(keys), 1), dtype=np.longdouble)
    got = outputs(equation, view, keys)
    found.spreads = {
        i.label: _stack(known[i.label]) if i.label in known else _spread(view, i, found, equation.exact)
        for i in equation.inputs
    }
    found.spreads["one"] = view.uncertainty("", found.values["one"])
    judge_rows(equation, view, found, keys, got)
    return found


def outputs(equation: Equation, view: LogView, keys: Sequence[Key]) -> Array:
    """The output of an equation as the log has it, one row per key."""
    rows = [view.at(equation.output, key) for key in keys]
    return _stack([row for row in rows if row is not None])


Place = tuple[str, Key]


def _gather(equation: Equation, view: LogView, key: Key) -> tuple[list[Place | None], list[str], dict[str, Computed]]:
    """Where each input stands (None for its default), what is missing, in words, and the computed inputs."""
    lacking = [f"{loop} (loop index)" for loop in equation.needs_loops if key[view.vocabulary.loops.index(loop)] < 0]
    if equation.needs_also is not None and (reason := equation.needs_also(view, key)):
        lacking.append(reason)
    places: list[Place | None] = []
    computed: dict[str, Computed] = {}
    for wanted in equation.inputs:
        if wanted.computed is not None:
            made = wanted.computed(view, key)
            places.append(None)
            if isinstance(made, str):
                lacking.append(made)
            else:
                computed[wanted.label] = made
            continue
        where = wanted.pick(view, key) if wanted.pick is not None else key
        place = view.find(wanted.ref, where) if where is not None else None
        holes = view.holes(*place) if place is not None else ()
        if wanted.default is None and (place is None or holes):
            name = wanted.ref.rpartition(".")[2] if where is not None or "@" not in wanted.label else wanted.label
            lacking += [f"{name}[{i}]" for i in holes] or [name]
        places.append(None if holes else place)
    return places, list(dict.fromkeys(lacking)), computed


def _value(view: LogView, wanted: Input, place: tuple[str, Key] | None) -> Array:
    value = view.at(*place) if place is not None else None
    if value is not None:
        return value
    sizes = [v.size for v in view.variables.values() if wanted.ref in (v.id, v.name)]
    return np.full(max(sizes, default=1) or 1, wanted.default, dtype=np.longdouble)


def _stack(rows: list[Array]) -> Array:
    width = max(len(row) for row in rows)
    stacked = np.full((len(rows), width), np.nan, dtype=np.longdouble)
    for n, row in enumerate(rows):
        stacked[n, : len(row)] = row
    return stacked


def _spread(view: LogView, wanted: Input, found: Evaluated, exact: bool) -> Array:
    """The uncertainty of an input; none where its default stands."""
    values = found.values[wanted.label]
    places = found.sources[wanted.label]
    variable = next((place[0] for place in places if place is not None), wanted.ref)
    spread = view.uncertainty(variable, values, roundings=0 if exact else ROUNDINGS)
    spread[[place is None for place in places]] = 0
    return spread


def judge_rows(equation: Equation, view: LogView, found: Evaluated, keys: list[Key], got: Array) -> None:
    """Whether `got` at `keys` is what the gathered values of `found` give; fills in its outcomes and forms."""
    fitted = fit(equation, view, keys, got, found.values, found.spreads)
    unsure = _unsure(equation, found.values, got)
    for n, key in enumerate(keys):
        which = _closest(equation, fitted.fine, fitted.expected, got, n)
        names = frozenset(form.name for i, form in enumerate(fitted.forms) if fitted.fine[i, n])
        found.form[key] = fitted.forms[which]
        expected, allowed = fitted.expected[which][n], fitted.allowed[which][n]
        found.outcomes[key] = Outcome(key, got[n], expected, allowed, names, bool(unsure[n]))


@dataclass(frozen=True)
class Fitted:
    """Each form of an equation at each place: what it gives, what it may miss by, and whether it is obeyed."""

    forms: tuple[Form, ...]
    expected: list[Array]
    allowed: list[Array]
    fine: np.ndarray


def fit(
    equation: Equation, view: LogView, keys: Sequence[Key], got: Array, values: Values, spreads: Mapping[str, Array]
) -> Fitted:
    """All forms against `got` at `keys`, from these values of the inputs."""
    forms = equation.forms(view) if callable(equation.forms) else equation.forms
    own = view.uncertainty(equation.output, got)
    absent = np.zeros(got.shape, dtype=bool)
    for n, key in enumerate(keys):
        absent[n, list(view.holes(equation.output, key))] = True
    expected, allowed = [], []
    with np.errstate(all="ignore"):
        for form in forms:
            value = np.broadcast_to(form.function(values), got.shape)
            expected.append(np.where(absent, np.nan, value))
            allowed.append(own + propagate(form, values, spreads, value))
    fine = np.array([_agree(got, e, a, absent) for e, a in zip(expected, allowed, strict=True)])
    if equation.one_form:
        best = int(np.argmax(fine.sum(axis=1)))
        kept = np.zeros_like(fine)
        kept[best] = fine[best]
        fine = kept
    return Fitted(forms, expected, allowed, fine)


def propagate(form: Form, values: Values, spreads: Mapping[str, Array], value: Array) -> Array:
    """How far the uncertainty of the inputs can carry the result, component by component of each input."""
    if form.spread is not None:
        return form.spread(values, spreads)
    total = np.zeros_like(value)
    for label, spread in spreads.items():
        for component in range(spread.shape[1]):
            if not spread[:, component].any():
                continue
            moved = values[label].copy()
            moved[:, component] += spread[:, component]
            step = np.abs(np.broadcast_to(form.function({**values, label: moved}), value.shape) - value)
            total = total + np.nan_to_num(step, nan=0.0)
    return total


def _agree(got: Array, expected: Array, allowed: Array, absent: np.ndarray) -> np.ndarray:
    """Per place. NaN agrees with NaN only (lost upstream); a component that the log lacks agrees with anything."""
    with np.errstate(invalid="ignore"):
        close = (np.abs(got - expected) <= allowed) | (got == expected)
    close |= absent | (np.isnan(got) & np.isnan(expected))
    return np.asarray(close.all(axis=1) & ~absent.all(axis=1))


def _unsure(equation: Equation, values: Values, got: Array) -> np.ndarray:
    if callable(equation.conditional):
        with np.errstate(all="ignore"):
            return np.asarray(equation.conditional(values, got)).reshape(len(got))
    return np.full(len(got), equation.conditional)


def _closest(equation: Equation, fine: np.ndarray, expected: list[Array], got: Array, n: int) -> int:
    """The form that is obeyed at place n, else the one of the whole log, else the one that misses least."""
    if fine[:, n].any():
        return int(np.argmax(fine[:, n]))
    if equation.one_form and fine.any():
        return int(np.argmax(fine.sum(axis=1)))
    miss = [np.abs(got[n] - e[n]) for e in expected]
    return int(np.argmin([float(np.max(m)) if np.isfinite(m).all() else np.inf for m in miss]))


def loop_index(vocabulary: Vocabulary, name: str) -> int:
    """The column of a loop in `values["loops"]`."""
    return vocabulary.loops.index(name)


def same_but(key: Key, place: int, tick: int) -> Key:
    """The key with another index in one loop."""
    return (*key[:place], tick, *key[place + 1 :])


def without(key: Key, place: int) -> Key:
    """The key with one loop left out."""
    return same_but(key, place, ABSENT)
