"""The order of evaluation of names that no vocabulary lists: by their first appearance in the logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trace_parity.pair.vocabulary import Variable, Vocabulary


def with_places(vocabulary: Vocabulary, met: Sequence[Mapping[str, Variable]]) -> dict[str, Variable]:
    """The variables found in logs, by id; those that the vocabulary lists come first.

    `met` has the variables of each log by order of first appearance, C's first.
    """
    listed = {v.id for v in vocabulary.variables}
    order = merged([[name for name in log if name not in listed] for log in met])
    every: dict[str, Variable] = {}
    for log in reversed(met):
        every |= log
    last = len(vocabulary.variables)
    return {n: v if n in listed else replace(v, place=last + order.index(n)) for n, v in every.items()}


def merged(sequences: Iterable[Sequence[Any]]) -> list[Any]:
    """An order that agrees with all sequences if possible; where they contradict each other, the earlier decides."""
    order: list[Any] = []
    for sequence in sequences:
        at = 0
        for n, item in enumerate(sequence):
            if item in order:
                at = max(at, order.index(item) + 1)
                continue
            later = [order.index(other) for other in sequence[n + 1 :] if other in order]
            at = min([at, *later]) if n == 0 else at
            order.insert(at, item)
            at += 1
    return order
