"""The image: blocks of pixels through `evaluate`, sized to a memory budget. Source: model section 8."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from simulator import evaluate as evaluation
from simulator.errors import ExperimentError
from simulator.experiment import Experiment, Model
from simulator.settings import ModelSettings

# Some 20 temporaries of a step are alive at once without gradients; with them about 60 are kept until backward.
_VALUES_PER_STEP = 20
_VALUES_PER_PIXEL = 60
# On a CPU, more steps than this per block fall out of its second-level cache and render more slowly.
_CPU_STEPS_AT_ONCE = 65536
_SMALLEST_BLOCK = 64


def render(
    experiment: Experiment,
    pixels: Tensor | None = None,
    *,
    memory_budget_MB: float = 256.0,
    progress: Callable[[float], None] | None = None,
    model: Model | None = None,
) -> Tensor:
    """The image (slow, fast), or the values (n,) of `pixels` (n, 2) given as (slow, fast); before float32 storage.

    Pixels outside the region of interest or masked are 0. Temporaries stay within about `memory_budget_MB` when no
    gradient is asked for; with gradients each block is evaluated again on the way back, so that the graph stays as
    small. The result does not depend on the budget. `progress` is called with the fraction done. A `model`
    that was built from the experiment is used instead of building it again. Raises ExperimentError for pixels off
    the detector.
    """
    model = model if model is not None else experiment.build()
    height, width = model.place.pixels_s, model.place.pixels_f
    wanted = active_pixels(experiment.model, height, width, pixels, model.like.device)
    count = wanted.shape[0]
    block = block_size(model, memory_budget_MB)
    values = []
    for first in range(0, count, block):
        flat = wanted[first : first + block]
        slow = torch.div(flat, width, rounding_mode="floor")
        fast = flat - slow * width
        values.append(_block(model, slow.to(model.like.dtype), fast.to(model.like.dtype), only=block >= count))
        if progress is not None:
            progress(min(first + block, count) / count)
    image = torch.zeros(height * width, dtype=model.like.dtype, device=model.like.device)
    if values:
        image = image.index_put((wanted,), torch.cat(values))
    if pixels is None:
        return image.reshape(height, width)
    return image[flat_index(pixels, height, width, model.like.device)]


def _block(model: Model, slow: Tensor, fast: Tensor, only: bool) -> Tensor:
    if only or not torch.is_grad_enabled() or not model.requires_grad:
        return evaluation.evaluate(model, slow, fast)
    from torch.utils.checkpoint import checkpoint

    values: Tensor = checkpoint(
        evaluation.evaluate, model, slow, fast, use_reentrant=False, preserve_rng_state=False, determinism_check="none"
    )
    return values


def block_size(model: Model, memory_budget_MB: float) -> int:
    """How many pixels to work on at once."""
    slices = min(model.real_m.shape[2], evaluation.SLICES_AT_ONCE)
    item = torch.finfo(model.like.dtype).bits // 8
    block = int(memory_budget_MB * 2**20 / (item * (slices * _VALUES_PER_STEP + _VALUES_PER_PIXEL)))
    if model.like.device.type == "cpu":
        block = min(block, _CPU_STEPS_AT_ONCE // slices)
    return max(block, _SMALLEST_BLOCK)


def flat_index(pixels: Tensor, height: int, width: int, device: torch.device) -> Tensor:
    """Flat indices (n,) of pixels (n, 2) given as (slow, fast); ExperimentError where one is off the detector."""
    pixels = torch.as_tensor(pixels, device=device)
    if pixels.ndim != 2 or pixels.shape[1] != 2 or pixels.is_floating_point():
        raise ExperimentError(f"pixels have shape {tuple(pixels.shape)} of {pixels.dtype}, expected (n, 2) integers")
    slow, fast = pixels[:, 0].to(torch.int64), pixels[:, 1].to(torch.int64)
    off = (slow < 0) | (slow >= height) | (fast < 0) | (fast >= width)
    if bool(off.any()):
        s, f = pixels[off][0].tolist()
        raise ExperimentError(f"pixel (slow {s}, fast {f}) is off the detector of {height} x {width} pixels")
    flat: Tensor = slow * width + fast
    return flat


def active_pixels(
    settings: ModelSettings, height: int, width: int, pixels: Tensor | None, device: torch.device
) -> Tensor:
    """Flat indices of the pixels to evaluate: inside the region of interest, unmasked, and of `pixels` if given."""
    active = torch.zeros((height, width), dtype=torch.bool, device=device)
    if settings.roi is None:
        active[:] = True
    else:
        xmin, xmax, ymin, ymax = settings.roi
        active[max(ymin, 0) : max(ymax + 1, 0), max(xmin, 0) : max(xmax + 1, 0)] = True
    if settings.mask is not None:
        if settings.mask.shape != (height, width):
            raise ExperimentError(f"the mask has shape {settings.mask.shape}, the detector {(height, width)}")
        active &= torch.as_tensor(settings.mask != 0, device=device)
    active = active.reshape(-1)
    if pixels is None:
        return active.nonzero()[:, 0]
    chosen = torch.zeros_like(active)
    chosen[flat_index(pixels, height, width, device)] = True
    return (chosen & active).nonzero()[:, 0]
