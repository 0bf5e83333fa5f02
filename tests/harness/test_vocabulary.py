from __future__ import annotations

import pytest
from trace_parity.errors import HarnessError
from trace_parity.pair.find import shipped
from trace_parity.pair.vocabulary import ABSENT, Vocabulary
from trace_parity.pair.vocabulary_file import parse_vocabulary

from tests.golden import SHARED, needs_shared

STEP = {"spixel": 1, "fpixel": 2, "thick_tic": 0, "subS": 0, "subF": 0, "source": 0, "phi_tic": 3, "mos_tic": 0}


@needs_shared
def test_has_every_name_of_the_specification(vocabulary: Vocabulary) -> None:
    text = (SHARED / "spec" / "trace.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| run", "| sub", "| source", "| step", "| pixel"))]
    assert len(rows) == 9
    for row in rows:
        scope, names = (cell.strip() for cell in row.split("|")[1:3])
        for name in names.replace("(3)", "").replace("(9, key mos_tic)", "").replace(",", " ").split():
            wanted = "mosaic" if name == "mosaic_umat" else scope.replace("-", "").replace(" ", "")
            assert f"{wanted}.{name}" in {v.id for v in vocabulary.variables}


def test_says_all_that_a_report_needs(vocabulary: Vocabulary) -> None:
    for variable in vocabulary.variables:
        assert variable.unit
        assert variable.description
        assert variable.size in (1, 3, 9)
    assert {v.name for v in vocabulary.variables if v.integer} == {"hkl_rounded", "steps"}


def test_tolerances_are_those_promised(vocabulary: Vocabulary) -> None:
    assert {t.rtol for t in vocabulary.tolerances.values()} == {0.0, 1e-6}
    lattice = vocabulary.named("F_latt")[0].tolerance
    assert lattice.floor == 1e-6
    assert lattice.scale is not None
    assert (lattice.scale.name, lattice.scale.how) == ("N_cells", "product")
    assert vocabulary.named("hkl_rounded")[0].tolerance.name == "exact"
    assert all(t.reason for t in vocabulary.tolerances.values())


@pytest.mark.parametrize(
    ("name", "indices", "found", "component"),
    [
        ("fdet_vec", {}, "run.fdet_vec", None),
        ("fdet_vec", dict(list(STEP.items())[:5]), "subsample.fdet_vec", None),
        ("polar", dict(list(STEP.items())[:6]), "source.polar", None),
        ("polar", {}, "pixel.polar_final", None),
        ("polar", {"spixel": 1, "fpixel": 2}, "pixel.polar_final", None),
        ("scattering_vec_A_inv", {}, "source.scattering_vec_m_inv", None),
        ("k_frac", {"phi_tic": 1}, "step.hkl_frac", 1),
        ("hkl_frac", {}, "step.hkl_frac", None),
    ],
)
def test_finds_the_variable_of_a_line(
    vocabulary: Vocabulary, name: str, indices: dict[str, int], found: str, component: int | None
) -> None:
    variable, alias = vocabulary.find(name, vocabulary.key(indices))
    assert variable.id == found
    assert (alias.component if alias else None) == component


def test_an_unknown_name_is_a_variable_of_its_own(vocabulary: Vocabulary) -> None:
    variable, alias = vocabulary.find("obliquity_factor", vocabulary.key({}))
    assert (variable.name, variable.listed, alias) == ("obliquity_factor", False, None)


def test_order_is_that_of_evaluation(vocabulary: Vocabulary) -> None:
    def order(name: str, indices: dict[str, int]) -> object:
        key = vocabulary.key(indices)
        return vocabulary.order(vocabulary.find(name, key)[0], key, 0)

    pixel = {"spixel": 1, "fpixel": 2}
    subsample = dict(list(STEP.items())[:5])
    wanted = [
        order("beam_vec", {}),
        order("mosaic_umat", {"mos_tic": 0}),
        order("pixel_pos_meters", subsample),
        order("polar", {**subsample, "source": 0}),
        order("phi_deg", STEP),
        order("I_running", STEP),
        order("phi_deg", {**STEP, "mos_tic": 1}),
        order("phi_deg", {**STEP, "phi_tic": 4}),
        order("polar", {**subsample, "source": 1}),
        order("pixel_pos_meters", {**subsample, "subF": 1}),
        order("I_before_scaling", pixel),
        order("I_pixel_final", pixel),
        order("pixel_pos_meters", {**subsample, "fpixel": 3}),
        order("pixel_pos_meters", {**subsample, "spixel": 2, "fpixel": 0}),
    ]
    assert wanted == sorted(wanted)  # type: ignore[type-var]
    assert len({repr(key) for key in wanted}) == len(wanted)


def test_keys_name_only_known_loops(vocabulary: Vocabulary) -> None:
    assert vocabulary.key({"fpixel": 7})[:3] == (ABSENT, 7, ABSENT)
    with pytest.raises(KeyError):
        vocabulary.key({"nonsense": 1})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('scope = "step"', 'scope = "stp"', "stp"),
        ('depends_on = ["hkl_frac"]', 'depends_on = ["hkl_fraction"]', "hkl_fraction"),
        ('of = "lambda_meters"', 'of = "lambda_m"', "lambda_m"),
        ('name = "odet_vec"\nscope = "run"', 'name = "sdet_vec"\nscope = "run"', "twice"),
        ('title = "nanoBragg"', "title = nanoBragg", "not TOML"),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(old: str, new: str, says: str) -> None:

    text = (shipped().folder / "vocabulary.toml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(HarnessError, match=says):
        parse_vocabulary(text.replace(old, new, 1), "here.toml")


def test_the_shipped_one_is_loaded_by_default() -> None:
    assert shipped().vocabulary.title == "nanoBragg"
