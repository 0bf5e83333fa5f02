"""A gate and a sweep on two worker processes of Dask leave what they leave without, also when a worker is killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import find_pair
from trace_parity.result.outcome import Outcome
from trace_parity.run import slurm
from trace_parity.run.cluster import program_options, workers_of
from trace_parity.run.gate import run_gate
from trace_parity.run.sweep import Sweep, run_sweep

from tests.golden import ROOT
from tests.harness.conftest import Cli
from tests.harness.test_warm import contents
from tests.harness.tiny_pair import MATRIX, write_pair

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
MORE = "".join(f'[[cases]]\nid = "slow{n}"\nargv = "-slow -n {n}"\n' for n in range(2, 6))


def children() -> dict[int, str]:
    """The processes that this one has started, with their command lines."""
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                found[int(path.name)] = (parent, (path / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
    mine = {os.getpid()}
    while more := {pid for pid, (parent, _) in found.items() if parent in mine} - mine:
        mine |= more
    return {pid: words for pid, (_, words) in found.items() if pid in mine and pid != os.getpid()}


def test_a_killed_worker_changes_no_outcome_and_no_bundle(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "tiny")
    (folder / "matrix.toml").write_text(MORE + MATRIX)
    pair = find_pair(str(folder))
    undisturbed = run_gate(pair, pair.matrix(), Options(out=tmp_path / "a"), 2)
    killed: list[int] = []

    def kill(outcome: Outcome) -> None:
        if killed:
            return
        servers = [pid for pid, words in children().items() if "fork_server" in words and "preloaded:" not in words]
        parents = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in servers}
        worker = next(pid for pid in parents if pid != os.getpid())  # whose server runs the port
        killed.append(worker)
        os.kill(worker, signal.SIGKILL)

    on_workers = run_gate(pair, pair.matrix(), Options(out=tmp_path / "b"), 2, cluster="local:2", on_outcome=kill)
    assert killed
    plain = [
        [(o.case, o.exit_code, o.headline.split(" (hint")[0], o.compared, o.key) for o in outcomes]
        for outcomes in (undisturbed, on_workers)
    ]
    assert plain[0] == plain[1]
    assert contents(tmp_path / "a", undisturbed) == contents(tmp_path / "b", on_workers)
    left = [path.name for path in (tmp_path / "b").iterdir() if path.name.startswith(".")]
    assert not left
    own = "preloaded:main"  # the server of these tests, see tests/in_process.py
    assert not [words for words in children().values() if "fork_server" in words and own not in words]


def test_a_sweep_on_workers_finds_the_same(tmp_path: Path) -> None:
    pair = find_pair(str(write_pair(tmp_path / "tiny")))
    grammar = pair.sweep()
    lines = list(grammar.drawn(3, 12))
    found = [
        run_sweep(Sweep(pair, grammar, Options(out=tmp_path / name), 2, cluster), lines)
        for name, cluster in (("a", ""), ("b", "local:2"))
    ]
    assert found[0].findings
    a, b = ([(f.id, f.flags, f.lines, f.shown) for f in result.findings] for result in found)
    assert a == b


def test_a_scheduler_that_runs_already(tmp_path: Path, trace_diff: Cli) -> None:
    write_pair(tmp_path)
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**settings, protocol="tcp") as cluster:
        words = ("gate", "--pair", ".", "--only", "plain", "--only", "many", "--cluster", cluster.scheduler_address)
        done = trace_diff(*words, "--out", "out")
        assert done.returncode == 0, done.stderr
        assert "2 in parity" in done.stdout
        other = tmp_path / "other"
        shutil.copytree(tmp_path / "py", other / "py")
    done = trace_diff(*words, "--out", "out")
    assert done.returncode == 2
    assert "no Dask scheduler answers" in done.stderr


def test_a_client_that_is_killed_goes_on_where_it_was(tmp_path: Path, trace_diff: Cli) -> None:
    write_pair(tmp_path)
    (tmp_path / "matrix.toml").write_text(MORE + MATRIX)
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    state = tmp_path / "out" / "gate.json"
    with distributed.LocalCluster(**settings, protocol="tcp") as cluster:
        words = ("gate", "--pair", ".", "--cluster", cluster.scheduler_address, "--out", "out")
        client = subprocess.Popen(
            [sys.executable, "-m", "trace_parity", *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT / "harness")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 120
        while not state.exists() or len(json.loads(state.read_text())) < 2:
            assert client.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        client.kill()
        client.wait()
        before = json.loads(state.read_text())
        resumed = trace_diff(*words, "--resume")
    after = json.loads(state.read_text())
    pair = find_pair(str(tmp_path))
    undisturbed = run_gate(pair, pair.matrix(), Options(out=tmp_path / "b"), 2)
    assert 2 <= len(before) < len(undisturbed)
    kept = [o for o in before if o["exit_code"] != Exit.PROGRAM_FAILED]  # a program that failed runs again
    assert kept
    assert all(outcome in after for outcome in kept)
    plain = {o["case"]: (o["exit_code"], o["compared"]) for o in after}
    assert plain == {o.case: (o.exit_code, o.compared) for o in undisturbed}
    assert resumed.returncode == max(o.exit_code for o in undisturbed)


def test_a_sweep_on_a_scheduler_that_runs_already(tmp_path: Path, trace_diff: Cli) -> None:
    write_pair(tmp_path)
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    words = ("sweep", "--pair", ".", "--random", "8", "--seed", "3")
    with distributed.LocalCluster(**settings, protocol="tcp") as cluster:
        there = trace_diff(*words, "--cluster", cluster.scheduler_address, "--out", "there")
    here = trace_diff(*words, "--out", "here")
    assert there.returncode == here.returncode == 1, there.stderr
    a, b = (json.loads((tmp_path / name / "sweep.json").read_text()) for name in ("there", "here"))
    for finding in (f for found in (a, b) for group in found["groups"] for f in group["findings"]):
        finding["bundle"] = finding["bundle"].rpartition("/")[0]  # the rest is the time
    assert a["groups"]
    assert a == b


def test_a_worker_with_other_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from trace_parity.run.cluster import Site, _at
    from trace_parity.run.prepared import prepare

    pair = find_pair(str(write_pair(tmp_path)))
    monkeypatch.chdir(tmp_path)
    identity = json.dumps(dict(prepare(pair, tmp_path / "out").identity))
    site = Site(str(tmp_path), identity, str(tmp_path / "out"), str(tmp_path), str(tmp_path), ())
    _, prepared = _at(site)
    assert prepared.warm is not None
    prepared.warm.close()
    with pytest.raises(HarnessError, match="does not see"):
        _at(dataclasses.replace(site, inputs=str(tmp_path / "nowhere")))
    (tmp_path / "vocabulary.toml").write_text((tmp_path / "vocabulary.toml").read_text() + "\n# changed\n")
    with pytest.raises(HarnessError, match="differ from those here") as caught:
        _at(dataclasses.replace(site, cwd=str(tmp_path.parent)))
    assert caught.value.code == Exit.USAGE


@pytest.mark.parametrize("name", ["local:0", "local", "tcp://host", "http://host:1", "x.yaml"])
def test_a_cluster_that_is_none(name: str) -> None:
    with pytest.raises(HarnessError, match="is not a cluster"):
        workers_of(name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "workers: missing"),
        ("workers = 0", "a whole number of 1 or more"),
        ("workers = 2\nthreds = 3", "did you mean 'threads'?"),
        ("workers = 2\nmemory = 4", "a string"),
    ],
)
def test_a_slurm_file_that_is_none_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "slurm.toml"
    path.write_text(text)
    with pytest.raises(HarnessError) as caught:
        slurm.read_slurm(path)
    assert re.search(re.escape(says), str(caught.value))
    assert str(caught.value).startswith(f"{path}:")


@pytest.mark.parametrize("words", [["gate"], ["sweep", "--random", "1"]])
def test_a_bad_file_is_one_line_before_anything_is_run(words: list[str], tmp_path: Path, trace_diff: Cli) -> None:
    (tmp_path / "bad.toml").write_text('workers = "two"\n')
    pair = ROOT / "examples" / "pairs" / "lennard_jones"  # whose programs take no --threads
    done = trace_diff(*words, "--cluster", "bad.toml", "--pair", pair, "--out", "out")
    assert (done.returncode, done.stderr.count("\n"), (tmp_path / "out").exists()) == (2, 1, False)
    assert "bad.toml:1: workers: found 'two'; expected a whole number" in done.stderr


def test_a_job_of_slurm_is_one_worker_for_one_case(tmp_path: Path) -> None:
    jobqueue = pytest.importorskip("dask_jobqueue", reason="the extra `cluster` is not installed")
    path = tmp_path / "slurm.toml"
    path.write_text('workers = 8\nthreads = 4\npartition = "compute"\nprologue = ["module load gcc"]\n')
    jobs = slurm.read_slurm(path)
    job = jobqueue.slurm.SLURMJob("tcp://host:1", name="w", **jobs.settings()).job_script()
    assert "#SBATCH --cpus-per-task=4" in job
    assert "#SBATCH -p compute" in job
    assert "--nthreads 1" in job
    assert job.index("module load gcc") < job.index("dask_worker")
    assert program_options(find_pair(str(ROOT / "traces" / "nanobragg")), 1, str(path)) == {"threads": "4"}


def test_threads_are_those_of_as_many_jobs() -> None:
    pair = find_pair(str(ROOT / "traces" / "nanobragg"))
    assert program_options(pair, 9, "local:2") == program_options(pair, 2, "")
    assert program_options(pair, 9, "tcp://host:1") == {"threads": "1"}
