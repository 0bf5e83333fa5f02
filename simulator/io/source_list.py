"""Source lists: a line per source, `X Y Z weight wavelength[m]`; columns missing at the end take defaults."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import ExperimentError
from simulator.io.text import as_float, read_text


def read_source_list(path: Path, flag: str = "-sourcefile") -> tuple[tuple[float | None, ...], ...]:
    """One tuple of up to five numbers per line; blank lines and lines that begin with # are passed over."""
    rows = []
    for number, text in enumerate(read_text(path, flag).splitlines(), 1):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        row = [as_float(word) for word in words[:5]]
        if None in row:
            raise ExperimentError(
                f"{flag}: {path} line {number} is {text.strip()!r}, expected numbers X Y Z weight lambda"
            )
        if len(row) >= 3 and row[:3] == [0.0, 0.0, 0.0]:
            raise ExperimentError(f"{flag}: {path} line {number} puts a source at the sample")
        if len(row) == 5 and not (row[4] or 0.0) > 0:
            raise ExperimentError(f"{flag}: {path} line {number} has the wavelength {row[4]}, expected metres above 0")
        rows.append(tuple(row))
    if not rows:
        raise ExperimentError(f"{flag}: {path} holds no source, expected lines X Y Z weight lambda")
    return tuple(rows)
