"""Command lines and files that must be refused: one clear line on stderr, exit code 2, nothing written."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.reference_c.conftest import Program

CELL = "-cell 70 80 90 85 95 105"
GOOD = f"{CELL} -default_F 10 -N 3 -detpixels 8 -oversample 1"
HEADER = b"{\nHEADER_BYTES=512;\nSIZE1=8;\nSIZE2=8;\nPIXEL_SIZE=0.1;\n}\f"

FILES: dict[str, bytes] = {
    "empty": b"",
    "words.hkl": b"h k l F\n1 2 3 4\n",
    "short.hkl": b"1 2 3\n",
    "huge_range.hkl": b"0 0 0 1\n1000000000 0 0 1\n0 1000000000 1000000000 1\n",
    "overflow.hkl": b"0 0 0 1\n1e300 0 0 1\n",
    "eight.mat": b"1 2 3\n4 5 6\n7 8\n",
    "words.mat": b"1 2 3\n4 five 6\n7 8 9\n",
    "flat.mat": b"1 2 3\n2 4 6\n3 6 9\n",
    "words.src": b"-10 0 0 1 1e-10\n-10 0 zero\n",
    "origin.src": b"0 0 0 1 1e-10\n",
    "dark.src": b"-10 0 0 1 0\n",
    "long.src": b"-10 0 0 1 1e-10 7\n",
    "blank.src": b"\n\n",
    "no_header.img": b"GIF89a" + bytes(600),
    "cut_header.img": HEADER,
    "cut_pixels.img": HEADER.ljust(512) + bytes(10),
    "zero_size.img": HEADER.replace(b"SIZE1=8", b"SIZE1=0").ljust(512) + bytes(128),
    "negative_pixel.img": HEADER.replace(b"0.1", b"-.1").ljust(512) + bytes(128),
    "good.mask": HEADER.ljust(512) + bytes(64) + bytes(range(64)),
    "words.dump": b"one two\n\f",
    "reversed.dump": b"1 0 0 1 0 1\n\f" + bytes(1000),
    "huge.dump": b"0 1000000 0 1000000 0 1000000\n\f",
    "cut.dump": b"0 1 0 1 0 1\n\f" + struct.pack("5d", 1, 2, 3, 4, 5),
}

# id: (command line, pieces of the message)
REFUSED: dict[str, tuple[str, list[str]]] = {
    "nothing": ("", ["no unit cell", "-mat", "-cell"]),
    "no_structure_factors": (CELL, ["no structure factors", "-hkl", "-default_F"]),
    "unknown_flag": (f"{GOOD} -phisteps 3 -lamda 1.2", ["-lamda", "-lambda"]),
    "unknown_case": (f"{GOOD} -xbeam 3", ["-xbeam", "-Xbeam"]),
    "substring_of_flag": (f"{GOOD} -oversampl 3", ["-oversampl", "-oversample"]),
    "longer_than_flag": (f"{GOOD} -distances 3", ["-distances", "-distance"]),
    "stray_word": (f"{GOOD} surprise", ["'surprise'", "flag"]),
    "fifth_cell_word": ("-cell 70 80 90 85 nn 105 -default_F 1", ["-cell", "a number", "'nn'"]),
    "cell_without_value": ("-default_F 1 -cell", ["-cell", "end of the command line"]),
    "cell_zero": ("-cell 0 -default_F 1", ["-cell", "positive length"]),
    "cell_angle": ("-cell 70 80 90 85 95 180 -default_F 1", ["-cell", "between 0 and 180"]),
    "cell_impossible": ("-cell 70 80 90 30 30 120 -default_F 1", ["-cell", "volume"]),
    "missing_value": (f"{GOOD} -distance", ["-distance", "a number (mm)", "end of the command line"]),
    "flag_for_value": (f"{GOOD} -phi -osc 1", ["-phi", "a number (deg)", "'-osc'"]),
    "word_for_number": (f"{GOOD} -lambda one", ["-lambda", "a number (A)", "'one'"]),
    "trailing_letters": (f"{GOOD} -lambda 1.0A", ["-lambda", "'1.0A'"]),
    "empty_number": (f"{GOOD} -lambda ''", ["-lambda", "''"]),
    "nan": (f"{GOOD} -distance nan", ["-distance", "'nan'"]),
    "infinite": (f"{GOOD} -distance inf", ["-distance", "'inf'"]),
    "word_for_count": (f"{GOOD} -phisteps 2x", ["-phisteps", "whole number", "'2x'"]),
    "count_overflow": (f"{GOOD} -phisteps 99999999999", ["-phisteps", "whole number"]),
    "too_many_phis": (f"{GOOD} -osc 1 -phisteps 2000000000", ["-phisteps", "at most"]),
    "too_many_domains": (f"{GOOD} -mosaic 1 -mosaic_domains 2000000000", ["-mosaic_domains", "at most"]),
    "too_many_sources": (f"{GOOD} -divergence 1 -divsteps 30000", ["-divsteps", "at most"]),
    "short_vector": (f"{GOOD} -beam_vector 1 0", ["-beam_vector", "end of the command line"]),
    "zero_vector": (f"{GOOD} -beam_vector 0 0 0", ["-beam_vector", "direction"]),
    "short_misset": (f"{GOOD} -misset 10 20 -phi 3", ["-misset", "a number (deg)", "'-phi'"]),
    "seed_word": (f"{GOOD} -seed lucky", ["-seed", "'lucky'"]),
    "seed_modulus": (f"{GOOD} -seed 2147483647", ["-seed", "below 2147483647"]),
    "pivot_word": (f"{GOOD} -pivot detector", ["-pivot", "sample or beam", "'detector'"]),
    "roi_short": (f"{GOOD} -roi 1 2 3", ["-roi", "end of the command line"]),
    "roi_reversed_x": (f"{GOOD} -roi 5 1 0 3", ["-roi", "reversed", "xmin <= xmax"]),
    "roi_reversed_y": (f"{GOOD} -roi 0 3 5 1", ["-roi", "reversed", "ymin <= ymax"]),
    "roi_outside": (f"{GOOD} -roi 100 200 0 3", ["-roi", "8 x 8"]),
    "zero_lambda": (f"{GOOD} -lambda 0", ["-lambda", "positive"]),
    "zero_energy": (f"{GOOD} -energy 0", ["-energy", "positive"]),
    "negative_pixel": (f"{GOOD} -pixel -0.1", ["-pixel", "positive"]),
    "negative_distance": (f"{GOOD} -distance -100", ["-distance", "positive"]),
    "negative_detpixels": (f"{GOOD} -detpixels -5", ["-detpixels", "positive"]),
    "huge_detector": (f"{GOOD} -detpixels 20000", ["-detpixels", "20000 x 20000"]),
    "overflowing_detector": (f"{GOOD} -detpixels 2147483647", ["-detpixels", "detector of 1 to"]),
    "empty_detector": (f"{CELL} -default_F 1 -detsize 0.0001", ["-detsize", "0 x 0"]),
    "large_oversample": (f"{GOOD} -oversample 10001", ["-oversample", "up to"]),
    "wide_dispersion": (f"{GOOD} -dispersion 300 -dispsteps 3", ["-dispersion", "above 0"]),
    "negative_absorption": (f"{GOOD} -detector_abs -3", ["-detector_abs", "inf or 0"]),
    "negative_thickness": (f"{GOOD} -detector_thick -3", ["-detector_thick", "0 or more"]),
    "huge_crystal": (f"{GOOD} -xtalsize 1e12", ["-sample_x", "1e15"]),
    "fix_word": (f"{GOOD} -fix phi-carryover,everything", ["-fix", "interp-latch", "'everything'"]),
    "threads_zero": (f"{GOOD} -threads 0", ["-threads", "from 1"]),
    "trace_off_detector": (f"{GOOD} -trace_pixel 8 0", ["-trace_pixel", "slow 0..7", "8 0"]),
    "trace_negative": (f"{GOOD} -trace_pixel 0 -1", ["-trace_pixel", "0 -1"]),
    "trace_outside_roi": (f"{GOOD} -roi 0 3 0 3 -trace_pixel 5 5", ["-trace_pixel", "-roi"]),
    "trace_masked": (f"{CELL} -default_F 1 -mask good.mask -trace_pixel 0 0", ["-trace_pixel", "masked"]),
    "trace_unwritable": (f"{GOOD} -trace_pixel 0 0 -trace_file nowhere/t.log", ["-trace_file", "nowhere/t.log"]),
    "file_name_forgotten": (f"{CELL} -hkl -mat eight.mat", ["-hkl", "a file name", "'-mat'"]),
    "hkl_missing": (f"{CELL} -hkl absent.hkl", ["-hkl", "absent.hkl", "No such file"]),
    "hkl_directory": (f"{CELL} -hkl folder", ["-hkl", "folder", "directory"]),
    "hkl_empty": (f"{CELL} -hkl empty", ["-hkl", "empty", "h k l F"]),
    "hkl_words": (f"{CELL} -hkl words.hkl", ["-hkl", "words.hkl", "got 'h'"]),
    "hkl_short": (f"{CELL} -hkl short.hkl", ["-hkl", "short.hkl"]),
    "hkl_range": (f"{CELL} -hkl huge_range.hkl", ["huge_range.hkl", "too large"]),
    "hkl_overflow": (f"{CELL} -hkl overflow.hkl", ["overflow.hkl", "Miller"]),
    "mat_missing": ("-mat absent.mat -default_F 1", ["-mat", "absent.mat"]),
    "mat_short": ("-mat eight.mat -default_F 1", ["-mat", "eight.mat", "9 numbers", "got 8"]),
    "mat_words": ("-mat words.mat -default_F 1", ["-mat", "words.mat", "got 4", "'five'"]),
    "mat_flat": ("-mat flat.mat -default_F 1", ["-mat", "volume"]),
    "source_missing": (f"{GOOD} -sourcefile absent", ["-sourcefile", "absent"]),
    "source_words": (f"{GOOD} -sourcefile words.src", ["-sourcefile", "words.src", "line 2", "'zero'"]),
    "source_origin": (f"{GOOD} -sourcefile origin.src", ["-sourcefile", "line 1", "off the origin"]),
    "source_dark": (f"{GOOD} -sourcefile dark.src", ["-sourcefile", "positive wavelength"]),
    "source_columns": (f"{GOOD} -sourcefile long.src", ["-sourcefile", "at most 5"]),
    "source_blank": (f"{GOOD} -sourcefile blank.src", ["-sourcefile", "at least one"]),
    "img_missing": (f"{GOOD} -img absent.img", ["-img", "absent.img"]),
    "img_no_header": (f"{GOOD} -img no_header.img", ["-img", "HEADER_BYTES"]),
    "img_cut_header": (f"{GOOD} -img cut_header.img", ["-img", "too short", "512 bytes"]),
    "img_zero_size": (f"{GOOD} -img zero_size.img", ["-img", "SIZE1"]),
    "img_negative_pixel": (f"{GOOD} -img negative_pixel.img", ["-img", "PIXEL_SIZE"]),
    "img_forgotten": (f"{GOOD} -img", ["-img", "a file name"]),
    "mask_cut_pixels": (f"{GOOD} -mask cut_pixels.img", ["-mask", "too short", "128 bytes"]),
    "mask_other_size": (f"{GOOD} -mask good.mask -detpixels 9", ["-mask", "8 x 8", "9 x 9"]),
    "dump_words": (f"{CELL} -dump words.dump", ["words.dump", "h_min"]),
    "dump_reversed": (f"{CELL} -dump reversed.dump", ["reversed.dump", "min <= max"]),
    "dump_huge": (f"{CELL} -dump huge.dump", ["huge.dump", "too large"]),
    "dump_cut": (f"{CELL} -dump cut.dump", ["cut.dump", "too short", "216 bytes"]),
    "output_nowhere": (f"{GOOD} -floatfile nowhere/f.bin", ["-floatfile", "nowhere/f.bin"]),
    "second_output_nowhere": (f"{GOOD} -intfile nowhere/i.img", ["-intfile", "nowhere/i.img"]),
    "output_is_folder": (f"{GOOD} -pgmfile folder", ["-pgmfile", "folder"]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "floatimage.bin").write_bytes(b"an older result")
    return tmp_path


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def words(line: str) -> list[str]:
    return ["" if word == "''" else word for word in line.split()]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, sanitized: Program, folder: Path) -> None:
    line, pieces = REFUSED[name]
    before = snapshot(folder)
    done = sanitized.run(words(line), folder)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2, done.stderr
    assert last.startswith("nanoBragg: ")
    assert [piece for piece in pieces if piece not in last] == [], last
    assert len([text for text in done.stderr.splitlines() if not text.startswith("WARNING")]) == 1, done.stderr
    assert snapshot(folder) == before


def test_the_build_without_probes_refuses_to_trace(plain: Program, folder: Path) -> None:
    done = plain.run([*words(GOOD), "-trace_pixel", "1", "1"], folder)
    assert done.returncode == 2
    assert "nanoBragg-trace" in done.stderr


@pytest.mark.parametrize("flag", ["-floatfile", "-intfile", "-pgmfile", "-noisefile", "-trace_file"])
def test_a_full_disk_is_an_error(flag: str, traced: Program, folder: Path) -> None:
    done = traced.run([*words(GOOD), "-trace_pixel", "1", "1", "-floatfile", "f.bin", flag, "/dev/full"], folder)
    assert done.returncode == 2
    assert "/dev/full" in done.stderr


def test_lenient_accepts_and_reports(plain: Program, folder: Path) -> None:
    strict = [*words(GOOD), "-noprogress"]
    assert plain.run([*strict, "-floatfile", "a"], folder).returncode == 0
    done = plain.run([*strict, "-frobnicate", "3", "--lenient", "-floatfile", "b"], folder)
    assert done.returncode == 0
    assert "-frobnicate" in done.stderr
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
