"""SMV images: a text header padded to 512 bytes, then unsigned 16-bit pixels. Source: model section 10."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.atomic import write_bytes
from nanobragg_torch.io.text import leading_number, read_bytes

HEADER_BYTES = 512
KEYWORDS = (
    *("SIZE1", "SIZE2", "PIXEL_SIZE", "DISTANCE", "CLOSE_DISTANCE", "WAVELENGTH", "BEAM_CENTER_X", "BEAM_CENTER_Y"),
    *("ORGX", "ORGY", "PHI", "OSC_RANGE"),
)
# quirk long-header: what is left out first where a header does not fit, last group first.
_OPTIONAL = (
    ("XDS_ORGX", "XDS_ORGY"),
    ("DIALS_ORIGIN",),
    ("MOSFLM_CENTER_X", "MOSFLM_CENTER_Y"),
    ("ADXV_CENTER_X", "ADXV_CENTER_Y"),
    ("DENZO_X_BEAM", "DENZO_Y_BEAM"),
    ("OSC_START", "DETECTOR_SN"),
    ("BEAMLINE",),
)


@dataclass(frozen=True)
class SmvHeader:
    """The text of a header."""

    text: str

    def number(self, keyword: str) -> float | None:
        """The value of a keyword by the original's rule, None where the keyword is missing.

        quirk smv-keyword: the leading number (0 for none) after the first "=" that follows the last place where the
        keyword occurs, be it in a longer word or in a value.
        """
        start = self.text.rfind(keyword)
        if start < 0:
            return None
        _, _, value = self.text[start:].partition("=")
        return leading_number(value)

    def doubts(self) -> Iterator[str]:
        """Warnings about values that the author of the header may not have meant, one line each."""
        for keyword in KEYWORDS:
            yield from self._doubts_of(keyword)
        kind = re.search(r"TYPE[^=]*=([^;\n]*)", self.text[max(self.text.rfind("TYPE"), 0) :])
        if kind and kind[1] != "unsigned_short":
            yield f"TYPE={kind[1]}: its pixels are taken for unsigned_short (quirk smv-type)"

    def _doubts_of(self, keyword: str) -> Iterator[str]:
        start = self.text.rfind(keyword)
        value = self.number(keyword)
        if start < 0:
            return
        before, _, after = self.text[start:].partition("=")
        if "\n" in before:
            yield (
                f"{keyword} is last found in a line without a value after it; it is {value:g}, after the next "
                '"=" (quirk smv-keyword)'
            )
        if re.match(r"\s*[-+.\d][-+.\deE]*[ \t]+[-+.]?\d", after):
            yield f"{keyword} has several numbers: the first, {value:g}, is taken (quirk smv-keyword)"


@dataclass(frozen=True)
class SmvImage(SmvHeader):
    """The text of a header and pixels (slow, fast)."""

    pixels: np.ndarray


def read_smv_header(path: Path, flag: str) -> tuple[SmvHeader, bytes]:
    """The header and the bytes of the pixels behind it."""
    data = read_bytes(path, flag)
    size = int(SmvHeader(data[:HEADER_BYTES].decode("latin-1")).number("HEADER_BYTES") or 0)
    if not data.startswith(b"{") or size < 1 or size > len(data):
        raise ExperimentError(f"{flag}: {path} is not an SMV image, expected a header with HEADER_BYTES")
    header = SmvHeader(data[:size].decode("latin-1"))
    sizes = [header.number(name) for name in ("SIZE1", "SIZE2")]
    if any(number is not None and number < 1 for number in sizes):
        raise ExperimentError(
            f"{flag}: {path} has SIZE1 {sizes[0]} and SIZE2 {sizes[1]}, expected whole numbers above 0"
        )
    return header, data[size:]


def read_smv(path: Path, flag: str) -> SmvImage:
    """An image; the byte order is honoured."""
    header, data = read_smv_header(path, flag)
    width, height = (int(header.number(name) or 0) for name in ("SIZE1", "SIZE2"))
    if width < 1 or height < 1:
        raise ExperimentError(f"{flag}: {path} has no SIZE1 and SIZE2 in its header, expected both")
    expected = 2 * width * height
    if len(data) < expected:
        raise ExperimentError(f"{flag}: {path} is short: {len(data)} bytes of pixels, expected {expected}")
    order = ">" if "BYTE_ORDER=big_endian" in header.text else "<"
    pixels = np.frombuffer(data[:expected], dtype=f"{order}u2").reshape(height, width)
    return SmvImage(header.text, pixels.astype(np.uint16))


def header_text(numbers: Mapping[str, float | str | tuple[float, ...]]) -> str:
    """The header of an image whose keywords have these values, in order, without those that have no room in it."""
    return _fitted(numbers)[0]


def left_out(numbers: Mapping[str, float | str | tuple[float, ...]]) -> tuple[str, ...]:
    """The keywords that do not fit in the header.

    quirk long-header: the original also writes what does not fit; here optional keywords are left out.
    """
    return _fitted(numbers)[1]


def _fitted(numbers: Mapping[str, float | str | tuple[float, ...]]) -> tuple[str, tuple[str, ...]]:
    lines = {key: _line(key, value) for key, value in numbers.items()}
    missing: list[str] = []
    for group in ((), *reversed(_OPTIONAL)):
        missing += [key for key in group if lines.pop(key, None) is not None]
        text = _joined(lines.values())
        if len(text) <= HEADER_BYTES:
            break
    return text, tuple(missing)


def _joined(lines: Iterable[str]) -> str:
    first = ("{", f"HEADER_BYTES={HEADER_BYTES};", "DIM=2;", "BYTE_ORDER=little_endian;", "TYPE=unsigned_short;")
    return "\n".join((*first, *lines)) + "\n}\f"


def _line(key: str, value: float | str | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return f"{key}={','.join(f'{x:g}' for x in value)}"  # quirk dials-origin-no-semicolon
    return f"{key}={value};" if isinstance(value, str) else f"{key}={value:g};"


def write_smv(path: Path, header: str, pixels: np.ndarray, flag: str) -> None:
    """Write pixels (slow, fast) of unsigned 16 bits under a header from `header_text`."""
    padded = header.encode("ascii").ljust(HEADER_BYTES, b" ")
    write_bytes(path, padded + np.ascontiguousarray(pixels, dtype="<u2").tobytes(), flag)
