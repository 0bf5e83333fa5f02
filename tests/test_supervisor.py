"""The job that the project exists for: `trace-diff run supervisor`, from the command line to the bundle."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from trace_parity.bundle.bundle import find_bundles, verify

from tests import tolerances as tol
from tests.golden import COMMITTED, SHARED, SUPERVISOR, needs_shared, parse_trace, trace_faults
from tests.in_process import call

GOLDEN_LOG = COMMITTED / "supervisor_trace_685_1039.log"
LEAKY_LOG = COMMITTED / "supervisor_trace_685_1039__phi_carryover.log"
CELLS = 36.0 * 47 * 29
STEP = [f"spixel=685 fpixel=1039 thick_tic=0 subS=0 subF=0 source=0 phi_tic={i} mos_tic=0".split() for i in range(10)]


def trace_diff(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return call([str(word) for word in words], cwd)


def bundle_of(done: subprocess.CompletedProcess[str], folder: Path) -> Path:
    return folder / done.stderr.splitlines()[-1].removeprefix("bundle: ")


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The whole run, images too."""
    folder = tmp_path_factory.mktemp("parity")
    done = trace_diff("run", "supervisor", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done, bundle_of(done, folder)


@pytest.fixture(scope="module")
def unfixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("unfixed")
    done = trace_diff("run", "supervisor", "--against", "unfixed", "--no-images", cwd=folder)
    return done, bundle_of(done, folder)


def test_the_verdict_is_parity(parity: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, bundle = parity
    assert done.stdout.splitlines()[-1].startswith("PARITY  supervisor")
    metrics = json.loads((bundle / "metrics.json").read_text())
    assert metrics["first_divergence"] is None
    assert metrics["num_divergent"] == 0
    result = json.loads((bundle / "result.json").read_text())
    assert result["verdict"] == "parity"
    assert result["coverage"]["holds"]
    assert [row["phi_tic"] for row in result["per_tick"]] == list(range(10))
    assert all(row["F_latt_c"] is not None and row["F_latt_py"] is not None for row in result["per_tick"])


def test_the_traced_pixel_has_the_published_figures(parity: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    golden = GOLDEN_LOG.read_text()
    for side in ("c", "py"):
        text = (parity[1] / "traces" / f"{side}.log").read_text()
        assert trace_faults(text, golden, CELLS) == []
        (value,) = parse_trace(text)[(("spixel=685", "fpixel=1039"), "I_before_scaling")]
        assert value == pytest.approx(807189.7686775858, rel=tol.TRACE_REL)


def test_metric_duality_at_every_tick(parity: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    for side in ("c", "py"):
        rows = parse_trace((parity[1] / "traces" / f"{side}.log").read_text())
        for step in STEP:
            real = np.array([rows[(tuple(step), f"rot_{x}_angstroms")] for x in "abc"])
            star = np.array([rows[(tuple(step), f"rot_{x}_star_A_inv")] for x in "abc"])
            assert np.abs(real @ star.T - np.eye(3)).max() <= tol.DUALITY


def test_the_sides_agree_at_every_tick(parity: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    c, py = (parse_trace((parity[1] / "traces" / f"{side}.log").read_text()) for side in ("c", "py"))
    for step in STEP:
        for name in ("rot_a_star_A_inv", "rot_b_star_A_inv", "rot_c_star_A_inv", "F_latt"):
            assert math.dist(c[(tuple(step), name)], py[(tuple(step), name)]) <= 1e-6


def test_the_bundle_is_whole(parity: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    bundle = parity[1]
    assert verify(bundle) == []
    done = subprocess.run(["sha256sum", "-c", "manifest-sha256.txt"], cwd=bundle, capture_output=True, check=False)
    assert done.returncode == 0
    wanted = """summary.md report.html result.json metrics.json junit.xml traces/c.log traces/py.log images/c.bin
    images/py.bin images/c.png images/py.png images/difference.png per_phi.csv per_phi.json per_phi.md env.json
    commands.txt git.json case.toml manifest-sha256.txt ro-crate-metadata.json config_c.json config_py.json"""
    assert [name for name in wanted.split() if not (bundle / name).stat().st_size] == []
    assert (bundle / "images" / "c.bin").stat().st_size == 2463 * 2527 * 4
    crate = json.loads((bundle / "ro-crate-metadata.json").read_text())
    listed = {e["@id"] for e in crate["@graph"] if e["@type"] == "File"}
    assert {"traces/c.log", "images/py.bin", "result.json"} <= listed
    assert sum(e["@type"] == "CreateAction" for e in crate["@graph"]) == 7


def test_the_summary_says_it_all(parity: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    text = (parity[1] / "summary.md").read_text()
    for words in ("parity", "correlation", "RMSE", "largest difference", "sum PY / sum C", "## Per φ", "## Variables"):
        assert words in text
    assert "## Environment" in text
    assert "torch 2." in text


def test_the_two_images_agree(parity: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    c, py = (np.fromfile(parity[1] / "images" / f"{side}.bin", "<f4").astype(np.float64) for side in ("c", "py"))
    faint = c < tol.IMAGE_FAINT * c.max()
    assert c.max() > 0
    assert (np.abs(c - py) <= np.where(faint, tol.IMAGE_FAINT_OF_MAX * c.max(), tol.IMAGE_REL * c)).all()


def test_nothing_of_this_machine_is_in_the_findings(parity: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    bundle = parity[1]
    for name in ("result.json", "metrics.json", "report.html", "summary.md", "junit.xml", "ro-crate-metadata.json"):
        assert str(bundle.parent.parent) not in (bundle / name).read_text()


def test_the_unfixed_reference_shows_the_quirk(unfixed: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, bundle = unfixed
    assert done.returncode == 1
    result = json.loads((bundle / "result.json").read_text())
    first = result["first_divergence"]
    assert first["variable"] in {"rot_a_angstroms", "rot_b_angstroms", "rot_c_angstroms"}
    assert first["loops"]["phi_tic"] == 0
    assert "This is quirk phi-carryover" in (bundle / "summary.md").read_text()
    log = (bundle / "traces" / "c.log").read_text()
    assert trace_faults(log, LEAKY_LOG.read_text(), CELLS) == []
    (value,) = parse_trace(log)[(("spixel=685", "fpixel=1039"), "I_before_scaling")]
    assert value == pytest.approx(943654.8092375496, rel=tol.TRACE_REL)


def test_the_same_run_twice_gives_the_same_result(
    unfixed: tuple[subprocess.CompletedProcess[str], Path], tmp_path: Path
) -> None:
    done = trace_diff("run", "supervisor", "--against", "unfixed", "--no-images", cwd=tmp_path)
    again = bundle_of(done, tmp_path)
    for name in ("result.json", "metrics.json", "junit.xml", "per_phi.csv", "traces/c.log", "traces/py.log"):
        assert (again / name).read_bytes() == (unfixed[1] / name).read_bytes()


def test_a_stored_comparison_can_be_judged_again(
    parity: tuple[subprocess.CompletedProcess[str], Path], unfixed: tuple[subprocess.CompletedProcess[str], Path]
) -> None:
    bundle = parity[1]
    again = trace_diff("judge", bundle, "--format", "json", cwd=bundle)
    assert again.returncode == 0
    assert again.stdout == (bundle / "result.json").read_text()
    strict = trace_diff("judge", bundle, "--rtol", "1e-16", cwd=bundle)
    assert strict.returncode == 1
    assert trace_diff("judge", unfixed[1], "--rtol", "0.7", cwd=bundle).returncode == 0
    assert verify(bundle) == []


def test_two_bundles_are_compared(
    parity: tuple[subprocess.CompletedProcess[str], Path], unfixed: tuple[subprocess.CompletedProcess[str], Path]
) -> None:
    same = trace_diff("bundle", "diff", parity[1], parity[1], cwd=parity[1])
    assert (same.returncode, same.stdout) == (0, "SAME  no difference\n")
    done = trace_diff("bundle", "diff", parity[1], unfixed[1], cwd=parity[1])
    assert done.returncode == 1
    assert "settings.against: fixed -> unfixed" in done.stdout
    assert "result.verdict: parity -> divergence" in done.stdout
    assert "environment" not in done.stdout


def test_tables_of_a_bundle(unfixed: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    bundle = unfixed[1]
    assert trace_diff("phi", bundle, "--format", "csv", cwd=bundle).stdout == (bundle / "per_phi.csv").read_text()
    lines = trace_diff("export", "rot-star", bundle, cwd=bundle).stdout.splitlines()
    assert len(lines) == 11
    row = dict(zip(lines[0].split(","), lines[4].split(","), strict=True))
    rows = parse_trace((bundle / "traces" / "py.log").read_text())
    assert float(row["rot_b_star_A_inv_y_py"]) == rows[(tuple(STEP[3]), "rot_b_star_A_inv")][1]


def test_a_pasted_command_line_with_files_of_one_s_own(tmp_path: Path) -> None:
    (tmp_path / "A.mat").write_text("0.0081 0.0073 -0.0041\n-0.0085 0.0091 0.0020\n0.0061 0.0009 0.0095\n")
    words = (
        "nanoBragg -mat A.mat -lambda 1 -N 5 -distance 100 -detpixels 20 -pixel 0.4 -default_F 10 -floatfile mine.bin"
    )
    done = trace_diff("run", "--pixel", 10, 12, "--pixel", 3, 4, "--", *words.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    bundle = bundle_of(done, tmp_path)
    assert bundle.parent.name.startswith("pasted-")
    assert not (tmp_path / "mine.bin").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["A.mat", "reports"]
    result = json.loads((bundle / "result.json").read_text())
    assert {row["fpixel"] for row in result["per_tick"]} == {4, 12}
    assert result["images"]["shape"] == [20, 20]
    repeat = trace_diff("run", bundle / "case.toml", "--no-images", cwd=tmp_path)
    assert repeat.returncode == 0, repeat.stderr


def test_what_the_harness_adds_does_not_change_the_command_line(tmp_path: Path) -> None:
    """Quirk misset-seed-clobbers: -misset_seed reads the two words after it, here those of the user, as angles."""
    words = "-cell 70 80 90 -default_F 5 -N 3 -detpixels 9 -pixel 0.4 -noprogress -misset_seed 5"
    done = trace_diff("run", "--pixel", 3, 4, "--threads", 2, "--", *words.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run"], 2, "nothing to run"),
        (["run", "supervisr"], 2, "no case 'supervisr'"),
        (["run", "supervisor", "--", "-N", "5"], 2, "both a case"),
        (["run", "--no-images", "--", "-N", "5"], 2, "no place to trace; expected --pixel SLOW FAST"),
        (["run", "--pixels", "best:2", "supervisor"], 2, "'best:2' is not a way to pick pixels"),
        (["run", "--pixels", "worst:1", "--pixel", "1", "1", "supervisor"], 2, "--pixels picks places on the images"),
        (["run", "supervisor", "--hkl", "none.hkl"], 5, "none.hkl: no such file"),
        (["run", "supervisor", "--format", "xlsx"], 2, "unknown output form"),
        (["run", "--pixel", "1", "1", "--", "-N", "5", "-nonsense"], 3, "-nonsense"),
        (["run", "--pixel", "9999", "1", "--no-images", "supervisor"], 2, "9999"),
        (["run", "--device", "nosuch", "--no-images", "supervisor"], 3, "nosuch"),
    ],
)
def test_what_cannot_be_run_is_said(words: list[str], code: int, says: str, tmp_path: Path) -> None:
    done = trace_diff(*words, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stderr.splitlines()[-1]
    assert find_bundles(tmp_path / "reports") == []


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_nothing_that_looks_like_a_bundle(sig: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trace_parity", "run", "supervisor", "--threads", "1"]
    for delay in (0.3, 1.5, 3.0, 5.0):
        started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        started.send_signal(sig)
        _, stderr = started.communicate(timeout=60)
        complete = [b.path for b in find_bundles(tmp_path / "reports") if verify(b.path)]
        assert complete == []
        shown = [p for p in (tmp_path / "reports").glob("*/*") if not p.name.startswith(".")]
        if started.returncode:
            assert shown == []
        if sig != signal.SIGKILL and delay > 1 and started.returncode:
            assert started.returncode == (130 if sig == signal.SIGINT else 143)
            assert "interrupted" in stderr.splitlines()[-1]
    left = list((tmp_path / "reports").glob("*/.partial*"))
    assert sig == signal.SIGKILL or left == []


@needs_shared
def test_the_real_crystal(tmp_path: Path) -> None:
    """On the measured reflections both images and both traces have the figures of the original program."""
    data = SHARED / "data"
    done = trace_diff(
        "run", "supervisor", "--mat", data / "A.mat", "--hkl", data / "scaled.hkl", "--out", "r", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    bundle = bundle_of(done, tmp_path)
    figures = json.loads((SUPERVISOR / "pixels.json").read_text())
    slow, fast = np.array(figures["pixels"]).T
    want = np.array(figures["spec_values"])
    for side in ("c", "py"):
        image = np.fromfile(bundle / "images" / f"{side}.bin", "<f4").reshape(figures["shape"]).astype(np.float64)
        assert (np.abs(image[slow, fast] - want) <= tol.IMAGE_REL * np.abs(want)).all()
        log = (bundle / "traces" / f"{side}.log").read_text()
        assert trace_faults(log, (SUPERVISOR / "trace_685_1039.log").read_text(), CELLS) == []


@needs_shared
def test_the_real_crystal_unfixed(tmp_path: Path, c_build: Path) -> None:
    figures = json.loads((SUPERVISOR / "pixels.json").read_text())
    data = SHARED / "data"
    target = tmp_path / "c.bin"
    np.full(figures["shape"], np.inf, "<f4").tofile(target)
    words = [c_build / "nanoBragg", *figures["args"], "-threads", "1", "-floatfile", target]
    for name in ("A.mat", "scaled.hkl"):
        (tmp_path / name).symlink_to(data / name)
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    image = np.fromfile(target, "<f4").reshape(figures["shape"]).astype(np.float64)
    slow, fast = np.array(figures["pixels"]).T
    want = np.array(figures["phi_carryover_values"])
    assert (np.abs(image[slow, fast] - want) <= tol.IMAGE_REL * np.abs(want)).all()
    assert not (np.abs(image[slow, fast] - figures["spec_values"]) <= 1e-3 * np.abs(want)).all()
