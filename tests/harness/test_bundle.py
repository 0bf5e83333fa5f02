from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from trace_parity.bundle.bundle import MANIFEST, bundle_folder, final_path, find_bundles, verify
from trace_parity.errors import HarnessError

from tests.harness.conftest import Cli

RESULT = '{"schema": 1, "verdict": "parity", "headline": "all agree", "num_divergent": 0}'


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    with bundle_folder(tmp_path / "reports", "case", "20251008T212459Z-abc") as folder:
        (folder / "traces").mkdir()
        (folder / "traces" / "c.log").write_text("TRACE_C: steps 1\n")
        (folder / "result.json").write_text(RESULT)
        (folder / "summary.md").write_text("# fine\n")
        where = final_path(folder)
    assert where.is_dir()
    return where


def test_the_manifest_is_what_sha256sum_reads(bundle: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", "--strict", MANIFEST], cwd=bundle, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.count(": OK\n") == 3


def test_verify_finds_what_changed(bundle: Path, trace_diff: Cli) -> None:
    assert verify(bundle) == []
    assert trace_diff("bundle", "verify", bundle).returncode == 0
    (bundle / "summary.md").write_text("# better\n")
    (bundle / "traces" / "c.log").unlink()
    (bundle / "note.txt").write_text("hello")
    assert verify(bundle) == [
        "summary.md: changed since the bundle was written",
        "traces/c.log: missing",
        "note.txt: not in the manifest",
    ]
    done = trace_diff("bundle", "verify", bundle)
    assert done.returncode == 5
    assert done.stdout.splitlines()[-1] == f"CHANGED  {bundle}: 3 files not as written"


@pytest.mark.parametrize("text", ["", "abc  summary.md\n", f"{'0' * 64}  ../other\n", f"{'0' * 64}  /etc/passwd\n"])
def test_verify_refuses_a_manifest_that_is_none(bundle: Path, text: str) -> None:
    (bundle / MANIFEST).write_text(text)
    with pytest.raises(HarnessError):
        verify(bundle)


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with bundle_folder(tmp_path, "case", "name") as folder:
            (folder / "result.json").write_text(RESULT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "case").iterdir()) == []


def test_two_runs_of_one_second_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for _ in range(3):
        with bundle_folder(tmp_path, "case", "name") as folder:
            (folder / "result.json").write_text(RESULT)
    assert sorted(p.name for p in (tmp_path / "case").iterdir()) == ["name", "name.2", "name.3"]


def test_what_a_killed_run_left_is_swept_and_never_listed(tmp_path: Path) -> None:
    left = tmp_path / "case" / ".partial-name.0123abcd"
    left.mkdir(parents=True)
    (left / "result.json").write_text(RESULT)
    (left / MANIFEST).write_text("")
    assert find_bundles(tmp_path) == []
    os.utime(left, (0, 0))
    with bundle_folder(tmp_path, "case", "other") as folder:
        (folder / "result.json").write_text(RESULT)
    assert not left.exists()
    assert [b.name for b in find_bundles(tmp_path)] == ["other"]


def test_a_live_run_of_another_process_is_left_alone(tmp_path: Path) -> None:
    """Process ids say nothing on a file system that several containers share: the lock does."""
    code = """
import sys, pathlib, os
from trace_parity.bundle.bundle import bundle_folder
with bundle_folder(pathlib.Path(sys.argv[1]), "case", "live") as folder:
    print(folder.name, flush=True)
    sys.stdin.readline()
    os._exit(9) if sys.argv[2] == "killed" else (folder / "result.json").write_text("{}")
"""

    def start(end: str) -> tuple[subprocess.Popen[str], Path]:
        words = [sys.executable, "-c", code, str(tmp_path), end]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        folder = tmp_path / "case" / process.stdout.readline().strip()
        os.utime(folder, (0, 0))
        return process, folder

    for end in ("killed", "finished"):
        process, folder = start(end)
        with bundle_folder(tmp_path, "case", "other") as other:
            (other / "result.json").write_text(RESULT)
        assert folder.is_dir()
        process.communicate("\n")
        assert folder.is_dir() is (end == "killed")
    with bundle_folder(tmp_path, "case", "last") as other:
        (other / "result.json").write_text(RESULT)
    assert sorted(p.name for p in (tmp_path / "case").iterdir()) == ["last", "live", "other", "other.2"]


def test_only_regular_files_each_listed_once(bundle: Path, tmp_path: Path, trace_diff: Cli) -> None:
    outside = tmp_path / "outside.log"
    log = bundle / "traces" / "c.log"
    outside.write_bytes(log.read_bytes())
    log.unlink()
    log.symlink_to(outside)
    (bundle / "dangling").symlink_to("nowhere")
    (bundle / "folder").symlink_to(tmp_path)
    os.mkfifo(bundle / "pipe")
    with (bundle / MANIFEST).open("a") as stream:
        stream.write(f"{'0' * 64}  result.json\n")
    assert set(verify(bundle)) == {
        "result.json: listed 2 times in the manifest",
        "result.json: changed since the bundle was written",
        "traces/c.log: not a regular file",
        *(f"{name}: not in the manifest" for name in ("dangling", "folder", "pipe")),
    }
    assert trace_diff("bundle", "verify", bundle).returncode == 5


def test_list_and_show(bundle: Path, trace_diff: Cli) -> None:
    done = trace_diff("bundle", "list", bundle.parent.parent)
    assert done.stdout.split("\t")[:4] == ["case", bundle.name, "parity", "0 divergent"]
    assert trace_diff("bundle", "show", bundle).stdout == "# fine\n\nPARITY  all agree\n"
    assert trace_diff("bundle", "show", bundle.parent).returncode == 5
    assert "no bundles" in trace_diff("bundle", "list", bundle).stderr
    assert trace_diff("bundle", "list", "nowhere").returncode == 5


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError), bundle_folder(tmp_path / "file", "case", "name"):
        pass
