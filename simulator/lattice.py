"""The lattice factor: what the finite size and shape of the crystal do to each step.

Source: model section 7. Sines are taken in the plain way, sin(Nx)/sin(x), so that the rounding remnants at integer
indices are those of the original; the derivative there comes from the series, where the plain one is 0/0.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from simulator.units import ROUND_CORRECTION

# Below this N·δ (δ the distance to the nearest multiple of π) the series for the derivative is good to 1e-11 and the
# plain formula has lost as many digits.
_SERIES_BELOW = 0.05


class _Sincg(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, N: int) -> Tensor:
        value = torch.sin(x * N)
        value /= torch.sin(x)
        # 0/0 happens at x=0 alone, the only double whose sine is exactly 0; there the value is N.
        return value.nan_to_num_(nan=float(N), posinf=math.inf, neginf=-math.inf)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        x, ctx.N = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, value = ctx.saved_tensors
        N = float(ctx.N)
        delta = x - math.pi * torch.round(x / math.pi)
        near = torch.abs(delta) * N < _SERIES_BELOW
        safe = torch.where(near, torch.full_like(x, 0.5 * math.pi), x)
        plain = N * torch.cos(N * safe) / torch.sin(safe) - value * torch.cos(safe) / torch.sin(safe)
        d2 = delta * delta
        series = -value * delta * ((N**2 - 1) / 3 + d2 * ((N**4 - 1) / 45 + d2 * 2 * (N**6 - 1) / 945))
        return grad * torch.where(near, series, plain), None


def sincg(x: Tensor, N: int) -> Tensor:
    """sin(N x)/sin(x), and exactly N where x is exactly 0; any shape."""
    return torch.as_tensor(_Sincg.apply(x, N))  # type: ignore[no-untyped-call]


def sinc3(x: Tensor) -> Tensor:
    """3 (sin x/x − cos x)/x², and 1 at x=0: the transform of a sphere."""
    is_zero = x == 0
    safe = torch.where(is_zero, torch.ones_like(x), x)
    return torch.where(is_zero, torch.ones_like(x), 3.0 * (torch.sin(safe) / safe - torch.cos(safe)) / (safe * safe))


def square_factors(hkl: Tensor, N: tuple[int, int, int]) -> list[Tensor]:
    """The three factors of a block-shaped crystal, each (K, P), of fractional indices (3, K, P).

    An axis with a single cell has no factor: it is 1 everywhere.
    """
    return [
        sincg(hkl[axis] * math.pi, cells) if cells > 1 else torch.ones((), dtype=hkl.dtype, device=hkl.device)
        for axis, cells in enumerate(N)
    ]


def product(factors: list[Tensor]) -> Tensor:
    """The lattice factor of a block-shaped crystal, of the factors along its axes."""
    return factors[0] * factors[1] * factors[2]


def round_factor(hkl: Tensor, hkl0: Tensor, N: tuple[int, int, int], fudge: Tensor) -> Tensor:
    """(K, P): a spherical crystal."""
    away = (hkl - hkl0) ** 2
    square = away[0] * N[0] * N[0] + away[1] * N[1] * N[1] + away[2] * N[2] * N[2]
    argument = square * fudge
    is_zero = argument == 0
    root = torch.sqrt(torch.where(is_zero, torch.ones_like(argument), argument))
    radius = torch.where(is_zero, torch.zeros_like(argument), root)
    return math.prod(N) * ROUND_CORRECTION * sinc3(math.pi * radius)


def _spread(hkl: Tensor, hkl0: Tensor, N: tuple[int, int, int], reciprocal_A: Tensor) -> Tensor:
    """ρ: squared distance (Å⁻²) to the nearest reciprocal point, times (Na Nb Nc)²; unrotated a*, b*, c* (3, 3)."""
    away = hkl - hkl0
    delta = [
        away[0] * reciprocal_A[0, i] + away[1] * reciprocal_A[1, i] + away[2] * reciprocal_A[2, i] for i in (0, 1, 2)
    ]
    return (delta[0] ** 2 + delta[1] ** 2 + delta[2] ** 2) * float(math.prod(N)) ** 2


def gauss_factor(hkl: Tensor, hkl0: Tensor, N: tuple[int, int, int], fudge: Tensor, reciprocal_A: Tensor) -> Tensor:
    """(K, P): Gaussian spots."""
    return math.prod(N) * torch.exp(-(_spread(hkl, hkl0, N, reciprocal_A) / 0.63 * fudge))


def tophat_factor(hkl: Tensor, hkl0: Tensor, N: tuple[int, int, int], fudge: Tensor, reciprocal_A: Tensor) -> Tensor:
    """(K, P): spots of one height with a sharp edge."""
    inside = _spread(hkl, hkl0, N, reciprocal_A) * fudge < 0.3969
    return inside.to(hkl.dtype) * float(math.prod(N))


def lattice_factor(
    shape: str, hkl: Tensor, hkl0: Tensor, N: tuple[int, int, int], fudge: Tensor, reciprocal_A: Tensor
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
