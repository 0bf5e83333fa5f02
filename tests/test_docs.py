"""Every example of the docs is run; every command and option is in them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from trace_parity.cli.main import COMMANDS

from tests.golden import COMMITTED, ROOT
from tests.harness.conftest import as_py

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples(name: str) -> list[str]:
    blocks = BLOCK.findall((ROOT / "docs" / name).read_text())
    return [line for block in blocks for line in block.strip().splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with two logs in it."""
    path = tmp_path_factory.mktemp("docs")
    log = (COMMITTED / "supervisor_trace_685_1039.log").read_text()
    (path / "c.log").write_text(log)
    (path / "py.log").write_text(as_py(log))
    return path


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_every_example_runs(name: str, folder: Path) -> None:
    lines = examples(name)
    assert lines or name not in {"guide.md", "ci.md"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    bundle = ""
    for line in lines:
        command, _, note = line.partition("   # exit ")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path, "BUNDLE": bundle},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == int(note or 0), f"{line}\n{done.stdout}{done.stderr}"
        if found := re.search(r"^bundle: (.*)$", done.stderr, re.MULTILINE):
            bundle = found[1]


def test_the_sample_case_runs_when_pasted(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "formats.md").read_text()
    (block,) = re.findall(r"^```toml\n(id = .*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "small.toml").write_text(block)
    command = [sys.executable, "-m", "trace_parity", "run", "small.toml", "--no-images"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_is_in_the_docs() -> None:
    text = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md")) + (ROOT / "README.md").read_text()
    for name in COMMANDS:
        assert f"trace-diff {name}" in text, name
