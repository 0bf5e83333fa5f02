"""`-show_config`: both programs make the same of a command line, setting by setting."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from nanobragg_torch import from_argv
from nanobragg_torch.config import resolved, to_json
from trace_parity.run.preflight import differing_settings

from tests.golden import committed_cases, golden_cases
from tests.test_differential import draw

BINARY_INPUT = {"-mask", "-img"}
LINES = {
    f"golden:{case.id}": case.args
    for case in {**golden_cases(), **committed_cases()}.values()
    if not BINARY_INPUT & set(case.args)
}
LINES |= {f"drawn:{seed}": tuple(draw(seed)) for seed in range(300, 340)}
BASE = "-cell 70 80 90 85 95 105 -default_F 10 -N 5 -detpixels 16 -pixel 1 -oversample 1".split()


def of_c(words: list[str], folder: Path, build: Path) -> dict[str, Any]:
    command = [str(build / "nanoBragg"), "-show_config", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] = json.loads(done.stdout)
    return config


def of_py(words: list[str], folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(to_json(resolved(from_argv(words, folder=folder))))
    return config


def test_there_are_command_lines() -> None:
    assert len(LINES) > 50


@pytest.mark.parametrize("name", LINES)
def test_both_programs_resolve_the_same_settings(name: str, golden_folder: Path, c_build: Path) -> None:
    words = list(LINES[name])
    c, py = of_c(words, golden_folder, c_build), of_py(words, golden_folder)
    assert list(c) == list(py)
    for key, value in c.items():
        assert same(value, py[key]), f"{key}: C {value}, PY {py[key]}"
    assert differing_settings(c, py) == ()


def same(c: Any, py: Any) -> bool:
    """Equal to 1e-12 of the largest number of the setting; what is not a number is equal."""
    if isinstance(c, list) and isinstance(py, list):
        scale = max(abs(x) for x in [*c, *py])
        return len(c) == len(py) and all(abs(x - y) <= 1e-12 * scale for x, y in zip(c, py, strict=True))
    if isinstance(c, bool | str | None):
        return c is py or c == py
    return abs(c - py) <= 1e-12 * max(abs(c), abs(py))


def test_units_stand_in_the_names(golden_folder: Path) -> None:
    config = of_py([*BASE, "-distance", "120", "-lambda", "1.5", "-phi", "10", "-osc", "2"], golden_folder)
    assert len(config) > 60
    assert (config["distance_mm"], config["lambda_A"], config["phi0_deg"]) == pytest.approx((120, 1.5, 10))
    assert config["osc_deg"] == pytest.approx(2)
    assert config["roi"] == [0, 15, 0, 15]
    assert config["hkl_range"] is None


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ("-spindle_axis 0 1 0", "convention", "CUSTOM"),
        ("-pix0_vector 1 2 3", "convention", "CUSTOM"),
        ("-twotheta_axis 1 0 0", "twotheta_deg", 1),
        ("-xds -pivot beam", "pivot", "sample"),
        ("-misset_seed 5 6 -phi 7", "misset_deg", [5, 6, 0]),
        ("-nopolar -polar 0.5", "nopolar", False),
        ("-mosaic 1", "mosaic_domains", 10),
        ("-roi 3 99 -2 4", "roi", [3, 15, 0, 4]),
        ("-detector_thick 100 -detector_abs inf", "thick_um", 0),
        ("-phisteps 3", "osc_deg", 1),
    ],
)
def test_quirks_and_precedence_are_worked_out(
    words: str, key: str, value: object, tmp_path: Path, c_build: Path
) -> None:
    given = [*BASE, *words.split()]
    for config in (of_c([*given, "--lenient"], tmp_path, c_build), of_py([*given, "--lenient"], tmp_path)):
        assert config[key] == (pytest.approx(value) if not isinstance(value, str | bool) else value)


def test_dtype_is_no_setting(golden_folder: Path) -> None:
    words = [*BASE, "-detector_rotx", "3"]
    single = from_argv([*words, "-dtype", "float32"], folder=golden_folder)
    assert single.dtype == torch.float32
    assert resolved(single) == resolved(from_argv(words, folder=golden_folder))


def test_the_port_prints_and_stops(golden_folder: Path, tmp_path: Path) -> None:
    words = [*BASE, "-hkl", str(golden_folder / "small.hkl"), "-trace_pixel", "1", "1", "-trace_file", "t.log"]
    command = [sys.executable, "-m", "nanobragg_torch", *words, "-show_config", "-floatfile", "f.bin"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])
    assert json.loads(done.stdout)["convention"] == "MOSFLM"


def test_a_number_that_json_lacks_is_a_word() -> None:
    assert json.loads(to_json({"x": float("inf"), "y": [1.0, float("nan")]})) == {"x": "inf", "y": [1.0, "nan"]}
