"""The way back through the sweep over slices as a function that a compiler can fuse, beside those of `fused`.

It takes the slope of a number (a loss, say) by each pixel's sum and returns those by each step's h, k and l and by the
counts of cells. Derived by autograd from the stage functions. Source: model section 8.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from simulator import lattice, peaks, scattering, structure_factors
from simulator.fused import Variant, table
from simulator.kernel_ops import once


class Weighed(NamedTuple):
    """What the slopes of a sweep need, of K slices of one sub-sample and source."""

    weight: Tensor  # (P,): the slope by the sum of a pixel's steps
    x: Tensor  # (P,): of q
    y: Tensor
    z: Tensor
    real_m: Tensor  # (K, 3 of a b c, 3 of x y z)
    cells: Tensor  # (3,)
    F: Tensor  # the table
    grid: Tensor  # (3 of shape lowest highest, 3)


class SweepSlopes(torch.nn.Module):
    """Of each step the slopes by h, k and l, then by Na, Nb and Nc, each three (3 K, P): one above the other.

    For block-shaped crystals with reflections.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        """The fields of `Weighed`."""
        s = Weighed(*tensors)
        q = torch.stack((s.x, s.y, s.z))
        with torch.no_grad():
            hkl = once(scattering.miller_indices(s.real_m.permute(1, 2, 0)[..., None], q))
            listed = table(s.F, s.grid, self.variant)
            F_cell = structure_factors.look_up(listed, *scattering.nearest(hkl).unbind())
            rest = hkl - torch.round(hkl)
        # A leaf for each step, so that there is a slope for each.
        each = [r.detach().requires_grad_() for r in rest.unbind()]
        counts = [N.detach().expand(each[0].shape).requires_grad_() for N in s.cells.unbind()]
        with torch.enable_grad():
            F_latt_square = lattice.product([peaks.square_peak(r, N) for r, N in zip(each, counts, strict=True)])
            found = torch.autograd.grad(F_latt_square, [*each, *counts], s.weight * F_cell * F_cell)
        slopes = [once(slope) for slope in found]
        return torch.cat(slopes[:3]), torch.cat(slopes[3:])
