"""The flags: names, synonyms, prefixes, and what they do apart from setting their own value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nanobragg_torch import from_argv
from nanobragg_torch.cli.flags import FLAGS, find, usage
from nanobragg_torch.cli.parse import parse

from tests import golden

BASE = "-cell 70 80 90 85 95 105 -default_F 10 -N 5 -detpixels 16 -pixel 1 -oversample 1".split()
CLI_PAGE = golden.SHARED / "spec" / "cli.md"


def test_every_flag_of_the_page_is_known() -> None:
    if not CLI_PAGE.is_file():
        pytest.skip("the flag page is not here")
    words: set[str] = set()
    for row in CLI_PAGE.read_text().splitlines():
        if row.startswith("| -"):
            cell = row.split(" | ")[0]
            words |= set(re.findall(r"-[A-Za-z0-9_]+", cell))
    assert len(words) > 100
    # Two rows abbreviate: "-detpixels_f\|_x" and "-detector_rotx -roty -rotz".
    unknown = {word for word in words if find(word) is None} - {"-roty", "-rotz"}
    assert unknown == set()


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("-mosaicity", "mosaic"),
        ("-mosaic_spread", "mosaic"),
        ("-mosaic_domains", "mosaic_domains"),
        ("-wavelength", "lambda"),
        ("-sample_thickness", "sample_x"),
        ("-xtal_thickness", "sample_x"),
        ("-detector_absorption", "detector_abs"),
        ("-sample_density", "sample_density"),
        ("-molecular_weight", "molecular_weight"),
        ("-detpixels_y", "detpixels_s"),
        ("-detector_thicksteps", "thicksteps"),
    ],
)
def test_prefixes_and_synonyms(word: str, key: str) -> None:
    flag = find(word)
    assert flag is not None
    assert flag.key == key


def test_names_are_unique_and_helped() -> None:
    names = [name for flag in FLAGS for name in (*flag.names, *flag.prefixes)]
    assert len(names) == len(set(names))
    assert all(flag.effect for flag in FLAGS)
    assert all(name in usage() for name in names)


class TestOrder:
    """What a flag does apart from its own value, and that the last one wins."""

    @staticmethod
    def detector(*words: str) -> dict[str, object]:
        return vars(from_argv([*BASE, *words]).detector)

    def test_vectors_switch_to_custom_and_conventions_back(self) -> None:
        assert self.detector("-spindle_axis", "0", "1", "0")["convention"] == "CUSTOM"
        assert self.detector("-spindle_axis", "0", "1", "0", "-mosflm")["convention"] == "MOSFLM"
        assert self.detector("-xds", "-polar_vector", "1", "0", "0")["convention"] == "CUSTOM"

    @pytest.mark.parametrize(
        ("words", "pivot"),
        [
            ("-twotheta 1", "sample"),
            ("-twotheta 1 -distance 50", "beam"),
            ("-Xbeam 1 -Xclose 1", "sample"),
            ("-ORGY 1 -Ybeam 1", "beam"),
            ("-close_distance 50 -pivot beam", "beam"),
            ("-distance 50 -twotheta_axis 0 1 0", "sample"),
            ("-xds -polar_vector 1 0 0", "sample"),
            ("-dials -mosflm -polar_vector 1 0 0", "beam"),
        ],
    )
    def test_pivot_side_effects(self, words: str, pivot: str) -> None:
        assert self.detector(*words.split())["pivot"] == pivot

    def test_twotheta_axis_sets_twotheta(self) -> None:
        assert self.detector("-twotheta", "12", "-twotheta_axis", "1", "0", "0")["twotheta_deg"] == 1.0
        assert self.detector("-twotheta_axis", "1", "0", "0", "-twotheta", "12")["twotheta_deg"] == 12.0

    def test_misset_seed_clobbers(self) -> None:
        crystal = from_argv([*BASE, "-misset", "random", "-misset_seed", "5"]).crystal
        assert (crystal.misset_random, crystal.misset_deg, crystal.misset_seed) == (False, (5.0, 0.0, 0.0), -5)
        crystal = from_argv([*BASE, "-misset_seed", "5", "-phi", "7"]).crystal
        assert crystal.misset_deg == (5.0, 0.0, 7.0)
        crystal = from_argv([*BASE, "-misset_seed", "5", "-misset", "random"]).crystal
        assert crystal.misset_random

    def test_polar_clears_nopolar(self) -> None:
        assert from_argv([*BASE, "-nopolar", "-polar", "0.5"]).beam.polarized
        assert not from_argv([*BASE, "-polar", "0.5", "-nopolar"]).beam.polarized

    def test_absent_sensor(self) -> None:
        for depth in ("inf", "0"):
            assert self.detector("-detector_thick", "100", "-detector_abs", depth)["thickness_um"] == 0.0

    def test_cell_stops_at_a_flag(self) -> None:
        assert from_argv(["-cell", "75", "-default_F", "1"]).crystal.cell == (75, 75, 75, 90, 90, 90)
        cell = from_argv(["-cell", "75", "80", "90", "100", "-default_F", "1"]).crystal.cell
        assert cell == (75, 80, 90, 100, 90, 90)

    def test_pix0_only_warns(self) -> None:
        warnings = parse([*BASE, "-pix0_vector", "1", "2", "3"], Path()).warnings
        assert any("-pix0_vector only switches" in text for text in warnings)
