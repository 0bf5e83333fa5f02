"""The first screen: what is wrong, where, who, how much of the result it explains, and what to do next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from trace_parity.blame.headline import cause_sentence
from trace_parity.errors import Exit
from trace_parity.render.commands import Commands, option_in, with_option
from trace_parity.render.next_step import next_step, who
from trace_parity.result.result import Result


@dataclass(frozen=True)
class FirstScreen:
    """The answers; empty if the result does not contain them."""

    who: str
    explains: str
    next: str
    command: str


def first_screen(result: Result, commands: Commands) -> FirstScreen:
    """The answers of a result."""
    explains = cause_sentence(result.blame) if result.blame is not None else ""
    step = next_step(result)
    command = _command(result, commands, step)
    is_command = step.startswith("trace-diff ")
    return FirstScreen(who(result), explains, "" if is_command and command else step, command)


def _with_pair(step: str, again: str) -> str:
    """The step with the --pair that the command of the run has."""
    words = shlex.split(again)
    if "--pair" not in words[:-1] or " --pair " in step:
        return step
    return f"{step} --pair {shlex.quote(words[words.index('--pair') + 1])}"


def _command(result: Result, commands: Commands, step: str) -> str:
    """The command of the next step, as it works where the page lies; empty where none is known."""
    if result.exit_code == Exit.PARITY:
        return ""
    can_run = commands.again.startswith("trace-diff run ")
    quirk = next((q for q in result.quirks if q.first_is_it), None)
    option = option_in(quirk.remedy) if quirk is not None and not result.settings else None
    if option is not None and can_run and option[0].removeprefix("--") not in result.lacks:
        return with_option(commands.again, *option)
    if result.exit_code == Exit.DIVERGENCE and not result.settings:
        inject = next((c for _, c in commands.usable if c.startswith("trace-diff inject ")), "")
        return inject or (_with_pair(step, commands.again) if step.startswith("trace-diff ") else commands.again)
    return commands.again
