"""The outcome of one case of a gate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The outcome of one case. `bundle` is relative to the gate's folder, empty when there is none."""

    case: str
    exit_code: int
    verdict: str
    headline: str
    compared: int
    num_divergent: int
    needed_rtol: float
    bundle: str
    key: str
    waived: tuple[str, ...] = ()  # waivers that explain something
