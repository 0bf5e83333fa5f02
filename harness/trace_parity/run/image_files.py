"""Two existing float images: their size, metrics and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trace_parity.errors import Exit, HarnessError

if TYPE_CHECKING:
    from trace_parity.compare.images import Image
    from trace_parity.pair.pair import Pair
    from trace_parity.pair.programs import Programs
    from trace_parity.result.result import Result

Shape = tuple[int, int]
"""(slow, fast)."""
HEAD_BYTES = 1 << 20
"""How much of a log is searched for the image's size: programs print it before they begin."""
MOST_MARKED = 7
"""Traced pixels that the page marks and shows at full resolution."""


@dataclass(frozen=True)
class ImagePair:
    """Both images, of one shape."""

    c: Image
    py: Image


def parse_shape(text: str) -> Shape:
    """`SLOW,FAST` in pixels. Raises HarnessError (exit 2)."""
    match = re.fullmatch(r"([1-9]\d{0,6})\s*[,x]\s*([1-9]\d{0,6})", text.strip())
    if match is None:
        raise HarnessError(Exit.USAGE, f"{text!r} is not a shape", where="--shape", expected="SLOW,FAST in pixels")
    return int(match[1]), int(match[2])


def shape_in_logs(logs: Iterable[Path], programs: Programs) -> Shape | None:
    """The size that a program printed into one of the logs. Raises HarnessError (exit 4) when they name two sizes."""
    found = {}
    for log in logs:
        try:
            with log.open("rb") as stream:
                head = stream.read(HEAD_BYTES).decode("utf-8", "replace")
        except OSError:
            continue  # reading the log will report what is wrong with it
        if (shape := programs.find_shape(head)) is not None:
            found[log.name] = shape
    if len(set(found.values())) > 1:
        raise HarnessError(Exit.SHAPE_MISMATCH, f"the logs name different sizes of the image (slow, fast): {found}")
    return next(iter(found.values()), None)


def read_images(
    pair: Pair, c: Path | None, py: Path | None, shape: str | None, logs: Iterable[Path]
) -> ImagePair | None:
    """Both images; None when none is named.

    Raises HarnessError: exit 2 for one image without the other or if the shape is unknown, exit 4 when a file has
    another size, exit 5 when it cannot be read.
    """
    if c is None and py is None:
        if shape is not None:
            raise HarnessError(
                Exit.USAGE, "a shape without images", where="--shape", expected="--c-image and --py-image"
            )
        return None
    if c is None or py is None:
        lacking = "--c-image" if c is None else "--py-image"
        raise HarnessError(Exit.USAGE, "one image only", where=lacking, expected="both, or neither")
    from trace_parity.compare.images import read_image

    size = parse_shape(shape) if shape is not None else shape_in_logs(logs, pair.programs)
    if size is None:
        raise HarnessError(
            Exit.USAGE,
            "the shape of the images is unknown",
            where="--shape",
            expected="SLOW,FAST in pixels",
            hint="a float image has no header; the logs did not print the image's size either",
        )
    return ImagePair(read_image(c, size), read_image(py, size))


def with_places_of_traces(result: Result) -> Result:
    """The result with the first traced places that lie on the images named, so that the page marks them."""
    if result.case.places or result.images is None:
        return result
    slow, fast = result.images.shape
    rows = [*(d.loops for d in result.divergences), *result.per_tick]
    found = dict.fromkeys(tuple(row.values())[:2] for row in rows if len(row) >= 2)
    inside = [(s, f) for s, f in found if isinstance(s, int) and isinstance(f, int) and s < slow and f < fast]
    return replace(result, case=replace(result.case, places=tuple(inside[:MOST_MARKED])))


def embedded(result: Result, images: ImagePair) -> dict[str, bytes]:
    """The pictures that a page of this result embeds."""
    from trace_parity.render.pictures import patch_corners, pictures

    return pictures(images.c.astype("float64"), images.py.astype("float64"), patch_corners(result))
