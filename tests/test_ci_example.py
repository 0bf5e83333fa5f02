"""examples/ci/parity.yml in somebody else's repository, with a pair of their own and the package of this checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.golden import ROOT
from tests.in_process import shell

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (it comes with the extra [cluster])")


def steps(repository: Path) -> dict[str, int]:
    """Exit code by step: each `run` of the job up to the first that fails, with the job's environment."""
    workflow = yaml.safe_load((repository / ".github" / "workflows" / "parity.yml").read_text())
    found = {}
    for step in workflow["jobs"]["parity"]["steps"]:
        command = step.get("run", "")
        if not command or command.startswith("pip install "):  # the package is this checkout's
            continue
        done = shell(command, repository, **workflow["env"], GITHUB_STEP_SUMMARY=str(repository / "summary.md"))
        found[step["name"]] = done.returncode
        if done.returncode:
            break
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository whose pair is in a folder of it."""
    ignored = shutil.ignore_patterns("build", "reports", "__pycache__")
    shutil.copytree(ROOT / "examples" / "pairs" / "lennard_jones", tmp_path / "parity_pair", ignore=ignored)
    toml = tmp_path / "parity_pair" / "pair.toml"
    toml.write_text(re.sub(r"^title = .*", 'title = "argon"', toml.read_text(), count=1))
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    workflow = (ROOT / "examples" / "ci" / "parity.yml").read_text()
    assert "\n  PAIR: .\n" in workflow
    (tmp_path / ".github" / "workflows" / "parity.yml").write_text(workflow.replace("PAIR: .", "PAIR: parity_pair"))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Start"]):
        subprocess.run([*git, *words], check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    return tmp_path


def test_it_passes_and_keeps_the_bundles(repository: Path) -> None:
    assert steps(repository) == {"check the pair": 0, "gate": 0}
    assert len(list((repository / "parity").glob("*/*/report.html"))) == 3
    assert (repository / "summary.md").read_text().count("| parity |") == 3


def test_it_fails_for_a_broken_port(repository: Path) -> None:
    port = repository / "parity_pair" / "py" / "lj_torch.py"
    text = port.read_text()
    assert text.count("v_half = v + 0.5 * o.dt * force") == 1
    port.write_text(text.replace("v_half = v + 0.5 * o.dt * force", "v_half = v + o.dt * force"))
    assert steps(repository) == {"check the pair": 0, "gate": 1}
    assert "first at v\\_half" in (repository / "summary.md").read_text()
