"""The sum of a 4×4×4 block of structure factors as one operation of a kernel, with C++ of its own (kernel_block.h).

The compiler's vectors hold one value of each of several pixels; the 64 loads of such a block would be gathers, which
took most of the time of an interpolated image. Neighbouring pixels share a block, whose nodes are loaded once for them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_CODE = Path(__file__).with_suffix(".h")
_WEIGHTS, _SUM = "block_weights", "block_sum"  # the operations within the compiler, and their C++ functions
_SOURCE = "codegen_group"  # what writes the C++ of a kernel
_PREFIX = "#include <torch/csrc/inductor/cpp_prefix.h>"  # what every kernel begins with


@torch.library.custom_op("nanobragg::block_sum", mutates_args=())
def block_sum(
    F: Tensor,
    first: Tensor,
    nearest: Tensor,
    margin: Tensor,
    weights: Sequence[Tensor],
    meanwhile: Tensor,
) -> Tensor:
    """Σ_ijm w_i w_(4+j) w_(8+m) F(i, j, m), where i, j, m from 0 to 3 count from `first`; F at `nearest` if margin < 0.

    `first` and `nearest` are flat indices of F (h, k, l); these, `margin` and the twelve weights have any one shape.
    The stages keep all of the blocks within the grid; an index that is no number they leave, and a kernel takes it for
    0. `meanwhile` is what else is needed of the pixels: a kernel computes it between writing the weights to memory and
    reading them there, which would wait for each other.
    """
    _, nk, nl = F.shape
    h, k, l = weights[:4], weights[4:8], weights[8:]
    total = torch.zeros_like(h[0])
    for i, j in itertools.product(range(4), range(4)):
        row = [l[m] * torch.take(F, (first + ((i * nk + j) * nl + m)).to(torch.int64)) for m in range(4)]
        total = total + h[i] * k[j] * (row[0] + row[1] + row[2] + row[3])
    return torch.where(margin >= 0, total, torch.take(F, nearest.to(torch.int64)))


@block_sum.register_fake
def _(F: Tensor, first: Tensor, nearest: Tensor, margin: Tensor, *_: object) -> Tensor:
    return torch.empty_like(margin)


def tell_compiler() -> None:
    """Register the operation with the compiler, which this imports."""
    from torch._inductor.codegen.cpp import CppOverrides, CppVecOverrides, KernelGroup
    from torch._inductor.dtype_propagation import DtypePropagationOpsHandler
    from torch._inductor.lowering import register_lowering
    from torch._inductor.shape_propagation import ShapePropagationOpsHandler

    register_lowering(torch.ops.nanobragg.block_sum.default, type_promotion_kind=None)(_block_in_kernel)
    for name in (_WEIGHTS, _SUM):
        setattr(DtypePropagationOpsHandler, name, lambda _, first, *more: more[-1].dtype)
        setattr(ShapePropagationOpsHandler, name, lambda _, first, *more: more[-1].shape)
    for overrides in (CppOverrides, CppVecOverrides):
        setattr(overrides, _WEIGHTS, lambda _, *inputs: f"{_WEIGHTS}({', '.join(map(str, inputs))})")
        setattr(overrides, _SUM, _call_sum)
    setattr(KernelGroup, _SOURCE, _with_code(getattr(KernelGroup, _SOURCE)))


def _block_in_kernel(F: Any, first: Any, nearest: Any, margin: Any, weights: Sequence[Any], meanwhile: Any) -> Any:
    from torch._inductor.ir import Pointwise
    from torch._inductor.virtualized import ops

    _, nk, nl = F.get_size()
    load_first, load_nearest, load_meanwhile = (each.make_loader() for each in (first, nearest, meanwhile))
    loaders = [each.make_loader() for each in (margin, *weights)]

    def value(index: Any) -> Any:
        # The compiler learns from a load that the grid is needed; what is not used is not loaded in the end.
        (start, corner), (at, _) = load_node(F, load_first(index)), load_node(F, load_nearest(index))
        stored = getattr(ops, _WEIGHTS)(start, at, *(load(index) for load in loaders))
        load_meanwhile(index)
        strides = (ops.index_expr(n, torch.int64) for n in (nl, nk * nl))
        return getattr(ops, _SUM)(F.get_name(), *strides, stored, corner)

    return Pointwise.create(
        device=first.get_device(), dtype=F.get_dtype(), inner_fn=value, ranges=list(first.get_size())
    )


def lane_of(dtype: torch.dtype) -> torch.dtype:
    """The integers of which a vector has as many as of these numbers."""
    return {torch.float32: torch.int32, torch.float64: torch.int64}[dtype]


def load_node(F: Any, at: Any) -> tuple[Any, Any]:
    """(the index, the value there) of a grid at a flat index: for lowerings."""
    from torch._inductor.virtualized import ops

    dtype = lane_of(F.get_dtype())
    at = ops.maximum(ops.to_dtype(at, dtype), ops.constant(0, dtype))
    place = ops.indirect_indexing(at, math.prod(F.get_size()), check=False, wrap_neg=False)
    return at, ops.load(F.get_name(), place)


def _call_sum(_: Any, F: str, row: Any, plane: Any, stored: Any, corner: Any) -> str:
    from torch._inductor.virtualized import V

    return f"{_SUM}({V.kernel.args.input(F)}, {stored}, {row}, {plane})"


def _with_code(original: Callable[..., str]) -> Callable[..., str]:
    """The source of a kernel, with that of the operation where it is used."""

    def source(*arguments: Any, **options: Any) -> str:
        code = original(*arguments, **options)
        return code.replace(_PREFIX, f"{_PREFIX}\n{_CODE.read_text()}", 1) if f"{_SUM}(" in code else code

    return source
