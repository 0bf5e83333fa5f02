"""A full disk, a closed pipe, a fault of the command itself: each ends in one line and its own exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trace_parity as tp
from trace_parity.cli import main as command_line
from trace_parity.cli.ending import TerminatedError, ending
from trace_parity.errors import Exit, HarnessError
from trace_parity.files import scratch_folder
from trace_parity.run import calibrate as measuring

C_LOG = "TRACE_C: beam_vec 1 0 0\nTRACE_C: polar_vec 0 0 1\n"
NO_SPACE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* Every write to a file whose path holds $FULL_UNDER fails with ENOSPC once $FULL_AFTER bytes are written. */
ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    static long left = -1;
    char link[64], path[4096];
    if (!real) real = dlsym(RTLD_NEXT, "write");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    const char *under = getenv("FULL_UNDER");
    if (n > 0 && under && (path[n] = 0, strstr(path, under))) {
        if (left < 0) left = atol(getenv("FULL_AFTER"));
        if ((long)size > left) { errno = ENOSPC; return -1; }
        left -= size;
    }
    return real(fd, data, size);
}
"""
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    (path / "c.log").write_text(C_LOG)
    (path / "py.log").write_text(C_LOG.replace("TRACE_C", "TRACE_PY").replace("0 0 1\n", "0 0 1.5\n"))
    return path


@pytest.fixture
def trace_diff(folder: Path) -> Command:
    def run(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "trace_parity", *map(str, words)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run(command, cwd=folder, text=True, check=False, **options)  # type: ignore[call-overload]

    return run


def only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 16384, 30000])
def test_a_file_that_cannot_grow(size: int, folder: Path, trace_diff: Command) -> None:
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # noqa: E731
    done = trace_diff("compare", "c.log", "py.log", "--format", "html:page.html", preexec_fn=limit)
    assert (done.returncode, only_line(done.stderr)) == (
        74,
        "trace-diff: page.html: cannot be written: File too large",
    )
    assert sorted(p.name for p in folder.iterdir()) == ["c.log", "py.log"]


@pytest.mark.parametrize("left", [0, 1000, 20000])
def test_a_full_disk(left: int, folder: Path, tmp_path: Path, trace_diff: Command) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler for the library that plays a full disk")
    (tmp_path / "full.c").write_text(NO_SPACE)
    library = tmp_path / "full.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "full.c", "-ldl"], check=True)
    (folder / "page.html").write_text("the page of yesterday")
    full = {"LD_PRELOAD": str(library), "FULL_UNDER": str(folder), "FULL_AFTER": str(left)}
    done = trace_diff("compare", "c.log", "py.log", "--format", "html:page.html", env=os.environ | full)
    assert (done.returncode, only_line(done.stderr)) == (
        74,
        "trace-diff: page.html: cannot be written: No space left on device",
    )
    assert (folder / "page.html").read_text() == "the page of yesterday"
    assert len(list(folder.iterdir())) == 3


def test_a_full_device_on_standard_output(trace_diff: Command) -> None:
    with Path("/dev/full").open("w") as full:
        done = trace_diff("compare", "c.log", "py.log", stdout=full)
    assert (done.returncode, only_line(done.stderr)) == (
        74,
        "trace-diff: standard output: cannot be written: No space left on device",
    )


@pytest.mark.parametrize("words", ["explain F_latt", "man", "completion bash", "cases list", "probe --help"])
def test_a_full_device_under_other_commands(words: str, trace_diff: Command) -> None:
    with Path("/dev/full").open("w") as full:
        done = trace_diff(*words.split(), stdout=full)
    assert done.returncode == 74
    assert only_line(done.stderr) == "trace-diff: standard output: cannot be written: No space left on device"


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_leave_the_verdict(closed: tuple[int, ...], folder: Path, trace_diff: Command) -> None:
    """As `>&-` leaves them: without a stream there is nothing to say, and no file takes its place."""
    done = trace_diff(
        "compare", "c.log", "py.log", "--format", "html:page.html", preexec_fn=lambda: [os.close(n) for n in closed]
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert (folder / "page.html").read_text().lower().startswith("<!doctype html>")
    assert trace_diff("nosuch", preexec_fn=lambda: [os.close(n) for n in closed]).returncode == 2


def test_no_folder_for_temporary_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(HarnessError) as error, scratch_folder("probe"):
        pass
    assert error.value.code == Exit.FILE_SYSTEM
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert ending(RuntimeError("planted"), ["compare"])[0] == Exit.INTERNAL
    assert "planted" in capsys.readouterr().err  # the traceback, since no log can be written


PATH_ERRORS = {
    NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"): (2, "trace-diff: a/b: Not a directory"),
    FileExistsError(errno.EEXIST, "File exists", "a"): (2, "trace-diff: a: File exists"),
    PermissionError(errno.EACCES, "Permission denied", "a"): (74, "trace-diff: a: Permission denied"),
    OSError(errno.ENOSPC, "No space left on device", "from", None, "to"): (
        74,
        "trace-diff: to: cannot be written: No space left on device",
    ),
}


@pytest.mark.parametrize("error", PATH_ERRORS, ids=lambda error: type(error).__name__)
def test_a_wrong_path_is_no_internal_error(error: OSError) -> None:
    code, line = PATH_ERRORS[error]
    assert ending(error, []) == (code, [line])


def test_a_calibration_that_is_interrupted_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "calibrate", interrupted)
    monkeypatch.setattr(sys, "argv", ["trace-diff", "calibrate", "supervisor", "--fresh"])
    with pytest.raises(SystemExit) as ended:
        command_line.main(["calibrate", "supervisor", "--out", str(tmp_path / "c.json")])
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip() == (
        "trace-diff: interrupted; finished runs are kept in the user's cache; to continue: "
        "trace-diff calibrate supervisor"
    )


def test_a_calibration_finds_out_first_where_it_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.main(["calibrate", "supervisor", "--out", "/dev/null/folder/c.json"])
    assert ended.value.code == 2
    assert only_line(capsys.readouterr().err) == "trace-diff: /dev/null/folder: cannot be written: Not a directory"


def test_a_closed_pipe_is_no_divergence(trace_diff: Command) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for words in (["compare", "c.log", "py.log"], ["cases", "list"], ["--help"]):
        done = trace_diff(*words, stdout=writing)
        assert (done.returncode, done.stderr) == (141, ""), words
    os.close(writing)


def test_a_closed_pipe_under_much_output(folder: Path) -> None:
    command = f"{sys.executable} -m trace_parity compare c.log py.log --format html | head -c 1 >/dev/null; "
    command += 'echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("1", "141")  # 1 is the verdict: it was all written before the reader left
    assert done.stderr == ""


def test_a_fault_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(command_line.trace_diff, "main", lambda **_: {"": 0}["planted\x1b[31m"])
    with pytest.raises(SystemExit) as ended:
        command_line.main(["compare", "c.log"])
    assert ended.value.code == int(Exit.INTERNAL)
    assert int(Exit.INTERNAL) == 70
    line = only_line(capsys.readouterr().err)
    (log,) = (tmp_path / "trace-diff" / "errors").iterdir()
    assert line.startswith("trace-diff: internal error: KeyError: ")
    assert str(log) in line
    assert "\x1b" not in line
    text = log.read_text()
    assert "trace-diff compare c.log" in text
    assert "Traceback" in text


def test_no_home_and_no_cache(folder: Path, tmp_path: Path, trace_diff: Command) -> None:
    """Neither folder can be made (/dev/null is not a folder for root either): the temporary folder serves."""
    where = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache", "TMPDIR": str(tmp_path)}
    done = trace_diff("compare", "c.log", "py.log", env=os.environ | where)
    assert done.returncode == 1
    spare = tmp_path / f"trace-diff-cache-{os.getuid()}"
    assert f"/dev/null/cache/trace-diff cannot be used (Not a directory); {spare} is used as the cache" in done.stderr
    assert spare.stat().st_mode & 0o777 == 0o700
    done = trace_diff("compare", "c.log", "py.log", env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)})
    assert done.returncode == 1, done.stderr


def test_a_cache_that_somebody_else_could_swap_is_not_used(tmp_path: Path, folder: Path, trace_diff: Command) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "trace-diff").symlink_to(tmp_path / "elsewhere")
    where = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    done = trace_diff("compare", "c.log", "py.log", env=os.environ | where)
    assert done.returncode == 1
    assert "it is a link or a file" in done.stderr
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("damage", ["truncated", "changed", "a link"])
def test_a_damaged_library_is_built_again(damage: str, tmp_path: Path, folder: Path, trace_diff: Command) -> None:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler to build the scanner")
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert trace_diff("compare", "c.log", "py.log", env=environment).returncode == 1
    (library,) = (tmp_path / "cache" / "trace-diff").glob("scan-*/*.so")
    whole = library.read_bytes()
    if damage == "a link":
        library.rename(tmp_path / "moved.so")
        library.symlink_to(tmp_path / "moved.so")
    else:
        library.write_bytes(whole[:2000] if damage == "truncated" else whole[:-100] + bytes(100))
    done = trace_diff("compare", "c.log", "py.log", env=environment)
    assert (done.returncode, done.stderr) == (1, "")
    assert not library.is_symlink()
    assert len(library.read_bytes()) == len(whole)


@pytest.mark.parametrize("text", ["1", "1.5 ", "[", "1e", "TRACE_C: a 1 ", "=1 ", "-", "."])
def test_reading_is_linear_in_the_length_of_a_line(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the length may take twice the time and some; a quadratic reader takes 64 times as long for 8 times."""
    monkeypatch.setenv("TRACE_PARITY_NO_COMPILER", "1")
    seconds = []
    for length in (20_000, 160_000):
        (folder / "long.log").write_text("TRACE_C: beam_vec 1 0 " + text * (length // len(text)) + "\n")
        started = time.process_time()
        with contextlib.suppress(HarnessError):
            tp.compare(folder / "long.log", folder / "py.log")
        seconds.append(time.process_time() - started)
    assert seconds[1] < 30 * max(seconds[0], 0.05), seconds


def test_an_interrupt_says_what_is_kept() -> None:
    kept = KeyboardInterrupt()
    kept.add_note("3 of 9 cases are kept in reports/gate; to continue: trace-diff gate --resume")
    assert ending(kept, [])[1] == [
        "trace-diff: interrupted; 3 of 9 cases are kept in reports/gate; to continue: trace-diff gate --resume"
    ]
    assert ending(KeyboardInterrupt(), []) == (130, ["trace-diff: interrupted; no bundle was written"])
    assert ending(TerminatedError(), [])[0] == 143
