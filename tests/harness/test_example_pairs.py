"""The pairs under examples/, run as a user runs them: in parity, and with faults planted that blame must find."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.golden import ROOT
from tests.in_process import shell

PAIRS = ROOT / "examples" / "pairs"


@pytest.fixture
def copied(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A pair's folder of its own, so that faults can be planted."""
    folder = tmp_path / request.param
    shutil.copytree(PAIRS / request.param, folder, ignore=shutil.ignore_patterns("build", "reports", "__pycache__"))
    return folder


def test_the_files_of_a_pair_are_short() -> None:
    for name in ("lennard_jones", "shallow_water"):
        files = [path for path in (PAIRS / name).rglob("*.toml") if path.name != "sweep.toml"]  # for one command only
        texts = [path.read_text() for path in files]
        spare = r"^variants = \[.*?^\]$|^arguments = \{ perturb.*?$|^lines = .*?$"
        needed = [re.sub(spare, "", text, flags=re.DOTALL | re.MULTILINE) for text in texts]
        lines = [line for text in needed for line in text.splitlines()]
        assert sum(1 for line in lines if line.strip()) <= 80
        assert len((PAIRS / name).joinpath("c").glob("*.c").__next__().read_text().splitlines()) <= 150


@pytest.mark.parametrize("copied", ["lennard_jones", "shallow_water"], indirect=True)
def test_every_case_is_in_parity_from_inside_and_from_outside(copied: Path) -> None:
    inside = shell("trace-diff gate --jobs 1 --out reports/gate", copied)
    assert inside.returncode == 0, inside.stdout + inside.stderr
    assert "3 cases: 3 in parity, 0 not" in inside.stdout
    case = "small" if copied.name == "lennard_jones" else "hill"
    outside = shell(f"trace-diff run {case} --pair {copied.name} --format json", copied.parent)
    assert outside.returncode == 0, outside.stdout + outside.stderr
    result = json.loads(outside.stdout)
    assert result["verdict"] == "parity"
    assert (result["images"] is not None) == (copied.name == "shallow_water")
    checked = shell(f"trace-diff pair check {copied}", copied.parent)
    assert checked.returncode == 0, checked.stderr
    assert "equations   " in checked.stdout


FAULTS = [
    ("lennard_jones", "py", "v_half = v + 0.5 * o.dt * force", "v_half = v + o.dt * force", "v_half"),
    ("lennard_jones", "py", "torch.round(dr / box)", "torch.floor(dr / box)", "dr"),
    ("lennard_jones", "py", "(f_over_r[..., None] * dr).sum(1)", "(f_over_r[..., None] * dr)[:, 1:].sum(1)", "force"),
    ("lennard_jones", "c", "24.0 * (2.0 * inv_r6", "48.0 * (2.0 * inv_r6", "f_over_r"),
    ("shallow_water", "py", "h - h.roll(1, 0)", "h.roll(-1, 0) - h", "slope_x"),
    ("shallow_water", "py", "slope_y + o.coriolis * u)", "slope_y - o.coriolis * u)", "v"),
    ("shallow_water", "c", "dt * depth * div_flow[i][j]", "dt * depth * (i ? div_flow[i][j] : 0)", "h"),
]  # fmt: skip


@pytest.mark.parametrize(("copied", "side", "old", "new", "variable"), FAULTS, indirect=["copied"])
def test_a_planted_fault_is_found_and_blamed(copied: Path, side: str, old: str, new: str, variable: str) -> None:
    source = next((copied / side).glob("*.c" if side == "c" else "*.py"))
    text = source.read_text()
    assert text.count(old) == 1
    source.write_text(text.replace(old, new))
    case = "small" if copied.name == "lennard_jones" else "hill"
    done = shell(f"trace-diff run {case} --format json", copied)
    assert done.returncode == 1, done.stdout + done.stderr
    result = json.loads(done.stdout)
    introduced = [f for f in result["blame"]["findings"] if f["kind"] == "introduced"]
    assert {(f["variable"], f["side"]) for f in introduced} == {(variable, side.upper())}
    assert result["first_divergence"]["variable"] == variable
    assert not [f for f in result["blame"]["findings"] if f["kind"] == "unexplained"]


@pytest.mark.parametrize("copied", ["lennard_jones"], indirect=True)
def test_the_known_quirk_is_named(copied: Path) -> None:
    done = shell("trace-diff run small --against unfixed --format json", copied)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert [q["id"] for q in result["quirks"]] == ["stale-potential"]
    assert result["first_divergence"]["quirk"] == "stale-potential"
