"""C as tree-sitter reads it: functions, statements, lvalues. C++ that tree-sitter-cpp reads goes through the same code.

An lvalue is identified by its path: `p->v[3]` is ("p", "v"), `*x` is ("x",). Subscripts do not count, so a write of one
component is a write of the vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError

Node = Any
"""A tree-sitter node; the library is an optional dependency, so its types are not named here."""
Path_ = tuple[str, ...]

CXX = {".cc", ".cpp", ".cxx", ".hpp", ".hh", ".C", ".cu"}
STATEMENTS = {
    "expression_statement",
    "declaration",
    "if_statement",
    "for_statement",
    "for_range_loop",
    "while_statement",
    "do_statement",
    "switch_statement",
    "return_statement",
    "break_statement",
    "continue_statement",
    "goto_statement",
    "labeled_statement",
    "compound_statement",
}
LOOPS = {"for_statement", "while_statement", "do_statement"}
OPEN_PARENTS = {"compound_statement", "case_statement", "preproc_if", "preproc_ifdef", "preproc_else", "preproc_elif"}
"""Where one statement may become several without braces."""


@dataclass(frozen=True)
class Lvalue:
    """A path, and after how many of its names an address is dereferenced: 1 for `v[1]` and `*p`, 2 for `q.v[1]`.

    `depth`: how often an address is dereferenced in all, 2 for `m[0][1]`.
    """

    path: Path_
    followed: frozenset[int] = frozenset()
    depth: int = 0

    def member(self, name: str, arrow: bool) -> Lvalue:
        """`self.name` or `self->name`."""
        inner = self.inside() if arrow else self
        return Lvalue((*self.path, name), inner.followed, inner.depth)

    def inside(self) -> Lvalue:
        """`self[...]` or `*self`."""
        return Lvalue(self.path, self.followed | {len(self.path)}, self.depth + 1)


@dataclass(frozen=True)
class Function:
    """A function definition. `parameters`: names in order, None where one has none."""

    name: str
    node: Node
    body: Node
    parameters: tuple[str | None, ...]

    def is_called(self, name: str) -> bool:
        """Whether a pair means this function by `name`: `forces` is `Cluster::forces` too."""
        return self.name == name or self.name.endswith(f"::{name}")


class Source:
    """One parsed file. `masked`: the text to parse, of the same length, without the macros that open loops."""

    def __init__(self, path: Path, text: bytes, masked: bytes | None = None) -> None:
        self.path = path
        self.text = text
        self.root = _parser(path).parse(masked or text).root_node

    def of(self, node: Node) -> str:
        """The text of a node."""
        return self.text[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def line(self, node: Node) -> int:
        """The line that a node begins on, from 1."""
        return int(node.start_point.row) + 1

    @cached_property
    def definitions(self) -> list[Function]:
        """All function definitions, in order of the text; several of one name behind `#if`, or overloaded."""
        nodes = (node for node in walk(self.root) if node.type == "function_definition")
        return [function for node in nodes if (function := self._function(node))]

    @cached_property
    def functions(self) -> dict[str, Function]:
        """By name; the last definition where there are several."""
        return {function.name: function for function in self.definitions}

    @cached_property
    def macros(self) -> dict[str, tuple[tuple[str, ...], str]]:
        """Parameters and replacement of each `#define` in the file."""
        found = {}
        for node in walk(self.root):
            if node.type in {"preproc_function_def", "preproc_def"}:
                parameters = node.child_by_field_name("parameters")
                names = tuple(self.of(c) for c in parameters.named_children) if parameters else ()
                value = node.child_by_field_name("value")
                found[self.of(node.child_by_field_name("name"))] = (names, self.of(value) if value else "")
        return found

    def declarations(self, function: Function) -> dict[str, list[tuple[int, int, int]]]:
        """Where each name is declared in a function: (start, start and end of the block that it is visible in)."""
        found: dict[str, list[tuple[int, int, int]]] = {}
        for node in walk(function.node):
            if node.type in {"declaration", "parameter_declaration", "for_range_loop"}:
                block = function.node if node.type == "parameter_declaration" else _block(node)
                for i, child in enumerate(node.children):
                    if node.field_name_for_child(i) == "declarator" and (name := self.declared(child)):
                        found.setdefault(name, []).append((child.start_byte, block.start_byte, block.end_byte))
        return found

    def broken(self) -> list[Node]:
        """Where the parser gave up."""
        return [node for node in walk(self.root) if node.type == "ERROR" or node.is_missing]

    def lvalue(self, node: Node | None) -> Lvalue | None:
        """The lvalue that an expression is, or None."""
        if node is None:
            return None
        if node.type == "identifier":
            return Lvalue((self.of(node),))
        if node.type == "field_expression":
            inner = self.lvalue(node.child_by_field_name("argument"))
            name = self.of(node.child_by_field_name("field"))
            arrow = any(child.type == "->" for child in node.children)
            return inner and inner.member(name, arrow)
        if node.type in {"subscript_expression", "pointer_expression", "cast_expression"}:
            if node.type == "pointer_expression" and node.children[0].type == "&":
                return None
            inner = self.lvalue(node.child_by_field_name("value" if node.type == "cast_expression" else "argument"))
            return inner if inner is None or node.type == "cast_expression" else inner.inside()
        if node.type == "parenthesized_expression" and node.named_child_count == 1:
            return self.lvalue(node.named_children[0])
        if node.type == "binary_expression" and node.child_by_field_name("operator").type in {"+", "-"}:
            return self.lvalue(node.child_by_field_name("left"))  # *(p + 1)
        return None

    def _function(self, node: Node) -> Function | None:
        declarator = node.child_by_field_name("declarator")
        while declarator is not None and declarator.type != "function_declarator":
            inner = declarator.child_by_field_name("declarator")
            if inner is None and declarator.type == "reference_declarator":  # it names no field
                inner = declarator.named_children[-1]
            declarator = inner
        body = node.child_by_field_name("body")
        if declarator is None or body is None or body.type != "compound_statement":
            return None
        parameters = declarator.child_by_field_name("parameters")
        named = parameters.named_children if parameters else []
        names = tuple(
            self.of(p) if p.type == "identifier" else self.declared(p.child_by_field_name("declarator"))
            for p in named
            if p.type != "comment"
        )
        return Function(self.of(declarator.child_by_field_name("declarator")), node, body, names)

    def declared(self, declarator: Node | None) -> str | None:
        """The name that a declarator declares."""
        while declarator is not None and declarator.type not in {"identifier", "field_identifier"}:
            inner = declarator.child_by_field_name("declarator")
            if inner is None:
                inner = next(
                    (c for c in declarator.named_children if c.type.endswith(("declarator", "identifier"))), None
                )
            declarator = inner
        return self.of(declarator) if declarator is not None else None


def _parser(path: Path) -> Any:
    try:
        import tree_sitter

        grammar = import_module("tree_sitter_cpp" if path.suffix in CXX else "tree_sitter_c")
    except ImportError as error:
        raise HarnessError(
            Exit.USAGE,
            f"{error.name} is not installed",
            where=str(path),
            hint="pip install 'trace-parity[probe]' (tree-sitter, tree-sitter-c; tree-sitter-cpp for C++)",
        ) from error
    return tree_sitter.Parser(tree_sitter.Language(grammar.language()))


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in order of the text, without recursion."""
    pending = [node]
    while pending:
        top = pending.pop()
        yield top
        pending.extend(reversed(top.children))


def statement_of(node: Node) -> Node | None:
    """The innermost statement that holds a node, itself included; None outside functions."""
    while node is not None and (node.type not in STATEMENTS or _in_header(node)):
        node = node.parent
    return node


def _block(node: Node) -> Node:
    """The block, or the for statement, that a declaration belongs to."""
    if node.type != "for_range_loop":
        node = node.parent
        while node.type not in {"compound_statement", "for_statement", "function_definition"}:
            node = node.parent
    return node


def _in_header(node: Node) -> bool:
    """Whether a declaration is in the header of its for loop."""
    parent = node.parent
    return bool(
        parent is not None
        and parent.type == "for_statement"
        and (body := parent.child_by_field_name("body")) is not None
        and body.id != node.id
    )


def ancestors(node: Node, until: Node) -> Iterator[Node]:
    """The nodes above `node`, up to but without `until`."""
    parent = node.parent
    while parent is not None and parent.id != until.id:
        yield parent
        parent = parent.parent


def pragma_before(node: Node) -> Node | None:
    """The `#pragma` line that a statement follows, where there is one."""
    before = node.prev_named_sibling
    while before is not None and before.type == "comment":
        before = before.prev_named_sibling
    return before if before is not None and before.type == "preproc_call" else None
