"""What is printed about an experiment before its image, in the forms that logs of the field have."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.rotations import dot
from nanobragg_torch.units import plain

_PIVOT = {"beam": "direct beam spot", "sample": "sample"}


def _words(*values: Tensor) -> str:
    return " ".join(f"{plain(entry) + 0.0:g}" for value in values for entry in value.reshape(-1))


def _lengths_and_angles(rows: Tensor) -> list[float]:
    """Lengths of three vectors, then the angles (deg) between the second and third and so on."""
    a, b, c = ([plain(x) for x in row] for row in rows)
    lengths = [math.hypot(*v) for v in (a, b, c)]
    cosines = [
        sum(x * y for x, y in zip(u, v, strict=True)) / math.hypot(*u) / math.hypot(*v)
        for u, v in ((b, c), (c, a), (a, b))
    ]
    return [*lengths, *(math.degrees(math.acos(min(max(x, -1.0), 1.0))) for x in cosines)]


def _reciprocal_shape(real: list[float], rows: Tensor, volume: float) -> list[float]:
    """Lengths of a*, b*, c* and their angles (deg), as the original prints them.

    It takes an angle's sine and cosine from different figures; where lengths were forced they do not quite agree.
    """
    lengths = _lengths_and_angles(rows)[:3]
    cosines = [math.cos(math.radians(x)) for x in real[3:]]
    sines = [math.sin(math.radians(x)) for x in real[3:]]
    angles = []
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        sine = real[i] / volume / (lengths[j] * lengths[k])
        cosine = (cosines[j] * cosines[k] - cosines[i]) / (sines[j] * sines[k])
        angles.append(math.degrees(math.atan2(sine, cosine)))
    return lengths + angles


def report(experiment: Experiment, model: Model) -> Iterator[str]:
    """The lines."""
    p = model.place
    yield f"{experiment.detector.convention.lower()} convention selected."
    yield f"pivoting detector around {_PIVOT[p.pivot]}"
    yield f"XDS incident beam: {_words(dot(p.beam, p.fdet), dot(p.beam, p.sdet), dot(p.beam, p.odet))}"
    yield from _crystal(experiment, model)
    yield from _sampling(experiment, model)
    yield from _detector(experiment, model)


def _crystal(experiment: Experiment, model: Model) -> Iterator[str]:
    cell = model.cell
    if experiment.crystal.misset_random:
        angles = " ".join(f"{plain(x) * units.DEG_PER_RAD:.6f}" for x in model.misset_rad)
        yield f"random orientation misset angles: {angles} deg"
    shape = _lengths_and_angles(cell.real_A)
    yield "Unit Cell: " + " ".join(f"{x:g}" for x in shape)
    reciprocal = _reciprocal_shape(shape, cell.reciprocal_A, plain(cell.volume_A3))
    yield "Recp Cell: " + " ".join(f"{x:g}" for x in reciprocal)
    yield f"volume = {plain(cell.volume_A3):g} A^3"
    for rows in (cell.real_A, cell.reciprocal_A):
        for axis, column in zip("XYZ", rows.T, strict=True):
            yield f"{axis}: " + " ".join(f"{plain(x):11.8f}" for x in column)
    size = [plain(n) * length * 1e-4 for n, length in zip(model.cells, shape[:3], strict=True)]
    yield f"crystal is {size[0]:g} x {size[1]:g} x {size[2]:g} microns"


def _sampling(experiment: Experiment, model: Model) -> Iterator[str]:
    if not experiment.detector.oversample:
        yield f"auto-selected {model.oversample}-fold oversampling"
    ticks = model.phi_deg[:: model.domains]
    for tick, angle in enumerate(ticks):
        yield f"phi{tick} = {plain(angle):g}"
    wavelengths = [plain(x) for x in model.sources.wavelength_m]
    if experiment.beam.source_rows is None:
        for tick, wavelength in enumerate(dict.fromkeys(wavelengths)):
            yield f"lambda{tick} = {wavelength:.15g}"
    yield f"  created a total of {len(wavelengths)} sources:"
    for incident, wavelength in zip(model.sources.incident, wavelengths, strict=True):
        yield f"{_words(-incident)}   1 {wavelength:g}"
    yield f"  created a total of {model.domains} mosaic domains"


def _detector(experiment: Experiment, model: Model) -> Iterator[str]:
    p, settings = model.place, experiment.detector
    size = f"{plain(p.size_f):g}x{plain(p.size_s):g}"
    pixels = f"{plain(p.pixel):g} meters ({p.pixels_f}x{p.pixels_s} pixels)"
    yield f"  distance={plain(p.distance):g} detsize={size}  pixel={pixels}"
    yield f"  sensor is {plain(model.thickness):g} m thick in {model.layers} layers with mu= {plain(model.mu):g}"
    for name, first, second in (
        ("beam", p.Xbeam, p.Ybeam),
        ("beam", p.Fbeam, p.Sbeam),
        ("close", p.Xclose, p.Yclose),
        ("close", p.Fclose, p.Sclose),
    ):
        letters = "XY" if first is p.Xbeam or first is p.Xclose else "FS"
        yield f"  {letters[0]}{name}={plain(first):g} {letters[1]}{name}={plain(second):g}"
    for name, axis in (
        ("DIRECTION_OF_DETECTOR_X-AXIS", p.fdet),
        ("DIRECTION_OF_DETECTOR_Y-AXIS", p.sdet),
        ("DIRECTION_OF_DETECTOR_Z-AXIS", p.odet),
        ("INCIDENT_BEAM_DIRECTION", p.beam),
        ("spindle ROTATION_AXIS", p.spindle),
    ):
        yield f"  {name}= {_words(axis)}"
    x, y, z = (plain(component) * units.MM_PER_M for component in p.pix0)
    yield f"  dials origin= {z:g} {y:g} {-x:g}"
    roi = experiment.model.roi or (0, p.pixels_f, 0, p.pixels_s)
    yield f"  roi: {roi[0]} < x < {roi[1]} && {roi[2]} < y < {roi[3]}"
    start = plain(units.deg(experiment.scan.phi_start_deg)) * units.DEG_PER_RAD
    steps = len(model.phi_deg) // model.domains
    yield f"  {steps} phi steps from {start:g} to {start + plain(model.osc_rad) * units.DEG_PER_RAD:g} degrees"
    flags = (
        ("thick", settings.oversample_thick),
        ("polar", settings.oversample_polar),
        ("omega", settings.oversample_omega),
    )
    extra = "".join(f" +{name}" for name, is_on in flags if is_on)
    yield f"  {model.oversample}x{model.oversample} pixel oversample steps{extra}"
