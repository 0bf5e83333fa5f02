"""Logs in columns: what was read from text comes back, and compares as the text does."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from trace_parity.errors import HarnessError
from trace_parity.pair.find import shipped
from trace_parity.result.result import Result
from trace_parity.trace import read_trace
from trace_parity.trace.column_writer import write_columns
from trace_parity.trace.parquet import read_any
from trace_parity.trace.table import TraceTable

from tests.harness.conftest import Cli, as_py
from tests.harness.log_pairs import compare_files
from tests.harness.random_logs import logs, mutate, text_of
from tests.harness.test_windows import comparable

pa = pytest.importorskip("pyarrow")


@pytest.fixture(autouse=True)
def no_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trace_parity.result.compare._blame", lambda *_: None)


def random_logs(folder: Path, seed: int) -> tuple[Path, Path]:
    rng = random.Random(seed)
    paths = folder / "c.log", folder / "py.log"
    for path, blocks, side in zip(paths, logs(rng, 4), ("TRACE_C", "TRACE_PY"), strict=True):
        for _ in range(rng.randint(0, 3)):
            blocks = mutate(blocks, rng, side)
        path.write_bytes(text_of(blocks, rng))
    return paths


def plain(table: TraceTable) -> list[str]:
    return [f"{row} {number.value!r} {number.text} {number.line}" for row, number in table.rows.items()]


def compared_in(result: Result) -> list[str]:
    return [repr(v) for v in result.variables if v.compared]


@pytest.mark.parametrize("seed", range(30))
def test_columns_hold_what_the_logs_hold(tmp_path: Path, seed: int) -> None:
    vocabulary, file = shipped().vocabulary, tmp_path / "rows.parquet"
    paths = random_logs(tmp_path, seed)
    text = compare_files(*paths, vocabulary, lenient=True, piece=500)
    write_columns(file, paths, vocabulary, (None, None))
    for path, side in zip(paths, ("C", "PY"), strict=True):
        wanted, found = read_trace(path, side, vocabulary, lenient=True), read_any(file, side, vocabulary, lenient=True)
        assert plain(found) == plain(wanted)
        held = ("lines", "trace_lines", "aliased", "notes", "unterminated")
        assert [getattr(found, name) for name in held] == [getattr(wanted, name) for name in held]
        # Columns keep no lines: a number that conflicts with an earlier one is refused with its text alone.
        assert [(u.line, u.why) for u in found.unreadable] == [(u.line, u.why) for u in wanted.unreadable]
    for pair in ((file, file), (paths[0], file), (file, paths[1])):
        for whole in (-1, 10**9):
            columns = compare_files(*pair, vocabulary, lenient=True, whole_numbers=whole)
            # The words of a problem name the file, which is another one.
            ignore = ("per_tick", "headline", "problems", "variables", "logs")  # columns keep no lines as they were
            assert [log.numbers for log in columns.logs.values()] == [log.numbers for log in text.logs.values()]
            assert comparable(columns, ignore) == comparable(text, ignore)
            # A variable of which all lines conflict with other lines has no row to be known by.
            assert compared_in(columns) == compared_in(text)


def test_the_command_writes_columns_and_takes_them(trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log).replace("F_cell 190.27", "F_cell 191.27"))
    done = trace_diff("compare", "c.log", "py.log", "--columns", "rows.parquet", "--format", "json")
    assert done.returncode == 1
    again = trace_diff("compare", "rows.parquet", "rows.parquet", "--format", "json")
    assert again.returncode == 1
    of_logs, of_columns = json.loads(done.stdout), json.loads(again.stdout)
    for name in ("verdict", "headline", "num_divergent", "divergences", "variables", "coverage", "logs", "blame"):
        assert of_logs[name] == of_columns[name], name
    assert not list(tmp_path.glob(".*.partial"))
    both = pa.parquet.read_table(tmp_path / "rows.parquet").to_pandas()
    assert len(both) == 2 * 318
    assert set(both.columns) >= {"side", "spixel", "phi_tic", "variable", "component", "value", "text", "line"}


def test_a_file_that_holds_no_columns_is_refused(tmp_path: Path, trace_diff: Cli) -> None:
    (tmp_path / "a.parquet").write_text("no columns")
    pa.parquet.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    for name in ("a.parquet", "b.parquet"):
        done = trace_diff("compare", name, name)
        assert done.returncode == 5
        assert f"{name}: no file of columns" in done.stderr
    with pytest.raises(HarnessError):
        read_any(tmp_path / "none.parquet", "C", shipped().vocabulary)


def test_columns_of_columns_are_refused(trace_diff: Cli, tmp_path: Path, supervisor_log: str) -> None:
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log))
    assert trace_diff("compare", "c.log", "c.log", "--columns", "a.parquet").returncode == 0
    done = trace_diff("compare", "a.parquet", "py.log", "--columns", "b.parquet")
    assert done.returncode == 2
    assert "holds columns already" in done.stderr
    assert not (tmp_path / "b.parquet").exists()


def test_columns_of_a_log_without_a_number_are_no_parity(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text("TRACE_C: F_latt 1\n")
    (tmp_path / "py.log").write_text("TRACE")
    assert trace_diff("compare", "c.log", "py.log", "--columns", "rows.parquet").returncode == 6
    assert trace_diff("compare", "rows.parquet", "rows.parquet").returncode == 6
