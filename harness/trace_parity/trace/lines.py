"""The forms of a trace line, today's and the older ones, each to (side, loop indices, [(name, words)]).

Today:   TRACE_C[step=3 i=7]: force 2.46e-07                      TRACE_C: steps 10
Older:   TRACE_C_PHI phi_tic=1 phi_deg=0.01 k_frac=-0.59               (pairs; loop names among them are indices)
         TRACE_C:fdet_after_rotz=0.99 -0.006 -0.0001                    (name=numbers)
         TRACE_C:angles_rad=rotx:0 roty:0                               (name=part:number ...)
         TRACE_PY_TRICUBIC: [0,0,0]=127.89                              (element of a named block)
         TRACE_PY_TRICUBIC_H_COORDS: [-8.0, -7.0]                       (list)
         TRACE_PY_TRICUBIC_GRID_START                                   (mark with nothing on it)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BEGINS = re.compile(r"TRACE_(C|PY)(?=[\[:_\s]|$)")
_TODAY = re.compile(r"TRACE_(C|PY)(?:\[([^\]]*)\])?: (\S+)((?:\s+\S+)+)\s*$")
_INDEX = re.compile(r"([A-Za-z_]\w*)=(\d+)$")
_OLD_NAMED = re.compile(r"TRACE_(?:C|PY):([A-Za-z_]\w*)=(.*)$")
_OLD_BLOCK = re.compile(r"TRACE_(?:C|PY)_([A-Z0-9_]+): (.*)$")
_OLD_MARK = re.compile(r"TRACE_(?:C|PY)_[A-Z0-9_]+$")
_OLD_PAIRS = re.compile(r"TRACE_(?:C|PY)_[A-Z0-9_]+((?:\s+[A-Za-z_]\w*=\S+)+)\s*$")
_PART = re.compile(r"([A-Za-z_]\w*):(\S+)$")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)$")


class BadLineError(ValueError):
    """A line that begins like a trace line and does not parse; the message says why."""


@dataclass
class ParsedLine:
    """One trace line: its side, loop indices, the values it names, and words that are no numbers."""

    side: str
    indices: dict[str, int] = field(default_factory=dict)
    values: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def parse_line(line: str, loops: tuple[str, ...]) -> ParsedLine | None:
    """The parsed line, or None for a line of other output. Raises BadLineError."""
    begins = _BEGINS.match(line)
    if begins is None:
        return None
    today = _TODAY.match(line)
    if today is not None:
        return _today(today, loops)
    parsed = ParsedLine(begins[1])
    if _OLD_MARK.match(line):
        return parsed
    if match := _OLD_PAIRS.match(line):
        _pairs(parsed, match[1].split(), loops)
    elif match := _OLD_NAMED.match(line):
        _named(parsed, match[1], match[2])
    elif match := _OLD_BLOCK.match(line):
        _block(parsed, match[1], match[2])
    else:
        raise BadLineError("no form of a trace line fits")
    return parsed


def _today(match: re.Match[str], loops: tuple[str, ...]) -> ParsedLine:
    parsed = ParsedLine(match[1])
    if match[2] is not None:
        parsed.indices = _indices(match[2].split(), loops)
    words = match[4].split()
    _require_numbers(words)
    parsed.values.append((match[3], words))
    return parsed


def _indices(words: list[str], loops: tuple[str, ...]) -> dict[str, int]:
    indices: dict[str, int] = {}
    for word in words:
        index = _INDEX.match(word)
        if index is None:
            raise BadLineError(f"{word!r} is no loop index of the form name=count")
        if index[1] not in loops:
            raise BadLineError(f"unknown loop {index[1]!r}")
        if index[1] in indices:
            raise BadLineError(f"loop {index[1]!r} stands twice")
        indices[index[1]] = int(index[2])
    if not indices:
        raise BadLineError("empty brackets")
    return indices


def _pairs(parsed: ParsedLine, words: list[str], loops: tuple[str, ...]) -> None:
    indices = [word for word in words if word.partition("=")[0] in loops]
    if indices:
        parsed.indices = _indices(indices, loops)
    for word in words:
        name, _, number = word.partition("=")
        if name not in loops:
            _require_numbers([number])
            parsed.values.append((name, [number]))


def _named(parsed: ParsedLine, name: str, text: str) -> None:
    words = text.split()
    if not words:
        raise BadLineError(f"{name} has no value")
    if all(_NUMBER.match(word) for word in words):
        parsed.values.append((name, words))
        return
    parts = [_PART.match(word) for word in words]
    if all(part is not None and _NUMBER.match(part[2]) for part in parts):
        parsed.values.extend((f"{name}.{part[1]}", [part[2]]) for part in parts if part is not None)
        return
    parsed.notes.append((name, text))


def _block(parsed: ParsedLine, name: str, text: str) -> None:
    label, equals, number = text.partition("=")
    if equals:
        _require_numbers([number])
        parsed.values.append((f"{name}{label.replace(' ', '')}", [number]))
        return
    words = text.strip("[] ").replace(",", " ").split()
    if not words:
        raise BadLineError(f"{name} has no value")
    _require_numbers(words)
    parsed.values.append((name, words))


def _require_numbers(words: list[str]) -> None:
    for word in words:
        if not _NUMBER.match(word):
            raise BadLineError(f"{word!r} is no number")


def looks_cut(line: str) -> bool:
    """Whether an unterminated last line may be the start of a trace line that was cut off."""
    return bool(_BEGINS.match(line)) or (len(line) >= 1 and any(p.startswith(line) for p in ("TRACE_C", "TRACE_PY")))
