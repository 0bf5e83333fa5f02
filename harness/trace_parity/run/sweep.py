"""A sweep: many command lines of a grammar through both programs, every divergence shrunk, grouped and kept as a case.

Every try is one line of a state file. An interrupted sweep runs again with these tries: since each step depends on
tries alone, it reaches the point of the interruption and continues.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trace_parity.compare.options import Options
from trace_parity.compare.picks import DEFAULT_PICKS, parse_picks
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import make_folder, parse_json, read_regular, write_whole
from trace_parity.pair.case import Case, Place
from trace_parity.pair.pair import Pair
from trace_parity.pair.sweep_grammar import Grammar, Line
from trace_parity.result.finding import DIFFERS, EMPTY, REFUSED, SAME, Finding, Shown, SweepResult
from trace_parity.run.cluster import engine_of
from trace_parity.run.engine import Engine
from trace_parity.run.gate import LOST, SEVERITY
from trace_parity.run.identity import resume_key
from trace_parity.run.prepared import Prepared, prepare
from trace_parity.run.run_case import run_case
from trace_parity.run.shrink import given, shrink, with_only
from trace_parity.run.try_line import try_line

STATE = "sweep.tries.jsonl"


@dataclass(frozen=True)
class Sweep:
    """The options of a sweep, its folder, and where progress is reported."""

    pair: Pair
    grammar: Grammar
    options: Options
    jobs: int = 1
    cluster: str = ""
    resume: bool = False
    tell: Callable[[str], None] = lambda text: None


def run_sweep(sweep: Sweep, lines: Sequence[Line]) -> SweepResult:
    """Try every line, shrink what differs, write cases and bundles. Raises HarnessError as `run_gate` does."""
    pair, out = sweep.pair, sweep.options.out
    prepared = prepare(pair, out)
    make_folder(out, "--out names the folder for bundles")
    options = _with_picks(sweep)
    key = resume_key(prepared.identity, asdict(replace(options, out=Path(), asked_as=())), sweep.grammar.places)
    with engine_of(pair, prepared, sweep.jobs, sweep.cluster, sweep.grammar.files, out) as engine:
        with Tries(engine, sweep.grammar, options, out / STATE, key if sweep.resume else "") as tries:
            tries.begin(key)
            lines = list(dict.fromkeys(lines))
            for n, (line, shown) in enumerate(tries.all(lines), 1):
                sweep.tell(f"[{n}/{len(lines)}] {shown.kind:8} {' '.join(_words(line))}")
            findings = _shrunk(lines, tries, sweep)
            findings = _kept(findings, tries, sweep, options)
        kinds = [tries.known[_digest(sweep.grammar, line)] for line in lines]
    return SweepResult(
        title=pair.title,
        asked_as=options.asked_as,
        kinds={kind: sum(s.kind == kind for s in kinds) for kind in (SAME, DIFFERS, REFUSED, EMPTY)},
        tried=len(tries.known),
        exit_code=int(_worst(kinds)),
        findings=tuple(findings),
    )


def _worst(shown: Sequence[Shown]) -> Exit:
    """That of the worst line; lines that both programs refuse, or that show nothing, count only where all do."""
    codes = [Exit(s.exit_code) for s in shown if s.kind in (SAME, DIFFERS)]
    return max(codes, key=SEVERITY.index, default=Exit.NOTHING_TO_COMPARE)


def _with_picks(sweep: Sweep) -> Options:
    pair, grammar, options = sweep.pair, sweep.grammar, replace(sweep.options, preflight=False, waive_unused=True)
    if not pair.focus or grammar.places:
        return options
    if not options.render_images:
        expected = "`focus` in the grammar, since there are no images to pick places on"
        raise HarnessError(Exit.USAGE, "no place to trace", where=grammar.where, expected=expected)
    return replace(options, picks=parse_picks(grammar.picks or DEFAULT_PICKS))


class Tries:
    """The outcome of each line, on disk and in memory. Safe to use from several threads."""

    def __init__(self, engine: Engine, grammar: Grammar, options: Options, path: Path, resumed: str) -> None:
        self.engine, self.grammar, self.options, self.path = engine, grammar, options, path
        self.known: dict[str, Shown] = _read(path, resumed) if resumed else {}
        self.lock = threading.Lock()

    def __enter__(self) -> Tries:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def begin(self, key: str) -> None:
        """Write the state again, with the reused tries."""
        head = json.dumps({"key": key})
        write_whole(self.path, "".join(f"{line}\n" for line in (head, *map(_as_json, self.known.items()))))
        self.stream = self.path.open("a", encoding="utf-8")

    def all(self, lines: Sequence[Line]) -> Any:
        """Each line with what it shows, as they come."""
        left = []
        for line in lines:
            if (shown := self.known.get(_digest(self.grammar, line))) is not None:
                yield line, shown
            else:
                left.append((self.case(line), self.options, self.grammar.timeout_s))
        by_id = {self.case(line).id: line for line in lines}
        for (case, *_), shown in self.engine.results(try_line, left):
            yield by_id[case.id], self._keep(by_id[case.id], shown or _LOST)

    def of(self, line: Line) -> Shown:
        """The outcome of one line."""
        if (shown := self.known.get(_digest(self.grammar, line))) is not None:
            return shown
        future = self.engine.submit(try_line, self.case(line), self.options, self.grammar.timeout_s)
        try:
            return self._keep(line, future.result())
        except self.engine.lost:
            return self._keep(line, _LOST)

    def case(self, line: Line, places: tuple[Place, ...] = ()) -> Case:
        """A line as a case, with the places that were picked for it."""
        argv = self.grammar.argv(line)
        files = tuple(file for file in self.grammar.files if file.name in argv)
        digest = _digest(self.grammar, line)
        return Case(f"line-{digest}", "a line of a sweep", argv, places or self.grammar.places, files=files)

    def _keep(self, line: Line, shown: Shown) -> Shown:
        entry = (_digest(self.grammar, line), shown)
        with self.lock:
            self.known[entry[0]] = shown
            self.stream.write(_as_json(entry) + "\n")
            self.stream.flush()
        return shown


_LOST = Shown(DIFFERS, int(Exit.PROGRAM_FAILED), first=LOST, headline=LOST)


def _as_json(entry: tuple[str, Shown]) -> str:
    return json.dumps({"line": entry[0], **asdict(entry[1])})


def _read(path: Path, key: str) -> dict[str, Shown]:
    """The tries of an earlier sweep of the same pair, programs and options. Raises HarnessError (exit 5)."""
    if not path.exists():
        return {}
    found: dict[str, Shown] = {}
    try:
        text = read_regular(path)
        entries = text[: text.rfind("\n") + 1].splitlines()  # a killed sweep may leave half a line
        if not entries or parse_json(entries[0])["key"] != key:
            return {}
        for entry in entries[1:]:
            fields = parse_json(entry)
            name = fields.pop("line")
            found[name] = Shown(**{**fields, "places": tuple(map(tuple, fields["places"]))})
    except OSError as error:
        raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(path)) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"not the state of a sweep: {error}"[:200]
        raise HarnessError(Exit.UNREADABLE, what, where=str(path), hint="without --resume it starts again") from error
    return {name: shown for name, shown in found.items() if shown != _LOST}


def _shrunk(lines: Sequence[Line], tries: Tries, sweep: Sweep) -> list[Finding]:
    """The findings. A group is worked off in the order of its lines, groups at the same time."""
    groups: dict[tuple[int, str, str], list[Line]] = {}
    for line in lines:
        shown = tries.of(line)
        if shown.kind == DIFFERS:
            groups.setdefault(shown.group, []).append(line)
    if not groups:
        return []
    with ThreadPoolExecutor(max_workers=max(1, tries.engine.jobs)) as pool:
        found = list(pool.map(lambda group: _of_group(group, groups[group], tries, sweep), groups))
    return [finding for findings in found for finding in findings]


def _of_group(group: tuple[int, str, str], lines: Sequence[Line], tries: Tries, sweep: Sweep) -> list[Finding]:
    grammar = sweep.grammar

    def shows(line: Line) -> bool:
        return tries.of(line).group == group

    found: dict[Line, list[Line]] = {}
    for line in lines:
        names = given(line, grammar)
        known = [small for small in found if set(given(small, grammar)) <= set(names)]
        # The flags of a line that was shrunk before, alone, with this line's values: if they show it, it is the same.
        same = next((s for s in known if shows(with_only(line, given(s, grammar), grammar))), None)
        if same is None:
            same = shrink(line, grammar, shows)
            least = with_only(same, given(same, grammar), grammar)
            sweep.tell(f"shrunk   {' '.join(_words(line))} to {' '.join(_words(least))}")
        found.setdefault(same, []).append(line)
    return [_finding(small, of, tries, grammar) for small, of in found.items()]


def _finding(small: Line, lines: Sequence[Line], tries: Tries, grammar: Grammar) -> Finding:
    shown = tries.of(small)
    word = re.sub(r"[^A-Za-z0-9]+", "-", shown.first).strip("-")[:40] or "divergence"
    flags = given(small, grammar)
    words = [word for part in small if part.name in flags for word in part.words]
    argv = [grammar.argv(line) for line in lines]
    return Finding(f"sweep-{word}-{_digest(grammar, small)}", grammar.argv(small), tuple(words), shown, tuple(argv))


def _kept(findings: Sequence[Finding], tries: Tries, sweep: Sweep, options: Options) -> list[Finding]:
    """The findings with a case file and, where the programs run to their end, a bundle of each."""
    out = sweep.options.out
    (out / "cases").mkdir(exist_ok=True)
    asked = []
    for finding in findings:
        case = _case_of(finding, sweep.grammar)
        write_whole(out / "cases" / f"{case.id}.toml", case.source)
        picks = () if case.places else options.picks
        asked.append((finding, case, replace(options, picks=picks), sweep.grammar.timeout_s))
    bundles = {}
    for (finding, *_), bundle in tries.engine.results(bundle_of, asked):
        bundles[finding.id] = bundle or ""
    return [replace(f, case=f"cases/{f.id}.toml", bundle=bundles[f.id]) for f in findings]


def bundle_of(pair: Pair, prepared: Prepared, finding: Finding, case: Case, options: Options, timeout_s: int) -> str:
    """The bundle of a finding, relative to the sweep's folder; empty where a program fails, which leaves none."""
    del finding
    try:
        ran = run_case(pair, case, options, prepared=replace(prepared, timeout_s=timeout_s))
    except HarnessError as error:
        if error.code == Exit.FILE_SYSTEM:
            raise
        return ""
    return ran.bundle.resolve().relative_to(options.out.resolve()).as_posix()


def _case_of(finding: Finding, grammar: Grammar) -> Case:
    """A finding as a case file with its line, its places and its origin."""
    files = tuple(file for file in grammar.files if file.name in finding.argv)
    title = f"differs first at {finding.shown.first}" if finding.shown.first else "differs"
    told = f"{finding.shown.headline} Shrunk by a sweep from: {shlex.join(finding.lines[0])}"
    text = [
        f"id = {json.dumps(finding.id)}",
        f"title = {json.dumps(title)}",
        f"argv = {json.dumps(list(finding.argv))}",
        *([f"focus = {json.dumps([list(p) for p in finding.shown.places])}"] if finding.shown.places else []),
        f"description = {json.dumps(told)}",
    ]
    for file in files:
        made = f"command = {json.dumps(list(file.command))}"
        if file.text is not None:
            made = f"text = {json.dumps(file.text)}"
        text += ["", f"[files.{json.dumps(file.name)}]", made]
    return Case(finding.id, title, finding.argv, finding.shown.places, told, files=files, source="\n".join(text) + "\n")


def _words(line: Line) -> list[str]:
    return [word for part in line for word in part.words]


def _digest(grammar: Grammar, line: Line) -> str:
    return hashlib.sha256("\0".join(grammar.argv(line)).encode()).hexdigest()[:10]
