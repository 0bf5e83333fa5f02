"""The pipeline as a picture: one box per variable, banded by scope, arrows from what each is computed from.

Within a band a variable is below its inputs. Boxes carry a sign as well as a colour, and link to their row in the
table of variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

from trace_parity.result.result import Result, VariableResult

BOX_W, BOX_H, GAP_X, GAP_Y, PER_ROW, BAND_HEAD, MARGIN = 180, 24, 8, 22, 6, 22, 8
WIDTH = 2 * MARGIN + PER_ROW * (BOX_W + GAP_X) - GAP_X
MOST_NODES = 150
"""Largest number of boxes in a readable picture."""
LONGEST = 22
"""Letters of a name that a box has room for."""

STATES: Mapping[str, tuple[str, str]] = {
    "introduced": ("✗", "introduced here: a side breaks its own equation"),
    "inherited": ("↳", "inherited: both obey the equation, the inputs differ already"),
    "origin": ("✗", "diverges, though what it is computed from agrees"),
    "downstream": ("↳", "diverges, and so does something it is computed from"),
    "inconsistent": ("≠", "breaks its own equation, whatever the other side has"),
    "missing": ("?", "is on one side only"),
    "none": ("–", "not compared"),
    "match": ("✓", "agrees"),
}
"""Sign and meaning of each state of a variable, worst first."""


@dataclass
class Node:
    """A variable in the picture."""

    index: int
    variable: VariableResult
    inputs: list[Node] = field(default_factory=list)
    state: str = "match"
    side: str = ""
    row: int = -1
    x: float = 0.0
    y: float = 0.0

    @property
    def centre(self) -> float:
        """Middle of the box."""
        return self.x + BOX_W / 2


def nodes_of(result: Result) -> list[Node]:
    """Every variable of the result with its inputs and its state."""
    nodes = [Node(i, v) for i, v in enumerate(result.variables)]
    by_name: dict[str, list[Node]] = {}
    for node in nodes:
        by_name.setdefault(node.variable.name, []).append(node)
    for node in nodes:
        named = (_input(by_name.get(name, []), node) for name in node.variable.depends_on)
        node.inputs = [n for n in named if n is not None]
    blamed = _blamed(result)
    for node in nodes:
        node.state, node.side = _state(node, blamed)
    return nodes


def _input(of_that_name: list[Node], of: Node) -> Node | None:
    """The variable that a dependency means: of the same scope, else the last one of that name before it."""
    others = [n for n in of_that_name if n is not of]
    same = [n for n in others if n.variable.scope == of.variable.scope]
    return next(iter(same), None) or next((n for n in reversed(others) if n.index < of.index), None)


def _blamed(result: Result) -> dict[tuple[str, str], tuple[str, str]]:
    """(kind, side) by (scope, variable). Introduced outweighs inherited where the places of one variable differ."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for finding in result.blame.findings if result.blame is not None else ():
        key = (finding.scope, finding.variable)
        if finding.kind == "introduced":
            sides = {finding.side, *filter(None, [found[key][1]] if found.get(key, ("",))[0] == "introduced" else [])}
            found[key] = ("introduced", "+".join(sorted(sides)))
        elif finding.kind == "inherited":
            found.setdefault(key, ("inherited", ""))
        elif finding.kind == "self-inconsistent":
            found.setdefault(key, ("inconsistent", finding.side))
    return found


def _state(node: Node, blamed: Mapping[tuple[str, str], tuple[str, str]]) -> tuple[str, str]:
    v = node.variable
    said = blamed.get((v.scope, v.name), ("", ""))
    if said[0] == "introduced" and not v.divergent:
        return "inconsistent", said[1]  # both logs say the same, and it does not follow from one of them
    if said[0] == "inconsistent" or (said[0] and v.divergent):
        return said
    if v.divergent:
        return ("downstream" if any(n.variable.divergent for n in node.inputs) else "origin"), ""
    if v.status == "missing":
        return "missing", ""
    return ("match" if v.compared else "none"), ""


def nodes_to_draw(nodes: list[Node]) -> list[Node]:
    """The nodes of the picture: all, or of many variables those that do not agree, and what these come from."""
    if len(nodes) <= MOST_NODES:
        return nodes
    bad = [n for n in nodes if n.state not in ("match", "none")][:MOST_NODES]
    kept = {n.index: n for n in bad}
    for node in bad:
        for source in node.inputs:
            if len(kept) < MOST_NODES:
                kept.setdefault(source.index, source)
    drawn = [kept[index] for index in sorted(kept)]
    for node in drawn:
        node.inputs = [n for n in node.inputs if n.index in kept]
    return drawn


def graph_svg(nodes: list[Node]) -> str:
    """The <svg> element; empty for no variables."""
    if not nodes:
        return ""
    bands, height = _lay_out(nodes)
    parts = [
        f'<svg class="graph" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="group" '
        'aria-label="variables in order of evaluation, with what each is computed from">',
    ]
    for scope, top, bottom in bands:
        parts.append(f'<rect class="band" x="0" y="{top}" width="{WIDTH}" height="{bottom - top}" rx="6"/>')
        parts.append(f'<text class="scope" x="{MARGIN}" y="{top + 15}">{escape(scope)}</text>')
    parts += [_edge(source, node) for node in nodes for source in node.inputs]
    parts += [_box(node) for node in nodes]
    return "".join(parts) + "</svg>"


def _lay_out(nodes: list[Node]) -> tuple[list[tuple[str, float, float]], float]:
    """Give each node its place; returns (scope, top, bottom) per band and the height of all."""
    bands, y = [], 0.0
    for scope in dict.fromkeys(n.variable.scope for n in nodes):
        members = [n for n in nodes if n.variable.scope == scope]
        top, y = y, y + BAND_HEAD
        for row in _rows(members):
            for column, node in enumerate(row):
                indent = (PER_ROW - len(row)) * (BOX_W + GAP_X) / 2
                node.x, node.y = MARGIN + indent + column * (BOX_W + GAP_X), y
            y += BOX_H + GAP_Y
        y += MARGIN - GAP_Y
        bands.append((scope, top, y))
        y += 10
    return bands, y - 10


def _rows(members: list[Node]) -> Iterable[list[Node]]:
    """Rows of at most PER_ROW boxes, inputs above; within a row by the places of their inputs."""
    depths: dict[int, int] = {}
    within = {n.index for n in members}

    def depth(node: Node, above: frozenset[int]) -> int:
        if node.index not in depths:
            inner = [n for n in node.inputs if n.index in within and n.index not in above]
            depths[node.index] = 1 + max((depth(n, above | {node.index}) for n in inner), default=-1)
        return depths[node.index]

    for node in members:
        depth(node, frozenset({node.index}))
    for level in sorted(set(depths.values())):
        row = [n for n in members if depths[n.index] == level]
        even = -(-len(row) // -(-len(row) // PER_ROW))  # seven boxes make rows of four and three, not of six and one
        for start in range(0, len(row), even):
            chunk = row[start : start + even]
            chunk.sort(key=lambda n: sum(i.centre for i in n.inputs) / len(n.inputs) if n.inputs else n.index)
            yield chunk


def _edge(source: Node, node: Node) -> str:
    bad = " bad" if source.variable.divergent and node.variable.divergent else ""
    x1, y1, x2, y2 = source.centre, source.y + BOX_H, node.centre, node.y
    bend = max(14.0, min(60.0, abs(y2 - y1) / 2))
    return (
        f'<path class="edge{bad}" data-from="{source.index}" data-to="{node.index}" '
        f'd="M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"/>'
    )


def _box(node: Node) -> str:
    v = node.variable
    sign, meaning = STATES[node.state]
    shown = v.name if len(v.name) <= LONGEST else v.name[: LONGEST - 1] + "…"
    side = f" {node.side}" if node.side else ""
    said = f"{sign}{side} {shown}: {v.scope}.{v.name} {meaning}{side and f' ({node.side})'}. {v.description}"
    return (
        f'<a class="node {node.state}" href="#v{node.index}" data-node="{node.index}" aria-label="{escape(said)}">'
        f"<title>{escape(said)}</title>"
        f'<rect x="{node.x:.0f}" y="{node.y:.0f}" width="{BOX_W}" height="{BOX_H}" rx="4"/>'
        f'<text x="{node.x + 7:.0f}" y="{node.y + 16:.0f}"><tspan class="sign">{sign}{escape(side)}</tspan> '
        f"{escape(shown)}</text></a>"
    )


def legend(nodes: list[Node]) -> list[tuple[str, str, str, int]]:
    """(state, sign, meaning, count) of the states that occur."""
    counts = {state: sum(1 for n in nodes if n.state == state) for state in STATES}
    return [(s, *STATES[s], count) for s, count in counts.items() if count]
