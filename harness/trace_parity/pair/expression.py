"""`equals = "..."` of the vocabulary: what a variable is computed from, written without Python.

A small language over Python's grammar: arithmetic, comparisons, `and`/`or`/`not`, numbers, `pi`, names of variables and
loops, `x[0]` for a component, `[x, y, z]` for a vector, the functions of FUNCTIONS, and three that look elsewhere:

    prev(x)              x one iteration of the outermost loop earlier; prev(x, "mos_tic") of another loop;
                         prev(x, default=0) where there is no earlier one
    at(x, i="j")         x at other loop indices: an expression in loops, whole numbers and integer variables
    sum(x*y, "j")        over all iterations of the loop j in the log; sum(x) over the components of a vector

Only what is listed here is accepted; nothing of a text is ever executed as Python.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.dependency import Dependency
from trace_parity.pair.toml_table import nearest

FUNCTIONS: dict[str, tuple[int, int]] = {
    **dict.fromkeys("sqrt exp expm1 log log1p log10 sin cos tan asin acos atan sinh cosh tanh".split(), (1, 1)),
    **dict.fromkeys("abs sign floor ceil round norm unit".split(), (1, 1)),
    **dict.fromkeys("atan2 hypot dot cross".split(), (2, 2)),
    **dict.fromkeys(("min", "max"), (2, 8)),
    "where": (3, 3),
}
"""Functions of values alone, and how many arguments they take. `round` is to the nearest, halves to even."""
ELSEWHERE = ("prev", "at", "sum")
_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Mod, ast.FloorDiv, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip
MOST_NODES = 2000

Scopes = Mapping[str, Sequence[tuple[str, ...]]]
"""The loops of every variable of a name or id."""


@dataclass(frozen=True)
class Term:
    """A value that an expression needs; `label` names it in messages.

    kind: plain, prev (`loop`), at (`indices`: loop to expression), sum (`inner` over the loops of `over`).
    """

    kind: str
    name: str = ""
    loop: str = ""
    indices: tuple[tuple[str, ast.expr], ...] = ()
    default: float | None = None
    over: tuple[str, ...] = ()
    inner: Expression | None = None

    @property
    def label(self) -> str:
        """`force@step-1`, `h@i=j`, `sum(f_over_r * dr over j)`."""
        if self.inner is not None:
            return f"sum({self.inner.text} over {', '.join(self.over)})"
        if self.kind == "at":
            return f"{self.name}@{','.join(f'{loop}={ast.unparse(tree)}' for loop, tree in self.indices)}"
        return f"{self.name}@{self.loop}-1" if self.kind == "prev" else self.name


@dataclass(frozen=True)
class Expression:
    """A checked text with its tree; `terms` by their node in the tree."""

    text: str
    tree: ast.expr = field(compare=False)
    terms: Mapping[ast.AST, Term] = field(compare=False)
    path: str = ""

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """What the expression is computed from, in the order of the text."""
        found: dict[Dependency, None] = {}
        for term in self.terms.values():
            if term.inner is not None:
                names = [d.name for d in term.inner.dependencies]
                found |= {Dependency(name, over=term.over): None for name in names}
            else:
                found[Dependency(term.name, term.loop, 1 if term.loop else 0)] = None
        return tuple(found)

    @property
    def here(self) -> Iterator[str]:
        """The names whose values at the same place are needed first: not those of prev() and at()."""
        for term in self.terms.values():
            if term.inner is not None:
                yield from term.inner.here
            elif term.kind == "plain":
                yield term.name

    def check(self, output: str, scopes: Scopes, loops: Sequence[str], where: str) -> None:
        """Check that every name exists and has a value at the loops of `output`. Raises HarnessError (exit 2)."""
        self._check(output, scopes, set(scopes[output][0]), loops, where)

    def _check(self, output: str, scopes: Scopes, own: set[str], loops: Sequence[str], where: str) -> None:
        for term in self.terms.values():
            if term.inner is not None:
                for loop in term.over:
                    if loop not in loops:
                        raise self._wrong(
                            where, f"no loop {loop!r}", f"one of {', '.join(loops)}", nearest(loop, loops)
                        )
                inside = own | set(term.over)
                term.inner._check(output, scopes, inside, loops, where)
                reach = {loop for t in term.inner.terms.values() for s in scopes.get(t.name, ()) for loop in s}
                for loop in term.over:
                    if loop not in reach:
                        raise self._wrong(where, f"nothing in {term.label} sits in loop {loop!r}", "")
                continue
            if term.name not in scopes:
                known = [*scopes, *loops]
                raise self._wrong(
                    where, f"no variable or loop {term.name!r}", "a name of the vocabulary", nearest(term.name, known)
                )
            replaced = {loop for loop, _ in term.indices}
            for loop in [*([term.loop] if term.loop else []), *replaced]:
                if not any(loop in s for s in scopes[term.name]):
                    raise self._wrong(where, f"{term.name} does not sit in loop {loop!r}", "a loop of its scope")
            if term.loop and term.loop not in own:
                raise self._wrong(where, f"{output} does not sit in loop {term.loop!r}", "a loop of its scope")
            if not any(set(s) - replaced <= own for s in scopes[term.name]):
                inner = sorted(set(scopes[term.name][0]) - own)[0]
                hint = f'sum({term.name}, "{inner}") or at({term.name}, {inner}=...)'
                raise self._wrong(where, f"{term.name} sits in loop {inner!r}, which {output} does not", hint)
            is_itself = term.name == output or (len(scopes[term.name]) == 1 and term.name == output.rpartition(".")[2])
            if term.kind == "plain" and is_itself:
                raise self._wrong(where, f"{output} is computed from itself", f"prev({term.name}) for a recurrence")

    def _wrong(self, where: str, what: str, expected: str, hint: str = "") -> HarnessError:
        return HarnessError(Exit.USAGE, f"{self.path}: {what}", where=where, expected=expected, hint=hint)


def parse_expression(text: str, path: str, where: str, loops: Sequence[str]) -> Expression:
    """Read an expression. Raises HarnessError (exit 2) that names what is not accepted."""

    def wrong(what: str, expected: str = "", hint: str = "") -> HarnessError:
        return HarnessError(Exit.USAGE, f"{path}: {what}", where=where, expected=expected, hint=hint)

    try:
        tree = ast.parse(text.strip().replace("\n", " "), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise wrong(f"{text!r} is not an expression: {reason}") from error
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise wrong(f"longer than {MOST_NODES} parts", "several variables, one equation each")
    return _Reader(path, wrong, loops).expression(tree, text.strip())


Wrong = Callable[..., HarnessError]


class _Reader:
    """Walks a tree, refuses what is not listed, and collects the terms."""

    def __init__(self, path: str, wrong: Wrong, loops: Sequence[str]) -> None:
        self.path, self.wrong, self.loops = path, wrong, loops

    def expression(self, tree: ast.expr, text: str) -> Expression:
        return Expression(text, tree, dict(self.read(tree)), self.path)

    def read(self, node: ast.expr) -> Iterator[tuple[ast.AST, Term]]:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
                raise self.wrong(f"{node.value!r} is not a number")
        elif isinstance(node, (ast.Name, ast.Attribute)):
            name = self.name(node)
            if name not in self.loops and name != "pi":
                yield node, Term("plain", name)
        elif isinstance(node, ast.Call):
            yield from self.call(node)
        elif isinstance(node, ast.Subscript):
            if not (isinstance(node.slice, ast.Constant) and type(node.slice.value) is int and node.slice.value >= 0):
                raise self.wrong(f"{ast.unparse(node)!r}", "x[0]: a component by its number")
            yield from self.read(node.value)
        elif isinstance(node, (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.List)):
            operators = [*getattr(node, "ops", []), *([node.op] if hasattr(node, "op") else [])]
            for operator in operators:
                if not isinstance(operator, _OPERATORS):
                    raise self.wrong(
                        f"operator {type(operator).__name__} in {ast.unparse(node)!r}",
                        "+ - * / // % ** < <= > >= == != and or not",
                    )
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield from self.read(child)
        else:
            raise self.wrong(
                f"{ast.unparse(node)!r} is not accepted",
                "arithmetic, names, x[0] and functions",
                "where(condition, a, b) chooses",
            )

    def name(self, node: ast.expr) -> str:
        """`x`, or `scope.x`."""
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return f"{node.value.id}.{node.attr}"
        raise self.wrong(f"{ast.unparse(node)!r}", "a variable's name, or scope.name")

    def call(self, node: ast.Call) -> Iterator[tuple[ast.AST, Term]]:
        function = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if function in ELSEWHERE and not (function == "sum" and len(node.args) == 1 and not node.keywords):
            yield node, getattr(self, f"_{function}")(node)
            return
        low, high = (1, 1) if function == "sum" else FUNCTIONS.get(function, (-1, -1))
        if low < 0:
            known = [*FUNCTIONS, *ELSEWHERE]
            raise self.wrong(f"no function {function!r}", f"one of {', '.join(known)}", nearest(function, known))
        if not low <= len(node.args) <= high or node.keywords:
            raise self.wrong(
                f"{ast.unparse(node)!r}", f"{function} of {low if low == high else f'{low} to {high}'} values"
            )
        for argument in node.args:
            yield from self.read(argument)

    def _default(self, node: ast.Call) -> float | None:
        for word in node.keywords:
            if word.arg == "default":
                try:
                    return float(ast.literal_eval(word.value))
                except (TypeError, ValueError) as error:
                    raise self.wrong(f"{ast.unparse(node)!r}", "default=NUMBER") from error
        return None

    def _text(self, node: ast.expr, whole: ast.Call) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise self.wrong(
            f"{ast.unparse(whole)!r}",
            f'loops in quotes, as in {whole.func.id}(x, "j")' if isinstance(whole.func, ast.Name) else "",
        )

    def _prev(self, node: ast.Call) -> Term:
        if not 1 <= len(node.args) <= 2 or any(word.arg != "default" for word in node.keywords):
            raise self.wrong(f"{ast.unparse(node)!r}", 'prev(x), prev(x, "loop") or prev(x, default=0)')
        loop = self._text(node.args[1], node) if len(node.args) == 2 else next(iter(self.loops), "")
        if loop not in self.loops:
            raise self.wrong(f"no loop {loop!r}", f"one of {', '.join(self.loops)}", nearest(loop, self.loops))
        return Term("prev", self.name(node.args[0]), loop, default=self._default(node))

    def _at(self, node: ast.Call) -> Term:
        words = [word for word in node.keywords if word.arg != "default"]
        if len(node.args) != 1 or not words:
            raise self.wrong(f"{ast.unparse(node)!r}", 'at(x, i="j") or at(x, i=0)')
        indices = []
        for word in words:
            if word.arg is None or word.arg not in self.loops:
                raise self.wrong(
                    f"no loop {word.arg!r}", f"one of {', '.join(self.loops)}", nearest(word.arg or "", self.loops)
                )
            tree: ast.expr = word.value
            if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
                try:
                    tree = ast.parse(tree.value, mode="eval").body
                except (SyntaxError, ValueError) as error:
                    raise self.wrong(f"{ast.unparse(node)!r}: {word.arg} is not an expression") from error
            self._whole(tree, node)
            indices.append((word.arg, tree))
        return Term("at", self.name(node.args[0]), indices=tuple(indices), default=self._default(node))

    def _whole(self, tree: ast.expr, node: ast.Call) -> None:
        """An index: loops, whole numbers, names of integer variables, + - * // %."""
        kinds = (
            ast.Name,
            ast.Load,
            ast.Constant,
            ast.BinOp,
            ast.UnaryOp,
            ast.Add,
            ast.Sub,
            ast.Mult,
            ast.FloorDiv,
            ast.Mod,
            ast.USub,
        )
        for part in ast.walk(tree):
            if not isinstance(part, kinds) or (isinstance(part, ast.Constant) and type(part.value) is not int):
                raise self.wrong(
                    f"{ast.unparse(node)!r}", "an index of loops, whole numbers, integer variables and + - * // %"
                )

    def _sum(self, node: ast.Call) -> Term:
        if len(node.args) < 2 or node.keywords:
            raise self.wrong(f"{ast.unparse(node)!r}", 'sum(x, "j")')
        over = tuple(self._text(argument, node) for argument in node.args[1:])
        inner = self.expression(node.args[0], ast.unparse(node.args[0]))
        if any(term.inner is not None for term in inner.terms.values()):
            raise self.wrong(f"{ast.unparse(node)!r} sums a sum", 'sum(x, "i", "j")')
        if not inner.terms:
            raise self.wrong(f"{ast.unparse(node)!r} sums no variable", 'sum(x, "j")')
        return Term("sum", over=over, inner=inner)
