"""Work on blocks of pixels, one after the other or in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

Flat: TypeAlias = "Tensor | range"
"""Flat indices (n,) of pixels, or all of a range."""
S = TypeVar("S")
T = TypeVar("T")


def each(work: Callable[[S], T], blocks: Sequence[S], *, in_threads: bool, gradients: bool) -> Iterator[T]:
    """The results in order, whatever the number of threads: as many as PyTorch would use, each computing alone.

    PyTorch's own threads meet after every operation. On a machine that has other work they wait for each other more
    than they compute (50 times the time was seen); threads that share nothing only lose what the others take.
    """

    def one(block: S) -> T:
        with torch.set_grad_enabled(gradients):
            return work(block)

    if not in_threads:
        yield from map(one, blocks)
        return
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        waiting: deque[Future[T]] = deque()
        for block in blocks:
            waiting.append(pool.submit(one, block))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads)  # the workers' setting is partly global
