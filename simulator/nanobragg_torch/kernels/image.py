"""The values of pixels by kernels, and their gradient: the replacement of `evaluate` for large images.

A kernel takes the numbers of a model as tensors (`TENSORS` in source/model.h) and gives slopes by each of them. The
backward pass needs the values of the forward pass and nothing else; no graph is kept. docs/adr/0009-kernels.md
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nanobragg_torch import rotations
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.experiment import Model
from nanobragg_torch.kernels.build import KernelError
from nanobragg_torch.kernels.library import Library, load
from nanobragg_torch.rendering.blocks import Flat, each, filled
from nanobragg_torch.settings import ENGINES
from nanobragg_torch.stages import (
    absorption,
    accumulate,
    detector,
    lattice,
    polarization,
    scattering,
    structure_factors,
)
from nanobragg_torch.units import plain

# Below this many steps an image takes about as long without kernels, and less time than compiling them.
KERNEL_PAYS_FROM_STEPS = 4_000_000
# Pixels for one call of a kernel, so that all threads have work. Those of the backward pass depend on the image
# alone: sums over them must not depend on the threads.
_LEAST_PIXELS, _MOST_PIXELS, _BACKWARD_CALLS = 1024, 65536, 16
_SHAPES = ("square", "round", "gauss", "tophat")
_LOG = logging.getLogger("nanobragg_torch")
_STAGES = (absorption, accumulate, detector, lattice, polarization, rotations, scattering, structure_factors)


def _functions(module: ModuleType) -> dict[str, object]:
    return {name: value for name, value in vars(module).items() if isinstance(value, FunctionType | type)}


_AS_IMPORTED = {module: _functions(module) for module in _STAGES}


def kernel_image(model: Model, engine: str, steps: int) -> KernelImage | None:
    """The model for kernels if `engine` selects them, or None for the eager path.

    `auto` takes them for at least KERNEL_PAYS_FROM_STEPS steps, so that which path is taken never depends on what was
    rendered before. Raises ExperimentError for an unknown engine, and for `kernel` if there is none.
    """
    if engine not in ENGINES:
        raise ExperimentError(f"engine is {engine!r}, expected one of {', '.join(ENGINES)}")
    if engine == "eager" or (engine == "auto" and steps < KERNEL_PAYS_FROM_STEPS):
        return None
    reason = _why_not(model)
    if reason is None:
        try:
            return KernelImage(model)
        except KernelError as error:
            reason = str(error)
            if engine == "auto":
                _LOG.warning("rendering without compiled kernels, several times slower: %s", error)
    if engine == "kernel":
        raise ExperimentError(f"engine is 'kernel', but {reason}")
    return None


def _why_not(model: Model) -> str | None:
    if model.oversample_thick or model.oversample_polar or model.oversample_omega:
        return "there is none with -oversample_thick, -oversample_polar or -oversample_omega"
    if model.like.device.type != "cpu":
        return "there is none beyond the CPU"
    if model.table is not None and model.table.F.numel() >= 2**31:
        return "there is none for this many reflections"
    if any(_functions(module) != functions for module, functions in _AS_IMPORTED.items()):
        return "a stage function has been replaced"  # a kernel would not know
    return None


class KernelImage:
    """A model laid out for the kernels, and these; KernelError if they are not available."""

    def __init__(self, model: Model) -> None:
        with_gradient = torch.is_grad_enabled() and model.requires_grad
        dtype = str(model.like.dtype).removeprefix("torch.")
        self.like = model.like
        self._libraries = load([(direction, dtype) for direction in ("forward", "backward")[: 1 + with_gradient]])
        self._tensors = _tensors(model)
        self._fixed = {name: tensor.detach().contiguous() for name, tensor in self._tensors.items()}
        self._numbers = _numbers(model)

    def values(self, pixels: Flat, progress: Callable[[float], None] | None) -> Tensor:
        """The values (n,) of pixels, flat indices (n,), connected to the model's tensors.

        There are first derivatives only: with create_graph=True it raises RuntimeError.
        """
        values: Tensor = _Image.apply(self, pixels, progress, *self._tensors.values())  # type: ignore[no-untyped-call]
        return values

    def forward(self, pixels: Flat, progress: Callable[[float], None] | None) -> Tensor:
        """The same without a graph."""
        library = self._libraries[0]
        model = library.model(self._fixed, self._numbers)
        share = -(-len(pixels) // (4 * torch.get_num_threads()))
        blocks = _blocks(pixels, min(max(share, _LEAST_PIXELS), _MOST_PIXELS))
        return filled(blocks, self.like, lambda block, out: library.values(model, block, out), progress)

    def backward(self, pixels: Flat, values: Tensor, grad: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        """By each tensor that is `wanted`, of slopes `grad` (n,) by the `values` (n,) of the pixels."""
        library = self._libraries[1]
        model = library.model(self._fixed, self._numbers)
        names = [name for name, is_wanted in zip(self._fixed, wanted, strict=True) if is_wanted]
        blocks = _blocks(pixels, max(-(-len(pixels) // _BACKWARD_CALLS), _LEAST_PIXELS))
        sizes = [len(block) for block in blocks]
        parts = (torch.split(whole.contiguous(), sizes) for whole in (grad, values))
        totals = self._sums(library, model, names, list(zip(blocks, *parts, strict=True)))
        return [self._like_tensor(name, totals[name]) if name in totals else None for name in self._fixed]

    def _sums(self, library: Library, model: Any, names: Sequence[str], entries: Sequence[Any]) -> Mapping[str, Any]:
        """The slopes by the named tensors, summed over all blocks in order."""

        def slopes_of(entry: tuple[Flat, Tensor, Tensor]) -> dict[str, np.ndarray]:
            block, weight, known = entry
            out = {name: np.zeros(tuple(self._fixed[name].shape)) for name in names}
            library.slopes(model, block, weight, known, out)
            return out

        totals: dict[str, np.ndarray] = {}
        for found in each(slopes_of, entries, device=self.like.device, gradients=False):
            for name, slope in found.items():
                totals[name] = np.add(totals[name], slope, out=totals[name]) if name in totals else slope
        return totals

    def _like_tensor(self, name: str, slope: np.ndarray) -> Tensor:
        tensor = self._fixed[name]
        single = tensor.dtype == torch.float32
        return torch.from_numpy(slope.astype(np.float32) if single else slope).reshape(tensor.shape)


class _Image(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, image: KernelImage, pixels: Flat, progress: Callable[[float], None] | None, *tensors: Tensor
    ) -> Tensor:
        values = image.forward(pixels, progress)
        ctx.image, ctx.pixels = image, pixels
        ctx.save_for_backward(values)
        return values

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError("an image by kernels has first derivatives only; for second ones use engine='eager'")
        (values,) = ctx.saved_tensors
        return (None, None, None, *ctx.image.backward(ctx.pixels, values, grad, ctx.needs_input_grad[3:]))


def _blocks(pixels: Flat, size: int) -> list[Flat]:
    return [pixels[first : first + size] for first in range(0, len(pixels), size)]


def _tensors(m: Model) -> dict[str, Tensor]:
    """The variables of the slopes, in the order of the kernels; connected to the model's tensors."""
    p, like = m.place, m.like
    E, B = polarization.axes(m.sources.incident, p.polar) if m.kahn is not None else 2 * (m.sources.incident.detach(),)
    return {
        **{name: getattr(p, name) for name in ("beam", "fdet", "sdet", "odet", "pix0", "pixel", "distance")},
        "close_distance": p.close_distance,
        "layer_depth": m.layer_depth,
        "mu": m.mu,
        "incident": m.sources.incident,
        "wavelength_m": m.sources.wavelength_m,
        "E": E,
        "B": B,
        "kahn": m.kahn if m.kahn is not None else like.new_zeros(()),
        "fluence": m.fluence,
        "background": m.background,
        "real_m": m.real_m[..., 0].permute(2, 0, 1),
        "cells": torch.stack([N if isinstance(N, Tensor) else like.new_tensor(float(N)) for N in m.cells]),
        "fudge": m.fudge,
        "reciprocal_A": m.cell.reciprocal_A,
        "F": m.table.F if m.table is not None else like.new_zeros(1, 1, 1),
        "default_F": m.default_F,
    }


def _numbers(m: Model) -> dict[str, float]:
    """Whole numbers, and those without slopes."""
    shape, lowest = (m.table.shape, m.table.lowest) if m.table is not None else ((1, 1, 1), (0, 0, 0))
    interpolates = m.interpolate and min(shape) >= 4
    numbers: dict[str, float] = {
        "width": m.place.pixels_f,
        "oversample": m.oversample,
        "layers": m.layers,
        "sources": m.sources.wavelength_m.shape[0],
        "slices": m.real_m.shape[2],
        "shape": _SHAPES.index(m.shape),
        "lookup": 0 if m.table is None else 2 if interpolates else 1,
        "curved": int(m.curved),
        "point_pixel": int(m.point_pixel),
        "polarized": 0 if not m.polarized else 1 if m.kahn is None else 2,
        # A bit for each count of cells that is not a whole number.
        "real_counts": sum((plain(N) != round(plain(N))) << axis for axis, N in enumerate(m.cells)),
        "steps": m.steps,
        "dmin_m": m.dmin_m,
    }
    numbers |= {name: int(n) for name, n in zip(("nh", "nk", "nl"), shape, strict=True)}
    return numbers | {f"lowest_{axis}": int(n) for axis, n in zip("hkl", lowest, strict=True)}
