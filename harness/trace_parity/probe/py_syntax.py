"""Python's syntax tree as the probes need it: which names a statement assigns, which an expression reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from trace_parity.probe.spec import ProbeVariable

Path = tuple[str, ...]
"""`self.dr[0]` as ("self", "dr")."""
IN_PLACE = set("append extend insert sort reverse pop remove clear update setdefault add discard fill".split())


def own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement, without the statements inside it."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        pending += [
            n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]


def is_generator(body: Sequence[ast.stmt]) -> bool:
    """Whether statements yield, functions within apart."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending += ast.iter_child_nodes(node)
    return False


def is_called(wanted: str, name: str) -> bool:
    """Whether `in = "forces"` means the function `forces` or `Model.forces`."""
    return name == wanted or name.endswith(f".{wanted}")


def watched_by(variable: ProbeVariable) -> list[Path]:
    """The names and attributes whose assignments count: the given ones, else those that the expressions read."""
    found: dict[Path, None] = {}
    for text in variable.watch or variable.exprs:
        pending: list[ast.AST] = [ast.parse(text.strip(), mode="eval").body]
        while pending:
            node = pending.pop(0)
            if (path := path_of(node)) is not None:
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


def path_of(node: ast.AST) -> Path | None:
    """`self.dr[0]` as ("self", "dr")."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        inner = path_of(node.value)
        return (*inner, node.attr) if inner else None
    if isinstance(node, (ast.Subscript, ast.Starred)):
        return path_of(node.value)
    return None


def touch(written: Path, watched: Path) -> bool:
    """Whether a write of one changes the other: the same, a part of it, or a whole that it is part of."""
    depth = min(len(written), len(watched))
    return written[:depth] == watched[:depth]


def targets_of(node: ast.AST) -> list[Path]:
    """The names and attributes that a target of an assignment sets."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return [path for inner in node.elts for path in targets_of(inner)]
    path = path_of(node)
    return [path] if path else []


def writes_of(node: ast.AST) -> list[Path]:
    """What a simple statement (or any node) assigns or changes in place, `:=` apart."""
    if isinstance(node, ast.Assign):
        paths = [path for target in node.targets for path in targets_of(target)]
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        paths = targets_of(node.target) if node.value is not None else []
    else:
        paths = []
    for call in ast.walk(node) if isinstance(node, ast.stmt) else []:
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Attribute):
            method = call.func.attr
            if (method.endswith("_") and not method.endswith("__")) or method in IN_PLACE:
                paths += targets_of(call.func.value)
        paths += [path for k in call.keywords if k.arg == "out" for path in targets_of(k.value)]
    return paths


def header_writes(node: ast.stmt) -> list[Path]:
    """What the header of a `for` or `with` sets before each pass of the body."""
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return targets_of(node.target)
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return [
            path for item in node.items if item.optional_vars is not None for path in targets_of(item.optional_vars)
        ]
    return []
