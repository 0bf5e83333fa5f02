"""Equations of sensor, beam and scattering vector: model.md, sections 6 and 7 up to the polarisation factor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from trace_parity.blame.equation import Equation, Form, Input, Values, loop_index
from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.vocabulary import Key

from .common import first_of_pixel, of_unit_length, simple
from .vector_math import ANGLES_MIXED_UP, cross, dot, unit

XRAY = (1e-13, 1e-7)
"""Metres. What an X-ray wavelength can be: nothing that diffracts from crystals is outside, and Å read as m is."""


def _kappa(view: LogView, x: Values) -> np.longdouble:
    """Thickness step times μ, from the places of the first layer; NaN if they do not determine it."""
    layer = loop_index(view.vocabulary, "thick_tic")
    t, rho = x["loops"][:, [layer]], dot(x["diffracted_vec"], x["odet_vec"])
    own = -rho * np.log1p(-x["capture_fraction"])
    fresh = np.isnan(x["first"]) | (x["first"] != x["capture_fraction"])
    if fresh.sum() < 2:  # one place alone fits any κ
        fresh = np.ones_like(fresh)
    own = own[fresh & (t == 0) & (x["capture_fraction"] < 1) & (x["capture_fraction"] > 0)]
    told = len(own) > 1 or (len(own) and len(t) > 1)
    return np.longdouble(np.median(own)) if told else np.longdouble(np.nan)


def _absorbed(view: LogView, x: Values, kappa: np.longdouble) -> Array:
    """x^t (1-x) with x = exp(-κ/ρ)."""
    t = x["loops"][:, [loop_index(view.vocabulary, "thick_tic")]]
    past = np.exp(-kappa / dot(x["diffracted_vec"], x["odet_vec"]))
    captured: Array = past**t * (x["one"] - past)
    return captured


def _capture_forms(view: LogView) -> tuple[Form, ...]:
    return (
        Form("no sensor thickness", lambda x: np.ones_like(x["capture_fraction"])),
        Form("absorbing layer", lambda x: _absorbed(view, x, _kappa(view, x))),
        Form("first value of the layer", lambda x: x["first"]),
    )


def _capture_of_kappa(view: LogView, form: str, whole: Values, rows: Values) -> Callable[[Values], Array] | None:
    kappa = _kappa(view, whole)
    return (lambda x: _absorbed(view, x, kappa)) if form == "absorbing layer" else None


def _first_of_layer(view: LogView, key: Key) -> Key | None:
    layer = view.vocabulary.loops.index("thick_tic")
    first = next(iter(view.keys_within("subsample.capture_fraction", key, layer + 1)), None)
    return None if first == key else first


CAPTURE = Equation(
    "capture",
    "capture_fraction = exp(-t·κ/ρ) - exp(-(t+1)·κ/ρ), ρ = diffracted·odet, one κ for all (no sensor: 1)",
    "7",
    "subsample.capture_fraction",
    (
        Input("subsample.capture_fraction", "capture_fraction"),
        Input("diffracted_vec"),
        Input("odet_vec"),
        Input("subsample.capture_fraction", "first", _first_of_layer, np.nan),
    ),
    _capture_forms,
    conditional=True,
    needs_loops=("thick_tic",),
    settled=_capture_of_kappa,
)


def _in_metres(x: Values) -> Array:
    length = x["lambda_meters"]
    fixed = np.where(length > XRAY[1], length * np.longdouble("1e-10"), length)
    return np.where(length < XRAY[0], length * np.longdouble("1e10"), fixed)


# Polarisation. K is in no log; where a log shows it at two places or more, it must be the same.


TYPED_DECIMALS = 3
DIGITS_OF_DOUBLE = 1e-15
"""How exact cos²2θ and a printed polarisation are."""
BLUNT = 1e-5
"""A K that a place shows to no more than this may have few digits by chance."""


def kahn_factor(x: Values, times: np.longdouble | int = 1) -> Array:
    """K that each place shows; `times`: a factor of ψ."""
    cosine, along = _along(x, times)
    k: Array = (1 + cosine**2 - 2 * x["polar"]) / along
    return k


def _along(x: Values, times: np.longdouble | int = 1) -> tuple[Array, Array]:
    """cos2θ, and what K is multiplied by."""
    cosine, psi = _angles(x)
    return cosine, np.cos(2 * psi * times) * (1 - cosine**2)


def _fresh(x: Values) -> np.ndarray:
    """The places that have a polarisation of their own, not that of the pixel's first one."""
    return np.asarray(np.isnan(x["first"][:, 0]) | (x["first"][:, 0] != x["polar"][:, 0]))


def _angles(x: Values) -> tuple[Array, Array]:
    i, d = x["incident_vec"], x["diffracted_vec"]
    b = unit(cross(x["polar_vec"], i))
    e = unit(cross(i, b))
    return dot(i, d), -np.arctan2(dot(d, b), dot(d, e))


def unpolarised(x: Values) -> Array:
    """(1 + cos²2θ)/2."""
    return (1 + dot(x["incident_vec"], x["diffracted_vec"]) ** 2) / 2


def unpolarised_of_units(x: Values) -> Array:
    """The same when the program makes unit vectors first: a faulty length of i is blamed on i, not on this."""
    return (1 + dot(unit(x["incident_vec"]), unit(x["diffracted_vec"])) ** 2) / 2


def _polar_forms(view: LogView) -> tuple[Form, ...]:
    def kahn(x: Values) -> Array:
        shown = kahn_factor(x)[_fresh(x)]
        k = np.median(shown) if len(shown) > 1 else _as_typed(x, shown)
        return _with_kahn(x, np.full_like(x["polar"], k))

    return (
        Form("unpolarised", unpolarised),
        Form("unpolarised, of unit vectors", unpolarised_of_units),
        Form("no polarisation", lambda x: np.ones_like(x["polar"])),
        Form("Kahn factor", kahn),
        Form("first value of the pixel", lambda x: x["first"]),
    )


def _as_typed(x: Values, shown: Array) -> np.longdouble:
    """K of a single place, which any polarisation shows: only one with as few digits as a user types, else NaN."""
    blunt = DIGITS_OF_DOUBLE / np.min(np.abs(_along(x)[1]))
    typed = np.round(shown, TYPED_DECIMALS)
    is_typed = len(shown) and 0 < abs(typed[0]) <= 1 and blunt < BLUNT and abs(shown[0] - typed[0]) <= blunt
    return np.longdouble(typed[0] if is_typed else np.nan)


def _with_kahn(x: Values, k: Array | np.longdouble, times: np.longdouble | int = 1) -> Array:
    cosine, along = _along(x, times)
    factor: Array = (1 + cosine**2 - k * along) / 2
    return factor


def _wrong_angles(view: LogView) -> tuple[Form, ...]:
    """Ways to take 2θ or ψ wrong. K is in no log: with a wrong ψ all places must show one K, and more than one must."""

    def of_scattering(unit: np.longdouble) -> Callable[[Values], Array]:
        return lambda x: (1 + np.cos(np.arccos(dot(x["incident_vec"], x["diffracted_vec"])) * unit) ** 2) / 2

    def of_psi(times: np.longdouble) -> Callable[[Values], Array]:
        def factor(x: Values) -> Array:
            shown = kahn_factor(x, times)[_fresh(x)]
            return _with_kahn(x, np.median(shown) if len(shown) > 1 else np.longdouble(np.nan), times)

        return factor

    return (
        *(Form(f"2θ {words}", of_scattering(unit)) for unit, words in ANGLES_MIXED_UP),
        *(Form(f"ψ {words}", of_psi(unit)) for unit, words in ANGLES_MIXED_UP),
        Form("cos²θ in place of cos²2θ", of_scattering(np.longdouble(0.5))),
        Form("cos ψ in place of cos 2ψ", of_psi(np.longdouble(0.5))),
        Form("cos 4ψ in place of cos 2ψ", of_psi(np.longdouble(2))),
    )


def _polar_of_kahn(view: LogView, form: str, whole: Values, rows: Values) -> Callable[[Values], Array] | None:
    """Polarisation of other rays with the K that each place shows."""
    if form != "Kahn factor":
        return None
    k = kahn_factor(rows)
    return lambda x: _with_kahn(x, k)


def _perhaps_kahn(x: Values, got: Array) -> np.ndarray:
    k = kahn_factor(x)
    return np.asarray(~(np.abs(k) > 1))


POLAR = Equation(
    "polar",
    "polar = (1 + cos²2θ - K·cos2ψ·sin²2θ)/2, cos2θ = incident·diffracted (unpolarised: K=0; -nopolar: 1)",
    "7",
    "source.polar",
    (
        Input("incident_vec"),
        Input("diffracted_vec"),
        Input("polar_vec", default=np.nan),
        Input("source.polar", "polar"),
        Input("source.polar", "first", first_of_pixel("source.polar", only_others=True), np.nan),
    ),
    _polar_forms,
    conditional=_perhaps_kahn,
    variants=_wrong_angles,
    settled=_polar_of_kahn,
)


def _first_source(view: LogView, key: Key) -> str:
    """Further sources may lie off the axis, in a log that is right."""
    return "" if key[view.vocabulary.loops.index("source")] <= 0 else "source=0"


EQUATIONS: tuple[Equation, ...] = (
    CAPTURE,
    of_unit_length("source.incident_vec", "6"),
    Equation(
        "incident_is_beam",
        "incident of the first source = beam, for a source on the axis",
        "6",
        "source.incident_vec",
        (Input("run.beam_vec"),),
        (Form("unchanged", lambda x: x["beam_vec"]), Form("unit vector", lambda x: unit(x["beam_vec"]))),
        conditional=True,
        needs_also=_first_source,
    ),
    simple(
        "lambda_in_metres",
        f"lambda is an X-ray wavelength in metres, {XRAY[0]:g} to {XRAY[1]:g}",
        "6",
        "source.lambda_meters",
        "lambda_meters",
        _in_metres,
    ),
    simple(
        "scattering",
        "scattering_vec = (diffracted - incident)/lambda",
        "7",
        "source.scattering_vec_m_inv",
        "diffracted_vec incident_vec lambda_meters",
        lambda x: (x["diffracted_vec"] - x["incident_vec"]) / x["lambda_meters"],
    ),
    POLAR,
)
