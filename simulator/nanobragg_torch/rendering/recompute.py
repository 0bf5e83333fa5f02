"""Values of many blocks of pixels whose gradient keeps no graph: each block is evaluated again on the way back.

Forward, nothing but the values is kept. Backward, the blocks are taken up one after the other (on a CPU as many at the
same time as there are threads): evaluated with gradients, differentiated by the model's tensors, forgotten. So memory
is that of the blocks at work, whatever the detector; a graph of checkpoints would keep megabytes for each block. Where
there is a kernel for the slopes (`slope_model`), it takes the place of the second evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nanobragg_torch.experiment import Model, map_tensors
from nanobragg_torch.kernels.backward import SlopeModel
from nanobragg_torch.kernels.forward import cut
from nanobragg_torch.rendering import evaluate as evaluation
from nanobragg_torch.rendering.blocks import Flat, each, filled

Coordinates = Callable[[Flat], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Job:
    model: Model
    blocks: Sequence[Flat]
    coordinates: Coordinates
    progress: Callable[[float], None] | None
    slopes: SlopeModel | None


def block_values(
    model: Model,
    blocks: Sequence[Flat],
    coordinates: Coordinates,
    progress: Callable[[float], None] | None = None,
    slopes: SlopeModel | None = None,
) -> Tensor:
    """The values (n,) of the pixels of all blocks (flat indices (m,) each), connected to the model's tensors.

    `coordinates` turns flat indices into (slow, fast). `progress` is told the fraction of the forward pass that is
    done. There are first derivatives only: asked for a graph of the gradient, it raises RuntimeError.
    """
    values: Tensor = _Again.apply(_Job(model, blocks, coordinates, progress, slopes), *_variables(model))  # type: ignore[no-untyped-call]
    return values


def _variables(model: Model) -> list[Tensor]:
    """The model's tensors that carry gradients, each once per place that it stands in."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        if tensor.requires_grad:
            found.append(tensor)
        return tensor

    map_tensors(model, note)
    return found


def _with_leaves(model: Model) -> tuple[Model, list[Tensor]]:
    """A copy whose variables are leaves of a graph of its own; and those, in the order of `_variables`."""
    leaves: list[Tensor] = []

    def cut(tensor: Tensor) -> Tensor:
        if not tensor.requires_grad:
            return tensor
        leaf = tensor.detach().requires_grad_()
        leaves.append(leaf)
        return leaf

    return map_tensors(model, cut), leaves


class _Again(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, job: _Job, *variables: Tensor) -> Tensor:
        ctx.job = job

        def fill(block: Flat, out: Tensor) -> None:
            places = job.coordinates(block)
            if job.slopes is None:
                out.copy_(evaluation.evaluate(job.model, *places))
            else:
                job.slopes.fill(out, *places)

        found = filled(job.blocks, job.model.like, fill, job.progress)
        if job.slopes is not None:
            ctx.save_for_backward(found)
        return found

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError(
                "an image in blocks has first derivatives only; for second ones render fewer pixels, or with a larger "
                "memory budget, so that one block holds them"
            )
        job: _Job = ctx.job
        if job.slopes is None:
            return None, *_by_graphs(job, grad)
        return None, *_by_kernels(job, job.slopes, grad, *ctx.saved_tensors)


def _by_graphs(job: _Job, grad: Tensor) -> Sequence[Tensor | None]:
    """By the model's variables, of slopes `grad` (n,) by the values: each block evaluated again."""

    def gradients(entry: tuple[Flat, Tensor]) -> Sequence[Tensor | None]:
        block, weight = entry
        model, leaves = _with_leaves(job.model)
        values = evaluation.evaluate(model, *job.coordinates(block))
        if not values.requires_grad:
            return [None for _ in leaves]
        return torch.autograd.grad(values, leaves, weight, allow_unused=True)

    return _totals(job, len(_variables(job.model)), gradients, grad)


def _by_kernels(job: _Job, slopes: SlopeModel, grad: Tensor, values: Tensor) -> Sequence[Tensor | None]:
    """The same by kernels, from the values (n,) of the way there; only what pixels are made of has a graph."""
    with torch.enable_grad():
        model, leaves = _with_leaves(job.model)
        given = slopes.given(model)
    fixed = cut(given)

    def gradients(entry: tuple[Flat, Tensor, Tensor]) -> Sequence[Tensor | None]:
        block, weight, known = entry
        return slopes.slopes(weight, *job.coordinates(block), known, fixed)

    by_given = _totals(job, len(given), gradients, grad, values)
    made = [(tensor, slope) for tensor, slope in zip(given, by_given, strict=True) if tensor.requires_grad]
    tensors, weights = [tensor for tensor, _ in made], [slope for _, slope in made]
    return torch.autograd.grad(tensors, leaves, weights, allow_unused=True)


def _totals(
    job: _Job, count: int, slopes_of: Callable[[Any], Sequence[Tensor | None]], *parts: Tensor
) -> list[Tensor | None]:
    """The sums over all blocks of the `count` slopes of one and of its piece of each of the tensors (n,)."""
    sizes = [len(block) for block in job.blocks]
    entries = list(zip(job.blocks, *(torch.split(whole, sizes) for whole in parts), strict=True))
    totals: list[Tensor | None] = [None] * count
    for found in each(slopes_of, entries, device=job.model.like.device, gradients=job.slopes is None):
        totals = [a if b is None else b if a is None else a + b for a, b in zip(totals, found, strict=True)]
    return totals
