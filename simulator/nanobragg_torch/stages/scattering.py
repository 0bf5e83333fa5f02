"""From directions to the scattering vector, its resolution, and the Miller indices. Source: model section 7."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nanobragg_torch.units import Number


def scattering_vector(diffracted: Tensor, incident: Tensor, wavelength_m: Tensor) -> Tensor:
    """q = (d − i)/λ in m⁻¹, for directions (3, P) and incident directions that broadcast with them, such as (3, 1)."""
    return (diffracted - incident) / wavelength_m


def is_resolved(q: Tensor, dmin_m: Number) -> Tensor:
    """(P,) booleans: False where the resolution 1/|q| is finer than dmin and the source is skipped."""
    stol = 0.5 * torch.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2])
    return ~((stol > 0) & (dmin_m > 0.5 / stol))


def miller_indices(real_m: Tensor, q: Tensor) -> Tensor:
    """(3, K, P) fractional h, k, l: real-space vectors (3 of a b c, 3 of x y z, K, 1) in m times q (3, P) in m⁻¹.

    More dimensions may follow the first of q and after the second of the vectors, and broadcast.
    """
    hkl: Tensor = _Indices.apply(real_m, q)  # type: ignore[no-untyped-call]
    return hkl


class _Indices(torch.autograd.Function):
    """Products and their sum in the original's order; the derivatives are matrix products, which need no such care."""

    generate_vmap_rule = True

    @staticmethod
    def forward(real_m: Tensor, q: Tensor) -> Tensor:
        return real_m[:, 0] * q[0] + real_m[:, 1] * q[1] + real_m[:, 2] * q[2]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        real_m, q = ctx.saved_tensors
        by_real = by_q = None
        if ctx.needs_input_grad[0]:
            by_real = (grad @ q.T).transpose(1, 2)[..., None]
        if ctx.needs_input_grad[1]:
            rows = real_m[..., 0].movedim(1, 0).reshape(3, -1)
            by_q = rows @ grad.reshape(-1, grad.shape[-1])
        return by_real, by_q

    @staticmethod
    def jvp(ctx: Any, real_tangent: Tensor | None, q_tangent: Tensor | None) -> Tensor:
        real_m, q = ctx.saved_tensors
        parts = []
        if real_tangent is not None:
            parts.append(_Indices.forward(real_tangent, q))
        if q_tangent is not None:
            parts.append(_Indices.forward(real_m, q_tangent))
        return torch.stack(parts).sum(0)


def nearest(hkl: Tensor) -> Tensor:
    """The nearest integers, by ceil(x − 0.5): halves go down, unlike round-half-even."""
    return torch.ceil(hkl - 0.5)
