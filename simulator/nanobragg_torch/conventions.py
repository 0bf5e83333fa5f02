"""The axes and the pivot of the named detector conventions. Source: model section 4, the table."""

from __future__ import annotations

from typing import NamedTuple

Axes = dict[str, tuple[float, ...]]

_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_MINUS_X, _MINUS_Y, _MINUS_Z = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)
_NAMES = (
    "beam_vector",
    "fdet_vector",
    "sdet_vector",
    "odet_vector",
    "twotheta_axis",
    "polar_vector",
    "spindle_axis",
)


class Convention(NamedTuple):
    """Axes by setting name, and what a 2θ arm turns about ("beam" spot or "sample")."""

    axes: Axes
    pivot: str


def _axes(*vectors: tuple[float, ...]) -> Axes:
    return dict(zip(_NAMES, vectors, strict=True))


# What CUSTOM takes for a vector that no flag gives.
DEFAULT_AXES: Axes = _axes(_X, _Z, _MINUS_Y, _X, _Y, _Z, _Z)

_MOSFLM = _axes(_X, _Z, _MINUS_Y, _X, _MINUS_Z, _Z, _Z)
NAMED: dict[str, Convention] = {
    "MOSFLM": Convention(_MOSFLM, "beam"),
    "DENZO": Convention(_MOSFLM, "beam"),
    "ADXV": Convention(_axes(_Z, _X, _MINUS_Y, _Z, _MINUS_X, _X, _X), "beam"),
    "XDS": Convention(_axes(_Z, _X, _Y, _Z, _X, _X, _X), "sample"),
    "DIALS": Convention(_axes(_Z, _X, _Y, _Z, _Y, _Y, _Y), "sample"),
}
