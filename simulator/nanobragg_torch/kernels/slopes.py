"""The way back through a pixel as functions that a compiler can fuse, beside those of `fused`: sweep, ray and end.

Of the slope of a number (a loss, say) by each pixel they make those by what the pixels are made of, the ray's and the
end's summed over all pixels. Derived by autograd from the stage functions. Source: model section 8.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nanobragg_torch.kernels.stages_as_modules import Beams, Ended, Placed, Variant, table, value
from nanobragg_torch.stages import lattice, peaks, scattering, structure_factors


class Weighed(NamedTuple):
    """What the slopes of a sweep need, of K slices of one sub-sample and source."""

    by_h: Tensor  # (K, P), like the two after it: for what is found, so that no memory is asked for
    by_k: Tensor
    by_l: Tensor
    weight: Tensor  # (P,): the slope by the sum of a pixel's steps
    x: Tensor  # (P,): of q
    y: Tensor
    z: Tensor
    real_m: Tensor  # (K, 3 of a b c, 3 of x y z)
    cells: Tensor  # (3,)
    F: Tensor  # the table
    grid: Tensor  # (3 of shape lowest highest, 3)


class SweepSlopes(torch.nn.Module):
    """Writes the slopes of each step by its index; makes those by real_m and by the counts of cells, each (K,).

    For block-shaped crystals. First come the nine numbers of real_m in its order, then the three counts: each summed
    over the pixels.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The fields of `Weighed`."""
        s = Weighed(*tensors)
        q = torch.stack((s.x, s.y, s.z))
        with torch.no_grad():
            hkl = scattering.miller_indices(s.real_m.permute(1, 2, 0)[..., None], q)
            listed = table(s.F, s.grid, self.variant)
            F_cell = structure_factors.look_up(listed, *scattering.nearest(hkl).unbind())
            rest = hkl - torch.round(hkl)
        # A leaf for each step, so that there is a slope for each.
        each = [_leaf(r) for r in rest.unbind()]
        counts = [N.detach().expand(each[0].shape).requires_grad_() for N in s.cells.unbind()]
        with torch.enable_grad():
            F_latt_square = lattice.product([peaks.square_peak(r, N) for r, N in zip(each, counts, strict=True)])
            found = torch.autograd.grad(F_latt_square, [*each, *counts], s.weight * F_cell * F_cell)
        for place, slope in zip((s.by_h, s.by_k, s.by_l), found, strict=False):
            place.copy_(slope)
        by_real = [(slope * component).sum(-1) for slope in found[:3] for component in q]
        return (*by_real, *(slope.sum(-1) for slope in found[3:]))


PLACED = tuple(name for name in Placed._fields if name not in ("slow", "fast", "oversample"))
"""What of a place has slopes."""
ENDED = tuple(name for name in Ended._fields if name not in ("steps", "polar", "last_layer"))
"""What of the end has slopes."""


class RaySlopes(torch.nn.Module):
    """Slopes by PLACED and by the one source's incident direction and wavelength, of slopes by q."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The slopes by x, y, z of q, each (P,), and what `fused.Ray` takes."""
        by_q, rest = tensors[:3], tensors[3:]
        placed, leaves = _with_leaves(Placed(*rest[:-2]))
        beams = Beams(*(_leaf(tensor) for tensor in rest[-2:]))
        with torch.enable_grad():
            _, diffracted = placed.direction(self.variant.curved)
            q = beams.scattering(diffracted[:, None, None])[:, 0, 0]
        return _slopes(q, torch.stack(by_q), [*leaves, *beams])


class EndSlopes(torch.nn.Module):
    """Slopes by PLACED and ENDED, of slopes by the pixels' factors."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """As `fused.End`, with the slopes in the place of I."""
        v, by_factor, rest = self.variant, tensors[0], tensors[1:]
        placed, leaves = _with_leaves(Placed(*rest[: len(Placed._fields)]))
        ended = Ended(*rest[len(Placed._fields) :])
        more = {name: _leaf(getattr(ended, name)) for name in ENDED}
        with torch.enable_grad():
            one = torch.ones_like(by_factor)
            factor = value(v, one, placed, *placed.direction(v.curved), ended._replace(**more))
        return _slopes(factor, by_factor, [*leaves, *more.values()])


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


def _with_leaves(placed: Placed) -> tuple[Placed, list[Tensor]]:
    leaves = {name: _leaf(getattr(placed, name)) for name in PLACED}
    return placed._replace(**leaves), list(leaves.values())


def _slopes(made: Tensor, weight: Tensor, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    found = torch.autograd.grad(made, leaves, weight, allow_unused=True)
    return tuple(torch.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves, strict=True))
