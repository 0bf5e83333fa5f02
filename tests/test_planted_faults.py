"""The faults of benchmarks/planted_faults.toml can be planted in the sources as they are now."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from trace_parity.pair.find import shipped

from benchmarks.anchors import replaced
from benchmarks.fault_pairs import trials
from benchmarks.planted_faults import DATA, SIDES, Fault, all_faults, copy_sources, together


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {side: copy_sources(side, tmp_path_factory.mktemp(side)) for side in SIDES}


@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: f"{fault.side} {fault.name}")
def test_every_edit_finds_its_place(fault: Fault, sources: dict[str, Path], tmp_path: Path) -> None:
    for name in {edit.path for edit in fault.edits}:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(sources[fault.side] / name, tmp_path / name)
    for edit in fault.edits:
        before = (tmp_path / edit.path).read_text(encoding="utf-8")
        edit.plant(tmp_path)
        after = (tmp_path / edit.path).read_text(encoding="utf-8")
        assert after != before
        if fault.side == "PY":
            compile(after, edit.path, "exec")
    assert set(fault.expected) <= {v.name for v in shipped().vocabulary.variables}


def test_each_fault_is_there_once_and_the_groups_are_whole() -> None:
    assert max(Counter((f.side, f.name) for f in all_faults()).values()) == 1
    assert [len(together(side).edits) for side in SIDES] == [len(DATA["together"][side]) for side in SIDES]


def test_there_are_forty_faults_in_pairs_and_each_finds_its_place(sources: dict[str, Path], tmp_path: Path) -> None:
    found = trials()
    assert len(found) == 40
    assert min(Counter(trial.kind for trial in found).values()) >= 5
    known = {v.name for v in shipped().vocabulary.variables}
    for trial in found:
        assert {name for _, names in trial.expected for name in names} <= known
        for side, edits in trial.edits.items():
            assert all(":" in edit.file for edit in edits), trial.name
            folder = tmp_path / trial.name.replace("/", " ") / trial.kind / side
            for path in {edit.path for edit in edits}:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(sources[side] / path, folder / path)
            for edit in edits:
                edit.plant(folder)


def test_an_edit_is_anchored_by_its_function() -> None:
    code = "def one(x):\n    return (x  +\n        1)\n\n\ndef two(x):\n    return x + 1\n"
    assert replaced(code, "two", "x + 1", "x - 1", ".py").endswith("return x - 1\n")
    assert "return (x - 1)\n\n\ndef two" in replaced(code, "one", "x + 1", "x - 1", ".py")
    with pytest.raises(ValueError, match="0 times"):
        replaced(code, "two", "x * 1", "x", ".py")
    with pytest.raises(ValueError, match="0 functions are named 'three'"):
        replaced(code, "three", "x + 1", "x", ".py")
