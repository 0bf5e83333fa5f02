"""The value of a pixel from its steps. Source: model section 8; quirks running-product, first-value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nanobragg_torch import units


def background(water_m: Tensor, fluence_per_m2: Tensor) -> Tensor:
    """I_bg: what the sum of every pixel starts at, of a cube of water of that size."""
    F = units.WATER_F_ELECTRONS
    per_m3 = 1e6 * units.AVOGADRO_PER_MOL / units.WATER_G_PER_MOL
    return F * F * units.R_E_SQR_M2 * fluence_per_m2 * water_m * water_m * water_m * per_m3


def step_intensity(F_cell: Tensor, F_latt: Tensor) -> Tensor:
    """The term of one step: F_cell² F_latt²."""
    amplitude = F_cell * F_latt
    return amplitude * amplitude


def add_up(terms: Tensor) -> Tensor:
    """The sum over the first dimension, by halves: for each column the same order whatever the number of columns."""
    total: Tensor = _Sum.apply(terms)  # type: ignore[no-untyped-call]
    return total


class _Sum(torch.autograd.Function):
    """Every term has the slope of the sum, so the backward pass needs no tree."""

    generate_vmap_rule = True

    @staticmethod
    def forward(terms: Tensor) -> Tensor:
        while terms.shape[0] > 1:
            half = terms.shape[0] // 2
            summed = terms[:half] + terms[half : 2 * half]
            terms = summed if terms.shape[0] % 2 == 0 else torch.cat((summed, terms[2 * half :]))
        return terms[0].clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.shape = inputs[0].shape

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.expand(ctx.shape)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return _Sum.forward(tangent)


def running(start: Tensor, terms: Tensor) -> Tensor:
    """(K, P): the sum after each of the steps (K, P), from `start` (P,)."""
    return start + torch.cumsum(terms, 0)


def multiplied_total(start: Tensor, terms: Tensor, factor: Tensor, counted: Tensor) -> Tensor:
    """The sum (P,) when `factor` (P,) multiplies all of it after every counted step.

    quirk running-product: a term is multiplied once for its own step and once for each that follows, so
    I = I₀ cⁿ + Σ t_i c^(counted steps from i on). `counted` (K, P) is False for a step that is passed over.
    """
    from_here = torch.flip(torch.cumsum(torch.flip(counted, (0,)), 0), (0,))
    weights = _power(factor, from_here)
    return start * weights[0] + add_up(terms * weights)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    """base (P,) to whole numbers (K, P) of at most K, by squaring: the library's power is not the same to the bit in
    the body and at the end of a vector, and the image must not depend on where a block ends.
    """
    result = torch.ones_like(exponent, dtype=base.dtype)
    for bit in range(exponent.shape[0].bit_length()):
        if bit > 0:
            base = base * base
        result = torch.where((exponent >> bit) & 1 == 1, result * base, result)
    return result


def multiplied_running(start: Tensor, terms: Tensor, factor: Tensor, counted: Tensor) -> Tensor:
    """(K, P): the sum after each step is added and before `factor` multiplies it (see `multiplied_total`).

    Each step is the map I → c·(I + t); maps compose, so doubling steps give all of them in log2(K) passes.
    """
    one = torch.ones_like(terms)
    slope = torch.where(counted, factor * one, one)
    offset = terms * slope
    stride = 1
    while stride < terms.shape[0]:
        earlier_slope = torch.cat((one[:stride], slope[:-stride]))
        earlier_offset = torch.cat((torch.zeros_like(terms[:stride]), offset[:-stride]))
        offset = offset + slope * earlier_offset
        slope = slope * earlier_slope
        stride *= 2
    before = torch.cat((start[None], (slope * start + offset)[:-1]))
    return before + terms


def carried(sums: Tensor, is_injected: Sequence[bool], start: Tensor, factor: Tensor | None) -> tuple[Tensor, Tensor]:
    """(sums (K, P) after each step, the sum to go on with): of injected sums, those of steps passed over carried on."""
    rows, total = [], start
    for row, injected in zip(sums, is_injected, strict=True):
        rows.append(row if injected else total)
        total = rows[-1] * factor if injected and factor is not None else rows[-1]
    return torch.stack(rows), total


def pixel_value(
    I: Tensor,
    steps: int | Tensor,
    fluence_per_m2: Tensor,
    capture: Tensor | None,
    polar: Tensor | None,
    omega: Tensor | None,
    r_e_sqr_m2: float | Tensor = units.R_E_SQR_M2,
) -> Tensor:
    """The pixel (P,): r_e² fluence I/steps times the factors that have not been multiplied in already (None)."""
    value = r_e_sqr_m2 * fluence_per_m2 * I
    value = value / steps
    for factor in (capture, polar, omega):
        if factor is not None:
            value = value * factor
    return value
