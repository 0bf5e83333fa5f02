"""Values of many blocks of pixels whose gradient keeps no graph: the backward pass evaluates each block again.

The forward pass keeps only the values. The backward pass takes the blocks one after the other (on a CPU, as many at a
time as there are threads): each is evaluated with gradients, differentiated by the model's tensors and released. So
memory is that of the blocks in progress, whatever the detector; checkpointing would keep megabytes for each block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nanobragg_torch.experiment import Model, map_tensors
from nanobragg_torch.rendering import evaluate as evaluation
from nanobragg_torch.rendering.blocks import Flat, each, filled

Coordinates = Callable[[Flat], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _RecomputeArguments:
    """The input of both passes apart from the variables."""

    model: Model
    blocks: Sequence[Flat]
    coordinates: Coordinates
    progress: Callable[[float], None] | None


def block_values(
    model: Model,
    blocks: Sequence[Flat],
    coordinates: Coordinates,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """The values (n,) of the pixels of all blocks (flat indices (m,) each), connected to the model's tensors.

    `coordinates` turns flat indices into (slow, fast). `progress` is called with the finished fraction of the forward
    pass. There are first derivatives only: with create_graph=True it raises RuntimeError.
    """
    arguments = _RecomputeArguments(model, blocks, coordinates, progress)
    values: Tensor = _RecomputedBlocks.apply(arguments, *_variables(model))  # type: ignore[no-untyped-call]
    return values


def _variables(model: Model) -> list[Tensor]:
    """The model's tensors that carry gradients, each once per place that uses it."""
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


class _RecomputedBlocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, arguments: _RecomputeArguments, *variables: Tensor) -> Tensor:
        ctx.arguments = arguments

        def fill(block: Flat, out: Tensor) -> None:
            out.copy_(evaluation.evaluate(arguments.model, *arguments.coordinates(block)))

        return filled(arguments.blocks, arguments.model.like, fill, arguments.progress)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError(
                "an image in blocks has first derivatives only; for second ones render fewer pixels, or with a larger "
                "memory budget, so that one block holds them"
            )
        arguments: _RecomputeArguments = ctx.arguments
        return None, *_slopes(arguments, grad)


def _slopes(arguments: _RecomputeArguments, grad: Tensor) -> Sequence[Tensor | None]:
    """By the model's variables, of slopes `grad` (n,) by the values: each block evaluated again."""

    def gradients(entry: tuple[Flat, Tensor]) -> Sequence[Tensor | None]:
        block, weight = entry
        model, leaves = _with_leaves(arguments.model)
        values = evaluation.evaluate(model, *arguments.coordinates(block))
        if not values.requires_grad:
            return [None for _ in leaves]
        return torch.autograd.grad(values, leaves, weight, allow_unused=True)

    entries = list(zip(arguments.blocks, torch.split(grad, [len(block) for block in arguments.blocks]), strict=True))
    totals: list[Tensor | None] = [None] * len(_variables(arguments.model))
    for found in each(gradients, entries, device=arguments.model.like.device, gradients=True):
        totals = [a if b is None else b if a is None else a + b for a, b in zip(totals, found, strict=True)]
    return totals
