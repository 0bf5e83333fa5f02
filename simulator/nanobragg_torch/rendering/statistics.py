"""What is printed about an image, and the scales that its integer copies take from it. Source: model section 10."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from nanobragg_torch.rendering.render import active_pixels, indices
from nanobragg_torch.settings import ModelSettings


@dataclass(frozen=True)
class Statistics:
    """Over the rendered pixels: the maximum and where it is (slow, fast), mean, rms, rms deviation."""

    maximum: float
    at: tuple[int, int]
    mean: float
    rms: float
    rmsd: float


def rendered_pixels(settings: ModelSettings, height: int, width: int) -> np.ndarray:
    """(height, width), True where a pixel is in the region of interest and not masked."""
    chosen = np.zeros((height, width), dtype=bool)
    cpu = torch.device("cpu")
    chosen.reshape(-1)[indices(active_pixels(settings, height, width, None, cpu), cpu).numpy()] = True
    return chosen


def image_statistics(image: np.ndarray, rendered: np.ndarray, scanned: np.ndarray) -> Statistics:
    """Of a float32 image (slow, fast), over the pixels that `rendered` is True for.

    The rms deviation alone is over `scanned`: the whole region of interest, masked pixels (which are 0) included. So
    the original has it.
    """
    if not rendered.any():
        return Statistics(0.0, (0, 0), 0.0, 0.0, 0.0)
    with np.errstate(invalid="ignore"):  # pixels can be infinite: a running product may overflow
        return _statistics(image, rendered, scanned)


def _statistics(image: np.ndarray, rendered: np.ndarray, scanned: np.ndarray) -> Statistics:
    values = image[rendered].astype(np.float64)
    maximum = max(float(values.max()), 0.0)
    where = np.argmax(np.where(rendered, image, -np.inf))
    slow, fast = divmod(int(where), image.shape[1])
    mean = float(values.mean())
    free = values.size - 1
    rms = math.sqrt(float((values * values).sum()) / free) if free else 0.0
    # quirk masked-rmsd: this counts the masked pixels too, as zeros.
    deviations = image[scanned].astype(np.float64) - mean
    free = deviations.size - 1
    rmsd = math.sqrt(float((deviations * deviations).sum()) / free) if free else 0.0
    return Statistics(maximum, (slow, fast), mean, rms, rmsd)


def smv_scale(asked: float, maximum: float) -> float:
    """Counts per photon of the SMV image: as asked, else 55000 for the maximum."""
    if asked > 0:
        return asked
    return 55000.0 / maximum if maximum > 0 else 1.0


def pgm_scale(asked: float, rmsd: float, smv: float) -> float:
    """Of the PGM image: as asked, else 250 for five rms deviations, else that of the SMV image."""
    if asked > 0:
        return asked
    return 250.0 / (5.0 * rmsd) if rmsd > 0 else smv


def smv_pixels(image: np.ndarray, rendered: np.ndarray, scale: float, adc_offset: float) -> np.ndarray:
    """floor(x·scale + adc + ½), clipped to 16 bits; pixels that were not rendered are 0."""
    counts = np.clip(np.floor(image.astype(np.float64) * scale + adc_offset + 0.5), 0.0, 65535.0)
    return np.where(rendered, counts, 0.0).astype(np.uint16)
