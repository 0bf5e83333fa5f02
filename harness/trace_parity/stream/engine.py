"""Read two logs side by side and join them, a piece at a time.

Memory. A row is held until the other log has it too and both logs have left its block: all rows of one pixel. What is
held is therefore a few blocks, and every row that the other log has not brought yet: of pixels that stand in one log
only until the other log has ended, of pixels in another order until their turn comes. Two cases need more. A block of
more than BLOCK_LIMIT numbers: blocks are then cut by all loops instead. A log that comes back to a block that was
judged and forgotten, or that names a scale after rows were judged without it: the comparison begins again and holds
every row, which is right in any order and is said in the notes of the result. Rows are never paired by where they
stand.
"""

from __future__ import annotations

import ctypes as ct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from trace_parity.compare.coverage import _keys
from trace_parity.pair.contract import Contract
from trace_parity.pair.vocabulary import Key, Vocabulary
from trace_parity.stream import native
from trace_parity.stream.registry import HOLD_ALL, Registry, context_key, depths
from trace_parity.stream.source import Restart, Source

PIECE = 1 << 20
FIRST_PIECE = 1 << 16
BLOCK_LIMIT = 400_000
"""Numbers of one block beyond which blocks are cut smaller."""

_WHY_HELD = {
    native.RECURS: "a log comes back to places that it had left",
    native.LATE: "the C log names the scale of a tolerance after the numbers that it is for",
    native.BIG: "a single place has more numbers than are held at once",
}


MANY_WAITING = 2_000_000
"""Numbers waiting for their counterpart at once beyond which the result says so: they take some 40 bytes each."""


class Joined:
    """Two logs, joined and judged: the registry holds the findings, and the sources the rest."""

    def __init__(self, registry: Registry, sources: Sequence[Source], notes: list[str]) -> None:
        self.registry = registry
        self.sources = sources
        self.notes = notes

    def most_waiting(self) -> int:
        """How many numbers were held at once, at most."""
        matched, live = (ct.c_uint64 * 2)(), (ct.c_uint64 * 2)()
        self.registry.lib.ts_leads(self.registry.context, matched, live)
        return int(live[1])


class WatchList:
    """The rows that a contract asks for, in the order in which the C part is told to look out for them."""

    def __init__(self, contract: Contract, vocabulary: Vocabulary) -> None:
        self.by_name: dict[str, list[tuple[str, Key]]] = {
            name: [(v.id, k) for v in vocabulary.named(name) for k in _keys(vocabulary, v.scope.loops, contract)]
            for name in contract.variables
        }

    def tell(self, registry: Registry) -> None:
        """Register all of them."""
        by_id = {v.id: v for v in registry.vocabulary.variables}
        for wanted in self.by_name.values():
            for variable, key in wanted:
                packed = context_key(key)
                native.check(
                    registry.lib.ts_watch(registry.context, ct.byref(packed), registry.number(by_id[variable]))
                )

    def lacking(self, registry: Registry) -> Iterator[tuple[str, int, int, list[Key]]]:
        """(name, side, how many are wanted, the keys that the side lacks), per name and side."""
        start = 0
        for name, wanted in self.by_name.items():
            for side in (0, 1):
                missing = [
                    key
                    for i, (_, key) in enumerate(wanted, start=start)
                    if not registry.lib.ts_watched(registry.context, i, side)
                ]
                yield name, side, len(wanted), missing
            start += len(wanted)


Progress = Callable[[int], None]


@contextmanager
def join(
    sources: Sequence[Source],
    vocabulary: Vocabulary,
    watch: WatchList,
    *,
    rtol: float | None = None,
    progress: Progress = lambda percent: None,
    each_drained: Callable[[Source], None] | None = None,
    restarted: Callable[[], None] | None = None,
    block_limit: int = BLOCK_LIMIT,
    piece: int = PIECE,
) -> Iterator[Joined]:
    """Join C's source and PY's. Raises HarnessError, UnsuitableError, NoCompilerError."""
    possible = list(depths(vocabulary))
    notes: list[str] = [] if possible[0] else ["every row is held: the vocabulary's scales lie across places"]
    largest: dict[str, float] = {}
    while True:
        registry = Registry(vocabulary, possible[0], rtol, block_limit, largest)
        try:
            watch.tell(registry)
            _run(sources, registry, progress, each_drained, piece)
        except Restart as restart:
            registry.close()
            if restart.code != native.OK:
                if restart.code == native.BIG and len(possible) > 2:
                    possible.pop(0)
                else:
                    possible = [HOLD_ALL]
                    notes.append(f"every row was held in memory, since {_WHY_HELD[restart.code]}")
            if restarted is not None:
                restarted()
            continue
        except BaseException:
            registry.close()
            raise
        met = registry.largest_met()
        if any(met[name] != largest.get(name, 0.0) for name in met):  # known only when all has been read: once more
            largest = met
            registry.close()
            if restarted is not None:
                restarted()
            continue
        try:
            yield Joined(registry, sources, notes)
        finally:
            registry.close()
        return


def _run(
    sources: Sequence[Source],
    registry: Registry,
    progress: Progress,
    each_drained: Callable[[Source], None] | None,
    piece: int,
) -> None:
    """Once through both logs. The side that is behind, by the row that was paired last, is read first."""
    for source in sources:
        source.open(registry)
    going = [True, True]
    amount = min(piece, FIRST_PIECE)
    whole = max(1, sum(source.size for source in sources))
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="scan") as pool:
        while any(going):
            chosen = _choose(sources, registry, going, amount)
            if len(chosen) == 2:
                # The second thread leaves Python's lock while C scans.
                beside = pool.submit(sources[1].scan, amount)
                going[0] = sources[0].scan(amount)
                going[1] = beside.result()
            else:
                going[chosen[0]] = sources[chosen[0]].scan(amount)
            for side in chosen:
                sources[side].drain()
                if each_drained is not None:
                    each_drained(sources[side])
                if not going[side]:
                    native.check(registry.lib.ts_end_of(registry.context, side))
            registry.apply_learned()
            amount = piece
            progress(100 * sum(source.position() for source in sources) // whole)
    for source in sources:
        source.finish()
    native.check(registry.lib.ts_finish(registry.context))


def _choose(sources: Sequence[Source], registry: Registry, going: list[bool], amount: int) -> tuple[int, ...]:
    """Which sides to read next: both when they are about abreast."""
    if not all(going):
        return (0,) if going[0] else (1,)
    matched, live = (ct.c_uint64 * 2)(), (ct.c_uint64 * 2)()
    registry.lib.ts_leads(registry.context, matched, live)
    leads = [(source.position() - matched[i]) * source.weight for i, source in enumerate(sources)]
    if abs(leads[0] - leads[1]) <= 2 * amount:
        return (0, 1)
    return (0,) if leads[0] < leads[1] else (1,)
