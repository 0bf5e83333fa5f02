"""SMV images: a text header padded to 512 bytes, then unsigned 16-bit pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.atomic import write_bytes
from nanobragg_torch.io.text import leading_number, read_bytes

HEADER_BYTES = 512


@dataclass(frozen=True)
class SmvImage:
    """Header text and pixels (slow, fast)."""

    header: str
    pixels: np.ndarray

    def number(self, keyword: str) -> float | None:
        """The number after the last place where `keyword` occurs, be it in a longer one; None if there is none."""
        start = self.header.rfind(keyword)
        if start < 0:
            return None
        rest = self.header[start + len(keyword) :].lstrip(" =\t")
        return leading_number(rest)


def read_smv(path: Path, flag: str) -> SmvImage:
    """Read an image; the last occurrence of a keyword wins, the byte order is honoured."""
    data = read_bytes(path, flag)
    first = SmvImage(data[:HEADER_BYTES].decode("latin-1"), np.zeros((0, 0)))
    size = int(first.number("HEADER_BYTES") or 0)
    if not data.startswith(b"{") or size < 1 or size > len(data):
        raise ExperimentError(f"{flag}: {path} is no SMV image, expected a header with HEADER_BYTES")
    head = SmvImage(data[:size].decode("latin-1"), np.zeros((0, 0)))
    width, height = int(head.number("SIZE1") or 0), int(head.number("SIZE2") or 0)
    if width < 1 or height < 1:
        raise ExperimentError(f"{flag}: {path} has SIZE1 {width} and SIZE2 {height}, expected whole numbers above 0")
    expected = 2 * width * height
    if len(data) - size < expected:
        raise ExperimentError(f"{flag}: {path} is short: {len(data) - size} bytes of pixels, expected {expected}")
    order = ">" if "BYTE_ORDER=big_endian" in head.header else "<"
    pixels = np.frombuffer(data[size : size + expected], dtype=f"{order}u2").reshape(height, width)
    return SmvImage(head.header, pixels.astype(np.uint16))


def header_text(numbers: Mapping[str, float | str | tuple[float, ...]]) -> str:
    """The header of an image whose keywords have these values, in order."""
    lines = ["{", f"HEADER_BYTES={HEADER_BYTES};", "DIM=2;", "BYTE_ORDER=little_endian;", "TYPE=unsigned_short;"]
    for key, value in numbers.items():
        if isinstance(value, tuple):
            # quirk dials-origin-no-semicolon
            lines.append(f"{key}={','.join(f'{x:g}' for x in value)}")
        else:
            lines.append(f"{key}={value};" if isinstance(value, str) else f"{key}={value:g};")
    return "\n".join(lines) + "\n}\f"


def write_smv(path: Path, header: str, pixels: np.ndarray, flag: str) -> None:
    """Write pixels (slow, fast) of unsigned 16 bits under a header from `header_text`."""
    padded = header.encode("ascii").ljust(HEADER_BYTES, b" ")
    write_bytes(path, padded + np.ascontiguousarray(pixels, dtype="<u2").tobytes(), flag)
