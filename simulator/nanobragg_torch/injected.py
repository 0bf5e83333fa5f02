"""Values of another program's trace that replace computed ones in a counterfactual trace.

An injected value replaces the one that the stages computed for a traced pixel. One equal to the computed value
changes nothing, to the last bit: the computed one is kept, and nothing downstream is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.trace_lines import KEYS

Loop = tuple[int, ...]
Table = Mapping[Loop, Sequence[float]]
Values = Mapping[tuple[str, str], Table]
"""By (scope, name), the numbers by loop indices (in the order of `trace_lines.KEYS`).

Numbers are missing where the other program computes none (a step without lattice factor, a source beyond dmin): there
the computed value is kept. For a step, such an entry may be at the indices of its source.
"""

Use = Callable[[str, Tensor], Tensor]
"""Takes the name and the computed value of a quantity of the run; returns the value to use."""


def as_computed(name: str, value: Tensor) -> Tensor:
    """Nothing is injected."""
    del name
    return value


class Injected:
    """The injected values, of the run or of one pixel. ExperimentError if one is missing or has another size."""

    def __init__(self, values: Values, pixel: tuple[int, ...] = ()) -> None:
        self._values = values
        self._pixel = pixel

    def at(self, pixel: tuple[int, int]) -> Injected:
        """For one pixel (slow, fast)."""
        return Injected(self._values, pixel)

    def run(self, name: str, value: Tensor) -> Tensor:
        """A quantity of the run, any shape."""
        return self.one("run", name, (), value)

    def umats(self, umats: Tensor) -> Tensor:
        """The rotations of the mosaic domains (M, 3, 3)."""
        rows = umats.unbind(0)
        new = [self.one("mosaic", "mosaic_umat", (domain,), umat) for domain, umat in enumerate(rows)]
        return umats if all(n is o for n, o in zip(new, rows, strict=True)) else torch.stack(new)

    def one(self, scope: str, name: str, loop: Loop, value: Tensor) -> Tensor:
        """A value at the loops inside the pixel, any shape with as many numbers as its line."""
        table = self._values.get((scope, name))
        if table is None:
            return value
        indices = loop if scope in ("run", "mosaic") else (*self._pixel, *loop)
        numbers = _find(table, scope, name, indices, value.numel())
        return _instead(value, [float(x) for x in numbers]) if numbers else value

    def step(self, name: str, loop: Loop, first: int, domains: int, value: Tensor) -> Tensor:
        """The steps from slice `first` on: value (K,), (K, 1), (K, 3), or of one pixel (3, K, 1)."""
        table = self._values.get(("step", name))
        if table is None:
            return value
        rows = value[..., 0].T if value.ndim == 3 else value.reshape(value.shape[0], -1)
        new = []
        for tick, own in enumerate(rows, start=first):
            numbers = _find(table, "step", name, self._tick(loop, tick, domains), rows.shape[1])
            new.append([float(x) for x in numbers] if numbers else own.tolist())
        replaced = _instead(rows, new)
        if replaced is rows:
            return value
        return replaced.T[..., None].contiguous() if value.ndim == 3 else replaced.reshape(value.shape)

    def gives_step(self, name: str, loop: Loop, tick: int, domains: int) -> bool:
        """Does slice `tick` have an injected value of that name?"""
        return bool(self._values.get(("step", name), {}).get(self._tick(loop, tick, domains)))

    def _tick(self, loop: Loop, tick: int, domains: int) -> Loop:
        return (*self._pixel, *loop, tick // domains, tick % domains)


def _find(table: Table, scope: str, name: str, indices: Loop, size: int) -> Sequence[float]:
    numbers = table.get(indices)
    if numbers is None and scope == "step":
        numbers = table.get(indices[:-2])
    where = " ".join(f"{key}={index}" for key, index in zip(KEYS[scope], indices, strict=True)) or "the run"
    if numbers is None:
        raise ExperimentError(f"no value of {name} is given at {where}")
    if len(numbers) not in (0, size):
        raise ExperimentError(f"{name} at {where} is given as {len(numbers)} numbers, expected {size}")
    return numbers


def _instead(value: Tensor, numbers: list[float] | list[list[float]]) -> Tensor:
    new = torch.tensor(numbers, dtype=torch.float64).to(dtype=value.dtype, device=value.device).reshape(value.shape)
    return value if torch.equal(new, value) else new
