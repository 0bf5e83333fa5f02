"""The lattice factor: what the finite size and shape of the crystal do to each step.

Source: model section 7. Sines are taken in the plain way, sin(Nx)/sin(x), so that the rounding remnants at integer
indices are those of the original; the derivative there comes from the series, where the plain one is 0/0.

A count N of cells is an int, or a 0-dimensional tensor where it is a real number. Between whole numbers sin(Nx)/sin(x)
has a pole at every multiple of π but 0, which no crystal has; there x counts from the nearest multiple of π, which for
a whole N is the same but for the sign. So peaks stay N high at every index, and their width follows N.

In single precision x counts from there always: πNh would keep no digits behind the point where N and h are large.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nanobragg_torch.units import ROUND_CORRECTION

Count: TypeAlias = "int | Tensor"
Counts: TypeAlias = "tuple[Count, Count, Count]"

# Below this N·δ (δ the distance to the nearest multiple of π) the series for the derivative is good to 1e-11 and the
# plain formula has lost as many digits.
_SERIES_BELOW = 0.05
_NOTHING = 1e-30
# The same for the square of the argument of a sphere's transform.
_SPHERE_SERIES_BELOW = 0.04


def _slopes(x: Tensor, N: Count, with_N: bool) -> tuple[Tensor, Tensor | None]:
    """The derivatives of sin(Nx)/sin(x) by x and, if wanted, by N at fixed δ, each in the shape of x.

    All is in terms of δ, the distance to the nearest multiple of π: what the value loses to the rounding of x, the
    derivative would lose (N·δ)⁻² times over. For a whole N the sign of the quotient goes over from peak to peak.
    """
    number = float(N) if isinstance(N, int) else N
    nearest = torch.round(x / math.pi)
    delta = x - math.pi * nearest
    # Where δ is 0, a δ so small that the quotients below come out as their limits.
    delta = torch.where(delta == 0, torch.full_like(delta, _NOTHING), delta)
    keeps_sign = isinstance(N, int) and N % 2 == 1
    sign = 1.0 if keeps_sign else 1.0 - 2.0 * torch.remainder(nearest * (number - 1.0), 2.0)
    wide, sine = number * delta, torch.sin(delta)
    cosine, quotient = torch.cos(wide), torch.sin(wide) / sine
    by_x = sign * slope_of_quotient(number, delta, quotient, cosine, 1.0 / sine, torch.cos(delta))
    return by_x, sign * cosine * (delta / sine) if with_N else None


def slope_of_quotient(
    N: float | Tensor, delta: Tensor, quotient: Tensor, wide_cosine: Tensor, sine_inverse: Tensor, cosine: Tensor
) -> Tensor:
    """The derivative of sin(Nδ)/sin(δ) by δ, of that quotient, cos Nδ, 1/sin δ and cos δ."""
    d2 = delta * delta
    series = -delta * ((N**2 - 1) / 3 + d2 * ((N**4 - 1) / 45 + d2 * (2 * (N**6 - 1) / 945)))
    plain = (N * wide_cosine - quotient * cosine) * sine_inverse
    return torch.where(torch.abs(N * delta) < _SERIES_BELOW, quotient * series, plain)


class _Sincg(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, N: Count) -> Tensor:
        value = torch.sin(x * N)
        value /= torch.sin(x)
        # 0/0 happens at x=0 alone, the only number whose sine is exactly 0; there the value is N.
        if isinstance(N, Tensor):
            return torch.where(x == 0, N, value)
        return value.nan_to_num_(nan=float(N), posinf=math.inf, neginf=-math.inf)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Count], output: Tensor) -> None:
        x, N = inputs
        if isinstance(N, Tensor):
            ctx.N = None
            ctx.save_for_backward(x, N)
            ctx.save_for_forward(x, N)
        else:
            ctx.N = N
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        x, *saved = ctx.saved_tensors
        by_x, by_N = _slopes(x, saved[0] if saved else ctx.N, with_N=ctx.needs_input_grad[1])
        return grad * by_x, None if by_N is None else (grad * by_N).sum()

    @staticmethod
    def jvp(ctx: Any, x_tangent: Tensor | None, N_tangent: Tensor | None) -> Tensor:
        x, *saved = ctx.saved_tensors
        by_x, by_N = _slopes(x, saved[0] if saved else ctx.N, with_N=N_tangent is not None)
        parts = [
            slope * t for slope, t in ((by_x, x_tangent), (by_N, N_tangent)) if t is not None and slope is not None
        ]
        return torch.stack(parts).sum(0) if parts else torch.zeros_like(x)


def sincg(x: Tensor, N: Count) -> Tensor:
    """sin(N x)/sin(x), and exactly N where x is exactly 0; any shape. N is at least 1; as a tensor it may be real."""
    if isinstance(N, Tensor):
        x = x - (torch.round(N) != N).to(x.dtype) * math.pi * torch.round(x / math.pi)
    value: Tensor = _Sincg.apply(x, N)  # type: ignore[no-untyped-call]
    return value


def sinc3(x: Tensor) -> Tensor:
    """3 (sin x/x − cos x)/x², and 1 at x=0: the transform of a sphere."""
    is_zero = x == 0
    safe = torch.where(is_zero, torch.ones_like(x), x)
    return torch.where(is_zero, torch.ones_like(x), 3.0 * (torch.sin(safe) / safe - torch.cos(safe)) / (safe * safe))


class _Sphere(torch.autograd.Function):
    """sinc3(π√u) of u: the plain formula, whose rounding is the original's, and a derivative that has none at u=0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(square: Tensor) -> Tensor:
        return sinc3(math.pi * torch.sqrt(square))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)
        ctx.save_for_forward(*inputs, output)

    @staticmethod
    def _slope(square: Tensor, value: Tensor) -> Tensor:
        x2 = math.pi**2 * square
        near = x2 < _SPHERE_SERIES_BELOW
        x = torch.sqrt(torch.where(near, torch.ones_like(x2), x2))
        series = -1 / 15 + x2 * (1 / 210 - x2 * (1 / 7560 - x2 / 498960))
        return 1.5 * math.pi**2 * torch.where(near, series, (torch.sin(x) / x - value) / (x * x))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * _Sphere._slope(*ctx.saved_tensors)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent * _Sphere._slope(*ctx.saved_tensors)


def square_factors(hkl: Tensor, N: Counts) -> list[Tensor]:
    """The three factors of a block-shaped crystal, each (K, P), of fractional indices (3, K, P).

    An axis with a single cell has no factor: it is 1 everywhere.
    """
    factor = _of_remainder if hkl.dtype == torch.float32 else _plain
    return [
        factor(index, cells)
        if isinstance(cells, Tensor) or cells > 1
        else torch.ones((), dtype=hkl.dtype, device=hkl.device)
        for index, cells in zip(hkl.unbind(), N, strict=True)
    ]


def _plain(index: Tensor, N: Count) -> Tensor:
    return sincg(index * math.pi, N)


def _of_remainder(index: Tensor, N: Count) -> Tensor:
    """The factor of one axis in single precision: of the distance of the index from the nearest whole number.

    N π h has too few digits there (its rounding is 2e-5 of a period at N h of 400); the remainder is exact. In double
    precision the plain formula stays, whose rounding is the original's.
    """
    nearest = torch.round(index)
    value = sincg((index - nearest) * math.pi, N)
    if isinstance(N, Tensor):
        is_odd = torch.remainder(nearest * (torch.round(N) - 1.0), 2.0)
        return value * (1.0 - 2.0 * torch.where(torch.round(N) == N, is_odd, torch.zeros_like(is_odd)))
    return value if N % 2 == 1 else value * (1.0 - 2.0 * torch.remainder(nearest, 2.0))


def product(factors: list[Tensor]) -> Tensor:
    """The lattice factor of a block-shaped crystal, of the factors along its axes."""
    return factors[0] * factors[1] * factors[2]


def _in_all(N: Counts) -> float | Tensor:
    """The number of cells."""
    total = N[0] * N[1] * N[2]
    return total if isinstance(total, Tensor) else float(total)


def round_factor(hkl: Tensor, hkl0: Tensor, N: Counts, fudge: Tensor) -> Tensor:
    """(K, P): a spherical crystal."""
    away = (hkl - hkl0) ** 2
    square = away[0] * N[0] * N[0] + away[1] * N[1] * N[1] + away[2] * N[2] * N[2]
    sphere: Tensor = _Sphere.apply(square * fudge)  # type: ignore[no-untyped-call]
    return _in_all(N) * ROUND_CORRECTION * sphere


def _spread(hkl: Tensor, hkl0: Tensor, N: Counts, reciprocal_A: Tensor) -> Tensor:
    """ρ: squared distance (Å⁻²) to the nearest reciprocal point, times (Na Nb Nc)²; unrotated a*, b*, c* (3, 3)."""
    away = hkl - hkl0
    delta = [
        away[0] * reciprocal_A[0, i] + away[1] * reciprocal_A[1, i] + away[2] * reciprocal_A[2, i] for i in (0, 1, 2)
    ]
    return (delta[0] ** 2 + delta[1] ** 2 + delta[2] ** 2) * _in_all(N) ** 2


def gauss_factor(hkl: Tensor, hkl0: Tensor, N: Counts, fudge: Tensor, reciprocal_A: Tensor) -> Tensor:
    """(K, P): Gaussian spots."""
    return _in_all(N) * torch.exp(-(_spread(hkl, hkl0, N, reciprocal_A) / 0.63 * fudge))


def tophat_factor(hkl: Tensor, hkl0: Tensor, N: Counts, fudge: Tensor, reciprocal_A: Tensor) -> Tensor:
    """(K, P): spots of one height with a sharp edge."""
    inside = _spread(hkl, hkl0, N, reciprocal_A) * fudge < 0.3969
    return inside.to(hkl.dtype) * _in_all(N)


def lattice_factor(
    shape: str, hkl: Tensor, hkl0: Tensor, N: Counts, fudge: Tensor, reciprocal_A: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """(F_latt, factors per axis): (K, P), and for the square shape its three factors, else an empty list."""
    if shape == "square":
        factors = square_factors(hkl, N)
        return product(factors), factors
    if shape == "round":
        return round_factor(hkl, hkl0, N, fudge), []
    if shape == "gauss":
        return gauss_factor(hkl, hkl0, N, fudge, reciprocal_A), []
    return tophat_factor(hkl, hkl0, N, fudge, reciprocal_A), []
