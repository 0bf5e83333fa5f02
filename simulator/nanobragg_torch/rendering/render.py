"""The image: blocks of pixels through `evaluate`, sized to a memory budget. Source: model section 8."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Experiment, Model
from nanobragg_torch.kernels.image import kernel_image
from nanobragg_torch.rendering import evaluate as evaluation
from nanobragg_torch.rendering import recompute
from nanobragg_torch.rendering.blocks import Coordinates, Flat, filled
from nanobragg_torch.settings import ModelSettings

# Some 20 temporaries of a step are alive at once without gradients; with them about 60 are kept until backward.
_VALUES_PER_STEP = 20
_VALUES_PER_PIXEL = 60
# On a CPU, more steps than this per block fall out of its second-level cache and render more slowly.
_CPU_STEPS_AT_ONCE = 32768
_SMALLEST_BLOCK = 64


def render(
    experiment: Experiment,
    pixels: Tensor | None = None,
    *,
    memory_budget_MB: float = 256.0,
    progress: Callable[[float], None] | None = None,
    model: Model | None = None,
    engine: str = "auto",
) -> Tensor:
    """The image (slow, fast), or the values (n,) of `pixels` (n, 2) given as (slow, fast); before float32 storage.

    Pixels outside the region of interest or masked are 0. Temporaries stay within about `memory_budget_MB` when no
    gradient is needed; with gradients each block is recomputed in the backward pass, so that the graph stays as
    small. The result does not depend on the budget. `progress` is called with the fraction done. A `model`
    that was built from the experiment is used instead of building it again. `engine` is "kernel" for compiled kernels,
    "eager" for none, "auto" for the faster; they agree to 1e-12 of the largest pixel, their gradients to 1e-9 of the
    largest component; gradients by kernels are first derivatives only. Raises ExperimentError for pixels
    off the detector, and where the requested kernels cannot be built.
    """
    model = model if model is not None else experiment.build()
    height, width = model.place.pixels_s, model.place.pixels_f
    given = None if pixels is None else flat_index(pixels, height, width, model.like.device)
    chosen = None if given is None else torch.unique(given)  # ascending
    wanted = active_pixels(experiment.model, height, width, chosen, model.like.device)
    engine = "eager" if model.steps == 0 else engine  # without steps the kernels have no work
    loops = model.layers * model.oversample**2 * model.sources.wavelength_m.shape[0] * model.real_m.shape[2]
    kernels = kernel_image(model, engine, len(wanted) * loops)
    if kernels is not None:
        values = kernels.values(wanted, progress)
    else:
        values = _eager_values(model, wanted, memory_budget_MB, progress)
    if progress is not None:
        progress(1.0)
    if isinstance(wanted, range):  # all there are
        return values.reshape(height, width)
    if chosen is None or given is None:
        return values.new_zeros(height * width).index_put((wanted,), values).reshape(height, width)
    slots = torch.searchsorted(chosen, wanted)
    return values.new_zeros(len(chosen)).index_put((slots,), values)[torch.searchsorted(chosen, given)]


def _eager_values(
    model: Model, wanted: Flat, memory_budget_MB: float, progress: Callable[[float], None] | None
) -> Tensor:
    """The values (n,) of the pixels `wanted`, block by block."""
    count, like = len(wanted), model.like
    coordinates = Coordinates(model.place.pixels_f, like)
    size = block_size(model, memory_budget_MB, count)
    blocks = [wanted[first : first + size] for first in range(0, count, size)]
    if len(blocks) == 1:
        return evaluation.evaluate(model, *coordinates(wanted), progress=progress)
    if torch.is_grad_enabled() and model.requires_grad:
        return recompute.block_values(model, blocks, coordinates, progress)

    def fill(block: Flat, out: Tensor) -> None:
        out.copy_(evaluation.evaluate(model, *coordinates(block)))

    return filled(blocks, like, fill, progress)


def indices(flat: Flat, device: torch.device) -> Tensor:
    """Flat indices as a tensor (n,)."""
    return torch.arange(flat.start, flat.stop, device=device) if isinstance(flat, range) else flat


def block_size(model: Model, memory_budget_MB: float, count: int) -> int:
    """How many of `count` pixels to work on at once; on a CPU, several threads do so at the same time."""
    slices = max(min(model.real_m.shape[2], evaluation.SLICES_AT_ONCE), 1)
    item = torch.finfo(model.like.dtype).bits // 8
    block = int(memory_budget_MB * 2**20 / (item * (slices * _VALUES_PER_STEP + _VALUES_PER_PIXEL)))
    if model.like.device.type == "cpu":
        threads = torch.get_num_threads()
        block = min(block // threads, _CPU_STEPS_AT_ONCE // slices)
        loops = model.layers * model.oversample**2 * model.sources.wavelength_m.shape[0]
        if count * slices * loops > _CPU_STEPS_AT_ONCE:  # enough work for all threads
            block = min(block, -(-count // threads))
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
    settings: ModelSettings, height: int, width: int, chosen: Tensor | None, device: torch.device
) -> Flat:
    """Flat indices of the pixels to evaluate: in the region of interest, unmasked, and of `chosen` (n,) if given."""
    if chosen is None and settings.roi is None and settings.mask is None:
        return range(height * width)
    flat = torch.arange(height * width, device=device) if chosen is None else chosen
    active = torch.ones_like(flat, dtype=torch.bool)
    if settings.roi is not None:
        xmin, xmax, ymin, ymax = settings.roi
        slow = torch.div(flat, width, rounding_mode="floor")
        fast = flat - slow * width
        active &= (fast >= xmin) & (fast <= xmax) & (slow >= ymin) & (slow <= ymax)
    if settings.mask is not None:
        # quirk mask-width: in their order in the file, whatever the width of either side.
        active &= torch.as_tensor(settings.mask != 0, device=device).reshape(-1)[flat]
    return flat[active]
