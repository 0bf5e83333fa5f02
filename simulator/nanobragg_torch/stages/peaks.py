"""The square of the lattice factor along one axis, with slopes that a compiler fuses: for the way back by kernels.

The square has the period of the index and no sign, so that the remainder beside a whole index is all it needs, and only
sines and cosines of less than a quarter turn. Source: model section 7.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from nanobragg_torch.ops import compiler_ops
from nanobragg_torch.stages import lattice


def square_peak(rest: Tensor, N: Tensor) -> Tensor:
    """(sin πNr / sin πr)², and N² where r is 0, of r=`rest` with |r| ≤ 1/2; N broadcasts with it and may be real."""
    value: Tensor = _SquarePeak.apply(rest, N)  # type: ignore[no-untyped-call]
    return value


def _parts(rest: Tensor, N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(the quotient, cos πNr, 1/sin πr), the first two up to the same sign."""
    wide = rest * N
    wide = wide - torch.round(wide)
    inverse = 1.0 / compiler_ops.sine_of_half_turns(rest)
    quotient = torch.where(rest == 0, N, compiler_ops.sine_of_half_turns(wide) * inverse)
    return quotient, compiler_ops.cosine_of_half_turns(wide), inverse


class _SquarePeak(torch.autograd.Function):
    @staticmethod
    def forward(rest: Tensor, N: Tensor) -> Tensor:
        quotient, _, _ = _parts(rest, N)
        return quotient * quotient

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        rest, N = ctx.saved_tensors
        delta = math.pi * rest
        quotient, wide_cosine, inverse = _parts(rest, N)
        slope = lattice.slope_of_quotient(
            N, delta, quotient, wide_cosine, inverse, compiler_ops.cosine_of_half_turns(rest)
        )
        twice = 2.0 * grad * quotient
        by_N = wide_cosine * torch.where(rest == 0, torch.ones_like(rest), delta * inverse)
        return twice * slope * math.pi, (twice * by_N).sum_to_size(N.shape)
