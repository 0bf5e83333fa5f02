"""A model whose way back goes through a kernel: pixels with a graph in which the sweep over slices is one operation.

The rest of a pixel (the ray, the end) is eager; it costs little where there are many slices. The values themselves are
taken as known, from the way there, so that nothing is swept twice but for its slopes.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
from typing import Any

import torch
from torch import Tensor

from simulator import absorption, accumulate, detector, fused, kernels, polarization
from simulator.errors import ExperimentError
from simulator.experiment import Model
from simulator.fused_model import FusedModel, fused_model
from simulator.kernels import Kernel, KernelError
from simulator.settings import ENGINES
from simulator.units import plain

# So that the slopes of all steps at once, six numbers each, stay in the caches.
_STEPS_AT_ONCE, _SLICES_AT_ONCE = 65536, 64
_LOG = logging.getLogger("simulator")


def slope_model(model: Model, engine: str, steps: int) -> SlopeModel | None:
    """The model for gradients by kernels where `engine` wants them and there are any, or None for the eager path.

    `auto` takes them as `fused_model` does. Raises ExperimentError as that does, for `kernel` with the reason.
    """
    reason = _why_not(model)
    if reason is not None and engine == "kernel":
        raise ExperimentError(f"engine is 'kernel', but there is none for gradients {reason}")
    if reason is not None and engine in ENGINES:
        return None
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
    return SlopeModel(values, kernel)


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
    return dataclasses.replace(fused.sweep_variant(model), kind="slopes", takes="vectors", curved=False)


class SlopeModel:
    """Values of pixels by kernels, and the same values as a graph."""

    def __init__(self, values: FusedModel, kernel: Kernel) -> None:
        self._values, self._kernel = values, kernel

    def values(self, slow: Tensor, fast: Tensor) -> Tensor:
        """The values (P,) of the pixels at (slow, fast), without a graph."""
        return self._values.evaluate(slow, fast)

    def connected(self, model: Model, slow: Tensor, fast: Tensor, values: Tensor) -> Tensor:
        """`values` (P,), connected to the tensors of `model`, which is the model with leaves of another graph.

        Rounding need not be that of the way there: nothing is compared with it.
        """
        m, n = model, model.oversample
        cells = torch.stack([n if isinstance(n, Tensor) else m.like.new_tensor(n) for n in m.cells])
        crystal = m.real_m[..., 0].permute(2, 0, 1).contiguous(), cells
        I = m.background - m.background.detach()
        capture = polar = omega = None
        for layer, subS, subF in itertools.product(range(m.layers), range(n), range(n)):
            position = _position(m, slow, fast, (layer, subS, subF))
            R = torch.sqrt((position * position).sum(0))
            diffracted = position * (1.0 / R)  # products are quicker than quotients, on the way back above all
            if omega is None:
                omega = detector.solid_angle(m.place, R, m.point_pixel)
                if m.polarized:
                    polar = polarization.polarization_factor(m.kahn, m.sources.incident[0], diffracted, m.place.polar)
            if m.layers > 1 and layer == m.layers - 1 and (subS, subF) == (0, 0):
                capture = absorption.capture_fraction(layer, m.layer_depth, m.mu, m.place.odet, diffracted)
            for incident, wavelength in zip(m.sources.incident, m.sources.wavelength_m, strict=True):
                q = (diffracted - incident[:, None]) * (1.0 / wavelength)
                I = I + _Swept.apply(self, q, *crystal)  # type: ignore[no-untyped-call]
        factor = accumulate.pixel_value(torch.ones_like(slow), m.steps, m.fluence, capture, polar, omega)
        # A factor of 0 is one at its least, whose slope is 0, so that the sum behind it does not count.
        is_zero = factor.detach() == 0
        known = values / torch.where(is_zero, torch.ones_like(slow), factor.detach())
        return (known + I) * factor

    def slopes(
        self, weight: Tensor, q: Tensor, real_m: Tensor, cells: Tensor, with_cells: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of slopes `weight` (P,) by the pixels' sums: those by q (3, P), `real_m` (K, 3, 3) and `cells` (3,)."""
        by_q, by_real, by_cells = torch.zeros_like(q), torch.zeros_like(real_m), torch.zeros_like(cells)
        slices = min(real_m.shape[0], _SLICES_AT_ONCE)
        size = max(_STEPS_AT_ONCE // slices, 1)
        for start in range(0, q.shape[1], size):
            pixels = slice(start, start + size)
            part = q[:, pixels].contiguous()
            for first in range(0, real_m.shape[0], slices):
                chunk = slice(first, first + slices)
                given = [weight[pixels].contiguous(), *part.unbind(), real_m[chunk], cells, *self._values.table]
                by_index, by_counts = self._kernel(given)
                rows = real_m[chunk].transpose(0, 1).reshape(-1, 3)  # of a for all slices, then b and c
                by_q[:, pixels] += rows.T @ by_index
                by_real[chunk] += (by_index @ part.T).reshape(3, -1, 3).transpose(0, 1)
                if with_cells:
                    by_cells += by_counts.sum(1).reshape(3, -1).sum(1)
        return by_q, by_real, by_cells


def _position(m: Model, slow: Tensor, fast: Tensor, sub: tuple[int, int, int]) -> Tensor:
    """(3, P); on a flat detector by one matrix product, whose way back is one too."""
    layer, subS, subF = sub
    p, n = m.place, m.oversample
    if m.curved:
        return detector.pixel_position(p, slow, fast, (subS, subF), n, m.layer_depth * layer, True)
    origin = p.pix0 + m.layer_depth * layer * p.odet
    along = torch.stack((p.fdet * p.pixel, p.sdet * p.pixel, origin), 1)
    ahead = (subF + 0.5) / n, (subS + 0.5) / n
    return along @ torch.stack((fast + ahead[0], slow + ahead[1], torch.ones_like(slow)))


class _Swept(torch.autograd.Function):
    """Zeros with the slopes of the sum over all slices."""

    @staticmethod
    def forward(ctx: Any, slopes: SlopeModel, q: Tensor, real_m: Tensor, cells: Tensor) -> Tensor:
        ctx.slopes = slopes
        ctx.save_for_backward(q, real_m, cells)
        return torch.zeros_like(q[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, *ctx.slopes.slopes(grad, *ctx.saved_tensors, with_cells=ctx.needs_input_grad[3])
