"""The way back through the sweep over slices as a function that a compiler can fuse, beside those of `fused`.

It takes the slope of a number (a loss, say) by each pixel's sum and returns the slopes by each step's h, k and l, and
sums over pixels of the slopes by what they share. Derived by autograd from the stage functions.
Source: model section 8.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from simulator import lattice, peaks, scattering, structure_factors
from simulator.fused import Variant
from simulator.structure_factors import Table


class Weighed(NamedTuple):
    """What the slopes of a sweep need: pixels in R rows of M, K slices of one sub-sample and source."""

    weight: Tensor  # (R, M): the slope by the sum of a pixel's steps
    q: Tensor  # (R, 3, M): so that the compiler does not take the rows for one
    real_m: Tensor  # (K, 3 of a b c, 3 of x y z)
    cells: Tensor  # (3,)
    fudge: Tensor
    reciprocal_A: Tensor  # (3, 3)
    F: Tensor  # the table
    grid: Tensor  # (3 of shape lowest highest, 3)
    default_F: Tensor


def shared_sizes(variant: Variant) -> dict[str, tuple[int, ...]]:
    """What `SweepSlopes` sums over a row, in order: names of `Weighed` and their shapes."""
    sizes: dict[str, tuple[int, ...]] = {"real_m": (3, 3), "cells": (3,)}
    if variant.shape != "square":
        sizes |= {"fudge": (), "reciprocal_A": (3, 3)}
    if not variant.has_table:
        sizes |= {"default_F": ()}
    return sizes


class SweepSlopes(torch.nn.Module):
    """The slopes by h, k and l, each (K, R, M); and sums over the rows' pixels (n, K, R), n as in `shared_sizes`."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The fields of `Weighed`."""
        v, s = self.variant, Weighed(*tensors)
        K, R = s.real_m.shape[0], s.q.shape[0]
        q = s.q.movedim(1, 0)
        with torch.no_grad():
            hkl = scattering.miller_indices(s.real_m.permute(1, 2, 0)[..., None, None], q)

        def per_row(tensor: Tensor) -> Tensor:
            """The same number for all pixels of a row, so that there is a slope for each row and slice."""
            return tensor.detach()[..., None, None, None].expand(*tensor.shape, K, R, 1).requires_grad_()

        shared = {name: per_row(getattr(s, name)) for name in shared_sizes(v) if name != "real_m"}
        with torch.enable_grad():
            index = hkl.detach().requires_grad_()
            terms = self._terms(s._replace(**shared), index)
            found = torch.autograd.grad(terms, [index, *shared.values()], s.weight.expand(terms.shape))
        by_index, by_shared = found[0].unbind(), found[1:]
        by_real = [(slope * q[i]).sum(-1) for slope in by_index for i in range(3)]
        parts = [part.reshape(-1, K, R).unbind() for part in by_shared]
        return (*by_index, torch.stack([*by_real, *(row for part in parts for row in part)]))

    def _terms(self, s: Weighed, hkl: Tensor) -> Tensor:
        """What the steps (K, R, M) add."""
        v, hkl0 = self.variant, scattering.nearest(hkl.detach())
        Na, Nb, Nc = s.cells.unbind()
        if v.shape == "square":
            rest = hkl - torch.round(hkl.detach())
            squares = [peaks.square_peak(r, N) for r, N in zip(rest.unbind(), (Na, Nb, Nc), strict=True)]
            F_latt_square = lattice.product(squares)
        else:
            F_latt, _ = lattice.lattice_factor(v.shape, hkl, hkl0, (Na, Nb, Nc), s.fudge, s.reciprocal_A)
            F_latt_square = F_latt * F_latt
        table = None
        if v.has_table:
            shape, lowest, highest = ((row[0], row[1], row[2]) for row in s.grid.unbind())
            table = Table(s.F, shape, lowest, highest, is_wide=v.is_wide)
        F_cell = structure_factors.structure_factor(table, s.default_F, hkl, hkl0, v.interpolate)
        return F_cell * F_cell * F_latt_square
