"""A gate with programs that stay loaded leaves what one with a new process a case leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from trace_parity.compare.options import Options
from trace_parity.errors import Exit, HarnessError
from trace_parity.pair.find import find_pair, shipped
from trace_parity.pair.pair import Pair
from trace_parity.result.outcome import Outcome
from trace_parity.run.gate import run_gate
from trace_parity.run.launch import run_program
from trace_parity.run.warm import WarmPrograms

from tests.golden import ROOT
from tests.harness.conftest import Cli
from tests.harness.tiny_pair import write_pair

TIMES = re.compile(r"\d{4}-\d\d-\d\d(T| )\d\d:\d\d:\d\d(\+00:00| UTC)")


def contents(out: Path, outcomes: list[Outcome]) -> dict[str, str]:
    """The files of all bundles as text, without times and without what they name the pair and the commit."""
    found = {}
    for outcome in outcomes:
        folder = next((out / outcome.case).glob("failed-*"), None) if not outcome.bundle else out / outcome.bundle
        assert folder is not None
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in ("git.json", "manifest-sha256.txt"):
                text = TIMES.sub("TIME", path.read_text("utf-8", "surrogateescape")).replace(str(out), "OUT")
                found[f"{outcome.case}/{path.relative_to(folder)}"] = re.sub(r"\.partial-[^/]*", "BUNDLE", text)
    return found


def pair_in(folder: Path, **words: str) -> Pair:
    return find_pair(str(write_pair(folder, **words)))


def test_a_warm_gate_leaves_what_a_cold_one_leaves(tmp_path: Path) -> None:
    a, b = (
        run_gate(pair, pair.matrix(), Options(out=tmp_path / name), 2)
        for pair, name in ((pair_in(tmp_path / "tiny", worker=""), "a"), (pair_in(tmp_path / "tiny"), "b"))
    )
    plain = [
        [(o.case, o.exit_code, o.headline.split(" (hint")[0], o.compared, o.num_divergent) for o in x] for x in (a, b)
    ]
    assert plain[0] == plain[1]
    assert [o.exit_code for o in b] == [0, 0, 3, 1, 0]
    assert contents(tmp_path / "a", a) == contents(tmp_path / "b", b)


def test_the_shipped_pair_is_warm_and_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trace_parity.run.engine.WarmPrograms", WarmPrograms)  # not the server of the tests
    pair = shipped()
    argv = "-cell 100 100 100 90 90 90 -lambda 6.2 -N 5 -distance 100 -detpixels 16 -pixel 0.1 -default_F 100"
    path = tmp_path / "m.toml"
    path.write_text(
        "".join(f'[[cases]]\nid = "{i}"\nargv = "{argv} {i}"\nfocus = [[8, 8]]\n' for i in ("-xds", "-dials")).replace(
            'id = "-', 'id = "'
        )
    )
    sides = {name: replace(side, worker="") for name, side in pair.programs.sides.items()}
    cold = pair.with_programs(replace(pair.programs, sides=sides))
    assert pair.programs.sides["PY"].worker
    found = []
    for name, which in (("a", cold), ("b", pair)):
        options = Options(out=tmp_path / name, together=True, preflight=False)
        found.append(contents(tmp_path / name, run_gate(which, which.matrix(path), options, 1)))
    assert found[0] == found[1]
    assert len(found[0]) > 20


def test_a_run_sees_nothing_of_the_one_before(tmp_path: Path) -> None:
    pair = pair_in(tmp_path)
    side = pair.programs.sides["PY"]
    with WarmPrograms() as warm:
        for n in range(3):
            command = [sys.executable, str(tmp_path / "py" / "port.py"), "-trace", str(tmp_path / "t.log")]
            ran = run_program(command, tmp_path, tmp_path / f"run{n}", "port", start=warm.start_of(side))
            assert ran.stdout.read_text() == f"seen 0 {tmp_path.name}\n"
        assert len(warm._all) == 1


def test_a_server_that_is_killed_costs_no_case(tmp_path: Path) -> None:
    pair = pair_in(tmp_path)
    side = pair.programs.sides["PY"]
    command = [sys.executable, str(tmp_path / "py" / "port.py"), "-trace", str(tmp_path / "t.log")]
    with WarmPrograms() as warm:
        run_program(command, tmp_path, tmp_path / "a", "port", start=warm.start_of(side))
        (server,) = warm._all
        server.process.kill()
        server.process.wait()
        run_program(command, tmp_path, tmp_path / "b", "port", start=warm.start_of(side))  # in a process of its own
        assert not warm._all
        run_program(command, tmp_path, tmp_path / "c", "port", start=warm.start_of(side))
        assert len(warm._all) == 1


@pytest.mark.parametrize(
    ("worker", "says"),
    [
        ('worker = "port:nosuch"', "no attribute 'nosuch'"),
        ('worker = "nosuch:main"', "No module named 'nosuch'"),
        ('worker = "port"', "expected MODULE:FUNCTION"),
    ],
)
def test_a_worker_that_is_none_is_one_line(worker: str, says: str, tmp_path: Path, trace_diff: Cli) -> None:
    write_pair(tmp_path, worker)
    done = trace_diff("gate", "--pair", ".", "--only", "plain")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_needs_commands_of_python(tmp_path: Path) -> None:
    write_pair(tmp_path)
    text = (tmp_path / "pair.toml").read_text().replace('trace = "{python} {source}/port.py', 'trace = "env {python} x')
    (tmp_path / "pair.toml").write_text(text)
    with pytest.raises(HarnessError, match="since there is a worker") as caught:
        _ = find_pair(str(tmp_path)).programs
    assert caught.value.code == Exit.USAGE


def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / "matrix.toml").write_text(
        '[[cases]]\nid = "slow"\nargv = "-slow -slow"\n[[cases]]\nid = "b"\nargv = "-slow"\n'
    )
    command = [sys.executable, "-m", "trace_parity", "gate", "--pair", ".", "--jobs", "1", "--out", "out"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "harness")},
    )
    assert process.stderr is not None
    assert "[1/2]" in process.stderr.readline()
    servers = [pid for pid in _processes() if _parent(pid) == process.pid]
    assert servers
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "1 of 2 cases are kept" in process.stderr.read()
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in servers):
            break
        time.sleep(0.05)
    else:
        pytest.fail("a server is left")
    assert [e["case"] for e in json.loads((tmp_path / "out" / "gate.json").read_text())] == ["slow"]


def _processes() -> list[int]:
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_the_server_is_of_the_standard_library_alone() -> None:
    text = (ROOT / "harness" / "trace_parity" / "run" / "fork_server.py").read_text()
    assert "trace_parity" not in re.sub(r'""".*?"""', "", text, flags=re.DOTALL)


def test_the_import_of_the_shipped_port_does_not_initialise_cuda() -> None:
    worker = shipped().programs.sides["PY"].worker
    program = f"import importlib, torch; importlib.import_module({worker.partition(':')[0]!r}); "
    program += "print(torch.cuda.is_initialized(), torch.backends.cuda.is_built())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"


def test_a_forked_child_sees_what_a_new_process_sees_of_cuda() -> None:
    program = "import torch; print(torch.cuda.is_available())"
    plain = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    script = "import os, sys, importlib; importlib.import_module('nanobragg_torch.cli')\n"
    script += "if not os.fork():\n import torch\n print(torch.cuda.is_available(), flush=True)\n os._exit(0)\nos.wait()"
    forked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert forked == plain
