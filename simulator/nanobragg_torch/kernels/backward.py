"""A model whose way back goes through kernels.

The values themselves are taken as known, from the way there, so that nothing is swept twice but for its slopes.
Rounding need not be that of the way there: nothing is compared with it.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Model
from nanobragg_torch.kernels import cache
from nanobragg_torch.kernels import stages_as_modules as fused
from nanobragg_torch.kernels.cache import Kernel, KernelError
from nanobragg_torch.kernels.forward import FusedModel, fused_model, numbers
from nanobragg_torch.kernels.slopes import ENDED, PLACED
from nanobragg_torch.settings import ENGINES
from nanobragg_torch.units import plain

# So that the slopes of all steps at once, three numbers each, stay in the caches.
_STEPS_AT_ONCE, _SLICES_AT_ONCE = 65536, 64
_LOG = logging.getLogger("nanobragg_torch")


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
        found = cache.kernels(_variants(model))
    except KernelError as error:
        if engine == "kernel":
            raise ExperimentError(f"engine is 'kernel', but {error}") from None
        _LOG.warning("gradients without compiled kernels, several times slower: %s", error)
        return None
    return SlopeModel(values, found)


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


def _variants(model: Model) -> list[fused.Variant]:
    """Ray, end, and the slopes of sweep, ray and end."""
    sweep = dataclasses.replace(fused.sweep_variant(model), kind="sweep_slopes", takes="vectors", curved=False)
    ray, end = fused.ray_variant(model, "vectors"), fused.end_variant(model)
    slopes = [dataclasses.replace(variant, kind=f"{variant.kind}_slopes") for variant in (ray, end)]
    return [ray, end, sweep, *slopes]


# The tensors that a pixel is made of, in order.
_GIVEN = (*PLACED, "incidents", "wavelengths", "real_m", "cells", "background", *ENDED)


class SlopeModel:
    """Values of pixels by kernels, and their slopes."""

    def __init__(self, values: FusedModel, found: Sequence[Kernel]) -> None:
        self._values = values
        self._ray, self._end, self._sweep_slopes, self._ray_slopes, self._end_slopes = found
        n = values.numbers
        self._oversample, self._steps, self._last_layer, self._table = n.oversample, n.steps, n.last_layer, n.table
        self._no_polar = n.steps.new_zeros(1)

    def fill(self, out: Tensor, slow: Tensor, fast: Tensor) -> None:
        """Write the values (P,) of the pixels at (slow, fast) to `out`, without a graph."""
        self._values.evaluate(slow, fast, out=out)

    def given(self, model: Model) -> list[Tensor]:
        """What the pixels of `model` are made of, connected to its tensors."""
        n = numbers(model)
        return [n.subs, *n.place, *n.beams, *n.crystal[:2], model.background, *n.scale, *n.sensor]

    def slopes(self, grad: Tensor, slow: Tensor, fast: Tensor, values: Tensor, given: Sequence[Tensor]) -> list[Tensor]:
        """By each of the tensors `given`, of slopes `grad` (P,) by the values (P,) of the pixels at (slow, fast)."""
        at = dict(zip(_GIVEN, given, strict=True))
        by = {name: torch.zeros_like(tensor) for name, tensor in at.items()}
        place = [at[name] for name in PLACED[1:]]
        scale, sensor = [at[name] for name in ENDED[:-2]], [at[name] for name in ENDED[-2:]]
        ended = [self._steps, *scale, self._no_polar, self._last_layer, *sensor]

        def placed(sub: Tensor) -> list[Tensor]:
            return [slow, fast, sub, self._oversample, *place]

        def add(names: Sequence[str], sub: int, found: Sequence[Tensor]) -> None:
            by["sub"][sub] += found[0]
            for name, slope in zip(names[1:], found[1:], strict=True):
                by[name] += slope

        factor = torch.ones_like(slow)
        self._end([factor, *placed(at["sub"][0]), *ended])
        # A factor of 0 is one at its least, whose slope is 0, so that the sum behind it does not count.
        sums = values / torch.where(factor == 0, torch.ones_like(factor), factor)
        add((*PLACED, *ENDED), 0, self._end_slopes([grad * sums, *placed(at["sub"][0]), *ended]))
        weight = grad * factor
        by["background"] += weight.sum()
        for number, sub in enumerate(at["sub"]):
            for source in range(at["wavelengths"].shape[0]):
                beam = [at[name][source : source + 1] for name in ("incidents", "wavelengths")]
                q = self._ray([*placed(sub), *beam])
                by_q = self._of_sweep(weight, q, at["real_m"], at["cells"], by)
                *found, by_incident, by_wavelength = self._ray_slopes([*by_q.unbind(), *placed(sub), *beam])
                add(PLACED, number, found)
                by["incidents"][source] += by_incident[0]
                by["wavelengths"][source] += by_wavelength[0]
        return [by[name] for name in _GIVEN]

    def _of_sweep(
        self, weight: Tensor, q: Sequence[Tensor], real_m: Tensor, cells: Tensor, by: dict[str, Tensor]
    ) -> Tensor:
        """By q (3, P), of slopes `weight` (P,) by the pixels' sums; those by `real_m` and `cells` are added to `by`."""
        by_q = weight.new_zeros(3, len(weight))
        for first in range(0, real_m.shape[0], _SLICES_AT_ONCE):
            real = real_m[first : first + _SLICES_AT_ONCE]
            rows = real.transpose(0, 1).reshape(-1, 3).T  # of a for all slices, then b and c
            by_real = by["real_m"][first : first + len(real)].view(-1, 9)
            size = min(max(_STEPS_AT_ONCE // len(real), 1), len(weight))
            room = weight.new_empty(3, len(real), size)
            split = (torch.split(whole, size, -1) for whole in (weight, *q, by_q))
            for part, x, y, z, by_q_part in zip(*split, strict=True):
                if len(part) < size:  # the last
                    room = weight.new_empty(3, len(real), len(part))
                found = torch.stack(self._sweep_slopes([*room.unbind(), part, x, y, z, real, cells, *self._table]), 1)
                by_q_part.addmm_(rows, room.view(-1, len(part)))
                by_real += found[:, :9]
                by["cells"] += found[:, 9:].sum(0)
        return by_q
