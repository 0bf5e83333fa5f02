"""Source lists: a line per source, `X Y Z weight wavelength[m]`; columns missing at the end take defaults."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.text import as_float, read_text


def read_source_list(path: Path, flag: str = "-sourcefile") -> tuple[tuple[float | None, ...], ...]:
    """One tuple of up to five numbers per line; blank lines and lines that begin with # are passed over."""
    rows = []
    for number, text in enumerate(read_text(path, flag).splitlines(), 1):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        row = [x for x in map(as_float, words[:5]) if x is not None]
        if len(row) < len(words[:5]):
            raise ExperimentError(
                f"{flag}: {path} line {number} is {text.strip()!r}, expected numbers X Y Z weight lambda"
            )
        rows.append(_checked(row, f"{flag}: {path} line {number}"))
    if not rows:
        raise ExperimentError(f"{flag}: {path} holds no source, expected lines X Y Z weight lambda")
    return tuple(rows)


def checked_rows(rows: Sequence[Sequence[float]], name: str) -> tuple[tuple[float, ...], ...]:
    """Rows of one to five numbers; ExperimentError names the invalid row."""
    return tuple(_checked(row, f"{name}: row {number}") for number, row in enumerate(rows, 1))


def _checked(row: Sequence[float], where: str) -> tuple[float, ...]:
    if list(row[:3]) == [0.0, 0.0, 0.0]:
        raise ExperimentError(f"{where} puts a source at the sample")
    if len(row) == 5 and not row[4] > 0:
        raise ExperimentError(f"{where} has the wavelength {row[4]}, expected metres above 0")
    return tuple(row)
