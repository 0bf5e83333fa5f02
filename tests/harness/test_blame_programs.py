"""Blame on full logs of both real programs: silent where they agree, and right about the unrepaired reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.conftest import Cli

TRICLINIC = (
    "nanoBragg -cell 70 80 90 85 95 105 -lambda 1.0 -Na 5 -Nb 6 -Nc 7 -distance 100 -detpixels 32 -pixel 0.4 "
    "-default_F 10 -phi 0 -osc 1 -phisteps 3 -mosaic 0.5 -mosaic_dom 3 -oversample 2 -dispersion 1 -dispsteps 2 "
    "-oversample_omega -polar 0.9"
).split()


def traces(trace_diff: Cli, tmp_path: Path, *words: str) -> tuple[Path, Path]:
    done = trace_diff("run", *words, cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    (folder,) = tmp_path.glob("reports/*/*/traces")
    return folder / "c.log", folder / "py.log"


def findings(trace_diff: Cli, *logs: Path) -> tuple[int, list[dict[str, Any]]]:
    done = trace_diff("blame", *logs, "--format", "json")
    return done.returncode, json.loads(done.stdout)["findings"]


@pytest.mark.parametrize(
    "words",
    [
        ("supervisor", "--no-images", "--out", "reports"),
        ("--no-images", "--out", "reports", "--pixel", "12", "20", "--", *TRICLINIC),
    ],
    ids=["supervisor", "triclinic"],
)
def test_both_programs_obey(trace_diff: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    c, py = traces(trace_diff, tmp_path, *words)
    for logs in ((c,), (py,), (c, py)):
        assert findings(trace_diff, *logs) == (0, [])


def test_the_unrepaired_reference_is_accused_and_no_one_else(trace_diff: Cli, tmp_path: Path) -> None:
    logs = traces(trace_diff, tmp_path, "supervisor", "--against", "unfixed", "--no-images", "--out", "reports")
    code, found = findings(trace_diff, *logs)
    assert code == 1
    accused = {(f["side"], f["variable"], f["quirk"]) for f in found if f["kind"] == "introduced"}
    assert accused == {("C", f"rot_{axis}_angstroms", "phi-carryover") for axis in "abc"}
    assert {f["kind"] for f in found} == {"introduced", "inherited"}
    summary = next(tmp_path.glob("reports/*/*/summary.md")).read_text()
    assert "## Broken equations" in summary
