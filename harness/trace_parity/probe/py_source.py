"""Put probes into Python source as it is imported: after every assignment to a traced name, a read of its value.

The rewriting works on the syntax tree and keeps all line numbers. Loop targets and parameters that are loops of the
vocabulary become keys, whichever way the loop is left.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from trace_parity.probe.spec import LoopRule, Placed, ProbeSpec, ProbeVariable, Unplaced

RUNTIME = "__trace_probe__"
MODULE = "<module>"
"""The name of a module's own statements in `in`."""
_Path = tuple[str, ...]
_IN_PLACE = {"append", "extend", "insert"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


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
        self.watched = [_watched(variable) for variable in spec.variables]
        self.here: list[int] = []  # the variables that the present function may set
        self.name = MODULE
        self.count = 0

    # functions

    def function_body(self, name: str, body: list[ast.stmt], parameters: Sequence[str]) -> list[ast.stmt]:
        """The statements of a function (or the module) with probes."""
        outside = self.name, self.here
        self.name = name
        self.here = [n for n, variable in enumerate(self.spec.variables) if self._is_in(variable, name)]
        self.result.functions.append(name)
        start = 1 if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else 0
        entry: list[ast.stmt] = []
        for number, variable in enumerate(self.spec.variables):
            if variable.trigger.kind == "enter" and _names(variable.trigger.argument, name):
                entry += self._probe(number, body[0], f"enter {name}")
        inner = [*entry, *self._block(body[start:])]
        for rule in self.rules:
            if rule.var in parameters and not rule.line and self._holds(rule):
                inner = self._keyed(rule, [self._set(rule, body[0]), *inner], body[0])
        self.name, self.here = outside
        return [*body[:start], *inner]

    def _is_in(self, variable: ProbeVariable, name: str) -> bool:
        if variable.trigger.kind == "enter":
            return False
        if not variable.functions:
            return True
        return any(_names(wanted, name) for wanted in variable.functions)

    def _holds(self, rule: LoopRule) -> bool:
        return not rule.functions or any(_names(wanted, self.name) for wanted in rule.functions)

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
        if isinstance(old, (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try, ast.Match)):
            return [*before, *self._compound(old, names), *after]
        after += [p for n in self._written(_writes(old)) for p in self._probe(n, old, "write")]
        if isinstance(old, ast.Return) and after:
            self._list(old, "", "nothing after this statement is reached")
            after = []
        return [*before, names.visit(old), *after]

    def _compound(self, old: ast.stmt, names: _Walrus) -> list[ast.stmt]:
        rules: list[LoopRule] = []
        if isinstance(old, (ast.For, ast.AsyncFor, ast.While)):
            rules = self._loop_rules(old)
        for part in ("test", "iter", "subject"):
            if hasattr(old, part):
                setattr(old, part, names.visit(getattr(old, part)))
        if isinstance(old, (ast.With, ast.AsyncWith)):
            old.items = [names.visit(item) for item in old.items]
        for part in ("body", "orelse", "finalbody"):
            if getattr(old, part, None):
                setattr(old, part, self._block(getattr(old, part)))
        for inner in [*getattr(old, "handlers", ()), *getattr(old, "cases", ())]:
            inner.body = self._block(inner.body)
        if isinstance(old, ast.Match):
            self._match(old)
        set_here = [p for n in self._written(_header_writes(old)) for p in self._probe(n, old, "write")]
        if isinstance(old, (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith)):
            old.body = [*(self._set(rule, old) for rule in rules), *set_here, *old.body]
        result: list[ast.stmt] = [old]
        for rule in rules:
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
            changed = {p[0] for s in [loop.test, *loop.body] for n in ast.walk(s) for p in _writes(n) if len(p) == 1}
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

    def _written(self, paths: Sequence[_Path]) -> Iterator[int]:
        """The variables, in their order, that writes of these paths change."""
        for number in self.here:
            variable = self.spec.variables[number]
            if variable.trigger.kind == "write" and any(_touch(p, w) for p in paths for w in self.watched[number]):
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
        return [_placed(f"{RUNTIME}.probe({number}, lambda: {_value(variable)})", at)]

    def walrus(self, node: ast.NamedExpr) -> ast.expr:
        """An assignment inside an expression, with the probes that follow it."""
        result: ast.expr = node
        for number in self._written([(node.target.id,)]):
            self.result.placed.append(Placed(self.file, node.lineno, self.spec.variables[number].name, "write"))
            call = ast.parse(
                f"{RUNTIME}.then(None, {number}, lambda: {_value(self.spec.variables[number])})", mode="eval"
            )
            assert isinstance(call.body, ast.Call)
            call.body.args[0] = result
            result = ast.copy_location(call.body, node)
        return result

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


def _names(wanted: str, name: str) -> bool:
    """Whether `in = "forces"` means the function `forces` or `Model.forces`."""
    return name == wanted or name.endswith(f".{wanted}")


def _watched(variable: ProbeVariable) -> list[_Path]:
    """The names and attributes whose assignments count: the given ones, else those that the expressions read."""
    found: dict[_Path, None] = {}
    for text in variable.watch or variable.exprs:
        pending: list[ast.AST] = [ast.parse(text.strip(), mode="eval").body]
        while pending:
            node = pending.pop(0)
            if (path := _path(node)) is not None:
                found[path] = None
            elif isinstance(node, ast.Call):
                method = node.func.value if isinstance(node.func, ast.Attribute) else None
                known = method is not None and not (
                    isinstance(method, ast.Name) and method.id in {"torch", "np", "math"}
                )
                pending += [
                    *([method] if known and method is not None else []),
                    *node.args,
                    *(k.value for k in node.keywords),
                ]
            elif isinstance(node, ast.Subscript):
                pending.append(node.value)
            else:
                pending += ast.iter_child_nodes(node)
    return list(found)


def _path(node: ast.AST) -> _Path | None:
    """`self.dr[0]` as ("self", "dr")."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        inner = _path(node.value)
        return (*inner, node.attr) if inner else None
    if isinstance(node, (ast.Subscript, ast.Starred)):
        return _path(node.value)
    return None


def _touch(written: _Path, watched: _Path) -> bool:
    depth = min(len(written), len(watched))
    return written[:depth] == watched[:depth]


def _targets(node: ast.AST) -> list[_Path]:
    if isinstance(node, (ast.Tuple, ast.List)):
        return [path for inner in node.elts for path in _targets(inner)]
    path = _path(node)
    return [path] if path else []


def _writes(node: ast.AST) -> list[_Path]:
    """What a simple statement (or any node) assigns or changes in place, `:=` apart."""
    if isinstance(node, ast.Assign):
        paths = [path for target in node.targets for path in _targets(target)]
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        paths = _targets(node.target) if node.value is not None else []
    else:
        paths = []
    for call in ast.walk(node) if isinstance(node, ast.stmt) else []:
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Attribute):
            method = call.func.attr
            if (method.endswith("_") and not method.endswith("__")) or method in _IN_PLACE:
                paths += _targets(call.func.value)
        paths += [path for k in call.keywords if k.arg == "out" for path in _targets(k.value)]
    return paths


def _header_writes(node: ast.stmt) -> list[_Path]:
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return _targets(node.target)
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return [path for item in node.items if item.optional_vars is not None for path in _targets(item.optional_vars)]
    return []
