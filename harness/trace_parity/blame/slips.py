"""What an expression of a vocabulary becomes by one slip: another function or number, a term or factor left out."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Collection, Iterator

ROUNDINGS = ("round", "floor", "ceil")
SWAPPED = {"sin": "cos", "cos": "sin", "min": "max", "max": "min"}
OF_ANGLE, TO_ANGLE = ("sin", "cos", "tan"), ("asin", "acos", "atan", "atan2")
MIXED_UP = "degrees for radians or radians for degrees"
DROPPED = ("sqrt", "abs", "sign", "unit", "exp", "log")


def slips(tree: ast.expr, terms: Collection[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """The words for each slip and the tree that it makes; what is in `terms` stays as it is."""
    if tree in terms:
        return
    yield from _of_node(tree)
    for name, value in ast.iter_fields(tree):
        children = value if isinstance(value, list) else [value]
        for n, child in enumerate(children):
            if not isinstance(child, ast.expr) or name in ("func", "slice"):
                continue
            for words, changed in slips(child, terms):
                made = copy.copy(tree)
                setattr(
                    made, name, [*children[:n], changed, *children[n + 1 :]] if isinstance(value, list) else changed
                )
                yield words, made


def _of_node(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        name = node.func.id
        others = [other for other in ROUNDINGS if name in ROUNDINGS and other != name]
        for other in [*others, *([SWAPPED[name]] if name in SWAPPED else [])]:
            yield f"{other} in place of {name}", ast.Call(ast.Name(other), node.args, [])
        for factor, word in ((180 / math.pi, "57.2958"), (math.pi / 180, "1/57.2958")):
            times = ast.Constant(factor)
            if name in OF_ANGLE:
                turned: list[ast.expr] = [ast.BinOp(argument, ast.Mult(), times) for argument in node.args]
                yield f"{name} of its angle times {word}: {MIXED_UP}", ast.Call(node.func, turned, [])
            elif name in TO_ANGLE:
                yield f"{name} times {word}: {MIXED_UP}", ast.BinOp(node, ast.Mult(), times)
        if name in (*ROUNDINGS, *DROPPED) and len(node.args) == 1:
            yield f"without {name}", node.args[0]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        right = ast.unparse(node.right)
        yield f"without the term {right}", node.left
        yield f"without the term {ast.unparse(node.left)}", _signed(node)
        opposite: ast.operator = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield f"with the other sign before {right}", ast.BinOp(node.left, opposite, node.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        word = "factor" if isinstance(node.op, ast.Mult) else "divisor"
        yield f"without the {word} {ast.unparse(node.right)}", node.left
        if isinstance(node.op, ast.Mult):
            yield f"without the factor {ast.unparse(node.left)}", node.right
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and node.value:
        for value in (2 * node.value, node.value / 2, node.value + 1, node.value - 1):
            yield f"{value:g} in place of {node.value:g}", ast.Constant(value)


def _signed(node: ast.BinOp) -> ast.expr:
    """The right side alone, with its sign."""
    return ast.UnaryOp(ast.USub(), node.right) if isinstance(node.op, ast.Sub) else node.right
