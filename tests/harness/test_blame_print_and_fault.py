"""Values that are wrong in print only next to ones that are computed wrong: each is named, and has its own share."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.findings import Blame
from trace_parity.blame.headline import cause_line, cause_sentence, printed_sentence
from trace_parity.render.next_step import who

from tests.harness.test_blame_causes import ROT, OneTick, compared, hints, in_float32, single_cause
from tests.harness.test_blame_culprits import Change, printed
from tests.harness.test_blame_faults import STAR, Fault, Faults, Program, at_tick, blame, introduced, rodrigues, sincg

CELL = "a_angstroms b_angstroms c_angstroms"
Prints = list[tuple[str, Change]]


class TwoTicks(Program):
    """Two ticks of φ from 20°, one mosaic domain, one source, one sub-sample, two pixels."""

    phi = (20.0, 0.5, 2)
    domains = sources = oversample = 1
    pixels: tuple[tuple[int, int], ...] = ((20, 31), (25, 12))


class OnePixel(TwoTicks):
    pixels = ((20, 31),)


def times(factor: float) -> Change:
    return lambda v: v * factor


def of(prints: Prints, faults: Faults, program: type[Program] = TwoTicks) -> Blame:
    """A sound log against one with faults and wrong prints."""
    py = program("PY", faults).text()
    for names, change in prints:
        py = printed(py, names, change)
    return blame(program("C").text(), py)


def always(value: object) -> Fault:
    return lambda v, x: value


UNITS: list[tuple[str, Prints, str, dict[str, str]]] = [
    (
        "all of the cell in nm",
        [(f"{CELL} {ROT}", times(0.1)), ("V_cell_A3 V_actual_A3", times(1e-3))],
        "a_angstroms, b_angstroms and c_angstroms of PY are printed in nm, used in Å (and 3 more in print only)",
        {
            **dict.fromkeys(f"{CELL} {ROT}".split(), "printed in nm, used in Å"),
            "V_cell_A3": "nothing is computed from it: too small by a factor of 1000: Å³ for nm³ or nm³ for Å³",
            "V_actual_A3": "nothing is computed from it: too small by a factor of 1000: Å³ for nm³ or nm³ for Å³",
        },
    ),
    (
        "all vectors in m",
        [(f"{CELL} {ROT}", times(1e-10))],
        "a_angstroms, b_angstroms and c_angstroms of PY are printed in m, used in Å (and 3 more in print only)",
        dict.fromkeys(f"{CELL} {ROT}".split(), "printed in m, used in Å"),
    ),
    (
        "vectors and their volume in nm",
        [(ROT, times(0.1)), ("V_actual_A3", times(1e-3))],
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms of PY are printed in nm, used in Å",
        dict.fromkeys(ROT.split(), "printed in nm, used in Å"),
    ),
    (
        "wavelength and what is computed from it",
        [("lambda_meters", times(1e10)), ("scattering_vec_m_inv", times(1e-10))],
        "lambda_meters of PY is printed in Å, used in m (and 1 more in print only)",
        {"lambda_meters": "printed in Å, used in m", "scattering_vec_m_inv": "printed in 1/Å, used in 1/m"},
    ),
    (
        "wavelength in nm",
        [("lambda_meters", times(1e9))],
        "lambda_meters of PY is printed in nm, used in m",
        {"lambda_meters": "printed in nm, used in m"},
    ),
]


@pytest.mark.parametrize(("what", "prints", "headline", "expected"), UNITS, ids=[u[0] for u in UNITS])
def test_values_that_are_all_printed_in_another_unit(
    what: str, prints: Prints, headline: str, expected: dict[str, str]
) -> None:
    found = of(prints, {})
    assert hints(found) == expected
    assert cause_line(found) == headline


def test_a_cell_in_nanometres_among_swapped_axes() -> None:
    """x and z of a position are swapped in print; y is small, so that other orders are nearly right as well."""
    found = of([("pixel_pos_meters", lambda v: v[[2, 1, 0]])], {})
    assert hints(found) == {"pixel_pos_meters": "wrong in print only: components swapped: z y x for x y z"}


BOTH: list[tuple[str, Prints, Faults, str, dict[str, float]]] = [
    # what, wrong prints, faults, the headline, the share of each that is named
    (
        "F_latt printed squared, N - 1",
        [("F_latt", np.square)],
        {f"F_latt_{n}": lambda v, x: sincg(x["x"], x["N"] - 1) for n in "abc"},
        r"F_latt_a, F_latt_b and F_latt_c explain the whole difference of I_pixel_final \(.*\); "
        "F_latt of PY is wrong in print only.*",
        {"F_latt": 0.0, "F_latt_a": 1.0, "F_latt_b": 1.0, "F_latt_c": 1.0},
    ),
    (
        "fluence printed per cm², steps wrong",
        [("fluence_photons_per_m2", times(1e-4))],
        {"steps": lambda v, x: v / 2},
        r"steps explains the whole difference of I_pixel_final \(factor 2\); "
        "fluence_photons_per_m2 of PY is wrong in print only: too small by a factor of 10000 throughout",
        {"fluence_photons_per_m2": 0.0, "steps": 1.0},
    ),
    (
        "phi printed in radians, rotation by the next tick",
        [("phi_deg", times(math.pi / 180))],
        dict.fromkeys(ROT.split(), lambda v, x: x["at"](x["v"], x["phi"] + 0.5)),
        r"rot_a_angstroms, rot_b_angstroms and rot_c_angstroms explain the whole difference of I_pixel_final "
        r"\(.*\); phi_deg of PY is printed in radians, used in degrees",
        {"phi_deg": 0.0, **dict.fromkeys(ROT.split(), 1.0)},
    ),
    (
        "position printed in mm, and of a corner",
        [("pixel_pos_meters", times(1e3))],
        {"pixel_pos_meters": lambda v, x: v - x["half_f"] - x["half_s"]},
        r"pixel_pos_meters explains the whole difference of I_pixel_final \(.*\); "
        "pixel_pos_meters of PY is printed in mm, used in m",
        {"pixel_pos_meters": 1.0},
    ),
    (
        "distance printed in mm, omega without the obliquity",
        [("R_distance_meters", times(1e3))],
        {"omega_pixel_sr": lambda v, x: x["no_obliquity"]},
        r"omega_pixel_sr explains the whole difference of I_pixel_final \(.*\); "
        "R_distance_meters of PY is printed in mm, used in m",
        {"R_distance_meters": 0.0, "omega_pixel_sr": 1.0},
    ),
    (
        "vectors printed in m, q in single precision",
        [(ROT, times(1e-10))],
        {"scattering_vec_m_inv": in_float32},
        r"scattering_vec_m_inv explains the whole difference of I_pixel_final \(.*\); "
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms of PY are printed in m, used in Å",
        {"scattering_vec_m_inv": 1.0, **dict.fromkeys(ROT.split(), 0.0)},
    ),
    (
        "vectors printed in m, indices swapped",
        [(ROT, times(1e-10))],
        {"hkl_frac": lambda v, x: v * 1.0002},
        r"hkl_frac explains the whole difference of I_pixel_final \(.*\); "
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms of PY are printed in m, used in Å",
        {"hkl_frac": 1.0, **dict.fromkeys(ROT.split(), 0.0)},
    ),
]


@pytest.mark.parametrize(("what", "prints", "faults", "headline", "shares"), BOTH, ids=[b[0] for b in BOTH])
def test_a_wrong_print_does_not_hide_a_fault(
    what: str, prints: Prints, faults: Faults, headline: str, shares: dict[str, float]
) -> None:
    found = of(prints, faults)
    assert re.fullmatch(headline, cause_line(found)), cause_line(found)
    named = {f.variable: f.share for f in reversed(found.findings) if f.kind == "introduced"}
    assert {name: named.get(name) for name in shares} == pytest.approx(shares, abs=1e-6)


def test_a_sum_printed_with_the_factor_that_the_pixel_lacks() -> None:
    """With the sum as printed the pixel is wrong in no known way; with the print undone it lacks a factor."""
    py = OneTick("PY", {"I_pixel_final": lambda v, x: v / x["polar"]}).text()
    polar = float(re.findall(r"polar_final (\S+)", py)[0])
    found = blame(OneTick("C").text(), printed(py, "I_before_scaling", times(polar)))
    assert re.fullmatch(
        r"I_pixel_final explains the whole difference of I_pixel_final \(.*\); I_before_scaling of PY is wrong "
        r"in print only: off by the factor polar_final \(.*\): .*",
        cause_line(found),
    )
    assert single_cause(found, "I_pixel_final").hint == "polar_final left out"


def test_a_final_value_that_is_printed_twice_as_large_and_lacks_a_factor() -> None:
    found = of([("I_pixel_final", times(2.0))], {"I_pixel_final": lambda v, x: v / x["polar"]})
    assert cause_sentence(found).startswith("I_pixel_final explains the whole difference of floatimage_accumulated (")
    assert single_cause(found, "I_pixel_final").hint == "polar_final left out"
    assert printed_sentence(found) == (
        "I_pixel_final of PY is wrong in print only: too large by a factor of 2 throughout"
    )


def test_the_form_that_the_other_log_obeys_is_the_one_that_is_broken() -> None:
    """Twice (1 + cos²2θ)/2 is nearer to 1, which is another form, than to what it should be."""
    faults: Faults = {"pixel_pos_meters": lambda v, x: v + 1e-3 * x["half_f"], "polar": lambda v, x: 2 * v}
    found = of([], faults, OnePixel)
    said = single_cause(found, "polar")
    assert said.hint == "too large by a factor of 2"
    assert said.share is not None
    assert said.factor is not None
    assert said.share * math.log(said.factor) == pytest.approx(math.log(2), rel=1e-9)


def test_vectors_of_one_factor_are_one_fault_with_a_carried_tick() -> None:
    """c lies on the axis, so that it differs at one place more than a and b, which the first tick carries over."""

    def carried(factor: float) -> Faults:
        def fault(v: np.ndarray, x: dict[str, object]) -> np.ndarray:
            return factor * at_tick(0, lambda w, y: y["at"](y["v"], 20.5))(v, x)

        return {**dict.fromkeys(ROT.split(), fault), "spindle_vec": lambda v, x: SPINDLE}

    c, py = (TwoTicks(side, carried(factor)).text() for side, factor in (("C", 1.0), ("PY", 1.0002)))
    found = blame(c, py)
    assert re.fullmatch(
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms explain the whole difference of I_pixel_final .*",
        cause_sentence(found),
    )


SPINDLE = np.array([-0.003, 0.002, 0.014])
SPINDLE /= np.linalg.norm(SPINDLE)


def test_values_that_nothing_reads_are_harmless_next_to_a_fault() -> None:
    faults: Faults = {**dict.fromkeys(STAR.split(), lambda v, x: v * 2), "steps": lambda v, x: v / 2}
    result = compared(OneTick("C").text(), OneTick("PY", faults).text())
    assert result.blame is not None
    harmless = {f.variable: f.hint for f in result.blame.findings if f.is_harmless}
    assert harmless.keys() == set(STAR.split())
    assert all(hint.startswith("nothing is computed from it: ") for hint in harmless.values())
    assert cause_sentence(result.blame) == "steps explains the whole difference of I_pixel_final (factor 2)"


def test_a_known_quirk_that_moves_nothing_is_not_what_is_wrong() -> None:
    stale = TwoTicks("C", dict.fromkeys(STAR.split(), lambda v, x: x["base"])).text()
    result = compared(stale, TwoTicks("PY", {"steps": lambda v, x: v / 2}).text())
    assert [q.id for q in result.quirks] == ["stale-reciprocal"]
    assert who(result) == "PY, in steps, which explains the whole difference of I_pixel_final (factor 2)"
    assert who(compared(stale, TwoTicks("PY").text())) == "C shows its known quirk stale-reciprocal"


def test_a_quirk_of_one_program_that_the_other_shows() -> None:
    py = TwoTicks("PY", dict.fromkeys(STAR.split(), lambda v, x: x["base"])).text()
    result = compared(TwoTicks("C").text(), py)
    assert result.blame is not None
    assert result.quirks == ()
    assert hints(result.blame)["rot_b_star_A_inv"] == (
        "nothing is computed from it: the value of b_star_A_inv of the run; "
        "PY shows quirk stale-reciprocal, a known quirk of C"
    )
    assert who(result) == (
        "PY prints rot_a_star_A_inv, rot_b_star_A_inv, rot_c_star_A_inv incorrectly, and uses them nowhere"
    )


def test_another_size_of_the_pixel() -> None:
    """It is in no log; positions and solid angles show it, each with the share that a rerun gives."""

    class Larger(OnePixel):
        size = 0.2001e-3

    c, py = OnePixel("C").text(), Larger("PY").text()
    shown = {name: re.findall(rf": {name} (.*)", c)[0].split() for name in ("pixel_pos_meters", "omega_pixel_sr")}
    finals = [float(re.findall(r"I_pixel_final (\S+)", text)[0]) for text in (c, py)]
    found = blame(c, py)
    for name, words in shown.items():
        theirs = np.array([float(word) for word in words])
        theirs = theirs[0] if len(theirs) == 1 else theirs
        cured = Larger("PY", {name: always(theirs)}).text()
        final = float(re.findall(r"I_pixel_final (\S+)", cured)[0])
        said = single_cause(found, name)
        assert said.hint == "each side obeys it with a constant of its own that is not in the logs: a setting differs"
        assert said.share == pytest.approx(math.log(final / finals[1]) / math.log(finals[0] / finals[1]), rel=1e-6)


def test_rotations_that_differ_are_told_apart_by_their_angle() -> None:
    turned = np.array([rodrigues(e, np.array([0.0, 0.0, 1.0]), 0.25) for e in np.eye(3)]).T.ravel()
    found = of([], {"mosaic_umat": lambda v, x: turned if x["keys"]["mos_tic"] else v}, TwoDomains)
    hint = single_cause(found, "mosaic_umat").hint
    assert re.fullmatch(r"a matrix turned by 0\.\d+° from one side to the other", hint)


class TwoDomains(TwoTicks):
    domains = 2


def test_a_quirk_is_named_although_the_other_side_prints_the_value_wrong() -> None:
    """The other side is right once its print is undone."""
    stale = TwoTicks("C", dict.fromkeys(STAR.split(), lambda v, x: x["base"])).text()
    found = blame(stale, printed(TwoTicks("PY").text(), STAR, times(10)))
    assert {f.quirk for f in found.findings if f.side == "C"} == {""}  # nothing shows whether the print alone is wrong
    carried: Faults = dict.fromkeys(ROT.split(), at_tick(0, from_the_last_tick))
    c, py = TwoTicksFromZero("C", carried).text(), TwoTicksFromZero("PY").text()
    found = blame(c, printed(py, ROT, times(1e-10)))
    assert {f.quirk for f in found.findings if f.side == "C"} == {"phi-carryover"}
    assert printed_sentence(found).startswith(
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms of PY are printed in m"
    )


def from_the_last_tick(v: np.ndarray, x: dict[str, Any]) -> np.ndarray:
    turned: np.ndarray = x["at"](x["v"], 0.5)
    return turned


class TwoTicksFromZero(TwoTicks):
    phi = (0.0, 0.5, 2)


def test_an_axis_that_turns_nothing_has_no_share() -> None:
    found = of([], {"twotheta_axis": lambda v, x: v[[0, 2, 1]], "steps": lambda v, x: v / 2})
    assert {f.variable: f.share for f in found.findings if f.is_cause} == {"steps": 1.0, "twotheta_axis": 0.0}


def test_introduced_faults_are_the_real_ones() -> None:
    assert introduced(of([], {})) == set()
    assert introduced(of([(ROT, times(1e-10))], {"steps": lambda v, x: v / 2})) == {
        ("PY", name) for name in (*ROT.split(), "steps")
    }


def test_prints_of_the_reference_are_told_too() -> None:
    c = printed(TwoTicks("C").text(), ROT, times(1e-10))
    found = blame(c, TwoTicks("PY", {"hkl_frac": lambda v, x: v * 1.0002}).text())
    assert cause_sentence(found).startswith("hkl_frac explains the whole difference of I_pixel_final (")
    assert printed_sentence(found) == (
        "rot_a_angstroms, rot_b_angstroms and rot_c_angstroms of C are printed in m, used in Å"
    )


def test_a_value_on_which_the_logs_agree_is_not_accused() -> None:
    found = of([(f"{CELL} {ROT}", times(0.1)), ("V_cell_A3 V_actual_A3", times(1e-3))], {})
    assert not {f.variable for f in found.findings if f.kind == "introduced"} & {*STAR.split(), "hkl_frac"}
    assert blame(TwoTicks("C").text(), TwoTicks("PY").text()).findings == ()


@pytest.mark.parametrize("lacking", ["N_cells", "N_cells|I_running"])
def test_no_share_is_known_where_the_log_lacks_what_a_change_goes_through(lacking: str) -> None:
    def logged(side: str, faults: Faults) -> str:
        lines = TwoTicks(side, faults).text().splitlines(True)
        return "".join(line for line in lines if not re.match(rf"TRACE_\w+(\[.*\])?: ({lacking}) ", line))

    found = blame(logged("C", {}), logged("PY", {"hkl_frac": at_tick(0, lambda v, x: v + 0.001)}))
    (finding,) = [f for f in found.findings if f.variable == "hkl_frac"]
    assert (finding.kind, finding.side, finding.share) == ("introduced", "PY", None)
