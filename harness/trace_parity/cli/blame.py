"""`trace-diff blame`: which side breaks its own equation, from logs alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from trace_parity.cli.common import (
    blame_sites_option,
    check_not_empty,
    check_sides,
    gathered,
    note,
    pair_option,
    rtol_option,
    rules_of,
)
from trace_parity.cli.log_path import LogPath
from trace_parity.cli.screen import detail_options, is_screen, show
from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair
    from trace_parity.pair.vocabulary import Vocabulary
    from trace_parity.trace import TraceTable


MOST = 4
"""Causes on a screen."""


@dataclass(frozen=True)
class Words:
    """The arguments and options of the command."""

    pair: Pair
    log: Path
    py_log: Path | None
    also: tuple[Path, ...]
    rtol_words: tuple[str, ...]
    form: str
    blame_sites: int
    lenient: bool


@click.command(epilog="Exit codes: 0 no equation is broken, 1 one is, 5 unreadable, 6 no equation could be evaluated.")
@click.argument("log", metavar="LOG|BUNDLE", type=LogPath())
@click.argument("py_log", metavar="[PY.log]", required=False, type=LogPath())
@click.option(
    "--also",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A further log of either side (each line names its side), repeatable.",
)
@rtol_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output form."
)
@detail_options("every finding in full, and what could not be evaluated.")
@pair_option
@blame_sites_option
@click.option("--lenient", is_flag=True, help="Skip unreadable trace lines instead of refusing the log.")
@gathered(Words)
def blame(words: Words) -> None:
    """Evaluate the model's equations on the values in a log, in extended precision.

    With one LOG: whether it is consistent. With two, C's and PY's, or a BUNDLE of both: which side introduced a
    difference, what is inherited from upstream, and what no equation explains.
    """
    from trace_parity.blame.attribution import blame_log, blame_pair
    from trace_parity.blame.conditioning import conditioning, lines
    from trace_parity.blame.evaluated_log import EvaluatedLog
    from trace_parity.blame.of_pair import domain_of_pair
    from trace_parity.compare.align import align
    from trace_parity.compare.judge import agrees, judge
    from trace_parity.compare.sites import narrow
    from trace_parity.files import logs_of_bundle
    from trace_parity.pair.tolerances import global_rtol, with_rules
    from trace_parity.render.blame_text import compact, head_lines, lines_of, verdict
    from trace_parity.render.places import shorten
    from trace_parity.result.result import plain, to_json
    from trace_parity.trace.pair_of_logs import pair_for_logs

    rules = rules_of(words.rtol_words)
    if words.py_log is None and (logs := logs_of_bundle(words.log)) is not None:
        words = replace(words, log=logs[0], py_log=logs[1])
    pair, inferred = pair_for_logs(words.pair, words.log, *([words.py_log] if words.py_log else []))
    if inferred:
        note(inferred)
    words = replace(words, pair=pair)
    vocabulary, domain = pair.vocabulary, domain_of_pair(pair)
    if domain is None:
        _refuse_without_equations(pair)

    if words.py_log is None:
        table = _read(words, words.log, "C")
        tables = [_read(words, words.log, "PY") if "side" in table.notes else table]
        found = blame_log(tables[0], vocabulary, domain)
    else:
        both = _read(words, words.log, "C"), _read(words, words.py_log, "PY")
        check_sides(["side" in table.notes for table in both], (words.log, words.py_log), "")
        alignment = align(*both, with_rules(vocabulary, rules))
        inside, judgement, examined = narrow(
            alignment, judge(alignment, rtol=global_rtol(rules)), most=words.blame_sites
        )
        tables = [inside.c, inside.py]
        found = blame_pair(inside, judgement, domain)
        found = replace(found, final_agrees=agrees(judgement, found.final))
        if examined is not None:
            found = replace(found, missing=(str(examined), *found.missing))
    for table in tables:
        check_not_empty(table)
    lost = conditioning(EvaluatedLog(table, vocabulary, domain) for table in tables)
    if words.form == "json":
        click.echo(to_json({**plain(found), "conditioning": lost}), nl=False)
    else:
        loops = _named_loops(tables, vocabulary)

        def place(name: str) -> str:
            return shorten(name, loops)

        found = replace(found, findings=tuple(replace(f, place=place(f.place)) for f in found.findings))
        if is_screen():
            body = [*head_lines(found), *(f"  {line}" for line in compact(found, MOST, place))]
        else:
            body = [*lines_of(found), *lines([replace(entry, place=place(entry.place)) for entry in lost])]
        show(body, [verdict(found)])
    code = Exit.NOTHING_TO_COMPARE if not found.equations_checked else Exit.DIVERGENCE if found.guilty else Exit.PARITY
    raise SystemExit(int(code))


def _refuse_without_equations(pair: Pair) -> NoReturn:
    if pair.from_logs:
        what, expected = "no pair describes the logs, so there are no equations", "--pair DIR, a pair with equations"
    else:
        what = "the pair has no equations"
        expected = '`equals` of variables in its vocabulary, or equations = "FILE.py:DOMAIN" in its pair.toml'
    raise HarnessError(Exit.NOTHING_TO_COMPARE, what, where=pair.where, expected=expected)


def _named_loops(tables: Sequence[TraceTable], vocabulary: Vocabulary) -> tuple[str, ...]:
    """The loops that name a place of these logs."""
    from trace_parity.pair.variables import ABSENT

    keys = {row.key for table in tables for row in table.rows}
    seen = (set(indices) - {ABSENT} for indices in zip(*keys, strict=True))
    return vocabulary.naming_loops([loop for loop, n in zip(vocabulary.loops, seen, strict=False) if len(n) > 1])


def _read(words: Words, path: Path, side: str) -> TraceTable:
    """One side's lines of a log and of the further ones, as if they were one log."""
    from trace_parity.trace import read_trace, read_trace_lines
    from trace_parity.trace.log_file import lines_of

    also, lenient, vocabulary = words.also, words.lenient, words.pair.vocabulary
    table = read_trace(path, side, vocabulary, lenient=lenient)
    if not also:
        return table
    for more in also:
        read_trace(more, side, vocabulary, lenient=lenient)
    lines = (line.rstrip("\r\n") + "\n" for one in (path, *also) for line in lines_of(one))
    merged = read_trace_lines(lines, side, str(path), vocabulary)
    if merged.unreadable and not lenient:
        bad = merged.unreadable[0]
        raise HarnessError(Exit.UNREADABLE, f"{bad.why}: {bad.text[:120]!r}", where=f"{path} with --also")
    return merged
