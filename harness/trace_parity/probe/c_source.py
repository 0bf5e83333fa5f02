"""Insert probes into a C source: the same text, on the same lines, with reads of the named values in between.

A probe is an expression that does nothing unless a trace is wanted, then checks the loops of the variable's scope and
the focus, and only then reads the value. The tree is written out recursively, so that additions to nested nodes
that end at the same byte are written innermost first.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.probe.c_loops import KeyedLoop, jumped_into, keyed_loops, mask_macros
from trace_parity.probe.c_placement import matches, placement, unfit
from trace_parity.probe.c_syntax import CXX, OPEN_PARENTS, Function, Lvalue, Node, Source, statement_of, walk
from trace_parity.probe.c_text import Additions, line_mark, written_out
from trace_parity.probe.c_writes import ANYTHING, Write, Writes
from trace_parity.probe.spec import LoopRule, Placed, ProbeSpec, ProbeVariable, Unplaced, expand_slices


@dataclass(frozen=True)
class Instrumented:
    """One source with its probes, and the notes about it."""

    path: Path
    text: bytes
    placed: tuple[Placed, ...]
    unplaced: tuple[Unplaced, ...]
    functions: tuple[str, ...]
    loops: tuple[str, ...]  # of the vocabulary, found here


def instrument(path: Path, spec: ProbeSpec, *, copies: bool = True) -> Instrumented:
    """Read a C (or C++) file and put the probes of `spec` into it; with `copies` into copies of the functions.

    Raises HarnessError: exit 2 where the pair names what the file does not have, exit 5 for a file that cannot be read.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(path)) from error
    return _Instrumentor(path, text, spec, copies).run()


class _Instrumentor:
    def __init__(self, path: Path, text: bytes, spec: ProbeSpec, copies: bool) -> None:
        defaults = tuple(LoopRule(loop, loop, loop) for loop in spec.loops if loop not in {r.loop for r in spec.rules})
        self.rules = (*spec.rules, *defaults)
        masked, self.macro_loops = mask_macros(text, self.rules)
        self.spec, self.copies = spec, copies
        self.source = Source(path, text, masked)
        self.writes = Writes(self.source)
        self.added: dict[int, Additions] = defaultdict(Additions)
        self.placed: list[Placed] = []
        self.unplaced: list[Unplaced] = []
        self.loops_found: set[str] = set()
        self.declared: dict[int, dict[str, list[tuple[int, int, int]]]] = {}
        self.count = itertools.count(1)

    def run(self) -> Instrumented:
        for function in self.source.definitions:
            self._enter_loops(function)
        for number, variable in enumerate(self.spec.variables):
            self._probe(number, variable)
        for node in self.source.broken():
            self._list(node, "", "not C that the parser understands (a macro?): what it writes is not probed")
        header = (resources.files("trace_parity.probe") / "trace_probe.h").read_text(encoding="utf-8")
        text = header.encode() + line_mark(self.source, 1) + written_out(self.source, self.added, self.copies)
        unplaced = tuple(dict.fromkeys(self.unplaced))
        functions = tuple(dict.fromkeys(f.name for f in self.source.definitions))
        return Instrumented(
            self.source.path, text, tuple(self.placed), unplaced, functions, tuple(sorted(self.loops_found))
        )

    # loops

    def _enter_loops(self, function: Function) -> None:
        start = self.added[function.body.children[0].id].after
        for rule in self.rules:
            named = rule.var in function.parameters and (
                not rule.functions or any(function.is_called(name) for name in rule.functions)
            )
            if named and not rule.macro and not rule.line and self._is_plain_parameter(function, rule.var):
                start.append(self._frame(rule.loop, rule.index))
                self.loops_found.add(rule.loop)
        for loop in keyed_loops(self.source, self.writes, function, self.rules, self.macro_loops):
            self._enter_loop(loop, function)

    def _enter_loop(self, loop: KeyedLoop, function: Function) -> None:
        names = ", ".join(name for name, _ in loop.keys)
        if why := jumped_into(loop.body):
            self._list(loop.statement, names, f"loop without keys: {why}")
            return
        self.loops_found.update(name for name, _ in loop.keys)
        frames = [self._frame(name, index) for name, index in loop.keys]
        if loop.body.type == "compound_statement":
            self.added[loop.body.children[0].id].after += frames
        else:
            self.added[loop.body.id].enters += frames
            self.added[loop.body.id].brace = True

        self._follow_counters(loop, function)

    def _follow_counters(self, loop: KeyedLoop, function: Function) -> None:
        """A key is the index as it is at a place, also where the body changes its counter."""
        for name, index in loop.keys:
            counters = set(re.findall(r"[A-Za-z_]\w*", index))
            for write in self.writes.under(loop.body)[0]:
                (counter, *rest), node = write.lvalue.path, write.node
                own = self._declared_at(function, counter, loop.body.start_byte)
                if counter not in counters or rest or self._declared_at(function, counter, node.start_byte) != own:
                    continue
                if write.kind == "declare":
                    continue
                place, how = placement(node)
                if place is None:
                    self._list(node, name, f"changes the key of this loop unseen: {how}")
                else:
                    move = f"trace_probe_move({self.spec.loops.index(name)}, (long)({index}))"
                    self._add(place, how, f"(void)(trace_probe_active() && {move})")

    def _declared_at(self, function: Function, name: str, at: int) -> int:
        """Where the variable is declared that a name means at a place; -1 for one of the file."""
        known = self._declarations(function).get(name, [])
        return max((start for start, first, last in known if start <= at and first <= at < last), default=-1)

    def _frame(self, loop: str, index: str) -> str:
        return (
            f" struct trace_probe_frame trace_probe_f{next(self.count)}"
            " __attribute__((cleanup(trace_probe_leave), unused))"
            f" = trace_probe_enter({self.spec.loops.index(loop)}, (long)({index}));"
        )

    def _is_plain_parameter(self, function: Function, name: str) -> bool:
        for n in walk(function.node):
            is_old_style = n.type == "declaration" and n.parent.id == function.node.id  # K&R
            if n.type == "parameter_declaration" or is_old_style:
                for i, d in enumerate(n.children):
                    if n.field_name_for_child(i) == "declarator" and self.source.declared(d) == name:
                        return bool(d.type == "identifier")
        return False

    # probes

    def _probe(self, number: int, variable: ProbeVariable) -> None:
        functions = self._functions(variable)
        if functions is None:
            return
        if variable.trigger.kind == "write":
            watched = self._watched(variable)
            for function in functions:
                self._on_writes(number, variable, function, watched)
        elif variable.trigger.kind == "enter":
            for function in functions:
                call = self._call(number, variable)
                self.added[function.body.children[0].id].after.append(f" {call};")
                self._note(function.node, variable, f"enter {function.name}")
        else:
            self._on_lines(number, variable, functions)

    def _functions(self, variable: ProbeVariable) -> list[Function] | None:
        """The functions that a variable is looked for in; None when another file has them."""
        names = variable.functions
        if variable.trigger.kind == "enter":
            names = (variable.trigger.argument,)
        known = self.source.definitions
        found = [f for f in known if any(f.is_called(name) for name in names)]
        return (found or None) if names else known

    def _on_writes(self, number: int, variable: ProbeVariable, function: Function, watched: list[Lvalue]) -> None:
        writes, doubts = self.writes.of(function)
        pointers = self._pointers(function)
        watches = [w.inside() if not w.depth and len(w.path) == 1 and w.path[0] in pointers else w for w in watched]
        done: set[tuple[int, str]] = set()
        for write in writes:
            for watch in watches:
                if matches(write, watch):
                    guard = self._guard(write, watch)
                    if guard is None:
                        self._list(write.node, variable.name, "moves a pointer that the value is read through")
                    else:
                        self._after_write(write, variable, function, self._call(number, variable, guard), done)
                    break
        for doubt in doubts:
            if doubt.lvalue.path == (ANYTHING,):
                self._list(doubt.node, "", doubt.reason)
            elif any(
                doubt.lvalue.path == w.path and (not doubt.contents or doubt.lvalue.depth < w.depth) for w in watches
            ):
                self._list(doubt.node, variable.name, doubt.reason)

    def _guard(self, write: Write, watch: Lvalue) -> str | None:
        """A condition on the pointer that a write sets: empty if it sets none, None if it moves one."""
        depth = len(write.lvalue.path)
        if depth not in watch.followed or depth in write.lvalue.followed or depth > len(watch.path):
            return ""
        if write.kind == "move":
            return None
        head, *rest = write.lvalue.path
        text = head
        for place, name in enumerate(rest, start=1):
            text += ("->" if place in write.lvalue.followed else ".") + name
        return f"trace_probe_points({text}, 0)" if self.source.path.suffix in CXX else text

    def _after_write(
        self, write: Write, variable: ProbeVariable, function: Function, call: str, done: set[tuple[int, str]]
    ) -> None:
        node, how = placement(write.node)
        if node is not None and (hidden := self._hidden(variable, function, node, how)):
            node, how = None, hidden
        if node is None:
            self._list(write.node, variable.name, how)
            return
        if (node.id, how) not in done:
            done.add((node.id, how))
            self._add(node, how, call)
        self._note(write.node, variable, "write" if write.kind in {"assign", "declare", "move"} else write.kind)

    def _hidden(self, variable: ProbeVariable, function: Function, node: Node, how: str) -> str:
        """Why a local variable of the function that the expressions name cannot be seen there; empty when all can."""
        at = node.start_byte if how == "before" else node.end_byte
        local = self._declarations(function)
        for name in re.findall(r"(?<![\w.>])[A-Za-z_]\w*", " ".join(variable.exprs)):
            places = local.get(name, [])
            if places and not any(start < at and first <= node.start_byte < last for start, first, last in places):
                return f"{name} is not declared yet, or not in this block"
        return ""

    def _add(self, node: Node, how: str, call: str) -> None:
        added = self.added[node.id]
        if how == "comma":
            added.after.append(f", {call}")
        elif how == "declarator":
            added.after.append(f", trace_probe_d{next(self.count)} = ({call}, 0)")
        elif how == "wrap":
            value = self.source.of(node.child_by_field_name("left") or node.child_by_field_name("argument") or node)
            value = " ".join(value.split())
            if added.before:  # another variable watches the same write
                added.after.insert(1, f"; {call}")
                return
            name = f"trace_probe_v{next(self.count)}"
            added.before.append(f"__extension__({{ __typeof__({value}) {name} = (")
            added.after += [")", f"; {call}", f"; {name}; }})"]
        else:
            self._beside(node, how, f" {call};")

    def _beside(self, statement: Node, how: str, text: str) -> None:
        added = self.added[statement.id]
        (added.before if how == "before" else added.after).append(text)
        added.brace = added.brace or statement.parent.type not in OPEN_PARENTS

    def _on_lines(self, number: int, variable: ProbeVariable, functions: Sequence[Function]) -> None:
        pattern, how, found = re.compile(variable.trigger.argument, re.MULTILINE), variable.trigger.kind, False
        for function in functions:
            start = function.body.start_byte
            text = self.source.text[start : function.body.end_byte].decode("latin-1")
            seen: set[int] = set()
            for match in pattern.finditer(text):
                at = start + match.start() + len(match[0]) - len(match[0].lstrip())
                node = function.body.descendant_for_byte_range(at, at + 1)
                statement = statement_of(node)
                if node.type == "comment" or statement is None or statement.id in {function.body.id, *seen}:
                    continue
                seen.add(statement.id)
                found = True
                hidden = self._hidden(variable, function, statement, how)
                why = unfit(statement, how) or hidden
                if why:
                    self._list(statement, variable.name, why)
                    continue
                self._beside(statement, how, f" {self._call(number, variable)};")
                self._note(statement, variable, f"{how}: {variable.trigger.argument}")
        if not found:
            where = ", ".join(f.name for f in functions) if variable.functions else str(self.source.path)
            raise HarnessError(
                Exit.USAGE, f"no statement matches {variable.trigger.argument!r}", where=f"{variable.name}: {how}",
                expected=f"a regular expression that the text of {where} matches outside comments",
            )  # fmt: skip

    def _call(self, number: int, variable: ProbeVariable, guard: str = "") -> str:
        exprs = [e for expr in variable.exprs for e in expand_slices(expr, variable.name)]
        values = ", ".join(self._number(expr) for expr in exprs)
        guarded = f"({guard}) && " if guard else ""
        check = f"trace_probe_active() && trace_probe_wants({number}) && {guarded}"
        call = f"(void)({check}trace_probe_put({number}, {len(exprs)}, {values}))"
        frames = "".join(self._frame(loop, index) for loop, index in variable.index)
        return f"__extension__({{{frames} {call}; }})" if frames else call

    def _number(self, expr: str) -> str:
        """A value as a double; a complex one is refused, because the cast would drop a part."""
        if self.source.path.suffix in CXX:
            return f"(double)({expr})"
        kind = f"__builtin_classify_type(({expr})) == 9 ? -1 : 1"
        return f"((void)sizeof(struct {{ char complex_value_needs_creal_and_cimag[{kind}]; }}), (double)({expr}))"

    def _watched(self, variable: ProbeVariable) -> list[Lvalue]:
        """The lvalues whose writes count: the given ones, else all that the expressions read except subscripts."""
        texts = variable.watch or tuple(expand_slices(e, variable.name)[0] for e in variable.exprs)
        piece = Source(self.source.path, "".join(f"void f(void) {{ {t}; }}\n" for t in texts).encode())
        found: dict[tuple[str, ...], Lvalue] = {}
        pending = [piece.root]
        while pending:
            node = pending.pop()
            lvalue = piece.lvalue(node) if node.type != "binary_expression" else None
            if lvalue is not None and node.type != "parenthesized_expression":
                known = found.get(lvalue.path)
                found[lvalue.path] = lvalue if known is None or known.depth < lvalue.depth else known
                continue
            skip = {"function", "declarator", "type"}
            pending += [c for i, c in enumerate(node.children) if node.field_name_for_child(i) not in skip]
        return list(found.values())

    def _declarations(self, function: Function) -> dict[str, list[tuple[int, int, int]]]:
        if function.node.id not in self.declared:
            self.declared[function.node.id] = self.source.declarations(function)
        return self.declared[function.node.id]

    def _pointers(self, function: Function) -> set[str]:
        """Names that the function or the file declares as arrays or pointers."""
        names = set()
        for root in (function.node, self.source.root):
            for node in walk(root) if root is function.node else root.named_children:
                if node.type in {"array_declarator", "pointer_declarator"} or node.type == "declaration":
                    inner = node.named_children if node.type == "declaration" else [node]
                    for d in inner:
                        d = d.child_by_field_name("declarator") if d.type == "init_declarator" else d
                        if d is not None and d.type in {"array_declarator", "pointer_declarator"}:
                            names.add(self.source.declared(d) or "")
        return names

    # reporting and writing

    def _note(self, node: Node, variable: ProbeVariable, why: str) -> None:
        self.placed.append(Placed(str(self.source.path), self.source.line(node), variable.name, why))

    def _list(self, node: Node, variable: str, reason: str) -> None:
        text = self.source.of(node).splitlines() or [""]
        self.unplaced.append(Unplaced(str(self.source.path), self.source.line(node), variable, text[0][:100], reason))
