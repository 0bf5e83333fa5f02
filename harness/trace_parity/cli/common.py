"""Shared by several subcommands: output forms, progress on standard error, option texts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trace_parity.cli import candidates
from trace_parity.cli.screen import detail, detail_options, show, tell
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import write_whole
from trace_parity.printable import visible
from trace_parity.render import FORMATS, renderer

if TYPE_CHECKING:
    from trace_parity.pair.calibration import Calibration
    from trace_parity.pair.case import Case
    from trace_parity.pair.pair import Pair
    from trace_parity.pair.tolerances import Rule
    from trace_parity.result.result import Result
    from trace_parity.trace import TraceTable

F = TypeVar("F", bound=Callable[..., Any])


def _keep_i_know(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    context.meta[_I_KNOW] = value
    return value


_I_KNOW = f"{__name__}.i_know"


def rules_of(words: Sequence[str]) -> tuple[Rule, ...]:
    """The arguments of --rtol as rules. Raises HarnessError (exit 2)."""
    from trace_parity.pair.tolerances import parse_rules

    context = click.get_current_context(silent=True)
    return parse_rules(words, i_know=bool(context is not None and context.meta.get(_I_KNOW)))


def gathered(words: Callable[..., Any]) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """The command's arguments and options in one object; `words` is a dataclass whose fields have their names."""

    def decorate(command: Callable[[Any], None]) -> Callable[..., None]:
        @wraps(command)
        def call(**values: Any) -> None:
            command(words(**values))

        return call

    return decorate


def against_option(text: str) -> Callable[[F], F]:
    """--against, with a help text of the command's own."""
    return click.option("--against", default="", metavar="VARIANT", shell_complete=candidates.against, help=text)


rtol_option = click.option(
    "--rtol",
    "rtol_words",
    multiple=True,
    metavar="RULE...",
    help="Relative tolerance for all variables (whole numbers stay exact), or for some: --rtol 1e-6 "
    "F_latt:1e-9 'rot_*:1e-12'. NAME:abs=X is a fraction of the scale of the variable, NAME:ulp=N a "
    "number of units in the last place.",
)


def output_options(command: F) -> F:
    """--format, --rtol and --lenient, as every comparing command takes them."""
    for option in (
        detail_options("every finding in full, inherited differences included."),
        click.option(
            "--i-know",
            is_flag=True,
            expose_value=False,
            callback=_keep_i_know,
            help="Accept a tolerance of 1 or more, with which almost any two numbers agree.",
        ),
        click.option(
            "--lenient",
            is_flag=True,
            help="Compare the rest of a log with unreadable trace lines, and list those lines. The "
            "verdict is never parity.",
        ),
        rtol_option,
        click.option(
            "--format",
            "formats",
            multiple=True,
            metavar="FORMAT[:PATH]",
            shell_complete=candidates.formats,
            help=f"Output form, repeatable: {', '.join(FORMATS)}. Without a path to standard output. [default: text]",
        ),
    ):
        command = option(command)
    return command


def _found_pair(ctx: click.Context, param: click.Parameter, value: str | None) -> Pair:
    from trace_parity.pair.find import find_pair

    ctx.meta[_PAIR_OPTION] = value or ""

    if ctx.meta.get(IN_TREE) or (ctx.command.name == "gate" and value is None):
        from trace_parity.run.work_tree import pair_of_work_tree, work_tree

        if ctx.meta.get(IN_TREE) or work_tree() is not None:
            return pair_of_work_tree(value)
    return find_pair(value)


_PAIR_OPTION = f"{__name__}.pair_option"
IN_TREE = "trace_parity.in_tree"


def _keep_in_tree(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[IN_TREE] = value


in_tree_option = click.option(
    "--in-tree",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_keep_in_tree,
    help="Fail unless the pair and both programs are in the current git work tree, not in an installed copy.",
)

pair_option = click.option(
    "--pair",
    metavar="DIR|NAME",
    callback=_found_pair,
    shell_complete=candidates.pairs,
    help="The pair: a folder with a pair.toml, or the name of an installed one. [default: the nearest pair.toml "
    "upwards from here, else the installed pair]",
)
waive_option = click.option(
    "--waive",
    multiple=True,
    metavar="QUIRK",
    shell_complete=candidates.quirks,
    help="Let this known quirk pass, as long as it occurs. Repeatable.",
)
calibration_option = click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Calibration that `trace-diff calibrate` wrote. [default: that of the case, if any]",
)
cluster_option = click.option(
    "--cluster",
    default="",
    metavar="WHERE",
    help="Run on workers of a Dask cluster in place of --jobs: local:N processes of this machine, a scheduler "
    "tcp://HOST:PORT, or a FILE.toml that describes jobs of Slurm.",
)
blame_sites_option = click.option(
    "--blame-sites",
    "--blame-pixels",
    "blame_sites",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="In logs of more than 200,000 numbers, how many divergent sites (places of the pair's "
    "focus) are checked against the equations. Every divergent variable is checked at one of them at least.",
)


def calibration_for(pair: Pair, case: Case | None, against: str, given: Path | None) -> Calibration | None:
    """The calibration to compare with: the one given, else that of the case; None where there is none.

    An outdated one is not used, and a note gives the reason. Raises HarnessError (exit 5, or 2 for that of
    another pair).
    """
    if given is None and (case is None or not pair.has_programs):
        return None
    from trace_parity.pair.calibration import read_calibration
    from trace_parity.run.calibrate import calibration_path, staleness

    if given is None:
        assert case is not None
        given = calibration_path(pair, case.id, against)
        if not given.is_file():
            return None
    found = read_calibration(given)
    if found.origin.pair != pair.name:
        raise HarnessError(
            Exit.USAGE,
            f"the calibration belongs to the pair {found.origin.pair!r}",
            where=str(given),
            expected=f"a calibration of {pair.name!r}",
        )
    reason = staleness(found, pair, case, against) if pair.has_programs else ""
    if reason:
        name = found.origin.case
        note(
            f"the calibration of {name} is out of date and not used: {reason}; `trace-diff "
            f"calibrate {name}` measures it again"
        )
        return None
    return found


def parse_formats(formats: Sequence[str]) -> list[tuple[str, Path | None]]:
    """`json:out.json` to ("json", Path). Raises HarnessError (exit 2) for an unknown form, before any work starts."""
    parsed = []
    for word in formats or ("text",):
        form, colon, path = word.partition(":")
        if form not in FORMATS:
            raise HarnessError(
                Exit.USAGE, f"unknown output form {form!r}", where="--format", expected="one of " + ", ".join(FORMATS)
            )
        if colon and not path:
            raise HarnessError(
                Exit.USAGE, f"no path after {form}:", where="--format", expected=f"{form} or {form}:FILE"
            )
        parsed.append((form, Path(path) if path else None))
    return parsed


def note(text: str) -> None:
    """A note on standard error."""
    tell(f"note: {visible(text)}")


def check_sides(swapped: Sequence[bool], logs: tuple[Path, Path], option: str) -> None:
    """Refuse two logs of one side, or in the wrong order; `swapped`: whether each has lines of the other side only.

    `option` is the one that takes them all the same, if the command has one. Raises HarnessError (exit 2).
    """
    if not any(swapped):
        return
    if logs[0].exists() and logs[1].exists() and logs[0].samefile(logs[1]):
        note(f"{logs[0].name} is compared with itself, so parity proves nothing")
        return
    if all(swapped):
        what, where = "the logs are in the wrong order: the first holds lines of PY, the second those of C", logs[0]
        hint = f"swap them, or {option} PY,C" if option else "swap them"
    else:
        which = "PY" if swapped[0] else "C"
        what, where = f"both logs hold lines of {which} only", logs[0 if swapped[0] else 1]
        hint = f"{option} {which},{which} compares two logs of one side" if option else ""
    raise HarnessError(Exit.USAGE, what, where=str(where), expected="C.log PY.log", hint=hint)


def check_not_empty(table: TraceTable) -> None:
    """Refuse a log without a trace line. Raises HarnessError (exit 6)."""
    if table.rows or table.unreadable:
        return
    what = (
        "no number in its trace lines" if table.trace_lines else "no trace line" if table.lines else "the file is empty"
    )
    expected = f"TRACE_{table.side}: name number ..."
    raise HarnessError(Exit.NOTHING_TO_COMPARE, what, where=table.path, expected=expected)


def emit(
    result: Result, formats: Sequence[tuple[str, Path | None]], embedded: Callable[[], Mapping[str, bytes]]
) -> None:
    """Write the result in each form, to its path or to standard output; `embedded` is for the page: see html_form."""
    context = click.get_current_context(silent=True)
    if context is not None:
        typed = ("trace-diff", *sys.argv[1:])
        result = replace(result, pair_option=context.meta.get(_PAIR_OPTION, ""), typed=typed)
    for form, path in formats:
        if form == "html":
            text = _page(result, embedded())
        elif form == "text" and path is None:
            show_result(result)
            continue
        elif form == "text":
            from trace_parity.render import text_form

            text = text_form.render(result, detail())
        else:
            text = renderer(form)(result)
        if path is None:
            click.echo(text, nl=False)
            continue
        write_whole(path, text)
    printed = [form for form, path in formats if path is None]
    if not printed or (sys.stderr.isatty() and "text" not in printed):
        _say_verdict(result, [path for _, path in formats if path is not None], to_stderr=bool(printed))


def _say_verdict(result: Result, written: Sequence[Path], to_stderr: bool) -> None:
    """Where no text was printed: the files that were written (on a terminal) and the verdict."""
    from trace_parity.render.text_form import parts

    for path in written if sys.stderr.isatty() else ():
        tell(f"wrote {visible(str(path))}")
    for line in parts(result, "verdict")[1]:
        tell(line) if to_stderr else click.echo(line)


def show_result(result: Result) -> None:
    """Print the verdict as -v and -q ask for it."""
    from trace_parity.render.text_form import parts

    show(*parts(result, detail()))


def _page(result: Result, embedded: Mapping[str, bytes]) -> str:
    from trace_parity.render.html_form import render

    return render(result, embedded, in_bundle=False)
