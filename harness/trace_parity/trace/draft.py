"""A first vocabulary.toml and pair.toml, written derived from two logs, as a starting point for a person."""

from __future__ import annotations

import json
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.files import log_hint
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.pair.vocabulary_file import build_vocabulary
from trace_parity.printable import plural
from trace_parity.trace.infer import Observed, Seen, observe
from trace_parity.trace.reader import read_trace
from trace_parity.trace.table import TraceTable

SAME_VALUES = 2
"""Distinct values that two names must share before one is taken for the other under another name."""


def draft(c: Path, py: Path, title: str) -> tuple[str, str, list[str]]:
    """The texts of vocabulary.toml and pair.toml, and a note per log on its lines that cannot be read.

    Raises HarnessError: exit 5 unreadable, 6 when a log has no trace.
    """
    for path in (c, py):
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "no such file"
            raise HarnessError(Exit.UNREADABLE, what, where=str(path), expected="a log", hint=log_hint(path))
    seen = observe(c, py)
    if not seen.names:
        raise HarnessError(
            Exit.NOTHING_TO_COMPARE, "no trace line", where=f"{c} and {py}", expected="TRACE_C[loop=0]: name 1.5"
        )
    vocabulary = build_vocabulary(seen.tables(title), "the logs")
    tables = [read_trace(path, side, vocabulary, lenient=True) for path, side in ((c, "C"), (py, "PY"))]
    notes = [
        f"{t.path}: {plural(t.unreadable_lines, 'unreadable line')} left out, first {t.unreadable[0]}"
        for t in tables
        if t.unreadable
    ]
    return _vocabulary(seen, title, _renamed(tables[0], tables[1], vocabulary)), _pair(title), notes


def _renamed(c: TraceTable, py: TraceTable, vocabulary: Vocabulary) -> dict[str, str]:
    """Names of PY that hold, place by place, the values of a name of C that PY does not have."""

    def values(table: TraceTable, variable: str) -> dict[object, float]:
        return {(r.key, r.component): n.value for r, n in table.rows.items() if r.variable == variable}

    found: dict[str, str] = {}
    for one in [v for v in vocabulary.variables if v.id in py.variables and v.id not in c.variables]:
        theirs = values(py, one.id)
        for other in [v for v in vocabulary.variables if v.id in c.variables and v.id not in py.variables]:
            ours = values(c, other.id)
            same_places = other.scope.loops == one.scope.loops and ours.keys() == theirs.keys()
            if same_places and other.name not in found.values() and _agree(ours, theirs):
                found[one.name] = other.name
                break
    return found


def _agree(a: dict[object, float], b: dict[object, float]) -> bool:
    close = all(abs(x - b[place]) <= 1e-6 * max(abs(x), abs(b[place])) for place, x in a.items())
    return close and len(set(a.values())) >= min(SAME_VALUES, len(a))


def _vocabulary(seen: Observed, title: str, renamed: dict[str, str]) -> str:
    tables = seen.tables(title)
    lines = [
        "# The variables of the traces, in order of evaluation. Made from two logs by `trace-diff pair init`, which",
        "# does not know units, descriptions, tolerances, and `equals`: the equation that makes a variable.",
        f"title = {json.dumps(title)}",
        f"loops = {json.dumps(tables['loops'])}  # outermost first",
        *_sizes(seen),
        *(
            ["# Loop nests that follow each other; give them the names of their loops in the program."]
            if seen.nests
            else []
        ),
        *(f"{key} = {json.dumps(tables[key])}" for key in ("nests", "nests_inside") if key in tables),
        "",
        "[scopes]",
        *(f"{name} = {_inline(scope)}" for name, scope in tables["scopes"].items()),
        "",
        "# A variable without `tolerance` agrees to 1e-6 relative plus 1e-12 of its largest magnitude. Another one:",
        "# [tolerances.tight]",
        "# rtol = 1e-9",
        '# reason = "both programs are in double precision"',
        "",
    ]
    kept = [s for s in seen.names if s.name not in renamed]
    twice = {s.name for s in kept if sum(1 for o in kept if o.name == s.name) > 1}
    if not twice:
        lines.append("[variables]")
    for one in kept:
        entry = {"scope": seen.scope(one), "size": one.size, **({"integer": True} if one.integer else {})}
        if twice:
            lines += ["", "[[variables]]", f"name = {json.dumps(one.name)}"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
            lines += [f"# {_remark(one)}"]
        else:
            lines.append(f"{_key(one.name)} = {_inline(entry)}  # {_remark(one)}")
    for name, of in renamed.items():
        lines += [
            "",
            "[[aliases]]  # the same values under another name",
            f"name = {json.dumps(name)}",
            f"of = {json.dumps(of)}",
        ]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else json.dumps(name)


def _inline(table: dict[str, object]) -> str:
    return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }"


def _remark(one: Seen) -> str:
    words = []
    if one.largest:
        words.append(f"{one.least:.3g} to {one.largest:.3g}" if one.least < one.largest else f"{one.largest:.6g}")
    else:
        words.append("zero throughout")
    if len(one.sides) == 1:
        words.append(f"in the {next(iter(one.sides))} log only")
    return ", ".join(words)


def _sizes(seen: Observed) -> list[str]:
    if not seen.loops:
        return []
    found = ", ".join(f"{loop}: {size}" for loop, size in seen.sizes.items())
    example = f"{seen.loops[-1]} = {seen.sizes[seen.loops[-1]]}"
    return [f"# Iterations in the logs: {found}. A sum over all of a loop needs to know: loop_sizes = {{ {example} }}"]


def _pair(title: str) -> str:
    return f"""# The pair: two programs and what is known of them. `trace-diff pair check` says what is missing.
title = {json.dumps(title)}

# How the programs run, for `trace-diff run` and `gate`. {{trace}} is the file to write; without it the trace is read
# from standard output. {{args}} is the command line of a case; {{python}} the interpreter of trace-diff.
# [programs.C]
# source = "c"
# build = "make -C {{source}}"
# trace = "{{build}}/program {{args}} -trace {{trace}}"
#
# [programs.PY]
# trace = "{{python}} port.py {{args}} -trace {{trace}}"
"""
