"""A log may hold any bytes: nothing of it is obeyed by a terminal, a CI runner or whatever reads the output."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_parity.printable import visible
from trace_parity.render import FORMATS
from trace_parity.render.markdown_form import code, escape

from tests.harness.conftest import Cli

NAMES = (
    "::error::pwned",
    "::add-mask::x",
    "##[group]pwned",
    "##vso[task.setvariable]x",
    "\x1b[2J\x1b]0;owned\x07",
    "`|</td>|![x](http://evil.example/x.png)",
    "\u202eevil\u2066",
    "\x9b31m",
    "@everyone",
)
HOSTILE_LOG = "".join(f"TRACE_C: {name} {i}.5\n" for i, name in enumerate(NAMES))


@pytest.fixture
def hostile_logs(tmp_path: Path) -> tuple[str, str]:
    c = (
        HOSTILE_LOG
        + "TRACE_C: ::notice::only-in-c 1\n\x1b[31mTRACE_C no line\nTRACE_C: \x1b[1m ten\nTRACE_C:note=\x1b[2J\n"
    )
    (tmp_path / "c\x1b[31m.log").write_text(c, encoding="utf-8")
    (tmp_path / "py.log").write_text(HOSTILE_LOG.replace("TRACE_C", "TRACE_PY").replace(".5", ".25"), encoding="utf-8")
    return "c\x1b[31m.log", "py.log"


def obeyed(text: str) -> list[str]:
    """Control characters, bidirectional marks and runner commands in a text."""
    found = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    found += [line for line in text.splitlines() if line.lstrip().startswith("::")]
    return found + re.findall(r"##\w*\[", text)


@pytest.mark.parametrize("form", [f for f in FORMATS if f not in ("json", "html", "sarif", "metrics")])
def test_nothing_in_a_log_is_obeyed(trace_diff: Cli, hostile_logs: tuple[str, str], form: str) -> None:
    done = trace_diff("compare", *hostile_logs, "--lenient", "--format", form)
    assert done.returncode == 1
    said = done.stdout
    if form == "github":  # its own commands, one a line, each with one message
        assert all(line.startswith("::error title=trace divergence%3A compare") for line in said.splitlines())
        said = re.sub("(?m)^::error title=[^:]*::", "", said)
    if form == "junit":
        ElementTree.fromstring(said)
        said = re.sub("[\u202e\u2066]|##", "", said)  # text of an attribute, whatever reads XML shows it
    assert obeyed(said) == []
    assert obeyed(done.stderr) == []
    assert "pwned" in done.stdout or form == "github"


def test_no_control_character_reaches_the_page(trace_diff: Cli, tmp_path: Path) -> None:
    text = "TRACE_C: polar_vec 1 0 0\nTRACE_C: x\x1b[31m\x00y 1\nTRACE_C: a\x7f\x08b 2\n"
    (tmp_path / "c.log").write_text(text)
    (tmp_path / "py.log").write_text(text.replace("TRACE_C", "TRACE_PY").replace("vec 1", "vec 2"))
    assert trace_diff("compare", "c.log", "py.log", "--lenient", "--format", "html:page.html").returncode == 1
    page = (tmp_path / "page.html").read_text()
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", page)
    assert "polar_vec" in page


def test_the_refusal_of_a_line_is_not_obeyed_either(trace_diff: Cli, hostile_logs: tuple[str, str]) -> None:
    for words in (
        ("compare", *hostile_logs),
        ("blame", hostile_logs[0]),
        ("phi", "--c", hostile_logs[0], "--py", "py.log"),
    ):
        done = trace_diff(*words)
        assert done.returncode == 5
        assert "\\x1b[31m.log" in done.stderr
        assert obeyed(done.stdout + done.stderr) == []


def test_blame_of_a_hostile_log(trace_diff: Cli, hostile_logs: tuple[str, str]) -> None:
    done = trace_diff("blame", *hostile_logs, "--lenient")
    assert done.returncode in (1, 6)
    assert "Traceback" not in done.stderr
    assert obeyed(done.stdout + done.stderr) == []


@given(st.one_of(st.text(), st.lists(st.sampled_from([*NAMES, " ", "\n", "#", "::", "x["])).map("".join)))
def test_whatever_the_text_it_is_one_line_without_commands(text: str) -> None:
    shown = visible(text)
    assert "\n" not in shown
    assert len(shown.splitlines()) <= 1
    assert obeyed(shown) == []
    assert visible("rot_a_angstroms[1] at φ=0 – Å") == "rot_a_angstroms[1] at φ=0 – Å"


@given(st.text(max_size=30))
def test_no_text_ends_a_cell_of_a_table(text: str) -> None:
    for cell in (escape(text), code(text)):
        assert len(f"| {cell} |".splitlines()) == 1
        assert re.sub(r"\\.", "", cell).count("|") == 0
        assert not re.search(r"(?<!\\)<(?!/?code>)", cell) or "<" not in text
