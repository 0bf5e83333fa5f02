"""Where a value is wrong, of all places that a log has it at: throughout, or at some iterations of a loop only."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from trace_parity.blame.log_values import LogView
from trace_parity.pair.vocabulary import ABSENT, Key

THROUGHOUT = " throughout"


def as_far_as(text: str, variable: str, wrong: Collection[Key], right: Collection[Key], view: LogView) -> str:
    """The words of a hint with `throughout` replaced by where it holds, if it does not hold at places that are right.

    A zero is right whatever it is multiplied by.
    """
    if THROUGHOUT not in text:
        return text
    others = [key for key in right if key not in wrong and np.any(view.at(variable, key))]
    return text.replace(THROUGHOUT, f" {_some_of(wrong, others, view.vocabulary.loops)}") if others else text


def _some_of(wrong: Collection[Key], right: Collection[Key], loops: tuple[str, ...]) -> str:
    """`at phi_tic=4`, or at how many of all places."""
    for place, loop in enumerate(loops):
        shared = {key[place] for key in wrong}
        if len(shared) == 1 and shared != {ABSENT} and not any(key[place] in shared for key in right):
            return f"at {loop}={shared.pop()}"
    return f"at {len(wrong)} of {len(wrong) + len(right)} places"
