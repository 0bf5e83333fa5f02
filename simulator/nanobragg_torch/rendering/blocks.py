"""Blocks of pixels: their coordinates, and work on them, one after the other or in threads."""

from __future__ import annotations

import contextlib
import mmap
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


class Coordinates:
    """Turns flat indices (n,) of pixels on a detector of that width into (slow, fast), each (n,)."""

    def __init__(self, width: int, like: Tensor) -> None:
        self.width = width
        self._like = like
        self._rows: dict[int, tuple[Tensor, Tensor]] = {}  # blocks are rows again and again

    def __call__(self, flat: Flat) -> tuple[Tensor, Tensor]:
        """The coordinates; do not write to them."""
        if isinstance(flat, range):
            top, skipped = divmod(flat.start, self.width)
            here = slice(skipped, skipped + len(flat))
            slow, fast = self._from_first_row(-(-here.stop // self.width))
            return slow[here] + top, fast[here]
        slow = torch.div(flat, self.width, rounding_mode="floor")
        return slow.to(self._like.dtype), (flat - slow * self.width).to(self._like.dtype)

    def _from_first_row(self, rows: int) -> tuple[Tensor, Tensor]:
        """Of that many rows; without dividing for each pixel."""
        if rows not in self._rows:
            like = self._like
            slow = torch.arange(rows, dtype=like.dtype, device=like.device)
            fast = torch.arange(self.width, dtype=like.dtype, device=like.device)
            self._rows[rows] = slow.repeat_interleave(self.width), fast.repeat(rows)
        return self._rows[rows]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes in this thread only: a second one, once started, would take time from later work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def each(work: Callable[[S], T], blocks: Sequence[S], *, device: torch.device, gradients: bool) -> Iterator[T]:
    """The results in order, whatever the number of threads: on a CPU as many as PyTorch would use, each alone.

    PyTorch's own threads meet after every operation. On a machine that has other work they wait for each other more
    than they compute (50 times the time was measured); independent threads only lose what the other work takes.
    """

    def one(block: S) -> T:
        with torch.set_grad_enabled(gradients):
            return work(block)

    if device.type != "cpu":
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


_HUGE_FROM_BYTES = 32 * 2**20  # smaller ones the C library keeps for the next image, pages and all


def _empty(count: int, like: Tensor) -> Tensor:
    """A tensor (count,) like `like` without values; a large one on a CPU in pages of 2 MiB, where Linux has these.

    An image of 32 MiB takes 8000 normal pages; allocating them takes a tenth of the time of rendering.
    """
    size = count * like.element_size()
    if like.device.type != "cpu" or size < _HUGE_FROM_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(count, dtype=like.dtype, device=like.device)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without such pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=like.dtype)


def filled(
    blocks: Sequence[Flat],
    like: Tensor,
    fill: Callable[[Flat, Tensor], None],
    progress: Callable[[float], None] | None,
) -> Tensor:
    """The values (n,) of the pixels of all blocks, of each of which `fill` writes its own; without gradients."""
    sizes = [len(block) for block in blocks]
    values = _empty(sum(sizes), like)
    entries = list(zip(blocks, torch.split(values, sizes), strict=True))
    done = 0
    for size, _ in zip(sizes, each(lambda e: fill(*e), entries, device=like.device, gradients=False), strict=True):
        done += size
        if progress is not None:
            progress(done / len(values))
    return values
