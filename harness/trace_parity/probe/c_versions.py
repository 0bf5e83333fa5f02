"""Two versions of a function: the text as it is, and a copy with probes that it hands over to when a trace is wanted.

The choice is one branch per call, so that loops without a trace cost the same as without probes. A function whose
copy could behave otherwise, or cannot be declared ahead, keeps its probes within its only version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trace_parity.probe.c_syntax import Function, Node, Source, pragma_before, walk

SUFFIX = "__trace_probed"
_STORAGE = {"static", "extern", "inline", "__inline", "__inline__"}
_NAMES_ITSELF = re.compile(rb"\b(__func__|__FUNCTION__|__PRETTY_FUNCTION__|assert|__COUNTER__)\b")
_OUTER = {
    "translation_unit", "declaration_list",
    "preproc_if", "preproc_ifdef", "preproc_else", "preproc_elif",
}  # fmt: skip


@dataclass(frozen=True)
class Copy:
    """What is written of a copy: its declaration, the hand-over at the start of the original's body, its own head."""

    declared: str
    handed_over: str
    head: str


def copy_of(source: Source, function: Function) -> Copy | None:
    """The copy of a function; None where it must not have one."""
    node, body = function.node, function.body
    declarator = node.child_by_field_name("declarator")
    if node.parent is None or node.parent.type not in _OUTER or pragma_before(node) is not None:
        return None
    if _NAMES_ITSELF.search(node.text) or any(n.type == "ERROR" or n.is_missing for n in walk(node)):
        return None
    pointers = 0
    while declarator.type == "pointer_declarator":
        pointers += 1
        declarator = declarator.child_by_field_name("declarator")
    if declarator.type != "function_declarator" or declarator.child_by_field_name("declarator").type != "identifier":
        return None
    parts = [child for child in node.children if child.id != body.id and child.type != "comment"]
    specifiers, last = parts[:-1], parts[-1]
    if last.id != node.child_by_field_name("declarator").id or declarator.named_children[-1].type != "parameter_list":
        return None  # K&R parameters, attributes or a trailing return type behind the declarator
    for part in (*specifiers, last):
        for inner in walk(part):
            if inner.type.startswith("preproc") or inner.type in _UNFIT or "attribute" in inner.type:
                return None
    names = _arguments(source, declarator.child_by_field_name("parameters"))
    if names is None or len(set(names)) < len(names):
        return None
    kept = [text for s in specifiers for text in _tokens(source, s) if text not in _STORAGE]
    if not kept or "auto" in kept:
        return None
    head = " ".join(kept)
    name = f"{function.name}{SUFFIX}"
    words = " ".join(
        name if n.id == declarator.child_by_field_name("declarator").id else source.of(n) for n in _leaves(last)
    )
    call = f"{name}({', '.join(names)});"
    is_void = kept == ["void"] and not pointers
    hand_over = f"{{ {call} return; }}" if is_void else f"return {call}"
    return Copy(
        f"static __attribute__((noinline, cold, unused)) {head} {words}; ",
        f" if (trace_probe_active()) {hand_over}",
        f"static {head} {words} ",
    )


_UNFIT = {
    "field_declaration_list", "enumerator_list", "variadic_parameter", "...", "optional_parameter_declaration",
    "template_argument_list", "decltype", "placeholder_type_specifier",
    "constexpr", "consteval", "parenthesized_declarator", "string_literal", "qualified_identifier", "ref_qualifier",
}  # fmt: skip


def _arguments(source: Source, parameters: Node) -> list[str] | None:
    """The names of the parameters; None where one has none."""
    names = []
    for parameter in parameters.named_children:
        if parameter.type == "comment":
            continue
        declarator = parameter.child_by_field_name("declarator")
        if declarator is None and source.of(parameter) == "void":
            continue
        name = source.declared(declarator) if parameter.type == "parameter_declaration" else None
        if name is None:
            return None
        names.append(name)
    return names


def _leaves(node: Node) -> list[Node]:
    return [n for n in walk(node) if n.child_count == 0 and n.type != "comment"]


def _tokens(source: Source, node: Node) -> list[str]:
    return [source.of(leaf) for leaf in _leaves(node)]
