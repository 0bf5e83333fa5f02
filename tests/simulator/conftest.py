"""What makes these tests quick: one thread, and reflection lists that are parsed once.

Their problems are small, and a second thread that has to share its core costs more than it gives.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from nanobragg_torch.io import hkl
from nanobragg_torch.rendering.blocks import one_thread
from nanobragg_torch.settings import Reflections

from tests.strict import strictly


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(autouse=True)
def _strict_dtypes(request: pytest.FixtureRequest) -> Iterator[None]:
    """No tensor of another dtype or device than the experiment's: see tests/strict.py."""
    if request.node.get_closest_marker("loose_dtypes"):
        yield
        return
    with strictly():
        yield


@pytest.fixture(autouse=True, scope="session")
def _parse_once() -> Iterator[None]:
    original = hkl.read_with_warnings

    @functools.cache
    def parsed(path: Path, flag: str, changed: int) -> tuple[Reflections, list[str]]:
        return original(path, flag)

    def read(path: Path, flag: str = "-hkl") -> tuple[Reflections, list[str]]:
        return parsed(path, flag, path.stat().st_mtime_ns) if path.is_file() else original(path, flag)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hkl, "read_with_warnings", read)
        yield
