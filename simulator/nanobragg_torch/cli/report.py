"""What is printed about an experiment before its image: the lines of the original, in its order.

docs/formats.md lists what is left out. Sums and products are in the original's order where all bits are printed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.rendering import statistics
from nanobragg_torch.rotations import cross, dot
from nanobragg_torch.stages import sampling
from nanobragg_torch.stages.sampling import Sampling
from nanobragg_torch.units import plain

_PIVOT = {"beam": "direct beam spot", "sample": "sample"}
_SHAPES = {"square": "parallelpiped", "round": "ellipsoidal", "gauss": "gaussian", "tophat": "tophat-spot"}
_PROTEIN_DENSITY_G_PER_M3 = 1.2e6
_ODD_ANGLE = 1.0000001  # a sine or cosine above it is printed as odd


def g(value: float) -> str:
    """As C's %g: a NaN keeps its sign."""
    return "-nan" if math.isnan(value) and math.copysign(1.0, value) < 0 else f"{value:g}"


def _words(*values: Tensor) -> str:
    return " ".join(g(plain(entry) + 0.0) for value in values for entry in value.reshape(-1))


def report(experiment: Experiment, model: Model, mask_file: Path | None = None, noise: bool = False) -> Iterator[str]:
    """The lines. `mask_file` is where a mask comes from; `noise` says whether a noise image is written."""
    yield from _changes(experiment, model)
    yield from _geometry(experiment, model)
    yield from _crystal(experiment, model)
    yield from _oversampling(experiment, model)
    yield from _samples(experiment, model)
    yield from _experiment(experiment, model)
    yield from _detector(experiment, model)
    yield from _steps(experiment, model)
    if experiment.model.mask is not None:
        yield f"  skipping zero-flagged pixels in {mask_file or 'the mask'}"
    if noise:
        yield f"  water droplet size: {g(plain(units.um(experiment.model.water_um)))} m"


def _changes(experiment: Experiment, model: Model) -> Iterator[str]:
    """Notes on changed settings."""
    crystal, detector = experiment.crystal, experiment.detector
    beam_mm = plain(experiment.beam.beamsize_mm)
    for name, size_mm in (("high", crystal.sample_y_mm), ("wide", crystal.sample_z_mm)):
        if size_mm is not None and size_mm > beam_mm >= 0:
            size, clipped = (g(plain(units.mm(x))) for x in (size_mm, beam_mm))
            yield f"WARNING: clipping sample ({size} m {name}) with beam ({clipped} m)"
    if model.place.odet_was_replaced:
        yield "WARNING: auto-generating odet_vector"
    if plain(detector.thickness_um) > 0 and detector.attenuation_um is None:
        yield f"WARNING: setting detector attenuation depth to {g(plain(model.mu))} m"
    if model.domains > 1 and (crystal.mosaic_domains or 0) <= 0:
        yield f"WARNING: finite mosaicity with only one domain! upping to {model.domains} mosaic domains"
    if model.domains == 1 and (crystal.mosaic_domains or 0) > 0 and plain(crystal.mosaic_spread_deg or 0.0) <= 0:
        spread = crystal.mosaic_spread_deg
        what = "no" if spread is None or plain(spread) < 0 else "zero"
        yield f"WARNING: {what} mosaic spread specified.  setting mosaic_domains = 1"


def _geometry(experiment: Experiment, model: Model) -> Iterator[str]:
    p, crystal = model.place, experiment.crystal
    yield f"{experiment.detector.convention.lower()} convention selected."
    yield f"pivoting detector around {_PIVOT[p.pivot]}"
    yield f"XDS incident beam: {_words(dot(p.beam, p.fdet), dot(p.beam, p.sdet), dot(p.beam, p.odet))}"
    if crystal.interpolate is None:
        few = min(plain(n) for n in (crystal.Na, crystal.Nb, crystal.Nc)) <= 2
        chosen = "tricubic interpolation of structure factors" if few else "no interpolation"
        yield f"auto-selected {chosen}"


def _crystal(experiment: Experiment, model: Model) -> Iterator[str]:
    cell = model.cell
    if experiment.crystal.misset_random:
        angles = " ".join(f"{plain(x) * units.DEG_PER_RAD:.6f}" for x in model.misset_rad)
        yield f"random orientation misset angles: {angles} deg"
    real, star = ([[plain(x) for x in row] for row in rows] for rows in (cell.real_A, cell.reciprocal_A))
    lengths, star_lengths = ([_length(v) for v in rows] for rows in (real, star))
    volume = plain(cell.volume_A3)
    # The sines come from V* as it was set, which -cell forces, the cosines from the vectors: they need not fit each
    # other (quirk triclinic-cell).
    pairs = ((1, 2), (0, 2), (0, 1))
    sines = [lengths[i] / volume / star_lengths[j] / star_lengths[k] for i, (j, k) in enumerate(pairs)]
    cosines = [_inner(star[j], star[k]) / star_lengths[j] / star_lengths[k] for j, k in pairs]
    yield from _odd_angles(sines, cosines)
    angles_deg = [
        math.degrees(math.acos(_within_1(_inner(real[j], real[k]) / lengths[j] / lengths[k]))) for j, k in pairs
    ]
    star_deg = [math.degrees(math.atan2(_within_1(s), _within_1(c))) for s, c in zip(sines, cosines, strict=True)]
    yield "Unit Cell: " + " ".join(map(g, [*lengths, *angles_deg]))
    yield "Recp Cell: " + " ".join(map(g, [*star_lengths, *star_deg]))
    yield f"volume = {g(volume)} A^3"
    titles = (
        ("real-space cell vectors (Angstrom):", "     a           b           c         "),
        ("reciprocal-space cell vectors (Angstrom^-1):", "     a_star      b_star      c_star    "),
    )
    for title, rows in zip(titles, (real, star), strict=True):
        yield from title
        for axis, column in zip("XYZ", zip(*rows, strict=True), strict=True):
            yield f"{axis}: " + " ".join(f"{x:11.8f}" for x in column)
    size = [plain(n) * length * 1e-4 for n, length in zip(model.cells, lengths, strict=True)]
    yield f"crystal is {g(size[0])} x {g(size[1])} x {g(size[2])} microns"


def _length(v: list[float]) -> float:
    return math.sqrt(_inner(v, v))


def _inner(u: list[float], v: list[float]) -> float:
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def _within_1(x: float) -> float:
    return min(max(x, -1.0), 1.0)


def _odd_angles(sines: list[float], cosines: list[float]) -> Iterator[str]:
    if max(map(abs, [*sines, *cosines])) <= _ODD_ANGLE:
        return
    yield "WARNING: oddball reciprocal cell angles:"
    for name, sine, cosine in zip(("alpha", "beta", "gamma"), sines, cosines, strict=True):
        space = "  " if name == "beta" else " "
        yield f"sin({name}_star){space}= {sine:.25g}"
        yield f"cos({name}_star){space}= {cosine:.25g}"


def _oversampling(experiment: Experiment, model: Model) -> Iterator[str]:
    lengths = [_length([plain(x) for x in row]) for row in model.cell.real_A]
    given = experiment.detector.oversample
    if given is None or given <= 0:
        yield f"auto-selected {model.oversample}-fold oversampling"
    elif given < model.recommended_oversample:
        extent = max(plain(n) * length for n, length in zip(model.cells, lengths, strict=True))
        place = model.place
        fringe_m = plain(units.angstrom(experiment.beam.wavelength_A)) * plain(place.distance) / plain(place.pixel)
        yield f"WARNING: maximum dimension of sample is {g(extent)} A"
        yield f"         but reciprocal pixel size is {g(fringe_m * 1e10)} A"
        yield "         intensity may vary significantly across a pixel!"
        yield f"         recommend -oversample {model.recommended_oversample} to work around this"
    weight = lengths[0] * lengths[1] * lengths[2] * 1e-30 * _PROTEIN_DENSITY_G_PER_M3 * units.AVOGADRO_PER_MOL
    yield f"approximate MW = {g(weight)}"


def _samples(experiment: Experiment, model: Model) -> Iterator[str]:
    for layer in range(model.layers):
        yield f"thick{layer} = {g(plain(model.layer_depth) * layer * units.UM_PER_M)} um"
    for tick, angle in enumerate(model.phi_deg[:: model.domains]):
        yield f"phi{tick} = {g(plain(angle))}"
    sources = model.sources
    wavelengths = [plain(x) for x in sources.wavelength_m]
    weights = [1.0 / max(len(wavelengths), 1)] * len(wavelengths)
    if experiment.beam.source_rows is not None:
        weights = [plain(row[3]) if len(row) > 3 and row[3] is not None else 1.0 for row in experiment.beam.source_rows]
    else:
        for hdiv, vdiv in sources.deviations_rad or ():
            yield f"divergence deviation: {g(hdiv)} {g(vdiv)}"
        spectrum = _spreads(experiment)[2]
        first = plain(units.angstrom(experiment.beam.wavelength_A))
        for tick in range(spectrum.ticks):
            share = 1.0 + plain(spectrum.step) * tick - plain(spectrum.range) / 2.0
            yield f"lambda{tick} = {first * share:.15g}"
    yield f"  created a total of {len(wavelengths)} sources:"
    for position, weight, wavelength in zip(sources.position_m, weights, wavelengths, strict=True):
        yield " ".join(g(plain(x)) for x in position) + f"   {g(weight)} {g(wavelength)}"
    yield f"  created a total of {model.domains} mosaic domains"


def _spreads(experiment: Experiment) -> tuple[Sampling, Sampling, Sampling]:
    """Horizontal and vertical divergence, and dispersion."""
    b = experiment.beam
    return (
        sampling.sample_spread(b.hdiv_steps, b.hdiv_range_rad, b.hdiv_step_rad),
        sampling.sample_spread(b.vdiv_steps, b.vdiv_range_rad, b.vdiv_step_rad),
        sampling.sample_spread(b.dispersion_steps, b.dispersion_fraction, None),
    )


def _experiment(experiment: Experiment, model: Model) -> Iterator[str]:
    reflections, beam = experiment.crystal.reflections, experiment.beam
    listed = 0 if reflections is None else reflections.count
    yield f"  {listed} initialized hkls (all others ={g(plain(experiment.crystal.default_F))})"
    counts = "x".join(f"{plain(n):.0f}" if plain(n).is_integer() else g(plain(n)) for n in model.cells)
    yield f"  {_SHAPES[model.shape]} xtal: {counts} cells"
    spectrum = _spreads(experiment)[2]
    wavelength = g(plain(units.angstrom(beam.wavelength_A)))
    yield f"  wave={wavelength} meters +/- {g(plain(spectrum.range) * 100.0)}% in {spectrum.ticks} steps"
    if beam.polarized:
        yield f"  Kahn polarization factor: {plain(beam.kahn_factor):f}"
    else:
        yield "  polarization effect disabled"
    if experiment.detector.curved:
        yield "  curved detector: all pixels same distance from origin"
    if experiment.detector.point_pixel:
        yield "  pixel obliquity effect disabled"
    yield f"  incident fluence: {g(plain(model.fluence))} photons/m^2"


def _detector(experiment: Experiment, model: Model) -> Iterator[str]:
    p = model.place
    size = f"{g(plain(p.size_f))}x{g(plain(p.size_s))}"
    pixels = f"{g(plain(p.pixel))} meters ({p.pixels_f}x{p.pixels_s} pixels)"
    yield f"  distance={g(plain(p.distance))} detsize={size}  pixel={pixels}"
    yield f"  sensor is {g(plain(model.thickness))} m thick in {model.layers} layers with mu= {g(plain(model.mu))}"
    for letters, name, first, second in (
        ("XY", "beam", p.Xbeam, p.Ybeam),
        ("FS", "beam", p.Fbeam, p.Sbeam),
        ("XY", "close", p.Xclose, p.Yclose),
        ("FS", "close", p.Fclose, p.Sclose),
    ):
        yield f"  {letters[0]}{name}={g(plain(first))} {letters[1]}{name}={g(plain(second))}"
    for name, axis in (
        ("DIRECTION_OF_DETECTOR_X-AXIS", p.fdet),
        ("DIRECTION_OF_DETECTOR_Y-AXIS", p.sdet),
        ("DIRECTION_OF_DETECTOR_Z-AXIS", p.odet),
        ("INCIDENT_BEAM_DIRECTION", p.beam),
        ("spindle ROTATION_AXIS", p.spindle),
        ("POLARIZATION_PLANE_NORMAL", cross(p.beam, p.polar)),  # before it is made a unit vector
    ):
        yield f"  {name}= {_words(axis)}"
    x, y, z = (plain(component) * units.MM_PER_M for component in p.pix0)
    yield f"  dials origin= {g(z)} {g(y)} {g(-x)}"
    xmin, xmax, ymin, ymax = experiment.model.roi or (-1, -1, -1, -1)
    xmin, ymin = max(xmin, 0), max(ymin, 0)
    xmax = p.pixels_f if xmax < 0 else xmax
    ymax = p.pixels_s if ymax < 0 else ymax
    yield f"  roi: {xmin} < x < {xmax} && {ymin} < y < {ymax}"


def solid_angle(experiment: Experiment, model: Model) -> Iterator[str]:
    """The line on the detector's solid angle: of the pixels that were rendered, over the steps of a pixel."""
    total = statistics.solid_angle_sr(experiment.model, model)
    angle = total / model.steps if model.steps else math.inf if total else -math.nan
    yield ""
    yield f"solid angle subtended by detector = {g(angle)} steradian ( {g(100.0 * angle / 4.0 / math.pi)}% sphere)"


def _steps(experiment: Experiment, model: Model) -> Iterator[str]:
    detector, crystal = experiment.detector, experiment.crystal
    h, v, _ = _spreads(experiment)
    for name, sampled in (("hdiv", h), ("vdiv", v)):
        yield f"  {name}range={g(plain(sampled.range))} {name}step={g(plain(sampled.step))}  radians"
    directions = model.sources.deviations_rad
    yield f"  {-1 if directions is None else len(directions)} divergence steps"
    yield f"  {len(model.sources.wavelength_m)} sources"
    spread = 0.0 if crystal.mosaic_spread_deg is None else max(plain(crystal.mosaic_spread_deg), 0.0)
    yield f"  {model.domains} mosaic domains over mosaic spread of {g(spread)} degrees"
    start = plain(units.deg(experiment.scan.phi_start_deg))
    end = (start + plain(model.osc_rad)) * units.DEG_PER_RAD
    ticks = len(model.phi_deg) // model.domains
    yield f"  {ticks} phi steps from {g(start * units.DEG_PER_RAD)} to {g(end)} degrees"
    flags = (
        ("thick", detector.oversample_thick),
        ("polar", detector.oversample_polar),
        ("omega", detector.oversample_omega),
    )
    extra = "".join(f" +{name}" for name, is_on in flags if is_on)
    yield f"  {model.oversample}x{model.oversample} pixel oversample steps{extra}"
