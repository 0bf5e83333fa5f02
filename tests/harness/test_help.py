"""Help, completion, the manual page and `explain`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from trace_parity import __version__
from trace_parity.cli.main import COMMANDS
from trace_parity.cli.main import trace_diff as trace_diff_command
from trace_parity.pair.find import shipped

from tests.golden import ROOT
from tests.harness.conftest import Cli


def test_the_version_and_the_help(trace_diff: Cli) -> None:
    assert trace_diff("--version").stdout == f"trace-diff, version {__version__}\n"
    assert trace_diff("-h").stdout == trace_diff("--help").stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_fits_a_terminal(name: str) -> None:
    done = CliRunner().invoke(trace_diff_command, [name, "-h"], prog_name="trace-diff")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"Usage: trace-diff {name}")
    assert max(map(len, done.output.splitlines())) <= 80


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_valid(trace_diff: Cli, shell: str, tmp_path: Path) -> None:
    done = trace_diff("completion", shell)
    assert done.returncode == 0
    assert "_TRACE_DIFF_COMPLETE" in done.stdout
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(done.stdout)
        assert subprocess.run([program, "-n", str(tmp_path / "script")], check=False).returncode == 0


def test_the_manual_page_has_every_command_and_is_good_roff(trace_diff: Cli, tmp_path: Path) -> None:
    text = trace_diff("man").stdout
    for name in COMMANDS:
        assert f".SS trace\\-diff {name}" in text
    if groff := shutil.which("groff"):
        (tmp_path / "page.1").write_text(text)
        done = subprocess.run(
            [groff, "-man", "-Kutf8", "-Tutf8", "-ww", "-z", "page.1"], cwd=tmp_path, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_explain_tells_all_of_a_variable(trace_diff: Cli) -> None:
    text = trace_diff("explain", "F_latt").stdout
    lines = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert set(lines) == {"unit", "scope", "equation", "depends", "used", "in", "tolerance", "reason"}
    assert "F_latt_a, F_latt_b, F_latt_c" in lines["depends"]
    places = [line.split()[2].split(":") for line in text.splitlines() if line.startswith("  in ")]
    assert [path.rpartition(".")[2] for path, _, _ in places] == ["c", "py"]
    assert (ROOT / places[0][0]).is_file()


def test_explain_knows_scopes_aliases_and_near_names(trace_diff: Cli) -> None:
    assert trace_diff("explain", "k_frac").stdout.startswith("k_frac is an older name of hkl_frac[1]\n")
    assert trace_diff("explain", "F_latt").stdout == trace_diff("explain", "step.F_latt").stdout
    wrong = trace_diff("explain", "F_lat")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "(hint: did you mean 'F_latt'?)" in wrong.stderr


def test_every_variable_can_be_explained() -> None:
    from trace_parity.run.explain import explanation

    for variable in shipped().vocabulary.variables:
        assert variable.description in explanation(shipped(), variable.id)[0]
