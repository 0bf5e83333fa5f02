"""What users do wrong, with the exit code and the line that each mistake prints."""

from __future__ import annotations

import gzip
import re
import shlex
import signal
from pathlib import Path

import pytest
from trace_parity.cli.main import main

from tests.golden import ROOT
from tests.harness.conftest import as_py

SMALL = "-cell 100 100 100 90 90 90 -lambda 6.2 -N 5 -distance 100 -detpixels 32 -pixel 0.1 -default_F 100"

MISTAKES = re.findall(
    r"^\$ trace-diff (.*)\n\[(\d+)\] (.+)$", Path(__file__).with_name("user_mistakes.txt").read_text(), re.MULTILINE
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, supervisor_log: str) -> Path:
    """A user's folder: logs good and bad, a folder, a case and a matrix file with mistakes."""
    (tmp_path / "c.log").write_text(supervisor_log)
    (tmp_path / "c2.log").write_text(supervisor_log)
    (tmp_path / "py.log").write_text(as_py(supervisor_log))
    (tmp_path / "empty.log").write_text("")
    (tmp_path / "bad.log").write_text(as_py(supervisor_log) + "TRACE_PY: steps ten\n")
    (tmp_path / "cut.log.gz").write_bytes(gzip.compress(as_py(supervisor_log).encode())[:900])
    (tmp_path / "folder").mkdir()
    (tmp_path / "bundle" / "traces").mkdir(parents=True)
    for name in ("c.log", "py.log"):
        (tmp_path / "bundle" / "traces" / name).write_text((tmp_path / name).read_text())
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    (tmp_path / "img.bin").write_bytes(bytes(4 * 32 * 32))
    (tmp_path / "words.mat").write_text("not a matrix\n")
    (tmp_path / "bad.toml").write_text(f'id = "mine"\ntitle = "mine"\nargv = "{SMALL}"\npixel = [[5, 5]]\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ends(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code, and the last line: of standard error where there is one, else of standard output."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as caught:
            main(words)
    finally:
        signal.signal(signal.SIGTERM, handler)
    out, err = capsys.readouterr()
    code = caught.value.code
    return code if isinstance(code, int) else 0, ((err or out).strip().splitlines() or [""])[-1]


@pytest.mark.parametrize(("line", "code", "said"), MISTAKES, ids=[line[:60] for line, _, _ in MISTAKES])
def test_a_mistake(line: str, code: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    got, text = ends(shlex.split(line.format(SMALL=SMALL, ROOT=ROOT)), capsys)
    text = text.replace(str(folder), "HERE").replace(str(ROOT), "ROOT")
    assert (got, text[: len(said)]) == (int(code), said)


def test_the_list_is_whole() -> None:
    assert len(MISTAKES) >= 190
    assert len({line for line, _, _ in MISTAKES}) == len(MISTAKES)
