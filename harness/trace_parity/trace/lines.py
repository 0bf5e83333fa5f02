"""The forms of a trace line, the current and the older ones, each to (side, loop indices, [(name, numbers)]).

Current: TRACE_C[step=3 i=7]: force 2.46e-07                      TRACE_C: steps 10
Lists:   TRACE_PY: beam_vec [1.0, 0.0, 0.0]      TRACE_C: beam_vec = (1, 0, 0)      TRACE_PY: x tensor(1.25)
Older:   TRACE_C_PHI phi_tic=1 phi_deg=0.01 k_frac=-0.59               (pairs; loop names among them are indices)
         TRACE_C:fdet_after_rotz=0.99 -0.006 -0.0001                    (name=numbers)
         TRACE_C:angles_rad=rotx:0 roty:0    TRACE_C: angles_rad rotx:0 (parts of a name)
         TRACE_C_TAP4: cell 0 0 part 0 0 source 0 h -7.9                (a named block: indices, then its values)
         TRACE_C_SOURCE2: F_cell 205    TRACE_PY_SOURCE 0: F_cell 205   (a block that is a tick of a loop)
         TRACE_PY_TRICUBIC: [0,0,0]=127.89                              (element of a named block)
         TRACE_PY_TRICUBIC_H_COORDS: [-8.0, -7.0]                       (list)
         TRACE_C: convention MOSFLM                                     (text, compared as text)
         TRACE_PY_TRICUBIC_GRID_START    TRACE_C: === cell ===          (mark with nothing on it)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from trace_parity.trace.number import (
    NotANumberError,
    Parsed,
    looks_numeric,
    parse_number,
    split_numbers,
    without_keywords,
)

_BEGINS = re.compile(r"TRACE_(C|PY)(?=[\[:_\s]|$)")
_TODAY = re.compile(r"TRACE_(C|PY)(?:\[([^\]]*)\])?:\s+(\S+)((?:\s+\S+)+)\s*$")
_INDEX = re.compile(r"([A-Za-z_]\w*)=(\d+)$", re.ASCII)
_NAMED = re.compile(r"TRACE_(?:C|PY)(?:\[([^\]]*)\])?:\s*(.*)$")
_BLOCK = re.compile(r"TRACE_(?:C|PY)_([A-Z0-9_]+)(?: (\d+))?(:?)(?:\s+(.*))?$", re.ASCII)
_ELEMENT = re.compile(r"(\[[^\]]*\])\s*=\s*(\S+)$")
_MARK = re.compile(r"(?:={3,}|-{3,}).*")
_NAME = re.compile(r"[A-Za-z_]\w*|\|[A-Za-z_]\w*\|", re.ASCII)
_EQUALS = re.compile(r"(?<=[\w|\]])\s*=\s*(?=\S)")
_PART = re.compile(r"([A-Za-z_]\w*):(\S+)$", re.ASCII)
_TEXT = re.compile(r"[A-Za-z]\S*(?:\s+[A-Za-z]\S*)*\Z")

Numbers = list[tuple[str, Parsed]]
"""Each number as it was printed and what it is."""
Named = Mapping[str, tuple[str, ...]]
"""Names of several indices at once (`cell 0 0`), and the loops that they are of."""


LARGEST_INDEX = 2**31 - 1


class BadLineError(ValueError):
    """A line that begins like a trace line and does not parse; the message gives the reason, `hint` how to fix it."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


@dataclass
class ParsedLine:
    """One trace line: its side, loop indices, the numbers it names, and values that are text.

    `plain` is true for the current form with only numbers: the compiled scanner reads such lines by itself.
    """

    side: str
    indices: dict[str, int] = field(default_factory=dict)
    values: list[tuple[str, Numbers]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    plain: bool = False


def parse_line(line: str, loops: tuple[str, ...], named: Named | None = None) -> ParsedLine | None:
    """The parsed line, or None for a line of other output. Raises BadLineError."""
    begins = _BEGINS.match(line)
    if begins is None:
        return None
    parsed = ParsedLine(begins[1])
    form = _Form(parsed, loops, named or {})
    try:
        if (block := _BLOCK.match(line)) is not None:
            form.block(block[1], block[2], bool(block[3]), (block[4] or "").strip())
        elif (today := _TODAY.match(line)) is not None:
            form.brackets(today[2])
            form.today(today[3], today[4])
        elif (old := _NAMED.match(line)) is not None and old[2].strip():
            form.brackets(old[1])
            form.named(old[2].strip())
        else:
            raise BadLineError("no form of a trace line fits")
    except NotANumberError as error:
        raise BadLineError(str(error), error.hint) from error
    return parsed


def loop_index(digits: str) -> int:
    """The index of a loop, which columns hold in 32 bits. Raises BadLineError."""
    significant = digits.lstrip("+-0") or "0"
    if len(significant) > len(str(LARGEST_INDEX)) or int(significant) > LARGEST_INDEX:
        raise BadLineError(f"the loop index {digits[:30]} is larger than {LARGEST_INDEX}")
    return int(digits)


def numbers_of(words: list[str]) -> Numbers:
    """The numbers that words print. Raises NotANumberError."""
    return [(word, parse_number(word)) for word in words]


@dataclass
class _Form:
    """The line that is being read, and the loops that it may name."""

    parsed: ParsedLine
    loops: tuple[str, ...]
    named_loops: Named

    def brackets(self, text: str | None) -> None:
        if text is not None:
            self.parsed.indices = self._indices(text.split())

    def _indices(self, words: list[str]) -> dict[str, int]:
        indices: dict[str, int] = {}
        for word in words:
            index = _INDEX.match(word)
            if index is None:
                raise BadLineError(f"{word!r} is not a loop index of the form name=count")
            if index[1] not in self.loops:
                raise BadLineError(f"unknown loop {index[1]!r}", "the vocabulary lists the loops")
            if index[1] in indices:
                raise BadLineError(f"loop {index[1]!r} occurs twice")
            indices[index[1]] = loop_index(index[2])
        if not indices:
            raise BadLineError("empty brackets")
        return indices

    def today(self, name: str, text: str) -> None:
        """`name 1 2 3`, or a form with the same beginning."""
        if _MARK.match(name):
            return
        if not _plain_name(name):
            self.named(f"{name}{text}")
            return
        words = split_numbers(text)
        if words and not any(word == "=" for word in words):
            try:
                self.parsed.values.append((name, numbers_of(words)))
            except NotANumberError:
                self._not_numbers(name, text)
            else:
                self.parsed.plain = words == text.split()
            return
        self.named(f"{name}{text}")

    def _not_numbers(self, name: str, text: str) -> None:
        """Parts, text, or indices before a value; else the error that the numbers raise."""
        words = text.split()
        if self._parts(name, words):
            return
        if self._index(name) and self._groups(f"{name}{text}", ""):
            return
        if _TEXT.match(text.strip()) and not any(map(looks_numeric, words)):
            self.parsed.texts.append((name, " ".join(words)))
            return
        numbers_of(split_numbers(text))

    def _parts(self, name: str, words: list[str]) -> bool:
        parts = [_PART.match(word) for word in words]
        if not words or not all(part is not None for part in parts):
            return False
        self.parsed.values.extend((f"{name}.{p[1]}", numbers_of([p[2]])) for p in parts if p is not None)
        return True

    def named(self, text: str) -> None:
        """`name=1 2 3`, `name = [1, 2, 3]`, `name=part:1 part:2`, `name=text`."""
        if _MARK.match(text):
            return
        text = without_keywords(text)
        name, equals, rest = text.partition("=")
        name, rest = name.strip(), rest.strip()
        if not equals or not _NAME.fullmatch(name):
            raise BadLineError("no form of a trace line fits")
        if not rest:
            raise BadLineError(f"{name} has no value")
        if self._parts(name, rest.split()) or ("=" in rest and self._groups(text, "")):
            return
        words = split_numbers(rest)
        if not any(map(looks_numeric, rest.replace(",", " ").split())) and not any(c in rest for c in "[("):
            self.parsed.texts.append((name, rest))
        elif not words:
            raise BadLineError(f"{name} has no value")
        else:
            self.parsed.values.append((name, numbers_of(words)))

    def block(self, name: str, tick: str | None, colon: bool, text: str) -> None:
        """A line whose side is followed by the name of a block."""
        if not text and tick is None and not colon:
            return  # a mark
        within = f"{name}." if colon else ""
        loop = name.rstrip("0123456789").lower()
        number = tick if tick is not None else name[len(loop) :]
        if loop in self.loops and number:
            self.parsed.indices[loop] = loop_index(number)
            within = ""
        elif tick is not None:
            text = f"{tick} {text}"
        if not text:
            raise BadLineError(f"{name} has no value")
        if element := _ELEMENT.match(text):
            self.parsed.values.append((f"{name}{element[1].replace(' ', '')}", numbers_of([element[2]])))
        elif _NAME.match(text) and not looks_numeric(text.split()[0]):
            if not self._groups(text, within):
                label, _, rest = text.partition(" ")
                if not colon or not rest.strip() or any(map(looks_numeric, rest.split())):
                    raise BadLineError("no form of a trace line fits")
                self.parsed.texts.append((within + label, rest.strip()))
        elif single := re.match(r"([^=]*[^=\s])\s*=\s*(\S+)$", text):
            self.parsed.values.append((f"{name}{single[1].replace(' ', '')}", numbers_of([single[2]])))
        else:
            words = split_numbers(text)
            if not words:
                raise BadLineError(f"{name} has no value")
            self.parsed.values.append((name, numbers_of(words)))

    def _index(self, name: str) -> bool:
        return name in self.loops or name in self.named_loops

    def _groups(self, text: str, within: str) -> bool:
        """`name 1 2 other 3`, `name=1 other=(2, 3)`: indices and values; False if it is another form."""
        words = split_numbers(_EQUALS.sub(" ", without_keywords(text)))
        groups: list[tuple[str, list[str]]] = []
        for word in words:
            if _NAME.fullmatch(word) and not looks_numeric(word.strip("|")):
                groups.append((word, []))
            elif groups:
                groups[-1][1].append(word)
            else:
                return False
        if any(not found for _, found in groups):
            return False
        for name, found in groups:
            loops = (name,) if name in self.loops else self.named_loops.get(name)
            if loops is None:
                self.parsed.values.append((within + name, numbers_of(found)))
                continue
            if len(found) != len(loops):
                raise BadLineError(f"{name} has {len(found)} indices, not {len(loops)}")
            for index in self._indices([f"{loop}={count}" for loop, count in zip(loops, found, strict=True)]).items():
                if self.parsed.indices.setdefault(*index) != index[1]:
                    raise BadLineError(f"loop {index[0]!r} occurs twice")
        return True


def _plain_name(name: str) -> bool:
    """Whether a word is the name of the current form, not the beginning of another."""
    return "=" not in name and not name.endswith(":") and not name.startswith(("[", "("))


def looks_cut(line: str) -> bool:
    """Whether an unterminated last line may be the start of a trace line that was cut off, behind a prefix or not."""
    return "TRACE" in line or line.endswith(("T", "TR", "TRA", "TRAC"))
