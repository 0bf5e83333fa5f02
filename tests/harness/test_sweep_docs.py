"""The examples of docs/how-to/sweep.md and cluster.md are run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trace_parity.run.slurm import read_slurm

from tests.golden import ROOT

LENNARD_JONES = ROOT / "examples" / "pairs" / "lennard_jones"


def examples(name: str) -> list[str]:
    text = (ROOT / "docs" / "how-to" / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if not line.startswith("pip ")]


@pytest.mark.parametrize("name", ["sweep.md", "cluster.md"])
def test_every_example_runs(name: str, tmp_path: Path) -> None:
    folder = tmp_path
    if name == "sweep.md":
        folder = tmp_path / "lj"
        shutil.copytree(LENNARD_JONES, folder, ignore=shutil.ignore_patterns("build", "reports"))
    lines = examples(name)
    assert len(lines) >= 2
    for line in lines:
        command, _, note = line.partition("   # exit ")
        command = command.replace("trace-diff", f"{sys.executable} -m trace_parity")
        done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == int(note or 0), f"{line}\n{done.stdout}{done.stderr}"


def test_the_example_of_slurm_is_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "cluster.md").read_text(encoding="utf-8")
    block = re.search(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    (tmp_path / "slurm.toml").write_text(block[1])
    assert read_slurm(tmp_path / "slurm.toml").threads == 4
