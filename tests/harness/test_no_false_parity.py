"""Exit 0 only if both logs hold the same readable values within tolerance, whatever happened to the logs.

The values are known beforehand: logs are written from them in many spellings, then lines are inserted, deleted, glued,
put behind prefixes, re-encoded, compressed, cut, ordered otherwise, repeated, contradicted and perturbed, and some are
compared as files of columns (tests/harness/mutated_logs.py). `python -m tests.harness.test_no_false_parity COUNT SEED`
runs it for any number of pairs; docs/reliability.md says how many have been.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from trace_parity.compare.logs import compare_logs
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.result.compare import result_of
from trace_parity.result.result import CaseResult

from tests.harness.mutated_logs import changed, log_of, same, saved, values_of

VOCABULARY = shipped().vocabulary
COLUMNS = 0.03
"""The share of pairs that are also compared as a file of columns."""


def exit_code(paths: tuple[Path, Path], options: Options) -> int:
    """The outcome of a comparison."""
    try:
        with compare_logs(paths, VOCABULARY, Contract(), options) as found:
            return result_of(found, CaseResult("t", "t")).exit_code
    except HarnessError as error:
        return int(error.code)


def check(seed: int, folder: Path) -> int:
    """One pair. Returns its exit code."""
    rng = random.Random(seed)
    c_values = values_of(rng)
    logs = log_of(c_values, "C", rng), log_of(changed(c_values, rng), "PY", rng)
    paths = folder / "c.log", folder / "py.log"
    for path, log in zip(paths, logs, strict=True):
        path.write_bytes(saved(log, rng))
    options = Options(lenient=rng.random() < 0.5, piece=300 if rng.random() < 0.2 else 1 << 14)
    code = exit_code(paths, options)
    what = f"seed {seed}, {logs[0].happened} {logs[1].happened}:"
    alike = same(logs[0].held, logs[1].held)
    lost, cut = any(log.lost for log in logs), any(log.cut for log in logs)
    assert code != int(Exit.INTERNAL), what
    if code == 0:
        assert alike is not False, f"{what} parity of logs that differ"
        assert not lost, f"{what} parity of a log with lines that cannot be read"
    elif not (lost or cut or any(log.doubtful for log in logs)):
        assert alike is not True or not logs[0].held, f"{what} {code} of logs that hold the same"
    if rng.random() < COLUMNS:
        as_columns(paths, code, folder, what)
    return code


def as_columns(paths: tuple[Path, Path], code: int, folder: Path, what: str) -> None:
    """A file of columns ends as the logs do. Lines that cannot be read are kept out of it, and the writer says so."""
    from trace_parity.trace.column_writer import write_columns

    file = folder / "rows.parquet"
    file.unlink(missing_ok=True)
    try:
        with compare_logs(paths, VOCABULARY, Contract(), Options(lenient=True)) as found:
            read_as = found.read_as
        write_columns(file, paths, VOCABULARY, read_as)
    except HarnessError:
        assert code != 0, what
        return
    ended = exit_code((file, file), Options(lenient=True))
    assert (ended == 0) == (code == 0), f"{what} the logs end with {code}, their columns with {ended}"


@pytest.mark.parametrize("seed", range(300))
def test_parity_is_said_only_of_logs_that_hold_the_same(seed: int, tmp_path: Path) -> None:
    check(seed, tmp_path)


def test_the_check_notices_a_false_parity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property can fail: a comparison that always says parity is found out within a few pairs."""
    monkeypatch.setattr("tests.harness.test_no_false_parity.exit_code", lambda paths, options: 0)

    def many() -> None:
        for seed in range(30):
            check(seed, tmp_path)

    with pytest.raises(AssertionError, match="parity of"):
        many()


if __name__ == "__main__":
    count, first = int(sys.argv[1]), int(sys.argv[2])
    ends: Counter[int] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as made:
        for seed in range(first, first + count):
            try:
                ends[check(seed, Path(made))] += 1
            except Exception as fault:
                faults.append(str(fault))
                print(type(fault).__name__, fault, flush=True)
    print(f"{count} pairs from seed {first}: {len(faults)} faults; exit codes {dict(sorted(ends.items()))}")
    raise SystemExit(bool(faults))
