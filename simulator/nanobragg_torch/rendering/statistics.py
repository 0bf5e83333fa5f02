"""The statistics printed about an image, and the scales of its integer copies. Source: model section 10."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from nanobragg_torch.experiment import Model
from nanobragg_torch.rendering.blocks import Coordinates, one_thread
from nanobragg_torch.rendering.render import active_pixels, indices
from nanobragg_torch.settings import ModelSettings
from nanobragg_torch.stages import detector

_PIXELS_AT_ONCE = 2**14  # in the caches


@dataclass(frozen=True)
class Statistics:
    """Over the rendered pixels: the maximum and where it is (slow, fast), mean, rms, rms deviation.

    `at` is None where no pixel is above 0.
    """

    maximum: float
    at: tuple[int, int] | None
    mean: float
    rms: float
    rmsd: float


def rendered_pixels(settings: ModelSettings, height: int, width: int) -> np.ndarray:
    """(height, width), True where a pixel is in the region of interest and not masked."""
    chosen = np.zeros((height, width), dtype=bool)
    cpu = torch.device("cpu")
    active = active_pixels(settings, height, width, None, cpu)
    where = slice(active.start, active.stop) if isinstance(active, range) else indices(active, cpu).numpy()
    chosen.reshape(-1)[where] = True
    return chosen


def scanned_pixels(settings: ModelSettings, height: int, width: int) -> np.ndarray:
    """(height, width), True where a pixel is in the region of interest, masked or not."""
    return rendered_pixels(dataclasses.replace(settings, mask=None), height, width)


def solid_angle_sr(settings: ModelSettings, model: Model) -> float:
    """The solid angles of all sub-samples of the rendered pixels, added up as the original does.

    Unless -oversample_omega, that of a pixel's first sub-sample is used for all of them.
    """
    place, n = model.place, model.oversample
    wanted = active_pixels(settings, place.pixels_s, place.pixels_f, None, model.like.device)
    loops = [(layer, s, f) for layer in range(model.layers) for s in range(n) for f in range(n)]
    each, times = (loops, 1) if model.oversample_omega else (loops[:1], len(loops))
    coordinates = Coordinates(place.pixels_f, model.like)
    total = 0.0
    with one_thread():  # a second one would wait more than it adds
        for first in range(0, len(wanted), _PIXELS_AT_ONCE):
            slow, fast = coordinates(wanted[first : first + _PIXELS_AT_ONCE])
            for layer, subS, subF in each:
                depth = model.layer_depth * layer
                position = detector.pixel_position(place, slow, fast, (subS, subF), n, depth, model.curved)
                x, y, z = position.unbind()
                R = torch.sqrt(x * x + y * y + z * z)  # its last bit is not seen in a sum
                total += float(detector.solid_angle(place, R, model.point_pixel).sum())
    return total * times


def image_statistics(image: np.ndarray, rendered: np.ndarray, scanned: np.ndarray) -> Statistics:
    """Of a float32 image (slow, fast), over the pixels that `rendered` is True for.

    Only the rms deviation is over `scanned`: the whole region of interest including masked pixels (which are 0), as in
    the original.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # pixels can be infinite: a running product may overflow
        return _statistics(image, rendered, scanned)


def _statistics(image: np.ndarray, rendered: np.ndarray, scanned: np.ndarray) -> Statistics:
    values = _chosen(image, rendered)
    # From 0: a black image, or one of NaN alone, has its maximum nowhere.
    at = None
    above = np.where(rendered & (image > 0), image, 0.0)
    maximum = float(above.max(initial=0.0))
    if maximum > 0:
        slow, fast = divmod(int(np.argmax(above)), image.shape[1])
        at = (slow, fast)
    # One pixel, or none, is divided by 1.
    mean = float(np.divide(values.sum(dtype=np.float64), max(values.size, 1)))
    # Squared in single precision: this can change the sixth digit of rms.
    rms = np.sqrt((values * values).sum(dtype=np.float64) / max(values.size - 1, 1))
    # quirk masked-rmsd: this counts the masked pixels too, as zeros.
    deviations = _chosen(image, scanned).astype(np.float64)
    deviations -= mean
    deviations *= deviations
    rmsd = np.sqrt(deviations.sum() / max(deviations.size - 1, 1))
    return Statistics(maximum, at, mean, float(rms), float(rmsd))


def _chosen(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(n,) the pixels where `mask` is True; not a copy where it is so everywhere."""
    return image.reshape(-1) if mask.all() else image[mask]


def smv_scale(asked: float, maximum: float) -> float:
    """Counts per photon of the SMV image: as requested, else 55000 for the maximum."""
    if asked > 0:
        return asked
    return 55000.0 / maximum if maximum > 0 else 1.0


def pgm_scale(asked: float, rmsd: float, smv: float) -> float:
    """Of the PGM image: as requested, else 250 for five rms deviations, else that of the SMV image."""
    if asked > 0:
        return asked
    return 250.0 / (5.0 * rmsd) if rmsd > 0 else smv


def smv_pixels(image: np.ndarray, scanned: np.ndarray, scale: float, adc_offset: float) -> np.ndarray:
    """floor(float32(clip(x·scale + adc) + ½)), clipped to 16 bits; pixels outside the region of interest are 0.

    `scanned` is True in the region. A masked pixel is treated as a black one: it has the offset. The sum is rounded to
    single precision before the floor, which moves one pixel in some images; NaN becomes 0.
    """
    pixels = np.zeros(image.shape, dtype=np.uint16)
    rows = max(1, _PIXELS_AT_ONCE // max(image.shape[1], 1))
    with np.errstate(invalid="ignore", over="ignore"):
        for first in range(0, len(image), rows):
            here = slice(first, first + rows)
            counts = np.clip(image[here].astype(np.float64) * scale + adc_offset, 0.0, 65535.0)
            rounded = np.floor((np.nan_to_num(counts, nan=0.0) + 0.5).astype(np.float32))
            pixels[here] = np.where(scanned[here], rounded, 0.0).astype(np.uint16)
    return pixels
