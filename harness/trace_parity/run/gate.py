"""The gate: many cases through both programs, one verdict. Outcomes are kept, so that an interrupted gate continues.

State is one JSON file, rewritten whole after every case. An outcome is taken over on `resume` when the case, the
options, the pair's files, both programs with their sources, and the framework are the same, byte for byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import make_folder, parse_json, read_regular, write_whole
from trace_parity.pair.case import Case
from trace_parity.pair.matrix import Matrix
from trace_parity.pair.pair import Pair
from trace_parity.render.places import Places
from trace_parity.result.outcome import Outcome
from trace_parity.run.cluster import engine_of
from trace_parity.run.engine import shared_files
from trace_parity.run.identity import resume_key
from trace_parity.run.prepared import Prepared, prepare
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
    cluster: str = "",
    resume: bool = False,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Every case's outcome, in the order of the matrix. A crash is an outcome like any other.

    `cluster` names where the cases run in place of `jobs` threads: see run/cluster.py.

    Raises HarnessError only when the reference program cannot be built or no case could be attempted at all.
    """
    prepared = prepare(pair, options.out)
    make_folder(options.out, "--out names the folder for bundles")
    keys = {case.id: _key(case, options, prepared.identity) for case in matrix.cases}
    done = _resumed(options.out, keys) if resume else {}
    for outcome in done.values():
        on_outcome(outcome)
    left = [case for case in matrix.cases if case.id not in done]
    if left:
        with engine_of(pair, prepared, jobs, cluster, shared_files(left), options.out) as engine:
            for (case, *_), found in engine.results(_run_one, [(case, options, keys[case.id]) for case in left]):
                outcome = found or failed(case, Exit.PROGRAM_FAILED, LOST, keys[case.id])
                done[outcome.case] = outcome
                _save(options.out, done)
                on_outcome(outcome)
    return [done[case.id] for case in matrix.cases if case.id in done]


def stale_waivers(outcomes: Sequence[Outcome], waive: Sequence[str]) -> list[str]:
    """The waivers that no case of the gate needs."""
    return [i for i in dict.fromkeys(waive) if not any(i in outcome.waived for outcome in outcomes)]


def worst(outcomes: Sequence[Outcome], stale: Sequence[str] = ()) -> Exit:
    """The exit code of the gate, `stale` its waivers without use; a gate without outcomes compared nothing."""
    codes = [Exit(outcome.exit_code) for outcome in outcomes]
    if codes and stale:
        codes.append(Exit.STALE_WAIVER)
    return max(codes, key=SEVERITY.index, default=Exit.NOTHING_TO_COMPARE)


LOST = "every worker that ran it was lost"


def failed(case: Case, code: Exit, why: str, key: str) -> Outcome:
    """The outcome of a case that has no result."""
    return Outcome(case.id, int(code), code.name.lower().replace("_", " "), why, 0, 0, 0.0, "", key)


def _run_one(pair: Pair, prepared: Prepared, case: Case, options: Options, key: str) -> Outcome:
    try:
        ran = run_case(pair, case, options, prepared=prepared)
    except HarnessError as error:
        return failed(case, error.code, str(error), key)
    r = ran.result
    bundle = os.path.relpath(ran.bundle, options.out)
    used = tuple(w.id for w in r.waivers if w.state in ("used", "expired"))
    return Outcome(
        case.id,
        r.exit_code,
        r.verdict,
        Places(r).headline,
        r.compared,
        r.num_divergent,
        r.needed_rtol,
        bundle,
        key,
        used,
    )


def _key(case: Case, options: Options, known: Mapping[str, Any]) -> str:
    """A digest of all that an outcome depends on: pair, programs, framework, case, options."""
    return resume_key(
        known,
        case.argv,
        case.places,
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
    """The kept outcomes that are still valid. Raises HarnessError (exit 5) when the file is not a state file."""
    path = _state(out)
    if not path.exists():
        return {}
    try:
        kept = [
            Outcome(**{**entry, "waived": tuple(entry.get("waived", ()))}) for entry in parse_json(read_regular(path))
        ]
    except OSError as error:
        raise HarnessError(Exit.UNREADABLE, error.strerror or str(error), where=str(path)) from error
    except (ValueError, TypeError, AttributeError) as error:
        what = f"not the state of a gate: {error}"[:200]
        raise HarnessError(Exit.UNREADABLE, what, where=str(path), hint="without --resume it starts again") from error
    return {o.case: o for o in kept if o.key and keys.get(o.case) == o.key and o.exit_code != Exit.PROGRAM_FAILED}
