"""The text of an instrumented source: what is added around the nodes of its tree, and the copies of its functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from trace_parity.probe.c_syntax import Node, Source, walk
from trace_parity.probe.c_versions import copy_of


@dataclass
class Additions:
    """Text around a node: `{`, loop entries, what comes before; what comes after, `}`."""

    brace: bool = False
    enters: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)

    def texts(self) -> tuple[str, str]:
        """What comes before the node and what after it."""
        opening = ("{ " if self.brace else "") + "".join(self.enters) + "".join(self.before)
        return opening, "".join(self.after) + (" }" if self.brace else "")


def line_mark(source: Source, line: int) -> bytes:
    """A directive after which the text counts as that line of the file."""
    name = str(source.path).replace("\\", "\\\\").replace('"', '\\"')
    return f'#line {line} "{name}"\n'.encode()


def written_out(source: Source, added: Mapping[int, Additions], copies: bool) -> bytes:
    """The whole text: with `copies`, functions with probes twice where they can have a copy."""
    pieces: list[bytes] = []
    position = 0
    for function in source.definitions if copies else ():
        node, body = function.node, function.body
        own = position <= node.start_byte and any(n.id in added for n in walk(node))
        copy = copy_of(source, function) if own else None
        if copy is None:
            continue
        inside = body.start_byte + 1
        pieces += [_with_probes(source, added, position, node.start_byte), copy.declared.encode()]
        pieces += [source.text[node.start_byte : inside], copy.handed_over.encode()]
        pieces += [source.text[inside : node.end_byte], b"\n", line_mark(source, body.start_point.row + 1)]
        ends_with_0 = function.name == "main" and not copy.head.startswith("static void ")
        end = b" return 0; }\n" if ends_with_0 else b"}\n"  # main alone may end without a return
        pieces += [copy.head.encode(), _with_probes(source, added, body.start_byte, body.end_byte - 1), end]
        pieces.append(line_mark(source, node.end_point.row + 1))
        position = node.end_byte
    return b"".join([*pieces, _with_probes(source, added, position, len(source.text))])


def _with_probes(source: Source, added: Mapping[int, Additions], start: int, end: int) -> bytes:
    """A part of the text with its probes."""
    pieces: list[bytes] = []
    position = start
    for node, entering in _visits(source.root, start, end):
        found = added.get(node.id)
        if found is None or node.start_byte < start or node.end_byte > end:
            continue
        at = node.start_byte if entering else node.end_byte
        opening, closing = found.texts()
        if text := opening if entering else closing:
            pieces += [source.text[position:at], text.encode()]
            position = at
    return b"".join([*pieces, source.text[position:end]])


def _visits(root: Node, start: int, end: int) -> Iterator[tuple[Node, bool]]:
    """Each node that lies in a part of the text at least partly, on the way down and again on the way up."""
    pending = [(root, True)]
    while pending:
        node, entering = pending.pop()
        yield node, entering
        if entering:
            pending.append((node, False))
            inside = (c for c in reversed(node.children) if c.end_byte >= start and c.start_byte <= end)
            pending.extend((child, True) for child in inside)
