"""Engines that run many cases at a time: threads of this process, or workers of a cluster (run/cluster.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from trace_parity.files import scratch_folder
from trace_parity.pair.case import Case, InputFile, make_input
from trace_parity.pair.pair import Pair
from trace_parity.run.launch import end_programs
from trace_parity.run.prepared import Prepared
from trace_parity.run.warm import WarmPrograms

T = TypeVar("T")


@dataclass(frozen=True)
class Engine:
    """`submit(work, *words)` has `work(pair, prepared, *words)` run somewhere.

    `work` is a function of a module, its words and what it returns can be pickled. `jobs` run at a time.
    """

    submit: Callable[..., Future[Any]]
    jobs: int
    lost: type[BaseException] | tuple[()] = ()  # raised by a future that lost several workers

    def results(self, work: Callable[..., T], asked: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, T | None]]:
        """Each of `asked` with the result of `work`, in order of completion; None if it lost its workers."""
        words_of: dict[Future[T], tuple[Any, ...]] = {self.submit(work, *words): words for words in asked}
        pending = set(words_of)
        while pending:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                try:
                    yield words_of[future], future.result()
                except self.lost:
                    yield words_of[future], None


@contextmanager
def local_engine(pair: Pair, prepared: Prepared, jobs: int, files: Iterable[InputFile] = ()) -> Iterator[Engine]:
    """Threads of this process, with programs that stay loaded. `files` are input files that several cases share.

    Raises HarnessError: exit 2 for a worker of the pair that cannot be loaded, exit 3 for a file that cannot be made.
    """
    with scratch_folder("gate") as inputs, WarmPrograms() as warm, ThreadPoolExecutor(max_workers=jobs) as pool:
        warm.load(pair.programs)
        for file in files:
            make_input(file, inputs)
        here = replace(prepared, inputs=inputs, warm=warm)

        def submit(work: Callable[..., T], *words: Any) -> Future[T]:
            return pool.submit(work, pair, here, *words)

        try:
            yield Engine(submit, jobs)
        except BaseException:  # an interrupt: what waits is dropped, what runs is ended with its programs
            pool.shutdown(wait=False, cancel_futures=True)
            end_programs()
            raise


def shared_files(cases: Iterable[Case]) -> list[InputFile]:
    """The input files that more than one case names."""
    found: dict[str, list[InputFile]] = {}
    for case in cases:
        for file in case.files:
            if file.name in case.argv:
                found.setdefault(file.name, []).append(file)
    return [files[0] for files in found.values() if len(files) > 1]
