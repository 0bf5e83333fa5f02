"""Which loop statements of a C program are loops of the vocabulary, and how their keys are read.

A `for` is the loop of each name that its header initialises or steps; a `while` or `do` that of each name that its
condition reads and its body or condition writes; macros that open a loop and all other cases need a LoopRule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trace_parity.probe.c_syntax import LOOPS, Function, Node, Source, pragma_before, walk
from trace_parity.probe.c_writes import Writes
from trace_parity.probe.spec import LoopRule

_COLLAPSE = re.compile(rb"\bcollapse\s*\(\s*(\d+)\s*\)")


@dataclass(frozen=True)
class KeyedLoop:
    """The body of a loop statement and the (loop, index expression) pairs that hold inside."""

    statement: Node
    body: Node
    keys: tuple[tuple[str, str], ...]


def mask_macros(text: bytes, rules: Sequence[LoopRule]) -> tuple[bytes, dict[int, LoopRule]]:
    """The text with each macro that opens a loop replaced by `if` of the same length, and where each is.

    `FOR(i, n) stmt` is not C before it is expanded; `if (i, n) stmt` has the same shape.
    """
    places: dict[int, LoopRule] = {}
    for rule in rules:
        if len(rule.macro) < 2:
            continue
        name = rule.macro.encode()
        for match in re.finditer(
            rb"(?<![\w#])" + re.escape(name) + rb"(?=\s*\(\s*" + rule.var.encode() + rb"\b)", text
        ):
            line_start = text.rfind(b"\n", 0, match.start()) + 1
            if text[line_start : match.start()].lstrip().startswith(b"#"):
                continue  # its own definition
            places[match.start()] = rule
    masked = bytearray(text)
    for start, rule in places.items():
        masked[start : start + len(rule.macro)] = b"if".ljust(len(rule.macro))
    return bytes(masked), places


def keyed_loops(
    source: Source, writes: Writes, function: Function, rules: Sequence[LoopRule], macros: dict[int, LoopRule]
) -> Iterator[KeyedLoop]:
    """The loops of one function that carry keys. `rules` has a default rule per loop of the vocabulary."""
    here = [rule for rule in rules if not rule.functions or any(function.is_called(name) for name in rule.functions)]
    for node in walk(function.body):
        if node.type == "if_statement" and node.start_byte in macros:
            body = node.child_by_field_name("consequence")
            rule = macros[node.start_byte]
            yield KeyedLoop(node, body, ((rule.loop, rule.index),))
        elif node.type in LOOPS:
            names = _counters(source, writes, node)
            first = source.of(node).splitlines()[0]
            keys = {}
            for rule in here:
                fits = re.search(rule.line, first) if rule.line else not rule.macro and rule.var in names
                if fits:
                    keys[rule.loop] = rule.index
            if keys:
                yield KeyedLoop(node, _innermost(node), tuple(keys.items()))
        elif node.type == "for_range_loop":
            name = source.declared(node.child_by_field_name("declarator"))
            keys = {rule.loop: rule.index for rule in here if rule.var == name}
            if keys:
                yield KeyedLoop(node, node.child_by_field_name("body"), tuple(keys.items()))


def _counters(source: Source, writes: Writes, loop: Node) -> set[str]:
    body = loop.child_by_field_name("body")
    written: set[str] = set()
    if loop.type == "for_statement":
        for field in ("initializer", "update"):
            part = loop.child_by_field_name(field)
            if part is not None:
                written |= {w.lvalue.path[0] for w in writes.under(part)[0] if len(w.lvalue.path) == 1}
                written |= {name for c in walk(part) if c.type == "declaration" for name in _declares(source, c)}
        if written:
            return written
    condition = loop.child_by_field_name("condition")
    if condition is None:
        return written
    read = {source.of(n) for n in walk(condition) if n.type == "identifier"}
    changed = {w.lvalue.path[0] for part in (condition, body) for w in writes.under(part)[0] if w.kind != "call"}
    return read & changed


def _declares(source: Source, declaration: Node) -> Iterator[str]:
    for child in declaration.named_children:
        if child.type in {"identifier", "init_declarator"}:
            name = source.declared(child)
            if name is not None:
                yield name


def _innermost(loop: Node) -> Node:
    """The body; that of the innermost loop when OpenMP collapses several, since nothing may be between those."""
    pragma = pragma_before(loop)
    depth = int(found[1]) if pragma is not None and (found := _COLLAPSE.search(pragma.text)) else 1
    body = loop.child_by_field_name("body")
    for _ in range(depth - 1):
        inner = body
        if inner.type == "compound_statement":
            inner = next((c for c in inner.named_children if c.type == "for_statement"), inner)
        if inner.type != "for_statement":
            break
        body = inner.child_by_field_name("body")
    return body


def jumped_into(body: Node) -> str:
    """Why a loop's body can be entered other than at its start (a case label, a goto from outside); else empty."""
    labels = set()
    for node in walk(body):
        if node.type == "case_statement":
            parent = node.parent
            while parent is not None and parent.type != "switch_statement":
                parent = parent.parent
            if parent is None or parent.start_byte < body.start_byte:
                return "a case label of a switch around it leads into its body"
        elif node.type == "labeled_statement":
            labels.add(node.child_by_field_name("label").text)
    if not labels:
        return ""
    function = body
    while function.parent is not None and function.type != "function_definition":
        function = function.parent
    for node in walk(function):
        outside = not body.start_byte <= node.start_byte < body.end_byte
        if node.type == "goto_statement" and outside and node.child_by_field_name("label").text in labels:
            return f"a goto in line {node.start_point.row + 1} leads into its body"
    return ""
