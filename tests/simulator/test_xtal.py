"""Reflections from MTZ, CIF, PDB: against sums over all atoms, and against the text list made of them."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from nanobragg_torch import ExperimentError, from_argv, progress, render
from nanobragg_torch.cli import main as run
from nanobragg_torch.cli.parse import parse
from nanobragg_torch.io.convert import main
from nanobragg_torch.io.hkl import read_hkl, write_hkl
from nanobragg_torch.io.xtal import read_reflections
from nanobragg_torch.settings import Reflections
from nanobragg_torch.stages.detector import pixel_position
from nanobragg_torch.stages.resolution import finest_A

from tests.simulator import small
from tests.simulator.crystals import (
    CELLS,
    FORM_FACTORS,
    GROUPS,
    asymmetric_unit,
    d_A,
    structure,
    structure_factors,
    write_mtz,
)

D_MIN_A = 1.6


def listed(reflections: Reflections) -> tuple[np.ndarray, np.ndarray]:
    """Indices (n, 3) and F (n,) of all that is listed."""
    F = np.asarray(reflections.F)
    at = np.argwhere(~np.isnan(F))
    return at + np.array(reflections.lowest), F[tuple(at.T)]


def is_sum_over_atoms(reflections: Reflections, group: str, rel: float = 1e-6) -> bool:
    """Is each index, absent ones too, the sum over all atoms of the cell, and is none to D_MIN_A missing but 000?"""
    hkl, F = listed(reflections)
    wanted = structure_factors(hkl, group)
    absent = F == 0.0
    # The corners of the grid beyond the list hold what the symmetry makes absent, and nothing else.
    if not np.allclose(F, wanted, rtol=rel, atol=rel * wanted.max()) or (wanted[absent] > 1e-9 * wanted.max()).any():
        return False
    grid = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3, indexing="ij"), -1).reshape(-1, 3)
    within = {tuple(h) for h in grid[d_A(grid, CELLS[group]) > D_MIN_A * 1.000001].tolist()} - {(0, 0, 0)}
    return within <= {tuple(h) for h in hkl.tolist()} and (0, 0, 0) not in {tuple(h) for h in hkl.tolist()}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("name", ["a.pdb", "a.cif", "a.ent.gz"])
def test_coordinates(group: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    made = structure(group)
    if name.endswith(".cif"):
        made.make_mmcif_document().write_file(str(path))
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(made.make_pdb_string().encode()))
    else:
        made.write_pdb(str(path))
    reflections, cell = read_reflections(path, d_min_A=D_MIN_A)
    assert cell == pytest.approx(CELLS[group])
    assert is_sum_over_atoms(reflections, group)


@pytest.mark.parametrize("group", GROUPS)
def test_an_mtz_of_an_asymmetric_unit_is_expanded(group: str, tmp_path: Path) -> None:
    hkl = asymmetric_unit(group, D_MIN_A)
    write_mtz(tmp_path / "a.mtz", group, hkl, {("FP", "F"): structure_factors(hkl, group)})
    reflections, cell = read_reflections(tmp_path / "a.mtz")
    assert cell == pytest.approx(CELLS[group])
    assert is_sum_over_atoms(reflections, group)  # MTZ holds float32
    there, F = listed(reflections)
    values = dict(zip(map(tuple, there.tolist()), F.tolist(), strict=True))
    assert all(values[-h, -k, -l] == F for (h, k, l), F in values.items())


@pytest.mark.parametrize(
    ("index", "mates"),
    [((1, 2, 3), 8), ((0, 2, 3), 4), ((2, 0, 0), 2), ((4, 0, 0), 2)],
    ids=["hkl", "0kl", "h00", "400"],
)
def test_multiplicities(index: tuple[int, int, int], mates: int, tmp_path: Path) -> None:
    write_mtz(tmp_path / "a.mtz", "P 21 21 21", np.array([index]), {("F", "F"): np.array([7.0])})
    _, F = listed(read_reflections(tmp_path / "a.mtz")[0])
    assert (F == 7.0).sum() == mates
    assert set(F.tolist()) <= {0.0, 7.0}


def test_absent_reflections_are_zero_and_unlisted_ones_are_not(tmp_path: Path) -> None:
    hkl = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4], [1, 1, 1]])
    write_mtz(tmp_path / "a.mtz", "P 21 21 21", hkl, {("F", "F"): np.full(4, 5.0)})
    reflections, _ = read_reflections(tmp_path / "a.mtz")
    F = np.asarray(reflections.F)
    assert reflections.lowest == (-4, -4, -4)
    assert [F[n + 4, 4, 4] for n in (1, 3)] == [0.0, 0.0]
    assert np.isnan([F[6, 4, 4], F[4, 4, 4], F[6, 5, 4]]).all()


@pytest.mark.parametrize("mate", [(-1, -2, -3), (1, -2, 3)], ids=["Friedel", "both"])
def test_an_index_that_is_listed_keeps_its_own_value(mate: tuple[int, int, int], tmp_path: Path) -> None:
    write_mtz(tmp_path / "a.mtz", "P 1 21 1", np.array([(1, 2, 3), mate]), {("F", "F"): np.array([10.0, 20.0])})
    hkl, F = listed(read_reflections(tmp_path / "a.mtz")[0])
    values = dict(zip(map(tuple, hkl.tolist()), F.tolist(), strict=True))
    assert (values[1, 2, 3], values[mate]) == (10, 20)
    if mate == (-1, -2, -3):  # rotation goes before Friedel's law
        assert (values[-1, 2, -3], values[1, -2, 3]) == (10, 20)


class TestColumns:
    """Which column is taken."""

    HKL = np.array([[1, 1, 1], [1, 2, 3]])

    def read(self, folder: Path, column: str | None = None, **columns: str) -> np.ndarray:
        """F of (1, 1, 1) and (-1, -1, -1) from an MTZ of columns label=type with values 10, 20, …"""
        values = {
            (label.replace("_plus", "(+)").replace("_minus", "(-)"), kind): np.full(2, 10.0 * (1 + i))
            for i, (label, kind) in enumerate(columns.items())
        }
        write_mtz(folder / "a.mtz", "P 1 21 1", self.HKL, values)
        reflections, _ = read_reflections(folder / "a.mtz", column=column)
        low = reflections.lowest
        F: np.ndarray = np.asarray(reflections.F)
        return np.array([F[1 - low[0], 1 - low[1], 1 - low[2]], F[-1 - low[0], -1 - low[1], -1 - low[2]]])

    def test_known_names_come_first(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, FC="F", SIGFP="Q", FP="F", FWT="F").tolist() == [30, 30]
        assert self.read(tmp_path, FWT="F", ODD="F", X="R").tolist() == [20, 20]

    def test_a_column_can_be_named(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, "FC", FC="F", FP="F").tolist() == [10, 10]
        assert self.read(tmp_path, "IMEAN", FP="F", IMEAN="J").tolist() == pytest.approx([20**0.5] * 2)
        assert self.read(tmp_path, "FWT", FP="F", FWT="F").tolist() == [20, 20]

    def test_friedel_mates_may_have_a_column(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, F_plus="G", F_minus="G").tolist() == [10, 20]
        assert self.read(tmp_path, "I(+)", I_plus="K", I_minus="K").tolist() == pytest.approx([10**0.5, 20**0.5])

    @pytest.mark.parametrize(
        ("column", "columns", "says"),
        [
            (None, {"IMEAN": "J", "SIGIMEAN": "Q"}, "name a column of intensities .*: IMEAN .mean 10.$"),
            (None, {"F1": "F", "F2": "F"}, "several columns of amplitudes, name one: F1 .mean 10., F2 .mean 20."),
            (None, {"DELFWT": "F", "PHI": "P"}, "neither amplitudes nor intensities, only H, K, L, DELFWT, PHI"),
            ("FX", {"FP": "F"}, "has no column FX, expected one of H, K, L, FP"),
            ("PHI", {"FP": "F", "PHI": "P"}, "PHI holds neither .* those that do: FP"),
        ],
    )
    def test_what_is_refused(self, column: str | None, columns: dict[str, str], says: str, tmp_path: Path) -> None:
        with pytest.raises(ExperimentError, match=says):
            self.read(tmp_path, column, **columns)

    def test_negative_intensities_are_zero_and_missing_values_unlisted(self, tmp_path: Path) -> None:
        write_mtz(tmp_path / "a.mtz", "P 1", np.array([[1, 1, 1], [1, 2, 3]]), {("I", "J"): np.array([-4.0, np.nan])})
        hkl, F = listed(read_reflections(tmp_path / "a.mtz", column="I")[0])
        assert hkl.tolist() == [[-1, -1, -1], [1, 1, 1]]
        assert F.tolist() == [0, 0]


CELL_ITEMS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


def cif(group: str, dot: str, columns: str, rows: list[str]) -> str:
    """Reflections as macromolecular (`dot` .) or small-molecule (`dot` _) CIF."""
    cell = "".join(f"_cell{dot}{name} {x}\n" for name, x in zip(CELL_ITEMS, CELLS[group], strict=True))
    loop = "".join(f"_refln{dot}{name}\n" for name in ("index_h index_k index_l " + columns).split())
    symmetry = f"_symmetry{dot}space_group_name_H-M '{group}'\n"
    return f"data_r1abcsf\n{cell}{symmetry}loop_\n{loop}" + "\n".join(rows) + "\n"


@pytest.mark.parametrize(("dot", "column"), [(".", "F_meas_au"), (".", "F_calc"), ("_", "F_calc"), ("_", "F_meas")])
@pytest.mark.parametrize("name", ["a.cif", "r1abcsf.ent", "r1abcsf.ent.gz"])
def test_structure_factor_cif(dot: str, column: str, name: str, tmp_path: Path) -> None:
    group = "P 21 21 21"
    hkl = asymmetric_unit(group, D_MIN_A)
    values = structure_factors(hkl, group)
    rows = [f"{h} {k} {l} {F!r} 1.0 o" for (h, k, l), F in zip(hkl.tolist(), values.tolist(), strict=True)]
    text = cif(group, dot, f"{column} {column}_sigma status", [*rows, "9 9 9 ? ? x"]).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    reflections, cell = read_reflections(tmp_path / name)
    assert cell == pytest.approx(CELLS[group])
    assert is_sum_over_atoms(reflections, group)


def test_squared_amplitudes_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.cif"
    path.write_text(cif("P 1", "_", "F_squared_calc F_squared_meas", ["1 2 3 16.0 25.0"]))
    with pytest.raises(ExperimentError, match=r"F_squared_calc \(mean 16\), F_squared_meas \(mean 25\)"):
        read_reflections(path)
    assert listed(read_reflections(path, column="F_squared_meas")[0])[1].tolist() == [5.0, 5.0]


ROCK_SALT = """data_x
_cell_length_a 5.6402
_cell_length_b 5.6402
_cell_length_c 5.6402
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
S1 S 0 0 0 0.01
O1 O 0.5 0.5 0.5 0.02
"""


def test_atoms_on_symmetry_elements_count_once(tmp_path: Path) -> None:
    (tmp_path / "salt.cif").write_text(ROCK_SALT)
    hkl, F = listed(read_reflections(tmp_path / "salt.cif", d_min_A=1.2)[0])
    even = (hkl % 2 == 0).all(1)
    odd = (hkl % 2 == 1).all(1)
    assert (F[~even & ~odd] == 0).all()
    stol2 = (hkl**2).sum(1) / 5.6402**2 / 4

    def f(element: str, u_A2: float) -> np.ndarray:
        k = FORM_FACTORS[element]
        bare = k[8] + sum(k[2 * i] * np.exp(-k[2 * i + 1] * stol2) for i in range(4))
        return np.asarray(bare * np.exp(-8 * np.pi**2 * u_A2 * stol2))

    assert F[even] == pytest.approx(4 * (f("S", 0.01) + f("O", 0.02))[even], rel=1e-5)
    assert F[odd] == pytest.approx(np.abs(4 * (f("S", 0.01) - f("O", 0.02)))[odd], rel=1e-5)
    assert {(1, 1, 1), (2, 0, 0), (-2, 2, 0)} <= {tuple(h) for h in hkl.tolist()}


def test_the_exported_list_gives_the_same_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    group = "P 21 21 21"
    structure(group).write_pdb(str(tmp_path / "a.pdb"))
    assert main([str(tmp_path / "a.pdb"), str(tmp_path / "a.hkl"), "--d-min-A", "1.6"]) == 0
    assert "-cell 11 12 13 90 90 90" in capsys.readouterr().out
    reflections, cell = read_reflections(tmp_path / "a.pdb", d_min_A=1.6)
    again = read_hkl(tmp_path / "a.hkl")
    assert again.lowest == reflections.lowest
    assert np.array_equal(np.asarray(again.F), np.asarray(reflections.F), equal_nan=True)
    for more in ({}, {"interpolate": True}):
        images = [
            render(small.experiment(cell=cell, reflections=r, pixel_mm=8.0, distance_mm=40.0, **more))
            for r in (reflections, again)
        ]
        assert torch.equal(*images)
        assert images[0].std() > 0


def test_a_written_list_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    write_hkl(tmp_path / "a.hkl", small.reflections(3))
    again = read_hkl(tmp_path / "a.hkl")
    assert np.array_equal(np.asarray(again.F), np.asarray(small.reflections(3).F), equal_nan=True)


class TestCommandLine:
    WORDS = "-N 4 -detpixels 40 -pixel 2 -distance 60 -lambda 1.5 -oversample 1 -nointerpolate".split()

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        group = "P 21 21 21"
        hkl = asymmetric_unit(group, D_MIN_A)
        F = structure_factors(hkl, group)
        write_mtz(tmp_path / "a.mtz", group, hkl, {("FP", "F"): F, ("I", "J"): F * F})
        structure(group).write_pdb(str(tmp_path / "a.pdb"))
        return tmp_path

    def test_the_file_gives_cell_and_reflections(self, folder: Path) -> None:
        invocation = parse([*self.WORDS, "-hkl", "a.mtz"], folder)
        assert invocation.experiment.crystal.cell == pytest.approx((11, 12, 13, 90, 90, 90))
        assert any("amplitudes FP of a.mtz" in text for text in invocation.warnings)
        other = from_argv([*self.WORDS, "-hkl", "a.mtz", "-hkl_column", "I"], folder)
        assert torch.allclose(render(invocation.experiment), render(other), rtol=1e-5)

    def test_cell_and_matrix_go_before_that_of_the_file(self, folder: Path) -> None:
        invocation = parse([*self.WORDS, "-hkl", "a.mtz", "-cell", "11", "12", "13.2"], folder)
        assert invocation.experiment.crystal.cell == (11, 12, 13.2, 90, 90, 90)
        assert any("-cell differs by more than 1 %" in text for text in invocation.warnings)
        (folder / "a.mat").write_text("0.1 0 0 0 0.1 0 0 0 0.1")
        assert from_argv([*self.WORDS, "-hkl", "a.mtz", "-mat", "a.mat"], folder).crystal.cell is None

    def test_coordinates_reach_as_far_as_the_detector(self, folder: Path) -> None:
        experiment = from_argv([*self.WORDS, "-hkl", "a.pdb"], folder)
        reflections = experiment.crystal.reflections
        assert reflections is not None
        finest = finest_A(experiment.beam, experiment.detector)
        hkl, _ = listed(reflections)
        assert d_A(hkl, CELLS["P 21 21 21"]).min() < finest
        beyond = experiment.replace(reflections=read_reflections(folder / "a.pdb", d_min_A=0.4 * finest)[0])
        # What the wider list adds no pixel sees. exp of NumPy 1.26 rounds a number by its place in the array.
        for interpolate in (False, True):
            images = [render(e.replace(interpolate=interpolate, default_F=1e5)) for e in (experiment, beyond)]
            assert torch.allclose(images[0], images[1], rtol=4 * np.finfo(np.float64).eps, atol=0)

    def test_a_long_sum_tells_its_progress(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pdb = str(folder / "a.pdb")
        asked = [*self.WORDS, "-hkl", pdb, "-show_config"]
        commands = [(run, asked), (main, [pdb, str(folder / "a.hkl"), "--d-min-A", "1.5"])]
        for command, words in commands:
            assert command(words) == 0
            assert "done" not in capsys.readouterr().err, "it takes no time"
        monkeypatch.setattr(progress, "QUIET_S", 0.0)
        for command, words in commands:
            assert command(words) == 0
            told = [text for text in capsys.readouterr().err.splitlines() if text.startswith("structure factors of")]
            assert told[-1] == "structure factors of a.pdb: 100% done"
            assert len(told) == len(set(told)) > 5
        assert run([*asked, "-noprogress"]) == 0
        assert "done" not in capsys.readouterr().err

    def test_dmin_is_the_resolution_of_coordinates(self, folder: Path) -> None:
        warnings = parse([*self.WORDS, "-hkl", "a.pdb", "-dmin", "2.5"], folder).warnings
        assert any("the atoms of a.pdb, summed to 2.5 A" in text for text in warnings)

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            ("-hkl none.mtz", "cannot read"),
            ("-hkl bad.mtz", "bad.mtz cannot be read"),
            ("-hkl bad.pdb", "bad.pdb has no unit cell"),
            ("-hkl bad.cif", "neither a loop of reflections"),
            ("-hkl broken.cif", "broken.cif cannot be read"),
            ("-hkl a.mtz -hkl_column FX", "has no column FX"),
            ("-hkl a.hkl -cell 10 -hkl_column FX", "which has no columns"),
            ("-cell 10 -default_F 1 -hkl_column FX", "expected that flag too"),
            ("-hkl odd.pdb", "space group 'P 7 7 7'"),
            ("-hkl unknown.pdb", "atoms without a form factor: X"),
        ],
    )
    def test_what_is_refused(self, folder: Path, words: str, says: str) -> None:
        pdb = (folder / "a.pdb").read_text()
        (folder / "bad.mtz").write_bytes(b"not an MTZ")
        (folder / "bad.pdb").write_text(
            "ATOM      1  N   ALA A   1      11.104   6.134  -6.504  1.00  0.00           N\n"
        )
        (folder / "bad.cif").write_text("data_x\n_cell.length_a 10\n")
        (folder / "broken.cif").write_text("data_x\nloop_\n_a\n_b\n1 2 3\n")
        (folder / "odd.pdb").write_text(pdb.replace("P 21 21 21", "P 7 7 7   "))
        (folder / "unknown.pdb").write_text(pdb.replace("           C  ", "           X  "))
        (folder / "a.hkl").write_text("1 2 3 4\n")
        with pytest.raises(ExperimentError, match=says):
            from_argv([*self.WORDS, *words.split()], folder)

    def test_without_gemmi(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "gemmi", None)
        with pytest.raises(ExperimentError, match=r"-hkl: gemmi is not installed.*'trace-parity\[xtal\]'"):
            from_argv([*self.WORDS, "-hkl", "a.mtz"], folder)


def test_coordinates_need_a_resolution(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    structure("P 1").write_pdb(str(tmp_path / "a.pdb"))
    with pytest.raises(ExperimentError, match="say to which resolution"):
        read_reflections(tmp_path / "a.pdb")
    with pytest.raises(ExperimentError, match="expected a number above 0"):
        read_reflections(tmp_path / "a.pdb", d_min_A=-1.0)
    with pytest.raises(ExperimentError, match="the limit is 2e"):
        read_reflections(tmp_path / "a.pdb", d_min_A=0.005)
    assert main([str(tmp_path / "a.pdb"), str(tmp_path / "a.hkl")]) == 2
    assert "say to which resolution" in capsys.readouterr().err
    assert not (tmp_path / "a.hkl").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Xbeam_mm": 3.0, "Ybeam_mm": 4.0},
        {"Xbeam_mm": 3.0, "Ybeam_mm": 19.0},
        {"Xbeam_mm": 16.0, "Ybeam_mm": 4.0},
        {"rotx_deg": 15.0, "roty_deg": -20.0},
        {"convention": "XDS", "twotheta_deg": 50.0},
        {"hdiv_range_rad": 0.02, "hdiv_steps": 3, "dispersion_fraction": 0.1, "dispersion_steps": 3},
        {"curved": True},
    ],
    ids=["flat", "low", "fast", "slow", "tilted", "twotheta", "spread", "curved"],
)
def test_finest_resolution(changes: dict[str, object]) -> None:
    experiment = small.experiment(**changes)
    model = experiment.build()
    slow, fast = torch.meshgrid(torch.arange(9.0), torch.arange(11.0), indexing="ij")
    finest = []
    for corner in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        at = slow.reshape(-1).double() + corner[0] - 0.5, fast.reshape(-1).double() + corner[1] - 0.5
        P = pixel_position(model.place, *at, (0, 0), 1, torch.zeros(()).double(), experiment.detector.curved).T
        d = P / P.norm(dim=1, keepdim=True)
        for i, wavelength_m in zip(model.sources.incident, model.sources.wavelength_m, strict=True):
            finest.append(float((1e10 * wavelength_m / (d - i).norm(dim=1)).min()))
    assert finest_A(experiment.beam, experiment.detector) == pytest.approx(min(finest), rel=1e-12)
