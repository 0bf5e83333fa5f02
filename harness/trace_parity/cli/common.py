"""What several subcommands share: output forms, progress on standard error, option texts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trace_parity.cli import candidates
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
    from trace_parity.run.launch import Progress
    from trace_parity.run.state import Stage

F = TypeVar("F", bound=Callable[..., Any])


def _keep_i_know(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    context.meta[_I_KNOW] = value
    return value


_I_KNOW = f"{__name__}.i_know"
_DETAIL = f"{__name__}.detail"


def _keep_detail(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        before = context.meta.setdefault(_DETAIL, parameter.name)
        if before != parameter.name:
            raise HarnessError(Exit.USAGE, "both -v and -q", expected="one of them")


def rules_of(words: Sequence[str]) -> tuple[Rule, ...]:
    """The words of --rtol as rules. Raises HarnessError (exit 2)."""
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


rtol_option = click.option(
    "--rtol",
    "rtol_words",
    multiple=True,
    metavar="RULE...",
    help="Relative tolerance in place of each variable's own (whole numbers stay exact), and of chosen ones: "
    "--rtol 1e-6 F_latt:1e-9 'rot_*:1e-12'. NAME:abs=X is a fraction of the scale that the variable is compared "
    "against, NAME:ulp=N a count of doubles.",
)


def output_options(command: F) -> F:
    """--format, --rtol and --lenient, as every comparing command takes them."""
    for option in (
        click.option(
            "-v",
            "--verbose",
            "full",
            is_flag=True,
            expose_value=False,
            callback=_keep_detail,
            help="Text: every finding in full, also of what inherits a difference.",
        ),
        click.option(
            "-q",
            "--quiet",
            "verdict",
            is_flag=True,
            expose_value=False,
            callback=_keep_detail,
            help="Text: the verdict alone, one line.",
        ),
        click.option(
            "--i-know",
            is_flag=True,
            expose_value=False,
            callback=_keep_i_know,
            help="Take a tolerance of 1 and more, under which nearly any two numbers agree.",
        ),
        click.option(
            "--lenient",
            is_flag=True,
            help="Compare the rest of a log that has unreadable trace lines, and list those. It never ends in parity.",
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

    if ctx.meta.get(IN_TREE) or (ctx.command.name == "gate" and value is None):
        from trace_parity.run.work_tree import pair_of_work_tree, work_tree

        if ctx.meta.get(IN_TREE) or work_tree() is not None:
            return pair_of_work_tree(value)
    return find_pair(value)


IN_TREE = "trace_parity.in_tree"


def _keep_in_tree(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[IN_TREE] = value


in_tree_option = click.option(
    "--in-tree",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_keep_in_tree,
    help="Fail unless the pair and both programs lie in the git work tree around here, not in an installed copy.",
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
    help="Let this known quirk pass, while it shows. Repeatable.",
)
calibration_option = click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What rounding explains, as `trace-diff calibrate` measured it. [default: that of the case, if any]",
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
    help="How many divergent sites (places of the pair's focus) of logs of more than 200,000 numbers are held against "
    "the equations. Every variable that diverges is looked at in one of them, however few.",
)


def calibration_for(pair: Pair, case: Case | None, against: str, given: Path | None) -> Calibration | None:
    """The calibration to compare with: the one given, else that of the case; None where there is none.

    One that no longer holds is left out, with a note that says why. Raises HarnessError (exit 5, or 2 for that of
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
            Exit.USAGE, f"it is of pair {found.origin.pair!r}", where=str(given), expected=f"one of {pair.name!r}"
        )
    reason = staleness(found, pair, case, against) if pair.has_programs else ""
    if reason:
        name = found.origin.case
        note(
            f"the calibration of {name} is stale and left out: {reason}; `trace-diff calibrate {name}` measures it anew"
        )
        return None
    return found


def parse_formats(formats: Sequence[str]) -> list[tuple[str, Path | None]]:
    """`json:out.json` to ("json", Path). Raises HarnessError (exit 2) for an unknown form, before any work is done."""
    parsed = []
    for word in formats or ("text",):
        form, _, path = word.partition(":")
        if form not in FORMATS:
            raise HarnessError(Exit.USAGE, f"no output form {form!r}", where="--format", expected=" or ".join(FORMATS))
        parsed.append((form, Path(path) if path else None))
    return parsed


def note(text: str) -> None:
    """A remark on standard error."""
    click.echo(f"note: {visible(text)}", err=True)


def emit(
    result: Result, formats: Sequence[tuple[str, Path | None]], embedded: Mapping[str, bytes] | None = None
) -> None:
    """Write the result in each form, to its path or to standard output; `embedded` is for the page: see html_form."""
    for form, path in formats:
        if form == "html" and embedded is not None:
            text = _page(result, embedded)
        elif form == "text":
            text = _text(result, is_shown=path is None)
        else:
            text = renderer(form)(result)
        if path is None:
            click.echo(text, nl=False)
            continue
        write_whole(path, text)


def _text(result: Result, *, is_shown: bool) -> str:
    """The verdict as -v and -q ask for it; what a terminal shows is broken at its width, a pipe gets whole lines."""
    from trace_parity.render import text_form

    context = click.get_current_context(silent=True)
    text = text_form.render(result, (context.meta.get(_DETAIL) if context is not None else None) or "screen")
    return folded(text) if is_shown else text


def folded(text: str) -> str:
    """The text with its lines broken at the terminal's width, where standard output is one."""
    if not sys.stdout.isatty():
        return text
    from trace_parity.render.text_form import fold

    return fold(text, *shutil.get_terminal_size())


def _page(result: Result, embedded: Mapping[str, bytes]) -> str:
    from trace_parity.render.html_form import render

    return render(result, embedded, in_bundle=False)


@contextmanager
def stages() -> Iterator[Stage]:
    """Progress bars on standard error while programs run; plain lines where it is not a terminal."""
    if not sys.stderr.isatty():
        yield _line_stage
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:36}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:

        @contextmanager
        def bar_stage(title: str) -> Iterator[Callable[[int | str], None]]:
            task = bars.add_task(title, total=None)

            def show(now: int | str) -> None:
                if isinstance(now, str):
                    bars.console.print(f"{title}: {visible(now)}", markup=False, highlight=False)
                else:
                    bars.update(task, total=100, completed=now)

            yield show
            bars.update(task, total=100, completed=100)

        yield bar_stage


@contextmanager
def _line_stage(title: str) -> Iterator[Progress]:
    click.echo(f"{visible(title)} …", err=True)

    def show(now: int | str) -> None:
        if isinstance(now, str):
            click.echo(f"{visible(title)}: {visible(now)}", err=True)

    yield show
