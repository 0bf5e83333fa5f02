"""The `trace-diff` command: finds the subcommand, turns errors into one clear message and an exit code."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import re
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TextIO

import click

from trace_parity import __version__
from trace_parity.cli.ending import TerminatedError, ending
from trace_parity.cli.screen import tell
from trace_parity.errors import Exit, HarnessError
from trace_parity.nearest import nearest_names

COMMANDS = {
    "run": "run both programs on one command line, compare, write a bundle",
    "compare": "compare two logs",
    "blame": "find the side that breaks its own equation, in one or two logs",
    "inject": "run the port with C's values of some variables; isolate faults",
    "probe": "trace a program that prints no trace, C or PyTorch",
    "replay": "call one function of the port with C's inputs",
    "judge": "judge a bundle again under another tolerance",
    "table": "print variables of two logs or of a bundle, per iteration of a loop",
    "phi": "print the pair's own table",
    "bundle": "verify, compare, list and show bundles",
    "report": "render, index, compare and open the reports of bundles",
    "calibrate": "measure how far rounding alone moves each number of a case",
    "gate": "run a matrix of cases through both programs",
    "sweep": "try many command lines, shrink those that differ",
    "cases": "list and show the cases of the pair",
    "gradcheck": "compare the port's gradients with finite differences",
    "export": "export a table of a bundle",
    "pair": "write a pair's folder from two logs; check one",
    "explain": "print unit, equation, source lines and tolerance of a variable",
    "completion": "print the completion script of bash, zsh or fish",
    "man": "print the manual page",
}
COMPLETING = "_TRACE_DIFF_COMPLETE"
"""The variable by which the script of a shell asks for completions."""
MODULES = {"phi": "table"}
"""Commands that are in the module of another."""


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is called, so that `--help` comes at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand's own module."""
        if cmd_name not in COMMANDS:
            return None
        module = MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"trace_parity.cli.{module}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand of the first word; an unknown one is refused with the nearest name."""
        word = args[0]
        if word in COMMANDS or ctx.resilient_parsing or word.startswith("-"):
            return super().resolve_command(ctx, args)
        near = nearest_names(word, COMMANDS)
        files = word.endswith((".log", ".txt", ".gz")) or "/" in word
        hint = "trace-diff compare C.log PY.log compares two logs" if files else "trace-diff --help lists the commands"
        hint = _INSTEAD.get(word) or (f"did you mean {near[0]}?" if near else hint)
        raise HarnessError(Exit.USAGE, f"no command {word!r}", hint=hint)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table above, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trace-diff")
def trace_diff() -> None:
    """Find the first variable in which a port differs from its C original, with evidence.

    \b
    trace-diff run supervisor          run both programs, compare, write a bundle
    trace-diff compare C.log PY.log    compare two existing logs

    Exit codes: 0 parity, 1 divergence, 2 usage, 3 a program failed, 4 shapes differ, 5 unreadable,
    6 nothing or one side only to compare, 7 a stale waiver, 70 an internal error, 74 a file cannot be written.
    """


_INSTEAD = {
    "help": "trace-diff --help, or trace-diff COMMAND --help",
    "version": "trace-diff --version",
    "diff": "trace-diff compare C.log PY.log compares two logs, trace-diff report diff A B two bundles",
    "show": "trace-diff bundle show BUNDLE",
    "list": "trace-diff cases list, trace-diff bundle list",
}


def _terminate(signum: int, frame: object) -> None:
    raise TerminatedError


def join_rules(words: Sequence[str]) -> list[str]:
    """`--rtol 1e-6 F_latt:1e-9` with all rules in one word, so that they are not taken for other arguments."""
    joined: list[str] = []
    in_rules = False
    for word in words:
        if in_rules and _RULE.fullmatch(word):
            joined[-1] += f" {word}"
            continue
        in_rules = bool(joined) and joined[-1] == "--rtol"
        joined.append(word)
    return joined


_RULE = re.compile(r"[\w*?\[\]!]+:(?:(?:abs|ulp|rtol)=)?[-+.\deE]+")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: one exit code per way to end, a few lines on standard error at most."""
    signal.signal(signal.SIGTERM, _terminate)
    gc.set_threshold(200_000)  # a command makes few cycles: looking for them took a twentieth of the time
    atexit.register(gc.freeze)  # and nothing is left to look for at the end
    _open_streams()
    words = sys.argv[1:] if argv is None else argv
    try:
        code = _run(join_rules(words))
        sys.stdout.flush()
    except BaseException as error:
        code, lines = ending(error, words)
        _silence(sys.stdout)
        if COMPLETING in os.environ:
            code, lines = 0, []  # a shell would print them into the line that is being typed
        for line in lines:
            with contextlib.suppress(OSError):
                tell(line)
    sys.exit(code)


def _open_streams() -> None:
    """Put the null device where the caller has closed a standard stream, as with `>&-`: no file may take its number."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.fstat(number)
                continue
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def _run(words: Sequence[str]) -> int:
    stdout, stderr = sys.stdout, sys.stderr
    try:
        trace_diff.main(args=words, prog_name="trace-diff", standalone_mode=False)
    except SystemExit as error:
        if sys.stdout is not stdout:  # click wraps it for a closed pipe and exits with 1, which means divergence here
            sys.stdout, sys.stderr = stdout, stderr
            raise BrokenPipeError from error
        return error.code if isinstance(error.code, int) else 0
    return 0


def _silence(stream: TextIO) -> None:
    """Point a stream that cannot be written at nothing, so that the interpreter's own flush at the end is quiet."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
