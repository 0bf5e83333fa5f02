"""The image panel's pictures, made where a bundle is made or read: plain PNGs in the image's own pixels.

An overview pooled by maximum, so that single-pixel spots stay visible, and around each marked pixel a patch at full
resolution. Nothing but pixels is drawn: marks, axes and zoom are the page's.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity.result.result import Result

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bytes = npt.NDArray[np.uint8]

OVERVIEW = 640
"""Longest side of an overview in picture elements."""
PATCH = 96
"""Side of a patch in pixels of the image."""
MOST_PATCHES = 8
DECADES = 7
"""How far below the brightest pixel the grey scale reaches."""
SIGNED_DECADES = 5
"""As DECADES, for the difference."""
LINEAR = "-linear"
"""In the name of a picture on a linear scale; the others are logarithmic."""
TEXTS = ("commands.txt", "env.json", "git.json")
"""Files of a bundle that its page shows parts of."""


def bundle_files(folder: Path, result: Result) -> dict[str, bytes]:
    """What the page of a bundle embeds: pictures by name, from its float images, and commands.txt.

    A bundle without images gives no pictures. Names: `c.png`, `py.png`, `difference.png`, for patches
    `c@SLOW,FAST.png` by the patch's first pixel, and each of these as `c-linear.png` on a linear scale.
    """
    files = {}
    for name in TEXTS:
        if (folder / name).is_file():
            files[name] = (folder / name).read_bytes()
    paths = [folder / "images" / f"{side}.bin" for side in ("c", "py")]
    if result.images is not None and all(path.is_file() for path in paths):
        from trace_parity.compare.images import read_image

        c, py = (read_image(path, result.images.shape).astype("float64") for path in paths)
        files |= pictures(c, py, patch_corners(result))
    return files


def two_loops(result: Result) -> list[tuple[int, int]]:
    """The traced places that lie on an image: those of a focus of two loops."""
    return [(place[0], place[1]) for place in result.case.places if len(place) == 2]


def patch_corners(result: Result) -> list[tuple[int, int]]:
    """First pixel (slow, fast) of the patch around each traced pixel and around the largest difference."""
    if result.images is None:
        return []
    shape = result.images.shape
    marked = [*two_loops(result)[: MOST_PATCHES - 1], result.images.max_abs_at]
    corners = (tuple(max(0, min(at - PATCH // 2, n - PATCH)) for at, n in zip(m, shape, strict=True)) for m in marked)
    return list(dict.fromkeys((slow, fast) for slow, fast in corners))


def pictures(c: Floats, py: Floats, corners: Iterable[tuple[int, int]]) -> dict[str, bytes]:
    """PNGs of both images on one grey scale, and of py - c from blue through white to red; logarithmic and linear."""
    import numpy as np

    c, py = np.nan_to_num(c), np.nan_to_num(py)
    top = max(float(np.abs(c).max()), float(np.abs(py).max())) or 1.0
    difference = py - c
    largest = float(np.abs(difference).max()) or 1.0
    factor = max(1, -(-max(c.shape) // OVERVIEW))
    places = {"": (slice(None), slice(None))}
    places |= {f"@{slow},{fast}": (slice(slow, slow + PATCH), slice(fast, fast + PATCH)) for slow, fast in corners}
    files = {}
    for suffix, here in places.items():
        by = factor if not suffix else 1
        for scale, linear in (("", False), (LINEAR, True)):
            for name, image in (("c", c), ("py", py)):
                shade = _grey(_pooled(image[here], by), top, linear=linear)
                files[f"{name}{scale}{suffix}.png"] = png(shade)
            shade = _signed(_pooled(difference[here], by), largest, linear=linear)
            files[f"difference{scale}{suffix}.png"] = png(shade)
    return files


def covered(shape: tuple[int, int]) -> tuple[int, int]:
    """How many pixels (slow, fast) an overview of an image of this shape spans: whole blocks, so maybe a few more."""
    factor = max(1, -(-max(shape) // OVERVIEW))
    return -(-shape[0] // factor) * factor, -(-shape[1] // factor) * factor


def _pooled(image: Floats, factor: int) -> Floats:
    """Of each block the value of largest magnitude, with its sign."""
    import numpy as np

    slow, fast = (-(-n // factor) for n in image.shape)
    padding = ((0, slow * factor - image.shape[0]), (0, fast * factor - image.shape[1]))
    blocks = np.pad(image, padding).reshape(slow, factor, fast, factor)
    high, low = blocks.max(axis=(1, 3)), blocks.min(axis=(1, 3))
    picked: Floats = np.where(high >= -low, high, low)
    return picked


def _grey(image: Floats, top: float, *, linear: bool) -> Bytes:
    """Black for `top`; white for DECADES below it and less, or for 0 on a linear scale."""
    import numpy as np

    if linear:
        even: Bytes = np.rint(255 * (1 - np.abs(image) / top)).astype(np.uint8)
        return even
    depth = np.log10(np.maximum(np.abs(image) / top, 10.0**-DECADES)) / DECADES
    shade: Bytes = np.rint(-255 * depth).astype(np.uint8)
    return shade


def _signed(image: Floats, largest: float, *, linear: bool) -> Bytes:
    """Red above, blue below, white for what is SIGNED_DECADES below the largest, or for 0 on a linear scale."""
    import numpy as np

    strength = np.abs(image) / largest
    if not linear:
        strength = 1 + np.log10(np.maximum(strength, 10.0**-SIGNED_DECADES)) / SIGNED_DECADES
    ends = np.where(image[..., None] > 0, np.array([178.0, 24.0, 43.0]), np.array([33.0, 102.0, 172.0]))
    shade: Bytes = np.rint(255 + (ends - 255) * strength[..., None]).astype(np.uint8)
    return shade


def png(image: Bytes) -> bytes:
    """A PNG of an array (rows, columns) of greys or (rows, columns, 3) of colours; the same bytes every time."""
    rows, columns = image.shape[:2]
    lines = image.reshape(rows, -1)
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0 if image.ndim == 2 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def place_of(name: str) -> tuple[str, tuple[int, int] | None]:
    """`c@10,20.png` to ("c", (10, 20)); an overview has no corner."""
    picture, _, corner = name.removesuffix(".png").partition("@")
    if not corner:
        return picture, None
    slow, _, fast = corner.partition(",")
    return picture, (int(slow), int(fast))


def by_panel(files: Mapping[str, bytes]) -> dict[str, dict[tuple[int, int] | None, bytes]]:
    """The pictures of each of the panels c, py and difference, by corner."""
    panels: dict[str, dict[tuple[int, int] | None, bytes]] = {}
    for name, data in files.items():
        if name.endswith(".png"):
            panel, corner = place_of(name)
            panels.setdefault(panel, {})[corner] = data
    return panels
