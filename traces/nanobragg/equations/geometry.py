"""Equations of the detector: model.md, section 4."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from trace_parity.blame.equation import Equation, Form, Input, Values
from trace_parity.blame.log_values import Array, LogView

from .common import first_of_pixel, of_unit_length, simple
from .pixels import depth_of, flat, in_pixels, inwards, off_the_centre, pixel_size
from .vector_math import cross, dot, norm, unit

CURVED = 1e-12
"""How close |P| must be, relatively, to the distance along the beam for the detector to be taken as curved."""
MISPLACED = 1e-9
"""Positions that contradict each other by more than this give no pixel size: the fault is theirs, not omega's."""
UNIT_VECTORS = ("beam_vec", "polar_vec", "spindle_vec", "fdet_vec", "sdet_vec", "odet_vec")


def carried(name: str) -> Equation:
    """A value of the whole run that every sub-sample uses unchanged."""
    return Equation(
        f"carried_{name}",
        f"{name} of the sub-sample is that of the run",
        "4",
        f"subsample.{name}",
        (Input(f"run.{name}", "v"),),
        (Form("the same", lambda x: x["v"]),),
    )


def _position_of_size(view: LogView, form: str, whole: Values, rows: Values) -> Callable[[Values], Array] | None:
    """Positions of other vectors with the pixel size and the depths of this log."""
    if form != "flat detector":
        return None
    size, deep = pixel_size(view, whole)[0], depth_of(view, rows)
    return lambda x: x["pix0_vector_meters"] + size * in_pixels(view, x)[0] + deep * inwards(x)


def _omega_of_size(view: LogView, form: str, whole: Values, rows: Values) -> Callable[[Values], Array] | None:
    """Solid angles of other distances with the pixel size that each shows."""
    if form == "pixel area":
        edge = np.sqrt(rows["omega_pixel_sr"] * rows["R_distance_meters"] ** 3 / rows["close_distance_meters"])
        return lambda x: _solid_angle(x, edge)
    return None


def _radius(x: Values) -> Array:
    """Of a curved detector: the distance along the beam."""
    return np.where(np.isnan(x["distance"]), x["close_distance_meters"], x["distance"])


def _position_forms(view: LogView) -> tuple[Form, ...]:
    def curved(x: Values) -> Array:
        p, radius = x["pixel_pos_meters"], _radius(x)
        return np.where(np.abs(norm(p) - radius) <= CURVED * radius, p * radius / norm(p), np.nan)

    return flat(view), Form("curved detector", curved)


_POSITION = (
    *map(Input, "pixel_pos_meters pix0_vector_meters fdet_vec sdet_vec close_distance_meters".split()),
    Input("odet_vec", default=np.nan),
    Input("run.distance_meters", "distance", default=np.nan),
)

PIXEL_POSITION = Equation(
    "pixel_pos",
    "pixel_pos = pix0 + p·(fpixel + (subF+½)/n)·fdet + p·(spixel + (subS+½)/n)·sdet + depth·odet, one p for all",
    "4",
    "subsample.pixel_pos_meters",
    _POSITION,
    _position_forms,
    variants=off_the_centre,
    needs_loops=("spixel", "fpixel"),
    settled=_position_of_size,
)
IN_PLANE = Equation(
    "pixel_in_plane",
    "(pixel_pos - pix0)·(fdet × sdet) = 0 in the first layer",
    "4",
    "subsample.pixel_pos_meters",
    _POSITION[:4],
    (
        Form(
            "in the plane",
            lambda x: (
                x["pixel_pos_meters"]
                - unit(cross(x["fdet_vec"], x["sdet_vec"]))
                * dot(x["pixel_pos_meters"] - x["pix0_vector_meters"], unit(cross(x["fdet_vec"], x["sdet_vec"])))
            ),
        ),
    ),
    fallback_for=("pixel_pos",),
)


def _omega_forms(view: LogView) -> tuple[Form, ...]:
    def fresh(x: Values) -> Array:
        """With the pixel size of the positions; where those contradict each other, with one that all omegas share."""
        g, d = in_pixels(view, x)
        size = pixel_size(view, x)
        off = norm(d - size * g)
        if (off > MISPLACED * norm(d)).any():
            own = np.isnan(x["first"]) | (x["first"] != x["omega_pixel_sr"])
            shown = x["omega_pixel_sr"] * x["R_distance_meters"] ** 3 / x["close_distance_meters"]
            size = np.sqrt(np.median(shown[own]))
        return _solid_angle(x, size)

    def curved(x: Values) -> Array:
        r, radius = x["R_distance_meters"], _radius(x)
        edge = np.sqrt(np.median(x["omega_pixel_sr"] * r**3 / x["close_distance_meters"]))
        return np.where(np.abs(r - radius) <= CURVED * radius, _solid_angle(x, edge), np.nan)

    return (
        Form("pixel area", fresh),
        Form("point pixel", lambda x: 1 / x["R_distance_meters"] ** 2),
        Form("curved detector", curved),
        Form("first value of the pixel", lambda x: x["first"]),
    )


def _solid_angle(x: Values, edge: Array) -> Array:
    angle: Array = edge**2 / x["R_distance_meters"] ** 3 * x["close_distance_meters"]
    return angle


def _without_obliquity(view: LogView) -> tuple[Form, ...]:
    """Ways to forget that a pixel is seen at an angle, or the distance."""

    def made(power: int) -> Callable[[Values], Array]:
        def omega(x: Values) -> Array:
            r = x["R_distance_meters"]
            return _solid_angle(x, pixel_size(view, x)) * (r / x["close_distance_meters"]) ** power

        return omega

    return (
        Form("without the obliquity factor close_distance/R", made(1)),
        Form("the obliquity factor close_distance/R squared", made(-1)),
        Form("not divided by R²", lambda x: made(0)(x) * x["R_distance_meters"] ** 2),
        Form("p/R in place of p²/R²", lambda x: made(0)(x) * x["R_distance_meters"] / pixel_size(view, x)),
    )


OMEGA = Equation(
    "omega",
    "omega = p²/R² · close_distance/R, p the pixel size that the positions show (point pixel: 1/R²)",
    "4",
    "subsample.omega_pixel_sr",
    (
        *_POSITION,
        Input("R_distance_meters"),
        Input("subsample.omega_pixel_sr", "omega_pixel_sr"),
        Input(
            "subsample.omega_pixel_sr",
            "first",
            first_of_pixel("subsample.omega_pixel_sr", only_others=True),
            np.nan,
        ),
    ),
    _omega_forms,
    variants=_without_obliquity,
    needs_loops=("spixel", "fpixel"),
    settled=_omega_of_size,
)


def _close_to_axis(x: Values) -> Array:
    """±unit(fdet × sdet), whichever hand the detector has."""
    o = unit(cross(x["fdet_vec"], x["sdet_vec"]))
    return np.where(dot(o, x["odet_vec"]) < 0, -o, o)


def _towards_beam(axis: str) -> Callable[[Values], Array]:
    return lambda x: dot(x[axis], x["distance_meters"] * x["beam_vec"] - x["pix0_vector_meters"])


def _towards_foot(axis: str) -> Callable[[Values], Array]:
    return lambda x: -dot(x["pix0_vector_meters"], x[axis])


def _origin(x: Values) -> Array:
    foot = x["Fclose_meters"] * x["fdet_vec"] + x["Sclose_meters"] * x["sdet_vec"]
    origin: Array = x["close_distance_meters"] * x["odet_vec"] - foot
    return origin


def _distance_to_centre(x: Values) -> Array:
    """How far along the beam the point (Fbeam, Sbeam) lies, as the detector's plane shows it; tilted detectors only."""
    f, s, beam, pix0 = (x[n] for n in ("fdet_vec", "sdet_vec", "beam_vec", "pix0_vector_meters"))
    along, across = dot(f, beam), dot(s, beam)
    from_foot = along * (x["Fbeam_meters"] + dot(f, pix0)) + across * (x["Sbeam_meters"] + dot(s, pix0))
    distance: Array = from_foot / (along**2 + across**2)
    return distance


EQUATIONS: tuple[Equation, ...] = (
    *(of_unit_length(f"run.{name}", "4") for name in UNIT_VECTORS),
    simple(
        "odet_cross",
        "odet = ±unit(fdet × sdet), when a named convention or the replacement of |odet| ≠ 1 made it",
        "4",
        "run.odet_vec",
        "run.fdet_vec run.sdet_vec run.odet_vec",
        _close_to_axis,
        conditional=True,
    ),
    simple(
        "distance",
        "distance = close_distance / (beam·odet), without 2θ",
        "4",
        "run.distance_meters",
        "run.close_distance_meters run.beam_vec run.odet_vec",
        lambda x: x["close_distance_meters"] / dot(x["beam_vec"], x["odet_vec"]),
        conditional=True,
    ),
    simple(
        "close_distance",
        "close_distance = pix0·odet",
        "4",
        "run.close_distance_meters",
        "run.pix0_vector_meters run.odet_vec",
        lambda x: dot(x["pix0_vector_meters"], x["odet_vec"]),
    ),
    *(
        simple(
            f"{axis}beam",
            f"{axis}beam = {axis.lower()}det·(distance·beam - pix0), distance = close_distance/r",
            "4",
            f"run.{axis}beam_meters",
            f"run.pix0_vector_meters run.{axis.lower()}det_vec run.distance_meters run.beam_vec",
            _towards_beam(f"{axis.lower()}det_vec"),
        )
        for axis in "FS"
    ),
    *(
        simple(
            f"{axis}close",
            f"{axis}close = -pix0·{axis.lower()}det",
            "4",
            f"run.{axis}close_meters",
            f"run.pix0_vector_meters run.{axis.lower()}det_vec",
            _towards_foot(f"{axis.lower()}det_vec"),
        )
        for axis in "FS"
    ),
    simple(
        "origin",
        "pix0 = close_distance·odet - Fclose·fdet - Sclose·sdet",
        "4",
        "run.pix0_vector_meters",
        "run.close_distance_meters run.odet_vec run.Fclose_meters run.fdet_vec run.Sclose_meters run.sdet_vec",
        _origin,
        backward=True,
    ),
    simple(
        "distance_to_centre",
        "distance·beam = pix0 + Fbeam·fdet + Sbeam·sdet within the detector's plane",
        "4",
        "run.distance_meters",
        "run.Fbeam_meters run.Sbeam_meters run.fdet_vec run.sdet_vec run.beam_vec run.pix0_vector_meters",
        _distance_to_centre,
        backward=True,
    ),
    *(carried(name) for name in ("pix0_vector_meters", "fdet_vec", "sdet_vec", "odet_vec", "close_distance_meters")),
    *(of_unit_length(f"subsample.{name}", "4", (f"carried_{name}",)) for name in ("fdet_vec", "sdet_vec", "odet_vec")),
    simple(
        "close_distance_here",
        "close_distance = pix0·odet",
        "4",
        "subsample.close_distance_meters",
        "pix0_vector_meters odet_vec",
        lambda x: dot(x["pix0_vector_meters"], x["odet_vec"]),
        fallback_for=("carried_close_distance_meters",),
    ),
    PIXEL_POSITION,
    IN_PLANE,
    simple(
        "R_distance",
        "R = |pixel_pos|",
        "4",
        "subsample.R_distance_meters",
        "pixel_pos_meters",
        lambda x: norm(x["pixel_pos_meters"]),
    ),
    Equation(
        "diffracted",
        "diffracted = unit(pixel_pos)",
        "4",
        "subsample.diffracted_vec",
        (Input("pixel_pos_meters"), Input("R_distance_meters", default=np.nan)),
        (
            Form("unit vector", lambda x: unit(x["pixel_pos_meters"])),
            Form("divided by R", lambda x: x["pixel_pos_meters"] / x["R_distance_meters"]),
        ),
    ),
    OMEGA,
)
