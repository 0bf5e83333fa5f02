"""Faults in pairs, in print only, of settings, and alike in both programs; and the share of each against a rerun.

    python -m benchmarks.fault_pairs [--only WORD] [--reruns 20] [--write RESULTS-fault-pairs.md]

The faults are those of planted_faults.toml. The share that blame gives a fault of the simulator is compared with a run
of the faulty simulator itself with the reference's values put in (`-inject`), which needs no equation.
"""

from __future__ import annotations

import argparse
import datetime
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from trace_parity.blame.findings import Blame, BlameFinding
from trace_parity.blame.headline import percent
from trace_parity.pair.find import shipped
from trace_parity.trace import read_trace

from benchmarks.planted_faults import DATA, Edit, Fault, blamed, build, copy_sources, prepare, single_faults, trace

FINAL = "pixel.I_pixel_final"
LINE = next(iter(DATA["lines"]))
SETTINGS_LINE = "plain"
SIDES = ("PY", "C")
SAME_FINAL = 1e-12
"""Final values that are apart by less, relatively, are apart by rounding, of which no fault has a share."""


@dataclass(frozen=True)
class Trial:
    """What is planted in each program, the words that each is given, and what blame is to name."""

    name: str
    kind: str
    edits: dict[str, tuple[Edit, ...]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    expected: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(side, variables) of each fault, one of which is to be named."""


def by_name(side: str) -> dict[str, Fault]:
    """All single faults of one side."""
    return {f.name: f for told in (True, False) for f in single_faults(side, is_told=told)}


def trials() -> list[Trial]:
    """The pairs, the probes, the settings, and what both programs have alike."""
    known, pairs = {side: by_name(side) for side in SIDES}, DATA["pairs"]
    found = []
    for name, *names in pairs["faults"]:
        faults = {side: [known[side][n] for n in own] for side, own in zip(SIDES, names, strict=True)}
        edits = {side: tuple(e for f in own for e in f.edits) for side, own in faults.items()}
        expected = tuple((f.side, e.expected) for own in faults.values() for f in own for e in f.edits)
        found.append(Trial(name, "two at once", edits, expected=expected))
    for name, side, variables, file, old, new in pairs["probes"]:
        names = tuple(part for word in variables.split() for part in DATA["families"].get(word, word).split())
        found.append(Trial(name, "in print only", {side: (Edit(names, file, old, new),)}, expected=((side, names),)))
    for name, side, variable, without, given in pairs["settings"]:
        line = " ".join(DATA["lines"][SETTINGS_LINE].split())
        assert without in line
        full = line.replace(without, given) if without else f"{line} {given}"
        words = {other: line if other == side else full for other in SIDES}
        found.append(Trial(name, "setting", words=words, expected=(("both", (variable,)),)))
    for name in pairs["alike"]:
        edits = {side: known[side][name].edits for side in SIDES}
        found.append(Trial(name, "alike in both", edits))
    return found


@dataclass(frozen=True)
class Row:
    """One fault of a trial, as blame names it; `rerun` is the share that a run with the other side's values shows."""

    fault: str
    kind: str
    named: str
    share: float | None
    rank: int | None
    is_right: bool
    rerun: float | None = None
    note: str = ""


def run(trial: Trial, work: Path, folder: Path) -> tuple[Blame | None, dict[str, Path]]:
    """Plant, build, trace and compare."""
    logs = {side: work / f"{side}-{next(iter(DATA['lines']))}.log" for side in SIDES}
    for side in SIDES:
        edits, programs = trial.edits.get(side, ()), work
        if edits:
            programs = folder
            sources = copy_sources(side, folder, work if side == "C" else None)
            for edit in edits:
                edit.plant(sources)
            if side == "C":
                build(folder / "reference_c")
        if edits or trial.words:
            logs[side] = folder / f"{side}.log"
            trace(
                side, programs, work / "inputs", logs[side], trial.words.get(side, next(iter(DATA["lines"].values())))
            )
    return blamed(logs["C"], logs["PY"])[0], logs


def judge(trial: Trial, blame: Blame | None) -> Iterator[Row]:
    """A row per fault of the trial."""
    findings = blame.findings if blame is not None else ()
    accused = {(f.side, f.variable) for f in findings if f.kind == "introduced"}
    allowed = {(side, name) for side, names in trial.expected for name in names}
    if trial.kind == "alike in both":
        alone = ", ".join(f"{side} {name}" for side, name in sorted(accused))
        yield Row(trial.name, trial.kind, alone or "no side alone", None, None, not accused)
        return
    others = ", ".join(f"{side} {name}" for side, name in sorted(accused - allowed))
    causes = [f for f in findings if f.is_cause]
    for side, names in trial.expected:
        at = next((f for f in causes if f.variable in names and f.side in (side, "both")), None)
        is_right = at is not None and not others and (trial.kind != "in print only" or at.manner != "computation")
        note = f"others accused: {others}" if others else _manner(at)
        rank = causes.index(at) + 1 if at is not None else None
        label = trial.name if len(trial.expected) == 1 else f"{trial.name}: {names[0]}"
        named = f"{at.side} {at.variable}" if at is not None else "nothing"
        yield Row(label, trial.kind, named, at.share if at is not None else None, rank, is_right, note=note)


def _manner(finding: BlameFinding | None) -> str:
    return finding.hint if finding is not None else ""


def finals(log: Path, side: str) -> dict[tuple[int, ...], float]:
    """The final values of a log by key."""
    table = read_trace(log, side, shipped().vocabulary)
    return {key: number.value for (key, name, _), number in table.rows.items() if name == FINAL}


def rerun_share(fault: Fault, finding: BlameFinding, work: Path, folder: Path) -> float | None:
    """The share of a finding as a run of the faulty simulator with the reference's values shows it."""
    c, log = work / f"C-{next(iter(DATA['lines']))}.log", folder / "rerun.log"
    names = ",".join(f"{finding.scope}.{name}" for name in (finding.variable, *finding.together))
    trace("PY", folder, work / "inputs", log, f"{next(iter(DATA['lines'].values()))} -inject {names} -inject_from {c}")
    sound, faulty, cured = finals(c, "C"), finals(folder / "PY.log", "PY"), finals(log, "PY")
    values = [
        (value, faulty[key], cured[key])
        for key, value in sound.items()
        if not math.isclose(value, faulty[key], rel_tol=SAME_FINAL)
    ]
    if not values:
        return None
    if all(v > 0 for row in values for v in row):
        values = [(math.log(a), math.log(b), math.log(n)) for a, b, n in values]
    return sum((a - b) * (n - b) for a, b, n in values) / sum((a - b) ** 2 for a, b, _ in values)


def reruns(count: int, work: Path, only: str) -> Iterator[Row]:
    """Faults of the simulator one by one, each with the share of a rerun, until `count` of them have one."""
    done = 0
    for fault in reversed(single_faults("PY", is_told=True)):
        if done == count or only not in fault.name:
            continue
        with tempfile.TemporaryDirectory(dir=work) as name:
            folder = Path(name)
            trial = Trial(fault.name, "alone", {"PY": fault.edits}, expected=(("PY", fault.expected),))
            try:
                blame, _ = run(trial, work, folder)
            except (RuntimeError, ValueError) as why:
                yield Row(fault.name, "alone", str(why)[:80], None, None, False)
                continue
            for row in judge(trial, blame) if blame is not None else ():  # none where the line shows nothing of it
                at = [
                    f for f in (blame.findings if blame else ()) if f"{f.side} {f.variable}" == row.named and f.is_cause
                ]
                if not at or at[0].share is None:
                    yield row
                    continue
                try:
                    shown = rerun_share(fault, at[0], work, folder)
                except RuntimeError as why:
                    yield replace(row, note=str(why)[:80])
                    continue
                done += shown is not None
                yield replace(row, rerun=shown)


def table(rows: Sequence[Row]) -> str:
    """The rows as markdown."""
    lines = [
        "| fault | kind | blame names | share | rank | rerun | right | hint |",
        "|---|---|---|---:|---:|---:|---|---|",
    ]
    for r in rows:
        shares = ["-" if s is None else percent(s) for s in (r.share, r.rerun)]
        cells = [r.fault, r.kind, r.named, shares[0], "-" if r.rank is None else str(r.rank), shares[1]]
        lines.append(f"| {' | '.join(cells)} | {'yes' if r.is_right else 'NO'} | {r.note.replace('|', '/')} |")
    return "\n".join(lines)


HEADER = """# Faults in pairs, and the share of each

    {command}

{date}. {right} of {count} rows are right. *Share*: the part of the difference of I_pixel_final that is gone with the
other side's value put in and sent through the equations; *rank*: where blame lists it; *rerun*: the same share from a
run of the faulty simulator with the reference's values injected. {agree} of {shown} reruns agree to 1 %. A share is
`-` where the final values are apart by rounding only, or where it does not follow from the logs."""


def report(rows: Sequence[Row], command: str) -> str:
    """The table with its heading."""
    shown = [(r.share, r.rerun) for r in rows if r.rerun is not None and r.share is not None]
    agree = sum(abs(share - rerun) <= 0.01 * max(1.0, abs(rerun)) for share, rerun in shown)
    right = sum(r.is_right for r in rows)
    head = HEADER.format(
        command=command, date=datetime.date.today(), right=right, count=len(rows), agree=agree, shown=len(shown)
    )
    return f"{head}\n\n{table(rows)}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="faults whose name holds this word")
    parser.add_argument("--reruns", type=int, default=20, help="faults that are run again with values injected")
    parser.add_argument("--line", default=LINE, choices=list(DATA["lines"]), help="the command line that is traced")
    parser.add_argument("--only-reruns", action="store_true", help="leave the pairs out")
    parser.add_argument("--write", type=Path, help="where the table goes; default: standard output")
    given = parser.parse_args()
    command = " ".join(["python -m benchmarks.fault_pairs", *sys.argv[1:]])
    rows: list[Row] = []

    def keep(more: Iterator[Row]) -> None:
        for row in more:
            rows.append(row)
            if not row.is_right:
                print(f"NOT RIGHT {row}", file=sys.stderr)
            if given.write:
                given.write.write_text(report(rows, command), encoding="utf-8")

    with tempfile.TemporaryDirectory(prefix="fault-pairs-") as name:
        work = Path(name)
        DATA["lines"] = {line: DATA["lines"][line] for line in dict.fromkeys((given.line, SETTINGS_LINE))}
        prepare(work)
        keep(reruns(given.reruns, work, given.only))
        for trial in trials():
            if given.only in trial.name and not given.only_reruns:
                with tempfile.TemporaryDirectory(dir=work) as folder:
                    try:
                        keep(judge(trial, run(trial, work, Path(folder))[0]))
                    except (RuntimeError, ValueError) as why:
                        keep(iter([Row(trial.name, trial.kind, str(why), None, None, False)]))
    if not given.write:
        print(report(rows, command))


if __name__ == "__main__":
    main()
