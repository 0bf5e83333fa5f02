"""The gate: many cases through both programs, one verdict. What is done is kept, so that a broken-off gate goes on.

State is one JSON file, rewritten whole after every case. An outcome is taken over on `resume` when the case, the
options, the pair's files, both programs with their sources, and the framework are the same, byte for byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError, cannot_write
from trace_parity.files import scratch_folder, write_whole
from trace_parity.pair.case import Case, make_input
from trace_parity.pair.matrix import Matrix
from trace_parity.pair.pair import Pair
from trace_parity.result.outcome import Outcome
from trace_parity.run.identity import identity, resume_key
from trace_parity.run.launch import build_program, end_programs
from trace_parity.run.run_case import run_case

SEVERITY = (
    Exit.PARITY,
    Exit.STALE_WAIVER,
    Exit.NOTHING_TO_COMPARE,
    Exit.DIVERGENCE,
    Exit.SHAPE_MISMATCH,
    Exit.UNREADABLE,
    Exit.PROGRAM_FAILED,
    Exit.USAGE,
    Exit.FILE_SYSTEM,
    Exit.INTERNAL,
)
"""From best to worst; a gate ends with the worst of its cases."""


def run_gate(
    pair: Pair,
    matrix: Matrix,
    options: Options,
    jobs: int,
    *,
    resume: bool = False,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Every case's outcome, in the order of the matrix. One that crashes is an outcome like any other.

    Raises HarnessError only when the reference program cannot be built or no case could be attempted at all.
    """
    for program in pair.programs.sides.values():
        build_program(program)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(error, options.out, "--out names the folder for bundles") from error
    known = identity(pair, options.out)
    keys = {case.id: _key(case, options, known) for case in matrix.cases}
    done = _resumed(options.out, keys) if resume else {}
    for outcome in done.values():
        on_outcome(outcome)
    left = [case for case in matrix.cases if case.id not in done]
    with scratch_folder("gate") as shared_inputs:
        shared = replace(options, shared_inputs=_stock(shared_inputs, left))
        for outcome in _run_all(pair, left, shared, jobs, keys):
            done[outcome.case] = outcome
            _save(options.out, done)
            on_outcome(outcome)
    return [done[case.id] for case in matrix.cases if case.id in done]


def stale_waivers(outcomes: Sequence[Outcome], waive: Sequence[str]) -> list[str]:
    """The waivers that no case of the gate needs any more."""
    return [i for i in dict.fromkeys(waive) if not any(i in outcome.waived for outcome in outcomes)]


def worst(outcomes: Sequence[Outcome], stale: Sequence[str] = ()) -> Exit:
    """The exit code of the gate, `stale` its waivers without use; a gate without outcomes compared nothing."""
    codes = [Exit(outcome.exit_code) for outcome in outcomes]
    if codes and stale:
        codes.append(Exit.STALE_WAIVER)
    return max(codes, key=SEVERITY.index, default=Exit.NOTHING_TO_COMPARE)


def _run_all(pair: Pair, cases: Sequence[Case], options: Options, jobs: int, keys: dict[str, str]) -> Iterator[Outcome]:
    """Outcomes as they come. On an interrupt what is waiting is dropped and what runs is ended with its programs."""
    pool = ThreadPoolExecutor(max_workers=jobs)
    pending: set[Future[Outcome]] = {pool.submit(_run_one, pair, case, options, keys[case.id]) for case in cases}
    try:
        while pending:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_programs()
        raise
    finally:
        pool.shutdown()


def _run_one(pair: Pair, case: Case, options: Options, key: str) -> Outcome:
    try:
        ran = run_case(pair, case, options)
    except HarnessError as error:
        return Outcome(
            case.id, int(error.code), error.code.name.lower().replace("_", " "), str(error), 0, 0, 0.0, "", key
        )
    r = ran.result
    bundle = os.path.relpath(ran.bundle, options.out)
    used = tuple(w.id for w in r.waivers if w.state in ("used", "expired"))
    return Outcome(
        case.id, r.exit_code, r.verdict, r.headline, r.compared, r.num_divergent, r.needed_rtol, bundle, key, used
    )


def _stock(shared_inputs: Path, cases: Sequence[Case]) -> Path:
    """Make the input files that more than one case names, once."""
    files = {file.name: file for case in cases for file in case.files}
    for name, file in files.items():
        if sum(name in case.argv for case in cases) > 1:
            make_input(file, shared_inputs)
    return shared_inputs


def _key(case: Case, options: Options, known: dict[str, Any]) -> str:
    """A digest of all that an outcome depends on: pair, programs, framework, case, options."""
    return resume_key(
        known,
        case.argv,
        case.pixels,
        options.against,
        options.rtol,
        [(rule.names, rule.part, rule.value) for rule in options.rules],
        sorted(options.program_options.items()),
        options.preflight,
        sorted(options.waive),
        options.render_images,
        [(file.name, file.text, file.command, file.path) for file in case.files],
    )


def _state(out: Path) -> Path:
    return out / "gate.json"


def _save(out: Path, done: dict[str, Outcome]) -> None:
    write_whole(_state(out), json.dumps([asdict(outcome) for outcome in done.values()], indent=1))


def _resumed(out: Path, keys: dict[str, str]) -> dict[str, Outcome]:
    """The kept outcomes that still hold. Raises HarnessError (exit 5) when the state file is no state file."""
    path = _state(out)
    if not path.exists():
        return {}
    try:
        kept = [
            Outcome(**{**entry, "waived": tuple(entry.get("waived", ()))})
            for entry in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, TypeError) as error:
        raise HarnessError(Exit.UNREADABLE, f"not the state of a gate: {error}", where=str(path)) from error
    return {o.case: o for o in kept if o.key and keys.get(o.case) == o.key and o.exit_code != Exit.PROGRAM_FAILED}
