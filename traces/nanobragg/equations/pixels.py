"""Where pixels and their sub-samples are, in pixels and metres, and the ways to miss a centre: model.md, section 4."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from trace_parity.blame.equation import Form, Values, loop_index
from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.vocabulary import ABSENT

from .vector_math import cross, dot, unit

ALIKE = 1e-9
"""Sizes of a pixel that are apart by less, relatively, are one size."""


# A pixel's position. The pixel size is in no log, but one number must explain three coordinates.


def subsamples(view: LogView) -> int:
    """Sub-samples per pixel edge, as the log shows them."""
    place = view.vocabulary.loops.index("subF")
    return 1 + max((key[place] for key in view.keys("subsample.pixel_pos_meters")), default=0)


def columns(view: LogView) -> tuple[int, int, int, int, int]:
    """Where the loops of a position are in a key: slow, fast, layer, sub-sample slow and fast."""
    s, f, t, ss, sf = (loop_index(view.vocabulary, n) for n in ("spixel", "fpixel", "thick_tic", "subS", "subF"))
    return s, f, t, ss, sf


Offset = tuple[float, float, float, float]
CENTRE: Offset = (0.5, 0.5, 0.0, 0.0)


def in_pixels(view: LogView, x: Values, off: Offset = CENTRE) -> tuple[Array, Array]:
    """Where the sub-sample is from pix0 in units of a pixel, and (P - pix0) within the detector's plane.

    `off`: what is added on the fast and slow axis in sub-samples, then in pixels.
    """
    s, f, _, ss, sf = columns(view)
    n = subsamples(view)
    loops = x["loops"]
    fast = loops[:, [f]] + (loops[:, [sf]] + off[0]) / n + off[2]
    slow = loops[:, [s]] + (loops[:, [ss]] + off[1]) / n + off[3]
    from_corner = x["pixel_pos_meters"] - x["pix0_vector_meters"]
    return fast * x["fdet_vec"] + slow * x["sdet_vec"], from_corner - depth_of(view, x) * inwards(x)


def inwards(x: Values) -> Array:
    """The direction in which the layers lie."""
    o = unit(cross(x["fdet_vec"], x["sdet_vec"]))
    return np.where(np.isnan(x["odet_vec"]) | (dot(x["odet_vec"], o) == 0), o, x["odet_vec"])


def depth_of(view: LogView, x: Values) -> Array:
    """How deep the layer is, as the position shows; 0 for the first layer."""
    o = unit(cross(x["fdet_vec"], x["sdet_vec"]))
    deep = dot(x["pixel_pos_meters"] - x["pix0_vector_meters"], o) / dot(inwards(x), o)
    return np.where(x["loops"][:, [columns(view)[2]]] > 0, deep, 0)


def pixel_size(view: LogView, x: Values) -> Array:
    """The pixel edge in metres that the positions of this log show: what most places agree on, else their median."""
    g, d = in_pixels(view, x)
    shown = np.sort((dot(d, g) / dot(g, g))[:, 0])
    first, last = np.searchsorted(shown, shown * (1 - ALIKE)), np.searchsorted(shown, shown * (1 + ALIKE), "right")
    best = int(np.argmax(last - first))
    agreed = shown[first[best] : last[best]]
    size = np.median(agreed if len(agreed) > 1 else shown)
    return size * np.ones_like(g[:, :1])


def flat(view: LogView, off: Offset = CENTRE) -> Form:
    """The position on a flat detector; without the offset that is meant, each place with the pixel size it shows."""

    def position(x: Values) -> Array:
        g, d = in_pixels(view, x, off)
        size = pixel_size(view, x) if off == CENTRE and len(g) > 2 else dot(d, g) / dot(g, g)
        position: Array = x["pixel_pos_meters"] - d + size * g
        return position

    return Form("flat detector", position)


def off_the_centre(view: LogView) -> tuple[Form, ...]:
    """Ways to miss the centre of a sub-sample: the corner of it, its neighbour, the corner of the pixel."""
    n = subsamples(view)
    whose = "sub-sample" if n > 1 else "pixel"
    steps = {f"half a {whose}": (0.5, 0.0)}
    if n > 1:
        steps["one sub-sample (half a pixel)" if n == 2 else "one sub-sample"] = (1.0, 0.0)
    if n > 2:
        steps["half a pixel"] = (0.0, 0.5)
    steps["a whole pixel"] = (0.0, 1.0)
    forms = []
    for name, (sub, whole) in steps.items():
        corner = f": the corner of the {whose}, not its centre" if sub == 0.5 else ""
        for axes, fast, slow in (("both axes", 1, 1), ("the fast axis", 1, 0), ("the slow axis", 0, 1)):
            for word, sign in (("less", -1), ("more", 1)):
                off = (0.5 + sign * fast * sub, 0.5 + sign * slow * sub, sign * fast * whole, sign * slow * whole)
                forms.append(
                    Form(
                        f"{name} {word} on {axes}{corner if axes == 'both axes' and sign < 0 else ''}",
                        flat(view, off).function,
                    )
                )
    return (*forms, *_by_a_fraction(view))


DENOMINATOR = 10
"""Of the largest part of a pixel that is a fraction someone means."""
SHARP = 1e-9
"""How close, in pixels, an offset must come to a fraction."""
FARTHEST = 2


def _by_a_fraction(view: LogView) -> tuple[Form, ...]:
    """A fraction of a pixel off on an axis, or on both alike, as the first position shows it."""
    shown = _first_position(view)
    if shown is None:
        return ()
    (fast, slow), (u, w) = shown
    with np.errstate(all="ignore"):
        off = {
            "both axes": (w * fast - u * slow) / (u - w),
            "the fast axis": u / w * slow - fast,
            "the slow axis": w / u * fast - slow,
        }
    forms = []
    for axes, number in off.items():
        if not np.isfinite(number) or not SHARP < abs(number) <= FARTHEST:
            continue
        part = Fraction(float(number)).limit_denominator(DENOMINATOR)
        if part and abs(float(number) - part) <= SHARP:
            on_fast, on_slow = (0.0 if axis == axes else float(part) for axis in ("the slow axis", "the fast axis"))
            words = f"{_of_a_pixel(part)} on {axes}"
            forms.append(Form(words, flat(view, (0.5, 0.5, on_fast, on_slow)).function))
    return tuple(forms)


def _first_position(view: LogView) -> tuple[tuple[float, float], Array] | None:
    """Of the first sub-sample in the first layer: its place in pixels, and in metres, on the fast and slow axis."""
    s, f, t, ss, sf = (view.vocabulary.loops.index(n) for n in ("spixel", "fpixel", "thick_tic", "subS", "subF"))
    n = subsamples(view)
    for key in view.keys("subsample.pixel_pos_meters"):
        places = [view.find(name, key) for name in ("pixel_pos_meters", "pix0_vector_meters", "fdet_vec", "sdet_vec")]
        p, pix0, fdet, sdet = (view.at(*place) if place is not None else None for place in places)
        if key[t] <= 0 and p is not None and pix0 is not None and fdet is not None and sdet is not None:
            fast, slow = key[f] + (key[sf] + 0.5) / n, key[s] + (key[ss] + 0.5) / n
            return (fast, slow), np.array([np.dot(p - pix0, fdet), np.dot(p - pix0, sdet)])
    return None


def offset_of_origin(c: LogView, py: LogView) -> str:
    """By which fraction of a pixel the corner of the detector is displaced within its plane; empty for none."""
    shown, root = _first_position(c), (ABSENT,) * len(c.vocabulary.loops)
    places = [c.find(name, root) for name in ("pix0_vector_meters", "fdet_vec", "sdet_vec")]
    ours, fdet, sdet = (c.at(*place) if place is not None else None for place in places)
    theirs = py.at("run.pix0_vector_meters", root)
    if shown is None or ours is None or fdet is None or sdet is None or theirs is None:
        return ""
    (fast, slow), (u, w) = shown
    size = (u + w) / (fast + slow)
    moved = theirs - ours
    off = [Fraction(float(np.dot(moved, axis) / size)).limit_denominator(DENOMINATOR) for axis in (fdet, sdet)]
    left = moved - size * (float(off[0]) * fdet + float(off[1]) * sdet)
    if not any(off) or max(map(abs, off)) > FARTHEST or np.max(np.abs(left)) > SHARP * size:
        return ""
    if off[0] == off[1]:
        return f"PY's is {_of_a_pixel(off[0])} on both axes"
    parts = [
        f"{_of_a_pixel(part)} on the {axis} axis" for part, axis in zip(off, ("fast", "slow"), strict=True) if part
    ]
    return f"PY's is {' and '.join(parts)}"


def _of_a_pixel(part: Fraction) -> str:
    return f"{abs(part)} of a pixel {'more' if part > 0 else 'less'}"
