"""A correctly rounded square root in double precision, like those of C and of the kernels.

PyTorch's own uses a vector library on CPUs, which has the last bit wrong for one number in a hundred. Of the distance
to a pixel that bit is seen: near a Bragg peak it is 1e-11 of the intensity, by the rounding of sin(Nx).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_SPLIT = 2.0**27 + 1


class _Root(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(square: Tensor) -> Tensor:
        near = torch.sqrt(square)
        # What is left of the square, exactly: the product of halves of 26 bits each has no rounding (Dekker 1971).
        large = near * _SPLIT
        upper = large - (large - near)
        lower = near - upper
        product = near * near
        lost = ((upper * upper - product) + 2.0 * upper * lower) + lower * lower
        better = near + (square - product - lost) / (2.0 * near)
        return torch.where(torch.isfinite(better), better, near)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        root: Tensor = ctx.saved_tensors[0]
        return grad / (2.0 * root)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        root: Tensor = ctx.saved_tensors[0]
        return tangent / (2.0 * root)


def root(square: Tensor) -> Tensor:
    """√ of numbers of any shape; 0 has an infinite slope."""
    if square.dtype != torch.float64 or square.device.type != "cpu":
        return torch.sqrt(square)
    value: Tensor = _Root.apply(square)  # type: ignore[no-untyped-call]
    return value
