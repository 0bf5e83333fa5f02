"""A mode in which no tensor of another dtype or device than the experiment's appears unseen.

PyTorch promotes and moves silently: a float32 constant in a float64 formula, a 0-dimensional double in a float32 one
(whose result then keeps float32, so that no test of results sees it), a CPU scalar with a CUDA tensor. Under `Strict`
every such operation raises, with the place it comes from:

- floating-point tensors of two dtypes, or tensors on two devices, in one operation other than a conversion;
- an integer tensor with dimensions in arithmetic with floating-point ones;
- a floating-point tensor made in, or converted to, another dtype or device than the experiment's, except in `ALLOWED`.

Python's own numbers take the dtype of the other operand and are fine.
"""

from __future__ import annotations

import dataclasses
import functools
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import nanobragg_torch
import pytest
import torch
from nanobragg_torch import experiment as experiment_module
from nanobragg_torch import trace as _trace_function  # noqa: F401  (its module is patched below)
from nanobragg_torch.experiment import Experiment, Model
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PACKAGE = str(Path(nanobragg_torch.__file__).parent)

# Where the model itself asks for another type: file and a part of the source line, with the reason.
ALLOWED = {
    (
        "rendering/evaluate.py",
        '"floatimage_accumulated"',
    ): "a traced image value is stored in single precision, as in the original",
    ("experiment.py", "own = torch.tensor([plain(n) for n in cells]"): "counts are whole numbers in double precision",
    (
        "experiment.py",
        "lambda tensor: tensor.to(self.device, self.dtype)",
    ): "the set-up is in float64 on the CPU, converted once",
    ("injected.py", "torch.tensor(numbers, dtype=torch.float64)"): "numbers of another program's trace, then converted",
}
SET_UP = torch.zeros((), dtype=torch.float64)
"""What an experiment is built in, whatever its own dtype and device."""
OUTSIDE = "outside of the simulator"
_CONVERSIONS = {"aten::_to_copy", "aten::to", "aten::type_as"}
_ARITHMETIC = {"aten::add", "aten::sub", "aten::mul", "aten::div", "aten::pow", "aten::rsub", "aten::atan2"}


class PromotionError(RuntimeError):
    """A tensor of another dtype or device has got in."""


class Strict(TorchDispatchMode):
    """The mode, for an experiment of that dtype and device; `also` others: any of them, but not two together."""

    def __init__(self, dtype: torch.dtype, device: torch.device, also: Tensor | None = None) -> None:
        super().__init__()
        self.dtype, self.device = dtype, device
        self.dtypes = {dtype} if also is None else {dtype, also.dtype}
        self.devices = {device} if also is None else {device, also.device}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Check what goes in, run it, check what comes out."""
        kwargs = kwargs or {}
        name = _name(func)
        given = _tensors(args)
        if kwargs:
            given += _tensors(kwargs.values())
        if name not in _CONVERSIONS:
            self._check_given(name, given)
        result = func(*args, **kwargs)
        self._check_made(name, given, [result] if isinstance(result, Tensor) else _tensors((result,)))
        return result

    def _check_given(self, name: str, given: list[Tensor]) -> None:
        if len(given) < 2:
            return
        first = given[0]
        if all(x.dtype is first.dtype and x.device == first.device for x in given):
            return
        floats = [x for x in given if x.is_floating_point()]
        if len({x.dtype for x in floats}) > 1:
            self._raise(f"{name} promotes {_kinds(floats)}")
        if len({x.device for x in given}) > 1:
            self._raise(f"{name} mixes devices: {_kinds(given)}")
        whole = [x for x in given if not x.is_floating_point() and x.dtype != torch.bool and x.ndim > 0]
        if floats and whole and name.rstrip("_") in _ARITHMETIC:
            self._raise(f"{name} promotes {_kinds(given)}")

    def _check_made(self, name: str, given: list[Tensor], made: list[Tensor]) -> None:
        for x in made:
            is_ours = x.device in self.devices and (x.dtype in self.dtypes or not x.is_floating_point())
            if is_ours or any(x.dtype is g.dtype and x.device == g.device for g in given):
                continue
            # A setting of another dtype is converted once; in the backward pass so is its gradient.
            if name not in _CONVERSIONS or _place()[0] != OUTSIDE:
                self._raise(f"{name} makes {_kinds([x])}, the experiment has {self.dtype} on {self.device}")

    def _raise(self, what: str) -> None:
        path, line, function = _place()
        text = linecache.getline(f"{PACKAGE}/{path}", line)
        if not any(path == file and part in text for file, part in ALLOWED):
            raise PromotionError(f"{path}:{line} ({function}): {what}")


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    """The tensors among arguments; lists of them too."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found


@functools.cache
def _name(func: Any) -> str:
    return str(func._schema.name)


def _kinds(tensors: list[Tensor]) -> str:
    return " and ".join(f"{x.dtype} {tuple(x.shape)} on {x.device}" for x in tensors)


def _place() -> tuple[str, int, str]:
    """The innermost (file, line, function) of the simulator that is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            path = Path(frame.f_code.co_filename).relative_to(PACKAGE).as_posix()
            return path, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back
    return OUTSIDE, 0, ""


def tensors_of(value: Any) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a dataclass, by field."""
    if isinstance(value, Tensor):
        yield "", value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            for name, tensor in tensors_of(getattr(value, field.name)):
                yield f"{field.name}.{name}".rstrip("."), tensor
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from tensors_of(entry)


@contextmanager
def strictly() -> Iterator[None]:
    """Every experiment that is built and every pixel that is evaluated, in whatever thread, is under `Strict`."""
    evaluation = sys.modules["nanobragg_torch.rendering.evaluate"]
    build: Callable[..., Model] = Experiment.build
    evaluate: Callable[..., Tensor] = evaluation.evaluate
    grad, backward = torch.autograd.grad, torch.autograd.backward

    def strict_build(self: Experiment, *args: Any, **kwargs: Any) -> Model:
        device = torch.empty((), dtype=self.dtype, device=self.device).device  # "cuda" is "cuda:0"
        with Strict(SET_UP.dtype, SET_UP.device):
            model = build(self, *args, **kwargs)
        for name, tensor in tensors_of(model):
            # The range that was given, kept for the report.
            if (
                tensor.is_floating_point()
                and name != "osc_rad"
                and (tensor.dtype, tensor.device) != (self.dtype, device)
            ):
                raise PromotionError(f"Model.{name} is {_kinds([tensor])}, the experiment has {self.dtype} on {device}")
        return model

    def strict_evaluate(model: Model, *args: Any, **kwargs: Any) -> Tensor:
        with Strict(model.like.dtype, model.like.device):
            return evaluate(model, *args, **kwargs)

    def under(function: Callable[..., Any]) -> Callable[..., Any]:
        def strict(outputs: Any, *args: Any, **kwargs: Any) -> Any:
            first = tree_leaves(outputs)[0]
            with Strict(first.dtype, first.device, SET_UP):
                return function(outputs, *args, **kwargs)

        return strict

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment_module.Experiment, "build", strict_build)
        patch.setattr(evaluation, "evaluate", strict_evaluate)
        patch.setattr(sys.modules["nanobragg_torch.rendering.trace"], "evaluate", strict_evaluate)
        patch.setattr(torch.autograd, "grad", under(grad))
        patch.setattr(torch.autograd, "backward", under(backward))
        yield
