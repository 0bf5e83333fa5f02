"""`compare` with two float images, and the pixels that `run` traces and why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import shipped
from trace_parity.run.image_files import parse_shape, shape_in_logs

from tests.harness.conftest import Cli, as_py


@pytest.fixture
def inputs(tmp_path: Path, supervisor_log: str) -> Path:
    (tmp_path / "c.log").write_text(f"{supervisor_log}size (12x8 pixels)\n")
    (tmp_path / "py.log").write_text(as_py(supervisor_log).replace("F_cell 190.27", "F_cell 191.27"))
    image = np.arange(96, dtype="<f4").reshape(8, 12)
    image.tofile(tmp_path / "c.bin")
    image[3, 4] *= 2
    image.tofile(tmp_path / "py.bin")
    return tmp_path


def test_shapes() -> None:
    assert parse_shape("2463,2527") == parse_shape("2463x2527") == (2463, 2527)
    for wrong in ("2463", "0,5", "a,b", "5,-1", "5,5,5", ""):
        with pytest.raises(HarnessError, match="is not a shape") as caught:
            parse_shape(wrong)
        assert caught.value.code == Exit.USAGE


def test_the_shape_that_the_logs_name(inputs: Path) -> None:
    c, py = inputs / "c.log", inputs / "py.log"
    assert shape_in_logs([py], shipped().programs) is None
    assert shape_in_logs([c, py, inputs / "none.log"], shipped().programs) == (8, 12)
    py.write_text("(12x9 pixels)\n")
    with pytest.raises(HarnessError, match="different sizes") as caught:
        shape_in_logs([c, py], shipped().programs)
    assert caught.value.code == Exit.SHAPE_MISMATCH


def test_the_page_of_two_logs_shows_their_images(trace_diff: Cli, inputs: Path) -> None:
    words = ["c.log", "py.log", "--c-image", "c.bin", "--py-image", "py.bin"]
    done = trace_diff("compare", *words, "--format", "html:page.html", "--format", "json:result.json")
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert done.stdout.startswith("DIVERGENCE  compare: F_cell of PY is wrong in print only")
    result = json.loads((inputs / "result.json").read_text())
    assert result["images"]["max_abs_at"] == [3, 4]
    assert result["images"]["pixels_beyond"] == 1
    page = (inputs / "page.html").read_text()
    assert len(re.findall(r'<image class="log" href="data:image/png;base64,[A-Za-z0-9+/=]{60,}"', page)) >= 3
    assert 'aria-label="C, 8 rows of 12 pixels"' in page
    assert "largest difference (slow 3, fast 4)" in page
    assert 'href="result.json"' not in page  # there is nothing else in the folder
    again = re.sub("</?span>", "", page.partition('id="reproduce"')[2])
    assert f"trace-diff compare {' '.join(words)} --format html:page.html" in again


def test_a_traced_pixel_on_the_images_is_marked(trace_diff: Cli, inputs: Path) -> None:
    for log in ("c.log", "py.log"):
        text = (inputs / log).read_text()
        (inputs / log).write_text(text.replace("spixel=685 fpixel=1039", "spixel=5 fpixel=6"))
    words = ["c.log", "py.log", "--c-image", "c.bin", "--py-image", "py.bin"]
    done = trace_diff("compare", *words, "--format", "html")
    assert "traced pixel (slow 5, fast 6)" in done.stdout


CASE = """
id = "picks"
title = "a small triclinic crystal"
argv = "-cell 70 80 90 85 95 105 -lambda 1 -N 5 -distance 100 -detpixels 32 -pixel 1 -default_F 100 -oversample 1"
pixels = [[8, 8]]
"""


def test_picked_pixels_of_every_kind_say_why(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(CASE)
    kinds = "worst:2,brightest:1,edge:2,weak:2,random:3@7"
    # In float32, so that the images differ: two that agree to the bit have no worst pixel.
    done = trace_diff("run", "my.toml", "--no-preflight", "--dtype", "float32", "--pixels", kinds, "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    bundle = tmp_path / done.stderr.rpartition("bundle: ")[2].strip()
    case = json.loads((bundle / "result.json").read_text())["case"]
    page, summary = (bundle / "report.html").read_text(), (bundle / "summary.md").read_text()
    assert len(case["picked"]) == len(case["places"]) >= 6
    for why in ("worst 1", "brightest 1", "weakest 1", "on the border of what was rendered", "random, seed 7"):
        assert any(why in said for said in case["picked"]), why
        for text in (done.stdout, page, summary):
            assert why in text, why
    assert f"traced pixel {case['picked'][0]}" in done.stdout


def test_a_case_that_names_its_pixels_keeps_them(trace_diff: Cli, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(CASE)
    done = trace_diff("run", "my.toml", "--no-preflight", "--no-images", "--format", "json")
    case = json.loads(done.stdout)["case"]
    assert (case["places"], case["picked"]) == ([[8, 8]], [])


@pytest.mark.parametrize("form", ["text", "json", "html", "markdown", "junit", "github", "sarif"])
def test_two_black_images_are_warned_of_in_every_form(trace_diff: Cli, tmp_path: Path, form: str) -> None:
    (tmp_path / "c.log").write_text("TRACE_C: F_latt 1\n")
    (tmp_path / "py.log").write_text("TRACE_PY: F_latt 1\n")
    for name in ("c.bin", "py.bin"):
        np.zeros((4, 4), "<f4").tofile(tmp_path / name)
    words = ["c.log", "py.log", "--c-image", "c.bin", "--py-image", "py.bin", "--shape", "4,4"]
    done = trace_diff("compare", *words, "--format", f"{form}:out")
    assert done.returncode == 0
    assert "both images are zero everywhere" in (tmp_path / "out").read_text()
