"""The position of a write's probe: after its statement, within an expression, or nowhere, with the reason.

After a statement is best; a condition, a `for` header or a branch of `?:` and `&&` takes the probe into the expression.
"""

from __future__ import annotations

from trace_parity.probe.c_syntax import OPEN_PARENTS, Lvalue, Node, ancestors, pragma_before, statement_of
from trace_parity.probe.c_writes import Write


def matches(write: Write, watch: Lvalue) -> bool:
    """Whether a write changes what `watch` names: the lvalue itself, a part of it, or a whole that it is part of."""
    depth = min(len(write.lvalue.path), len(watch.path))
    if write.lvalue.path[:depth] != watch.path[:depth]:
        return False
    contents = len(write.lvalue.path) in write.lvalue.followed and len(write.lvalue.path) <= len(watch.path)
    if write.kind == "call" and contents:  # the callee got an address: does the value lie behind it?
        return len(write.lvalue.path) in watch.followed and write.lvalue.depth <= watch.depth
    return True


def placement(node: Node) -> tuple[Node | None, str]:
    """The position of a write's probe: (node, how), or (None, the reason why there is none)."""
    statement = statement_of(node)
    if statement is None:
        return None, 'outside functions: use at = "enter FUNCTION"'
    above = [node, *ancestors(node, statement)]
    if any(n.type in {"lambda_expression", "sizeof_expression"} for n in above):
        return None, f"inside a {next(n.type for n in above if n.type.startswith(('lambda', 'sizeof'))).split('_')[0]}"
    top = above[-1]
    field_name = next(
        (statement.field_name_for_child(i) for i, c in enumerate(statement.children) if c.id == top.id), None
    )
    if statement.type == "for_statement" and field_name in {"initializer", "update"}:
        if top.type == "declaration":
            return above[-2] if len(above) > 1 else node, "declarator"
        return top, "comma"
    chosen = any(
        n.type == "conditional_expression"
        or (n.type == "binary_expression" and n.child_by_field_name("operator").type in {"&&", "||"})
        for n in above
    )
    if statement.type in {"expression_statement", "declaration"} and not (chosen and _has_value(node)):
        why = unfit(statement, "after")
        return (None, why) if why else (statement, "after")
    if not _has_value(node):
        return None, "in a place where no probe fits"
    if b"\n" in node.text and (b"//" in node.text or b"#" in node.text):
        return None, "a comment or a directive inside the expression"
    return node, "wrap"


def _has_value(node: Node) -> bool:
    return node.type in {"assignment_expression", "update_expression", "call_expression"}


def unfit(statement: Node, how: str) -> str:
    """Why a statement cannot have a probe on that side; empty if it can."""
    inside = statement.parent.type not in OPEN_PARENTS
    pragma = pragma_before(statement)
    if pragma is not None and (how == "before" or inside) and b"omp" in pragma.text:
        return "an OpenMP directive belongs to this statement"
    if how == "after" and statement.type in {
        "return_statement",
        "break_statement",
        "continue_statement",
        "goto_statement",
    }:
        return "nothing after this statement is reached"
    if inside and statement.type == "declaration":
        return "a declaration without a block around it"
    return ""
