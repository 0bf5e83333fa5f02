"""Sines for the fused kernels: polynomials that a vector unit works through in line, accurate to the last digit or two.

A call into a vector library costs more than the rest of a step. Both functions are written over a namespace `ops` of
elementary operations: the compiler's, when a kernel is made, or any other with the same names, as the tests use.
Reduction after Cody and Waite, Software Manual for the Elementary Functions (1980), chapter 8; the coefficients are
Chebyshev fits of (sin x − x)/x³ and (sin πx − πx)/x³ in x², made with mpmath to 300 bits.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

# π in parts of 33 bits, so that their products with whole numbers below a million are exact.
_PI_PARTS = tuple(map(float.fromhex, ("0x1.921fb544p+1", "0x1.0b4611a6p-33", "0x1.3198a2e037073p-68")))
# Up to |x| = π/2, to 3e-19.
_SINE = tuple(
    map(
        float.fromhex,
        (
            "-0x1.5555555555555p-3",
            "0x1.1111111111107p-7",
            "-0x1.a01a01a018aa6p-13",
            "0x1.71de3a54562a8p-19",
            "-0x1.ae6455a1a9e7ep-26",
            "0x1.6124014cbe2fcp-33",
            "-0x1.ae513415aadccp-41",
            "0x1.89a3f16388edcp-49",
        ),
    )
)
# Up to |x| = 1/2, to 9e-10: for single precision.
_SINE_OF_PI = (-5.16771277918614, 2.5501638670773827, -0.5992589930755466, 0.08208371285169189, -0.007084477558378449)


def polynomial_sine(x: Any, ops: Any) -> Any:
    """sin x in double precision; |x| up to some millions, beyond that as exact as x itself is."""
    n = ops.round(ops.mul(x, _constant(ops, 1 / math.pi, torch.float64)))
    r = x
    for part in _PI_PARTS:
        r = ops.sub(r, ops.mul(n, _constant(ops, part, torch.float64)))
    square = ops.mul(r, r)
    tail = ops.mul(square, _horner(square, _SINE, torch.float64, ops))
    return ops.mul(ops.add(r, ops.mul(r, tail)), _sign(n, torch.float64, ops))


def polynomial_sine_of_pi(y: Any, ops: Any) -> Any:
    """sin πy in single precision; the reduction is exact."""
    n = ops.round(y)
    r = ops.sub(y, n)
    square = ops.mul(r, r)
    tail = ops.mul(square, _horner(square, _SINE_OF_PI, torch.float32, ops))
    value = ops.mul(r, ops.add(_constant(ops, math.pi, torch.float32), tail))
    return ops.mul(value, _sign(n, torch.float32, ops))


def _constant(ops: Any, value: float, dtype: torch.dtype) -> Any:
    return ops.constant(value, dtype)


def _horner(x: Any, coefficients: tuple[float, ...], dtype: torch.dtype, ops: Any) -> Any:
    total = _constant(ops, coefficients[-1], dtype)
    for coefficient in coefficients[-2::-1]:
        total = ops.add(ops.mul(total, x), _constant(ops, coefficient, dtype))
    return total


def _sign(n: Any, dtype: torch.dtype, ops: Any) -> Any:
    """1 for even n, −1 for odd: 1 − 4·(n/2 − ⌊n/2⌋)."""
    half = ops.mul(n, _constant(ops, 0.5, dtype))
    rest = ops.sub(half, ops.floor(half))
    return ops.sub(_constant(ops, 1.0, dtype), ops.mul(_constant(ops, 4.0, dtype), rest))


@torch.library.custom_op("nanobragg::sine", mutates_args=())
def sine_in_kernel(x: Tensor) -> Tensor:
    """sin x, which the compiler replaces by `polynomial_sine`."""
    return torch.sin(x)


@torch.library.custom_op("nanobragg::sine_of_pi", mutates_args=())
def sine_of_pi_in_kernel(y: Tensor) -> Tensor:
    """sin πy, which the compiler replaces by `polynomial_sine_of_pi`."""
    return torch.sin(math.pi * y)


@sine_in_kernel.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


@sine_of_pi_in_kernel.register_fake
def _(y: Tensor) -> Tensor:
    return torch.empty_like(y)


in_kernel = False
"""True in the process that compiles kernels: there the lattice factor takes its sines from here."""


def tell_compiler() -> None:
    """Register the polynomials with the compiler (which this imports), and have the stages use them."""
    global in_kernel
    in_kernel = True
    from torch._inductor.lowering import make_pointwise, register_lowering
    from torch._inductor.virtualized import ops

    for operator, polynomial in (
        (torch.ops.nanobragg.sine.default, polynomial_sine),
        (torch.ops.nanobragg.sine_of_pi.default, polynomial_sine_of_pi),
    ):
        lowered = make_pointwise(lambda x, polynomial=polynomial: polynomial(x, ops))
        register_lowering(operator, type_promotion_kind=None)(lowered)
