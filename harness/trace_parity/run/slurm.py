"""A file that describes workers as jobs of Slurm, and the cluster that dask-jobqueue makes of it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.toml_table import Table, located, parse_toml, read_text


@dataclass(frozen=True)
class SlurmJobs:
    """One job is one worker, which runs one case at a time with `threads` processors."""

    workers: int
    threads: int = 1
    memory: str = "4GB"
    walltime: str = "01:00:00"
    partition: str = ""
    account: str = ""
    interface: str = ""
    prologue: tuple[str, ...] = ()
    directives: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """The arguments of dask_jobqueue.SLURMCluster."""
        return {
            "cores": 1,  # threads of the worker: one case at a time
            "processes": 1,
            "job_cpu": self.threads,
            "memory": self.memory,
            "walltime": self.walltime,
            "queue": self.partition or None,
            "account": self.account or None,
            "interface": self.interface or None,
            "job_script_prologue": list(self.prologue),
            "job_extra_directives": list(self.directives),
        }


def read_slurm(path: Path) -> SlurmJobs:
    """The file. Raises HarnessError (exit 2) with line and key of what is wrong in it."""
    name, text = str(path), read_text(path)
    with located(text, name):
        table = Table(parse_toml(text, name), name)
        table.need("workers", "how many jobs, a whole number")
        jobs = SlurmJobs(
            workers=table.count("workers", 1),
            threads=table.count("threads", 1),
            memory=table.text("memory", "4GB"),
            walltime=table.text("walltime", "01:00:00"),
            partition=table.text("partition"),
            account=table.text("account"),
            interface=table.text("interface"),
            prologue=table.words("prologue"),
            directives=table.words("directives"),
        )
        table.finish()
    return jobs


def slurm_cluster(path: Path, out: Path) -> Any:
    """The cluster of a file, its jobs submitted, logs of jobs in `out`. HarnessError (exit 2) where it cannot be."""
    jobs = read_slurm(path)
    try:
        jobqueue: Any = importlib.import_module("dask_jobqueue")
    except ImportError as error:
        hint = "pip install 'trace-parity[cluster]'"
        raise HarnessError(Exit.USAGE, "dask-jobqueue is not installed", where=str(path), hint=hint) from error
    cluster = jobqueue.SLURMCluster(
        **jobs.settings(), scheduler_options={"dashboard_address": None}, log_directory=str(out / "slurm")
    )
    cluster.scale(jobs=jobs.workers)
    return cluster
