"""Two bundles side by side, and what CSV files do with hostile names."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.bundle.report_diff import ReportDiff, changes_of, html, lines
from trace_parity.compare.tick_table import csv_text, write_ticks
from trace_parity.printable import visible
from trace_parity.result.result import Result

from tests.harness.conftest import Cli
from tests.harness.snapshots.results import HOSTILE, RESULTS, images, result, variable, with_quirk
from tests.harness.test_report_index import make_bundle


def diff_of(a: Result, b: Result) -> ReportDiff:
    return ReportDiff((Path("a"), Path("b")), (a, b), tuple(changes_of(a, b)), ())


def test_a_repaired_fault_is_better_and_its_return_worse() -> None:
    repaired = diff_of(with_quirk(), result())
    assert repaired.verdict.startswith("better: ")
    assert not repaired.is_worse
    found = {c.what: (c.a, c.b) for c in repaired.of("better")}
    assert found["verdict"] == ("divergence", "parity")
    assert found["numbers that differ"] == ("3", "0")
    assert found["first divergence"] == ("rot_a[1] (spixel=2 fpixel=3 phi_tic=0)", "none")
    assert found["cause step.rot_a"][1] == "gone"
    assert found["quirk phi-carryover"][1] == "gone"
    assert found["pixels beyond tolerance"] == ("12", "0")
    assert found["step.rot_a"] == ("2 of 4 differ, worst 0.000457 relative", "4 agree")
    back = diff_of(result(), with_quirk())
    assert back.is_worse
    assert {c.what for c in back.of("worse")} == set(found)


def test_different_cases_are_named_in_the_verdict() -> None:
    other = replace(result(), case=replace(result().case, id="other"))
    found = diff_of(result(), other)
    assert found.verdict == f"changed: 0 better, 0 worse; different cases, {result().case.id} and other"


def test_rounding_of_what_agrees_is_no_change() -> None:
    other = replace(result(), variables=tuple(replace(v, worst_rel=1e-15) for v in result().variables))
    assert diff_of(result(), other).verdict == "same: 0 better, 0 worse"


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        ({"divergent": 2, "worst_rel": 0.1}, {"divergent": 2, "worst_rel": 0.102}, None),
        ({"divergent": 2, "worst_rel": 0.1}, {"divergent": 2, "worst_rel": 0.2}, "worse"),
        ({"divergent": 2, "worst_rel": 0.1}, {"divergent": 1, "worst_rel": 0.1}, "better"),
        ({"divergent": 2, "worst_rel": 0.1}, {"divergent": 1, "worst_rel": 0.2}, "other"),
        ({"divergent": 2, "worst_rel": 0.1}, {"divergent": 2, "worst_rel": float("nan")}, "worse"),
        ({"divergent": 2, "worst_rel": 0.1}, {"c_only": 3}, "better"),
        ({}, {"c_only": 3}, "worse"),
    ],
)
def test_one_variable(a: dict[str, float], b: dict[str, float], kind: str | None) -> None:
    results = [replace(result(), variables=(variable("x", "step", **fields),)) for fields in (a, b)]
    changes = [c for c in changes_of(*results) if c.what == "step.x"]
    assert [c.kind for c in changes] == ([kind] if kind else [])


def test_comparing_less_is_worse() -> None:
    """Else a run that lost half of its log would look like progress."""
    found = diff_of(with_quirk(), replace(result(), compared=2))
    assert found.verdict.startswith("mixed")
    assert ("numbers compared", "12", "2") in [(c.what, c.a, c.b) for c in found.of("worse")]


def test_the_command(trace_diff: Cli, tmp_path: Path) -> None:
    a = make_bundle(tmp_path / "reports", "toy", "20261101T101112Z-abc", with_quirk())
    b = make_bundle(tmp_path / "reports", "toy", "20261102T101112Z-abd", result())
    done = trace_diff("report", "diff", a, b, "--out", tmp_path / "diff.html")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("BETTER: ")
    page = (tmp_path / "diff.html").read_text()
    assert "Got better" in page
    assert "Got worse" not in page
    worse = trace_diff("report", "diff", b, a, "--out", "-")
    assert worse.returncode == 1
    assert worse.stdout.startswith("<!doctype html>")
    assert trace_diff("report", "diff", a, tmp_path).returncode == 5


@pytest.mark.parametrize("name", RESULTS)
def test_the_page_and_the_text_escape_what_logs_say(name: str) -> None:
    found = diff_of(result(images=images()), RESULTS[name]())
    assert "<img/onerror" not in html(found)
    assert all("\x1b" not in visible(line) for line in lines(found))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", HOSTILE])
def test_a_name_is_no_formula_in_csv(name: str) -> None:
    rows = [
        {"step": t, "t": -0.5, f"{name}_c": -1.5, f"{name}_py": float("nan"), f"{name}_diff": None} for t in range(2)
    ]
    head, first, _ = csv.reader(io.StringIO(write_ticks(rows, "csv", "step")))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in head)
    assert [csv_text(column) for column in rows[0]] == head
    assert first == ["0", "-0.5", "-1.5", "", ""]  # numbers stay numbers
