"""What the compiled part settles by itself changes nothing: the same is found when every row is looked at."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from trace_parity.compare.comparison import Comparison
from trace_parity.pair.find import shipped
from trace_parity.trace import native

from tests.harness.log_pairs import compare_files
from tests.harness.random_logs import lacking_the_same, logs, mutate, text_of
from tests.harness.test_windows import comparable

RTOLS = [None, 1e-9, 0.0, 1e-15]


def found(paths: tuple[Path, Path], rng: random.Random) -> Any:
    options: dict[str, Any] = {"rtol": rng.choice(RTOLS), "lenient": True, "piece": rng.choice([300, 2000, 1 << 20])}
    return comparable(compare_files(*paths, shipped().vocabulary, pair=shipped(), **options))


def write(folder: Path, seed: int) -> tuple[Path, Path]:
    """Two logs whose numbers differ in their last digits, or not at all, some with faults."""
    rng = random.Random(seed)
    c, py = pair = logs(rng, rng.randint(1, 12))
    if rng.random() < 0.3:
        py = [[line.replace("TRACE_C", "TRACE_PY") for line in lines] for lines in c]
    elif rng.random() < 0.2:
        c, py = lacking_the_same(pair, rng)
    for _ in range(rng.choice([0, 0, 0, 1, 2, 4])):
        py = mutate(py, rng, "TRACE_PY")
    if rng.random() < 0.2:
        c = mutate(c, rng, "TRACE_C")
    paths = folder / "c.log", folder / "py.log"
    for path, blocks in zip(paths, (c, py), strict=True):
        path.write_bytes(text_of(blocks, rng))
    return paths


@pytest.fixture(autouse=True)
def no_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trace_parity.result.compare._blame", lambda *_: None)


@pytest.mark.parametrize("seed", range(120))
def test_the_same_is_found_with_and_without(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write(tmp_path, seed)
    fast = found(paths, random.Random(seed))
    monkeypatch.setattr(Comparison, "settles", False)
    slow = found(paths, random.Random(seed))
    for name, value in fast.items():
        assert value == slow[name], name


def test_most_rows_are_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        native.library()
    except native.NoCompilerError as why:
        pytest.skip(str(why))
    looked: list[int] = []
    joined = "trace_parity.compare.comparison.join"
    from trace_parity.compare.join import join

    monkeypatch.setattr(joined, lambda c, py, n: (looked.append(len(c)), join(c, py, n))[1])
    c, py = logs(random.Random(1), 300)
    for name, blocks in (("c.log", c), ("py.log", py)):
        (tmp_path / name).write_text("".join(f"{line}\n" for lines in blocks for line in lines))
    result = compare_files(
        tmp_path / "c.log", tmp_path / "py.log", shipped().vocabulary, piece=20_000, whole_numbers=-1
    )
    assert result.exit_code in (0, 1)
    assert sum(looked) < 0.5 * sum(map(len, c))
