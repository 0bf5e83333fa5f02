"""NeXus images: valid NXmx, the pixels to the last bit, and a geometry given by its transformations alone."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import nexusformat.nexus
import numpy as np
import pytest
import torch
from nanobragg_torch import Experiment, ExperimentError, render
from nanobragg_torch.cli import main
from nanobragg_torch.io.nexus import write_nexus
from nanobragg_torch.rotations import rotate_axis
from nanobragg_torch.stages.detector import pixel_position

from tests.simulator.small import experiment
from tests.simulator.test_cbf import GEOMETRIES, WORDS

DETECTOR = "/entry/instrument/detector"
# McStas x, y, z in the laboratory of each convention: left, up, along the beam.
FRAMES = {
    "MOSFLM": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
    "ADXV": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "XDS": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "DIALS": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
}


def written(folder: Path, e: Experiment) -> Path:
    path = folder / "image.nxs"
    write_nexus(path, render(e).to(torch.float32).numpy(), e)
    return path


def step(axis: h5py.Dataset) -> np.ndarray:
    """The 4 x 4 matrix of one transformation, as NeXus defines it."""
    matrix = np.eye(4)
    value, vector = float(np.ravel(axis[()])[0]), np.asarray(axis.attrs["vector"])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-12)
    if axis.attrs["transformation_type"] == "translation":
        assert axis.attrs["units"] == "m"
        matrix[:3, 3] = value * vector
    else:
        assert axis.attrs["units"] == "deg"
        x, y, z = vector
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])  # right-handed
        angle = np.radians(value)
        matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix[:3, 3] += np.asarray(axis.attrs["offset"])
    return matrix


def chain(file: h5py.File, path: str) -> np.ndarray:
    """All transformations from `path` down to the laboratory."""
    matrix = np.eye(4)
    while path != ".":
        matrix = step(file[path]) @ matrix
        path = file[path].attrs["depends_on"]
    return matrix


def positions(file: h5py.File) -> np.ndarray:
    """The middle of every pixel (slow, fast, 3) in McStas axes."""
    module = file[f"{DETECTOR}/module"]
    fast, slow = module["fast_pixel_direction"], module["slow_pixel_direction"]
    assert fast.attrs["depends_on"] == slow.attrs["depends_on"] == f"{DETECTOR}/module/module_offset"
    to_laboratory = chain(file, fast.attrs["depends_on"])
    count_s, count_f = module["data_size"][()]
    along_f = (np.arange(count_f) + 0.5)[None, :, None] * step(fast)[:3, 3]
    along_s = (np.arange(count_s) + 0.5)[:, None, None] * step(slow)[:3, 3]
    return np.asarray((along_f + along_s) @ to_laboratory[:3, :3].T + to_laboratory[:3, 3])


@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_pixel_is_where_the_simulator_has_it(name: str, tmp_path: Path) -> None:
    e = experiment(**GEOMETRIES[name])
    place = e.build().place
    with h5py.File(written(tmp_path, e)) as file:
        found = positions(file)
        stored = file["/entry/simulation/laboratory_to_mcstas"][()]
        spot = file[DETECTOR]["distance"][()] * np.array([0.0, 0.0, 1.0])
        centre = [file[DETECTOR][f"beam_center_{x}"][()] for x in "xy"]
    frame = np.array(FRAMES.get(e.detector.convention, stored), dtype=float)
    assert stored == pytest.approx(frame, abs=1e-15)
    assert stored @ stored.T == pytest.approx(np.eye(3), abs=1e-15)
    assert np.linalg.det(stored) == pytest.approx(1.0)
    assert stored @ place.beam.numpy() == pytest.approx([0, 0, 1], abs=1e-15)
    slow, fast = (x.reshape(-1).double() for x in torch.meshgrid(torch.arange(9), torch.arange(11), indexing="ij"))
    wanted = pixel_position(place, slow, fast, (0, 0), 1, torch.zeros(()).double(), False).T.reshape(9, 11, 3)
    assert np.abs(found @ frame - wanted.numpy()).max() < 1e-9
    # The beam centre in pixels from the corner, on the plane that the first pixels span.
    along = [found[0, 1] - found[0, 0], found[1, 0] - found[0, 0]]
    there = found[0, 0] + (centre[0] - 0.5) * along[0] + (centre[1] - 0.5) * along[1]
    assert there == pytest.approx(spot, abs=1e-9)


def test_polarisation_along_the_beam_leaves_a_frame(tmp_path: Path) -> None:
    e = experiment(convention="CUSTOM", polar_vector=(1.0, 0.0, 0.0))
    with h5py.File(written(tmp_path, e)) as file:
        stored = file["/entry/simulation/laboratory_to_mcstas"][()]
    assert stored @ stored.T == pytest.approx(np.eye(3), abs=1e-15)
    assert stored[2].tolist() == [1, 0, 0]


@pytest.mark.parametrize("convention", ["MOSFLM", "XDS", "DIALS"])
def test_the_goniometer_turns_the_crystal_as_the_simulator_does(convention: str, tmp_path: Path) -> None:
    e = experiment(convention=convention, phi_start_deg=33.0, osc_deg=2.0, phisteps=1)
    model = e.build()
    with h5py.File(written(tmp_path, e)) as file:
        sample = file["/entry/sample"]
        turn = chain(file, sample["depends_on"][()].decode())[:3, :3]
        axes = sample["transformations"]
        assert axes["phi"][0] == pytest.approx(33.0)
        assert axes["phi_end"][0] == pytest.approx(35.0)
        assert axes["phi_increment_set"][()] == pytest.approx(2.0)
    frame = np.array(FRAMES[convention])
    a = model.cell.real_A[0]
    wanted = rotate_axis(a, model.place.spindle, torch.tensor(np.radians(33.0)))
    assert frame.T @ turn @ frame @ a.numpy() == pytest.approx(wanted.numpy(), abs=1e-10)


CASES: list[dict[str, Any]] = [
    {},
    {"convention": "XDS", "twotheta_deg": 90.0, "polarized": False, "flux_per_s": 1e12},
    {"dispersion_fraction": 0.02, "dispersion_steps": 3, "roi": (1, 5, 2, 6), "thickness_um": 320.0},
]


@pytest.mark.parametrize("changes", CASES, ids=["plain", "no spot", "spectrum"])
def test_it_is_valid(changes: dict[str, Any], tmp_path: Path) -> None:
    """By the application definition and by the base classes, as the NeXus package has them."""
    path = written(tmp_path, experiment(**changes))
    for words in ([], ["-a"]):
        code = "from nexusformat.scripts.nxvalidate import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Application Definition: NXmx" in done.stdout
        assert "Total number of errors: 0" in done.stdout, done.stdout


def test_the_validator_can_fail(tmp_path: Path) -> None:
    path = written(tmp_path, experiment())
    with h5py.File(path, "a") as file:
        del file[f"{DETECTOR}/sensor_thickness"]
    code = "from nexusformat.scripts.nxvalidate import main; main()"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "Total number of errors: 1" in done.stdout


def test_contents(tmp_path: Path) -> None:
    e = experiment(wavelength_A=1.25, kahn_factor=0.8, exposure_s=0.5, thickness_um=320.0, roi=(1, 5, 2, 6))
    image = render(e).to(torch.float32).numpy()
    path = tmp_path / "image.nxs"
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    write_nexus(path, image, e, start_time=when)
    with h5py.File(path) as file:
        data, detector = file["/entry/data/data"], file[DETECTOR]
        assert data.dtype == np.float32
        assert data.compression == "gzip"
        assert np.array_equal(data[0], image)
        assert detector["data"] == data
        assert file["/entry/start_time"][()] == b"2026-01-02T02:04:05Z"
        assert file["/entry/definition"][()] == b"NXmx"
        beam = file["/entry/instrument/beam"]
        assert beam["incident_wavelength"][()] == pytest.approx(1.25)
        assert beam["incident_polarization_stokes"][()].tolist() == [[1.0, 0.8, 0.0, 0.0]]
        assert (detector["x_pixel_size"][()], detector["sensor_thickness"][()]) == pytest.approx((0.002, 320e-6))
        assert detector["count_time"][()] == 0.5
        mask = detector["pixel_mask"][()]
    rendered = np.zeros((9, 11), dtype=bool)
    rendered[2:7, 1:6] = True
    assert np.array_equal(mask == 0, rendered)
    again = tmp_path / "again" / "image.nxs"
    again.parent.mkdir()
    write_nexus(again, image, e, start_time=when)
    assert again.read_bytes() == path.read_bytes()


def test_the_nexus_package_reads_it(tmp_path: Path) -> None:
    """Pixels, distance, beam centre, wavelength and rotation by nexusformat, from the names of NXmx alone."""
    e = experiment(**GEOMETRIES["off centre"], wavelength_A=1.25, phi_start_deg=33.0, osc_deg=2.0)
    image = render(e).to(torch.float32).numpy()
    write_nexus(tmp_path / "image.nxs", image, e)
    entry = nexusformat.nexus.nxload(str(tmp_path / "image.nxs"))["entry"]
    assert entry["definition"].nxvalue == "NXmx"
    assert np.array_equal(entry["data"].nxsignal.nxvalue[0], image)
    detector, beam = entry["instrument/detector"], entry["instrument/beam"]
    assert np.array_equal(detector["data"].nxvalue[0], image)
    assert (detector["distance"].nxvalue, detector["distance"].attrs["units"]) == (pytest.approx(0.123), "m")
    centre = [float(detector[f"beam_center_{x}"].nxvalue) for x in "xy"]
    assert centre == pytest.approx([5.0, 2.0])
    assert (beam["incident_wavelength"].nxvalue, beam["incident_wavelength"].attrs["units"]) == (1.25, "angstrom")
    phi = entry["sample/transformations/phi"]
    assert (phi.attrs["transformation_type"], phi.attrs["units"]) == ("rotation", "deg")
    assert float(phi.nxvalue) == pytest.approx(33.0)
    frame = np.array(FRAMES["MOSFLM"], dtype=float)
    spindle = e.build().place.spindle.numpy()
    assert np.asarray(phi.attrs["vector"]) == pytest.approx(frame @ spindle, abs=1e-15)


def test_spectra_have_weights(tmp_path: Path) -> None:
    with h5py.File(written(tmp_path, experiment(**CASES[2]))) as file:
        beam = file["/entry/instrument/beam"]
        assert beam["incident_wavelength"][()] == pytest.approx([0.99, 1.0, 1.01])
        assert beam["incident_wavelength_weights"][()] == pytest.approx([1 / 3] * 3)


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    quiet = [*WORDS, "-noprogress", "-nonoise", "-nopgm", "-nexusfile", "a.nxs"]
    assert main([*quiet, "-curved_det"]) == 2
    assert "-nexusfile: a curved detector" in capsys.readouterr().err
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "h5py", None)
        assert main(quiet) == 2
        assert "-nexusfile: h5py is not installed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main([*quiet, "-trace_pixel", "3", "4", "-trace_file", "t.log"]) == 0
    with h5py.File("a.nxs") as file:
        pixels = file["/entry/data/data"][0]
    assert np.array_equal(pixels, np.fromfile("floatimage.bin", dtype=np.float32).reshape(9, 11))


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"shape \(3, 4\), expected \(9, 11\)"):
        write_nexus(tmp_path / "a.nxs", np.zeros((3, 4)), experiment())
    with pytest.raises(ExperimentError, match="a curved detector"):
        write_nexus(tmp_path / "a.nxs", np.zeros((9, 11)), experiment(curved=True))
