"""What `--resume` goes by: every file that a program of ours is, or imports, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from trace_parity.pair.find import find_pair
from trace_parity.run import identity as module
from trace_parity.run.identity import identity, resume_key

PAIR = """title = "outside"
[programs.C]
trace = "cprog {args}"
[programs.PY]
trace = "{python} ../port/main.py {args}"
env = { PYTHONPATH = "../lib" }
"""
FILES = {
    "pair/pair.toml": PAIR,
    "pair/vocabulary.toml": 'loops = []\nscopes = { run = { loops = [] } }\n[variables]\nx = { scope = "run" }\n',
    "bin/cprog": "#!/bin/sh\necho TRACE_C: x 1\n",
    "port/main.py": "import helper\n",
    "port/helper.py": "E = 2.5\n",
    "port/parts/deep.py": "F = 2.5\n",
    "port/parts/fast.so": "no library\n",
    "lib/far.py": "M = 1.5\n",
    "far/away.py": "A = 1\n",
}
CHANGES: dict[str, Callable[[Path], object]] = {
    **{
        name: lambda path: path.write_text(f"{path.read_text()}\n# changed\n")
        for name in FILES
        if name != "far/away.py"
    },
    "port/new.py": lambda path: path.write_text("G = 1\n"),
    "lib/far.py renamed": lambda path: path.with_name("far.py").rename(path.with_name("farther.py")),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bin/cprog").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return tmp_path


def key(folder: Path) -> str:
    return resume_key(identity(find_pair(str(folder / "pair"))), "a case")


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_program_is_made_of_changes_the_key(name: str, folder: Path) -> None:
    before = key(folder)
    assert before
    assert key(folder) == before
    CHANGES[name](folder / name)
    assert key(folder) != before


def test_what_no_program_imports_does_not_change_it(folder: Path) -> None:
    before = key(folder)
    (folder / "far/away.py").write_text("A = 2\n")
    (folder / "port/__pycache__").mkdir()
    (folder / "port/__pycache__/main.pyc").write_text("x")
    (folder / "port/venv").mkdir()
    (folder / "port/venv/pyvenv.cfg").write_text("")
    (folder / "port/venv/torch.py").write_text("x")
    assert key(folder) == before


def test_installed_packages_count_by_their_versions(folder: Path) -> None:
    before = key(folder)
    (folder / "lib/some.dist-info").mkdir()  # as a .pth file of a virtual environment may name the packages of another
    assert key(folder) != before
    before = key(folder)
    (folder / "lib/far.py").write_text("M = 2\n")
    assert key(folder) == before


def test_nothing_is_kept_where_there_are_too_many_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    assert key(folder) == ""
