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

from simulator import evaluate as evaluation
from simulator.blocks import Flat, each, filled
from simulator.experiment import Model, map_tensors
from simulator.slope_model import SlopeModel

Coordinates = Callable[[Flat], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Job:
    model: Model
    blocks: Sequence[Flat]
    coordinates: Coordinates
    progress: Callable[[float], None] | None
    slopes: SlopeModel | None

    @property
    def in_threads(self) -> bool:
        return self.model.like.device.type == "cpu"


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
        ctx.count = len(variables)

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
        sizes = [len(block) for block in job.blocks]

        def gradients(entry: tuple[Any, ...]) -> list[Tensor | None]:
            block, weight, *known = entry
            model, leaves = _with_leaves(job.model)
            places = job.coordinates(block)
            if job.slopes is None:
                values = evaluation.evaluate(model, *places)
            else:
                values = job.slopes.connected(model, *places, *known)
            if not values.requires_grad:
                return [None for _ in leaves]
            found: Sequence[Tensor | None] = torch.autograd.grad(values, leaves, weight, allow_unused=True)
            return list(found)

        totals: list[Tensor | None] = [None] * ctx.count
        parts = [torch.split(whole, sizes) for whole in (grad, *ctx.saved_tensors)]
        entries = list(zip(job.blocks, *parts, strict=True))
        for found in each(gradients, entries, in_threads=job.in_threads, gradients=True):
            totals = [a if b is None else b if a is None else a + b for a, b in zip(totals, found, strict=True)]
        return None, *totals
