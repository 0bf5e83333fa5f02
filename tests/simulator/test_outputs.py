"""What a run writes: SMV, PGM and noise images to the last byte, headers, statistics, dump files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from nanobragg_torch import from_argv
from nanobragg_torch.cli import main
from nanobragg_torch.cli.outputs import smv_header
from nanobragg_torch.cli.report import report
from nanobragg_torch.io import dump, smv
from nanobragg_torch.rendering import statistics

from tests import golden
from tests.golden import needs_shared


def entries() -> dict[str, dict[str, object]]:
    path = golden.GOLDEN / "cases.json"
    return {e["id"]: e for e in json.loads(path.read_text())} if path.is_file() else {}


ENTRIES = entries()


def run_in(folder: Path, case_id: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    for file in golden.INPUTS.iterdir():
        shutil.copy(file, folder / file.name)
        (folder / file.name).chmod(0o644)
    monkeypatch.chdir(folder)
    return main([*golden.golden_cases()[case_id].args, "-noprogress", *more])


# Lines of the log that are not part of the report: warnings go to stderr, the statistics are tested with the files,
# the solid angle and the out-of-range notice of a state leak are not printed.
NOT_REPORTED = (
    "WARNING", "         recommend", "solid angle", "max_I", "mean=", "intfile_scale", "pgm_scale", "auto-selected tri",
    "auto-selected no", "auto-generating",
)  # fmt: skip


def same_line(ours: str, golden_line: str) -> bool:
    """Word by word, numbers to what six printed digits resolve and zeros of either sign."""
    if len(ours.split()) != len(golden_line.split()):
        return False
    number = r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?"
    if re.sub(number, "#", ours) != re.sub(number, "#", golden_line):
        return False
    pairs = zip(re.findall(number, ours), re.findall(number, golden_line), strict=True)
    return all(float(a) == pytest.approx(float(b), rel=2e-6, abs=2e-8) for a, b in pairs)


@needs_shared
@pytest.mark.parametrize("case_id", sorted(ENTRIES))
def test_header_and_report(case_id: str) -> None:
    experiment = from_argv(golden.golden_cases()[case_id].args, folder=golden.INPUTS)
    model = experiment.build()
    assert smv_header(experiment, model) == ENTRIES[case_id]["smv_header"]
    log = ENTRIES[case_id]["log"]
    assert isinstance(log, list)
    wanted = [text for text in log if not text.startswith(NOT_REPORTED) and "photons" not in text]
    lines = list(report(experiment, model))
    missing = [text for text in wanted if not any(same_line(line, text) for line in lines)]
    assert missing == [], lines


@needs_shared
@pytest.mark.parametrize("case_id", ["outputs", "noise", "noise_strong", "mask", "roi", "img"])
def test_files_and_statistics(
    case_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_in(tmp_path, case_id, monkeypatch) == 0
    printed = capsys.readouterr().out.splitlines()
    log = ENTRIES[case_id]["log"]
    assert isinstance(log, list)
    expected = [text for text in log if text.startswith(("max_I", "mean=", "intfile_scale"))]
    assert len(expected) == 3
    if "photons" in str(log):
        expected += [text for text in log if "photons" in text]
    if case_id == "outputs":
        expected += [text for text in log if text.startswith("pgm_scale")]
    missing = [text for text in expected if text not in printed]
    assert missing == [], printed

    image = np.fromfile(tmp_path / "floatimage.bin", dtype=np.float32)
    assert golden.image_faults(image.reshape(golden.golden_cases()[case_id].shape), golden.golden_image(case_id)) == ""
    for name in ("intimage.img", "noiseimage.img"):
        written = smv.read_smv(tmp_path / name, "-img")
        assert written.text == str(ENTRIES[case_id]["smv_header"]).ljust(512)
    if case_id == "outputs":
        assert np.array_equal(
            smv.read_smv(tmp_path / "intimage.img", "-img").pixels, golden.golden_image("outputs__int")
        )
        assert (tmp_path / "image.pgm").read_bytes() == golden.golden_image("outputs__pgm").tobytes()
    if case_id.startswith("noise"):
        noise = smv.read_smv(tmp_path / "noiseimage.img", "-img").pixels
        assert np.array_equal(noise, golden.golden_image(f"{case_id}__noise"))
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


@needs_shared
def test_dump_stands_in_for_the_reflections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_in(tmp_path, "hkl_default", monkeypatch, "-nonoise", "-nopgm") == 0
    first = (tmp_path / "floatimage.bin").read_bytes()
    lines = (tmp_path / "Fdump.bin").read_bytes().partition(b"\n\f")
    assert lines[0] == b"-4 4 -4 4 -4 4"
    assert len(lines[2]) == 8 * 10**3
    args = [a for a in golden.golden_cases()["hkl_default"].args if a not in ("-hkl", "small.hkl")]
    assert main([*args, "-noprogress", "-nonoise", "-nopgm"]) == 0
    assert (tmp_path / "floatimage.bin").read_bytes() == first
    (tmp_path / "short.bin").write_bytes((tmp_path / "Fdump.bin").read_bytes()[:-8])
    with pytest.raises(ValueError, match="short"):
        dump.read_dump(tmp_path / "short.bin")


@needs_shared
def test_output_of_ours_is_input_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header of an image that we wrote, read by -img, describes the same experiment."""
    assert run_in(tmp_path, "phi_scan", monkeypatch, "-nonoise", "-nopgm") == 0
    first = np.fromfile(tmp_path / "floatimage.bin", dtype=np.float32)
    args = "-cell 70 80 90 85 95 105 -hkl synth.hkl -Na 5 -Nb 6 -Nc 7 -phisteps 8 -oversample 1 -nointerpolate".split()
    assert main([*args, "-img", "intimage.img", "-noprogress", "-nonoise", "-nopgm"]) == 0
    second = np.fromfile(tmp_path / "floatimage.bin", dtype=np.float32)
    assert np.allclose(first, second, rtol=1e-5, atol=1e-6 * first.max())


def test_statistics_of_nothing_and_of_one() -> None:
    image = np.array([[3.0, 5.0]], dtype=np.float32)
    nothing = statistics.image_statistics(image, np.zeros((1, 2), dtype=bool), np.zeros((1, 2), dtype=bool))
    assert (nothing.maximum, nothing.mean) == (0.0, 0.0)
    one = statistics.image_statistics(image, np.array([[True, False]]), np.array([[True, False]]))
    assert (one.maximum, one.at, one.rmsd) == (3.0, (0, 0), 0.0)
    assert statistics.smv_scale(0.0, 0.0) == 1.0
    assert statistics.pgm_scale(0.0, 0.0, 7.0) == 7.0
    clipped = statistics.smv_pixels(np.array([[-9e9, 9e9]], dtype=np.float32), np.ones((1, 2), dtype=bool), 1.0, 0.0)
    assert clipped.tolist() == [[0, 65535]]
