"""Which column of a reflection file holds the amplitudes: the one that is asked for, or the one that must be meant.

A column of intensities is taken only when it is asked for, as the square root of max(I, 0). Map coefficients are
never taken by themselves. Of a pair F(+), F(-) the second goes to the Friedel mates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nanobragg_torch.errors import ExperimentError

AMPLITUDE, PAIRED_AMPLITUDE, INTENSITY, PAIRED_INTENSITY = "F", "G", "J", "K"  # the types of MTZ columns
_KNOWN = (
    "F FP FOBS F-OBS F-OBS-FILTERED F_MEAS_AU F_MEAS F-MODEL FMODEL FC F-CALC FCALC F_CALC_AU F_CALC FC_ALL FC_ALL_LS"
).split()
_MAP_COEFFICIENT = re.compile(r"WT|FOFC|^DEL", re.IGNORECASE)
_CIF_TYPES = (
    (re.compile(r"^(pdbx_)?F_(plus|minus)$"), PAIRED_AMPLITUDE),
    (re.compile(r"^(pdbx_)?I_(plus|minus)$"), PAIRED_INTENSITY),
    (re.compile(r"^(intensity|F_squared)_(meas|calc)(_au)?$"), INTENSITY),
    (re.compile(r"^F_(meas|calc)(_au)?$"), AMPLITUDE),
)
_PARTNERS = (("(+)", "(-)"), ("_plus", "_minus"))


@dataclass(frozen=True)
class Column:
    """Labels of what to read; `minus` holds the Friedel mates where they have a column of their own."""

    label: str
    minus: str | None
    is_intensity: bool


def cif_type(label: str) -> str:
    """The MTZ type of a column of a CIF loop, by its name; empty for what is neither amplitude nor intensity."""
    return next((kind for pattern, kind in _CIF_TYPES if pattern.match(label)), "")


def choose(columns: Sequence[tuple[str, str]], asked: str | None, where: str) -> Column:
    """The column of `columns` (label, type) to use; ExperimentError begins with `where` and lists them."""
    types = dict(columns)
    if asked is not None:
        if asked not in types:
            raise ExperimentError(f"{where} has no column {asked}, expected one of {', '.join(types)}")
        if types[asked] not in (AMPLITUDE, PAIRED_AMPLITUDE, INTENSITY, PAIRED_INTENSITY):
            usable = [label for label, kind in columns if kind in "FGJK" and kind] or ["none is there"]
            raise ExperimentError(
                f"{where}: column {asked} holds neither amplitudes nor intensities; those that do: {', '.join(usable)}"
            )
        return _column(asked, types)
    amplitudes = [label for label, kind in columns if kind == AMPLITUDE and not _MAP_COEFFICIENT.search(label)]
    for known in _KNOWN:
        for label in amplitudes:
            if label.upper() == known:
                return _column(label, types)
    if len(amplitudes) == 1:
        return _column(amplitudes[0], types)
    pairs = [label for label, kind in columns if kind == PAIRED_AMPLITUDE and _partner(label, types)]
    if not amplitudes and len(pairs) == 1:
        return _column(pairs[0], types)
    if amplitudes or pairs:
        raise ExperimentError(f"{where} has several columns of amplitudes, name one: {', '.join(amplitudes or pairs)}")
    intensities = [label for label, kind in columns if kind in (INTENSITY, PAIRED_INTENSITY)]
    if intensities:
        raise ExperimentError(
            f"{where} has no amplitudes; name a column of intensities to take sqrt(max(I, 0)): {', '.join(intensities)}"
        )
    raise ExperimentError(f"{where} has neither amplitudes nor intensities, only {', '.join(types) or 'no column'}")


def _column(label: str, types: dict[str, str]) -> Column:
    kind = types[label]
    paired = kind in (PAIRED_AMPLITUDE, PAIRED_INTENSITY)
    return Column(label, _partner(label, types) if paired else None, kind in (INTENSITY, PAIRED_INTENSITY))


def _partner(label: str, types: dict[str, str]) -> str | None:
    """The column of the Friedel mates that belongs to a column of `+` values."""
    for plus, minus in _PARTNERS:
        if plus in label and label.replace(plus, minus) in types:
            return label.replace(plus, minus)
    return None
