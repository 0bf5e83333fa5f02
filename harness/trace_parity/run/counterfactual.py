"""The counterfactual: if the port had C's value of this variable, would everything downstream agree?

The port is traced again with C's values of some variables, and compared with C's trace. `inject` does so for variables
by name; `bisect` looks for the smallest set of variables with which everything agrees. The C program is not run: its
trace is that of the bundle.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trace_parity.bundle.bundle import check_whole
from trace_parity.compare.align import align
from trace_parity.compare.judge import VariableSummary, judge
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import scratch_folder
from trace_parity.nearest import nearest_names
from trace_parity.pair.case import (
    Case,
    input_hashes,
    parse_case,
    place_inputs,
    with_places,
    without_outputs,
)
from trace_parity.pair.dependencies import downstream, inputs, upstream
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import FILE, STDOUT, Program, Programs
from trace_parity.pair.tolerances import Rule, global_rtol, with_rules
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.result.result import CaseResult
from trace_parity.result.result_json import read_result
from trace_parity.run.launch import fill, focus_words, places, run_program
from trace_parity.run.options import with_options
from trace_parity.run.state import Stage, silent
from trace_parity.trace import TraceTable, read_trace


@dataclass(frozen=True)
class Still:
    """A variable that diverges: how many of its numbers diverge without C's values and with them.

    `after`: it is computed from what was put in.
    """

    variable: str
    compared: int
    before: int
    now: int
    after: bool


@dataclass(frozen=True)
class Injection:
    """The effect of C's values of `names`. `agrees`: everything that is computed from them agrees now."""

    names: tuple[str, ...]
    agrees: bool
    after: tuple[str, ...]  # what is computed from them and is in both traces
    cured: tuple[str, ...]  # of those, what diverged without
    variables: tuple[Still, ...]  # all that diverge with or without
    reruns: int


@dataclass(frozen=True)
class Fault:
    """An isolated fault: its inputs agree and it does not. `needed_for`: what diverges when it alone is left out."""

    variable: str
    needed_for: tuple[str, ...]


@dataclass(frozen=True)
class Bisection:
    """The smallest set of variables with whose C values everything agrees; `left` still diverges.

    `stubborn`: variables that differ even where C's values of them are put in, since the port changes them after that.
    """

    agrees: bool
    faults: tuple[Fault, ...]
    left: tuple[str, ...]
    reruns: int
    stubborn: tuple[str, ...] = ()


@dataclass
class Counterfactual:
    """The port, ready to be run again with C's values put in."""

    side: Program
    programs: Programs
    case: Case
    stored: CaseResult
    c_log: Path
    folder: Path
    vocabulary: Vocabulary
    c: TraceTable
    rtol: float | None
    stage: Stage
    done: dict[frozenset[str], dict[str, VariableSummary]] = field(default_factory=dict)

    def summaries(self, ids: frozenset[str] = frozenset()) -> dict[str, VariableSummary]:
        """The effect on each variable, by id, of C's values of `ids`; each set is run once."""
        if ids not in self.done:
            py = read_trace(self._trace(ids), "PY", self.vocabulary)
            found = judge(align(self.c, py, self.vocabulary), rtol=self.rtol).summaries
            self.done[ids] = {s.variable.id: s for s in found}
        return self.done[ids]

    def _trace(self, ids: frozenset[str]) -> Path:
        target = self.folder / f"py_{len(self.done)}.log"
        options = [
            word.format(value=self.stored.options[name])
            for name, words in self.side.options.items()
            if name in self.stored.options
            for word in words
        ]
        if ids:
            options += [w.format(names=",".join(sorted(ids)), log=self.c_log) for w in self.side.inject]
        words = {
            "args": self.case.argv,
            "against": self.side.against.get(self.stored.against, ()),
            "options": options,
            "focus": focus_words(self.programs, self.vocabulary.focus, self.case.places),
        }
        command = fill(self.side.trace, words, {**places(self.side), "work": str(self.folder), "trace": str(target)})
        title = f"{self.side.title} traces" + (f" with C's {', '.join(names_of(ids))}" if ids else "")
        with self.stage(title) as progress:
            cwd = self.folder if self.side.cwd == "{work}" else self.side.folder / self.side.cwd
            ran = run_program(command, cwd, target.with_suffix(""), title, progress, self.side.env)
        if self.side.trace_from != FILE:
            return ran.stdout if self.side.trace_from == STDOUT else ran.stderr
        return target


@contextmanager
def counterfactual(
    pair: Pair,
    bundle: Path,
    *,
    files: Mapping[str, str | None] | None = None,
    rules: Sequence[Rule] = (),
    is_trusted: bool = False,
    stage: Stage = silent,
    cwd: Path | None = None,
) -> Iterator[Counterfactual]:
    """Recreate the inputs of the bundle's run in a separate folder and read its C trace.

    A bundle may come from somebody else. Its hashes are checked first, and a command of its case that makes an input
    file is run only if the installed pair has the same command, or if the bundle `is_trusted`.

    `files` as for `with_options`: the files that the run got by the pair's options. Raises HarnessError: exit 5 if the
    bundle or an input cannot be read, exit 2 where an input is not the one that the bundle was made with.
    """
    check_whole(bundle)
    stored = read_result(bundle / "result.json").case
    try:
        text = (bundle / "case.toml").read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(bundle / "case.toml")) from error
    programs, vocabulary = pair.programs, with_rules(pair.vocabulary, rules)
    side = programs.sides["PY"]
    if not side.inject:
        raise HarnessError(Exit.USAGE, f"{side.title} does not accept values from another program's trace")
    case = with_places(parse_case(text, str(bundle / "case.toml"), pair), stored.places)
    case = without_outputs(with_options(case, pair, files or {}), programs.output_flags, programs.switches)
    if not is_trusted:
        check_commands(pair, case, bundle / "case.toml")
    c_log = (bundle / "traces" / "c.log").resolve()
    c = read_trace(c_log, "C", vocabulary)
    with scratch_folder("inject") as folder:
        placed = place_inputs(case, folder, programs.input_flags, cwd or Path.cwd())
        _check_inputs(input_hashes(placed, folder, programs.input_flags), stored)
        yield Counterfactual(side, programs, placed, stored, c_log, folder, vocabulary, c, global_rtol(rules), stage)


def check_commands(pair: Pair, case: Case, where: Path) -> None:
    """HarnessError (exit 2) for a command that the installed pair's cases do not have."""
    cases = [*pair.cases(), *(pair.matrix().cases if pair.file("matrix") else ())]
    own = {file.command for known in cases for file in known.files}
    for file in case.files:
        if file.command and file.command not in own:
            raise HarnessError(
                Exit.USAGE,
                f"the bundle generates {file.name} by running a command: {shlex.join(file.command)}",
                where=str(where),
                expected="a command of the installed pair's cases",
                hint="--trust-bundle runs it",
            )


def _check_inputs(hashes: dict[str, str], stored: CaseResult) -> None:
    if sorted(hashes.values()) == sorted(stored.inputs.values()):
        return
    strange = [name for name, digest in hashes.items() if digest not in stored.inputs.values()] or list(hashes)
    raise HarnessError(
        Exit.USAGE,
        f"{', '.join(strange) or 'an input file'}: not the input that the bundle was made with",
        expected=", ".join(f"{name} with SHA-256 {digest[:12]}…" for name, digest in stored.inputs.items())
        or "no file",
        hint="pass the files of the original run with the same options",
    )


def known_ids(names: Sequence[str], vocabulary: Vocabulary) -> frozenset[str]:
    """The ids of variables by name (at every scope that has it) or by id. HarnessError (exit 2) for an unknown one."""
    found: list[str] = []
    for name in names:
        ids = [v.id for v in vocabulary.variables if name in (v.name, v.id)]
        if not ids:
            close = nearest_names(name, [v.name for v in vocabulary.variables], 3)
            hint = f"near it are {', '.join(close)}" if close else ""
            raise HarnessError(Exit.USAGE, f"no variable {name!r}", expected="a name of the vocabulary", hint=hint)
        found += ids
    return frozenset(found)


def names_of(ids: frozenset[str]) -> list[str]:
    """Names for people, each once, in alphabetical order."""
    return sorted({i.rpartition(".")[2] for i in ids})


def inject(lab: Counterfactual, names: Sequence[str]) -> Injection:
    """Put C's values of `names` in. HarnessError (exit 6) where nothing that is computed from them was compared."""
    asked = known_ids(names, lab.vocabulary)
    ids = frozenset(i for i in asked if i in lab.c.variables)
    if lost := [n for n in names if not known_ids([n], lab.vocabulary) & ids]:
        raise HarnessError(Exit.UNREADABLE, f"the C trace has no value of {', '.join(lost)}", where=str(lab.c_log))
    later = downstream(inputs(lab.vocabulary), ids)
    before, now = lab.summaries(), lab.summaries(ids)
    after = [i for i, s in now.items() if i in later and s.compared]
    if not after:
        raise HarnessError(Exit.NOTHING_TO_COMPARE, f"nothing in the traces is computed from {', '.join(names)}")
    variables = tuple(
        Still(i, s.compared, _off(before[i]) if i in before else 0, _off(s), i in later)
        for i, s in now.items()
        if _off(s) or (i in before and _off(before[i]))
    )
    return Injection(
        tuple(names),
        not any(v.now for v in variables if v.after),
        tuple(after),
        tuple(v.variable for v in variables if v.after and v.before and not v.now),
        variables,
        len(lab.done),
    )


def _off(summary: VariableSummary) -> int:
    """Numbers that differ or are on one side only."""
    return summary.divergent + summary.c_only + summary.py_only


def bisect(lab: Counterfactual) -> Bisection:
    """Isolate the faults.

    A variable that diverges while all that it is computed from agrees is at fault: C's values of it are put in, and
    what still diverges is tried again. At the end each fault is left out once, to show that all are needed.
    """
    graph = inputs(lab.vocabulary)
    faults: frozenset[str] = frozenset()
    while True:
        wrong = [i for i, s in lab.summaries(faults).items() if _off(s)]
        can = [i for i in wrong if i not in faults and lab.summaries(faults)[i].compared]
        next_ones = frozenset(i for i in can if not upstream(graph, [i]) & set(wrong))
        if not next_ones:
            break
        faults |= next_ones
    stubborn = tuple(i for i, s in lab.summaries(faults).items() if i in faults and _off(s))
    needed: dict[str, tuple[str, ...]] = {}
    for fault in [i for i in lab.summaries() if i in faults]:  # in order of evaluation
        rest = lab.summaries(faults - {fault})
        more = tuple(i for i, s in rest.items() if _off(s) and i not in wrong)
        if more:
            needed[fault] = more
        else:
            faults -= {fault}
    left = tuple(i for i, s in lab.summaries(faults).items() if _off(s))
    return Bisection(not left, tuple(Fault(i, n) for i, n in needed.items()), left, len(lab.done), stubborn)
