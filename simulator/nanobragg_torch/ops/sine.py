"""Sines for the fused kernels: polynomials that a vector unit works through in line, accurate to the last digit or two.

A call into a vector library costs more than the rest of a step. Both functions leave the sign open, which costs a third
of the operations to find: a step adds the square of the lattice factor. They are written over a namespace `ops` of
elementary operations: the compiler's, when a kernel is made, or any other with the same names, as the tests use.
Reduction after Cody and Waite, Software Manual for the Elementary Functions (1980), chapter 8; the coefficients are
Chebyshev fits of (sin x − x)/x³ and (sin πx − πx)/x³ in x², made with mpmath to 300 bits.
"""

from __future__ import annotations

import math
from typing import Any

import torch

# π in two parts: `fma` rounds once, so that n times the first is subtracted exactly.
_PI_PARTS = (math.pi, float.fromhex("0x1.1a62633145c07p-53"))
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
# Up to |x| = 1/2: for single precision, half of whose last digit the sine is off by at most (2.7e-8).
_SINE_OF_PI = (-5.167712562123756, 2.550136131421791, -0.5987048583349611, 0.07853971500294972)
# The same in double precision, to 1e-17, and (cos πx − 1)/x², to 6e-17.
_LONG_SINE_OF_PI = tuple(
    map(
        float.fromhex,
        (
            "-0x1.4abbce625be53p+2",
            "0x1.466bc6775aad6p+1",
            "-0x1.32d2cce62adb9p-1",
            "0x1.50783486f190cp-4",
            "-0x1.e3074ee5f4a61p-8",
            "0x1.e8f3b0121aafdp-12",
            "-0x1.6f866b70b27bdp-16",
            "0x1.9ec5cdbeecd34p-21",
        ),
    )
)
_LONG_COSINE_OF_PI = tuple(
    map(
        float.fromhex,
        (
            "-0x1.3bd3cc9be45dep+2",
            "0x1.03c1f081b5a9fp+2",
            "-0x1.55d3c7e3c9051p+0",
            "0x1.e1f5068620bcbp-3",
            "-0x1.a6d1f12b0bef2p-6",
            "0x1.f9d2c1f3b2167p-10",
            "-0x1.b6a6feabe52e9p-14",
            "0x1.179a329ef4140p-18",
        ),
    )
)


def polynomial_sine(x: Any, ops: Any) -> Any:
    """sin x or −sin x in double precision; |x| up to some millions, beyond that as exact as x itself is."""
    n = ops.round(ops.mul(x, _constant(ops, 1 / math.pi, torch.float64)))
    r = x
    for part in _PI_PARTS:
        r = ops.fma(n, _constant(ops, -part, torch.float64), r)
    square = ops.mul(r, r)
    tail = ops.mul(square, _horner(square, _SINE, torch.float64, ops))
    return ops.fma(r, tail, r)


def polynomial_sine_of_pi(y: Any, ops: Any) -> Any:
    """sin πy or −sin πy in single precision; the reduction is exact."""
    return polynomial_sine_of_half_turns(ops.sub(y, ops.round(y)), ops, torch.float32)


def polynomial_sine_of_half_turns(r: Any, ops: Any, dtype: torch.dtype) -> Any:
    """sin πr for |r| ≤ 1/2, in the precision of dtype."""
    coefficients = _SINE_OF_PI if dtype == torch.float32 else _LONG_SINE_OF_PI
    square = ops.mul(r, r)
    tail = ops.mul(square, _horner(square, coefficients, dtype, ops))
    return ops.mul(r, ops.add(_constant(ops, math.pi, dtype), tail))


def polynomial_cosine_of_half_turns(r: Any, ops: Any) -> Any:
    """cos πr for |r| ≤ 1/2, in double precision."""
    square = ops.mul(r, r)
    return ops.fma(square, _horner(square, _LONG_COSINE_OF_PI, torch.float64, ops), _constant(ops, 1.0, torch.float64))


def _constant(ops: Any, value: float, dtype: torch.dtype) -> Any:
    return ops.constant(value, dtype)


def _horner(x: Any, coefficients: tuple[float, ...], dtype: torch.dtype, ops: Any) -> Any:
    total = _constant(ops, coefficients[-1], dtype)
    for coefficient in coefficients[-2::-1]:
        total = ops.fma(total, x, _constant(ops, coefficient, dtype))
    return total
