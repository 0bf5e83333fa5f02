"""Who is accused when several equations are broken at once: the fewest wrong values that explain all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from trace_parity.blame.attribution import Blame, blame_log
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.pair.find import shipped

from tests.golden import COMMITTED
from tests.harness.test_blame_faults import Program, blame, introduced, read, single

Change = Callable[[np.ndarray], np.ndarray]
LINE = re.compile(r"(TRACE_\w+(?:\[.*?\])?): (\w+) (.*)\n")
GOOD = Program("C").text()
GOLDEN = (COMMITTED / "phi0_start.log").read_text()
LEAKY = (COMMITTED / "phi0_start__state_leak.log").read_text()


def printed(text: str, names: str, change: Change, where: str = "") -> str:
    """A log with some values changed where they are printed, and nowhere else: what follows from them stays right."""
    lines, changed = [], 0
    for line in text.splitlines(keepends=True):
        match = LINE.match(line)
        if match and match[2] in names.split() and where in match[1]:
            value = change(np.array([float(x) for x in match[3].split()]))
            line = f"{match[1]}: {match[2]} {' '.join(f'{x:.17g}' for x in value)}\n"
            changed += 1
        lines.append(line)
    assert changed
    return "".join(lines)


def alone(text: str) -> Blame:
    vocabulary = shipped().vocabulary
    domain = domain_of_pair(shipped())
    assert domain is not None
    return blame_log(read(text, "C"), vocabulary, domain)


def accused(found: Blame) -> set[str]:
    return {f.variable for f in found.findings if f.kind in ("introduced", "self-inconsistent")}


def as_py(text: str) -> str:
    return text.replace("TRACE_C", "TRACE_PY")


STARS = "a_star_A_inv b_star_A_inv c_star_A_inv"
PRINTED = [
    # values that several equations use and that are wrong in the log, with whether the log alone tells
    ("a_star_A_inv", False),
    (STARS, False),
    ("b_angstroms", True),
    ("distance_meters", True),
    ("pix0_vector_meters", False),
    ("pixel_pos_meters", False),
    ("R_distance_meters", True),
    ("diffracted_vec", True),
    ("incident_vec", True),
    ("lambda_meters", False),
    ("rot_b_angstroms", True),
    ("hkl_frac", True),
    ("N_cells", False),
    ("F_latt_c", True),
    ("F_latt", True),
    ("F_cell", False),
    ("polar", False),
    ("omega_pixel_sr", True),
    ("I_before_scaling", True),
    ("V_cell_A3", True),
]


@pytest.mark.parametrize(("names", "alone_too"), PRINTED, ids=[p[0] for p in PRINTED])
def test_what_only_follows_from_a_wrong_value_is_innocent(names: str, alone_too: bool) -> None:
    wrong = printed(GOOD, names, lambda v: v * 1.37)
    assert introduced(blame(GOOD, as_py(wrong))) == {("PY", name) for name in names.split()}
    assert introduced(blame(wrong, as_py(GOOD))) == {("C", name) for name in names.split()}
    if alone_too:
        assert accused(alone(wrong)) == set(names.split())


def test_one_wrong_place_clears_the_next_step() -> None:
    """The sum after a step that is printed wrong was made from the right one."""
    wrong = printed(GOOD, "I_running", lambda v: v * 2, "subS=0 subF=1 source=1 phi_tic=2 mos_tic=0")
    found = single(blame(GOOD, as_py(wrong)), "I_running")
    assert (found.side, found.count) == ("PY", 1)
    assert "phi_tic=2 mos_tic=0" in found.place


def test_two_explanations_of_one_size_are_both_told() -> None:
    """Reciprocal vectors half as long, or real ones and their volume: the log alone cannot know."""
    wrong = printed(GOOD, STARS, lambda v: v / 2)
    found = alone(wrong).findings
    stars, cell = STARS.split(), ["a_angstroms", "b_angstroms", "c_angstroms"]
    assert {f.variable for f in found} == {*stars, *cell}
    for finding in found:
        others = cell if finding.variable in stars else stars
        assert finding.instead == (" and ".join(others),)
    (finding,) = [f for f in blame(GOOD, as_py(wrong)).findings if f.variable == "a_star_A_inv"]
    assert (finding.side, finding.instead) == ("PY", ())
    assert "0.5 times" in finding.hint


def test_a_value_that_the_program_went_on_with_is_not_the_one_to_accuse() -> None:
    """hkl follows the vectors that are printed, so that reciprocal ones that do not are the wrong ones."""
    turned = LEAKY
    for name in ("rot_a_star_A_inv", "rot_b_star_A_inv", "rot_c_star_A_inv"):
        sound = iter([m[3] for line in GOLDEN.splitlines(keepends=True) if (m := LINE.match(line)) and m[2] == name])
        turned = printed(turned, name, lambda v, sound=sound: np.array([float(x) for x in next(sound).split()]))  # type: ignore[misc]
    tick, other = (
        [
            line
            for line in text.splitlines(keepends=True)
            if re.search("phi_tic=0|source=0]", line) and "I_running" not in line
        ]
        for text in (turned, GOLDEN)
    )
    found = blame("".join(tick), as_py("".join(other)))
    assert {(f.side, f.variable, f.quirk) for f in found.findings if f.kind == "introduced"} == {
        ("C", f"rot_{axis}_star_A_inv", "stale-reciprocal") for axis in "abc"
    }


def test_an_equation_is_no_witness_with_values_that_are_wrong_themselves() -> None:
    """A normal left where it was before 2θ obeys what holds without 2θ only; the sound side does not, and is clear."""
    head = "TRACE_{0}: beam_vec 1 0 0\nTRACE_{0}: fdet_vec 0 0 1\n"
    sdet, odet = np.array([-np.sin(0.1), -np.cos(0.1), 0]), np.array([np.cos(0.1), -np.sin(0.1), 0])

    def log(side: str, normal: np.ndarray, close: float) -> str:
        lines: dict[str, Sequence[float] | np.ndarray] = {
            "sdet_vec": sdet,
            "odet_vec": normal,
            "distance_meters": [close],
            "close_distance_meters": [close],
        }
        text = "".join(
            f"TRACE_{side}: {name} {' '.join(f'{x:.17g}' for x in value)}\n" for name, value in lines.items()
        )
        return head.format(side) + text

    sound, faulty = log("C", odet, 0.0995), log("PY", np.array([1.0, 0, 0]), 0.1013)
    assert introduced(blame(sound, faulty)) == {("PY", "odet_vec")}
    back = sound.replace("TRACE_C", "TRACE_PY"), faulty.replace("TRACE_PY", "TRACE_C")
    assert introduced(blame(back[1], back[0])) == {("C", "odet_vec")}


def test_a_side_that_breaks_an_equation_elsewhere_is_no_witness_for_when_it_applies() -> None:
    """Around a crystal in water the sum starts at a background; a sum that is overwritten seems to know of none."""
    step = "TRACE_{0}[spixel=1 fpixel=2 thick_tic=0 subS=0 subF=0 source=0 phi_tic={1} mos_tic=0]: {2}\n"

    def log(side: str, sums: tuple[float, ...]) -> str:
        lines = [f"{name} {x}" for s in sums for name, x in (("F_latt", 3.0), ("F_cell", 2.0), ("I_running", s))]
        return "".join(step.format(side, n // 3, line) for n, line in enumerate(lines))

    found = blame(log("C", (36.0, 36.0, 36.0)), log("PY", (40.5, 76.5, 112.5)))
    assert introduced(found) == {("C", "I_running")}
    wet = blame(log("C", (40.5, 76.5, 112.5)), log("PY", (36.0, 72.0, 108.0)))
    assert introduced(wet) == set()
    told = next(f for f in wet.findings if f.variable == "I_running" and f.is_cause)
    assert told.hint == "C follows 'plain sum, on a background of 4.5', PY 'plain sum': a setting differs"


def test_numbers_of_cells_that_the_log_lacks_are_worked_out() -> None:
    found = alone(GOLDEN)
    assert found.findings == ()
    assert not any(line.partition(": ")[2].startswith("F_latt =") for line in found.missing)
    # With nothing that makes the indices, these may be what is wrong where F_latt does not follow from them.
    bare = "".join(line for line in GOLDEN.splitlines(keepends=True) if "scattering_vec_m_inv" not in line)
    wrong = printed(bare, "hkl_frac", lambda v: v + 0.001, "phi_tic=3")
    assert introduced(blame(bare, as_py(wrong))) == {("PY", "hkl_frac")}
    wrong = printed(GOLDEN, "F_latt", lambda v: v * 1.001, "phi_tic=3")
    assert introduced(blame(GOLDEN, as_py(wrong))) == {("PY", "F_latt")}
    leaky = blame(LEAKY, as_py(GOLDEN))
    assert {f.kind for f in leaky.findings if f.variable == "F_latt"} == {"inherited"}
    shapeless = printed(GOLDEN, "F_latt", lambda v: np.exp(-v * v))
    assert accused(alone(shapeless)) == {"I_running"}
    assert any("lacks F_latt_a, F_latt_b, F_latt_c" in line for line in alone(shapeless).missing)
