"""An equation evaluated on one log, at all places at once, and what it may miss by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trace_parity.blame.equation import Computed, Equation, Evaluated, Form, Input, Outcome, Place, Values
from trace_parity.blame.log_values import ROUNDINGS, Array, LogView
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.vocabulary import Key

LARGEST = np.finfo(np.longdouble).max


def evaluate(equation: Equation, view: LogView) -> Evaluated:
    """The equation at every place that has its output."""
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
                found.parts.setdefault(wanted.label, []).append(made.parts)
                found.again.setdefault(wanted.label, []).append(made.again)
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


def _gather(equation: Equation, view: LogView, key: Key) -> tuple[list[Place | None], list[str], dict[str, Computed]]:
    """Where each input is (None for its default), what is missing, in words, and the computed inputs."""
    lacking = [f"{loop} (loop index)" for loop in equation.needs_loops if key[view.vocabulary.loops.index(loop)] < 0]
    if equation.needs_also is not None and (reason := equation.needs_also(view, key)):
        lacking.append(reason)
    places: list[Place | None] = []
    computed: dict[str, Computed] = {}
    for wanted in equation.inputs:
        if wanted.computed is not None:
            made = _called(wanted.computed, "computed", equation, wanted, view, key)
            if not isinstance(made, (str, Computed)):
                raise _wrong("computed", equation, wanted, f"gives {made!r}", "a Computed, or what is missing in words")
            places.append(None)
            if isinstance(made, str):
                lacking.append(made)
            else:
                computed[wanted.label] = made
            continue
        where = _picked(equation, wanted, view, key) if wanted.pick is not None else key
        place = view.find(wanted.ref, where) if where is not None else None
        holes = view.holes(*place) if place is not None else ()
        if wanted.default is None and (place is None or holes):
            name = wanted.ref.rpartition(".")[2] if where is not None or "@" not in wanted.label else wanted.label
            lacking += [f"{name}[{i}]" for i in holes] or [name]
        places.append(None if holes else place)
    return places, list(dict.fromkeys(lacking)), computed


def _picked(equation: Equation, wanted: Input, view: LogView, key: Key) -> Key | None:
    """Where a pick looks; HarnessError (exit 2) where it raises, or gives no key."""
    where = _called(wanted.pick, "pick", equation, wanted, view, key)
    if where is None:
        return None
    expected = f"{len(key)} whole numbers, one per loop ({', '.join(view.vocabulary.loops)}), or None"
    if not isinstance(where, (tuple, list)) or len(where) != len(key):
        raise _wrong("pick", equation, wanted, f"gives {where!r}", expected)
    if not all(isinstance(index, (int, np.integer)) for index in where):
        raise _wrong("pick", equation, wanted, f"gives {where!r}", expected)
    return tuple(where)


def _called(
    function: Callable[[LogView, Key], Any] | None,
    what: str,
    equation: Equation,
    wanted: Input,
    view: LogView,
    key: Key,
) -> Any:
    assert function is not None
    try:
        return function(view, key)
    except HarnessError:
        raise
    except Exception as error:  # whatever a user's function raises
        what_failed = f"fails at {key}: {type(error).__name__}: {error}"
        raise _wrong(what, equation, wanted, what_failed, "a function of the log and a key") from error


def _wrong(what: str, equation: Equation, wanted: Input, found: str, expected: str) -> HarnessError:
    where = f"equation {equation.id!r}"
    return HarnessError(Exit.USAGE, f"the {what} of its input {wanted.label!r} {found}", where=where, expected=expected)


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
    """The uncertainty of an input; none where its default is used."""
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

    def at(self, form: str, n: int) -> tuple[Array, Array]:
        """What a form gives at a place, and what it may miss by."""
        which = [one.name for one in self.forms].index(form)
        return self.expected[which][n], self.allowed[which][n]

    def nearest(self, n: int, got: Array, forms: Sequence[Form] = ()) -> Form:
        """The form that misses least at a place, of some or of all."""
        among = list(forms or self.forms)
        miss = [float(np.max(np.abs(got - self.at(form.name, n)[0]))) for form in among]
        return among[int(np.argmin(np.where(np.isfinite(miss), miss, np.inf)))]


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
            value = result_of(equation, form, values, got.shape)
            expected.append(np.where(absent, np.nan, value))
            allowed.append(own + propagate(form, values, spreads, value))
    fine = np.array([_agree(got, e, a, absent) for e, a in zip(expected, allowed, strict=True)])
    if equation.one_form:
        best = int(np.argmax(fine.sum(axis=1)))
        kept = np.zeros_like(fine)
        kept[best] = fine[best]
        fine = kept
    return Fitted(forms, expected, allowed, fine)


def result_of(equation: Equation, form: Form, values: Values, shape: tuple[int, ...]) -> Array:
    """What a form gives; HarnessError (exit 2) where it uses an unknown input, raises, or gives another shape."""
    where = f"equation {equation.id!r}"
    try:
        value = form.function(values)
        if value is None:
            raise ValueError("it gives None")
        if np.ndim(value) == 1:
            raise ValueError(f"it gives the shape {np.shape(value)}")
        return np.broadcast_to(value, shape)
    except KeyError as error:
        what = f"its form {form.name!r} reads {error}, which is none of its inputs"
        raise HarnessError(Exit.USAGE, what, where=where, expected=f"one of {', '.join(values)}") from error
    except Exception as error:  # whatever a user's function raises
        shapes = ", ".join(f"{label} {array.shape}" for label, array in values.items())
        what = f"its form {form.name!r} fails: {type(error).__name__}: {error}"
        expected = f"an array of shape {shape} (places, components) from {shapes}"
        raise HarnessError(Exit.USAGE, what, where=where, expected=expected) from error


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
            total = total + np.minimum(np.fmax(step, 0), LARGEST)  # 0 for NaN
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
