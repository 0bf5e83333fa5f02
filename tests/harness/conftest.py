from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from trace_parity.compare.align import align
from trace_parity.compare.options import Options
from trace_parity.pair.contract import Contract
from trace_parity.pair.find import shipped
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.result.compare import compare
from trace_parity.result.result import CaseResult, Result
from trace_parity.trace import read_trace_lines

from tests import in_process
from tests.golden import COMMITTED


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return shipped().vocabulary


@pytest.fixture(scope="session")
def supervisor_log() -> str:
    """The golden trace of the supervisor pixel, C side."""
    return (COMMITTED / "supervisor_trace_685_1039.log").read_text()


@pytest.fixture(scope="session")
def leaky_log() -> str:
    """The same of the unrepaired program."""
    return (COMMITTED / "supervisor_trace_685_1039__phi_carryover.log").read_text()


def as_py(log: str) -> str:
    return log.replace("TRACE_C", "TRACE_PY")


@pytest.fixture
def compare_texts(vocabulary: Vocabulary) -> Callable[..., Result]:
    """Compare two log texts, C's and PY's."""

    def run(c: str, py: str, contract: Contract | None = None, rtol: float | None = None) -> Result:
        tables = [
            read_trace_lines(text.splitlines(keepends=True), side, side, vocabulary)
            for text, side in ((c, "C"), (py, "PY"))
        ]
        alignment = align(tables[0], tables[1], vocabulary)
        return compare(
            alignment, CaseResult("t", "t"), contract or Contract(), pair=shipped(), options=Options(rtol=rtol)
        )

    return run


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def trace_diff(tmp_path: Path) -> Cli:
    """Run the command in a folder of its own; with options of subprocess.run, in a process of its own."""

    def run(*words: object, cwd: Path | None = None, **kwargs: object) -> subprocess.CompletedProcess[str]:
        given = [str(word) for word in words]
        if not kwargs:
            return in_process.call(given, cwd or tmp_path)
        command = [sys.executable, "-m", "trace_parity", *given]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd or tmp_path, check=False, **kwargs)  # type: ignore[call-overload]

    return run
