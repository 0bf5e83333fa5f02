"""Atoms of CIF and PDB files as the field has them: unknown values, special positions, elements, thermal parameters."""

from __future__ import annotations

import re
from pathlib import Path

import gemmi
import numpy as np
import pytest
from nanobragg_torch import ExperimentError
from nanobragg_torch.io import coordinates
from nanobragg_torch.io.convert import main
from nanobragg_torch.io.xtal import read_reflections

from tests.simulator.crystals import FORM_FACTORS, structure
from tests.simulator.test_reflection_files import at, shared

CELL = (6.1, 7.3, 9.2, 101.5)
P21C = ("x,y,z", "-x,y+1/2,-z+1/2", "-x,-y,-z", "x,-y-1/2,z-1/2")
NAME = "_space_group_name_H-M_alt 'P 21/c'\n"


def operations(*texts: str) -> str:
    return "loop_\n_space_group_symop_operation_xyz\n" + "".join(f"'{text}'\n" for text in texts)


def cif(columns: str, rows: list[str], symmetry: str = NAME, more: str = "") -> str:
    """A small-molecule CIF in the monoclinic CELL; `columns` are those of _atom_site_ after label and coordinates."""
    a, b, c, beta = CELL
    head = f"data_x\n_cell_length_a {a}\n_cell_length_b {b}\n_cell_length_c {c}\n_cell_angle_beta {beta}\n"
    names = "".join(f"_atom_site_{name}\n" for name in ("label fract_x fract_y fract_z " + columns).split())
    return f"{head}_cell_angle_alpha 90\n_cell_angle_gamma 90\n{symmetry}loop_\n{names}" + "\n".join(rows) + f"\n{more}"


class Reader:
    """Writes a CIF and reads its reflections; the converter's messages are in `said`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.said = folder, capsys, ""

    def F(self, text: str, *hkl: int, name: str = "a.cif") -> float:
        (self.folder / name).write_text(text)
        code = main([str(self.folder / name), str(self.folder / "a.hkl"), "--d-min-A", "0.9"])
        self.said = self.capsys.readouterr().err
        assert code == 0, self.said
        return at(read_reflections(self.folder / name, d_min_A=0.9)[0], *hkl)

    def refuses(self, text: str, says: str, name: str = "a.cif") -> None:
        (self.folder / name).write_text(text)
        with pytest.raises(ExperimentError, match=says):
            read_reflections(self.folder / name, d_min_A=0.9)


@pytest.fixture
def reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reader:
    return Reader(tmp_path, capsys)


def f(element: str, stol2: float, U_A2: float) -> float:
    k = FORM_FACTORS[element]
    return float(
        (k[8] + sum(k[2 * i] * np.exp(-k[2 * i + 1] * stol2) for i in range(4))) * np.exp(-8 * np.pi**2 * U_A2 * stol2)
    )


def stol2(*hkl: int) -> float:
    a, b, c, beta = CELL
    return float(gemmi.UnitCell(a, b, c, 90, beta, 90).calculate_1_d2(list(hkl)) / 4)


ISO = "type_symbol U_iso_or_equiv occupancy"
FE, O = "Fe1 0.1234(5) 0.2345(6) 0.3456(7) Fe 0.021(2) 1", "O1 0.4211(5) 0.1045(6) 0.0931(7) O 0.03 1"


class TestUnknownValues:
    def test_atoms_without_coordinates_are_left_out_and_named(self, reader: Reader) -> None:
        wanted = reader.F(cif(ISO, [FE, O]), 1, 2, 3)
        assert "left out" not in reader.said
        assert reader.F(cif(ISO, [FE, O, "H1 ? ? ? H ? 1", "H2 0.1 . 0.3 H 0.1 1"]), 1, 2, 3) == wanted
        assert "2 atoms without coordinates left out: H1, H2" in reader.said

    def test_nothing_left_is_an_error(self, reader: Reader) -> None:
        reader.refuses(cif(ISO, ["H1 ? ? ? H ? 1", "H2 ? ? ? H ? 1"]), "of which none has coordinates")
        reader.refuses(cif(ISO, ["H1 0.1 ? ? H ? 1", "H2 0 . 0 H ? 1"]), r"no atoms that scatter \(2 atoms without")

    def test_dummies_do_not_scatter(self, reader: Reader) -> None:
        wanted = reader.F(cif(ISO, [FE]), 1, 2, 3)
        rows = [f"{FE} d", f"{O} dum"]
        assert reader.F(cif(f"{ISO} calc_flag", rows), 1, 2, 3) == wanted
        assert "1 atom with the calc_flag dum left out: O1" in reader.said

    def test_unknown_occupancies_are_1_and_unknown_displacements_0(self, reader: Reader) -> None:
        wanted = reader.F(cif(ISO, [FE, O.replace("0.03", "0")]), 1, 2, 3)
        assert reader.F(cif(ISO, [FE[:-1] + "?", O.replace("0.03 1", "? .")]), 1, 2, 3) == wanted
        assert "without thermal parameters, taken as 0: O1" in reader.said

    @pytest.mark.parametrize(
        ("old", "new", "column"), [("0.2345(6)", "0.2a", "fract_y"), ("(2) 1", "(2) one", "occupancy")]
    )
    def test_what_is_no_number_is_an_error(self, old: str, new: str, column: str, reader: Reader) -> None:
        reader.refuses(cif(ISO, [O, FE.replace(old, new)]), f"_atom_site_{column} in row 2 is '{new.split()[-1]}'")

    def test_unknown_coordinates_of_macromolecules(self, reader: Reader) -> None:
        made = structure("P 21 21 21")
        wanted = reader.F(made.make_mmcif_document().as_string(), 1, 2, 3)
        atom = made[0][0][0].add_atom(made[0][0][0][0])
        atom.name, atom.pos = "CX", gemmi.Position(9.125, 8.125, 7.125)
        text, count = re.subn(r"9\.125 +8\.125 +7\.125", "? ? ?", made.make_mmcif_document().as_string())
        assert count == 1
        assert reader.F(text, 1, 2, 3) == wanted
        assert "1 atom without coordinates left out: A/1/CX" in reader.said

    def test_nan_reaches_no_list(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(crystal: object, indices: np.ndarray, *rest: object) -> np.ndarray:
            return np.where(indices[:, 0] == 1, np.nan, 1.0)

        monkeypatch.setattr(coordinates, "direct_sum", broken)
        structure("P 1").write_pdb(str(tmp_path / "a.pdb"))
        with pytest.raises(ExperimentError, match="is not a number, expected a finite one"):
            read_reflections(tmp_path / "a.pdb", d_min_A=3.0)


def test_the_library_logs_what_the_command_line_shows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.cif").write_text(cif(ISO, [FE, "H1 ? ? ? H ? 1"]))
    read_reflections(tmp_path / "a.cif", d_min_A=2.0)
    assert "a.cif: 1 atom without coordinates left out: H1" in caplog.text


class TestSpecialPositions:
    NEAR = "0.0061 0.0051 0.0031"  # 0.06 A off the inversion centre, twenty times what four digits can hide

    def split(self, occupancy: float, extra: str = "") -> str:
        return f"C1 {self.NEAR} C 0.02 {occupancy} {extra}"

    @pytest.mark.parametrize("column", ["", "site_symmetry_order", "symmetry_multiplicity"])
    def test_a_split_atom_beside_a_centre_counts_its_occupancy_once(self, column: str, reader: Reader) -> None:
        given = {"": "", "site_symmetry_order": "1", "symmetry_multiplicity": "4"}[column]
        F = reader.F(cif(f"{ISO} {column}", [self.split(0.5, given)]), -1, 0, 2)
        x = np.array([float(word) for word in self.NEAR.split()])
        wanted = abs(4 * 0.5 * f("C", stol2(-1, 0, 2), 0.02) * np.cos(2 * np.pi * (x @ [-1, 0, 2])))
        assert pytest.approx(wanted, rel=1e-6) == F
        assert "special" not in reader.said

    def test_the_order_of_the_file_comes_first(self, reader: Reader) -> None:
        half = reader.F(cif(ISO, [self.split(0.5)]), -1, 0, 2)
        assert reader.F(cif(f"{ISO} site_symmetry_order", [self.split(1, "2")]), -1, 0, 2) == pytest.approx(half)
        assert "C1 (2)" in reader.said
        assert "the file's is used: C1" in reader.said

    @pytest.mark.parametrize("at_centre", ["0 0 0", "0.5 0 0.5", "0.50000 0.0000 0", "1 0 -0.5"])
    def test_an_atom_on_a_centre_is_special_and_named(self, at_centre: str, reader: Reader) -> None:
        F = reader.F(cif(ISO, [f"C1 {at_centre} C 0.02 1", O]), 2, 0, 0)
        assert "special positions, with the order of the site: C1 (2)" in reader.said
        only = reader.F(cif(ISO, [f"C1 {at_centre} C 0.02 1"]), 2, 0, 0)
        assert only == pytest.approx(2 * f("C", stol2(2, 0, 0), 0.02), rel=1e-6)
        assert only != F

    @pytest.mark.parametrize(
        ("column", "values"),
        [
            ("symmetry_multiplicity", ("2", "4")),
            ("symmetry_multiplicity", ("2", "1")),
            ("site_symmetry_multiplicity", ("2", "4")),
        ],
    )
    def test_both_meanings_of_multiplicity(self, column: str, values: tuple[str, str], reader: Reader) -> None:
        """Of the site, or as older programs wrote it the order of its symmetry: with a general atom it shows which."""
        rows = [f"C1 0 0 0 C 0.02 1 {values[0]}", f"{O} {values[1]}"]
        plain = reader.F(cif(ISO, [row.rsplit(" ", 1)[0] for row in rows]), 1, 0, 2)
        assert reader.F(cif(f"{ISO} {column}", rows), 1, 0, 2) == pytest.approx(plain)

    def test_an_impossible_multiplicity(self, reader: Reader) -> None:
        reader.refuses(cif(f"{ISO} site_symmetry_order", [f"{O} 3"]), "O1 has the order 3 .*divisor of the 4")

    @pytest.mark.parametrize(
        ("third", "order"), [("0.3333", 3), ("0.33", 3), ("0.333", 3), ("0.333330", 3), ("0.3300", 3), ("0.3433", 1)]
    )
    def test_thirds_within_their_printed_digits(self, third: str, order: int, reader: Reader) -> None:
        text = cif(
            ISO,
            [f"C1 {third} {2 * float(third):.{len(third) - 2}f} 0.1234 C 0.02 1"],
            "_symmetry_Int_Tables_number 143\n",
        )
        text = text.replace(f"_length_b {CELL[1]}", f"_length_b {CELL[0]}").replace(f"beta {CELL[3]}", "beta 90")
        reader.F(text.replace("gamma 90", "gamma 120"), 1, 1, 1)
        assert ("C1 (3)" in reader.said) == (order == 3)

    def test_whole_atoms_in_one_place_are_one(self, reader: Reader) -> None:
        """Relaxed coordinates have noise in the digits that they print."""
        F = reader.F(cif(ISO, ["C1 0.00012345 0.00002131 -0.00003111 C 0.02 1"]), 2, 0, 0)
        assert pytest.approx(2 * f("C", stol2(2, 0, 0), 0.02), rel=1e-4) == F
        assert "C1 (2)" in reader.said


class TestElements:
    def test_by_the_longest_prefix_of_a_label(self, reader: Reader) -> None:
        rows = ["MgM1 0.1 0.2 0.3 0.02", "SiT 0.4 0.1 0.2 0.02", "OH1 0.3 0.3 0.4 0.02", "CL2 0.2 0.6 0.7 0.02"]
        typed = [f"{row} {element}" for row, element in zip(rows, ("Mg", "Si", "O", "Cl"), strict=True)]
        wanted = reader.F(cif("U_iso_or_equiv type_symbol", typed), 1, 2, 3)
        assert reader.said == ""
        assert reader.F(cif("U_iso_or_equiv", rows), 1, 2, 3) == wanted
        assert "elements taken from labels: MgM1 Mg, SiT Si, OH1 O, CL2 Cl" in reader.said

    def test_the_formula_decides_between_prefixes(self, reader: Reader) -> None:
        rows = ["CA1 0.1 0.2 0.3 0.02", "HO1 0.4 0.1 0.2 0.02"]
        reader.F(cif("U_iso_or_equiv", rows), 1, 2, 3)
        assert "CA1 Ca, HO1 Ho" in reader.said
        reader.F(cif("U_iso_or_equiv", rows, NAME + "_chemical_formula_sum 'C4 H10 O2'\n"), 1, 2, 3)
        assert "CA1 C, HO1 H" in reader.said

    def test_an_unknown_element_is_named(self, reader: Reader) -> None:
        reader.refuses(cif("U_iso_or_equiv", ["O1 0 0 0.1 0", "Xx1 0.1 0.2 0.3 0.02"]), "known for Xx1 .*_type_symbol")
        reader.refuses(cif(ISO, ["A1 0 0 0.1 Qq 0 1"]), "no element is known for A1 from 'Qq'")

    def test_charges_have_the_form_factor_of_the_atom(self, reader: Reader) -> None:
        wanted = reader.F(cif(ISO, [FE, O]), 1, 2, 3)
        assert reader.F(cif(ISO, [FE.replace("Fe 0", "Fe3+ 0"), O.replace("O 0", "O2- 0")]), 1, 2, 3) == wanted

    def test_line_numbers_of_old_pdb_files_are_no_charges(self, reader: Reader) -> None:
        text = structure("P 21 21 21").make_pdb_string()
        wanted = reader.F(text, 1, 2, 3, name="a.pdb")
        assert reader.said == ""
        old = [
            f"{line[:72]}1ABC{n:4d}" if line.startswith(("ATOM", "HETATM", "ANISOU")) else line
            for n, line in enumerate(text.splitlines(), start=67)
        ]
        assert reader.F("\n".join(old), 1, 2, 3, name="a.pdb") == wanted
        assert "columns 73-80 of 6 lines are not element and charge" in reader.said


class TestThermalParameters:
    SIX = (1.0, 2.0, 4.0, 0.3, 0.2, -0.1)

    def loop(self, kind: str, values: tuple[float, ...]) -> str:
        names = "".join(f"_atom_site_aniso_{kind}_{ij}\n" for ij in ("11", "22", "33", "12", "13", "23"))
        return f"loop_\n_atom_site_aniso_label\n{names}Fe1 {' '.join(map(repr, values))}\n"

    def test_aniso_b_is_eight_pi_squared_u(self, reader: Reader) -> None:
        plain = reader.F(cif(ISO, [FE, O]), -2, 0, 8)
        U = tuple(x / (8 * np.pi**2) for x in self.SIX)
        wanted = reader.F(cif(ISO, [FE, O], more=self.loop("U", U)), -2, 0, 8)
        assert reader.F(cif(ISO, [FE, O], more=self.loop("B", self.SIX)), -2, 0, 8) == pytest.approx(wanted)
        assert abs(wanted - plain) > 0.1 * plain

    def test_b_iso(self, reader: Reader) -> None:
        wanted = reader.F(cif("type_symbol U_iso_or_equiv", ["C1 0.1 0.2 0.3 C 0.02"]), 1, 2, 3)
        rows = [f"C1 0.1 0.2 0.3 C {0.02 * 8 * np.pi**2!r}"]
        for name in ("B_iso_or_equiv", "B_equiv_geom_mean"):
            assert reader.F(cif(f"type_symbol {name}", rows), 1, 2, 3) == pytest.approx(wanted)

    @pytest.mark.parametrize(
        ("columns", "row", "more", "says"),
        [
            (ISO, FE, "loop_\n_atom_site_aniso_label\n_atom_site_aniso_beta_11\nFe1 0.003\n", "_aniso_beta_11 holds"),
            (ISO, FE, "loop_\n_atom_site_anharm_gc_c_label\n_atom_site_anharm_gc_c_111\nFe1 0.1\n", "c_111 holds"),
            (
                ISO,
                FE,
                "loop_\n_atom_site_aniso_label\n_atom_site_aniso_U_11\nFe1 0.003\n",
                "without _atom_site_aniso_u_22",
            ),
            (f"{ISO} adp_type", f"{FE} Umpe", "", "_adp_type is Umpe, expected Uani"),
            (ISO, FE, "_cell_modulation_dimension 1\n", "modulated"),
        ],
    )
    def test_what_is_not_understood_is_an_error(
        self, columns: str, row: str, more: str, says: str, reader: Reader
    ) -> None:
        reader.refuses(cif(columns, [row], more=more), says)

    def test_unused_columns_with_unknown_values_are_no_error(self, reader: Reader) -> None:
        more = "loop_\n_atom_site_aniso_label\n_atom_site_aniso_beta_11\n_atom_site_aniso_ratio\nFe1 ? 1.2\n"
        reader.F(cif(f"{ISO} adp_type", [f"{FE} Uiso"], more=more), 1, 2, 3)

    def test_macromolecular_b_of_another_kind(self, reader: Reader) -> None:
        text = structure("P 21 21 21").make_mmcif_document().as_string()
        reader.refuses(text.replace("_atom_site.B_iso_or_equiv", "_atom_site.U_iso_or_equiv"), "U_iso_or_equiv holds")
        reader.refuses(
            text.replace("_atom_site_anisotrop.U[", "_atom_site_anisotrop.B["), r"anisotrop.B\[1\]\[1\] holds"
        )


class TestSymmetry:
    def test_a_setting_outside_the_tables(self, reader: Reader) -> None:
        centred = [*P21C, *(f"{x}+1/2,{y},{z}+1/2" for x, y, z in (text.split(",") for text in P21C))]
        name = "_space_group_name_H-M_alt 'B 1 21/d 1'\n"
        F = reader.F(cif(ISO, [FE, O], name + operations(*centred)), 2, 1, 2)
        assert pytest.approx(2 * reader.F(cif(ISO, [FE, O]), 2, 1, 2)) == F
        reader.refuses(cif(ISO, [FE], name), "space group 'B 1 21/d 1', expected one that is known")

    def test_operations_come_before_the_name(self, reader: Reader) -> None:
        other = "_space_group_name_H-M_alt 'P 1 21 1'\n"
        assert reader.F(cif(ISO, [FE, O], other + operations(*P21C)), 1, 2, 3) == reader.F(cif(ISO, [FE, O]), 1, 2, 3)
        reader.F(cif(ISO, [FE, O], other + operations(*P21C)), 1, 2, 3)
        assert "'P 1 21 1' has 2 operations, the list 4: the list is used" in reader.said

    def test_an_incomplete_list_leaves_it_to_the_name(self, reader: Reader) -> None:
        wanted = reader.F(cif(ISO, [FE, O]), 1, 2, 3)
        assert reader.F(cif(ISO, [FE, O], NAME + operations(*P21C[:3])), 1, 2, 3) == wanted
        assert "list of 3 operations is not complete: the name 'P 21/c' is used" in reader.said
        reader.refuses(cif(ISO, [FE], operations(*P21C[:3])), "no symmetry.*its list of 3 operations is not complete")
        reader.refuses(cif(ISO, [FE], operations("x,y,q")), "symmetry operation 'x,y,q'")

    def test_a_list_without_centring_is_completed_by_the_name(self, reader: Reader) -> None:
        name = "_symmetry_space_group_name_H-M 'C 1 2 1'\n"
        wanted = reader.F(cif(ISO, [FE, O], name), 1, 1, 3)
        assert reader.F(cif(ISO, [FE, O], name + operations("x,y,z", "-x,y,-z")), 1, 1, 3) == wanted
        assert "lack the centring" in reader.said

    @pytest.mark.parametrize("text", ["_symmetry_space_group_name_Hall '-P 2ybc'\n", "_space_group_IT_number 14\n"])
    def test_hall_names_and_numbers(self, text: str, reader: Reader) -> None:
        assert reader.F(cif(ISO, [FE, O], text), 1, 2, 3) == pytest.approx(reader.F(cif(ISO, [FE, O]), 1, 2, 3))

    def test_two_origins(self, reader: Reader) -> None:
        name = "_symmetry_space_group_name_H-M 'P n n n'\n"
        reader.F(cif(ISO, [FE, O], name).replace(f"beta {CELL[3]}", "beta 90"), 1, 2, 3)
        assert "which of two origins" in reader.said

    def test_remark_290_where_the_name_is_unknown(self, reader: Reader) -> None:
        text = structure("P 21 21 21").make_pdb_string()
        wanted = reader.F(text, 1, 2, 3, name="a.pdb")
        lines = ["X,Y,Z", "-X+1/2,-Y,Z+1/2", "-X,Y+1/2,-Z+1/2", "X+1/2,-Y+1/2,-Z"]
        remark = "".join(f"REMARK 290       {n}555   {text}\n" for n, text in enumerate(lines, start=1))
        unknown = text.replace("P 21 21 21", "P 7 7 7   ")
        assert reader.F(remark + unknown, 1, 2, 3, name="a.pdb") == pytest.approx(wanted)
        assert "REMARK 290 is used" in reader.said


@pytest.mark.parametrize(
    ("name", "hkl", "F"),
    [
        ("aniso_B.cif", (-2, 0, 8), 18.27),
        ("fd3m_old_name.cif", (-2, -2, 0), 67.896),
        ("fd3m_choice1.cif", (-2, -2, 0), 67.896),
    ],
)
def test_values_of_the_shared_files(name: str, hkl: tuple[int, ...], F: float) -> None:
    assert at(read_reflections(shared(name), d_min_A=0.9)[0], *hkl) == pytest.approx(F, abs=0.006)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("b_aniso_amcsd.cif", "MgM1 Mg, FeM1 Fe, SiT Si, OA O"),
        ("labels_only.cif", "elements taken from labels: CA1 Ca, OH1 O"),
        ("unknown_values.cif", "1 atom without coordinates left out: H1"),
        ("u_uiso_unknown.cif", "taken as 0: O1"),
        ("oddsetting.cif", ""),
        ("noname_symops.cif", ""),
        ("u_occ_unknown.cif", ""),
        ("odd.pdb", ""),
    ],
)
def test_the_shared_files_are_read(name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(shared(name)), str(tmp_path / "a.hkl"), "--d-min-A", "0.9"]) == 0
    said = capsys.readouterr().err
    assert says in said
    assert says or not said
    F = np.asarray(read_reflections(shared(name), d_min_A=0.9)[0].F)
    assert np.isfinite(F).sum() > 1000
