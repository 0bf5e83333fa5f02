"""Readers and writers: what they accept, what they refuse, files that appear whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nanobragg_torch.errors import ExperimentError
from nanobragg_torch.io import atomic, dump, hkl, mat, pgm, smv, source_list, text

from tests.simulator.small import reflections


def test_reflections_end_at_the_first_other_line_and_the_last_duplicate_wins(tmp_path: Path) -> None:
    path = tmp_path / "a.hkl"
    path.write_text("0 0 1 10\n 1 -2 0 20.5\n0 0 1 11\nEND\n5 5 5 5\n")
    read = hkl.read_hkl(path)
    assert read.lowest == (0, -2, 0)
    assert read.F.shape == (2, 3, 2)
    assert read.F[0, 2, 1] == 11
    assert read.F[1, 0, 0] == 20.5
    assert int(np.isnan(np.asarray(read.F)).sum()) == 10


@pytest.mark.parametrize("content", ["", "h k l F\n", "1 2 3\n", "1 2 3 nan\n", "0 0 0 1\n900000 900000 900000 1\n"])
def test_bad_reflections(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.hkl").write_text(content)
    with pytest.raises(ExperimentError, match=r"a\.hkl"):
        hkl.read_hkl(tmp_path / "a.hkl")


def test_dump_holds_the_grid(tmp_path: Path) -> None:
    listed = reflections(2)
    dump.write_dump(tmp_path / "F.bin", listed, 7.0)
    read = dump.read_dump(tmp_path / "F.bin")
    assert read.lowest == listed.lowest
    assert np.array_equal(read.F, np.nan_to_num(np.asarray(listed.F), nan=7.0))


def test_matrix_rows(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text("1 2 3\n4 5 6\n7 8 9\nmore words")
    assert mat.read_mat(tmp_path / "a.mat") == (1, 2, 3, 4, 5, 6, 7, 8, 9)


def test_sources_may_miss_columns(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("# a comment\n-10 0 0\n\n-10 1 0 2.0 1e-10 extra\n")
    assert source_list.read_source_list(tmp_path / "s") == ((-10, 0, 0), (-10, 1, 0, 2, 1e-10))
    for bad in ("0 0 0\n", "-10 0 0 1 -1\n"):
        (tmp_path / "s").write_text(bad)
        with pytest.raises(ExperimentError, match="line 1"):
            source_list.read_source_list(tmp_path / "s")


def test_smv_keywords(tmp_path: Path) -> None:
    head = "{\nHEADER_BYTES=512;\nBYTE_ORDER=big_endian;\nSIZE1=3;\nSIZE2=2;\nDISTANCE=100;\nCLOSE_DISTANCE= 90 ;\n}\f"
    pixels = (np.arange(6).reshape(2, 3) * 1000).astype(">u2")
    (tmp_path / "a.img").write_bytes(head.encode().ljust(512) + pixels.tobytes())
    image = smv.read_smv(tmp_path / "a.img", "-img")
    assert image.number("DISTANCE") == 90  # the last match, be it inside a longer keyword
    assert image.number("PHI") is None
    assert image.pixels.tolist() == [[0, 1000, 2000], [3000, 4000, 5000]]


def test_pgm_is_clipped_and_truncated() -> None:
    data = pgm.pgm_bytes(np.array([[0.0, 1.99, 300.0]], dtype=np.float32), 1.0)
    assert data == b"P5\n3 1\n# pixels scaled by 1\n255\n" + bytes([0, 1, 255])


def test_numbers_as_c_reads_them() -> None:
    words = ["5", "-2.5e1x", "random", "", ".5", "-", "1e", "+3deg", "0x10"]
    assert [text.leading_number(word) for word in words] == [5, -25, 0, 0, 0.5, 0, 1, 3, 0]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "image.bin"
    path.write_bytes(b"old")

    def interrupted(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_bytes(path, b"new", "-floatfile")
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["image.bin"]
    assert path.read_bytes() == b"old"
    atomic.write_bytes(path, b"new", "-floatfile")
    assert path.read_bytes() == b"new"
    with pytest.raises(ExperimentError, match="-floatfile"):
        atomic.write_bytes(tmp_path / "no" / "x", b"", "-floatfile")
