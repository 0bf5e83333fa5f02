"""`trace-diff inject`: with C's value of this, does everything downstream agree? On the reference's leak."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import cast

import pytest
from trace_parity.bundle.bundle import verify, write_manifest
from trace_parity.cli.inject import _lines
from trace_parity.compare.judge import VariableSummary
from trace_parity.pair.dependencies import downstream, inputs, upstream
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.run.counterfactual import Counterfactual, bisect

from tests.in_process import call

MATRIX = "0.0081 0.0073 -0.0041\n-0.0085 0.0091 0.0020\n0.0061 0.0009 0.0095\n"
WORDS = """-mat A.mat -lambda 1 -N 5 -distance 100 -detpixels 64 -pixel 0.4 -default_F 100 -phi 0 -osc 2 -phisteps 3
-spindle_axis 0.6 0.8 0""".split()
ROTATED = ["rot_a_angstroms", "rot_b_angstroms", "rot_c_angstroms"]


def trace_diff(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return call([str(word) for word in words], cwd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("counterfactual")
    (path / "A.mat").write_text(MATRIX)
    return path


def run(folder: Path, against: str) -> Path:
    words = ["run", "--against", against, "--no-images", "--pixel", 40, 25, "--out", against, "--", *WORDS]
    done = trace_diff(*words, cwd=folder)
    assert done.returncode == (against == "unfixed"), done.stdout + done.stderr
    return folder / done.stderr.splitlines()[-1].removeprefix("bundle: ")


@pytest.fixture(scope="module")
def leaky(folder: Path) -> Path:
    """A bundle against the reference as the original is: its rotated vectors at φ=0 are stale (quirk phi-carryover)."""
    return run(folder, "unfixed")


def test_with_c_s_rotated_vectors_everything_after_agrees(leaky: Path, folder: Path) -> None:
    done = trace_diff("inject", leaky, *ROTATED, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    names = "rot_a_angstroms, rot_b_angstroms, rot_c_angstroms"
    assert done.stdout.splitlines()[-1] == f"AGREES  with C's {names}, everything downstream agrees"
    assert verify(leaky) == []


def test_with_one_of_them_it_does_not(leaky: Path, folder: Path) -> None:
    done = trace_diff("inject", leaky, "rot_a_angstroms", "--format", "json", cwd=folder)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["agrees"], found["names"], found["reruns"]) == (False, ["rot_a_angstroms"], 2)
    rows = {row["variable"]: row for row in found["variables"]}
    assert rows["step.rot_a_angstroms"]["now"] == 0
    assert rows["step.rot_b_angstroms"]["now"] == rows["step.rot_b_angstroms"]["before"] > 0
    assert rows["step.F_latt"]["after"]
    assert rows["step.F_latt"]["now"] > 0
    assert not rows["step.rot_c_angstroms"]["after"]


def test_f_cell_is_not_to_blame(leaky: Path, folder: Path) -> None:
    done = trace_diff("inject", leaky, "F_cell", cwd=folder)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("STILL DIVERGES  with C's F_cell")
    assert len(lines) < 24
    assert "still      pixel.I_before_scaling: 1 of 1 number (without C's values: 1)" in done.stdout
    assert "elsewhere  step.F_latt: " in done.stdout


def test_a_later_value_cures_what_comes_after_it_only(leaky: Path, folder: Path) -> None:
    done = trace_diff("inject", leaky, "step.F_latt", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "cured      I_running, I_before_scaling, I_pixel_final, floatimage_accumulated" in done.stdout
    assert "elsewhere  step.rot_a_angstroms" in done.stdout


def test_bisection_isolates_the_rotated_vectors(leaky: Path, folder: Path) -> None:
    done = trace_diff("inject", leaky, "--bisect", "--format", "json", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [fault["variable"] for fault in found["faults"]] == [f"step.{name}" for name in ROTATED]
    assert all("step.F_latt" in fault["needed_for"] for fault in found["faults"])
    assert found["left"] == []
    assert found["reruns"] == 5  # without, with all three, and with each left out


def test_faults_in_two_places_are_both_isolated(leaky: Path, folder: Path, tmp_path: Path) -> None:
    """A log of C whose fluence is another too, and the pixel that it makes."""
    bundle = tmp_path / "edited"
    shutil.copytree(leaky, bundle)
    log = bundle / "traces" / "c.log"

    def double(match: re.Match[str]) -> str:
        return f"{match[1]} {2 * float(match[2])!r}"

    names = "fluence_photons_per_m2|I_pixel_final|floatimage_accumulated"
    log.write_text(re.sub(rf"(: (?:{names})) (\S+)", double, log.read_text()))
    write_manifest(bundle)
    done = trace_diff("inject", bundle, "--bisect", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "ISOLATED  4 faults; with C's values of them everything agrees"
    assert [line.split(":")[0].strip() for line in lines[:4]] == [*ROTATED, "fluence_photons_per_m2"]


def test_nothing_to_isolate_where_all_agrees(folder: Path) -> None:
    bundle = run(folder, "fixed")
    done = trace_diff("inject", bundle, "--bisect", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        "AGREES  nothing diverges; there is no fault to isolate",
    )
    done = trace_diff("inject", bundle, "F_latt", cwd=folder)
    assert done.returncode == 0
    assert "but it did so without C's values" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["F_lattice"], 2, "no variable 'F_lattice'"),
        ([], 2, "no variable to inject"),
        (["F_latt", "--bisect"], 2, "both names and --bisect"),
        (["V_cell_A3"], 6, "nothing in the traces is computed from V_cell_A3"),
        (["F_latt", "--mat", "B.mat"], 2, "B.mat: not the input that the bundle was made with"),
        (["F_latt", "--mat", "C.mat"], 5, "C.mat: no such file"),
    ],
)
def test_what_cannot_be_asked_is_said(words: list[str], code: int, says: str, leaky: Path, folder: Path) -> None:
    (folder / "B.mat").write_text(MATRIX.replace("0.0095", "0.0096"))
    done = trace_diff("inject", leaky, *words, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stderr.splitlines()[-1]


def test_the_inputs_are_found_again(leaky: Path, folder: Path, tmp_path: Path) -> None:
    """The bundle keeps the file, so it is found from anywhere; named, under whatever name, another copy is taken."""
    done = trace_diff("inject", leaky, "F_latt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shutil.copy(folder / "A.mat", tmp_path / "other.mat")
    done = trace_diff("inject", leaky, "F_latt", "--mat", "other.mat", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_bundle_that_cannot_be_read(leaky: Path, folder: Path, tmp_path: Path) -> None:
    assert trace_diff("inject", tmp_path / "none", "F_latt", cwd=folder).returncode == 5
    bundle = tmp_path / "torn"
    shutil.copytree(leaky, bundle)
    (bundle / "traces" / "c.log").unlink()
    assert trace_diff("inject", bundle, "F_latt", cwd=folder).returncode == 5
    shutil.copytree(leaky, bundle, dirs_exist_ok=True)
    (bundle / "case.toml").unlink()
    assert trace_diff("inject", bundle, "F_latt", cwd=folder).returncode == 5


def test_a_changed_bundle_is_refused_before_anything_runs(leaky: Path, folder: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "changed"
    shutil.copytree(leaky, bundle)
    case = (bundle / "case.toml").read_text()
    changed, count = re.subn(r'(\[files\."A\.mat"\]\n)path = .*', r'\1command = ["touch", "ran"]', case)
    assert count == 1, case
    (bundle / "case.toml").write_text(changed)
    done = trace_diff("inject", bundle, "F_latt", cwd=folder)
    assert done.returncode == 5
    assert "case.toml: changed since the bundle was written" in done.stderr
    write_manifest(bundle)  # whoever changes a bundle can hash it again
    done = trace_diff("inject", bundle, "F_latt", cwd=tmp_path)
    assert done.returncode == 2
    assert "the bundle generates A.mat by running a command: touch ran" in done.stderr
    done = trace_diff("inject", bundle, "F_latt", "--trust-bundle", cwd=tmp_path)
    assert done.returncode == 2  # the command is run, and what it makes is another file than the run had
    assert "A.mat: not the input that the bundle was made with" in done.stderr


def test_the_graph_between_scopes(vocabulary: Vocabulary) -> None:
    graph = inputs(vocabulary)
    assert graph["subsample.fdet_vec"] == ("run.fdet_vec",)
    assert "subsample.pix0_vector_meters" in graph["subsample.pixel_pos_meters"]
    assert graph["pixel.I_before_scaling"] == ("step.I_running",)
    assert "pixel.I_pixel_final" in downstream(graph, ["run.fdet_vec"])
    assert upstream(graph, ["step.rot_a_angstroms"]) >= {"run.a_angstroms", "mosaic.mosaic_umat", "step.phi_deg"}
    assert not downstream(graph, ["pixel.floatimage_accumulated"])


class Canned:
    """A port with set results: F_latt is wrong, and if `is_stubborn` stays so when C's values are put in."""

    def __init__(self, vocabulary: Vocabulary, is_stubborn: bool) -> None:
        self.vocabulary, self.is_stubborn = vocabulary, is_stubborn
        self.done: dict[frozenset[str], dict[str, VariableSummary]] = {}

    def summaries(self, ids: frozenset[str] = frozenset()) -> dict[str, VariableSummary]:
        wrong = {"step.F_latt", "step.I_running"} if self.is_stubborn or "step.F_latt" not in ids else set()
        found = {
            v.id: VariableSummary(v, 1, int(v.id in wrong), 0, 0, None)
            for v in self.vocabulary.variables
            if v.scope.name == "step"
        }
        return self.done.setdefault(ids, found)


@pytest.mark.parametrize("is_stubborn", [False, True])
def test_what_the_port_changes_after_it_was_put_in_is_named(vocabulary: Vocabulary, is_stubborn: bool) -> None:
    found = bisect(cast(Counterfactual, Canned(vocabulary, is_stubborn)))
    assert found.agrees is not is_stubborn
    assert found.stubborn == (("step.F_latt",) if is_stubborn else ())
    says = "F_latt: differs even with C's values" in "\n".join(_lines(found))
    assert says is is_stubborn
