"""MOSFLM orientation matrices: nine numbers, row i holding component i of a*, b*, c*, times the wavelength in Å."""

from __future__ import annotations

from pathlib import Path

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io.text import as_float, read_text


def read_mat(path: Path, flag: str = "-mat") -> tuple[float, ...]:
    """The nine numbers, row by row."""
    numbers = []
    for word in read_text(path, flag).split()[:9]:
        number = as_float(word)
        if number is None:
            raise ExperimentError(f"{flag}: {path} holds {word!r}, expected nine numbers")
        numbers.append(number)
    if len(numbers) < 9:
        raise ExperimentError(f"{flag}: {path} holds {len(numbers)} numbers, expected nine")
    return tuple(numbers)
