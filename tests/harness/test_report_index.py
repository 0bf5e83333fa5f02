"""`trace-diff report`: render, index, open, and a result read from result.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trace_parity.bundle.bundle import find_bundles, verify, write_manifest
from trace_parity.bundle.report_index import Entry, entries, newest_report, open_page, render_index, trends
from trace_parity.errors import HarnessError
from trace_parity.pair.find import find_pair
from trace_parity.render import renderer
from trace_parity.render.html_form import render
from trace_parity.result.result import Result, to_json
from trace_parity.result.result_json import read_result, result_from_json

from tests.harness.conftest import Cli
from tests.harness.snapshots.results import RESULTS, result, with_quirk

LENNARD_JONES = Path(__file__).parents[2] / "examples/pairs/lennard_jones"
LJ_TITLE = find_pair(str(LENNARD_JONES)).title


def entry(case: str, day: int, needed_rtol: float) -> Entry:
    name = f"2026110{day}T101112Z-abc{day}"
    code = int(needed_rtol > 1e-6)
    return Entry(case, name, f"x/{name}/", "divergence" if code else "parity", code, "said", code, needed_rtol)


def make_bundle(root: Path, case: str, name: str, finding: Result) -> Path:
    folder = root / case / name
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(to_json(finding))
    (folder / "commands.txt").write_text("# the command line\ntrace-diff run toy\n")
    (folder / "report.html").write_text(render(finding, {"commands.txt": (folder / "commands.txt").read_bytes()}))
    write_manifest(folder)
    return folder


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    root = tmp_path / "reports"
    make_bundle(root, "toy", "20261101T101112Z-abc", result())
    make_bundle(root, "toy", "20261102T101112Z-abd", with_quirk())
    make_bundle(root, "other", "20261101T111112Z-abc", RESULTS["one_sided"]())
    return root


@pytest.mark.parametrize("name", RESULTS)
def test_json_and_back(name: str) -> None:
    text = renderer("json")(RESULTS[name]())
    again = result_from_json(text)
    assert renderer("json")(again) == text
    assert type(again.first_divergence) is type(RESULTS[name]().first_divergence)
    assert render(again) == render(RESULTS[name]())
    if name != "hostile":  # which has a NaN, and that equals nothing
        assert again == RESULTS[name]()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: {}, "not the result of a comparison"),
        (lambda d: {**d, "schema": 99}, "schema 99"),
        (lambda d: {k: v for k, v in d.items() if k != "coverage"}, "no field"),
        (lambda d: {**d, "variables": 3}, "expected list, got 3"),
        (lambda d: {**d, "compared": "many"}, "expected int"),
        (lambda d: {**d, "case": []}, "expected an object"),
    ],
)
def test_what_is_no_result_is_refused(change, says: str) -> None:  # type: ignore[no-untyped-def]
    data = json.loads(to_json(result()))
    with pytest.raises(HarnessError, match=says):
        result_from_json(json.dumps(change(data)))


def test_a_field_of_a_later_version_is_passed_over() -> None:
    data = json.loads(to_json(result()))
    assert result_from_json(json.dumps({**data, "later": 1})) == result()


def test_rendering_again_gives_the_same_page(trace_diff: Cli, reports: Path) -> None:
    bundle = reports / "toy" / "20261102T101112Z-abd"
    before = (bundle / "report.html").read_text()
    assert trace_diff("report", "render", bundle, "--out", "-").stdout == before
    (bundle / "report.html").write_text("an older page")
    done = trace_diff("report", "render", bundle)
    assert done.returncode == 0
    assert (bundle / "report.html").read_text() == before
    assert verify(bundle) == []


def test_rendering_does_not_whitewash_a_changed_bundle(trace_diff: Cli, reports: Path, tmp_path: Path) -> None:
    bundle = reports / "toy" / "20261102T101112Z-abd"
    (bundle / "commands.txt").write_text("something else\n")
    done = trace_diff("report", "render", bundle)
    assert done.returncode == 5
    assert "commands.txt: changed" in done.stderr
    assert trace_diff("report", "render", bundle, "--out", tmp_path / "page.html").returncode == 0
    assert "<code>something else</code>" in (tmp_path / "page.html").read_text()
    assert verify(bundle) == ["commands.txt: changed since the bundle was written"]


def test_the_index(trace_diff: Cli, reports: Path) -> None:
    done = trace_diff("report", "index", reports)
    assert (done.returncode, done.stdout.strip()) == (0, str(reports / "index.html"))
    page = (reports / "index.html").read_text()
    assert 'href="toy/20261102T101112Z-abd/report.html"' in page
    assert "2026-11-02 10:11:12" in page
    found = entries(reports)
    assert [(e.case, e.exit_code, e.needed_rtol) for e in found] == [
        ("toy", 0, 3.5e-13),
        ("other", 6, 0.0),
        ("toy", 1, 0.33),
    ]
    assert [(t.case, t.newest.verdict) for t in trends(found)] == [
        ("other", "incomplete"),
        ("toy", "parity"),  # against the repaired reference
        ("toy", "divergence"),  # against the original: no point of the same line
    ]


def test_bundles_are_found_at_any_depth(tmp_path: Path, trace_diff: Cli) -> None:
    """Those of a run, those of a gate one level deeper, not what lies inside of a bundle or is half-written."""
    outer = make_bundle(tmp_path, "toy", "20261101T101112Z-abc", result())
    make_bundle(tmp_path / "gate", "base", "20261102T101112Z-abc", result())
    make_bundle(tmp_path / "nightly" / "gate", "base", "20261103T101112Z-abc", result())
    make_bundle(outer / "traces", "inner", "20261104T101112Z-abc", result())
    make_bundle(tmp_path / "toy", ".partial-x", "20261105T101112Z-abc", result())
    found = [(info.case, info.path.relative_to(tmp_path).parts[:-1]) for info in find_bundles(tmp_path)]
    assert found == [("toy", ("toy",)), ("base", ("gate", "base")), ("base", ("nightly", "gate", "base"))]
    newest = "nightly/gate/base/20261103T101112Z-abc/report.html"
    assert trace_diff("report", "open", tmp_path).stdout.strip() == str(tmp_path / newest)
    trace_diff("report", "index", tmp_path)
    assert f'href="{newest}"' in (tmp_path / "index.html").read_text()


def test_a_trend_joins_runs_of_one_setting_only() -> None:
    runs = [replace(entry("a", day, 0.1), setting=setting) for day, setting in ((1, "x"), (2, "y"), (3, "x"))]
    assert [[e.name[6:8] for e in trend.entries] for trend in trends(runs)] == [["01", "03"], ["02"]]


@pytest.mark.parametrize("other", [{"rtol": 0.1}, {"waivers": RESULTS["waived"]().waivers[:1]}])
def test_a_trend_joins_runs_of_one_tolerance_and_the_same_waivers(tmp_path: Path, other: dict[str, Any]) -> None:
    make_bundle(tmp_path, "toy", "20261101T101112Z-abc", result())
    make_bundle(tmp_path, "toy", "20261102T101112Z-abc", replace(result(), **other))
    make_bundle(tmp_path, "toy", "20261103T101112Z-abc", result())
    joined = [sorted(e.name[6:8] for e in trend.entries) for trend in trends(entries(tmp_path))]
    assert sorted(joined) == [["01", "03"], ["02"]]


@pytest.mark.parametrize(
    ("places", "options", "rtol", "says"),
    [
        (((685, 1039),), {}, None, "(685, 1039)"),
        (((1, 2), (3, 4), (5, 6), (7, 8)), {}, None, "(1, 2) (3, 4) and 2 more"),
        (((3,),), {"scale": "2"}, 1e-3, "(3) scale=2 rtol=0.001"),
        ((), {}, None, ""),
    ],
)
def test_rows_say_in_what_runs_of_a_case_differ(
    places: Any, options: Any, rtol: Any, says: str, tmp_path: Path, trace_diff: Cli
) -> None:
    case = replace(result().case, places=places, options=options)
    make_bundle(tmp_path, "toy", "20261101T101112Z-abc", replace(result(), case=case, rtol=rtol))
    assert [e.details for e in entries(tmp_path)] == [says]
    page = render_index(entries(tmp_path))
    assert page.count(f'<td class="place">{says}</td>') == 2  # in the list of cases and in that of runs


def test_parity_by_a_waiver_is_not_shown_as_plain_parity(trace_diff: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "toy" / "20261102T101112Z-abd"
    folder.mkdir(parents=True)
    finding = RESULTS["waived"]()
    passed = replace(finding, verdict="parity", exit_code=0, waivers=finding.waivers[:1])
    (folder / "result.json").write_text(to_json(passed))
    write_manifest(folder)
    (found,) = entries(tmp_path)
    assert (found.exit_code, found.is_waived) == (0, True)
    assert found.verdict == "parity, waived: phi-carryover"
    assert "parity, waived: phi-carryover" in trace_diff("bundle", "list", tmp_path).stdout
    assert '<span class="chip inherited">~</span> parity, waived' in render_index([found])
    page = render(passed)
    assert '<section id="verdict" class="verdict waived"' in page
    assert "~ parity, waived: phi-carryover</span>" in page


def test_the_index_of_nothing(trace_diff: Cli, tmp_path: Path) -> None:
    assert "No bundles here yet" in render_index([])
    done = trace_diff("report", "index", tmp_path / "none")
    assert done.returncode == 5
    assert "no such folder" in done.stderr


def test_one_pair_of_several(trace_diff: Cli, reports: Path) -> None:
    of_lj, of_nanobragg = reports / "toy" / "20261101T101112Z-abc", reports / "toy" / "20261102T101112Z-abd"
    for folder, title in ((of_lj, LJ_TITLE), (of_nanobragg, "another")):
        (folder / "git.json").write_text(json.dumps({"pair": {"title": title}}))
        write_manifest(folder)
    assert trace_diff("report", "index", reports).stderr.startswith("3 bundles")
    assert trace_diff("report", "index", reports, "--pair", LENNARD_JONES).stderr.startswith("1 bundle\n")
    assert len(trends(entries(reports))) == 3  # one case of two pairs makes two trends
    done = trace_diff("report", "open", reports, "--pair", LENNARD_JONES)
    assert Path(done.stdout.strip()).parent == of_lj
    assert trace_diff("report", "render", of_lj, "--pair", LENNARD_JONES, "--out", "-").returncode == 0
    for command in (("render", of_nanobragg), ("open", of_nanobragg), ("diff", of_lj, of_nanobragg)):
        done = trace_diff("report", *command, "--pair", LENNARD_JONES)
        assert (done.returncode, "a bundle of the pair 'another'" in done.stderr) == (2, True)
    done = trace_diff("report", "index", reports, "--pair", "nowhere")
    assert (done.returncode, "no pair 'nowhere'" in done.stderr) == (2, True)


def test_a_trend_shows_zero_and_infinity() -> None:
    (trend,) = trends([entry("a", 1, 0.0), entry("a", 2, float("inf")), entry("a", 3, 1e-9)])
    assert (trend.spark.count("<circle"), trend.spark.count('class="bad"')) == (2, 1)
    assert "nan" not in trend.spark


def test_open_prints_the_newest_where_there_is_no_display(
    trace_diff: Cli, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    done = trace_diff("report", "open", reports)
    assert done.stdout.strip() == str(reports / "toy" / "20261102T101112Z-abd" / "report.html")
    assert newest_report(reports / "other" / "20261101T111112Z-abc").parent.parent.name == "other"
    assert trace_diff("report", "open", reports / "nowhere").returncode == 5


def test_open_starts_a_browser_where_there_is_a_display(tmp_path: Path) -> None:
    opened: list[str] = []
    page = tmp_path / "report.html"

    def opener(uri: str) -> bool:
        opened.append(uri)
        return True

    assert open_page(page, {"DISPLAY": ":0"}, "linux", opener)
    assert open_page(page, {}, "darwin", opener)
    assert not open_page(page, {}, "linux", opener)
    assert opened == [page.as_uri()] * 2


def test_read_result_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"none\.json"):
        read_result(tmp_path / "none.json")
