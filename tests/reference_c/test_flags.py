"""Flags that no golden case uses, spellings, and the agreement of parser, --help and docs/flags.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.golden import ROOT, golden_cases
from tests.reference_c.conftest import Program

BASE = (
    "-cell 70 80 90 85 95 105 -default_F 50 -N 4 -oversample 1 -detpixels 24 -pixel 0.8 -distance 100 "
    "-nopgm -nonoise -noprogress -intfile /dev/null -dump /dev/null -fix all"
)
DOC = ROOT / "docs" / "flags.md"

# id: two command lines that must give the same image, to the last bit; None means no flag at all
SAME: dict[str, tuple[str, str | None]] = {
    "square_xtal": ("-gauss_xtal -square_xtal", None),
    "binary_spots": ("-binary_spots", "-tophat_spots"),
    "round_div": ("-square_div -round_div -divergence 2 -divsteps 4", "-divergence 2 -divsteps 4"),
    "wave": ("-wavelength 1.2", "-lambda 1.2"),
    "N": ("-N 5", "-Na 5 -Nb 5 -Nc 5"),
    "xtal_size": ("-xtal_size 0.00006", "-xtalsize 0.00006"),
    "samplesize": ("-samplesize 0.00006", "-xtalsize 0.00006"),
    "sample_size": ("-sample_size 0.00006", "-sample_x 0.00006 -sample_y 0.00006 -sample_z 0.00006"),
    "xtal_x": ("-xtal_x 0.00006", "-sample_x 0.00006"),
    "sample_thickness": ("-sample_thickness 0.00006", "-xtal_thick 0.00006"),
    "width": ("-width 0.00006", "-sample_width 0.00006"),
    "xtal_y": ("-xtal_y 0.00006", "-xtal_width 0.00006"),
    "height": ("-height 0.00006", "-sample_height 0.00006"),
    "xtal_z": ("-xtal_z 0.00006", "-xtal_height 0.00006"),
    "mosaic_spread": ("-mosaic_spread 1 -mosaic_domains 3", "-mosaicity 1 -mosaic_dom 3"),
    "vdivstep": ("-vdivrange 2 -vdivstep 0.7", "-vdivrange 2 -vdivstep 0.7 -vdivsteps 3"),
    "detsize_f": ("-detpixels 0 -detsize_f 19.2 -detsize_s 19.2", None),
    "detsize_s": ("-detpixels 0 -detsize_s 19.2 -detsize 19.2", None),
    "detpixels_f": ("-detpixels_f 20 -detpixels_s 18", "-detpixels_x 20 -detpixels_y 18"),
    "thicksteps": ("-detector_thick 300 -thicksteps 3", "-detector_thick 300 -detector_thicksteps 3"),
    "detector_abs_inf": ("-detector_thick 300 -detector_abs inf", None),
    "detector_abs_0": ("-detector_thick 300 -detector_absorption 0", None),
    "polar_clears_nopolar": ("-nopolar -polar 0.5", "-polar 0.5"),
    "unused": ("-stol a -4stol b -Q c -stolout d -density 1 -sample_density 1 -MW 1 -molecular_weight 1", None),
    "coherent": ("-coherent -coherent", None),
    "misset_zero": ("-misset 0 0 0", None),
    "fix_none": ("-fix none -threads 1", None),
    "progress": ("-progress -noprogress", None),
    "threads": ("-threads 2", "-threads 1"),
    "close_then_mosflm": ("-Xclose 3 -Yclose 4 -pivot sample", None),
}
UNCHANGED = {name for name, (_, other) in SAME.items() if other is None}


def help_rows(program: Program, cwd: Path) -> list[tuple[list[str], str, str, str]]:
    """(names, values, unit, effect) of every flag in --help."""
    text = program.run(["--help"], cwd).stdout
    rows = re.findall(r"^  (-\S.*)\n      (\S.*)$", text, re.M)
    out = []
    for head, effect in rows:
        match = re.fullmatch(r"((?:-\S+ ?)+)(.*?)(?: ?\[([^\]]+)\])?", head)
        assert match
        values, unit = match[2].strip(), match[3] or ""
        if unit in {"x", "b c al be ga"}:  # an optional value, not a unit
            values, unit = f"{values} [{unit}]".strip(), ""
        if values.startswith("a [b c al be ga]"):
            values = "a [b c al be ga]"
        out.append((match[1].split(), values, unit, effect))
    return out


def doc_rows() -> list[list[str]]:
    rows = [
        line.strip().strip("|").split(" | ")
        for line in DOC.read_text().partition("## Flags of the simulator alone")[0].splitlines()
        if line.startswith("| `")
    ]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]


@pytest.mark.parametrize("name", SAME)
def test_same_image(name: str, plain: Program, tmp_path: Path) -> None:
    one, other = SAME[name]
    images = []
    for number, words in enumerate((one, other or "")):
        target = tmp_path / f"{number}.bin"
        done = plain.run([*BASE.split(), *words.split(), "-floatfile", str(target)], tmp_path)
        assert done.returncode == 0, done.stderr
        images.append(target.read_bytes())
    assert images[0] == images[1]
    if name not in UNCHANGED | {"threads"}:
        base = tmp_path / "base.bin"
        assert plain.run([*BASE.split(), "-floatfile", str(base)], tmp_path).returncode == 0
        assert images[0] != base.read_bytes(), "neither flag has an effect: this test would prove nothing"


def test_output_names_and_switches(plain: Program, tmp_path: Path) -> None:
    args = "-cell 70 80 90 85 95 105 -default_F 50 -N 4 -oversample 1 -detpixels 8 -seed 3 -noprogress".split()
    assert plain.run(args, tmp_path).returncode == 0
    default = ["floatimage.bin", "image.pgm", "intimage.img", "noiseimage.img"]
    assert sorted(p.name for p in tmp_path.iterdir()) == default
    names = "-floatimage f -intimage i -pgmimage p -noiseimage n".split()
    assert plain.run([*args, *names], tmp_path).returncode == 0
    for short, long in zip("fpin", default, strict=True):
        assert (tmp_path / short).read_bytes() == (tmp_path / long).read_bytes()
    for path in tmp_path.iterdir():
        path.unlink()
    assert plain.run([*args, "-nopgm", "-nonoise"], tmp_path).returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["floatimage.bin", "intimage.img"]


def test_printout(plain: Program, tmp_path: Path) -> None:
    everything = plain.run([*BASE.split(), "-floatfile", "f", "-printout"], tmp_path).stdout
    assert len(re.findall(r"^pixel \d+ \d+ = \S+$", everything, re.M)) == 24 * 24
    one = plain.run([*BASE.split(), "-floatfile", "f", "-printout_pixel", "3", "5"], tmp_path).stdout
    shown = re.findall(r"^pixel .*$", one, re.M)
    assert len(shown) == 1
    assert shown[0].startswith("pixel 3 5 = ")
    assert shown[0] in everything


def test_version_and_help(plain: Program, tmp_path: Path) -> None:
    for words in (["-version"], ["--version"], ["-h"], ["--help"], ["-cell", "-h"]):
        done = plain.run(words, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("nanoBragg")


def test_show_config_prints_and_stops(plain: Program, tmp_path: Path) -> None:
    words = "-cell 70 80 90 85 95 105 -default_F 50 -detpixels 8 -distance 90 -show_config -floatfile f".split()
    done = plain.run(words, tmp_path)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])
    config = json.loads(done.stdout)
    assert (config["distance_mm"], config["convention"], config["hkl_range"]) == (90, "MOSFLM", None)
    assert config["roi"] == [0, 7, 0, 7]
    assert plain.run(["-show_config", "-N", "5"], tmp_path).returncode == 2


def test_every_spelling_is_known(plain: Program, tmp_path: Path) -> None:
    for names, values, _, _ in help_rows(plain, tmp_path):
        for name in names:
            done = plain.run([name.rstrip("*")], tmp_path)
            assert "unknown" not in done.stderr, name
            if name.endswith("*"):
                assert "unknown" not in plain.run([name[:-1] + "xyz"], tmp_path).stderr, name
            elif values:
                assert "unknown flag" in plain.run([name + "xyz"], tmp_path).stderr or name == "-mosaic"


def test_documentation_agrees_with_help(plain: Program, tmp_path: Path) -> None:
    shown = [[" ".join(names), values, unit, effect] for names, values, unit, effect in help_rows(plain, tmp_path)]
    documented = [[flag.strip("`"), value.strip("`"), unit, effect] for flag, value, unit, effect, _ in doc_rows()]
    assert documented == shown


def test_documentation_names_a_test_for_every_flag() -> None:
    cases = golden_cases()
    here = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for flag, _, _, _, covered in doc_rows():
        assert covered, flag
        names = flag.strip("`").split()
        for entry in covered.split(", "):
            kind, _, what = entry.strip("`").partition(":")
            if kind == "same":
                used = " ".join(filter(None, SAME[what])).split()
                assert any(u == n or (n.endswith("*") and u.startswith(n[:-1])) for n in names for u in used), entry
            elif kind == "test":
                assert f"def {what}(" in here, entry
            elif cases:
                args = cases[kind].args
                assert any(a == n or (n.endswith("*") and a.startswith(n[:-1])) for n in names for a in args), entry
