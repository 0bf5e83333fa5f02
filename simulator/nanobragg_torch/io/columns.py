"""The column of a reflection file with the amplitudes: the requested one, or the only candidate.

Observed pairs F(+), F(-) come first, then an observed column, then calculated amplitudes where no intensities are
there. An F column that its own phase follows and that has no sigma holds map coefficients or calculated amplitudes. A
column of intensities is taken only on request, as the square root of max(I, 0).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nanobragg_torch.errors import ExperimentError

AMPLITUDE, PAIRED_AMPLITUDE, INTENSITY, PAIRED_INTENSITY = "F", "G", "J", "K"  # the types of MTZ columns
PHASE = "P"
SIGMAS = "QLM"
_USABLE = (AMPLITUDE, PAIRED_AMPLITUDE, INTENSITY, PAIRED_INTENSITY)
_OBSERVED = "F FP FOBS F-OBS F-OBS-FILTERED F_MEAS_AU F_MEAS".split()
_CALCULATED = "F-MODEL FMODEL FC F-CALC FCALC F_CALC_AU F_CALC FC_ALL FC_ALL_LS".split()
_MAP_COEFFICIENT = re.compile(r"WT|FOFC|^DEL", re.IGNORECASE)
_CIF_TYPES = (
    (re.compile(r"^(pdbx_)?F_(plus|minus)$"), PAIRED_AMPLITUDE),
    (re.compile(r"^(pdbx_)?I_(plus|minus)$"), PAIRED_INTENSITY),
    (re.compile(r"^(intensity|F_squared)_(meas|calc)(_au)?$"), INTENSITY),
    (re.compile(r"^F_(meas|calc)(_au)?$"), AMPLITUDE),
    (re.compile(r"^phase_(meas|calc)$"), PHASE),
)
_PARTNERS = (("(+)", "(-)"), ("_plus", "_minus"))
_SIGN = re.compile(r"\(\+\)|_plus$|\(-\)|_minus$")


@dataclass(frozen=True)
class Column:
    """Labels of what to read; `minus` holds the Friedel mates where they have a column of their own."""

    label: str
    minus: str | None
    is_intensity: bool


@dataclass(frozen=True)
class Columns:
    """The columns of a file in its order: (label, type of MTZ), which have a sigma, and the mean of one."""

    types: tuple[tuple[str, str], ...]
    with_sigma: frozenset[str]
    mean: Callable[[str], float]

    def is_observed(self, label: str) -> bool:
        """Is this neither a map coefficient nor calculated, judging by name, sigma and phase?"""
        name = _SIGN.sub("", label)
        if _MAP_COEFFICIENT.search(name) or name.upper() in _CALCULATED:
            return False
        labels = [other for other, _ in self.types]
        after = labels.index(label) + 1
        has_phase = after < len(labels) and self.types[after][1] == PHASE
        return label in self.with_sigma or not has_phase


def cif_type(label: str) -> str:
    """The MTZ type of a column of a CIF loop, by its name; empty for what has none here."""
    return next((kind for pattern, kind in _CIF_TYPES if pattern.match(label)), "")


def choose(columns: Columns, asked: str | None, where: str) -> Column:
    """The column to use; ExperimentError begins with `where` and lists the candidates with their means."""
    types = dict(columns.types)
    if asked is not None:
        return _asked(columns, asked, where)
    pairs = [l for l, kind in columns.types if kind == PAIRED_AMPLITUDE and _partner(l, types)]
    lone = [l for l, kind in columns.types if kind == AMPLITUDE and not _MAP_COEFFICIENT.search(l)]
    for group in (pairs, lone):
        observed = [label for label in group if columns.is_observed(label)]
        if label := _known(observed, _OBSERVED) or (observed[0] if len(observed) == 1 else None):
            return _column(label, types)
        if observed:
            raise ExperimentError(f"{where} has several columns of amplitudes, name one: {_listed(columns, observed)}")
    intensities = [label for label, kind in columns.types if kind in (INTENSITY, PAIRED_INTENSITY)]
    calculated = [label for label in (*lone, *pairs) if _SIGN.sub("", label).upper() in _CALCULATED]
    if intensities and (lone or pairs):
        raise ExperimentError(
            f"{where} has intensities, and amplitudes that are calculated or map coefficients; name one: "
            f"{_listed(columns, [*intensities, *lone, *pairs])}"
        )
    if intensities:
        raise ExperimentError(
            f"{where} has no amplitudes; name a column of intensities to take sqrt(max(I, 0)): "
            f"{_listed(columns, intensities)}"
        )
    if label := _known(calculated, _CALCULATED):
        return _column(label, types)
    if lone or pairs:
        raise ExperimentError(
            f"{where} has no observed amplitudes, only columns with a phase and no sigma; name one: "
            f"{_listed(columns, [*lone, *pairs])}"
        )
    raise ExperimentError(f"{where} has neither amplitudes nor intensities, only {', '.join(types) or 'no column'}")


def is_calculated(label: str) -> bool:
    """Does the name indicate calculated values?"""
    return _SIGN.sub("", label).upper() in _CALCULATED or "calc" in label.lower()


def _asked(columns: Columns, asked: str, where: str) -> Column:
    types = dict(columns.types)
    if asked not in types:
        raise ExperimentError(f"{where} has no column {asked}, expected one of {', '.join(types)}")
    if types[asked] not in _USABLE:
        usable = [label for label, kind in columns.types if kind in _USABLE] or ["none is there"]
        raise ExperimentError(
            f"{where}: column {asked} holds neither amplitudes nor intensities; those that do: {', '.join(usable)}"
        )
    return _column(asked, types)


def _listed(columns: Columns, labels: Sequence[str]) -> str:
    return ", ".join(f"{label} (mean {columns.mean(label):.4g})" for label in labels)


def _known(labels: Sequence[str], names: Sequence[str]) -> str | None:
    return next((label for name in names for label in labels if _SIGN.sub("", label).upper() == name), None)


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
