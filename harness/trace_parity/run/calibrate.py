"""How far rounding alone moves each number of a case: builds and inputs that differ in rounding only, run and compared.

Every run's log is cached under a key of all that it depends on, so that an interrupted measurement, or one that needs
more samples, continues from there.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import random
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from trace_parity.bundle.provenance import is_installed
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import make_folder, scratch_folder, write_whole
from trace_parity.pair.calibration import FOLDER, Calibration, Member, Number, Origin
from trace_parity.pair.case import Case, place_inputs, without_outputs
from trace_parity.pair.pair import Pair
from trace_parity.pair.programs import FILE, STDOUT, Program
from trace_parity.pair.variants import DEFAULT, FLOAT32, Variant
from trace_parity.run.launch import fill, focus_words, run_program
from trace_parity.run.options import check_against
from trace_parity.run.perturb import has_reals, perturb_text, perturb_words
from trace_parity.run.state import Stage, silent
from trace_parity.run.variant_build import build_key, compiler_of, sources_digest, variant_places
from trace_parity.trace import TraceTable, read_trace
from trace_parity.trace.infer import infer_vocabulary
from trace_parity.user_cache import cache_folder

SAMPLES = 8
"""Runs with perturbed inputs, by default."""
SIDE = "C"
"""The program that is measured: the reference."""


@dataclass(frozen=True)
class _Setup:
    """Shared by the runs of one measurement."""

    pair: Pair
    program: Program
    case: Case  # without outputs, its inputs placed in `work`
    against: str
    work: Path
    kept: Path
    stage: Stage


def calibrate(
    pair: Pair,
    case: Case,
    *,
    samples: int = SAMPLES,
    against: str = "",
    fresh: bool = False,
    stage: Stage = silent,
    cwd: Path | None = None,
) -> Calibration:
    """Measure a case. Raises HarnessError when a program cannot be built or fails, or a file cannot be read."""
    programs = pair.programs
    program = programs.sides[SIDE]
    against = check_against(programs, against)
    bare = without_outputs(case, programs.output_flags, programs.switches)
    with scratch_folder("calibrate") as scratch:
        work = scratch / "work"
        work.mkdir()
        placed = place_inputs(bare, work, programs.input_flags, cwd or Path.cwd())
        setup = _Setup(pair, program, placed, against, work, _kept_logs(pair, case, against), stage)
        if fresh:
            shutil.rmtree(setup.kept, ignore_errors=True)
        make_folder(setup.kept)
        return _measure(setup, case, samples)


def _measure(setup: _Setup, case: Case, samples: int) -> Calibration:
    own = Variant(DEFAULT)
    compiler = compiler_of(own)
    log = _logged(setup, own, compiler, None)
    vocabulary = setup.pair.vocabulary
    if not vocabulary.variables:
        vocabulary = infer_vocabulary(log, log)
    default = read_trace(log, SIDE, vocabulary)
    if not default.rows:
        raise HarnessError(Exit.NOTHING_TO_COMPARE, "the default build printed no trace line", where=case.id)
    spreads: dict[Number, float] = {(row.variable, row.key, row.component): 0.0 for row in default.rows}
    single: dict[Number, float] = {}
    members = [Member(DEFAULT, "build", compiler)]
    for variant in setup.program.variants:
        kind = FLOAT32 if variant.precision == FLOAT32 else "build"
        if reason := _left_out(variant):
            members.append(Member(variant.name, kind, skipped=reason))
            continue
        compiler_here = compiler_of(variant)
        table = read_trace(_logged(setup, variant, compiler_here, None), SIDE, vocabulary)
        into = single if kind == FLOAT32 else spreads
        members.append(_take(Member(variant.name, kind, compiler_here), default, table, into))
    if samples and not _can_be_moved(setup):
        members.append(Member("inputs", "perturbed", skipped="the command line has no real number to move"))
        samples = 0
    for n in range(samples):
        path = _logged(setup, own, compiler, n)
        members.append(
            _take(Member(f"inputs {n + 1}", "perturbed"), default, read_trace(path, SIDE, vocabulary), spreads)
        )
    origin = Origin(
        setup.pair.name,
        case.id,
        setup.against,
        datetime.now(UTC).date().isoformat(),
        sources_digest(setup.program),
        case_digest(case),
        variants_digest(setup.pair),
        samples,
    )
    return Calibration(origin, vocabulary.loops, tuple(members), spreads, single)


def _left_out(variant: Variant) -> str:
    """Why a variant cannot be built on this machine; empty where it can."""
    if variant.needs and shutil.which(variant.needs) is None:
        return f"{variant.needs} is not installed"
    here = platform.machine()
    return f"the machine is {here}, not {variant.machine}" if variant.machine not in ("", here) else ""


def _can_be_moved(setup: _Setup) -> bool:
    """Whether the command line has a real number other than zero, or names a file of such."""
    programs = setup.pair.programs
    if any(word in programs.perturb_files for word in setup.case.argv[:-1]):
        return True
    return has_reals(setup.case.argv, programs.perturb)


def _take(member: Member, default: TraceTable, table: TraceTable, into: dict[Number, float]) -> Member:
    """Widen the spreads by one run; returns what it changed."""
    moved = missing = 0
    largest = 0.0
    for row, number in default.rows.items():
        there = table.rows.get(row)
        if there is None:
            missing += 1
            continue
        a, b = number.value, there.value
        same = a == b or (math.isnan(a) and math.isnan(b))
        apart = 0.0 if same else abs(a - b)
        apart = math.inf if math.isnan(apart) else apart
        if apart:
            moved += 1
            largest = max(largest, apart / max(abs(a), abs(b)) if math.isfinite(apart) else math.inf)
        place = (row.variable, row.key, row.component)
        into[place] = max(into.get(place, 0.0), apart)
    return replace(member, moved=moved, missing=missing, largest_rel=largest)


def _logged(setup: _Setup, variant: Variant, compiler: str, sample: int | None) -> Path:
    """The log of a variant, or of the default build with the inputs of a sample; kept in the cache."""
    name = variant.name if sample is None else f"sample-{sample}"
    words = [*(variant.trace or setup.program.trace), *sorted(variant.env)]
    key = hashlib.sha256(json.dumps([build_key(setup.program, variant, compiler), words]).encode()).hexdigest()[:12]
    log = setup.kept / f"{name}-{key}.log"
    if log.is_file():
        return log
    title = (
        f"{setup.program.title}, {name}"
        if sample is None
        else f"{setup.program.title}, inputs moved, sample {sample + 1}"
    )
    with setup.stage(title) as progress:
        case, folder = (setup.case, setup.work) if sample is None else _moved(setup, sample)
        with tempfile.TemporaryDirectory(dir=setup.work.parent) as scratch:
            trace = Path(scratch) / "trace.log"
            command = fill(
                variant.trace or setup.program.trace,
                {
                    "args": case.argv,
                    "against": setup.program.against.get(setup.against, ()),
                    "options": (),
                    "focus": focus_words(setup.pair.programs, setup.pair.focus, case.places),
                },
                {**variant_places(setup.program, variant, compiler), "work": str(folder), "trace": str(trace)},
            )
            run_folder = folder if setup.program.cwd == "{work}" else setup.program.folder / setup.program.cwd
            env = {**setup.program.env, **variant.env}
            ran = run_program(command, run_folder, Path(scratch) / "ran", title, progress, env)
            if setup.program.trace_from != FILE:
                trace = ran.stdout if setup.program.trace_from == STDOUT else ran.stderr
            if not trace.is_file():
                raise HarnessError(Exit.PROGRAM_FAILED, "ended with exit code 0 but wrote no trace", where=title)
            write_whole(log, trace.read_bytes())
    return log


def _moved(setup: _Setup, sample: int) -> tuple[Case, Path]:
    """The case with the real numbers of its command line and of its text files changed, and the folder of these."""
    programs, folder = setup.pair.programs, setup.work.parent / f"sample-{sample}"
    shutil.copytree(setup.work, folder, dirs_exist_ok=True)
    chance = random.Random(f"{setup.pair.name} {setup.case.id} {sample}")
    words = perturb_words(setup.case.argv, programs.perturb, chance)
    named = list(words)
    for i, word in enumerate(words[:-1]):
        if word in programs.perturb_files:
            source = setup.work / words[i + 1]
            text = _text_of(source)
            if text is None:
                continue
            target = folder / source.name
            target.unlink(missing_ok=True)
            target.write_text(perturb_text(text, chance), encoding="utf-8")
            named[i + 1] = source.name if not Path(words[i + 1]).is_absolute() else str(target)
    return replace(setup.case, argv=tuple(named)), folder


def _text_of(path: Path) -> str | None:
    """A text file; None for a compressed or binary one, whose numbers cannot be changed."""
    data = path.read_bytes()
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def case_digest(case: Case) -> str:
    """The input of a case to the program, as a digest: its command line and how its input files are made."""
    files = [(f.name, f.text, list(f.command)) for f in case.files]
    return hashlib.sha256(json.dumps([list(case.argv), files]).encode()).hexdigest()


def variants_digest(pair: Pair) -> str:
    """The variants and the perturbed inputs, as a digest."""
    programs = pair.programs
    listed = [[v.name, v.build, v.trace, sorted(v.env.items()), v.precision] for v in programs.sides[SIDE].variants]
    parts = [listed, programs.perturb, programs.perturb_files]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _kept_logs(pair: Pair, case: Case, against: str) -> Path:
    """The folder of a measurement's logs, by all that they depend on apart from the builds."""
    parts = [str(pair.folder), case.id, case_digest(case), case.places, against]
    parts += [pair.programs.perturb, pair.programs.perturb_files, _inputs(pair, case)]
    return cache_folder() / "calibration-runs" / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _inputs(pair: Pair, case: Case) -> list[str]:
    """Size and time of input files that lie outside the case."""
    own = {file.name for file in case.files}
    named = [case.argv[i + 1] for i, word in enumerate(case.argv[:-1]) if word in pair.programs.input_flags]
    found = [Path(name) for name in named if name not in own]
    return [f"{p.resolve()} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in found if p.is_file()]


def calibration_path(pair: Pair, case_id: str, against: str) -> Path:
    """Where the calibration of a case lies: in the pair's folder, or in the user's cache for an installed pair."""
    first = next(iter(pair.programs.against), "")
    name = f"{case_id}.json" if against in ("", first) else f"{case_id}-{against}.json"
    writable = not is_installed(pair.folder) and os.access(pair.folder, os.W_OK)
    folder = pair.folder / FOLDER if writable else cache_folder() / FOLDER / pair.name
    return folder / name


def staleness(found: Calibration, pair: Pair, case: Case | None, against: str) -> str:
    """Why a calibration is out of date, in words; empty if it is valid."""
    origin = found.origin
    changed = []
    if origin.sources != sources_digest(pair.programs.sides[SIDE]):
        changed.append("the sources of the program have changed")
    if origin.variants != variants_digest(pair):
        changed.append("the variants in pair.toml have changed")
    if case is not None and origin.case_digest != case_digest(case):
        changed.append("the command line of the case has changed")
    if origin.against and against and origin.against != against:
        changed.append(f"it was made with --against {origin.against}")
    return "; ".join(changed)
