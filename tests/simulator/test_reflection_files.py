"""Reflection files of the field: which column is taken, what is unmerged, and what SHELX writes."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest
from nanobragg_torch import ExperimentError, from_argv
from nanobragg_torch.io.convert import main
from nanobragg_torch.io.hkl import read_hkl
from nanobragg_torch.io.xtal import read_reflections
from nanobragg_torch.settings import Reflections

from tests.golden import ROOT
from tests.simulator.crystals import write_mtz

SHARED = ROOT.parent / "shared" / "field_files"
HKL = np.array([[1, 1, 1], [1, 2, 3], [0, 2, 0]])


def shared(name: str) -> Path:
    if not (SHARED / name).is_file():
        pytest.skip(f"no {name}: the shared folder is not here")
    return SHARED / name


def at(reflections: Reflections, *hkl: int) -> float:
    return float(np.asarray(reflections.F)[tuple(np.subtract(hkl, reflections.lowest))])


def table(folder: Path, group: str = "P 1 21 1", **columns: tuple[str, float]) -> Path:
    """An MTZ of columns label=(type, value) over HKL; _plus and _minus are (+) and (-)."""
    values = {
        (label.replace("_plus", "(+)").replace("_minus", "(-)").replace("_", "-"), kind): np.full(3, value)
        for label, (kind, value) in columns.items()
    }
    write_mtz(folder / "a.mtz", group, HKL, values)
    return folder / "a.mtz"


REFINED = {
    "F_obs_filtered_plus": ("G", 66.0),
    "SIGF_obs_filtered_plus": ("L", 1.0),
    "F_obs_filtered_minus": ("G", 67.0),
    "SIGF_obs_filtered_minus": ("L", 1.0),
    "F_model_plus": ("G", 64.0),
    "PHIF_model_plus": ("P", 30.0),
    "F_model_minus": ("G", 65.0),
    "PHIF_model_minus": ("P", 30.0),
    "2FOFCWT": ("F", 70.0),
    "PH2FOFCWT": ("P", 30.0),
    "FOFCWT": ("F", 5.0),
    "PHFOFCWT": ("P", 30.0),
    "ANOM": ("F", 0.9),
    "PHANOM": ("P", 30.0),
}


class TestWhichColumn:
    def test_map_coefficients_of_a_refinement_are_no_amplitudes(self, tmp_path: Path) -> None:
        reflections, _ = read_reflections(table(tmp_path, "P 1 21 1", **REFINED))
        assert (at(reflections, 1, 2, 3), at(reflections, -1, -2, -3)) == (66, 67)

    def test_a_column_with_a_phase_and_no_sigma_is_listed_and_asked_for(self, tmp_path: Path) -> None:
        path = table(tmp_path, ANOM=("F", 0.9), PHANOM=("P", 30.0), FANY=("F", 50.0), PHANY=("P", 0.0))
        with pytest.raises(ExperimentError, match=r"no observed .*: ANOM \(mean 0.9\), FANY \(mean 50\)"):
            read_reflections(path)
        assert at(read_reflections(path, column="FANY")[0], 1, 1, 1) == 50

    def test_a_sigma_makes_an_observation_of_a_column_with_a_phase(self, tmp_path: Path) -> None:
        path = table(tmp_path, FX=("F", 9.0), PHIX=("P", 0.0), SIGFX=("Q", 1.0), ANOM=("F", 0.9), PHANOM=("P", 30.0))
        assert at(read_reflections(path)[0], 1, 1, 1) == 9

    def test_pairs_come_before_lone_columns(self, tmp_path: Path) -> None:
        path = table(tmp_path, F_plus=("G", 10.0), F_minus=("G", 20.0), FP=("F", 15.0), SIGFP=("Q", 1.0))
        assert at(read_reflections(path)[0], 1, 2, 3) == 10
        assert at(read_reflections(path, column="FP")[0], 1, 2, 3) == 15

    def test_a_centric_reflection_has_its_plus_value(self, tmp_path: Path) -> None:
        path = table(tmp_path, "P 21 21 21", F_plus=("G", 10.0), F_minus=("G", 20.0))
        reflections, _ = read_reflections(path)
        assert (at(reflections, 0, 2, 0), at(reflections, 0, -2, 0)) == (10, 10)

    def test_calculated_amplitudes_alone_are_taken_and_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = table(tmp_path, FC=("F", 12.0), PHIC=("P", 30.0), FWT=("F", 1.0), PHWT=("P", 0.0))
        assert main([str(path), str(tmp_path / "a.hkl")]) == 0
        assert "the calculated amplitudes FC of a.mtz" in capsys.readouterr().out
        assert at(read_hkl(tmp_path / "a.hkl"), 1, 1, 1) == 12

    @pytest.mark.parametrize("calculated", [{"FC": ("F", 12.0), "PHIC": ("P", 30.0)}, {"F_calc": ("F", 12.0)}])
    def test_calculated_amplitudes_beside_intensities_are_asked_for(
        self, calculated: dict[str, tuple[str, float]], tmp_path: Path
    ) -> None:
        path = table(tmp_path, "P 1 21 1", IMEAN=("J", 144.0), SIGIMEAN=("Q", 1.0), **calculated)
        with pytest.raises(ExperimentError, match=r"name one: IMEAN \(mean 144\), F.* \(mean 12\)"):
            read_reflections(path)

    def test_intensities_beside_f_calc_in_a_cif_are_asked_for(self, tmp_path: Path) -> None:
        path = tmp_path / "a.cif"
        path.write_text(structure_factors("intensity_meas F_calc", ["1 2 3 o 400.0 19.0", "1 2 4 o 100.0 11.0"]))
        with pytest.raises(ExperimentError, match=r"intensity_meas \(mean 250\), F_calc \(mean 15\)"):
            read_reflections(path)
        assert at(read_reflections(path, column="intensity_meas")[0], 1, 2, 3) == pytest.approx(20)
        assert at(read_reflections(path, column="F_calc")[0], 1, 2, 3) == 19


def structure_factors(columns: str, rows: list[str], more: str = "") -> str:
    names = "".join(f"_refln.{name}\n" for name in ("index_h index_k index_l status " + columns).split())
    cell = "_cell.length_a 40\n_cell.length_b 50\n_cell.length_c 60\n"
    angles = "".join(f"_cell.angle_{name} 90\n" for name in ("alpha", "beta", "gamma"))
    symmetry = "_symmetry.space_group_name_H-M 'P 21 21 21'\n"
    return f"data_r0aaasf\n{cell}{angles}{symmetry}{more}loop_\n{names}" + "\n".join(rows) + "\n"


UNMERGED = ["1 2 3 o 90 3", "1 2 3 o 110 6", "-1 -2 3 o 100 2", "2 2 1 o 50 1", "-1 -2 -3 o 95 1", "3 0 1 x 999 1"]


class TestUnmerged:
    def write(self, folder: Path, rows: list[str] = UNMERGED) -> Path:
        path = folder / "a.cif"
        path.write_text(structure_factors("F_meas_au F_meas_sigma_au", rows))
        return path

    def test_repeated_and_disagreeing_reflections_are_refused_with_examples(self, tmp_path: Path) -> None:
        with pytest.raises(ExperimentError, match=r"1 of 3 .*\(1 2 3\) 90, \(1 2 3\) 110, \(-1 -2 3\) 100;"):
            read_reflections(self.write(tmp_path))
        rows = [f"{h} 2 3 o {F} 1" for h in range(1, 6) for F in (10, 20)]
        with pytest.raises(ExperimentError, match="5 of 5 reflections") as error:
            read_reflections(self.write(tmp_path, rows))
        assert str(error.value).count("2 3) 20") == 3

    def test_merge_mean_is_weighted_and_keeps_friedel_mates_apart(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = self.write(tmp_path)
        assert main([str(path), str(tmp_path / "a.hkl"), "--merge", "mean"]) == 0
        said = capsys.readouterr()
        weights = np.array([1 / 9, 1 / 36, 1 / 4])
        mean = float(weights @ [90, 110, 100] / weights.sum())
        R_merge = (abs(90 - mean) + abs(110 - mean) + abs(100 - mean)) / 300
        assert f"R_merge {R_merge:.4f}" in said.err
        assert "1 reflections with the status x" in said.err
        merged = read_hkl(tmp_path / "a.hkl")
        assert (at(merged, 1, 2, 3), at(merged, -1, -2, 3)) == pytest.approx((mean, mean))
        assert (at(merged, -1, -2, -3), at(merged, 2, 2, 1), at(merged, -2, -2, -1)) == (95, 50, 50)
        assert np.isnan(at(merged, 1, 0, 1))

    def test_mates_that_agree_need_no_merging(self, tmp_path: Path) -> None:
        reflections, _ = read_reflections(self.write(tmp_path, ["1 2 3 o 90 3", "1 2 3 o 90 1", "-1 -2 3 o 90.01 1"]))
        assert at(reflections, 1, 2, 3) == 90

    def test_without_sigmas_all_count_the_same(self, tmp_path: Path) -> None:
        rows = ["1 2 3 o 90 ?", "1 2 3 o 120 1", "1 2 3 o 120 1"]
        assert at(read_reflections(self.write(tmp_path, rows), merge="mean")[0], 1, 2, 3) == pytest.approx(110)

    def test_another_way_to_merge_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ExperimentError, match="merge is 'median', expected mean"):
            read_reflections(self.write(tmp_path), merge="median")

    def test_one_index_twice_in_a_merged_mtz(self, tmp_path: Path) -> None:
        hkl = np.array([[1, 2, 3], [1, 2, 3], [1, 1, 1]])
        write_mtz(tmp_path / "a.mtz", "P 1 21 1", hkl, {("F", "F"): np.array([10.0, 30.0, 5.0])})
        with pytest.raises(ExperimentError, match=r"1 of 2 reflections are listed .*: \(1 2 3\) 10, \(1 2 3\) 30"):
            read_reflections(tmp_path / "a.mtz")
        write_mtz(tmp_path / "b.mtz", "P 1 21 1", hkl * [1, 1, 1], {("F", "F"): np.array([10.0, 10.0, 5.0])})
        assert at(read_reflections(tmp_path / "b.mtz")[0], 1, 2, 3) == 10

    @pytest.mark.parametrize("mate", [(-1, 2, -3), (1, 2, 3)])
    def test_mates_of_a_merged_mtz_that_disagree(self, mate: tuple[int, int, int], tmp_path: Path) -> None:
        write_mtz(tmp_path / "a.mtz", "P 1 21 1", np.array([(1, 2, 3), mate]), {("F", "F"): np.array([10.0, 20.0])})
        with pytest.raises(ExperimentError, match="unmerged or contradicts itself"):
            read_reflections(tmp_path / "a.mtz")

    @pytest.mark.parametrize("with_headers", [False, True])
    def test_an_unmerged_mtz(self, with_headers: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """M/ISYM odd is an observation of h, even of -h; the batch headers do not matter."""
        columns = {
            ("M/ISYM", "Y"): np.array([1.0, 3.0, 2.0, 1.0]),
            ("BATCH", "B"): np.array([1.0, 2.0, 3.0, 1.0]),
            ("I", "J"): np.array([81.0, 121.0, 400.0, 25.0]),
            ("SIGI", "Q"): np.full(4, 2.0),
        }
        path = tmp_path / "a.mtz"
        write_mtz(path, "P 1 21 1", np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 1, 1]]), columns)
        if with_headers:
            mtz = gemmi.read_mtz_file(str(path))
            for number in (1, 2, 3):
                batch = gemmi.Mtz.Batch()
                batch.number = number
                mtz.batches.append(batch)
            mtz.write_to_file(str(path))
            assert len(gemmi.read_mtz_file(str(path)).batches) == 3
        with pytest.raises(ExperimentError, match=r"1 of 3 reflections .*\(1 2 3\) 81, \(1 2 3\) 121"):
            read_reflections(path, column="I")
        assert main([str(path), str(tmp_path / "a.hkl"), "--column", "I", "--merge", "mean"]) == 0
        assert f"R_merge {40 / 202:.4f}" in capsys.readouterr().err
        merged = read_hkl(tmp_path / "a.hkl")
        assert (at(merged, 1, 2, 3), at(merged, -1, -2, -3)) == pytest.approx((101**0.5, 20))

    def test_partially_recorded_observations_are_refused(self, tmp_path: Path) -> None:
        columns = {("M/ISYM", "Y"): np.array([257.0, 1.0, 1.0]), ("I", "J"): np.full(3, 2.0)}
        write_mtz(tmp_path / "a.mtz", "P 1 21 1", HKL, columns)
        with pytest.raises(ExperimentError, match="1 partially recorded"):
            read_reflections(tmp_path / "a.mtz", column="I")

    @pytest.mark.parametrize("name", ["wavelength_id", "crystal_id"])
    def test_several_wavelengths_or_crystals(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / "a.cif"
        rows = ["1 2 3 o 100 a", "1 2 4 o 55 a", "1 2 3 o 200 b"]
        path.write_text(structure_factors(f"F_meas_au {name}", rows))
        with pytest.raises(ExperimentError, match=rf"several values of _refln.{name}: a \(2 refl.*, b \(1 refl"):
            read_reflections(path)
        flag = "--" + name.removesuffix("_id")
        for value, F in (("a", 100), ("b", 200)):
            assert main([str(path), str(tmp_path / "a.hkl"), flag, value]) == 0
            assert at(read_hkl(tmp_path / "a.hkl"), 1, 2, 3) == F
        assert main([str(path), str(tmp_path / "a.hkl"), flag, "c"]) == 2

    def test_the_second_block_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        one = structure_factors("F_meas_au", ["1 2 3 o 100"])
        (tmp_path / "a.cif").write_text(one + one.replace("r0aaasf", "r0aaaAsf").replace("100", "300"))
        assert main([str(tmp_path / "a.cif"), str(tmp_path / "a.hkl")]) == 0
        assert "block r0aaasf are read, not those of r0aaaAsf" in capsys.readouterr().err
        assert at(read_hkl(tmp_path / "a.hkl"), 1, 2, 3) == 100

    def test_the_shared_files(self, tmp_path: Path) -> None:
        path = shared("sf_unmerged.cif")
        with pytest.raises(ExperimentError, match=r"\(1 2 3\) 100, \(1 2 3\) 120, \(-1 -2 3\) 140"):
            read_reflections(path)
        assert at(read_reflections(path, merge="mean")[0], 1, 2, 3) == pytest.approx(120)
        with pytest.raises(ExperimentError, match=r"several values of _refln.wavelength_id: 1 .*, 2 "):
            read_reflections(shared("sf_two_wavelengths.cif"))


FCF_HEAD = """data_small
_cell_length_a 6.1
_cell_length_b 7.3
_cell_length_c 9.2
_cell_angle_alpha 90
_cell_angle_beta 101.5
_cell_angle_gamma 90
_shelx_refln_list_code {code}
loop_
 {symop}
 'x, y, z'
 '-x, y+1/2, -z+1/2'
 '-x, -y, -z'
 'x, -y-1/2, z-1/2'
loop_
 _refln_index_h
 _refln_index_k
 _refln_index_l
"""
LIST_4 = FCF_HEAD.format(code=4, symop="_symmetry_equiv_pos_as_xyz") + (
    " _refln_F_squared_calc\n _refln_F_squared_meas\n _refln_F_squared_sigma\n _refln_observed_status\n"
    "   2   0   0      100.00      121.00        2.00 o\n   1   1   1       40.00       36.00        1.00 o\n"
)
LIST_6 = FCF_HEAD.format(code=6, symop="_space_group_symop_operation_xyz") + (
    " _refln_F_squared_meas\n _refln_F_squared_sigma\n _refln_F_calc\n _refln_phase_calc\n"
    "   2   0   0      121.00        2.00       10.00   180.0\n"
    "   1   1   1       36.00        1.00        6.30    0.0\n"
)
HKLF_4 = (
    "   1   2   3   81.00    2.00   1\n   1   2   3  121.00    2.00   1\n  -1   2  -3  101.00    2.00   2\n"
    "  -1  -2  -3   90.00    2.00   2\n   1   1   1   -4.00    2.00   1\n -10  12   0   16.00    1.00   1\n"
    "   0   0   0    0.00    0.00   0\n\nTITL what SHELXL appends\n"
)


class TestShelx:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            (LIST_4, r"F_squared_calc \(mean 70\), F_squared_meas \(mean 78.5\)"),
            (LIST_6, r"F_squared_meas .*, F_calc "),
        ],
        ids=["LIST 4", "LIST 6"],
    )
    def test_fcf(self, text: str, says: str, tmp_path: Path) -> None:
        path = tmp_path / "a.fcf"
        path.write_text(text)
        with pytest.raises(ExperimentError, match=says):
            read_reflections(path)
        reflections, cell = read_reflections(path, column="F_squared_meas")
        assert cell == (6.1, 7.3, 9.2, 90, 101.5, 90)
        # P 21/c by its operations alone: mates (-h k -l), and h0l with odd l absent.
        assert (at(reflections, 2, 0, 0), at(reflections, -1, 1, -1), at(reflections, 1, 0, 1)) == (11, 6, 0)
        if text is LIST_6:
            assert at(read_reflections(path, column="F_calc")[0], 1, 1, 1) == 6.3
        experiment = from_argv("-hkl a.fcf -hkl_column F_squared_meas -N 2 -detpixels 4".split(), tmp_path)
        assert experiment.crystal.cell == cell

    def test_hklf4(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path, out = tmp_path / "a.hkl", tmp_path / "out.hkl"
        path.write_text(HKLF_4)
        words = [str(path), str(out), "--column", "I", "--merge", "mean"]
        assert main(words) == 2
        assert "neither cell nor space group" in capsys.readouterr().err
        words += ["--cell", "6.1", "7.3", "9.2", "90", "101.5", "90"]
        assert main([*words, "--space-group", "P 1 21 1"]) == 0
        merged = read_hkl(out)
        assert (at(merged, 1, 2, 3), at(merged, -1, 2, -3)) == pytest.approx((101**0.5, 101**0.5))
        assert (at(merged, -1, -2, -3), at(merged, 1, 1, 1), at(merged, -10, 12, 0)) == pytest.approx((90**0.5, 0, 4))
        with pytest.raises(ExperimentError, match="unmerged"):
            read_reflections(path, column="I", cell=(6.1, 7.3, 9.2, 90, 101.5, 90), space_group="P 1 21 1")
        with pytest.raises(ExperimentError, match="space group 'P 7'"):
            read_reflections(path, column="I", cell=(6.1, 7.3, 9.2, 90, 101.5, 90), space_group="P 7")

    def test_what_is_no_hklf4(self, tmp_path: Path) -> None:
        path = tmp_path / "a.hkl"
        kept = {"cell": (6.1, 7.3, 9.2, 90.0, 101.5, 90.0), "space_group": "P 1", "column": "I"}
        path.write_text("1 2 3 100.0\n")
        with pytest.raises(ExperimentError, match="not in the fixed columns of HKLF 4"):
            read_reflections(path, **kept)  # type: ignore[arg-type]
        path.write_text(HKLF_4.splitlines()[0] + "\n" * 1 + HKLF_4.splitlines()[4] + "\n" + "x" * 30 + "\n")
        with pytest.raises(ExperimentError, match="not in the fixed columns"):
            read_reflections(path, **kept)  # type: ignore[arg-type]
        path.write_text("\n".join([*[HKLF_4.splitlines()[0]] * 30, "  12   3 bad"]))
        with pytest.raises(ExperimentError, match=r"line 31: .* expected h k l F² sigma"):
            read_reflections(path, **kept)  # type: ignore[arg-type]

    def test_a_wide_list_of_amplitudes_is_no_hklf4(self, tmp_path: Path) -> None:
        (tmp_path / "a.hkl").write_text("   1   2   3  1234.567890123\n   1   1   1     1.250000000\n")
        assert at(read_hkl(tmp_path / "a.hkl"), 1, 2, 3) == 1234.567890123

    def test_the_simulator_does_not_take_it_for_a_list_of_amplitudes(self, tmp_path: Path) -> None:
        (tmp_path / "a.hkl").write_text(HKLF_4)
        with pytest.raises(ExperimentError, match=r"SHELX list .*io.xtal a.hkl OUT.hkl --column I"):
            from_argv("-hkl a.hkl -cell 10 -N 2".split(), tmp_path)
