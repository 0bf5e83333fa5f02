"""The hook and the gate test what lies in the user's repository, not an installed copy."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.harness.conftest import Cli

SCRIPT = "echo 'TRACE_{}: F_latt {}'\n"
PAIR = """title = "two scripts"
[programs.C]
trace = "sh c.sh {args}"
[programs.PY]
trace = "sh py.sh {args}"
"""
CASE = 'id = "one"\ntitle = "one"\nargv = "-n 1"\n'
MATRIX = '[[cases]]\nid = "one"\nargv = "-n 1"\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository that holds a pair in a folder of its own."""
    pair = tmp_path / "work" / "pair"
    (pair / "cases").mkdir(parents=True)
    (pair / "pair.toml").write_text(PAIR)
    (pair / "cases" / "one.toml").write_text(CASE)
    (pair / "matrix.toml").write_text(MATRIX)
    (pair / "c.sh").write_text(SCRIPT.format("C", 1.5))
    (pair / "py.sh").write_text(SCRIPT.format("PY", 1.5))
    subprocess.run(["git", "init", "-q", pair.parent], check=True)
    return pair.parent


HOOK = ("run", "--in-tree", "--no-images", "one")


@pytest.mark.parametrize("words", [HOOK, ("gate", "--jobs", "1")])
def test_it_runs_the_programs_of_the_tree(trace_diff: Cli, repository: Path, words: tuple[str, ...]) -> None:
    done = trace_diff(*words, cwd=repository)
    assert done.returncode == 0, done.stderr
    (repository / "pair" / "py.sh").write_text(SCRIPT.format("PY", 1.75))
    done = trace_diff(*words, cwd=repository)
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize("words", [HOOK, ("gate",)])
def test_a_tree_without_a_pair_is_no_pass(trace_diff: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    done = trace_diff(*words)
    assert (done.returncode, "no pair.toml in the work tree" in done.stderr) == (2, True)


@pytest.mark.parametrize("words", [HOOK, ("gate",)])
def test_programs_outside_of_the_tree_are_no_pass(trace_diff: Cli, repository: Path, words: tuple[str, ...]) -> None:
    elsewhere = repository.parent / "elsewhere"
    elsewhere.mkdir()
    (repository / "pair" / "py.sh").rename(elsewhere / "py.sh")
    (repository / "pair" / "pair.toml").write_text(PAIR.replace("sh py.sh", f"sh {elsewhere}/py.sh"))
    done = trace_diff(*words, cwd=repository)
    assert (done.returncode, "program PY is the copy in" in done.stderr) == (2, True)
    installed = PAIR.replace("sh py.sh {args}", "{python} -m nanobragg_torch {args}")
    (repository / "pair" / "pair.toml").write_text(installed)
    done = trace_diff(*words, cwd=repository)
    assert (done.returncode, "program PY is the copy in" in done.stderr) == (2, True)


def test_of_several_pairs_one_is_to_be_named(trace_diff: Cli, repository: Path) -> None:
    (repository / "pair").rename(repository / "first")
    (repository / "second").mkdir()
    (repository / "second" / "pair.toml").write_text(PAIR)
    done = trace_diff(*HOOK, cwd=repository)
    assert (done.returncode, "several pairs in the work tree: first, second" in done.stderr) == (2, True)
    assert trace_diff(*HOOK, "--pair", "first", cwd=repository).returncode == 0


def test_an_installed_pair_that_is_named_is_no_pair_of_the_tree(trace_diff: Cli, repository: Path) -> None:
    done = trace_diff(*HOOK[:-1], "--pair", "nanobragg", "supervisor", cwd=repository)
    assert (done.returncode, "is the copy in" in done.stderr) == (2, True)


def test_outside_of_a_repository_the_hook_fails(trace_diff: Cli, tmp_path: Path) -> None:
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    done = trace_diff(*HOOK, env=env)
    assert (done.returncode, "no git work tree" in done.stderr) == (2, True)
