"""CBF images: the pixels of the SMV image to the last bit, by two readers; a header that says where the beam is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fabio
import numpy as np
import pycbf
import pytest
import torch
from nanobragg_torch import Experiment, ExperimentError, from_argv, render
from nanobragg_torch.cli import main
from nanobragg_torch.io.cbf import write_cbf
from nanobragg_torch.io.direct_beam import direct_beam
from nanobragg_torch.io.smv import read_smv
from nanobragg_torch.stages.detector import pixel_position

from tests.simulator.small import experiment

WORDS = "-cell 70 80 90 85 95 105 -default_F 10 -N 5 -detpixels_f 11 -detpixels_s 9 -pixel 2 -oversample 1".split()
GEOMETRIES: dict[str, dict[str, Any]] = {
    "mosflm": {},
    "off centre": {"Xbeam_mm": 3.0, "Ybeam_mm": 9.0, "distance_mm": 123.0},
    "adxv": {"convention": "ADXV", "rotx_deg": 4.0, "roty_deg": -7.0, "rotz_deg": 3.0},
    "xds swung": {"convention": "XDS", "twotheta_deg": 25.0, "ORGX_pixels": 3.5, "roty_deg": 2.0},
    "dials": {"convention": "DIALS", "rotz_deg": 30.0},
    "custom": {
        "convention": "CUSTOM",
        "pivot": "sample",
        "fdet_vector": (0.1, 0.0, 1.0),
        "sdet_vector": (0.0, -1.0, 0.2),
        "odet_vector": (1.0, 0.05, 0.0),
        "beam_vector": (1.0, 0.1, -0.05),
        "twotheta_deg": 12.0,
        "Xbeam_mm": 7.0,
    },
}


def written(path: Path, e: Experiment) -> np.ndarray:
    image = render(e).to(torch.float32).numpy()
    write_cbf(path, image, e)
    return image


def by_cbflib(path: Path) -> np.ndarray:
    """The pixels as CBFlib reads them, its checksum verified."""
    handle = pycbf.cbf_handle_struct()
    handle.read_widefile(str(path).encode(), pycbf.MSG_DIGEST)
    handle.rewind_datablock()
    handle.find_category(b"array_data")
    handle.find_column(b"data")
    handle.select_row(0)
    parameters = handle.get_integerarrayparameters_wdims()
    width, (fast, slow) = parameters[2], parameters[9:11]
    pixels = np.frombuffer(handle.get_integerarray_as_string(), dtype=f"<i{width}")
    return pixels.reshape(slow, fast)


def test_both_readers_see_the_pixels_of_the_smv_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for more in ([], ["-scale", "30", "-adc", "7.5"], ["-roi", "1", "8", "2", "6"]):
        assert (
            main([*WORDS, "-cbffile", "a b.cbf", "-intfile", "a.img", "-nopgm", "-nonoise", "-noprogress", *more]) == 0
        )
        pixels = read_smv(tmp_path / "a.img", "-img").pixels
        read = fabio.open(str(tmp_path / "a b.cbf")).data
        assert read.dtype == np.int32
        assert np.array_equal(read, pixels)
        assert np.array_equal(by_cbflib(tmp_path / "a b.cbf"), pixels)
        assert pixels.std() > 0
        experiment_ = from_argv([*WORDS, *more])
        scale, adc = (30.0, 7.5) if "-scale" in more else (0.0, 40.0)
        image = render(experiment_).to(torch.float32).numpy()
        write_cbf(tmp_path / "library.cbf", image, experiment_, scale=scale, adc_offset=adc)
        assert (tmp_path / "library.cbf").read_bytes() == (tmp_path / "a b.cbf").read_bytes()


def test_whole_numbers_are_written_as_they_are(tmp_path: Path) -> None:
    pixels = np.arange(99, dtype=np.int64).reshape(9, 11) * 10_000_000 - 5
    write_cbf(tmp_path / "a.cbf", pixels, experiment())
    assert np.array_equal(fabio.open(str(tmp_path / "a.cbf")).data, pixels)
    assert np.array_equal(by_cbflib(tmp_path / "a.cbf"), pixels)


NARROW = np.iinfo(np.int32)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((NARROW.max, NARROW.max - 7, 5, 0), np.int32),
        ((NARROW.min + 1, -1, NARROW.min + 100), np.int32),
        ((-5, NARROW.min, -1), np.int32),
        ((NARROW.min, -1, NARROW.min + 100), np.int64),
        ((NARROW.max, -1), np.int64),
        ((0, NARROW.min, 0, 1), np.int64),
        ((NARROW.min, NARROW.max), np.int64),
        ((NARROW.max + 1, 3), np.int64),
        ((2**40, -(2**40)), np.int64),
    ],
)
def test_values_at_the_end_of_32_bits(values: tuple[int, ...], kind: type, tmp_path: Path) -> None:
    """fabio takes the differences of neighbours in the type of the pixels, where they may overflow without an error."""
    pixels = np.resize(np.array(values, dtype=np.int64), (9, 11))
    write_cbf(tmp_path / "a.cbf", pixels, experiment())
    read = fabio.open(str(tmp_path / "a.cbf")).data
    assert read.dtype == kind
    assert np.array_equal(read, pixels)
    assert np.array_equal(by_cbflib(tmp_path / "a.cbf"), pixels)


@pytest.mark.parametrize("seed", range(3))
def test_an_image_of_the_simulator_never_leaves_16_bits(seed: int, tmp_path: Path) -> None:
    image = (np.random.default_rng(seed).standard_normal((9, 11)) * 1e12).astype(np.float32)
    write_cbf(tmp_path / "a.cbf", image, experiment(), scale=1.0)
    read = fabio.open(str(tmp_path / "a.cbf")).data
    assert read.dtype == np.int32
    assert (read.min(), read.max()) == (0, 65535)
    assert np.array_equal(by_cbflib(tmp_path / "a.cbf"), read)


def test_the_header_as_cbflib_sees_it(tmp_path: Path) -> None:
    """The mini header's text, not fabio's reading of it: distance, centre, wavelength and rotation in their units."""
    e = experiment(**GEOMETRIES["off centre"], wavelength_A=1.25, phi_start_deg=30.0, osc_deg=0.25)
    written(tmp_path / "a.cbf", e)
    handle = pycbf.cbf_handle_struct()
    handle.read_widefile(str(tmp_path / "a.cbf").encode(), pycbf.MSG_DIGEST)
    handle.rewind_datablock()
    handle.find_category(b"array_data")
    handle.find_column(b"header_contents")
    handle.select_row(0)
    text = handle.get_value().decode()
    place = e.build().place
    for line in (
        "# Wavelength 1.25 A",
        "# Detector_distance 0.123 m",
        "# Start_angle 30 deg.",
        "# Angle_increment 0.25 deg.",
        f"# Pixel_size {float(place.pixel):.9g} m x {float(place.pixel):.9g} m",
    ):
        assert line in text.replace("\r", "").split("\n")
    # MOSFLM: X (slow, mm) and Y (fast, mm) of the beam centre, and half a pixel of 2 mm.
    assert "# Beam_xy (5.000000, 2.000000) pixels" in text


def test_header(tmp_path: Path) -> None:
    e = experiment(
        phi_start_deg=12.5, osc_deg=0.5, exposure_s=0.25, wavelength_A=1.2, thickness_um=320.0, thick_steps=2
    )
    written(tmp_path / "a.cbf", e)
    found = fabio.open(str(tmp_path / "a.cbf")).pilatus_headers
    assert found["Pixel_size"] == (0.002, 0.002)
    assert found["sensor"][1] == pytest.approx(320e-6)
    wanted = {
        "Exposure_time": 0.25,
        "Wavelength": 1.2,
        "Detector_distance": 0.1,
        "Start_angle": 12.5,
        "Angle_increment": 0.5,
        "Detector_2theta": 0.0,
        "Count_cutoff": 65535,
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)
    # MOSFLM's centre (10 mm + half a pixel, 12 mm + half a pixel) counts from the middle of a pixel.
    assert found["Beam_xy"] == pytest.approx((6.5, 5.5))


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_beam_is_where_the_geometry_has_it(name: str, tmp_path: Path) -> None:
    e = experiment(**GEOMETRIES[name])
    place = e.build().place
    written(tmp_path / "a.cbf", e)
    found = fabio.open(str(tmp_path / "a.cbf")).pilatus_headers
    fast, slow = (torch.tensor([x - 0.5], dtype=torch.float64) for x in found["Beam_xy"])
    spot = pixel_position(place, slow, fast, (0, 0), 1, torch.zeros(()).double(), False)[:, 0]
    # Six decimals of a pixel of 2 mm.
    assert spot.tolist() == pytest.approx((found["Detector_distance"] * place.beam).tolist(), abs=3e-9)
    exact = direct_beam(place)
    assert exact is not None
    assert (exact.fast_pixels, exact.slow_pixels) == pytest.approx(found["Beam_xy"], abs=1e-6)


def test_what_a_header_cannot_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    quiet = [*WORDS, "-noprogress", "-nonoise", "-nopgm", "-cbffile", "a.cbf"]
    assert main(quiet) == 0
    assert "no place for a tilted" not in capsys.readouterr().err
    for tilt in (["-detector_rotx", "0", "-detector_roty", "3"], ["-curved_det"]):
        assert main([*quiet, *tilt]) == 0
        assert "no place for a tilted or curved detector" in capsys.readouterr().err
    (tmp_path / "a.cbf").unlink()
    (tmp_path / "floatimage.bin").unlink()
    assert main([*quiet, "-xds", "-twotheta", "90"]) == 2
    assert "the beam runs along the detector" in capsys.readouterr().err
    assert main([*quiet, "-cbffile", "no/a.cbf"]) == 2
    assert "-cbffile: cannot write" in capsys.readouterr().err
    for module in ("fabio", "fabio.cbfimage"):
        monkeypatch.setitem(sys.modules, module, None)
    assert main(quiet) == 2
    assert "-cbffile: fabio is not installed" in capsys.readouterr().err
    assert list(tmp_path.glob("*.cbf")) == list(tmp_path.glob("*.bin")) == []
    with pytest.raises(ExperimentError, match=r"'trace-parity\[cbf\]'"):
        write_cbf(tmp_path / "a.cbf", np.zeros((9, 11)), experiment())


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"shape \(3, 4\), expected \(9, 11\)"):
        write_cbf(tmp_path / "a.cbf", np.zeros((3, 4)), experiment())
