from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from nanobragg_torch.io.xtal import SUFFIXES, is_crystal_file
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import shipped
from trace_parity.run.launch import build_program, fill, focus_words, run_program

from tests.harness.conftest import Cli


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "cc" else f"/usr/bin/{name}")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(HarnessError, match=r"cc is not installed.*install a C compiler and make") as caught:
        build_program(shipped().programs.sides["C"])
    assert caught.value.code == Exit.PROGRAM_FAILED


def test_a_command_is_filled_from_its_template() -> None:
    template = ("{build}/prog", "{args}", "{against}", "-o", "{trace}")
    words = fill(template, {"args": ["-N", "5"], "against": []}, {"build": "b", "trace": "t.log"})
    assert words == ["b/prog", "-N", "5", "-o", "t.log"]
    focus = focus_words(shipped().programs, ("spixel", "fpixel"), [(1, 2), (3, 4)])
    assert focus == [
        "-trace_pixel",
        "1",
        "2",
        "-trace_pixel",
        "3",
        "4",
    ]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_progress_is_streamed_and_other_output_kept(tmp_path: Path) -> None:
    seen: list[int | str] = []
    report = "[print(f'{p}% done', file=sys.stderr) for p in (0, 50, 100)]"
    code = f"import sys; print('hello'); {report}; print('note', file=sys.stderr)"
    ran = run_program(python(code), tmp_path, tmp_path / "out", "program", seen.append)
    assert seen == [0, 50, 100]
    assert ran.stdout.read_text() == "hello\n"
    assert ran.stderr.read_text() == "note\n"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; sys.exit('it broke')", "ended with exit code 1: it broke"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "ended by signal SIGSEGV: it printed nothing on standard error",
        ),
    ],
)
def test_a_program_that_fails_is_a_verdict_of_its_own(code: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=says) as caught:
        run_program(python(code), tmp_path, tmp_path / "out", "program")
    assert caught.value.code == Exit.PROGRAM_FAILED


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="cannot be started"):
        run_program([str(tmp_path / "none")], tmp_path, tmp_path / "out", "program")


@pytest.mark.parametrize("name", ["a.mtz", "A.MTZ", "a.pdb.gz", "sf.cif"])
def test_a_file_that_one_program_cannot_read_is_refused_before_anything_runs(
    name: str, trace_diff: Cli, tmp_path: Path
) -> None:
    done = trace_diff("run", "--out", "out", "--pixel", "1", "1", "--", "-hkl", name, "-cell", "70", "-N", "5")
    assert done.returncode == Exit.USAGE
    assert f"the C reference does not read {name}" in done.stderr
    assert f"python -m nanobragg_torch.io.xtal {name} OUT.hkl" in done.stderr
    assert "building" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_the_c_program_does_not_read_is_what_the_port_alone_reads() -> None:
    (unread,) = shipped().programs.sides["C"].unread
    assert {suffix: is_crystal_file(Path(f"x{suffix}")) for suffix in unread.suffixes} == dict.fromkeys(SUFFIXES, True)
    assert unread.among(["-N", "5", "-hkl", "P1.hkl", "-img", "x.mtz"]) is None
