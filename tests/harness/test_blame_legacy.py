"""The story that the older logs tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.golden import SHARED
from tests.harness.conftest import Cli
from tests.in_process import call

LOGS = SHARED / "legacy_logs"
C = LOGS / "20251008T212459Z_spec_baseline_c_trace_scaling.log"
PY = LOGS / "fix_20251008T231211Z_trace_py_scaling.log"
TICKS = LOGS / "fix_20251008T231211Z_trace_py_scaling_per_phi.log"

needs_logs = pytest.mark.skipif(not LOGS.is_dir(), reason="the older logs ../shared/legacy_logs are not here")
pytestmark = needs_logs
Findings = dict[tuple[str, str], dict[str, Any]]


def findings(folder: Path, *words: object) -> Findings:
    done = call(["blame", *map(str, words), "--format", "json"], folder)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert set(found["digits"].values()) == {15}
    return {(f["variable"], f["place"]): f for f in found["findings"]}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return findings(tmp_path_factory.mktemp("pair"), C, PY)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[str]]:
    """The result of `compare`, and the lines that it prints."""
    folder = tmp_path_factory.mktemp("compared")
    done = call(["compare", str(C), str(PY), "--format", "json:result.json", "--format", "text"], folder)
    return json.loads((folder / "result.json").read_text()), done.stdout.splitlines()


def test_the_first_divergence_is_the_pixel_and_it_is_inherited(
    compared: tuple[dict[str, Any], list[str]], pair: Findings
) -> None:
    result, _ = compared
    assert result["first_divergence"]["variable"] == "pixel_pos_meters"
    assert {q["id"] for q in result["quirks"]} == {"phi-carryover", "stale-reciprocal"}
    assert pair[("pixel_pos_meters", "the whole run")]["kind"] == "inherited"


def test_the_carried_phi_comes_before_lengths_that_are_off_by_a_billionth(
    compared: tuple[dict[str, Any], list[str]],
) -> None:
    """Its share is not known, since N_cells is in no log; that of the vectors neither, and these are far too close."""
    _, lines = compared
    assert lines[-1] == (
        "DIVERGENCE  compare: C shows quirk phi-carryover in hkl_frac, whose share of the difference of I_pixel_final "
        "is not known; first at pixel_pos_meters[0]; 19 of 70 numbers differ"
    )
    assert lines[-4] == "wrong:  C shows its known quirk phi-carryover"
    assert lines[-3] == "next:   compare with the repaired reference: --against fixed"
    assert lines[-2].endswith(" --waive phi-carryover")


@pytest.mark.parametrize(("name", "off"), [("fdet_vec", 4.9e-9), ("sdet_vec", 5.7e-8), ("incident_vec", 8.0e-9)])
def test_py_does_not_normalise(pair: Findings, name: str, off: float) -> None:
    finding = pair[(name, "the whole run")]
    assert (finding["kind"], finding["side"]) == ("introduced", "PY")
    assert finding["residual"] == pytest.approx(off, rel=0.02)
    assert "in the right direction" in finding["hint"]


def test_c_traces_stale_reciprocal_vectors(pair: Findings) -> None:
    for axis in "abc":
        finding = pair[(f"rot_{axis}_star_A_inv", "the whole run")]
        assert (finding["kind"], finding["side"], finding["quirk"]) == ("introduced", "C", "stale-reciprocal")


def test_c_carries_phi_over_and_k_alone_tells(trace_diff: Cli, pair: Findings, tmp_path: Path) -> None:
    lines = [re.sub(r" F_latt.*", "", line) for line in C.read_text().splitlines() if line.startswith("TRACE_C_PHI")]
    alone = tmp_path / "k.log"
    alone.write_text("\n".join(lines) + "\n")
    (from_k,) = findings_of_one(trace_diff, alone)
    for finding in (pair[("hkl_frac", "phi_tic=0")], from_k):
        assert (finding["side"], finding["count"], finding["quirk"]) == ("C", 1, "phi-carryover")
        assert finding["hint"] == "the value of phi_tic=9: stale"


def findings_of_one(trace_diff: Cli, log: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(trace_diff("blame", log, "--format", "json").stdout)["findings"]
    return found


def test_the_sum_is_inherited_and_what_py_lacks_is_named(pair: Findings, tmp_path: Path) -> None:
    finding = pair[("I_before_scaling", "the whole run")]
    assert finding["kind"] == "inherited"
    assert finding["residual"] == pytest.approx(0.1464, rel=1e-3)
    assert "F_latt (1 of 10 steps are in the log) (PY)" in finding["missing"]
    whole = findings(tmp_path, C, PY, "--also", TICKS)[("I_before_scaling", "the whole run")]
    assert (whole["kind"], whole["missing"]) == ("inherited", [])


def test_no_one_else_is_accused(pair: Findings) -> None:
    accused = {(f["side"], f["variable"]) for f in pair.values() if f["kind"] == "introduced"}
    assert accused == {
        ("PY", "fdet_vec"),
        ("PY", "sdet_vec"),
        ("PY", "incident_vec"),
        ("C", "rot_a_star_A_inv"),
        ("C", "rot_b_star_A_inv"),
        ("C", "rot_c_star_A_inv"),
        ("C", "hkl_frac"),
        ("PY", "polar_final"),
        ("PY", "floatimage_accumulated"),
    }
