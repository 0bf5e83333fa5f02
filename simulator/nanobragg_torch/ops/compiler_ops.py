"""What the compiler of kernels is told beyond PyTorch's own operations, and the switch that has the stages use it.

The operators compute as well, the plain way, where nothing is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nanobragg_torch.ops import gather_block
from nanobragg_torch.ops.sine import (
    polynomial_cosine_of_half_turns,
    polynomial_sine,
    polynomial_sine_of_half_turns,
    polynomial_sine_of_pi,
)

_SCATTERED = "_load_or_store_non_contiguous"  # of the compiler's code generator
_CREATE = "create"  # of its loops
_FUSES = "_can_fuse_horizontal_impl"  # of its scheduler
in_kernel = False
"""True in the process that compiles kernels."""


@torch.library.custom_op("nanobragg::sine_but_sign", mutates_args=())
def sine_but_sign(x: Tensor) -> Tensor:
    """sin x or −sin x."""
    return torch.sin(x)


@torch.library.custom_op("nanobragg::sine_of_pi_but_sign", mutates_args=())
def sine_of_pi_but_sign(y: Tensor) -> Tensor:
    """sin πy or −sin πy."""
    return torch.sin(math.pi * y)


@torch.library.custom_op("nanobragg::sine_of_half_turns", mutates_args=())
def sine_of_half_turns(r: Tensor) -> Tensor:
    """sin πr for |r| ≤ 1/2."""
    return torch.sin(math.pi * r)


@torch.library.custom_op("nanobragg::cosine_of_half_turns", mutates_args=())
def cosine_of_half_turns(r: Tensor) -> Tensor:
    """cos πr for |r| ≤ 1/2."""
    return torch.cos(math.pi * r)


def divided(x: Tensor, by: Tensor) -> Tensor:
    """x / by; broadcast. In a kernel, what is divided by the same numbers costs one division."""
    return quotient(x, by) if in_kernel else x / by


@torch.library.custom_op("nanobragg::quotient", mutates_args=())
def quotient(x: Tensor, by: Tensor) -> Tensor:
    """x / by, for finite numbers; in double precision rounded as that is."""
    return x / by


@torch.library.custom_op("nanobragg::node", mutates_args=())
def node(F: Tensor, at: Tensor) -> Tensor:
    """The values of a grid F (h, k, l) at flat indices, of any shape.

    The stages keep these within the grid; what is no number there they leave, and a kernel takes it for 0.
    """
    return torch.take(F, at)


def _like_first(x: Tensor) -> Tensor:
    return torch.empty_like(x)


for _operator in (sine_but_sign, sine_of_pi_but_sign, sine_of_half_turns, cosine_of_half_turns):
    _operator.register_fake(_like_first)


@quotient.register_fake
def _(x: Tensor, by: Tensor) -> Tensor:
    return torch.empty_like(x + by)


# Slopes within a kernel are made of inputs alone: an output that is kept for the way back is lost in torch.export.
# What is computed again is merged by the compiler.
def _keep_inputs(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _quotient_slopes(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
    x, by = ctx.saved_tensors
    by_x = quotient(grad, by)
    lost = by_x * quotient(x, by)
    if lost.dim() > by.dim():
        lost = lost.sum(0)  # the components first, so that what is left is a sum over pixels like the others
    return by_x.sum_to_size(x.shape), -lost.sum_to_size(by.shape)


quotient.register_autograd(_quotient_slopes, setup_context=_keep_inputs)


def _sloped(
    function: Callable[[Tensor], Tensor], slope: Callable[[Tensor, Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """The function, with `slope` making that by its input of that by its value, and of the input."""

    class Function(torch.autograd.Function):
        setup_context = staticmethod(_keep_inputs)

        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return function(x)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return slope(grad, ctx.saved_tensors[0])

    return Function.apply


_root = _sloped(torch.sqrt, lambda grad, x: grad / (2.0 * torch.sqrt(x)))
_exponential = _sloped(torch.exp, lambda grad, x: grad * torch.exp(x))


def root(x: Tensor) -> Tensor:
    """√x in a kernel; see exact_root for others."""
    return _root(x)


def exponential(x: Tensor) -> Tensor:
    """eˣ."""
    return _exponential(x) if in_kernel else torch.exp(x)


@node.register_fake
def _(F: Tensor, at: Tensor) -> Tensor:
    return F.new_empty(at.shape)


def tell_compiler() -> None:
    """Register all of this with the compiler (which this imports), and turn `in_kernel` on."""
    global in_kernel
    in_kernel = True
    from torch._inductor.codegen.cpp import CppScheduling, CppVecKernel, CppVecOverrides
    from torch._inductor.decomposition import decompositions
    from torch._inductor.ir import Pointwise
    from torch._inductor.lowering import make_pointwise, register_lowering
    from torch._inductor.virtualized import ops

    def register(operator: Any, polynomial: Callable[[Any, Any, torch.dtype], Any]) -> None:
        def lowered(x: Any) -> Any:
            return make_pointwise(lambda value: polynomial(value, ops, x.get_dtype()))(x)

        register_lowering(operator, type_promotion_kind=None)(lowered)

    nanobragg = torch.ops.nanobragg
    register(nanobragg.sine_but_sign.default, lambda x, ops, _: polynomial_sine(x, ops))
    register(nanobragg.sine_of_pi_but_sign.default, lambda y, ops, _: polynomial_sine_of_pi(y, ops))
    register(nanobragg.sine_of_half_turns.default, polynomial_sine_of_half_turns)
    register(nanobragg.cosine_of_half_turns.default, lambda r, ops, _: polynomial_cosine_of_half_turns(r, ops))
    register_lowering(nanobragg.quotient.default, type_promotion_kind=None, broadcast=True)(_quotient_in_kernel)
    register_lowering(nanobragg.node.default, type_promotion_kind=None)(_node_in_kernel)
    gather_block.tell_compiler()
    for name, instruction in (("minimum", "clamp_max"), ("maximum", "clamp_min")):
        setattr(CppVecOverrides, name, _of_two(instruction))
    setattr(CppVecKernel, _SCATTERED, _load_at_indices(getattr(CppVecKernel, _SCATTERED)))
    setattr(CppScheduling, _FUSES, _either_way(getattr(CppScheduling, _FUSES)))
    setattr(Pointwise, _CREATE, _create_found_again(Pointwise.create))
    del decompositions[torch.ops.aten.stack.default]
    register_lowering(torch.ops.aten.stack.default, type_promotion_kind=None)(_stack_in_kernel)


def _quotient_in_kernel(x: Any, by: Any) -> Any:
    """By the reciprocal, and mended by what that leaves over, which a fused multiplication finds without rounding.

    Not mended in single precision, where an index has few digits behind its point anyway.
    Source: P. W. Markstein, IBM J. Res. Dev. 34 (1990) 111.
    """
    from torch._inductor.lowering import make_pointwise
    from torch._inductor.virtualized import ops

    def value(x: Any, by: Any) -> Any:
        reciprocal = ops.truediv(ops.constant(1.0, dtype), by)
        near = ops.mul(x, reciprocal)
        return near if dtype == torch.float32 else ops.fma(ops.fma(near, ops.neg(by), x), reciprocal, near)

    dtype = x.get_dtype()
    return make_pointwise(value)(x, by)


def _of_two(instruction: str) -> staticmethod[[Any, Any], str]:
    """What the processor does in one instruction; the compiler's own takes four, so that no number may be the second.

    (If it is the first, the result is no number here, too.)
    """
    return staticmethod(lambda x, y: f"at::vec::{instruction}({x}, {y})")


def _found_again(load: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    """The operations of a place in a loop, which are written out once, else they would be repeated at each use.

    The compiler merges what is repeated, but first it writes out thousands of operations, which takes it minutes.
    """
    from torch._inductor.virtualized import V

    known: dict[tuple[Any, ...], Any] = {}
    loop: Any = None

    def value(index: Sequence[Any]) -> Any:
        nonlocal loop
        if V.get_ops_handler() is not loop:
            loop = V.get_ops_handler()
            known.clear()
        place = tuple(index)
        if place not in known:
            known[place] = load(index)
        return known[place]

    return value


def _create_found_again(original: Callable[..., Any]) -> Callable[..., Any]:
    def create(*arguments: Any, inner_fn: Callable[[Sequence[Any]], Any], **options: Any) -> Any:
        return original(*arguments, inner_fn=_found_again(inner_fn), **options)

    return create


def _either_way(original: Callable[..., bool]) -> Callable[..., bool]:
    """What of two loops can be one: a sum and what is stored of its terms can, whichever comes first."""

    def fuses(scheduling: Any, first: Any, second: Any) -> bool:
        return original(scheduling, first, second) or original(scheduling, second, first)

    return fuses


def _node_in_kernel(F: Any, at: Any) -> Any:
    from torch._inductor.ir import Pointwise

    load = at.make_loader()

    def value(index: Any) -> Any:
        return gather_block.load_node(F, load(index))[1]

    return Pointwise.create(device=at.get_device(), dtype=F.get_dtype(), inner_fn=value, ranges=list(at.get_size()))


def _load_at_indices(original: Callable[..., Any]) -> Callable[..., Any]:
    """The compiler's way to load from scattered places, but with the processor's gather where all it needs is that.

    Its own way, one lane after the other, took three quarters of the time of an interpolated image.
    """
    from torch._inductor.codegen.cpp_utils import DTYPE_TO_CPP, CppCSEVariable, cexpr_index
    from torch.utils._sympy.symbol import SymT, symbol_is_type

    def load(kernel: Any, var: str | None, index: Any, dtype: torch.dtype, *rest: Any, **options: Any) -> Any:
        symbols = [s for s in index.free_symbols if symbol_is_type(s, SymT.TMP)]
        variables = [kernel.cse.varname_map[s.name] for s in symbols]
        is_store = any(rest) or any(options.values())
        if var is None or is_store or len(variables) != 1 or kernel._load_mask is not None:
            return original(kernel, var, index, dtype, *rest, **options)
        (at,) = variables
        start = index - symbols[0]
        tiled = kernel.itervars[kernel.tiling_idx]
        if not at.is_vec or at.dtype != gather_block.lane_of(dtype) or start.has(symbols[0], tiled):
            return original(kernel, var, index, dtype, *rest, **options)
        c_type, vectors = DTYPE_TO_CPP[dtype], kernel._get_num_vectors(dtype)
        base = f"{var} + {cexpr_index(start)}"  # type: ignore[no-untyped-call]
        if vectors == 1:
            line = f"at::vec::gather<sizeof({c_type})>({base}, {at})"
        else:
            fill = f"for (int i = 0; i < {vectors}; i++) r[i] = at::vec::gather<sizeof({c_type})>({base}, {at}[i]);"
            line = f"[&] {{ {kernel._get_vec_type(dtype)} r; {fill} return r; }}()"
        loaded = kernel.cse.generate(kernel.loads, line, dtype=dtype)
        assert isinstance(loaded, CppCSEVariable)
        loaded.is_vec = True
        return loaded

    return load


def _stack_in_kernel(inputs: Sequence[Any], dim: int = 0) -> Any:
    """Tensors one above the other, which do not pass through memory where a certain one of them is asked for."""
    from torch._inductor.ir import Pointwise
    from torch._inductor.virtualized import ops

    loaders = [entry.make_loader() for entry in inputs]
    size = list(inputs[0].get_size())
    at = dim % (len(size) + 1)
    size.insert(at, len(inputs))

    def value(index: Sequence[Any]) -> Any:
        wanted, here = index[at], [*index[:at], *index[at + 1 :]]
        if getattr(wanted, "is_number", isinstance(wanted, int)):
            return loaders[int(wanted)](here)
        result = loaders[-1](here)
        number = ops.index_expr(wanted, torch.int64)
        for layer, load in enumerate(loaders[:-1]):
            result = ops.where(ops.eq(number, ops.constant(layer, torch.int64)), load(here), result)
        return result

    return Pointwise.create(device=inputs[0].get_device(), dtype=inputs[0].get_dtype(), inner_fn=value, ranges=size)
