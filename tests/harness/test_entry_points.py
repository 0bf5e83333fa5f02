"""Entry points read off the folders of distributions are those that importlib.metadata finds."""

from __future__ import annotations

import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from trace_parity.pair.entry_points import entry_points

TEXT = "[console_scripts]\nother = a:b\n\n[trace_parity.pairs]\n# a remark\nspring = springs.location:FOLDER\n"


def found(group: str) -> set[tuple[str, str, str]]:
    return {(e.name, e.module, e.attr) for e in entry_points(group)}


@pytest.mark.parametrize("group", ["trace_parity.pairs", "console_scripts", "pytest11", "no.such.group"])
def test_they_are_those_of_the_standard_library(group: str) -> None:
    wanted = {(e.name, e.module, e.attr or "") for e in metadata.entry_points(group=group)}
    assert found(group) == wanted
    assert wanted or group == "no.such.group"


@pytest.mark.parametrize("folder", ["two_springs-1.0.dist-info", "Two.Springs.egg-info"])
def test_the_first_of_a_distribution_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    for place, text in (("first", TEXT), ("second", TEXT.replace("spring =", "late ="))):
        (tmp_path / place / folder).mkdir(parents=True)
        (tmp_path / place / folder / "entry_points.txt").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), *sys.path])
    mine = [e for e in entry_points("trace_parity.pairs") if e.distribution == "two-springs"]
    assert [(e.name, e.module, e.attr) for e in mine] == [("spring", "springs.location", "FOLDER")]


def test_those_of_an_archive_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "springs.zip", "w") as archive:
        archive.writestr("springs-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: springs\nVersion: 1.0\n")
        archive.writestr("springs-1.0.dist-info/entry_points.txt", TEXT)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "springs.zip"), *sys.path])
    assert ("spring", "springs.location", "FOLDER") in found("trace_parity.pairs")
