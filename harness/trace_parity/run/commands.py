"""commands.txt of a bundle: what was run, and follow-up commands that work in the bundle's folder."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from trace_parity.blame.headline import cause_of
from trace_parity.bundle.bundle import final_path
from trace_parity.compare.options import Options
from trace_parity.errors import HarnessError
from trace_parity.pair.case import Case
from trace_parity.pair.find import installed_folder, nearest_folder, shipped
from trace_parity.pair.pair import Pair
from trace_parity.pair.tolerances import Rule
from trace_parity.render.commands import AGAIN, ASKED, RAN
from trace_parity.result.result import Result
from trace_parity.run.counterfactual import check_commands
from trace_parity.run.launch import python
from trace_parity.run.state import Run


def commands_text(run: Run, case: Case, result: Result) -> str:
    """The file: commands under headings. Those after `ASKED` and `RAN` are records, the others work in its folder."""
    pair = _pair_words(run.pair, final_path(run.folder))
    parts = [
        (ASKED, [run.options.asked_as]),
        (AGAIN, [("trace-diff", "run", "case.toml", *pair, *_option_words(run.options), "--out", "../..")]),
        *_further(run, case, result, pair),
        (RAN, [portable(run, ran.command) for _, _, ran, _ in run.ran]),
    ]
    blocks = ["\n".join([f"# {title}", *map(shlex.join, commands)]) for title, commands in parts]
    return "\n\n".join(blocks) + "\n"


def _further(run: Run, case: Case, result: Result, pair: tuple[str, ...]) -> list[tuple[str, list[tuple[str, ...]]]]:
    found: list[tuple[str, list[tuple[str, ...]]]] = []
    cause = cause_of(result.blame) if result.blame is not None else None
    side = run.programs.sides.get("PY")
    if cause is not None and side is not None and side.inject and _may_inject(run.pair, case):
        names = (cause.variable, *cause.together)
        title = f"use C's values of {', '.join(names)} in the port: does the rest agree then?"
        found.append((title, [("trace-diff", "inject", ".", *names, *pair)]))
    found.append(
        ("judge the stored logs and images again", [("trace-diff", "judge", ".", *pair, *_judging(run.options))])
    )
    if result.blame is not None:
        logs = ("traces/c.log", "traces/py.log")
        found.append(("check both logs against the equations", [("trace-diff", "blame", *logs, *pair)]))
    table = run.pair.vocabulary.tick_table
    if result.per_tick and table is not None:
        title = f"both sides at every {table.loop}, with all digits"
        found.append((title, [("trace-diff", "table", table.loop, ".", "--format", "csv", *pair)]))
    found.append(("check that the bundle is unchanged", [("trace-diff", "bundle", "verify", ".")]))
    return found


def _may_inject(pair: Pair, case: Case) -> bool:
    """Whether `inject` makes the case's input files without the need to trust the bundle."""
    try:
        check_commands(pair, case, Path("case.toml"))
    except HarnessError:
        return False
    return True


def _option_words(options: Options) -> tuple[str, ...]:
    """The options of `trace-diff run` that repeat the same run."""
    words = ["--against", options.against] if options.against else []
    for name, value in options.program_options.items():
        words += [f"--{name}", value]
    switches = {"--no-images": not options.render_images, "--no-preflight": not options.preflight}
    return (*words, *(word for word, is_on in switches.items() if is_on), *_judging(options))


def _judging(options: Options) -> tuple[str, ...]:
    """Those of them that affect judging."""
    words = []
    rules = options.rules or ((Rule("", "rtol", options.rtol),) if options.rtol is not None else ())
    for rule in rules:
        words += ["--rtol", _rule_word(rule)]
    if any(rule.value >= 1 and rule.part != "ulp" for rule in rules):
        words.append("--i-know")
    for quirk in options.waive:
        words += ["--waive", quirk]
    return (*words, "--lenient") if options.lenient else tuple(words)


def _rule_word(rule: Rule) -> str:
    value = repr(rule.value) if rule.part == "rtol" else f"{rule.part}={rule.value!r}"
    return f"{rule.names}:{value}" if rule.names or rule.part != "rtol" else value


def _pair_words(pair: Pair, bundle: Path) -> tuple[str, ...]:
    """--pair, where a command in the bundle's folder would not find this pair by itself."""
    try:
        found = nearest_folder(bundle.parent) or shipped().folder
        if found.resolve() == pair.folder.resolve():
            return ()
        if installed_folder(pair.name).resolve() == pair.folder.resolve():
            return ("--pair", pair.name)
    except HarnessError:  # none is shipped, or none is installed under this name
        pass
    return ("--pair", os.path.relpath(pair.folder.resolve(), bundle))


def portable(run: Run, command: tuple[str, ...]) -> tuple[str, ...]:
    """A command without this machine's paths: programs and files by their names, outputs as they lie in the bundle."""
    words = []
    for word in command:
        if word.startswith(f"{run.folder}/"):
            words.append(word.removeprefix(f"{run.folder}/"))
        elif word == python():
            words.append("python")
        else:
            words.append(Path(word).name if word.startswith("/") else word)
    return tuple(words)
