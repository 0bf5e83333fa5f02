"""Values of a trace log, the C program's or this one's, for a counterfactual trace. Form: `trace_lines`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.injected import Loop, Values
from nanobragg_torch.io.text import as_float, read_text
from nanobragg_torch.trace_lines import KEYS, TRACE_NAMES

_LINE = re.compile(r"TRACE_(C|PY)(?:\[([^\]]*)\])?: (\S+)((?:\s+\S+)+)\s*$")
_BEGINS = re.compile(r"TRACE_(C|PY)[\[:]")
_SIZES = {(scope, name): size for scope, name, size in TRACE_NAMES}
_SCOPES = {keys: scope for scope, keys in KEYS.items()}
# A step without lattice factor ends before these, a source beyond dmin before its polarisation and its steps.
_AFTER_F_LATT = ("F_cell", "I_running")
_Read = dict[tuple[str, str], dict[Loop, tuple[float, ...]]]


def read_trace_log(path: Path, names: Sequence[str], flag: str = "-inject_from") -> Values:
    """The values of the quantities `names` (`hkl_frac`, at every scope that has it, or `step.hkl_frac`).

    Where the log has lines of both programs, those of C count. Raises ExperimentError for an unknown name, a name that
    the log has no value of, and a line that does not parse.
    """
    wanted = [pair for name in names for pair in _pairs(name, flag)]
    read = _read(path, flag)
    values: Values = {pair: _with_ends(pair, read) for pair in wanted if read.get(pair)}
    for name in names:
        if not any(pair in values for pair in _pairs(name, flag)):
            raise ExperimentError(f"{flag}: {path} has no value of {name}")
    return values


def _pairs(name: str, flag: str) -> list[tuple[str, str]]:
    scope, _, last = name.rpartition(".")
    found = [pair for pair in _SIZES if pair[1] == last and scope in ("", pair[0])]
    if not found:
        raise ExperimentError(f"{flag}: no trace has a quantity {name!r}")
    return found


def _read(path: Path, flag: str) -> _Read:
    sides: dict[str, _Read] = {"C": {}, "PY": {}}
    for number, text in enumerate(read_text(path, flag).splitlines(), start=1):
        match = _LINE.match(text)
        if match is None:
            if _BEGINS.match(text):
                raise ExperimentError(f"{flag}: {path}:{number}: no trace line: {text[:120]!r}")
            continue
        pairs = [word.partition("=") for word in (match[2] or "").split()]
        scope = _SCOPES.get(tuple(key for key, _, _ in pairs))
        numbers = [as_float(word) for word in match[4].split()]
        if scope is None or None in numbers or not all(index.isdecimal() for _, _, index in pairs):
            raise ExperimentError(f"{flag}: {path}:{number}: no trace line: {text[:120]!r}")
        size = _SIZES.get((scope, match[3]))
        if size is None:
            continue  # a name that this version does not know
        if size != len(numbers):
            raise ExperimentError(f"{flag}: {path}:{number}: {match[3]} has {len(numbers)} numbers, expected {size}")
        loop = tuple(int(index) for _, _, index in pairs)
        sides[match[1]].setdefault((scope, match[3]), {})[loop] = tuple(x for x in numbers if x is not None)
    return sides["C"] or sides["PY"]


def _with_ends(pair: tuple[str, str], read: _Read) -> dict[Loop, tuple[float, ...]]:
    """The values, and empty entries where the program ended a step or a source before it came to this one."""
    values = dict(read[pair])
    if pair[0] == "step" and pair[1] in _AFTER_F_LATT:
        ended = (loop for loop, F_latt in read.get(("step", "F_latt"), {}).items() if F_latt == (0.0,))
        values |= {loop: () for loop in ended if loop not in values}
    if pair[0] == "step" or pair == ("source", "polar"):
        polarised = read.get(("source", "polar"), {})
        sources = read.get(("source", "scattering_vec_m_inv"), {})
        values |= {loop: () for loop in sources if loop not in polarised and loop not in values}
    return values
