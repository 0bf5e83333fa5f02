"""The head of a page says what was compared, when, where and by what, in a bundle and outside of one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from trace_parity import __version__

from tests.harness.conftest import Cli
from tests.harness.tiny_pair import write_pair


def head_of(page: str) -> dict[str, str]:
    """The labels and texts of the head."""
    found = re.search(r'<section class="about".*?</section>', page, re.DOTALL)
    assert found is not None
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", found[0], re.DOTALL)
    return {label: re.sub(r"<[^>]*>", "", text) for label, text in pairs}


def check(head: dict[str, str], command: str) -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", head["time"])
    assert head["pair"] == "tiny"
    assert head["commit"]
    assert head["host"]
    assert f"trace-parity {__version__}" in head["versions"]
    assert head["command line"].startswith(f"trace-diff {command}")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    write_pair(tmp_path)
    (tmp_path / "c.log").write_text("TRACE_C[i=0]: x 1\nTRACE_C[i=1]: x 2\n")
    (tmp_path / "py.log").write_text("TRACE_PY[i=0]: x 1\nTRACE_PY[i=1]: x 2.5\n")
    return tmp_path


def test_two_logs(tiny: Path, trace_diff: Cli) -> None:
    done = trace_diff("compare", "c.log", "py.log", "--format", "html:page.html")
    assert done.returncode == 1
    assert done.stdout.startswith("DIVERGENCE  compare: first at "), done.stdout
    assert done.stdout.count("\n") == 1
    check(head_of((tiny / "page.html").read_text()), "compare c.log py.log")
    printed = trace_diff("compare", "c.log", "py.log", "--format", "html").stdout
    check(head_of(printed), "compare c.log py.log")


def test_a_run_and_judging_it_again(tiny: Path, trace_diff: Cli) -> None:
    done = trace_diff("run", "--format", "html:page.html", "--", "-n", "4", "-offset", "1")
    assert done.returncode == 1, done.stderr
    bundle = tiny / done.stderr.rpartition("bundle: ")[2].strip()
    check(head_of((bundle / "report.html").read_text()), "run --format html:page.html")
    check(head_of((tiny / "page.html").read_text()), "run --format html:page.html")
    assert trace_diff("judge", bundle, "--format", "html:again.html").returncode == 1
    again = head_of((tiny / "again.html").read_text())
    check(again, "judge")
    assert again["time"] == head_of((bundle / "report.html").read_text())["time"]  # that of the run
