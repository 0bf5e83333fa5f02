"""The probe that `evaluate` calls for every traced quantity: it keeps the value, and may replace it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from nanobragg_torch.injected import Injected

Loop = tuple[int, ...]
"""(layer, subS, subF), the source, and for a step the slice that its first value is of."""


class Keep(Protocol):
    """Takes a named value: `scope` as in trace_lines, `loop` the counters of its loops, of a step its source's.

    Values: subsample, source and pixel (P,) or (3, P) or (3,); step (K, P) or (3, K, P) or (K,) or (K, 3).
    """

    def __call__(self, scope: str, name: str, loop: Loop, value: Tensor | None) -> None:
        """Take one value."""


class Probe:
    """`probe(scope, name, loop, value)` returns the value to use: the injected one if there is one."""

    def __init__(self, keep: Keep | None = None, injected: Injected | None = None, domains: int = 1) -> None:
        self._keep, self._injected, self._domains = keep, injected, domains
        self.is_on = keep is not None or injected is not None
        self.replaces = injected is not None

    def __call__(self, scope: str, name: str, loop: Loop, value: Tensor) -> Tensor:
        """Replace and keep one value."""
        if self.is_on:
            value = self.replaced(scope, name, loop, value)
            self.say(scope, name, loop, value)
        return value

    def replaced(self, scope: str, name: str, loop: Loop, value: Tensor) -> Tensor:
        """The injected value, or the computed one."""
        if self._injected is None:
            return value
        if scope == "step":
            return self._injected.step(name, loop[:-1], loop[-1], self._domains, value)
        return self._injected.one(scope, name, loop, value)

    def say(self, scope: str, name: str, loop: Loop, value: Tensor | None) -> None:
        """Keep a value as it is."""
        if self._keep is not None:
            self._keep(scope, name, loop[:-1] if scope == "step" else loop, value)

    def gives_step(self, name: str, loop: Loop, tick: int) -> bool:
        """Does slice `tick` of a source have an injected value of that name?"""
        return self._injected is not None and self._injected.gives_step(name, loop, tick, self._domains)

    def keeping(self) -> Probe:
        """The same without injected values."""
        return Probe(self._keep)


OFF = Probe()
