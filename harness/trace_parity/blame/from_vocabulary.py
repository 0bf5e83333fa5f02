"""The equations that a vocabulary says by `equals`, evaluated on a log in extended precision."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from trace_parity.blame.equation import Computed, Domain, Equation, Form, Input, Place, same_but
from trace_parity.blame.evaluation import propagate
from trace_parity.blame.log_values import Array, LogView
from trace_parity.blame.slips import slips
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.expression import Expression, Term
from trace_parity.pair.vocabulary import ABSENT, Key, Variable, Vocabulary

_PI = np.longdouble("3.14159265358979323846264338327950288")
_UNIT = np.longdouble(2.0) ** -53


def _norm(a: Array) -> Array:
    length: Array = np.sqrt(np.sum(a * a, axis=1, keepdims=True))
    return length


def _dot(a: Array, b: Array) -> Array:
    product: Array = np.sum(a * b, axis=1, keepdims=True)
    return product


def _unit(a: Array) -> Array:
    length = _norm(a)
    unit: Array = a / np.where(length == 0, 1, length)
    return unit


_FUNCTIONS: dict[str, Callable[..., Array]] = {
    **{name: getattr(np, name) for name in "sqrt exp expm1 log log1p log10 sin cos tan sinh cosh tanh".split()},
    **{name: getattr(np, name) for name in "abs sign floor ceil hypot where".split()},
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "round": np.rint,
    "norm": _norm,
    "unit": _unit,
    "dot": _dot,
    "cross": np.cross,
    "min": lambda *v: _folded(np.minimum, v),
    "max": lambda *v: _folded(np.maximum, v),
    "sum": lambda a: np.sum(a, axis=1, keepdims=True),
}
_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.Mod: np.mod,
    ast.FloorDiv: np.floor_divide,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
    ast.Not: np.logical_not,
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}


def _folded(function: Callable[[Array, Array], Array], values: Sequence[Array]) -> Array:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


def domain_of(vocabulary: Vocabulary, more: Domain | None = None) -> Domain | None:
    """The equations of a vocabulary's `equals`, and those of `more` for what it cannot say; None where there are none.

    Where both make the same variable, both are evaluated.
    """
    made = tuple(equation_of(v, v.equals, vocabulary) for v in vocabulary.variables if v.equals is not None)
    if more is not None:
        return dataclasses.replace(more, equations=(*made, *more.equations)) if made else more
    return Domain(vocabulary.title, made) if made else None


def equation_of(variable: Variable, expression: Expression, vocabulary: Vocabulary) -> Equation:
    """The equation that a variable's `equals` says."""
    inputs = {term.label: _input(term, variable, vocabulary) for term in expression.terms.values()}
    return Equation(
        f"{variable.id} equals",
        f"{variable.name} = {expression.text}",
        "",
        variable.id,
        tuple(inputs.values()),
        (Form("equals", partial(_result, expression, variable, vocabulary.loops)),),
        slips=lambda view: tuple(_slips(expression, variable, vocabulary.loops)),
    )


def _slips(expression: Expression, variable: Variable, loops: tuple[str, ...]) -> Iterator[Form]:
    for words, tree in slips(expression.tree, expression.terms):
        wrong = dataclasses.replace(expression, tree=tree)
        name = f"fits {words}" if words.startswith("with") else f"fits with {words}"
        yield Form(name, partial(_result_if_any, wrong, variable, loops))


def _result_if_any(
    expression: Expression, variable: Variable, loops: tuple[str, ...], values: Mapping[str, Array]
) -> Array:
    """NaN where a slip makes numbers of other shapes."""
    try:
        return np.broadcast_to(_result(expression, variable, loops, values), (len(values["loops"]), variable.size or 1))
    except (HarnessError, ValueError):
        return np.full((len(values["loops"]), 1), np.nan, dtype=np.longdouble)


def _result(expression: Expression, variable: Variable, loops: tuple[str, ...], values: Mapping[str, Array]) -> Array:
    result = _value(expression, expression.tree, values, loops)
    if variable.size > 1 and result.shape[1] not in (1, variable.size):
        raise HarnessError(
            Exit.USAGE,
            f"{expression.path}: has {result.shape[1]} components",
            where="vocabulary",
            expected=f"{variable.size}, as {variable.name} has",
        )
    return np.asarray(result, dtype=np.longdouble)


def _value(expression: Expression, node: ast.expr, values: Mapping[str, Array], loops: tuple[str, ...]) -> Array:
    """A node of the tree at all places, (places, components)."""
    term = expression.terms.get(node)
    if term is not None:
        return values[term.label]
    of = partial(_value, expression, values=values, loops=loops)
    if isinstance(node, ast.Constant):
        return np.full((len(values["loops"]), 1), node.value, dtype=np.longdouble)
    if isinstance(node, ast.Name):
        if node.id == "pi":
            return np.full((len(values["loops"]), 1), _PI)
        at = loops.index(node.id)
        return np.asarray(values["loops"][:, at : at + 1])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _FUNCTIONS[node.func.id](*(of(argument) for argument in node.args))
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return _component(expression, of(node.value), int(str(node.slice.value)))
    if isinstance(node, ast.List):
        return np.concatenate([of(part) for part in node.elts], axis=1)
    if isinstance(node, ast.UnaryOp):
        return np.asarray(_OPERATORS[type(node.op)](of(node.operand)))
    if isinstance(node, ast.BinOp):
        return np.asarray(_OPERATORS[type(node.op)](of(node.left), of(node.right)))
    if isinstance(node, ast.BoolOp):
        return _folded(_OPERATORS[type(node.op)], [of(part) for part in node.values])
    assert isinstance(node, ast.Compare)
    parts = [of(part) for part in (node.left, *node.comparators)]
    holds = [_OPERATORS[type(op)](a, b) for op, a, b in zip(node.ops, parts, parts[1:], strict=False)]
    return _folded(np.logical_and, holds)


def _component(expression: Expression, vector: Array, which: int) -> Array:
    if which >= vector.shape[1]:
        what = f"{expression.path}: component {which} of {vector.shape[1]}"
        raise HarnessError(Exit.USAGE, what, where="vocabulary", expected=f"0 to {vector.shape[1] - 1}")
    return vector[:, which : which + 1]


def _input(term: Term, variable: Variable, vocabulary: Vocabulary) -> Input:
    """How a term's value is found from the place of the output."""
    if term.inner is not None:
        return Input(term.label, term.label, computed=partial(_sum_at, term, term.inner))
    pick: Callable[[LogView, Key], Key | None] | None = None
    if term.kind == "prev":
        pick = partial(_previous, vocabulary.loops.index(term.loop))
    elif term.kind == "at":
        pick = partial(_elsewhere, term)
    return Input(_ref(term.name, variable, vocabulary, term), term.label, pick, term.default)


def _ref(name: str, variable: Variable, vocabulary: Vocabulary, term: Term) -> str:
    """The id of the variable that a name means: the innermost whose loops are those of the output, but not itself."""
    reach = set(variable.scope.loops) | {loop for loop, _ in term.indices} | set(term.over)
    named = [v for v in vocabulary.variables if name in (v.name, v.id) and set(v.scope.loops) <= reach]
    others = [v for v in named if v.id != variable.id or term.kind != "plain"]
    return max(others, key=lambda v: (len(v.scope.loops), v.id == variable.id)).id if others else name


def _previous(place: int, view: LogView, key: Key) -> Key | None:
    return same_but(key, place, key[place] - 1) if key[place] > 0 else None


def _elsewhere(term: Term, view: LogView, key: Key) -> Key | None:
    loops = view.vocabulary.loops
    for loop, tree in term.indices:
        index = _index(tree, view, key)
        if index is None or index < 0:
            return None
        key = same_but(key, loops.index(loop), index)
    return key


def _index(tree: ast.expr, view: LogView, key: Key) -> int | None:
    """A whole number from loops, whole numbers and integer variables; None where one is not in the log."""
    if isinstance(tree, ast.Constant):
        return int(str(tree.value))
    if isinstance(tree, ast.Name):
        if tree.id in view.vocabulary.loops:
            return key[view.vocabulary.loops.index(tree.id)]
        place = view.find(tree.id, key)
        value = view.at(*place) if place is not None else None
        return None if value is None or not np.isfinite(value[0]) else int(value[0])
    if isinstance(tree, ast.UnaryOp):
        value_of = _index(tree.operand, view, key)
        return None if value_of is None else -value_of
    assert isinstance(tree, ast.BinOp)
    a, b = _index(tree.left, view, key), _index(tree.right, view, key)
    if a is None or b is None or (b == 0 and isinstance(tree.op, (ast.FloorDiv, ast.Mod))):
        return None
    return int(_OPERATORS[type(tree.op)](a, b))


def _sum_at(term: Term, inner: Expression, view: LogView, key: Key) -> Computed | str:
    """A sum at the place of an output, or what is missing for it."""
    memo = view.memo.setdefault("sums", {})
    if term.label not in memo:
        memo[term.label] = _Sums(term, inner, view)
    sums: _Sums = memo[term.label]
    return sums.at(key)


class _Sums:
    """All sums of one term over one log."""

    def __init__(self, term: Term, inner: Expression, view: LogView) -> None:
        self.term, self.view = term, view
        vocabulary = view.vocabulary
        terms = list(inner.terms.values())
        named = {t.label: self._variable(t) for t in terms}
        over = set(term.over)
        self.loops = {loop for v in named.values() if v is not None for loop in v.scope.loops} - over
        widest = max((v for v in named.values() if v is not None), key=lambda v: len(over & set(v.scope.loops)))
        self.groups: dict[Key, list[int]] = {}
        self.lacking: dict[Key, str] = {}
        keys: list[Key] = []
        rows: dict[str, list[Array]] = {t.label: [] for t in terms}
        inputs = {t.label: _input(t, self._at_all(widest, named), vocabulary) for t in terms}
        self.places: list[dict[str, Place | None]] = []
        for key in view.keys(widest.id):
            group = self._around(key)
            places = {label: self._place(wanted, key) for label, wanted in inputs.items()}
            found = {label: self._value(wanted, places[label]) for label, wanted in inputs.items()}
            if any(value is None for value in found.values()):
                self.lacking[group] = next(label for label, value in found.items() if value is None)
                continue
            self.groups.setdefault(group, []).append(len(keys))
            keys.append(key)
            self.places.append(places)
            for label, value in found.items():
                rows[label].append(np.asarray(value))
        self.keys = keys
        if keys:
            values = {label: np.stack(group) for label, group in rows.items()}
            spreads = {label: view.uncertainty(inputs[label].ref, values[label]) for label in values}
            values["loops"] = np.array(keys, dtype=np.longdouble)
            form = Form("inner", lambda x: np.asarray(_value(inner, inner.tree, x, vocabulary.loops), np.longdouble))
            self.form, self.inputs = form, values
            self.values = form.function(values)
            self.spread = np.broadcast_to(propagate(form, values, spreads, self.values), self.values.shape)

    def _variable(self, term: Term) -> Variable | None:
        named = [v for v in self.view.vocabulary.variables if term.name in (v.name, v.id)]
        return max(named, key=lambda v: len(v.scope.loops), default=None)

    def _at_all(self, widest: Variable, named: Mapping[str, Variable | None]) -> Variable:
        """A variable that sits in all loops of the terms, in whose place the summand is evaluated."""
        inside = {loop for v in named.values() if v is not None for loop in v.scope.loops} | set(self.term.over)
        loops = tuple(loop for loop in self.view.vocabulary.loops if loop in inside)
        return dataclasses.replace(widest, name="", scope=dataclasses.replace(widest.scope, name="", loops=loops))

    def _place(self, wanted: Input, key: Key) -> Place | None:
        where = wanted.pick(self.view, key) if wanted.pick is not None else key
        return self.view.find(wanted.ref, where) if where is not None else None

    def _value(self, wanted: Input, place: Place | None) -> Array | None:
        value = self.view.at(*place) if place is not None and not self.view.holes(*place) else None
        return np.array([wanted.default], np.longdouble) if value is None and wanted.default is not None else value

    def _around(self, key: Key) -> Key:
        names = self.view.vocabulary.loops
        return tuple(i if loop in self.loops else ABSENT for loop, i in zip(names, key, strict=True))

    def at(self, key: Key) -> Computed | str:
        group = self._around(key)
        rows = self.groups.get(group, [])
        if group in self.lacking:
            return self.lacking[group]
        if not rows:
            return self.term.label
        for loop in self.term.over:
            place = self.view.vocabulary.loops.index(loop)
            met = {self.keys[n][place] for n in rows}
            size = self._size(loop, key)
            if (size is not None and len(met) < size) or (size is None and min(met) > 1):
                return f"{self.term.label} ({len(met)} of {size or 'all'} {loop})"
        values = self.values[rows]
        rounding = len(rows) * _UNIT * np.sum(np.abs(values), axis=0)
        parts = dict.fromkeys(place for n in rows for place in self.places[n].values() if place is not None)
        spread = np.sum(self.spread[rows], axis=0) + rounding
        return Computed(np.sum(values, axis=0), spread, tuple(parts), partial(self._again, rows))

    def _again(self, rows: list[int], changed: Mapping[Place, Array]) -> Array:
        """The sum with some values replaced."""
        values = {label: array[rows] for label, array in self.inputs.items()}
        for label in values.keys() - {"loops"}:
            for i, n in enumerate(rows):
                place = self.places[n][label]
                if place is not None and place in changed:
                    values[label][i] = changed[place]
        total: Array = np.sum(self.form.function(values), axis=0)
        return total

    def _size(self, loop: str, key: Key) -> int | None:
        size = self.view.vocabulary.loop_sizes.get(loop)
        return _index(ast.Name(size), self.view, key) if isinstance(size, str) else size
