"""What a shell completes for the names of a pair: cases, variables, quirks, loops and the like.

A completion prints nothing else, never fails and runs no program: where a pair cannot be read, nothing is offered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair

Complete = Callable[
    [click.Context, click.Parameter, str], "list[CompletionItem[str]]"
]  # click 8.2 does not subscript it
Named = Iterable[tuple[str, str]]
"""Names, each with a few words on it; zsh shows those."""


def _complete(names: Callable[[Pair, click.Context, str], Named], or_path: str = "") -> Complete:
    """A `shell_complete` that offers names of the command's pair, and paths (`file` or `dir`) where those fit too."""

    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        # The scripts of all shells want the item of type file or dir before the names.
        offered = [CompletionItem(incomplete, type=or_path)] if or_path else []
        with contextlib.suppress(Exception):
            given = ctx.params.get(param.name or "") if _is_repeatable(param) else None
            for name, text in names(_pair(ctx), ctx, incomplete):
                if name.startswith(incomplete) and name not in (given or ()):
                    offered.append(CompletionItem(name, help=_one_line(text)))
        return offered

    return offer


def _is_repeatable(param: click.Parameter) -> bool:
    return param.multiple or param.nargs == -1


def _pair(ctx: click.Context) -> Pair:
    from trace_parity.pair.find import find_pair
    from trace_parity.pair.pair import Pair

    given: Any = ctx.params.get("pair")  # None also where it could not be read
    if isinstance(given, Pair):
        return given
    if ctx.get_parameter_source("pair") is ParameterSource.COMMANDLINE:
        raise LookupError
    return find_pair(None)


def _one_line(text: str) -> str | None:
    return " ".join(text.split())[:80] or None


def _cases(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    return [(case.id, case.title) for case in pair.cases()]


def _matrix_cases(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    return [(case.id, case.title) for case in pair.matrix(ctx.params.get("matrix")).cases]


def _all_cases(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    matrix = _matrix_cases(pair, ctx, incomplete) if pair.file("matrix") is not None else ()
    return dict([*matrix, *_cases(pair, ctx, incomplete)]).items()


def _variables(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    """Names; with a dot, `scope.name`; the names of older logs where no other begins so."""
    vocabulary = pair.vocabulary
    if "." in incomplete:
        return [(v.id, v.description) for v in vocabulary.variables]
    names = {v.name: v.description for v in vocabulary.variables}
    if any(name.startswith(incomplete) for name in names):
        return names.items()
    return [(name, f"older name of {alias.of}") for name, alias in vocabulary.aliases.items()]


def _loops(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    vocabulary = pair.vocabulary
    with_table = {v.scope.loops[-1] for v in vocabulary.variables if v.scope.loops}
    if vocabulary.tick_table is not None:
        with_table.add(vocabulary.tick_table.loop)
    return [(loop, "") for loop in vocabulary.loops if loop in with_table]


def _quirks(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    return [(quirk.id, quirk.title) for quirk in pair.quirks]


def _against(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    return [(name, "") for name in pair.programs.against]


def _exports(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    return [(table.name, table.title) for table in pair.exports.values()]


def _to_run(pair: Pair, ctx: click.Context, incomplete: str) -> Named:
    from trace_parity.cli.pair_options import has_pasted

    return () if has_pasted(ctx) else _all_cases(pair, ctx, incomplete)


case_or_file = _complete(_to_run, or_path="file")
all_cases = _complete(_all_cases)
matrix_cases = _complete(_matrix_cases)
variables = _complete(_variables)
loops = _complete(_loops)
quirks = _complete(_quirks)
against = _complete(_against)
exports = _complete(_exports)


def pairs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Folders, and the names of installed pairs."""
    offered = [CompletionItem(incomplete, type="dir")]
    with contextlib.suppress(Exception):
        from trace_parity.pair.find import installed_names

        offered += [CompletionItem(name) for name in installed_names() if name.startswith(incomplete)]
    return offered


def formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Output forms."""
    from trace_parity.render import FORMATS

    return [CompletionItem(form) for form in FORMATS if form.startswith(incomplete)]


def replayed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The functions that a probes.toml describes for `replay`."""
    with contextlib.suppress(Exception):
        from trace_parity.probe.probes_file import find_probes

        file = find_probes(ctx.params.get("pair"), ctx.params.get("probes"))
        return [CompletionItem(name) for name in file.tables.get("replay", {}) if name.startswith(incomplete)]
    return []
