"""How many digits each equation loses, and in which of its operations.

The condition number of an equation at a place is the factor by which it enlarges relative errors of its inputs. Each
inexact input is changed by a small relative step, and the changes of the output are added up. The logarithm of the
condition number is the number of digits lost in the output, however carefully it is computed from rounded inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from trace_parity.blame.equation import Equation, Evaluated, Form
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.evaluation import propagate
from trace_parity.blame.log_values import Array
from trace_parity.blame.traced import Operations, traced
from trace_parity.pair.vocabulary import Key

STEP = np.longdouble(2.0) ** -40
"""Relative move of an input: far above the rounding of extended precision, far below what is nonlinear."""
WORTH_SAYING = 1.0
"""Digits that an equation must lose to be listed in a text."""
LISTED = 8
HARMLESS = 30


@dataclass(frozen=True)
class Conditioning:
    """One equation of one log, at the place where it loses most.

    `operation` is the operation in it that loses most there, `operation_digits` how many; empty where no operation
    loses a digit by itself. `places` are those at which it was evaluated.
    """

    side: str
    equation: str
    equation_text: str
    variable: str
    places: int
    condition: float
    digits: float
    place: str
    operation: str
    operation_digits: float


@np.errstate(all="ignore")
def conditioning(sides: Iterable[EvaluatedLog]) -> tuple[Conditioning, ...]:
    """The condition of every equation that could be evaluated, in order of evaluation, side by side."""
    made = []
    for side in sides:
        for equation in side.domain.equations:
            found = side.found[equation.id]
            worst = _worst(side, equation, found) if found.row and found.values and not equation.backward else None
            if worst is not None:
                made.append((side.view.variables[equation.output].place, worst))
    return tuple(entry for _, entry in sorted(made, key=lambda entry: (entry[1].side, entry[0])))


def _worst(side: EvaluatedLog, equation: Equation, found: Evaluated) -> Conditioning | None:
    best: tuple[float, Key, str, float] | None = None
    count = 0
    by_form: dict[str, list[Key]] = {}
    for key, row in found.row.items():
        if key in found.form and row < len(found.values["loops"]):
            by_form.setdefault(found.form[key].name, []).append(key)
    for keys in by_form.values():
        rows = [found.row[key] for key in keys]
        values = {label: array[rows] for label, array in found.values.items()}
        form = found.form[keys[0]]
        value = np.asarray(form.function(values))
        moves = {
            label: STEP * _size(values[label])
            for label, spread in found.spreads.items()
            if label in values and spread.any()
        }
        if not moves:
            continue
        carried = np.broadcast_to(propagate(form, values, moves, value), value.shape)
        factor = _length(carried) / (STEP * _length(value))
        factor[~np.isfinite(factor)] = 0
        count += len(keys)
        n = int(np.argmax(factor))
        if best is None or factor[n] > best[0]:
            inexact = {label for label in moves if label != "one"}
            at_worst = {label: array[n : n + 1].copy() for label, array in values.items()}
            best = (float(factor[n]), keys[n], *_operation(equation, form, at_worst, inexact, float(factor[n])))
    if best is None or not best[0] > 0:
        return None
    variable = side.view.variables[equation.output]
    return Conditioning(
        side.name,
        equation.id,
        equation.text,
        variable.name,
        count,
        best[0],
        max(0.0, float(np.log10(best[0]))),
        side.view.vocabulary.describe(best[1]),
        best[2],
        best[3],
    )


def _size(array: Array) -> Array:
    """The reference of an input's relative uncertainty: the length of its vector, as for a rotation."""
    return np.asarray(np.broadcast_to(_length(array)[:, None], array.shape) + 0 * array)


def _length(array: Array) -> Array:
    length: Array = np.sqrt(np.nansum(array * array, axis=1))
    return length


def _operation(
    equation: Equation, form: Form, values: Mapping[str, Array], inexact: set[str], condition: float
) -> tuple[str, float]:
    """The operation that loses most at one place, and its digits; empty where none does.

    One that loses far more than the whole equation does is harmless: its output is small compared with another term.
    """
    operations = Operations()
    names = {wanted.label: wanted.ref.rpartition(".")[2] for wanted in equation.inputs}
    shown = {
        label: traced(array, _name(label, names), label not in inexact, operations) for label, array in values.items()
    }
    try:
        form.function(shown)
    except (TypeError, ValueError, AttributeError, IndexError):
        return "", 0.0
    worst, text = 10.0, ""
    for words, factor in operations.done:
        largest = float(np.nanmax(np.where(np.isfinite(factor), factor, 0), initial=0))
        if worst < largest <= HARMLESS * condition:
            worst, text = largest, words
    return (text, float(np.log10(worst))) if text else ("", 0.0)


def _name(label: str, names: dict[str, str]) -> str:
    return names.get(label, label) if label.isidentifier() else label


def lines(found: Iterable[Conditioning]) -> list[str]:
    """The equations that lose most digits, in order of evaluation; empty if none loses a relevant number."""
    worth = [entry for entry in found if entry.digits >= WORTH_SAYING]
    if not worth:
        return []
    least = sorted((entry.digits for entry in worth), reverse=True)[:LISTED][-1]
    kept = [entry for entry in worth if entry.digits >= least]
    made = ["", "where digits get lost (condition number of each equation, at its worst place):"]
    for entry in kept:
        where = f"{entry.operation_digits:.0f} digits lost at {entry.operation}; " if entry.operation else ""
        digits = f"{entry.digits:.1f} digits lost"
        made.append(
            f"  {entry.side} {entry.variable}: {digits} (condition {entry.condition:.2g}); {where}{entry.place}"
        )
    if len(worth) > len(kept):
        made.append(f"  … and {len(worth) - len(kept)} more (all in --format json)")
    return made
