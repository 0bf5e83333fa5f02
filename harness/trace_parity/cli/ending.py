"""The exit code and the lines on standard error when an exception ends the command."""

from __future__ import annotations

import errno
import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from trace_parity import __version__
from trace_parity.errors import REFUSALS, Exit, HarnessError, cannot_write
from trace_parity.nearest import nearest_names
from trace_parity.printable import visible, visible_lines

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
PIPE_CLOSED = 128 + signal.SIGPIPE
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
WRONG_PATH = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG}
)
"""Errors caused by a path that the user gave. A missing file is not among them: it may be a file of the package."""


class TerminatedError(BaseException):
    """SIGTERM arrived: end as after Ctrl-C, so that running work cleans up."""


def ending(error: BaseException, words: Sequence[str]) -> tuple[int, list[str]]:
    """Exit code and message of an exception that reached the top; `words` are the command line."""
    notes = [*getattr(error, "__notes__", ()), *getattr(error.__cause__, "__notes__", ())]
    if isinstance(error, HarnessError):
        return int(error.code), [f"trace-diff: {visible_lines(str(error))}", *map(visible, notes)]
    if isinstance(error, click.exceptions.Abort | KeyboardInterrupt | TerminatedError):
        kept = notes or ["no bundle was written"]
        code = TERMINATED if isinstance(error, TerminatedError) else INTERRUPTED
        return code, [f"trace-diff: interrupted; {visible(kept[0])}"]
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return int(Exit.USAGE), []
    if isinstance(error, click.ClickException):
        return int(Exit.USAGE), [visible_lines(_usage(error, words))]
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED, []
    if isinstance(error, OSError) and (refused := _refusal(error)) is not None:
        return int(refused.code), [f"trace-diff: {visible_lines(str(refused))}", *map(visible, notes)]
    return int(Exit.INTERNAL), [_internal(error, words), *map(visible, notes)]


def _refusal(error: OSError) -> HarnessError | None:
    """A file system that refuses, or a path that cannot be what it is used for; None for another error."""
    where = error.filename2 or error.filename  # of a copy, what is written
    if error.errno in FULL:
        return cannot_write(error, where or "standard output")
    if error.errno not in WRONG_PATH or where is None:
        return None
    code = Exit.FILE_SYSTEM if error.errno in REFUSALS else Exit.USAGE
    return HarnessError(code, error.strerror or str(error), where=str(where))


def _usage(error: click.ClickException, words: Sequence[str]) -> str:
    """One line for what is wrong with a command line: the command, the fault, where to look."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = " ".join(["trace-diff", *(word for word in words[:1] if not word.startswith("-"))])
    name = context.command_path if context is not None else command
    known = _bad_number(error, words) or _no_such_option(error) or _no_such_command(error)
    what = known or " ".join(error.format_message().split()).rstrip(".")
    hint = f"{name} --help"
    if context is not None and "unexpected extra argument" in what:
        takes = " ".join(context.command.collect_usage_pieces(context)[1:]) or "no arguments"
        hint = f"it takes {takes}; a name with spaces needs quotes"
        if option := {"gate": "--only", "gradcheck": "--case"}.get(context.command.name or ""):
            hint = f"{option} CASE chooses a case"
    return f"{name}: {what[:1].lower()}{what[1:]} (hint: {hint})"


def _no_such_option(error: click.ClickException) -> str:
    """An unknown option and those with a name like it, worded alike for all versions of click; else empty."""
    if not isinstance(error, click.NoSuchOption):
        return ""
    return f"no such option {error.option_name!r}" + _did_you_mean(sorted(error.possibilities or ()))


def _no_such_command(error: click.ClickException) -> str:
    """The same of an unknown command of a group."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    found = re.match("No such command '(.+?)'", error.message)
    if found is None or context is None or not isinstance(context.command, click.Group):
        return ""
    near = nearest_names(found[1], context.command.list_commands(context))
    return f"no such command {found[1]!r}" + _did_you_mean(near)


def _did_you_mean(names: Sequence[str]) -> str:
    return f". Did you mean {' or '.join(map(repr, names))}?" if names else ""


def _bad_number(error: click.ClickException, words: Sequence[str]) -> str:
    """What is wrong with the value of an option that takes whole numbers; empty for another error."""
    if not isinstance(error, click.BadParameter) or error.param is None:
        return ""
    option, kind = error.param, error.param.type
    if not isinstance(kind, click.IntRange | click.types.IntParamType):
        return ""
    name = next((word for word in words if word in option.opts), option.opts[0])
    least = f" of {kind.min} or more" if isinstance(kind, click.IntRange) and kind.min is not None else ""
    expected = f"{name} {option.metavar}, whole numbers" if option.nargs > 1 else "a whole number"
    value = re.split(r" is not (?:a valid|in the) ", error.message)[0]
    return f"{name}: found {value}; expected {expected}{least}"


def _internal(error: BaseException, words: Sequence[str]) -> str:
    what = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    log = _write_log(error, words)
    report = f"please report it with the log {log}" if log else "no log could be written; its traceback is above"
    return f"trace-diff: internal error: {visible(what)} ({report})"


def _write_log(error: BaseException, words: Sequence[str]) -> Path | None:
    """The traceback in a file of the user's cache, or of the temporary folder; None where neither can be written."""
    import platform
    import tempfile
    import traceback
    from datetime import UTC, datetime

    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    head = f"trace-diff {__version__}, Python {platform.python_version()}, {platform.platform()}"
    text = "\n".join([head, shlex.join(["trace-diff", *words]), "", *traceback.format_exception(error)])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME") or tempfile.gettempdir()) / ".cache")
    for folder in (cache / "trace-diff" / "errors", None):
        try:
            folder = folder or Path(tempfile.gettempdir())
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"trace-diff-{stamp}-", suffix=".log", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
                stream.write(text)
        except OSError:
            continue
        return Path(name)
    print(text, file=sys.stderr)
    return None
