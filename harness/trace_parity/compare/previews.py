"""Previews of two float images: grey on one logarithmic scale, their difference in colours, traced pixels circled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trace_parity.compare.images import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

PREVIEW_PIXELS = 800
"""Longest side of a preview; larger images are pooled by their maximum, so that single-pixel spots stay visible."""
SMALLEST = 400
"""Longest side of a small image's preview at least; its pixels are drawn as squares."""
DECADES, SIGNED_DECADES = 7, 3
NOT_FINITE = (255, 200, 0)
ABOVE, BELOW = (178, 24, 43), (33, 102, 172)
MARK = (255, 127, 14)
MARGIN, BAR, LABELS = 24, 14, 70


def write_previews(c: Image, py: Image, folder: Path, marks: Sequence[tuple[int, int]], unit: str = "") -> list[str]:
    """`c.png`, `py.png` on one logarithmic grey scale and `difference.png` (py - c), traced pixels circled.

    Pixels that are not finite are yellow.
    """
    with np.errstate(invalid="ignore"):
        wide = py.astype(np.float64) - c.astype(np.float64)
    pooled = {"c": _pool(c.astype(np.float64)), "py": _pool(py.astype(np.float64)), "difference": _pool(wide)}
    top = max(_largest(pooled["c"]), _largest(pooled["py"]))
    largest = _largest(pooled["difference"])
    factor = _factor(c.shape)
    circles = [(slow / factor, fast / factor) for slow, fast in marks]
    titles = {
        "c": f"C: {unit} per pixel" if unit else "C",
        "py": f"PY: {unit} per pixel" if unit else "PY",
        "difference": f"PY - C, largest {largest:.3g} {unit}".rstrip() if largest else "PY - C: no pixel differs",
    }
    for name, image in pooled.items():
        signed = name == "difference"
        scale = largest if signed else top
        picture = _framed(_coloured(image, scale, signed), titles[name], scale, signed, circles)
        picture.save(folder / f"{name}.png")
    return [f"{name}.png" for name in pooled]


def _largest(image: Floats) -> float:
    return float(np.abs(image[np.isfinite(image)]).max(initial=0.0))


def _coloured(image: Floats, top: float, signed: bool) -> Bytes:
    """(rows, columns, 3). Grey, black for `top`; or red above and blue below 0; white for what is decades smaller."""
    size = np.abs(np.nan_to_num(image, posinf=0.0, neginf=0.0)) / (top or 1.0)
    decades = SIGNED_DECADES if signed else DECADES
    strength = (1 + np.log10(np.clip(size, 10.0**-decades, 1.0)) / decades)[..., None]
    ends = np.where(image[..., None] > 0, ABOVE, BELOW) if signed else np.zeros(3)
    shade = np.rint(255 + (ends - 255) * strength).astype(np.uint8)
    shade[~np.isfinite(image)] = NOT_FINITE
    return shade


def _framed(shade: Bytes, title: str, top: float, signed: bool, circles: Sequence[tuple[float, float]]) -> Picture:
    """The picture with its title, a scale at its right, and circles around pixels (slow, fast)."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    times = max(1, SMALLEST // max(shade.shape[:2]))
    width, height = shade.shape[1] * times, shade.shape[0] * times
    picture = Pictures.new("RGB", (max(width, 240) + 2 * MARGIN + BAR + LABELS, max(height, 120) + 2 * MARGIN), "white")
    picture.paste(Pictures.fromarray(shade).resize((width, height), Pictures.Resampling.NEAREST), (MARGIN, MARGIN))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((MARGIN - 1, MARGIN - 1, MARGIN + width, MARGIN + height), outline="black")
    draw.text((MARGIN, 6), title, fill="black")
    draw.text((MARGIN, MARGIN + height + 4), "slow down, fast to the right", fill="black")
    for slow, fast in circles:
        x, y = MARGIN + (fast + 0.5) * times, MARGIN + (slow + 0.5) * times
        draw.ellipse((x - 8, y - 8, x + 8, y + 8), outline=MARK, width=2)
    _draw_scale(picture, (max(width, 240) + MARGIN + 12, MARGIN), top, signed)
    return picture


def _draw_scale(picture: Picture, at: tuple[int, int], top: float, signed: bool) -> None:
    """A bar of colours with the values at its ends and in its middle."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    left, upper = at
    length = picture.height - 2 * MARGIN
    even = np.linspace(1.0, -1.0 if signed else 0.0, length)
    decades = SIGNED_DECADES if signed else DECADES
    values = np.sign(even) * 10.0 ** (decades * (np.abs(even) - 1))
    bar = np.repeat(_coloured(values[:, None], 1.0, signed), BAR, axis=1)
    picture.paste(Pictures.fromarray(bar), (left, upper))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left - 1, upper - 1, left + BAR, upper + length), outline="black")
    labels = (top, 0.0, -top) if signed else (top, top * 10.0 ** (-DECADES / 2), top * 10.0**-DECADES)
    for n, value in enumerate(labels):
        draw.text((left + BAR + 5, upper - 5 + n * length // 2), f"{value:.3g}", fill="black")


def _factor(shape: Sequence[int]) -> int:
    return max(1, -(-max(shape) // PREVIEW_PIXELS))


def _pool(image: Floats) -> Floats:
    """Of each block of pixels the value of largest magnitude, with its sign; one that is not finite before all."""
    factor = _factor(image.shape)
    if factor == 1:
        return image
    slow, fast = (-(-n // factor) for n in image.shape)
    padding = ((0, slow * factor - image.shape[0]), (0, fast * factor - image.shape[1]))
    blocks = np.pad(image, padding, mode="edge").reshape(slow, factor, fast, factor)
    high, low = blocks.max(axis=(1, 3)), blocks.min(axis=(1, 3))
    picked: Floats = np.where(np.abs(high) >= np.abs(low), high, low)
    return picked
