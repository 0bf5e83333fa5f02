"""A model whose way back goes through a kernel: pixels with a graph in which the sweep over slices is one operation.

The rest of a pixel (the ray, the end) is eager; it costs little where there are many slices. The values themselves are
taken as known, from the way there, so that nothing is swept twice but for its slopes.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import torch
from torch import Tensor

from simulator import absorption, accumulate, detector, fused, fused_slopes, kernels, polarization, scattering
from simulator.errors import ExperimentError
from simulator.experiment import Model
from simulator.fused_model import FusedModel, fused_model
from simulator.kernels import Kernel, KernelError
from simulator.settings import ENGINES
from simulator.units import plain

# Rows of so many pixels are summed by one thread each; steps at once, so that their slopes stay in the caches.
_ROW, _STEPS_AT_ONCE = 1024, 131072
_LOG = logging.getLogger("simulator")


def slope_model(model: Model, engine: str, steps: int) -> SlopeModel | None:
    """The model for gradients by kernels where `engine` is "kernel", or None for the eager path."""
    if engine not in ENGINES:
        raise ExperimentError(f"engine is {engine!r}, expected one of {', '.join(ENGINES)}")
    if engine != "kernel":  # not shown to be faster yet
        return None
    reason = _why_not(model)
    if reason is not None:
        raise ExperimentError(f"engine is 'kernel', but there is none for gradients {reason}")
    Na, Nb, Nc = (round(plain(n)) for n in model.cells)
    with torch.no_grad():
        values = fused_model(dataclasses.replace(model, cells=(Na, Nb, Nc)), engine, steps)
    if values is None:
        return None
    try:
        (kernel,) = kernels.kernels([_variant(model)])
    except KernelError as error:
        if engine == "kernel":
            raise ExperimentError(f"engine is 'kernel', but {error}") from None
        _LOG.warning("gradients without compiled kernels, several times slower: %s", error)
        return None
    return SlopeModel(model, values, kernel)


def _why_not(model: Model) -> str | None:
    if model.oversample_thick or model.oversample_polar or model.oversample_omega:
        return "with -oversample_thick, -oversample_polar or -oversample_omega"
    if model.like.device.type != "cpu":
        return "beyond the CPU"
    if any(plain(n) != round(plain(n)) for n in model.cells):
        return "at cell counts that are no whole numbers"
    if model.shape != "square":
        return f"of {model.shape} crystals"
    if model.like.dtype != torch.float64:
        return "in single precision"
    if model.interpolate:
        return "of interpolated structure factors"
    if model.dmin_m > 0:
        return "with a resolution limit"
    if model.table is None:
        return "without reflections"
    if model.table.F.requires_grad:
        return "by structure factors"
    return None


def _variant(model: Model) -> fused.Variant:
    _, sweep, _ = fused.variants(model)
    return dataclasses.replace(sweep, kind="slopes", takes="vectors", curved=False)


class SlopeModel:
    """Values of pixels by kernels, and the same values as a graph."""

    def __init__(self, model: Model, values: FusedModel, kernel: Kernel) -> None:
        self._values, self._kernel, self._variant = values, kernel, _variant(model)
        like = model.like
        if model.table is None:
            self._table = [torch.zeros(1, 1, 1, dtype=like.dtype), torch.zeros(3, 3, dtype=like.dtype)]
        else:
            grid = torch.tensor([model.table.shape, model.table.lowest, model.table.highest], dtype=like.dtype)
            self._table = [model.table.F.detach().contiguous(), grid]

    def values(self, slow: Tensor, fast: Tensor) -> Tensor:
        """The values (P,) of the pixels at (slow, fast), without a graph."""
        return self._values.evaluate(slow, fast)

    def connected(self, model: Model, slow: Tensor, fast: Tensor, values: Tensor) -> Tensor:
        """`values` (P,), connected to the tensors of `model`, which is the model with leaves of another graph."""
        m, n = model, model.oversample
        subs = [(layer, subS, subF) for layer in range(m.layers) for subS in range(n) for subF in range(n)]
        capture = polar = None
        rays: list[Tensor] = []
        for layer, subS, subF in subs:
            position = detector.pixel_position(m.place, slow, fast, (subS, subF), n, m.layer_depth * layer, m.curved)
            R, diffracted = detector.airpath(position)
            if not rays:
                omega = detector.solid_angle(m.place, R, m.point_pixel)
                if m.polarized:
                    polar = polarization.polarization_factor(m.kahn, m.sources.incident[0], diffracted, m.place.polar)
            if m.layers > 1 and layer == m.layers - 1 and (subS, subF) == (0, 0):
                capture = absorption.capture_fraction(layer, m.layer_depth, m.mu, m.place.odet, diffracted)
            rays.append(diffracted)
        one = torch.ones_like(slow)
        factor = accumulate.pixel_value(one, m.steps, m.fluence, capture, polar, omega).detach()
        # A factor of 0 is one at its least, whose slope is 0, so that the sum behind it does not count.
        known = torch.where(factor == 0, one, values / torch.where(factor == 0, one, factor))
        I = known - m.background.detach() + m.background
        for diffracted in rays:
            for incident, wavelength in zip(m.sources.incident, m.sources.wavelength_m, strict=True):
                q = scattering.scattering_vector(diffracted, incident[:, None], wavelength)
                I = I + self._sweep(m, q)
        return accumulate.pixel_value(I, m.steps, m.fluence, capture, polar, omega)

    def _sweep(self, m: Model, q: Tensor) -> Tensor:
        """Zeros with the slopes of the sum over all slices."""
        cells = torch.stack([n if isinstance(n, Tensor) else m.like.new_tensor(n) for n in m.cells])
        crystal = m.real_m[..., 0].permute(2, 0, 1).contiguous(), cells, m.fudge, m.cell.reciprocal_A, m.default_F
        found: Tensor = _Swept.apply(self, q, *crystal)  # type: ignore[no-untyped-call]
        return found

    def slopes(self, weight: Tensor, q: Tensor, crystal: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Of slopes `weight` (P,) by the pixels' sums: those by q (3, P) and by each of `crystal`."""
        real, cells, fudge, reciprocal, default_F = (tensor.detach().contiguous() for tensor in crystal)
        by_q = torch.zeros_like(q)
        sizes = fused_slopes.shared_sizes(self._variant)
        total = {name: torch.zeros_like(t) for name, t in zip(_CRYSTAL, crystal, strict=True)}
        slices = max(1, min(real.shape[0], _STEPS_AT_ONCE // _ROW))
        for pixels in _pieces(q.shape[1], max(_STEPS_AT_ONCE // slices // _ROW, 1) * _ROW):
            width = min(_ROW, pixels.stop - pixels.start)
            part = q[:, pixels]
            rows = part.reshape(3, -1, width).permute(1, 0, 2).contiguous()
            weights = weight[pixels].reshape(-1, width).contiguous()
            for first in range(0, real.shape[0], slices):
                chunk = slice(first, first + slices)
                given = [weights, rows, real[chunk], cells, fudge, reciprocal, *self._table, default_F]
                *by_index, shared = self._kernel(given)
                for axis, slope in enumerate(by_index):
                    by_q[:, pixels] += real[chunk, axis].T @ slope.reshape(-1, part.shape[1])
                sums = shared.sum(2)
                total["real_m"][chunk] += sums[:9].T.reshape(-1, 3, 3)
                start = 9
                for name, shape in list(sizes.items())[1:]:
                    count = total[name].numel()
                    total[name] += sums[start : start + count].sum(1).reshape(shape)
                    start += count
        return by_q, *total.values()


_CRYSTAL = ("real_m", "cells", "fudge", "reciprocal_A", "default_F")


def _pieces(count: int, size: int) -> list[slice]:
    """Whole rows in pieces of `size`, and the rest, which is one row of its own."""
    whole = count // _ROW * _ROW
    pieces = [slice(first, min(first + size, whole)) for first in range(0, whole, size)]
    return pieces + ([slice(whole, count)] if whole < count else [])


class _Swept(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, slopes: SlopeModel, q: Tensor, *crystal: Tensor) -> Tensor:
        ctx.slopes = slopes
        ctx.save_for_backward(q, *crystal)
        return torch.zeros_like(q[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, *crystal = ctx.saved_tensors
        return None, *ctx.slopes.slopes(grad, q, tuple(crystal))
