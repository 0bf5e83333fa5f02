"""CBF images with the mini header of Pilatus detectors, as viewers and processing programs of the field read it.

Written by fabio (extra `[cbf]`). The header cannot store a tilt: NeXus keeps the whole geometry.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from nanobragg_torch import units
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.io.atomic import write_bytes
from nanobragg_torch.io.direct_beam import direct_beam
from nanobragg_torch.io.image_model import model_of
from nanobragg_torch.io.optional import needed
from nanobragg_torch.rendering import statistics
from nanobragg_torch.units import plain

COUNT_CUTOFF = 65535


def header_lines(experiment: Experiment, model: Model, flag: str = "-cbffile") -> list[str]:
    """The lines of the header without their `# `; lengths in metres, the beam in pixels from the detector's corner.

    ExperimentError where the beam never meets the detector.
    """
    place = model.place
    spot = direct_beam(place)
    if spot is None:
        raise ExperimentError(f"{flag}: the beam runs along the detector, and a CBF header cannot say where that is")
    pixel = plain(place.pixel)
    lines = ["Detector: simulated, PILATUS dialect, S/N 000", f"Pixel_size {pixel:.9g} m x {pixel:.9g} m"]
    if plain(model.thickness) > 0:
        lines.append(f"Simulated sensor, thickness {plain(model.thickness):.9g} m")
    start = plain(experiment.scan.phi_start_deg)
    return [
        *lines,
        f"Exposure_time {plain(experiment.beam.exposure_s):.9g} s",
        f"Exposure_period {plain(experiment.beam.exposure_s):.9g} s",
        f"Count_cutoff {COUNT_CUTOFF} counts",
        f"Wavelength {plain(experiment.beam.wavelength_A):.9g} A",
        f"Detector_distance {spot.distance_m:.9g} m",
        f"Beam_xy ({spot.fast_pixels:.6f}, {spot.slow_pixels:.6f}) pixels",
        f"Start_angle {start:.9g} deg.",
        f"Angle_increment {plain(model.osc_rad) * units.DEG_PER_RAD:.9g} deg.",
        f"Detector_2theta {plain(experiment.detector.twotheta_deg):.9g} deg.",
        f"Phi {start:.9g} deg.",
    ]


def _width(pixels: np.ndarray) -> type[np.int32] | type[np.int64]:
    """The type that holds the pixels and the differences of neighbours.

    Byte-offset compression stores differences, and fabio computes them in the type of the pixels: in 32 bits they
    overflow between 2^31 - 1 and -1, and -2^31 marks a longer number; in both cases wrong values are read back
    without an error.
    """
    narrow = np.iinfo(np.int32)
    row = pixels.reshape(-1).astype(np.int64)
    steps = np.diff(row, prepend=0)
    lowest, highest = min(row.min(initial=0), steps.min(initial=0) - 1), max(row.max(initial=0), steps.max(initial=0))
    return np.int32 if narrow.min <= lowest and highest <= narrow.max else np.int64


def write_cbf(
    path: Path,
    image: np.ndarray,
    experiment: Experiment,
    *,
    model: Model | None = None,
    scale: float = 0.0,
    adc_offset: float = 40.0,
    flag: str = "-cbffile",
) -> None:
    """Write an image (slow, fast) as 32-bit whole numbers, as 64-bit ones where 32 bits do not hold them.

    Whole numbers are written as they are, others as in an SMV image: scaled (0: 55000 for the maximum), offset,
    rounded, clipped to 16 bits. Raises ExperimentError.
    """
    fabio_cbf = needed("fabio.cbfimage", flag)
    model = model_of(image, experiment, model, flag)
    pixels = image
    if not np.issubdtype(image.dtype, np.integer):
        rendered = statistics.rendered_pixels(experiment.model, *image.shape)
        maximum = statistics.image_statistics(image, rendered, rendered).maximum
        scanned = statistics.scanned_pixels(experiment.model, *image.shape)
        pixels = statistics.smv_pixels(image, scanned, statistics.smv_scale(scale, maximum), adc_offset)
    header = {
        "_array_data.header_convention": "PILATUS_1.2",
        "_array_data.header_contents": "\r\n".join(f"# {line}" for line in header_lines(experiment, model, flag)),
    }
    made = fabio_cbf.CbfImage(data=np.ascontiguousarray(pixels, dtype=_width(pixels)), header=header)
    with tempfile.TemporaryDirectory() as folder:  # fabio writes files alone, and names the data block after them
        temporary = Path(folder) / "image.cbf"
        made.write(str(temporary))
        data = temporary.read_bytes()
    write_bytes(path, data, flag)
