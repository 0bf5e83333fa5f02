"""The pair for two logs if the user named none."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import shipped
from trace_parity.pair.pair import Pair
from trace_parity.pair.toml_table import Table
from trace_parity.trace.infer import fits, infer_vocabulary


def pair_for_logs(pair: Pair, *logs: Path) -> tuple[Pair, str]:
    """The pair for one log or two, and a note if its vocabulary is inferred from the logs.

    It is for a pair without a vocabulary, and for the installed one if its vocabulary does not match the logs;
    that one's equations and quirks do not apply either.
    """
    has_vocabulary = pair.file("vocabulary") is not None
    is_default = pair.folder == shipped().folder
    if has_vocabulary and not (is_default and not fits(pair.vocabulary, *logs)):
        return pair, ""
    made = (
        replace(pair, from_logs=True)
        if not has_vocabulary
        else Pair(pair.folder, "two logs", Table({}, str(logs[0])), from_logs=True)
    )
    made.__dict__["vocabulary"] = replace(infer_vocabulary(logs[0], logs[-1]), focus=made.focus)
    if has_vocabulary:
        made.__dict__.update(quirks=(), focus=())
    return made, f"no pair's vocabulary matches the logs: loops and order are taken from {logs[0].name}"


def with_outer_loop(pair: Pair, loop: str) -> Pair:
    """The pair with one loop more, around all others; unchanged where its vocabulary lists that loop.

    Raises HarnessError (exit 2) for an unknown name.
    """
    old = pair.vocabulary
    if loop in old.loops:
        return pair
    if not re.fullmatch(r"[A-Za-z_]\w*", loop, re.ASCII):
        raise HarnessError(
            Exit.USAGE, f"no name: {loop!r}", where="--rank-loop", expected="the name of a loop, as rank"
        )
    scopes = {name: replace(scope, loops=(loop, *scope.loops)) for name, scope in old.scopes.items()}
    made = replace(pair)
    made.__dict__["vocabulary"] = replace(
        old,
        loops=(loop, *old.loops),
        scopes=scopes,
        variables=tuple(replace(v, scope=replace(v.scope, loops=(loop, *v.scope.loops))) for v in old.variables),
        nests_inside=old.nests_inside + 1 if old.nests else 0,
    )
    return made
