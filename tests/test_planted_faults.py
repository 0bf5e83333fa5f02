"""The faults of benchmarks/planted_faults.toml can be planted in the sources as they are now."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from trace_parity.pair.find import shipped

from benchmarks.planted_faults import DATA, SIDES, Fault, all_faults, copy_sources, together


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {side: copy_sources(side, tmp_path_factory.mktemp(side)) for side in SIDES}


@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: f"{fault.side} {fault.name}")
def test_every_edit_finds_its_place(fault: Fault, sources: dict[str, Path], tmp_path: Path) -> None:
    for name in {edit.file for edit in fault.edits}:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(sources[fault.side] / name, tmp_path / name)
    for edit in fault.edits:
        before = (tmp_path / edit.file).read_text(encoding="utf-8")
        edit.plant(tmp_path)
        after = (tmp_path / edit.file).read_text(encoding="utf-8")
        assert after != before
        if fault.side == "PY":
            compile(after, edit.file, "exec")
    assert set(fault.expected) <= {v.name for v in shipped().vocabulary.variables}


def test_each_fault_is_there_once_and_the_groups_are_whole() -> None:
    assert max(Counter((f.side, f.name) for f in all_faults()).values()) == 1
    assert [len(together(side).edits) for side in SIDES] == [len(DATA["together"][side]) for side in SIDES]
