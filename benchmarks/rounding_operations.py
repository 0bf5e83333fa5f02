"""The operations that benchmarks/rounding.py measures: how PyTorch and mpmath call each, and on which numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import torch

Tensor = torch.Tensor
mp = mpmath.mp
special = torch.special
NARROW, WIDE, POSITIVE, UNIT, ABOVE_1, ANGLE = (
    (-4.0, 4.0),
    (-700.0, 700.0),
    (1e-3, 1e3),
    (-1.0, 1.0),
    (1.0, 50.0),
    (-1e3, 1e3),
)


@dataclass(frozen=True)
class Operation:
    """One operation: its arguments are drawn evenly from `domains`, one per argument."""

    name: str
    torch: Callable[..., Tensor]
    exact: Callable[..., Any]
    domains: tuple[tuple[float, float], ...]


def _one(
    name: str, function: Callable[..., Tensor], exact: Callable[..., Any], domain: tuple[float, float]
) -> Operation:
    return Operation(name, function, exact, (domain,))


def _two(
    name: str,
    function: Callable[..., Tensor],
    exact: Callable[..., Any],
    a: tuple[float, float],
    b: tuple[float, float],
) -> Operation:
    return Operation(name, function, exact, (a, b))


ELEMENTWISE = (
    _one("sqrt", torch.sqrt, mp.sqrt, POSITIVE),
    _one("rsqrt", torch.rsqrt, lambda x: 1 / mp.sqrt(x), POSITIVE),
    _one("reciprocal", torch.reciprocal, lambda x: 1 / x, POSITIVE),
    _one("square", torch.square, lambda x: x * x, POSITIVE),
    _one("exp", torch.exp, mp.exp, (-80.0, 80.0)),
    _one("exp2", torch.exp2, lambda x: mp.power(2, x), (-80.0, 80.0)),
    _one("expm1", torch.expm1, mp.expm1, NARROW),
    _one("log", torch.log, mp.log, POSITIVE),
    _one("log2", torch.log2, lambda x: mp.log(x, 2), POSITIVE),
    _one("log10", torch.log10, mp.log10, POSITIVE),
    _one("log1p", torch.log1p, lambda x: mp.log(1 + x), (-0.5, 4.0)),
    _one("sin", torch.sin, mp.sin, ANGLE),
    _one("cos", torch.cos, mp.cos, ANGLE),
    _one("tan", torch.tan, mp.tan, ANGLE),
    _one("asin", torch.asin, mp.asin, UNIT),
    _one("acos", torch.acos, mp.acos, UNIT),
    _one("atan", torch.atan, mp.atan, NARROW),
    _one("sinh", torch.sinh, mp.sinh, NARROW),
    _one("cosh", torch.cosh, mp.cosh, NARROW),
    _one("tanh", torch.tanh, mp.tanh, NARROW),
    _one("asinh", torch.asinh, mp.asinh, NARROW),
    _one("acosh", torch.acosh, mp.acosh, ABOVE_1),
    _one("atanh", torch.atanh, mp.atanh, (-0.99, 0.99)),
    _one("sinc", torch.sinc, mp.sincpi, NARROW),
    _one("sigmoid", torch.sigmoid, lambda x: 1 / (1 + mp.exp(-x)), NARROW),
    _one("erf", torch.erf, mp.erf, NARROW),
    _one("erfc", torch.erfc, mp.erfc, NARROW),
    _one("erfinv", torch.erfinv, mp.erfinv, (-0.99, 0.99)),
    _one("lgamma", torch.lgamma, mp.loggamma, (3.0, 50.0)),
    _one("digamma", torch.digamma, mp.digamma, (3.0, 50.0)),
    _one("i0", special.i0, lambda x: mp.besseli(0, x), NARROW),
    _one("bessel_j0", special.bessel_j0, lambda x: mp.besselj(0, x), (0.0, 4.0)),
    _one("bessel_j1", special.bessel_j1, lambda x: mp.besselj(1, x), (0.0, 4.0)),
    _one("softplus", torch.nn.functional.softplus, lambda x: mp.log(1 + mp.exp(x)), NARROW),
    _one("deg2rad", torch.deg2rad, lambda x: x * mp.pi / 180, ANGLE),
    _one("pow(x, 3)", lambda x: torch.pow(x, 3), lambda x: x**3, POSITIVE),
    _two("add", torch.add, lambda a, b: a + b, ANGLE, ANGLE),
    _two("mul", torch.mul, lambda a, b: a * b, ANGLE, ANGLE),
    _two("div", torch.div, lambda a, b: a / b, ANGLE, POSITIVE),
    _two("pow", torch.pow, mp.power, (0.1, 10.0), NARROW),
    _two("atan2", torch.atan2, mp.atan2, NARROW, NARROW),
    _two("hypot", torch.hypot, mp.hypot, ANGLE, ANGLE),
    _two("fmod", torch.fmod, lambda a, b: mp.sign(a) * mp.fmod(abs(a), b), ANGLE, (0.1, 4.0)),
    _two("remainder", torch.remainder, mp.fmod, ANGLE, (0.1, 4.0)),
    _two("logaddexp", torch.logaddexp, lambda a, b: mp.log(mp.exp(a) + mp.exp(b)), NARROW, NARROW),
    _two("xlogy", torch.xlogy, lambda a, b: a * mp.log(b), NARROW, POSITIVE),
)
"""Operations that are correctly rounded or not, element by element."""

REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda x: x.sum(-1),
    "mean": lambda x: x.mean(-1),
    "prod": lambda x: (1 + 1e-3 * x).prod(-1),
    "cumsum": lambda x: x.cumsum(-1)[..., -1],
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "var": lambda x: x.var(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "matmul": lambda x: x @ x.T[:, :1],
    "einsum": lambda x: torch.einsum("ij,ij->i", x, x),
}
"""What adds up a row; the result may depend on how the rows are laid out and on the threads."""


def differ(a: Tensor, b: Tensor) -> bool:
    return not np.array_equal(a.numpy(), b.numpy(), equal_nan=True)


def by_threads(function: Callable[[], Tensor]) -> bool:
    """Whether 1 and 4 threads give other bits."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = function()
        torch.set_num_threads(4)
        return differ(one, function())
    finally:
        torch.set_num_threads(before)
