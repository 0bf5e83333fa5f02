"""Where the detector and its pixels are.

`place` turns settings into vectors in the laboratory frame (metres); the other functions give position, distance,
direction and solid angle of pixels. Source: model section 4; quirks convention-reset, custom-switch, pix0-ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.conventions import DEFAULT_AXES, NAMED
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.injected import Use, as_computed
from nanobragg_torch.ops.exact_root import root
from nanobragg_torch.rotations import cross, dot, rotate_axis, rotate_xyz, unit
from nanobragg_torch.settings import DetectorSettings
from nanobragg_torch.stages.sampling import pixel_count
from nanobragg_torch.units import plain

_MOST_PIXELS = 2**31 - 1


@dataclass(frozen=True)
class Placement:
    """The detector in the laboratory: unit vectors (3,), lengths in metres (0-dimensional)."""

    beam: Tensor
    polar: Tensor
    vertical: Tensor
    spindle: Tensor
    twotheta_axis: Tensor
    fdet: Tensor
    sdet: Tensor
    odet: Tensor
    pix0: Tensor
    pixel: Tensor
    distance: Tensor
    close_distance: Tensor
    Xbeam: Tensor
    Ybeam: Tensor
    Xclose: Tensor
    Yclose: Tensor
    Fbeam: Tensor
    Sbeam: Tensor
    Fclose: Tensor
    Sclose: Tensor
    size_f: Tensor
    size_s: Tensor
    pivot: str
    pixels_s: int
    pixels_f: int
    odet_was_replaced: bool


def place(settings: DetectorSettings, like: Tensor, use: Use = as_computed) -> Placement:
    """Axes, beam centre and origin after convention, tilts and 2θ; dtype and device of `like`.

    `use` may put another value in the place of one that is traced.
    """

    def t(value: units.Number | tuple[units.Number, ...]) -> Tensor:
        return units.tensor(value, like)

    s = settings
    pixel = t(units.mm(s.pixel_mm))
    pixel_plain = plain(units.mm(s.pixel_mm))
    pixels_f, plain_size_f = pixel_count(s.detpixels_f, s.detsize_f_mm / units.MM_PER_M, pixel_plain)
    pixels_s, plain_size_s = pixel_count(s.detpixels_s, s.detsize_s_mm / units.MM_PER_M, pixel_plain)
    if min(pixels_f, pixels_s) < 1 or pixels_f * pixels_s > _MOST_PIXELS:
        raise ExperimentError(f"the detector has {pixels_s} x {pixels_f} pixels, expected 1 to {_MOST_PIXELS} in all")
    size_f = pixel * s.detpixels_f if s.detpixels_f is not None else t(plain_size_f)
    size_s = pixel * s.detpixels_s if s.detpixels_s is not None else t(plain_size_s)

    Fclose, Sclose = size_f / 2, size_s / 2
    if s.ORGX_pixels is not None:
        Fclose = (t(s.ORGX_pixels) - 0.5) * pixel
    if s.ORGY_pixels is not None:
        Sclose = (t(s.ORGY_pixels) - 0.5) * pixel
    Xclose, Yclose = _given_or(s.Xclose_mm, Fclose, like), _given_or(s.Yclose_mm, Sclose, like)

    # quirk convention-reset: a named convention sets vectors and pivot, whatever the flags are.
    axes = dict(DEFAULT_AXES)
    pivot = s.pivot
    if s.convention == "CUSTOM":
        for name in axes:
            given = getattr(s, name)
            axes[name] = given if given is not None else axes[name]
    else:
        axes, pivot = dict(NAMED[s.convention].axes), NAMED[s.convention].pivot

    if s.convention in ("MOSFLM", "DENZO"):
        Xbeam = _given_or(s.Xbeam_mm, (size_s + pixel) / 2, like)
        Ybeam = _given_or(s.Ybeam_mm, (size_f + pixel) / 2, like)
        # MOSFLM counts from the middle of a pixel, DENZO from its corner.
        shift = pixel / 2 if s.convention == "MOSFLM" else torch.zeros_like(pixel)
        Fbeam, Sbeam = Ybeam + shift, Xbeam + shift
    elif s.convention == "ADXV":
        Xbeam = _given_or(s.Xbeam_mm, (size_f + pixel) / 2, like)
        Ybeam = _given_or(s.Ybeam_mm, (size_s - pixel) / 2, like)
        Fbeam, Sbeam = Xbeam, size_s - Ybeam
    else:
        Xbeam = _given_or(s.Xbeam_mm, Xclose, like)
        Ybeam = _given_or(s.Ybeam_mm, Yclose, like)
        Fbeam, Sbeam = Xbeam, Ybeam
        if s.convention == "CUSTOM":
            # quirk custom-switch: no half-pixel shift, and Xbeam is the fast coordinate.
            Fclose, Sclose = Xbeam, Ybeam

    given = [t(axes[f"{name}_vector"]) for name in ("beam", "polar", "fdet", "sdet", "odet")]
    beam, polar, fdet, sdet, odet = unit(torch.stack(given)).unbind()
    beam, polar = use("beam_vec", beam), use("polar_vec", polar)
    spindle = use("spindle_vec", unit(t(axes["spindle_axis"])))
    twotheta_axis = use("twotheta_axis", t(axes["twotheta_axis"]))
    # Quirk of the original: a normal that is not of length 1 to the last bit counts for nothing. One that is made of
    # tensors is a variable, whose steps would always be off by that bit: it is taken as it is.
    replaced = not units.has_tensor(axes["odet_vector"]) and plain(torch.sqrt(dot(given[-1], given[-1]))) != 1.0
    if replaced:
        odet = unit(cross(fdet, sdet))
    vertical = unit(cross(beam, polar))

    tilts = [t(units.deg(angle)) for angle in (s.rotx_deg, s.roty_deg, s.rotz_deg)]
    twotheta = t(units.deg(s.twotheta_deg))

    def tilt(v: Tensor) -> Tensor:
        return rotate_axis(rotate_xyz(v, *tilts), twotheta_axis, twotheta)

    def lengths(normal: Tensor) -> tuple[Tensor, Tensor]:
        """(ratio of close distance to distance, close distance) for the normal before 2θ."""
        ratio = dot(beam, normal)
        if plain(ratio) == 0.0:
            ratio = torch.full_like(ratio, torch.finfo(like.dtype).tiny)
        return ratio, _given_or(s.close_distance_mm, torch.abs(ratio * t(units.mm(s.distance_mm))), like)

    def corner(fdet: Tensor, sdet: Tensor, odet: Tensor) -> Tensor:
        return -Fclose * fdet - Sclose * sdet + close_distance * odet

    ratio, close_distance = lengths(rotate_xyz(odet, *tilts))
    pix0, *turned = tilt(torch.stack((corner(fdet, sdet, odet), fdet, sdet, odet))).unbind()
    fdet, sdet, odet = (use(f"{x}det_vec", axis) for x, axis in zip("fso", turned, strict=True))
    if odet is not turned[2]:
        ratio, close_distance = lengths(rotate_axis(odet, twotheta_axis, -twotheta))
    if pivot == "beam":
        pix0 = -Fbeam * fdet - Sbeam * sdet + close_distance / ratio * beam
    elif not (fdet is turned[0] and sdet is turned[1] and odet is turned[2]):
        pix0 = corner(fdet, sdet, odet)
    pix0 = use("pix0_vector_meters", pix0)
    close_distance = use("close_distance_meters", dot(pix0, odet))
    distance = use("distance_meters", close_distance / ratio)
    impact = distance * beam - pix0
    return Placement(
        beam=beam,
        polar=polar,
        vertical=vertical,
        spindle=spindle,
        twotheta_axis=twotheta_axis,
        fdet=fdet,
        sdet=sdet,
        odet=odet,
        pix0=pix0,
        pixel=pixel,
        distance=distance,
        close_distance=close_distance,
        Xbeam=Xbeam,
        Ybeam=Ybeam,
        Xclose=Xclose,
        Yclose=Yclose,
        Fbeam=use("Fbeam_meters", dot(fdet, impact)),
        Sbeam=use("Sbeam_meters", dot(sdet, impact)),
        Fclose=use("Fclose_meters", -dot(pix0, fdet)),
        Sclose=use("Sclose_meters", -dot(pix0, sdet)),
        size_f=size_f,
        size_s=size_s,
        pivot=pivot,
        pixels_s=pixels_s,
        pixels_f=pixels_f,
        odet_was_replaced=replaced,
    )


def _given_or(value_mm: units.Number | None, default_m: Tensor, like: Tensor) -> Tensor:
    return default_m if value_mm is None else units.tensor(units.mm(value_mm), like)


class Surface(Protocol):
    """What the pixels' places are made of; see Placement."""

    @property
    def beam(self) -> Tensor: ...  # noqa: D102
    @property
    def fdet(self) -> Tensor: ...  # noqa: D102
    @property
    def sdet(self) -> Tensor: ...  # noqa: D102
    @property
    def odet(self) -> Tensor: ...  # noqa: D102
    @property
    def pix0(self) -> Tensor: ...  # noqa: D102
    @property
    def pixel(self) -> Tensor: ...  # noqa: D102
    @property
    def distance(self) -> Tensor: ...  # noqa: D102
    @property
    def close_distance(self) -> Tensor: ...  # noqa: D102


def pixel_position(
    place: Surface,
    slow: Tensor,
    fast: Tensor,
    sub: tuple[units.Number, units.Number],
    oversample: units.Number,
    depth_m: Tensor,
    curved: bool,
) -> Tensor:
    """Positions (3, P) in metres of sub-sample `sub`=(subS, subF) of pixels (slow, fast), each (P,)."""
    step = place.pixel / oversample
    F = step * (fast * oversample + sub[1]) + step / 2
    S = step * (slow * oversample + sub[0]) + step / 2
    flat = [F * place.fdet[i] + S * place.sdet[i] + depth_m * place.odet[i] + place.pix0[i] for i in range(3)]
    if not curved:
        return torch.stack(flat)
    # The original bends by the laboratory components 2 and 3 of the flat position, whatever the axes.
    on_beam = (place.distance * place.beam).expand(*flat[0].shape, 3)
    bent = rotate_axis(on_beam, place.sdet, flat[1] / place.distance)
    bent = rotate_axis(bent, place.fdet, flat[2] / place.distance)
    return bent.movedim(-1, 0).contiguous()


def airpath(position: Tensor) -> tuple[Tensor, Tensor]:
    """(R, d): the distances (P,) in metres and directions (3, P) of positions (3, P)."""
    R = root(position[0] * position[0] + position[1] * position[1] + position[2] * position[2])
    return R, direction(position, R)


def direction(position: Tensor, R: Tensor) -> Tensor:
    """d: the directions (3, P) of positions (3, P) at distances R (P,)."""
    return position / R


def solid_angle(place: Surface, R: Tensor, point_pixel: bool) -> Tensor:
    """ω (P,) in steradians of pixels at distances R (P,); point pixels have 1/R²."""
    if point_pixel:
        return 1.0 / R / R
    return place.pixel * place.pixel / R / R * place.close_distance / R
