from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from trace_parity.pair.find import shipped
from trace_parity.run.launch import build_program

from tests.golden_inputs import write_inputs
from tests.in_process import ports_are_forked

pytest_plugins = ["pytester", "tests.harness.browser"]
# A shell that starts the tests in the background ignores SIGINT for them, and every program started here would too.
signal.signal(signal.SIGINT, signal.default_int_handler)


SLOW = tuple(
    line
    for line in Path(__file__).with_name("slow.txt").read_text(encoding="utf-8").split("\n")
    if line and not line.startswith("#")
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import the modules that have no test of the tier that -m chooses."""
    tier = config.getoption("markexpr")
    if tier not in ("slow", "not slow") or not collection_path.name.startswith("test_") or collection_path.is_dir():
        return None
    name = collection_path.relative_to(config.rootpath).as_posix()
    has_slow = any(entry.startswith(name) for entry in SLOW)
    return True if (tier == "slow" and not has_slow) or (tier == "not slow" and name in SLOW) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what tests/slow.txt lists; `make test` leaves it out."""
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def _ports_are_forked() -> Iterator[None]:
    with ports_are_forked():
        yield


@pytest.fixture(autouse=True)
def _environment_is_left_as_it_was() -> Iterator[None]:
    """Dask sets variables and clears others; a port is forked only in the environment that its server started in."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def c_build() -> Path:
    """The folder of the built reference programs."""
    return build_program(shipped().programs.sides["C"])


@pytest.fixture(scope="session")
def golden_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the text inputs of the golden command lines, made from their formulas."""
    folder = tmp_path_factory.mktemp("golden_inputs")
    write_inputs(folder)
    return folder
