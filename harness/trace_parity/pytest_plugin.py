"""pytest plugin: `--parity` collects a matrix as tests; `assert_parity` compares two traces in any test suite.

Loaded by entry point into every pytest run, so it imports the harness only when it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest

if TYPE_CHECKING:
    from trace_parity.pair.case import Case
    from trace_parity.pair.pair import Pair
    from trace_parity.result.result import Result

AssertParity = Callable[..., "Result"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """--parity [MATRIX] and --parity-out DIR."""
    group = parser.getgroup("trace parity")
    group.addoption(
        "--parity",
        nargs="?",
        const="",
        default=None,
        metavar="MATRIX",
        help="collect the cases of a matrix file (default: the shipped one) as tests",
    )
    group.addoption(
        "--parity-pair",
        metavar="DIR|NAME",
        help="the pair (default: the nearest pair.toml, else the installed)",
    )
    group.addoption(
        "--parity-out", default="reports/pytest", metavar="DIR", help="where the bundles go (default: reports/pytest)"
    )


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add one test per case of the matrix."""
    matrix = config.getoption("--parity")
    if matrix is None:
        return
    from trace_parity.errors import HarnessError

    try:
        collector = ParityMatrix.from_parent(
            session, name="parity", nodeid="parity", matrix=matrix, pair=config.getoption("--parity-pair")
        )
        items.extend(collector.collect())
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from error


class ParityMatrix(pytest.Collector):
    """The matrix as a collector."""

    def __init__(self, matrix: str, pair: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.matrix, self.pair = matrix, pair

    def collect(self) -> Iterator[ParityItem]:
        """One item per case."""
        from trace_parity.pair.find import find_pair

        pair = find_pair(self.pair)
        loaded = pair.matrix(Path(self.matrix) if self.matrix else None)
        for case in loaded.cases:
            yield ParityItem.from_parent(self, name=case.id, pair=pair, case=case)


class NotInParityError(Exception):
    """A case whose programs do not agree; the message is the report."""


class ParityItem(pytest.Item):
    """One case: both programs are run and compared."""

    def __init__(self, pair: Pair, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pair, self.case = pair, case

    def runtest(self) -> None:
        """Fails with the text report when the verdict is not parity."""
        from trace_parity.compare.options import Options
        from trace_parity.render import renderer
        from trace_parity.run.run_case import run_case

        out = Path(self.config.getoption("--parity-out"))
        ran = run_case(self.pair, self.case, Options(out=out, asked_as=("pytest", "--parity"), preflight=False))
        if ran.result.exit_code:
            raise NotInParityError(f"{renderer('text')(ran.result)}bundle: {ran.bundle}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The report, not the harness's stack."""
        from trace_parity.errors import HarnessError

        if isinstance(excinfo.value, NotInParityError | HarnessError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, int | None, str]:
        """The heading of a failure."""
        return "parity", None, f"parity of {self.case.id}"


@pytest.fixture
def assert_parity(request: pytest.FixtureRequest) -> AssertParity:
    """`assert_parity(c, py, rtol=None, case=None, pair=None)`: fails with the report unless two traces are in parity.

    `c` and `py` are logs: a Path, or a string. A string with a newline, or an empty one, is the text of a log; one
    without is a path, and it is an error if there is no such file. `assert_parity(result)` takes a Result of
    trace_parity.compare, run or load_bundle in place of two logs, `assert_parity(folder)` a bundle. `case` names a case
    whose contract must hold. `pair` is a folder or the name of a pair, by default that of --parity-pair. Returns the
    Result.
    """

    def check(
        c: str | os.PathLike[str] | Result,
        py: str | os.PathLike[str] | None = None,
        *,
        rtol: float | None = None,
        case: str | None = None,
        pair: str | None = None,
    ) -> Result:
        from trace_parity.api import load_bundle
        from trace_parity.compare.align import align
        from trace_parity.compare.options import Options
        from trace_parity.errors import HarnessError
        from trace_parity.pair.contract import Contract
        from trace_parity.pair.find import find_pair
        from trace_parity.result.compare import compare
        from trace_parity.result.result import CaseResult, Result

        try:
            if py is None and _is_folder(c):
                c = load_bundle(c)
            if isinstance(c, Result):
                if not (py is None and rtol is None and case is None and pair is None):
                    what = "assert_parity: a Result takes no further arguments: it is judged already"
                    pytest.fail(what, pytrace=False)
                return _passed(c)
            if py is None or isinstance(py, Result):
                what = "assert_parity: expected two logs (paths or texts), one Result, or one bundle"
                pytest.fail(what, pytrace=False)
            of_pair = find_pair(pair or request.config.getoption("--parity-pair"))
            vocabulary = of_pair.vocabulary
            tables = [_table(log, side, vocabulary) for log, side in ((c, "C"), (py, "PY"))]
            loaded = of_pair.case(case) if case else None
            contract = loaded.contract if loaded else Contract()
            label = CaseResult(loaded.id if loaded else "assert_parity", "two traces")
            result = compare(
                align(tables[0], tables[1], vocabulary), label, contract, pair=of_pair, options=Options(rtol=rtol)
            )
        except HarnessError as error:
            pytest.fail(str(error), pytrace=False)
        return _passed(result)

    return check


def _passed(result: Result) -> Result:
    from trace_parity.render import renderer

    if result.exit_code:
        pytest.fail(renderer("text")(result), pytrace=False)
    return result


@pytest.fixture
def assert_replay() -> Callable[..., Any]:
    """`assert_replay(function, c_log, pair=None, rtol=1e-6)`: fails unless a function of the port gives C's outputs.

    `function` names a [replay.FUNCTION] of the probes.toml in the folder `pair`, by default the nearest one. Returns
    what was compared.
    """

    def check(function: str, c_log: Path, *, pair: Path | None = None, rtol: float = 1e-6) -> Any:
        from trace_parity.errors import HarnessError
        from trace_parity.probe.probes_file import find_probes
        from trace_parity.probe.replay import describe, find_function, read_replay, replay

        try:
            file = find_probes(pair, None)
            wanted = read_replay(file, function)
            result = replay(c_log, wanted, find_function(wanted.call, file.path.parent), file.loops, rtol)
        except HarnessError as error:
            pytest.fail(str(error), pytrace=False)
        if result.differences or not result.compared:
            pytest.fail("\n".join(describe(result, wanted)), pytrace=False)
        return result

    return check


def _is_folder(log: object) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(log, str | os.PathLike) and "\n" not in os.fspath(log) and Path(log).is_dir()


def _table(log: str | os.PathLike[str], side: str, vocabulary: Any) -> Any:
    from trace_parity.errors import Exit, HarnessError
    from trace_parity.trace import read_trace, read_trace_lines

    expected = "a path, or the text of a log with its newlines"
    if not isinstance(log, str | os.PathLike):
        raise HarnessError(Exit.USAGE, f"found {type(log).__name__}", where=f"assert_parity: {side}", expected=expected)
    if not isinstance(log, str) or (log and "\n" not in log):  # a path: no trace line goes without its newline
        where = os.fspath(log)[:200]
        if _is_folder(log):
            hint = "a bundle is passed alone: assert_parity(bundle)"
            raise HarnessError(Exit.USAGE, "is a folder", where=where, expected="a log", hint=hint)
        if not Path(log).is_file():
            hint = "a text ends with a newline" if where.startswith("TRACE_") else ""
            raise HarnessError(Exit.UNREADABLE, "no such file", where=where, expected=expected, hint=hint)
        return read_trace(Path(log), side, vocabulary)
    if Path(name := log.strip()).name and "\n" not in name and len(name) < 256 and Path(name).is_file():
        hint = "without its newline it is a path"
        raise HarnessError(Exit.UNREADABLE, "a text without a trace line", where=name, expected=expected, hint=hint)
    table = read_trace_lines(log.splitlines(keepends=True), side, f"<{side}>", vocabulary)
    if table.unreadable:
        raise HarnessError(Exit.UNREADABLE, str(table.unreadable[0]), where=f"<{side}>")
    return table
