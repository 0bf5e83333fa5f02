"""Put probes into Python source as it is imported: after every assignment to a traced name, a read of its value.

The rewriting works on the syntax tree and keeps all line numbers. Loop targets and parameters that are loops of the
vocabulary become keys, whichever way the loop is left.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from trace_parity.probe.py_syntax import (
    Path,
    header_writes,
    is_called,
    is_generator,
    own_nodes,
    touch,
    watched_by,
    writes_of,
)
from trace_parity.probe.spec import LoopRule, Placed, ProbeSpec, ProbeVariable, Unplaced

RUNTIME = "__trace_probe__"
MODULE = "<module>"
"""A module's own statements in `in`."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_COMPOUND = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


@dataclass
class Rewritten:
    """One module with its probes."""

    tree: ast.Module
    placed: list[Placed] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)


def rewrite(source: str, file: str, spec: ProbeSpec) -> Rewritten:
    """The syntax tree of a module with the probes of `spec`. Raises SyntaxError."""
    tree = ast.parse(source, file)
    result = Rewritten(tree)
    rewriter = _Rewriter(file, source, spec, result)
    tree.body = rewriter.function_body(MODULE, tree.body, ())
    start = _after_future_imports(tree.body)
    tree.body.insert(start, ast.parse(f"import trace_parity.probe.recorder as {RUNTIME}").body[0])
    ast.fix_missing_locations(tree)
    return result


class _Rewriter:
    def __init__(self, file: str, source: str, spec: ProbeSpec, result: Rewritten) -> None:
        self.file, self.source, self.spec, self.result = file, source, spec, result
        named = {rule.loop for rule in spec.rules}
        self.rules = (*spec.rules, *(LoopRule(loop, loop, loop) for loop in spec.loops if loop not in named))
        self.watched = [watched_by(variable) for variable in spec.variables]
        self.here: list[int] = []  # the variables that the present function may set
        self.name = MODULE
        self.around: list[LoopRule] | None = None  # in a generator: the loops around, whose keys it keeps to itself
        self.count = 0

    # functions

    def function_body(self, name: str, body: list[ast.stmt], parameters: Sequence[str]) -> list[ast.stmt]:
        """The statements of a function (or the module) with probes."""
        outside = self.name, self.here, self.around
        self.name, self.around = name, [] if name != MODULE and is_generator(body) else None
        self.here = [n for n, variable in enumerate(self.spec.variables) if self._is_in(variable, name)]
        self.result.functions.append(name)
        start = 1 if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else 0
        given = [r for r in self.rules if r.var in parameters and not r.line and self._holds(r)]
        if self.around is not None:
            self.around += given
        entry: list[ast.stmt] = []
        for number, variable in enumerate(self.spec.variables):
            if variable.trigger.kind == "enter" and is_called(variable.trigger.argument, name):
                entry += self._probe(number, body[0], f"enter {name}")
        inner = [*entry, *self._block(body[start:])]
        for rule in given if self.around is None else ():
            inner = self._keyed(rule, [self._set(rule, body[0]), *inner], body[0])
        self.name, self.here, self.around = outside
        return [*body[:start], *inner]

    def _is_in(self, variable: ProbeVariable, name: str) -> bool:
        if variable.trigger.kind == "enter":
            return False
        if not variable.functions:
            return True
        return any(is_called(wanted, name) for wanted in variable.functions)

    def _holds(self, rule: LoopRule) -> bool:
        return not rule.functions or any(is_called(wanted, self.name) for wanted in rule.functions)

    # statements

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [statement for old in body for statement in self._statement(old)]

    def _statement(self, old: ast.stmt) -> list[ast.stmt]:
        before, after = self._on_line(old)
        if isinstance(old, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self._define(old)
            return [*before, old, *after]
        if isinstance(old, ast.ClassDef):
            self._class(old)
            return [*before, old, *after]
        names = _Walrus(self)
        hidden = self._list_inner(old)
        if isinstance(old, _COMPOUND):
            return [*before, *self._compound(old, names), *after]
        after += [p for n in self._written(writes_of(old)) for p in self._probe(n, old, "write")]
        if isinstance(old, ast.Return) and after:
            self._list(old, "", "nothing after this statement is reached")
            after = []
        return [*before, *self._with_own_keys(names.visit(old), hidden), *after]

    def _with_own_keys(self, statement: ast.stmt, hidden: Sequence[LoopRule]) -> list[ast.stmt]:
        """A simple statement under the keys that hold in it: those of a generator's loops, and none that is hidden."""
        result = [statement]
        nodes = list(own_nodes(statement))
        if self.around and any(isinstance(n, ast.Call) for n in nodes):
            if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes):
                hidden = [*hidden, *self.around]
                names = ", ".join(rule.loop for rule in self.around)
                self._list(statement, names, "yields: functions called in this statement do not get this key")
            else:
                for rule in reversed(self.around):
                    result = self._keyed(rule, [self._set(rule, statement), *result], statement)
        for rule in hidden:
            if not any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Await) for n in nodes):
                forget = _placed(f"{RUNTIME}.leave({rule.loop!r}, None)", statement)
                result = self._keyed(rule, [forget, *result], statement)
        return result

    def _compound(self, old: ast.stmt, names: _Walrus) -> list[ast.stmt]:
        rules: list[LoopRule] = []
        if isinstance(old, (ast.For, ast.AsyncFor, ast.While)):
            rules = self._loop_rules(old)
        for part in ("test", "iter", "subject"):
            if hasattr(old, part):
                setattr(old, part, names.visit(getattr(old, part)))
        if isinstance(old, (ast.With, ast.AsyncWith)):
            old.items = [names.visit(item) for item in old.items]
        keyed = rules if self.around is None else []
        if self.around is not None:
            self.around += rules
        for part in ("body", "orelse", "finalbody"):
            if getattr(old, part, None):
                setattr(old, part, self._block(getattr(old, part)))
                if part == "body" and self.around is not None and rules:
                    del self.around[-len(rules) :]
        for inner in [*getattr(old, "handlers", ()), *getattr(old, "cases", ())]:
            inner.body = self._block(inner.body)
        if isinstance(old, ast.Match):
            self._match(old)
        set_here = [p for n in self._written(header_writes(old)) for p in self._probe(n, old, "write")]
        if isinstance(old, (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith)):
            old.body = [*(self._set(rule, old) for rule in keyed), *set_here, *old.body]
        result: list[ast.stmt] = [old]
        for rule in keyed:
            result = self._keyed(rule, result, old)
        return result

    def _define(self, function: _Function) -> None:
        name = function.name if self.name == MODULE else f"{self.name}.{function.name}"
        self._function(name, function)

    def _class(self, old: ast.ClassDef, prefix: str = "") -> None:
        name = f"{prefix}{old.name}" if self.name == MODULE else f"{self.name}.{old.name}"
        for inner in old.body:
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._function(f"{name}.{inner.name}", inner)
            elif isinstance(inner, ast.ClassDef):
                self._class(inner, f"{name}.")

    def _function(self, name: str, function: _Function) -> None:
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for decorator in function.decorator_list:
            text = ast.unparse(decorator)
            if "jit.script" in text and any(self._is_in(v, name) for v in self.spec.variables if v.functions):
                self._list(function, "", f"{text} compiles the text of the file, which has no probes")
        function.body = self.function_body(name, function.body, [a.arg for a in named])

    def _match(self, old: ast.Match) -> None:
        for case in old.cases:
            for node in ast.walk(case.pattern):
                caught = getattr(node, "name", None) or getattr(node, "rest", None)
                for number in self._written([(caught,)] if isinstance(caught, str) else []):
                    case.body[:0] = self._probe(number, case.body[0], "write")

    # loops

    def _loop_rules(self, loop: ast.For | ast.AsyncFor | ast.While) -> list[LoopRule]:
        if isinstance(loop, ast.While):
            read = {n.id for n in ast.walk(loop.test) if isinstance(n, ast.Name)}
            changed = {p[0] for s in [loop.test, *loop.body] for n in ast.walk(s) for p in writes_of(n) if len(p) == 1}
            names = read & changed
        else:
            names = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
        first = (ast.get_source_segment(self.source, loop) or "").partition("\n")[0]
        return [
            rule
            for rule in self.rules
            if self._holds(rule) and (re.search(rule.line, first) if rule.line else rule.var in names)
        ]

    def _set(self, rule: LoopRule, at: ast.AST) -> ast.stmt:
        return _placed(f"{RUNTIME}.set_index({rule.loop!r}, {rule.index})", at)

    def _keyed(self, rule: LoopRule, body: list[ast.stmt], at: ast.AST) -> list[ast.stmt]:
        self.count += 1
        saved = f"{RUNTIME}{self.count}"
        enter = _placed(f"{saved} = {RUNTIME}.enter({rule.loop!r})", at)
        leave = _placed(f"{RUNTIME}.leave({rule.loop!r}, {saved})", at)
        return [enter, ast.copy_location(ast.Try(body, [], [], [leave]), at)]

    # probes

    def _written(self, paths: Sequence[Path]) -> Iterator[int]:
        """The variables, in their order, that writes of these paths change."""
        for number in self.here:
            variable = self.spec.variables[number]
            if variable.trigger.kind == "write" and any(touch(p, w) for p in paths for w in self.watched[number]):
                yield number

    def _on_line(self, old: ast.stmt) -> tuple[list[ast.stmt], list[ast.stmt]]:
        before: list[ast.stmt] = []
        after: list[ast.stmt] = []
        for number in self.here:
            trigger = self.spec.variables[number].trigger
            if trigger.kind in {"before", "after"}:
                text = ast.get_source_segment(self.source, old) or ""
                if hasattr(old, "body"):
                    text = text.partition("\n")[0]
                if re.search(trigger.argument, text, re.MULTILINE):
                    wanted = before if trigger.kind == "before" else after
                    wanted += self._probe(number, old, f"{trigger.kind}: {trigger.argument}")
        return before, after

    def _probe(self, number: int, at: ast.stmt, why: str) -> list[ast.stmt]:
        variable = self.spec.variables[number]
        self.result.placed.append(Placed(self.file, at.lineno, variable.name, why))
        return [_placed(self._call(number), at)]

    def _call(self, number: int, *first: str) -> str:
        variable = self.spec.variables[number]
        indices = {rule.loop: rule.index for rule in self.around or ()} | dict(variable.index)
        index = "".join(f", {loop}=lambda: {text}" for loop, text in indices.items())
        return f"{RUNTIME}.{'then' if first else 'probe'}({''.join(first)}{number}, lambda: {_value(variable)}{index})"

    def walrus(self, node: ast.NamedExpr) -> ast.expr:
        """An assignment inside an expression, with the probes that follow it."""
        result: ast.expr = node
        for number in self._written([(node.target.id,)]):
            self.result.placed.append(Placed(self.file, node.lineno, self.spec.variables[number].name, "write"))
            call = ast.parse(self._call(number, "None, "), mode="eval")
            assert isinstance(call.body, ast.Call)
            call.body.args[0] = result
            result = ast.copy_location(call.body, node)
        return result

    def _list_inner(self, old: ast.stmt) -> list[LoopRule]:
        """List comprehensions over a loop of the pair, whose key must not hold there, and assignments in a lambda."""
        hidden: list[LoopRule] = []
        for node in own_nodes(old):
            if isinstance(node, _COMPREHENSIONS):
                names = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
                called = any(isinstance(n, ast.Call | ast.NamedExpr) for n in ast.walk(node))
                for rule in self.rules:
                    if called and rule.var in names and not rule.line and self._holds(rule):
                        self._list(old, rule.loop, "a comprehension: what is called in it does not get this key")
                        hidden.append(rule)
            elif isinstance(node, ast.Lambda):
                inner = [(n.target.id,) for n in ast.walk(node) if isinstance(n, ast.NamedExpr)]
                for number in self._written(inner):
                    self._list(old, self.spec.variables[number].name, "inside a lambda")
        return hidden

    def _list(self, node: ast.stmt, variable: str, reason: str) -> None:
        text = (ast.get_source_segment(self.source, node) or "").partition("\n")[0]
        self.result.unplaced.append(Unplaced(self.file, node.lineno, variable, text[:100], reason))


class _Walrus(ast.NodeTransformer):
    """Puts probes behind `:=`, outside of functions within."""

    def __init__(self, rewriter: _Rewriter) -> None:
        self.rewriter = rewriter

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        self.generic_visit(node)
        return self.rewriter.walrus(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        return node


def _value(variable: ProbeVariable) -> str:
    return "(" + "".join(f"({expr}), " for expr in variable.exprs) + ")"


def _placed(text: str, at: ast.AST) -> ast.stmt:
    statement = ast.parse(text).body[0]
    for node in ast.walk(statement):
        ast.copy_location(node, at)
    return statement


def _after_future_imports(body: Sequence[ast.stmt]) -> int:
    start = 0
    for place, statement in enumerate(body):
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            start = place + 1
        elif place == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            start = 1
    return start
