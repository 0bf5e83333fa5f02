"""Sums over atoms: the FFT of the density against the direct sum, strict NCS copies, and what is too much."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest
from nanobragg_torch import ExperimentError
from nanobragg_torch.io import coordinates
from nanobragg_torch.io.convert import main
from nanobragg_torch.io.macromolecule import atoms_of_structure
from nanobragg_torch.io.symmetry import of_group
from nanobragg_torch.io.xtal import read_reflections

from tests.simulator.crystals import CELLS, GROUPS, structure
from tests.simulator.test_atoms import FE, ISO, NAME, P21C, O, cif, operations
from tests.simulator.test_reflection_files import at

CENTRED = [*P21C, *(f"{x}+1/2,{y},{z}+1/2" for x, y, z in (text.split(",") for text in P21C))]


def relative_rms(found: np.ndarray, exact: np.ndarray) -> float:
    listed = np.isfinite(exact)
    assert np.array_equal(np.isfinite(found), listed)
    return float(np.sqrt(((found - exact)[listed] ** 2).sum() / (exact[listed] ** 2).sum()))


@pytest.mark.parametrize("d_min_A", [1.0, 2.5])
@pytest.mark.parametrize("name", [*GROUPS, "setting"])
def test_fft_and_direct_sum(
    name: str, d_min_A: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In groups of the tables, and in a setting outside them, where every atom is put down."""
    path = tmp_path / ("a.cif" if name == "setting" else "a.pdb")
    if name == "setting":
        path.write_text(cif(ISO, [FE, O], operations(*CENTRED)))
    else:
        structure(name).write_pdb(str(path))
    exact = np.asarray(read_reflections(path, d_min_A=d_min_A)[0].F)
    monkeypatch.setattr(coordinates, "MOST_TERMS", 0)
    found = np.asarray(read_reflections(path, d_min_A=d_min_A)[0].F)
    rms = relative_rms(found, exact)
    assert 0 < rms < coordinates.LARGEST_RMS
    assert main([str(path), str(tmp_path / "a.hkl"), "--d-min-A", str(d_min_A)]) == 0
    assert "FFT of the density, which differs from the direct sum of" in capsys.readouterr().out
    monkeypatch.setattr(coordinates, "LARGEST_RMS", 0.01 * rms)
    with pytest.raises(ExperimentError, match=r"FFT .* differs from the direct sum by .* expected at most"):
        read_reflections(path, d_min_A=d_min_A)


def test_phases_of_the_fft(tmp_path: Path) -> None:
    """Amplitudes hide a shift or a mirrored half of reciprocal space; the complex values do not."""
    made = structure("P 21 21 21")

    crystal = coordinates.Crystal(
        atoms_of_structure(made, gemmi, "here", "-hkl"), made.cell, of_group(made.find_spacegroup())
    )
    indices = np.array([[1, 2, 3], [1, 2, -3], [-1, -2, -3], [4, -3, 2], [-2, 0, 5]])
    exact = coordinates.direct_sum(crystal, indices, "-hkl")
    assert np.abs(coordinates.fft_sum(crystal, indices, 1.5, "-hkl") - exact).max() < 1e-3 * np.abs(exact).max()


def test_strict_ncs_copies_are_summed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = structure("P 1 21 1")
    turn = gemmi.Transform()
    turn.mat.fromlist([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turn.vec.fromlist([5.0, 3.0, 1.0])
    made.ncs.append(gemmi.NcsOp(turn, "2", False))
    made.write_pdb(str(tmp_path / "strict.pdb"))
    assert "MTRIX1   2" in (tmp_path / "strict.pdb").read_text()
    made.expand_ncs(gemmi.HowToNameCopiedChain.Short)
    made.ncs.clear()
    made.write_pdb(str(tmp_path / "whole.pdb"))
    whole, strict = (np.asarray(read_reflections(tmp_path / f"{n}.pdb", d_min_A=2.0)[0].F) for n in ("whole", "strict"))
    assert relative_rms(strict, whole) < 2e-4  # the three decimals of coordinates in a PDB file
    assert main([str(tmp_path / "strict.pdb"), str(tmp_path / "a.hkl"), "--d-min-A", "2"]) == 0
    said = capsys.readouterr()
    assert "1 strict NCS copies of 5 atoms are summed too" in said.err
    terms = 10 * 2 * len(gemmi.make_miller_array(gemmi.UnitCell(*CELLS["P 1 21 1"]), gemmi.SpaceGroup("P 1 21 1"), 2.0))
    assert f"direct sum of {terms:.1e} terms" in said.out


def test_a_file_with_another_origin_of_its_cartesian_axes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SCALE records give the fractions; the density must not take the file's Cartesian axes for its own."""
    text = structure("P 21 21 21").make_pdb_string()
    scale = [(1 / 11, 0, 0, 0.2), (0, 0, 1 / 12, 0.1), (0, -1 / 13, 0, 0.3)]
    lines = [f"SCALE{n + 1}    {a:10.6f}{b:10.6f}{c:10.6f}     {t:10.5f}" for n, (a, b, c, t) in enumerate(scale)]
    kept = [line for line in text.splitlines() if not line.startswith("SCALE")]
    at_cell = next(n for n, line in enumerate(kept) if line.startswith("CRYST1"))
    (tmp_path / "a.pdb").write_text("\n".join([*kept[: at_cell + 1], *lines, *kept[at_cell + 1 :]]) + "\n")
    structure("P 21 21 21").write_pdb(str(tmp_path / "plain.pdb"))
    exact, plain = (np.asarray(read_reflections(tmp_path / n, d_min_A=2.0)[0].F) for n in ("a.pdb", "plain.pdb"))
    assert relative_rms(plain, exact) > 0.1
    monkeypatch.setattr(coordinates, "MOST_TERMS", 0)
    found = np.asarray(read_reflections(tmp_path / "a.pdb", d_min_A=2.0)[0].F)
    assert relative_rms(found, exact) < coordinates.LARGEST_RMS


def test_what_is_too_much(tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(cif(ISO, [FE, O], NAME))
    with pytest.raises(ExperimentError, match=r"a grid of .* points to 0.005 A, the limit is 2e\+08"):
        read_reflections(tmp_path / "a.cif", d_min_A=0.005)
    with pytest.raises(ExperimentError, match="no reflection is as coarse as 50 A"):
        read_reflections(tmp_path / "a.cif", d_min_A=50.0)
    assert at(read_reflections(tmp_path / "a.cif", d_min_A=3.0)[0], 1, 0, 0) > 0
