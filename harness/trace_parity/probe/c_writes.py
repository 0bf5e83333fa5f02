"""What each expression of a C function writes to, through assignments, declarations, calls and macros.

A call writes to every address and array that it gets, unless its callee is known not to: from its own text if it is in
the file, from a list for the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trace_parity.probe.c_syntax import Function, Lvalue, Node, Source, walk

READERS = set(
    "printf fprintf dprintf puts fputs perror fwrite write free fclose fflush fopen getenv assert va_start va_end"
    " strlen strcmp strncmp memcmp memchr strchr strstr strtod strtol strtoul atoi atol atof".split()
)
"""Functions of the standard library that do not write to their arguments."""
WRITES_FIRST_ONLY = set(
    "memcpy memmove memset strcpy strncpy strcat strncat sprintf snprintf vsnprintf fread fgets qsort".split()
)
"""Those that write to their first argument alone."""
ANYTHING = "*"
"""The path of a doubt that may concern any variable."""


@dataclass(frozen=True)
class Write:
    """One expression (or declarator) that writes. `kind`: assign, declare, move (`p++`, `p += 1`), call or macro."""

    node: Node
    lvalue: Lvalue
    kind: str
    fresh: bool = False  # plain `=`: may set a pointer to NULL


@dataclass(frozen=True)
class Doubt:
    """Something that may write without being seen."""

    node: Node
    lvalue: Lvalue
    reason: str
    contents: bool  # only what the lvalue points at


class Writes:
    """The writes of the functions of one file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._through: dict[tuple[str, int], bool] = {}
        self._of_macro: dict[str, tuple[Lvalue, ...] | None] = {}
        self._of: dict[int, tuple[list[Write], list[Doubt]]] = {}

    def of(self, function: Function) -> tuple[list[Write], list[Doubt]]:
        """All writes in a function's body, and those that may be missed, in order of the text."""
        if function.node.id not in self._of:
            self._of[function.node.id] = self.under(function.body)
        return self._of[function.node.id]

    def under(self, node: Node) -> tuple[list[Write], list[Doubt]]:
        """The same for any piece of the tree."""
        writes: list[Write] = []
        doubts: list[Doubt] = []
        for part in walk(node):
            if part.type == "call_expression":
                found, unsure = self._call(part)
                writes += found
                doubts += unsure
            elif part.type == "identifier" and self._is_object_macro(part):
                writes += [Write(part, lvalue, "macro") for lvalue in self._macro(self.source.of(part)) or ()]
            else:
                writes += self._plain(part)
                doubts += self._kept(part)
        return writes, doubts

    def _plain(self, node: Node) -> Iterator[Write]:
        source = self.source
        if node.type == "assignment_expression":
            lvalue = source.lvalue(node.child_by_field_name("left"))
            if lvalue is not None:
                plain = node.child_by_field_name("operator").type == "="
                yield Write(node, lvalue, "assign" if plain else "move", fresh=plain)
        elif node.type == "update_expression":
            lvalue = source.lvalue(node.child_by_field_name("argument"))
            if lvalue is not None:
                yield Write(node, lvalue, "move")
        elif node.type == "init_declarator":
            declarator = node.child_by_field_name("declarator")
            name = source.declared(declarator)
            if name is not None and not _is_static(node.parent):
                lvalue = Lvalue((name,))
                array = declarator.type == "array_declarator"
                yield Write(node, lvalue.inside() if array else lvalue, "declare", fresh=not array)

    def _kept(self, node: Node) -> Iterator[Doubt]:
        """Addresses that go into a pointer: what is written through it is not seen."""
        value = {"assignment_expression": "right", "init_declarator": "value"}.get(node.type)
        given = node.child_by_field_name(value) if value else None
        if given is None:
            return
        while given.type == "cast_expression":
            given = given.child_by_field_name("value")
        if given.type == "pointer_expression" and given.children[0].type == "&":
            lvalue, contents = self.source.lvalue(given.child_by_field_name("argument")), False
        else:
            lvalue, contents = self.source.lvalue(given), True
        if lvalue is not None:
            yield Doubt(node, lvalue, "its address is kept in a pointer: writes through that are not seen", contents)

    def _call(self, call: Node) -> tuple[list[Write], list[Doubt]]:
        source = self.source
        callee = source.of(call.child_by_field_name("function"))
        arguments = [c for c in call.child_by_field_name("arguments").named_children if c.type != "comment"]
        if callee in source.macros:
            return self._macro_call(call, callee, arguments)
        writes, doubts = [], []
        for place, argument in enumerate(arguments):
            while argument.type == "cast_expression":
                argument = argument.child_by_field_name("value")
            by_address = argument.type == "pointer_expression" and argument.children[0].type == "&"
            lvalue = source.lvalue(argument.child_by_field_name("argument") if by_address else argument)
            if lvalue is None:
                continue
            if self._writes_through(callee, place):
                writes.append(Write(call, lvalue if by_address else lvalue.inside(), "call"))
            elif not by_address and self._by_reference(callee, place):
                writes.append(Write(call, lvalue, "call"))
            if not by_address and callee.isupper() and callee not in source.functions:
                doubts.append(
                    Doubt(
                        call, lvalue, f"{callee} is not defined in this file and may be a macro that writes it", False
                    )
                )
        return writes, doubts

    def _macro_call(self, call: Node, name: str, arguments: list[Node]) -> tuple[list[Write], list[Doubt]]:
        written = self._macro(name)
        parameters = self.source.macros[name][0]
        given = dict(zip(parameters, (self.source.lvalue(a) for a in arguments), strict=False))
        if written is None:
            reason = f"the macro {name} is not understood and may write it"
            anything = [Lvalue((ANYTHING,))] if "##" in self.source.macros[name][1] else []
            doubtful = [*anything, *(lvalue for lvalue in given.values() if lvalue is not None)]
            return [], [Doubt(call, lvalue, reason, False) for lvalue in doubtful]
        writes = []
        for lvalue in written:
            head, *rest = lvalue.path
            base = given.get(head) if head in given else Lvalue((head,))
            if base is not None:
                shift = len(base.path) - 1
                followed = base.followed | {n + shift for n in lvalue.followed}
                writes.append(Write(call, Lvalue((*base.path, *rest), followed, base.depth + lvalue.depth), "macro"))
        return writes, []

    def _is_object_macro(self, node: Node) -> bool:
        name = self.source.of(node)
        called = node.parent is not None and node.parent.type == "call_expression"
        return not called and name in self.source.macros and not self.source.macros[name][0]

    def _macro(self, name: str) -> tuple[Lvalue, ...] | None:
        """What a macro's replacement writes, in terms of its parameters; None when it is not C that can be read."""
        if name not in self._of_macro:
            self._of_macro[name] = ()  # a macro within itself is not expanded
            text = self.source.macros[name][1].replace("\\\n", " ")
            piece = Source(self.source.path, f"void trace_probe_macro(void) {{ {text} ; }}".encode())
            if any(node.type == "ERROR" for node in piece.broken()) or "##" in text:
                self._of_macro[name] = None if "=" in text.replace("==", "") or "##" in text else ()
            else:
                inner = Writes(_WithMacros(piece, self.source))
                self._of_macro[name] = tuple(w.lvalue for w in inner.under(piece.root)[0])
        return self._of_macro[name]

    def _writes_through(self, callee: str, place: int) -> bool:
        """Whether a function writes to what its argument at `place` points at. Unknown functions do."""
        if callee in READERS:
            return False
        if callee in WRITES_FIRST_ONLY:
            return place == 0
        function = self.source.functions.get(callee)
        if function is None or place >= len(function.parameters):
            return True
        if (callee, place) not in self._through:
            self._through[callee, place] = False  # recursion adds nothing
            name = function.parameters[place]
            writes, doubts = self.of(function)
            self._through[callee, place] = any(
                w.lvalue.path[0] == name and 1 in w.lvalue.followed for w in writes
            ) or any(d.lvalue.path[0] == name and not (d.contents and d.lvalue.depth) for d in doubts)
        return self._through[callee, place]

    def _by_reference(self, callee: str, place: int) -> bool:
        """Whether a C++ function takes that argument by reference and writes to it."""
        function = self.source.functions.get(callee)
        if function is None or place >= len(function.parameters):
            return False
        declarator = function.node.child_by_field_name("declarator")
        while declarator.type != "function_declarator":
            declarator = declarator.child_by_field_name("declarator")
        named = [p for p in declarator.child_by_field_name("parameters").named_children if p.type != "comment"]
        inner = named[place].child_by_field_name("declarator")
        if inner is None or inner.type != "reference_declarator":
            return False
        name = function.parameters[place]
        return any(w.lvalue.path[0] == name for w in self.of(function)[0])


def _is_static(declaration: Node) -> bool:
    """A static variable gets its value before the program starts, not where it is declared."""
    return any(c.type == "storage_class_specifier" and c.text == b"static" for c in declaration.children)


class _WithMacros(Source):
    """A macro's replacement as a source of its own that knows the macros and functions of its file."""

    def __init__(self, piece: Source, home: Source) -> None:
        self.path, self.text, self.root = piece.path, piece.text, piece.root
        self.__dict__["macros"] = home.macros
        self.__dict__["functions"] = home.functions
