"""NeXus images: HDF5 after the application definition NXmx, with the whole geometry as chains of transformations.

NeXus has vectors in McStas axes: z along the beam, y up, x to the left when looking along the beam. The
laboratory's polarisation is taken as horizontal, so that y = polarisation × beam and x = y × z; the matrix that does
this to a vector is stored as /entry/simulation/laboratory_to_mcstas. Written by h5py (extra `[nexus]`).
"""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any

import numpy as np

from nanobragg_torch import units
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.io.atomic import write_bytes
from nanobragg_torch.io.direct_beam import as_array, direct_beam
from nanobragg_torch.io.image_model import model_of
from nanobragg_torch.io.optional import needed
from nanobragg_torch.rendering import statistics
from nanobragg_torch.stages.detector import Placement
from nanobragg_torch.units import plain
from nanobragg_torch.version import __version__

_DETECTOR = "/entry/instrument/detector"
_NORMAL = f"{_DETECTOR}/transformations/normal_distance"
_OFFSET = f"{_DETECTOR}/module/module_offset"
_PHI = "/entry/sample/transformations/phi"
_GAP = 1  # bit 0 of a pixel mask


def laboratory_to_mcstas(place: Placement) -> np.ndarray:
    """The rotation (3, 3) whose rows are McStas x, y, z in the laboratory frame."""
    z, down = as_array(place.beam), as_array(place.vertical)
    if not down.any():  # polarisation along the beam: any direction across it
        down = np.cross(z, np.eye(3)[np.argmin(np.abs(z))])
    y = -down / np.linalg.norm(down)
    return np.stack([np.cross(y, z), y, z])


def check_geometry(experiment: Experiment, flag: str = "-nexusfile") -> None:
    """ExperimentError for a detector that NXmx cannot describe."""
    if experiment.detector.curved:
        raise ExperimentError(f"{flag}: a curved detector has no place in NXmx, expected a flat one")


def write_nexus(
    path: Path,
    image: np.ndarray,
    experiment: Experiment,
    *,
    model: Model | None = None,
    start_time: datetime.datetime | None = None,
    flag: str = "-nexusfile",
) -> None:
    """Write an image (slow, fast) as float32, compressed; `start_time` (with its zone) is now by default.

    Raises ExperimentError.
    """
    h5py = needed("h5py", flag)
    check_geometry(experiment, flag)
    model = model_of(image, experiment, model, flag)
    when = (start_time or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        stamp = when.strftime("%Y-%m-%dT%H:%M:%SZ")
        file.attrs.update(
            {
                "NX_class": "NXroot",
                "default": "entry",
                "file_name": path.name,
                "file_time": stamp,
                "creator": f"nanobragg-torch {__version__}",
            }
        )
        entry = _group(file, "entry", "NXentry", default="data", version="1.0")
        entry["definition"] = "NXmx"
        entry["title"] = "simulated diffraction image"
        for name in ("start_time", "end_time", "end_time_estimated"):
            entry[name] = stamp
        entry["program_name"] = "nanobragg-torch"
        to_mcstas = laboratory_to_mcstas(model.place)
        _group(entry, "simulation", "NXcollection")["laboratory_to_mcstas"] = to_mcstas
        _write_data(entry, image)
        _write_detector(entry, experiment, model, to_mcstas)
        _write_beam(entry, experiment, model)
        _write_sample(entry, experiment, model, to_mcstas)
    write_bytes(path, buffer.getvalue(), flag)


def _group(parent: Any, name: str, nx_class: str, **attributes: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    group.attrs.update(attributes)
    return group


def _field(group: Any, name: str, value: Any, units_: str) -> None:
    group[name] = value
    group[name].attrs["units"] = units_


def _axis(group: Any, name: str, value: Any, vector: np.ndarray, kind: str, units_: str, depends_on: str) -> None:
    """A transformation: a translation or rotation by `value` along or about `vector` (McStas axes)."""
    _field(group, name, value, units_)
    offset = {"offset": np.zeros(3), "offset_units": "m"}
    group[name].attrs.update({"transformation_type": kind, "vector": vector, "depends_on": depends_on, **offset})


def _write_data(entry: Any, image: np.ndarray) -> None:
    data = _group(entry, "data", "NXdata", signal="data")
    frames = np.asarray(image, dtype=np.float32)[None]
    data.create_dataset("data", data=frames, chunks=frames.shape, compression="gzip", shuffle=True)


def _write_detector(entry: Any, experiment: Experiment, model: Model, to_mcstas: np.ndarray) -> None:
    place = model.place
    instrument = _group(entry, "instrument", "NXinstrument")
    instrument["name"] = "nanobragg-torch"
    detector = _group(instrument, "detector", "NXdetector")
    detector["data"] = entry["data/data"]
    detector["description"] = "simulated detector"
    detector["depends_on"] = _NORMAL
    spot = direct_beam(place)
    if spot is not None:
        _field(detector, "distance", spot.distance_m, "m")
        _field(detector, "beam_center_x", spot.fast_pixels, "pixel")
        _field(detector, "beam_center_y", spot.slow_pixels, "pixel")
        detector["distance_derived"] = True
        detector["beam_center_derived"] = True
    pixel_m = plain(place.pixel)
    _field(detector, "x_pixel_size", pixel_m, "m")
    _field(detector, "y_pixel_size", pixel_m, "m")
    _field(detector, "count_time", plain(experiment.beam.exposure_s), "s")
    detector["sensor_material"] = "unspecified"
    _field(detector, "sensor_thickness", plain(model.thickness), "m")
    rendered = statistics.rendered_pixels(experiment.model, place.pixels_s, place.pixels_f)
    mask = np.where(rendered, 0, _GAP).astype(np.int32)
    detector.create_dataset("pixel_mask", data=mask, chunks=mask.shape, compression="gzip", shuffle=True)

    transformations = _group(detector, "transformations", "NXtransformations")
    normal, pix0 = to_mcstas @ as_array(place.odet), to_mcstas @ as_array(place.pix0)
    close_m = plain(place.close_distance)
    _axis(transformations, "normal_distance", close_m, normal, "translation", "m", ".")
    module = _group(detector, "module", "NXdetector_module")
    module["data_origin"] = np.zeros(2, dtype=np.int64)
    module["data_size"] = np.array([place.pixels_s, place.pixels_f])
    aside = pix0 - close_m * normal
    length = float(np.linalg.norm(aside))
    along = aside / length if length > 0 else np.array([1.0, 0.0, 0.0])
    _axis(module, "module_offset", length, along, "translation", "m", _NORMAL)
    for name, axis in (("fast_pixel_direction", place.fdet), ("slow_pixel_direction", place.sdet)):
        _axis(module, name, pixel_m, to_mcstas @ as_array(axis), "translation", "m", _OFFSET)


def _write_beam(entry: Any, experiment: Experiment, model: Model) -> None:
    settings = experiment.beam
    beam = _group(entry["instrument"], "beam", "NXbeam")
    wavelengths_A, counts = np.unique(as_array(model.sources.wavelength_m) * units.A_PER_M, return_counts=True)
    if len(wavelengths_A) == 1:
        _field(beam, "incident_wavelength", float(wavelengths_A[0]), "angstrom")
    else:
        _field(beam, "incident_wavelength", wavelengths_A, "angstrom")
        beam["incident_wavelength_weights"] = counts / counts.sum()
    size_m = plain(units.mm(settings.beamsize_mm))
    if size_m > 0:
        _field(beam, "incident_beam_size", np.array([size_m, size_m]), "m")
        beam["profile"] = "rectangular"
    if plain(settings.flux_per_s) > 0:
        _field(beam, "total_flux", plain(settings.flux_per_s), "Hz")
    if settings.polarized:
        stokes = np.array([[1.0, plain(settings.kahn_factor), 0.0, 0.0]])
        beam["incident_polarization_stokes"] = stokes
    source = _group(entry, "source", "NXsource")
    source["name"] = "simulated"
    source["probe"] = "x-ray"


def _write_sample(entry: Any, experiment: Experiment, model: Model, to_mcstas: np.ndarray) -> None:
    sample = _group(entry, "sample", "NXsample")
    sample["name"] = "simulated crystal"
    sample["depends_on"] = _PHI
    transformations = _group(sample, "transformations", "NXtransformations")
    start, osc = plain(experiment.scan.phi_start_deg), plain(model.osc_rad) * units.DEG_PER_RAD
    spindle = to_mcstas @ as_array(model.place.spindle)
    _axis(transformations, "phi", np.array([start]), spindle, "rotation", "deg", ".")
    _field(transformations, "phi_end", np.array([start + osc]), "deg")
    _field(transformations, "phi_increment_set", osc, "deg")
