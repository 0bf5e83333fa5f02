"""Experiments from TOML: the same as from the command line, and errors that say where and what."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nanobragg_torch import ExperimentError, from_argv, from_toml, render
from nanobragg_torch.io import smv
from nanobragg_torch.io.experiment_toml import SECTIONS
from nanobragg_torch.io.hkl import write_hkl
from nanobragg_torch.settings import Reflections

from tests.golden import ROOT
from tests.simulator.crystals import asymmetric_unit, structure, structure_factors, write_mtz
from tests.simulator.small import reflections

BASE = "-cell 70 80 90 85 95 105 -hkl list.hkl -Na 5 -Nb 6 -Nc 7 -detpixels_f 11 -detpixels_s 9 -pixel 2 -oversample 1"
CRYSTAL = '[crystal]\ncell = [70, 80, 90, 85, 95, 105]\nNa = 5\nNb = 6\nNc = 7\nreflections = "list.hkl"\n'
DETECTOR = "[detector]\ndetpixels_f = 11\ndetpixels_s = 9\npixel_mm = 2\noversample = 1\n"
CASES: dict[str, tuple[str, str]] = {
    "plain": (BASE, CRYSTAL + DETECTOR),
    "tilted": (
        f"{BASE} -xds -detector_rotx 3 -detector_roty -4.5 -twotheta 8 -distance 90 -detector_thick 300 -thicksteps 3"
        " -curved_det -point_pixel -pivot sample -oversample_omega -nointerpolate -default_F 2.5 -dtype float32",
        'dtype = "float32"\n'
        + CRYSTAL
        + "interpolate = false\ndefault_F = 2.5\n"
        + DETECTOR
        + 'convention = "XDS"\npivot = "sample"\nrotx_deg = 3\nroty_deg = -4.5\ntwotheta_deg = 8.0\ndistance_mm = 90\n'
        + "thickness_um = 300.0\nthick_steps = 3\ncurved = true\npoint_pixel = true\noversample_omega = true\n",
    ),
    "custom": (
        f"{BASE} -fdet_vector 0 0 1 -sdet_vector 0 -1 0 -odet_vector 1 0.1 0 -spindle_axis 0 1 0 -misset 10 20 30"
        " -phi 1 -osc 2 -phisteps 3 -mosaic 0.3 -mosaic_domains 3 -mosaic_seed 7 -gauss_xtal -fudge 1.2 -roi 1 9 0 6",
        CRYSTAL
        + 'misset_deg = [10, 20, 30]\nmosaic_spread_deg = 0.3\nmosaic_domains = 3\nmosaic_seed = -7\nshape = "gauss"\n'
        + "fudge = 1.2\n"
        + DETECTOR
        + 'convention = "CUSTOM"\nfdet_vector = [0, 0, 1]\nsdet_vector = [0, -1, 0]\nodet_vector = [1, 0.1, 0]\n'
        + "spindle_axis = [0, 1, 0]\n[scan]\nphi_start_deg = 1\nosc_deg = 2\nphisteps = 3\n"
        + "[model]\nroi = [1, 9, 0, 6]\n",
    ),
    "beams": (
        f"{BASE} -lambda 1.3 -polar 0.7 -hdivrange 2 -hdivsteps 2 -dispersion 1 -dispsteps 2 -square_div -water 3"
        " -dmin 5 -fluence 1e24",
        CRYSTAL
        + DETECTOR
        + "[beam]\nwavelength_A = 1.3\nkahn_factor = 0.7\nhdiv_range_rad = 2e-3\nhdiv_steps = 2\n"
        + "dispersion_fraction = 0.01\ndispersion_steps = 2\nround_divergence = false\nfluence_per_m2 = 1e24\n"
        + "[model]\nwater_um = 3\ndmin_A = 5\n",
    ),
    "files": (
        "-mat a.mat -hkl list.hkl -N 5 -sourcefile sources -mask mask.img -oversample 1 -distance 100",
        '[beam]\nsource_rows = "sources"\n'
        + DETECTOR
        + '[crystal]\nmatrix_per_A = "a.mat"\nreflections = "list.hkl"\nNa = 5\nNb = 5\nNc = 5\n'
        + '[model]\nmask = "mask.img"\n',
    ),
    "numbers": (
        "-mat a.mat -hkl list.hkl -N 5 -sourcefile sources -mask mask.img -oversample 1 -distance 100",
        "[beam]\nsource_rows = [[-10, 0, 0], [-10, 0.1, 0, 1, 1.1e-10]]\n"
        + DETECTOR
        + '[crystal]\nmatrix_per_A = [[0.01, 0, 0], [0, 0.011, 0], [0, 0.001, 0.012]]\nreflections = "list.hkl"\n'
        + 'Na = 5\nNb = 5\nNc = 5\n[model]\nmask = "mask.img"\n',
    ),
    "mtz": (
        "-hkl a.mtz -hkl_column I -N 5 -detpixels_f 11 -detpixels_s 9 -pixel 2 -oversample 1",
        DETECTOR + '[crystal]\nreflections = {file = "a.mtz", column = "I"}\nNa = 5\nNb = 5\nNc = 5\n',
    ),
    "pdb": (
        "-hkl a.pdb -N 5 -detpixels_f 11 -detpixels_s 9 -pixel 4 -oversample 1 -distance 40",
        DETECTOR.replace("pixel_mm = 2", "pixel_mm = 4\ndistance_mm = 40")
        + '[crystal]\nreflections = "a.pdb"\nNa = 5\nNb = 5\nNc = 5\n',
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "beside"
    path.mkdir()
    write_hkl(path / "list.hkl", reflections())
    (path / "a.mat").write_text("0.01 0 0 0 0.011 0 0 0.001 0.012")
    (path / "sources").write_text("-10 0 0\n-10 0.1 0 1 1.1e-10\n")
    mask = np.ones((9, 11), dtype=np.uint16)
    mask[2:4, 3:5] = 0
    header = smv.header_text({"SIZE1": "11", "SIZE2": "9", "PIXEL_SIZE": 2.0})
    smv.write_smv(path / "mask.img", header, mask, "-mask")
    hkl = asymmetric_unit("P 21 21 21", 1.8)
    F = structure_factors(hkl, "P 21 21 21")
    write_mtz(path / "a.mtz", "P 21 21 21", hkl, {("FP", "F"): F, ("I", "J"): 2 * F * F})
    structure("P 21 21 21").write_pdb(str(path / "a.pdb"))
    return path


def plain(value: Any) -> Any:
    """Comparable with ==: arrays as bytes; the seed that means "not given" left out."""
    if isinstance(value, Reflections):
        return value.lowest, np.asarray(value.F).tobytes()
    return value.tobytes() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("case", CASES)
def test_toml_is_the_command_line(case: str, folder: Path) -> None:
    words, text = CASES[case]
    (folder / "e.toml").write_text(text)
    of_toml = from_toml(folder / "e.toml")
    of_argv = from_argv(words.split(), folder)
    for section in SECTIONS:
        ours, theirs = (getattr(e, section) for e in (of_toml, of_argv))
        for field in dataclasses.fields(ours):
            if field.name != "misset_seed":  # the time of day on the command line
                got, wanted = plain(getattr(ours, field.name)), plain(getattr(theirs, field.name))
                assert got == wanted, field.name
                assert type(got) is type(wanted), field.name
    assert of_toml.dtype == of_argv.dtype
    image = render(of_toml)
    assert torch.equal(image, render(of_argv))
    assert image.std() > 0


def test_every_field_can_stand_in_a_file(folder: Path) -> None:
    """Each field of each settings class takes a value of its own kind, so that none is forgotten."""
    values = {
        "Number": "1.5", "float": "1.5", "int": "2", "bool": "true", "Vector": "[1.0, 0.5, 0.25]",
        "tuple[int, int, int, int]": "[0, 1, 0, 1]",
    }  # fmt: skip
    special = {
        "cell": "[70, 80, 90, 90, 90, 90]",
        "matrix_per_A": '"a.mat"',
        "source_rows": '"sources"',
        "mask": '"mask.img"',
        "reflections": '"list.hkl"',
        "convention": '"CUSTOM"',
        "pivot": '"beam"',
        "shape": '"round"',
    }
    for section, part in SECTIONS.items():
        lines = [
            f"{f.name} = {special.get(f.name) or values[str(f.type).removesuffix(' | None')]}"
            for f in dataclasses.fields(part)
        ]
        rest = "" if section == "crystal" else CRYSTAL
        (folder / "e.toml").write_text(f"[{section}]\n" + "\n".join(lines) + "\n" + rest)
        made = getattr(from_toml(folder / "e.toml"), section)
        default = part(cell=(1, 1, 1, 90, 90, 90)) if section == "crystal" else part()  # type: ignore[call-arg]
        same = {
            f.name for f in dataclasses.fields(part) if plain(getattr(made, f.name)) == plain(getattr(default, f.name))
        }
        assert same <= {"pivot", "round_divergence", "polarized"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[detector]\ndistance = 100", r"\[detector\] .* key distance; the nearest .* distance_mm in \[detector\]"),
        ("[detector]\ndistance_m = 100", "nearest known one is distance_mm"),
        ("[beam]\nlambda = 1", r"nearest known one is wavelength_A in \[beam\]"),
        ("[beam]\nphisteps = 3", r"\[beam\] .* key phisteps, which belongs in \[scan\]"),
        ("[beams]\nwavelength_A = 1", "unknown table or key beams; the nearest known one is beam; the tables are beam"),
        ("wavelength_A = 1", r"unknown table or key wavelength_A, which belongs in \[beam\]"),
        ("beam = 3", r"beam is 3, expected a table \[beam\]"),
        ("[detector]\ndistance_mm = 'far'", r"\[detector\] distance_mm is 'far', expected a finite number, mm"),
        ("[detector]\ndistance_mm = true", "distance_mm is True, expected a finite number, mm"),
        ("[detector]\ndistance_mm = nan", "distance_mm is nan, expected a finite number, mm"),
        ("[detector]\ndistance_mm = -3", r"\[detector\] distance_mm is -3.0, expected a number above 0"),
        ("[detector]\noversample = 1.5", "oversample is 1.5, expected a whole number"),
        ("[detector]\ncurved = 1", "curved is 1, expected true or false"),
        ("[detector]\nconvention = 'MOS'", r"\[detector\] convention is 'MOS', expected one of MOSFLM"),
        ("[detector]\nfdet_vector = [0, 0, 1]", 'fdet_vector has no effect in MOSFLM, expected convention = "CUSTOM"'),
        ("[detector]\npivot = 'sample'", "MOSFLM turns about the beam"),
        ("[detector]\nconvention = 'CUSTOM'\nspindle_axis = [0, 0, 0]", "spindle_axis is the zero vector"),
        ("[beam]\nfluence_per_m2 = []", r"fluence_per_m2 is \[\], expected a finite number, photons/m\^2"),
        ("[beam]\nsource_rows = []", "expected rows X Y Z weight lambda"),
        ("[beam]\nsource_rows = [[0, 0, 0]]", "row 1 puts a source at the sample"),
        ("[beam]\nsource_rows = 'none'", r"\[beam\] source_rows: cannot read .*none"),
        ("[model]\nroi = [1, 2, 3]", r"roi is \[1, 2, 3\], expected 4 whole numbers: xmin xmax ymin ymax in pixels"),
        ("[model]\nroi = [1, 2, 3, 4.5]", "expected 4 whole numbers"),
        ("[model]\nmask = 3", "mask is 3, expected a file name"),
        ("dtype = 'float16'", "dtype is 'float16', expected one of float64, float32"),
        ("[beam", "is not TOML"),
    ],
)
def test_errors_name_the_place(text: str, says: str, folder: Path) -> None:
    (folder / "e.toml").write_text(f"{text}\n" + ("" if text == "[beam" else CRYSTAL))
    with pytest.raises(ExperimentError, match=says) as caught:
        from_toml(folder / "e.toml")
    assert "e.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"\[crystal\] the crystal has neither a cell"),
        ("cell = [70, 80, 90]", r"cell is \[70, 80, 90\], expected 6 numbers: a b c in A, alpha beta gamma in deg"),
        ("cell = [70, 80, 90, 60, 60, 150]", r"\[crystal\] cell is .* no cell has the angles 60 60 150"),
        ("cell = [70, 80, 90, 60, 60, 180]", "angles between 0 and 180"),
        ("cell = [70, 80, 90, 90, 90, 90]", "nothing scatters"),
        ("cell = [70, 80, 90, 90, 90, 90]\nreflections = 'none.hkl'", r"\[crystal\] reflections: cannot read .*none"),
        ("cell = [70, 80, 90, 90, 90, 90]\nreflections = 3", "reflections is 3, expected a file name or a table"),
        ("reflections = {file = 'a.mtz', colum = 'F'}", "unknown key colum; it takes file, column"),
        ("reflections = {file = 'a.mtz', column = 3}", "column is 3, expected a word"),
        ("reflections = {file = 'a.mtz', column = 'X'}", "has no column X"),
        ("reflections = {file = 'a.pdb', d_min_A = 0}", r"d_min_A is 0.0, expected a number above 0, A"),
        ("reflections = {file = 'list.hkl', column = 'F'}", "is a text list"),
        ("matrix_per_A = 'none'", "matrix_per_A: cannot read"),
        ("matrix_per_A = [1, 2]", "expected 9 numbers, times the wavelength, 1/A"),
    ],
)
def test_errors_of_the_crystal(text: str, says: str, folder: Path) -> None:
    (folder / "e.toml").write_text(f"[crystal]\n{text}\n")
    with pytest.raises(ExperimentError, match=says):
        from_toml(folder / "e.toml")


def test_the_example_of_the_docs(folder: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / "files.md").read_text(), re.MULTILINE | re.DOTALL)
    (folder / "e.toml").write_text(text)
    for name, file in (("P1.hkl", "list.hkl"), ("sources.txt", "sources")):
        (folder / name).write_bytes((folder / file).read_bytes())
    mask = np.ones((24, 32), dtype=np.uint16)
    smv.write_smv(folder / "mask.img", smv.header_text({"SIZE1": "32", "SIZE2": "24"}), mask, "-mask")
    experiment = from_toml(folder / "e.toml")
    assert (experiment.detector.pixel_mm, experiment.scan.phisteps, experiment.crystal.Na) == (0.5, 2, 5)
    assert render(experiment, torch.tensor([[3, 4]])).item() > 0


def test_the_file_itself(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"cannot read .*none\.toml"):
        from_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ExperimentError, match=r"bad\.toml is not TOML"):
        from_toml(tmp_path / "bad.toml")
