"""The output of a run: images, their headers, the statistics. Source: model section 10."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.cli.effects import Outputs
from nanobragg_torch.cli.report import g
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.io.cbf import header_lines, write_cbf
from nanobragg_torch.io.direct_beam import is_square_on
from nanobragg_torch.io.float_image import write_float_image
from nanobragg_torch.io.nexus import check_geometry, write_nexus
from nanobragg_torch.io.optional import needed
from nanobragg_torch.io.pgm import write_pgm
from nanobragg_torch.io.smv import header_text, left_out, write_smv
from nanobragg_torch.rendering import statistics
from nanobragg_torch.stages.noise import noise_image
from nanobragg_torch.stages.random import Stream
from nanobragg_torch.units import plain


def smv_header(experiment: Experiment, model: Model) -> str:
    """The header of this experiment's SMV images."""
    return header_text(smv_keywords(experiment, model))


def smv_keywords(experiment: Experiment, model: Model) -> dict[str, float | str | tuple[float, ...]]:
    """The contents of the header of this experiment's SMV images, in order."""
    p = model.place

    def mm(length_m: Tensor) -> float:
        return plain(length_m) * units.MM_PER_M

    half = mm(p.pixel) / 2
    x, y, z = (mm(component) for component in p.pix0)
    start = plain(units.deg(experiment.scan.phi_start_deg)) * units.DEG_PER_RAD
    return {
        "SIZE1": str(p.pixels_f),
        "SIZE2": str(p.pixels_s),
        "PIXEL_SIZE": mm(p.pixel),
        "DISTANCE": mm(p.distance),
        "WAVELENGTH": plain(experiment.beam.wavelength_A),
        "BEAM_CENTER_X": mm(p.Xbeam),
        "BEAM_CENTER_Y": mm(p.Ybeam),
        "ADXV_CENTER_X": mm(p.Fbeam),
        "ADXV_CENTER_Y": mm(p.size_s) - mm(p.Sbeam),
        "MOSFLM_CENTER_X": mm(p.Sbeam) - half,
        "MOSFLM_CENTER_Y": mm(p.Fbeam) - half,
        "DENZO_X_BEAM": mm(p.Sbeam),
        "DENZO_Y_BEAM": mm(p.Fbeam),
        "DIALS_ORIGIN": (z, y, -x),
        "XDS_ORGX": plain(p.Fclose / p.pixel) + 0.5,
        "XDS_ORGY": plain(p.Sclose / p.pixel) + 0.5,
        "CLOSE_DISTANCE": mm(p.close_distance),
        "PHI": start,
        "OSC_START": start,
        "OSC_RANGE": plain(model.osc_rad) * units.DEG_PER_RAD,
        "TWOTHETA": plain(experiment.detector.twotheta_deg),
        "DETECTOR_SN": "000",
        "BEAMLINE": "fake",
    }


def output_paths(out: Outputs, folder: Path) -> dict[str, Path]:
    """The image files of a run by the flag that names them; raises ExperimentError where one cannot be written."""
    paths = {
        "-floatfile": out.floatfile or folder / "floatimage.bin",
        "-intfile": out.intfile or folder / "intimage.img",
    }
    if out.with_pgm:
        paths["-pgmfile"] = out.pgmfile or folder / "image.pgm"
    if out.with_noise:
        paths["-noisefile"] = out.noisefile or folder / "noiseimage.img"
    for flag, named in (("-cbffile", out.cbffile), ("-nexusfile", out.nexusfile)):
        if named is not None:
            paths[flag] = named
    for flag, path in paths.items():
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise ExperimentError(f"{flag}: cannot write {path}: no file can be made there")
    return paths


def check_formats(experiment: Experiment, model: Model, out: Outputs) -> Iterator[str]:
    """Warnings about what a requested format cannot store; ExperimentError if it cannot be written at all."""
    if missing := left_out(smv_keywords(experiment, model)):
        yield f"-intfile: the header would not fit in 512 bytes: {', '.join(missing)} left out (quirk long-header)"
    if out.cbffile is not None:
        needed("fabio", "-cbffile")
        header_lines(experiment, model)
        if experiment.detector.curved or not is_square_on(model.place):
            yield "-cbffile: its header has no place for a tilted or curved detector, -nexusfile has one for a tilt"
    if out.nexusfile is not None:
        needed("h5py", "-nexusfile")
        check_geometry(experiment)


def write_outputs(experiment: Experiment, model: Model, image: np.ndarray, out: Outputs, folder: Path) -> list[str]:
    """Write the requested outputs of a float32 image (slow, fast); returns the lines to print."""
    height, width = image.shape
    rendered = statistics.rendered_pixels(experiment.model, height, width)
    scanned = statistics.scanned_pixels(experiment.model, height, width)
    s = statistics.image_statistics(image, rendered, scanned)
    step = plain(model.place.pixel) / model.oversample
    fast = slow = 0.0
    if s.at is not None:
        fast, slow = ((index * model.oversample + model.oversample - 0.5) * step for index in (s.at[1], s.at[0]))
    scale = statistics.smv_scale(out.scale, s.maximum)
    keywords = smv_keywords(experiment, model)
    header = header_text(keywords)
    lines = [
        f"max_I = {g(s.maximum)}  at {fast:g} {slow:g}",
        f"mean= {g(s.mean)} rms= {g(s.rms)} rmsd= {g(s.rmsd)}",
    ]
    lines.append(f"intfile_scale = {scale:g}")
    counts = statistics.smv_pixels(image, scanned, scale, out.adc_offset)
    # All slow work comes before the first file, so that an interrupt leaves no files or nearly all.
    noise, photons, overloads = None, 0.0, 0
    if out.with_noise:
        stream = Stream(model.generator, out.noise_seed)
        noise, photons, overloads = noise_image(image, rendered, stream, out.adc_offset)
    files = output_paths(out, folder)
    write_float_image(files["-floatfile"], image)
    write_smv(files["-intfile"], header, counts, "-intfile")
    if out.cbffile is not None:
        write_cbf(out.cbffile, counts, experiment, model=model)
    if out.nexusfile is not None:
        write_nexus(out.nexusfile, image, experiment, model=model)
    if out.with_pgm:
        scale = statistics.pgm_scale(out.pgm_scale, s.rmsd, scale)
        lines.append(f"pgm_scale = {scale:g}")
        write_pgm(files["-pgmfile"], image, scale)
    if noise is not None:
        lines.append(f"{photons:g} photons on noise image ({overloads} overloads)")
        write_smv(files["-noisefile"], header, noise, "-noisefile")
    return lines + _printout(image, rendered, out)


def _printout(image: np.ndarray, rendered: np.ndarray, out: Outputs) -> list[str]:
    if not out.printout:
        return []
    pixels = np.argwhere(rendered).tolist()
    if out.printout_pixel is not None:
        wanted = [out.printout_pixel[1], out.printout_pixel[0]]
        pixels = [pixel for pixel in pixels if pixel == wanted]
    return [f"{fast:4d} {slow:4d} : {image[slow, fast]:.9g}" for slow, fast in pixels]
