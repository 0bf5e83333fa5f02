"""Structure factors: nearest grid value, or four-point interpolation of the grid. Source: model sections 7 and 10.

The grid gets a border of default_F, so that an index clamped to the border needs no separate range check. A step
whose 4×4×4 block leaves the grid falls back to the nearest value by itself (quirk interp-latch is never reproduced).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from nanobragg_torch import units
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.settings import Reflections

Triple: TypeAlias = "tuple[int, int, int]"


@dataclass(frozen=True)
class Table:
    """The bordered grid (h, k, l); `lowest` and `highest` h k l of the listed range."""

    F: Tensor
    shape: Triple  # of F
    lowest: Triple
    highest: Triple

    @property
    def is_wide(self) -> bool:
        """Are there more points than the floating-point numbers of F can count?"""
        return self.F.numel() >= 1 / torch.finfo(self.F.dtype).eps


def build_table(reflections: Reflections | None, default_F: units.Number, like: Tensor) -> Table | None:
    """The table of a reflection list, unlisted points holding default_F; None for no list."""
    if reflections is None:
        return None
    F = reflections.F
    if F.ndim != 3 or min(F.shape) < 1:
        raise ExperimentError(f"reflections have shape {tuple(F.shape)}, expected (h, k, l)")
    if isinstance(F, Tensor) or isinstance(default_F, Tensor):
        F = torch.as_tensor(F, dtype=like.dtype, device=like.device)
        default = units.tensor(default_F, like)
        unlisted = torch.isnan(F)
        filled = torch.where(unlisted, default, torch.where(unlisted, torch.zeros_like(F), F))
        bordered = default.expand([n + 2 for n in F.shape]).clone()
        bordered[1:-1, 1:-1, 1:-1] = filled
    else:  # nothing to differentiate: in one pass
        array = np.full([n + 2 for n in F.shape], default_F, dtype=np.float64)
        array[1:-1, 1:-1, 1:-1] = np.where(np.isnan(F), default_F, F)
        bordered = torch.from_numpy(array).to(dtype=like.dtype, device=like.device)
    low = reflections.lowest
    high = (low[0] + F.shape[0] - 1, low[1] + F.shape[1] - 1, low[2] + F.shape[2] - 1)
    nh, nk, nl = bordered.shape
    return Table(bordered, (nh, nk, nl), low, high)


def look_up(table: Table, h: Tensor, k: Tensor, l: Tensor) -> Tensor:
    """F at integer indices (any one shape, floating-point numbers); outside the listed range default_F."""
    return torch.take(table.F, _node(table, h, k, l))


def _node(table: Table, h: Tensor, k: Tensor, l: Tensor) -> Tensor:
    """Flat indices of the nodes at integer indices, or of the border."""
    inside = (
        torch.clamp(x, low - 1.0, high + 1.0) - (low - 1.0)
        for x, low, high in zip((h, k, l), table.lowest, table.highest, strict=True)
    )
    return _flat_index(table, *inside)


def _flat_index(table: Table, h: Tensor, k: Tensor, l: Tensor) -> Tensor:
    """Flat indices of the table at indices that count from its border."""
    _, nk, nl = table.shape
    if table.is_wide:  # the index itself must be exact
        h, k, l = h.to(torch.int64), k.to(torch.int64), l.to(torch.int64)
    return ((h * nk + k) * nl + l).to(torch.int64)


def _lagrange(x: Tensor) -> list[Tensor]:
    """Weights of the nodes −1, 0, 1, 2 at x in [0, 1)."""
    to_before, to_after, from_last = -1.0 - x, 1.0 - x, x - 2.0  # such that no product has to change its sign
    outer, inner = x * to_after * (1 / 6), to_before * from_last * 0.5
    return [outer * from_last, inner * to_after, inner * x, outer * to_before]


def _first_node(table: Table, base: Tensor) -> Tensor:
    """Flat indices of the first nodes of the 4×4×4 blocks around `base`, kept within the table."""
    h, k, l = (
        (x - low).clamp(min=0.0).clamp(max=n - 4.0) for x, low, n in zip(base, table.lowest, table.shape, strict=True)
    )
    return _flat_index(table, h, k, l)


def _interpolated(table: Table, first: Tensor, weights: list[list[Tensor]]) -> Tensor:
    """Along l, then k, then h on the four nodes around each index, of which `first` is the first one."""
    wh, wk, wl = weights
    _, nk, nl = table.shape
    over_h = []
    for i in range(4):
        over_k = []
        for j in range(4):
            nodes = [torch.take(table.F, first + ((i * nk + j) * nl + m)) for m in range(4)]
            over_k.append(wl[0] * nodes[0] + wl[1] * nodes[1] + wl[2] * nodes[2] + wl[3] * nodes[3])
        over_h.append(wk[0] * over_k[0] + wk[1] * over_k[1] + wk[2] * over_k[2] + wk[3] * over_k[3])
    return wh[0] * over_h[0] + wh[1] * over_h[1] + wh[2] * over_h[2] + wh[3] * over_h[3]


def _margin(table: Table, hkl: Tensor) -> Tensor:
    """Not below 0 where the 4×4×4 block is inside the grid; the test is on the index itself, not on its floor."""
    margins = [
        margin
        for x, low, high in zip(hkl, table.lowest, table.highest, strict=True)
        for margin in ((high - low + 1) - (x - low + 3), (x - 2) - low)
    ]
    least: Tensor = functools.reduce(torch.minimum, margins)
    return least


def structure_factor(table: Table | None, default_F: Tensor, hkl: Tensor, hkl0: Tensor, interpolate: bool) -> Tensor:
    """F_cell (K, P) at fractional indices hkl and nearest ones hkl0, both (3, K, P)."""
    if table is None:
        return default_F.expand(hkl.shape[1:])
    nearest = look_up(table, hkl0[0], hkl0[1], hkl0[2])
    if not interpolate or min(table.F.shape) < 4:  # no block fits
        return nearest
    base = torch.floor(hkl)
    first, weights = _first_node(table, base), [_lagrange(x) for x in (hkl - base).unbind()]
    return torch.where(_margin(table, hkl) >= 0, _interpolated(table, first, weights), nearest)
