"""Cases on the workers of a Dask cluster: processes of this machine, a scheduler that runs already, or jobs of Slurm.

Workers see the files of the client (the pair, the framework, the folder for bundles) at the same paths, as on one
machine or a shared file system; each checks that before its first case. See docs/how-to/cluster.md.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from trace_parity.bundle.provenance import VARIABLES
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import owned_folder, sweep
from trace_parity.pair.case import InputFile, make_input
from trace_parity.pair.find import find_pair
from trace_parity.pair.pair import Pair
from trace_parity.run.engine import Engine, local_engine
from trace_parity.run.identity import resume_key
from trace_parity.run.prepared import Prepared, prepare
from trace_parity.run.slurm import read_slurm, slurm_cluster
from trace_parity.run.warm import WarmPrograms

T = TypeVar("T")
INPUTS = ".inputs-"
CONNECT_S = 20
WORKERS_S = 3600
"""How long to wait for a scheduler to answer, and for a queue to start the first worker."""
EXPECTED = "local:N, tcp://HOST:PORT, or a .toml file that describes jobs of Slurm"


@dataclass(frozen=True)
class Site:
    """The data that a worker needs before its first case."""

    pair: str
    identity: str  # as JSON
    out: str
    inputs: str
    cwd: str
    variables: tuple[tuple[str, str], ...]  # of the environment, which bundles record and programs see


def workers_of(cluster: str) -> int | None:
    """The number of workers that `local:N` names; None for another place. Raises HarnessError (exit 2)."""
    if match := re.fullmatch(r"local:([1-9]\d{0,3})", cluster):
        return int(match[1])
    if re.fullmatch(r"(tcp|tls)://[^\s:]+:\d+", cluster) or cluster.endswith(".toml"):
        return None
    raise HarnessError(Exit.USAGE, f"{cluster!r} is not a cluster", where="--cluster", expected=EXPECTED)


def program_options(pair: Pair, jobs: int, cluster: str) -> dict[str, str]:
    """The threads of each program, where one takes that option: what each of the cases at a time may use.

    The processors of this machine divided by `jobs` or by N of `local:N`; the value in slurm.toml; 1 on a scheduler
    that is already running. Raises HarnessError (exit 2) where `cluster` names none, or a file with a mistake.
    """
    at_a_time = workers_of(cluster) if cluster else jobs
    threads = max(1, (os.cpu_count() or 1) // at_a_time) if at_a_time else 1
    if cluster.endswith(".toml"):
        threads = read_slurm(Path(cluster)).threads
    takes_threads = any("threads" in side.options for side in pair.programs.sides.values())
    return {"threads": str(threads)} if takes_threads else {}


def engine_of(
    pair: Pair, prepared: Prepared, jobs: int, cluster: str, files: Iterable[InputFile], out: Path
) -> AbstractContextManager[Engine]:
    """Threads of this process, or the cluster that is named. Raises HarnessError if it is not available."""
    if not cluster:
        return local_engine(pair, prepared, jobs, files)
    return _cluster_engine(pair, prepared, cluster, files, out.resolve())


@contextmanager
def _cluster_engine(
    pair: Pair, prepared: Prepared, cluster: str, files: Iterable[InputFile], out: Path
) -> Iterator[Engine]:
    workers = workers_of(cluster)
    distributed = _distributed()
    # Taken first: Dask puts OMP_NUM_THREADS=1 into this process's environment while it starts workers.
    variables = tuple((name, os.environ[name]) for name in VARIABLES if name in os.environ)
    sweep(out, INPUTS)
    with owned_folder(out, INPUTS) as inputs, _client(distributed, cluster, workers, out) as client:
        for file in files:
            make_input(file, inputs)
        site = Site(
            str(pair.folder),
            json.dumps(dict(prepared.identity)),
            str(out),
            str(inputs),
            str(Path.cwd()),
            variables,
        )
        pool = client.get_executor(pure=False)

        def submit(work: Callable[..., T], *words: Any) -> Future[T]:
            future: Future[T] = pool.submit(on_worker, site, work, *words)
            return future

        try:
            yield Engine(submit, workers or len(client.nthreads()), distributed.scheduler.KilledWorker)
        except (distributed.comm.CommClosedError, distributed.client.FutureCancelledError) as error:
            raise HarnessError(Exit.PROGRAM_FAILED, f"the scheduler was lost: {error}", where=cluster) from error


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise HarnessError(
            Exit.USAGE,
            "distributed is not installed",
            where="--cluster",
            expected="the extra `cluster`",
            hint="pip install 'trace-parity[cluster]'",
        ) from error
    return distributed


@contextmanager
def _client(distributed: Any, cluster: str, workers: int | None, out: Path) -> Iterator[Any]:
    """A client of the cluster, which is started where it is one of ours."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a lost worker is reported by its case
    if workers is not None:
        # One case a worker; threads of the programs are an option of theirs, never what a worker's start leaves them.
        settings = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
        started: Any = distributed.LocalCluster(**settings, silence_logs=logging.CRITICAL, protocol="tcp")
    elif cluster.endswith(".toml"):
        started = slurm_cluster(Path(cluster), out)
    else:
        started = None
    try:
        client = distributed.Client(started if started is not None else cluster, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        if started is not None:
            started.close()
        raise HarnessError(
            Exit.USAGE, "no Dask scheduler answers", where=cluster, hint="`dask scheduler` starts one"
        ) from error
    try:
        _wait_for_a_worker(client, cluster)
        yield client
    finally:
        client.close(timeout=5)
        if started is not None:
            started.close(timeout=10)


def _wait_for_a_worker(client: Any, cluster: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_S if cluster.endswith(".toml") else CONNECT_S)
    except TimeoutError as error:
        raise HarnessError(
            Exit.PROGRAM_FAILED, "no worker connected", where=cluster, hint="`dask worker tcp://HOST:PORT` starts one"
        ) from error


def on_worker(site: Site, work: Callable[..., T], *words: Any) -> T:
    """The task of a worker: `work` with its own pair and its own loaded programs."""
    pair, prepared = _at(site)
    return work(pair, prepared, *words)


@lru_cache(maxsize=1)
def _at(site: Site) -> tuple[Pair, Prepared]:
    """The pair and the shared data of its runs. Raises HarnessError (exit 2) where it sees other files."""
    host = f"worker on {socket.gethostname()}"
    for folder in (site.cwd, site.inputs, site.pair):
        if not Path(folder).is_dir():
            raise HarnessError(
                Exit.USAGE, f"does not see {folder}", where=host, expected="the same files at the same paths"
            )
    os.chdir(site.cwd)
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(site.variables)
    pair = find_pair(site.pair)
    prepared = prepare(pair, Path(site.out))
    asked = json.loads(site.identity)
    if resume_key(dict(prepared.identity)) != resume_key(asked):
        raise HarnessError(
            Exit.USAGE,
            "its pair, programs, packages or framework differ from those here",
            where=host,
            expected="the same files and versions",
        )
    warm = WarmPrograms()
    warm.load(pair.programs)
    return pair, replace(prepared, identity=asked, inputs=Path(site.inputs), warm=warm)
