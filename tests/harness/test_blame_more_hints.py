"""Exact hints: inputs in float32, fractions of a pixel, degrees in one term, tables, loops, shapes, lone prints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.headline import printed_sentence
from trace_parity.render.blame_text import compact
from trace_parity.render.next_step import who

from tests.harness.test_blame_causes import compared, without
from tests.harness.test_blame_culprits import as_py, printed
from tests.harness.test_blame_faults import Fault, Program, blame, introduced, single
from tests.harness.test_blame_fitted_hints import Small
from tests.harness.test_blame_settings import log

DEGREES = 180 / math.pi
ANGLE = "degrees for radians or radians for degrees"


def in_single(v: Any) -> Any:
    return np.asarray(v, np.float32).astype(float)


def of_stored(*which: int, scale: float = 1.0) -> Fault:
    """Indices from cell vectors of which some are in float32, in a unit of their own."""

    def hkl(v: Any, x: dict[str, Any]) -> Any:
        cell = [in_single(a * scale) / scale if n in which else a for n, a in enumerate(x["cell"])]
        return np.array([a @ x["q"] * 1e-10 for a in cell])

    return hkl


def sines(above: float = 1.0, below: float = 1.0) -> Fault:
    """A lattice factor with one of its two angles in another unit."""
    return lambda v, x: math.sin(math.pi * x["N"] * x["x"] * above) / math.sin(math.pi * x["x"] * below)


def psi_times(number: float, k: float = 0.8) -> Fault:
    """The factor of a polarised beam with ψ taken wrong."""

    def polar(v: Any, x: dict[str, Any]) -> float:
        b = np.cross([0.0, 0.0, 1.0], x["i"])
        b = b / np.linalg.norm(b)
        e = np.cross(x["i"], b)
        psi = -math.atan2(x["d"] @ b, x["d"] @ (e / np.linalg.norm(e)))
        cosine = x["i"] @ x["d"]
        return float((1 + cosine**2 - k * math.cos(2 * psi * number) * (1 - cosine**2)) / 2)

    return polar


STORED = "in float32: stored in single precision"
HINTS: list[tuple[str, Fault, str]] = [
    ("hkl_frac", of_stored(0, 1, 2), f"fits with rot_a_angstroms, rot_b_angstroms and rot_c_angstroms {STORED}"),
    ("hkl_frac", of_stored(1), f"fits with rot_b_angstroms {STORED}"),
    ("hkl_frac", of_stored(0, scale=1e-10), f"fits with rot_a_angstroms in m {STORED}"),
    ("pixel_pos_meters", lambda v, x: v + 0.6 * x["half_f"], "3/10 of a pixel more on the fast axis"),
    ("pixel_pos_meters", lambda v, x: v - x["half_s"] * 2 / 3, "1/3 of a pixel less on the slow axis"),
    ("pixel_pos_meters", lambda v, x: v + 0.5 * (x["half_s"] + x["half_f"]), "1/4 of a pixel more on both axes"),
    ("F_latt_a", sines(above=1 / DEGREES), f"sin(πNh) of its angle times 1/57.2958: {ANGLE}"),
    ("F_latt_b", sines(above=DEGREES), f"sin(πNk) of its angle times 57.2958: {ANGLE}"),
    ("F_latt_c", sines(below=1 / DEGREES), f"sin(πl) of its angle times 1/57.2958: {ANGLE}"),
    ("polar", lambda v, x: (1 + math.cos(math.acos(x["cosine"]) * DEGREES) ** 2) / 2, f"2θ times 57.2958: {ANGLE}"),
    ("polar", lambda v, x: (1 + math.cos(math.acos(x["cosine"]) / 2) ** 2) / 2, "cos²θ in place of cos²2θ"),
    (
        "I_running",
        lambda v, x: x["total"] + abs(x["step"][0] * x["step"][1]),
        "what is added to the previous value is the square root of what it should be",
    ),
]


@pytest.mark.parametrize(("name", "fault", "hint"), HINTS, ids=[f"{n} {h[0]}" for n, h in enumerate(HINTS)])
def test_what_is_computed(name: str, fault: Fault, hint: str) -> None:
    found = blame(Small("C").text(), Small("PY", {name: fault}).text())
    assert introduced(found) == {("PY", name)}
    assert single(found, name).hint == hint


@pytest.mark.parametrize(
    ("number", "hint"),
    [(DEGREES, f"ψ times 57.2958: {ANGLE}"), (0.5, "cos ψ in place of cos 2ψ"), (2.0, "cos 4ψ in place of cos 2ψ")],
)
def test_a_wrong_angle_of_polarisation(number: float, hint: str) -> None:
    """K is in no log: it is read off the places under each hypothesis, and they must agree on it."""
    pixels = ((20, 31), (5, 44), (38, 12))
    c, py = (log(Small, s, {"polar": psi_times(n)}, pixels=pixels) for s, n in (("C", 1.0), ("PY", number)))
    assert single(blame(c, py), "polar").hint == hint


def test_at_one_place_any_angle_of_polarisation_fits() -> None:
    c, py = (log(Small, s, {"polar": psi_times(*at)}) for s, at in (("C", (1.0, 0.8)), ("PY", (DEGREES, 3.0))))
    assert "ψ" not in single(blame(c, py), "polar").hint  # accused, since no K of a beam gives that


def test_a_part_of_a_pixel_that_is_no_fraction_is_not_called_one() -> None:
    found = blame(Small("C").text(), Small("PY", {"pixel_pos_meters": lambda v, x: v + 0.61803 * x["half_f"]}).text())
    hint = single(found, "pixel_pos_meters").hint
    assert "of a pixel" not in hint
    assert "fits with" not in hint  # at one place any factor of fdet_vec does


@pytest.mark.parametrize(
    ("fast", "slow", "hint"),
    [
        (-0.5, -0.5, "PY's is 1/2 of a pixel less on both axes"),
        (1, 0, "PY's is 1 of a pixel more on the fast axis"),
        (0.3, -0.25, "PY's is 3/10 of a pixel more on the fast axis and 1/4 of a pixel less on the slow axis"),
        (0.61803, 0, ""),
    ],
)
def test_a_corner_of_the_detector_that_is_displaced(fast: float, slow: float, hint: str) -> None:
    class Displaced(Small):
        """The corner of the detector is moved within its plane."""

        def put(self, name: str, keys: dict[str, int], value: Any, **context: Any) -> Any:
            if name == "pix0_vector_meters" and not keys:
                value = value + self.size * (fast * self.seen["fdet_vec"] + slow * self.seen["sdet_vec"])
            return super().put(name, keys, value, **context)

    found = blame(Small("C").text(), Displaced("PY").text())
    said = next(f for f in found.findings if f.variable == "pix0_vector_meters" and f.scope == "run")
    assert said.hint == hint if hint else "of a pixel" not in said.hint


def test_an_angle_that_stays_where_the_other_side_rotates() -> None:
    still: Fault = lambda v, x: 0.0  # noqa: E731
    found = blame(Small("C").text(), Small("PY", {"phi_deg": still}).text())
    (said,) = [f for f in found.findings if f.variable == "phi_deg"]
    assert said.hint == "PY has 0 at every phi_tic, C steps of 0.5: PY ignores -osc and -phistep"
    assert found.settings == (f"phi_deg: C 0.5, PY 0 ({said.hint})",)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (3282.8, "wrong in print only: too large by a factor of 3282.8"),
        (DEGREES**2, "printed in square degrees, used in sr"),
    ],
)
def test_the_factor_of_a_single_number_that_is_printed_wrong(factor: float, words: str) -> None:
    c = Small("C").text()
    found = blame(c, printed(as_py(c), "omega_pixel_final", lambda v: v * factor))
    assert printed_sentence(found).startswith(f"omega_pixel_final of PY is {words}")


def test_a_setting_next_to_its_default_is_spelled_with_the_digits_that_differ() -> None:
    c = log(Small, "C", {"lambda_meters": lambda v, x: 1e-10})
    found = blame(c, log(Small, "PY", {"lambda_meters": lambda v, x: 1.000002e-10}))
    assert found.settings == (
        "lambda_meters: C 1e-10, PY 1.000002e-10 (C has the default; PY has 1.000002e-10, set by -lambda)",
    )


def test_a_print_of_what_is_computed_from_the_value() -> None:
    c = Small("C").text()
    rounded = printed(as_py(c), "hkl_frac", lambda v: np.ceil(v - 0.5) + 0.0)
    assert printed_sentence(blame(c, rounded)) == "hkl_frac of PY is wrong in print only: the value of hkl_rounded"


def steps_of_table(side: str, shift: tuple[int, int, int] = (0, 0, 0), more: float = 0.0) -> str:
    """Steps at eight reflections, each with a number of its own from a file."""
    lines = []
    for n, at in enumerate(np.ndindex(2, 2, 2)):
        entry = np.array(at) + shift
        number = round(40 + 7 * math.sin(entry @ [1.0, 2.6, 4.1]) + more, 2)
        where = f"TRACE_{side}[spixel=1 fpixel=1 thick_tic=0 subS=0 subF=0 source=0 phi_tic={n} mos_tic=0]"
        lines += [f"{where}: hkl_frac {' '.join(f'{i + 0.1:.17g}' for i in at)}\n"]
        lines += [f"{where}: hkl_rounded {' '.join(map(str, at))}\n", f"{where}: F_cell {number!r}\n"]
    return "".join(lines)


@pytest.mark.parametrize("shift", [(0, 0, 1), (1, 0, 0), (-1, 0, 1)])
def test_the_number_of_a_neighbour_in_a_table(shift: tuple[int, int, int]) -> None:
    found = blame(steps_of_table("C"), steps_of_table("PY", shift))
    (said,) = [f for f in found.findings if f.variable == "F_cell" and f.is_cause]
    assert said.hint == f"PY has the number that C has at hkl_rounded + {shift}: another entry of the table"


def test_numbers_of_another_table() -> None:
    table = {round(40 + 7 * math.sin(np.array(at) @ [1.0, 2.6, 4.1]), 2) for at in np.ndindex(2, 2, 2)}
    py, c = steps_of_table("PY"), steps_of_table("C")
    for n, number in enumerate(sorted(table)):
        py = py.replace(f"F_cell {number!r}\n", f"F_cell {60 + ((n * 7) % 8) ** 2 + 0.25}\n")
    (said,) = [f for f in blame(c, py).findings if f.variable == "F_cell" and f.is_cause]
    assert said.hint == (
        "at the same hkl_rounded each side has a number as it is read: of another entry, or of another table"
    )


def test_two_shapes_of_a_crystal_are_two_equations() -> None:
    c = without(Small("C", {"F_latt": round_crystal}).text(), "F_latt_a", "F_latt_b", "F_latt_c")
    (said,) = [f for f in blame(c, Small("PY").text()).findings if f.variable == "F_latt" and f.is_cause]
    square = "F_latt = F_latt_a·F_latt_b·F_latt_c, for a square crystal"
    assert said.hint == f"C follows 'round', PY '{square}': a setting differs"


def round_crystal(v: Any, x: dict[str, Any]) -> float:
    off = (x["hkl"] - np.ceil(x["hkl"] - 0.5)) * x["N"]
    s = math.pi * math.sqrt(off @ off)
    return float(np.prod(x["N"]) * 0.723601254558268 * 3 * (math.sin(s) / s - math.cos(s)) / s**2)


def test_a_table_that_one_side_never_interpolates_may_be_a_quirk_or_a_setting() -> None:
    step = "TRACE_{}[spixel=1 fpixel={} thick_tic=0 subS=0 subF=0 source=0 phi_tic=0 mos_tic=0]: {}\n"
    rows = [(n, f"{n + 1.25} 2.125 3.0625") for n in range(4)]
    py = "".join(
        step.format("PY", n, f"hkl_frac {hkl}") + step.format("PY", n, f"F_cell {57.1234567890123 + n}")
        for n, hkl in rows
    )
    read = "".join(step.format("C", n, f"hkl_frac {hkl}") + step.format("C", n, "F_cell 59.602") for n, hkl in rows)
    always = compared(read, py)
    assert "known quirk interp-latch, or a setting of one side" in always.headline
    assert who(always) == (
        "C shows its known quirk interp-latch, or a setting of one side differs: the logs cannot tell"
    )
    later = compared(read.replace("F_cell 59.602", "F_cell 57.1234567890123", 1), py)
    assert "known quirk interp-latch; " in later.headline
    assert who(later) == "C shows its known quirk interp-latch"


def test_the_second_quirk_is_in_the_short_text_too() -> None:
    stars = ["rot_a_star_A_inv", "rot_b_star_A_inv", "rot_c_star_A_inv"]
    faults: dict[str, Fault] = dict.fromkeys(stars, lambda v, x: x["base"] * (1 + 2.4e-5))
    run = ("a_star_A_inv", "b_star_A_inv", "c_star_A_inv")
    result = compared(without(Program("C", faults).text(), *run), without(Program("PY").text(), *run))
    assert result.blame is not None
    hints = [line for line in compact(result.blame, 4, str) if "  hint  " in line]
    assert len(hints) == 1
    assert hints[0].startswith("  hint  quirk stale-reciprocal, with triclinic-cell; nothing is computed from it")
    assert who(result) == "C shows its known quirk stale-reciprocal, with triclinic-cell"


def test_a_sign_in_print_and_another_one_in_fact() -> None:
    py = Small("PY", {"hkl_frac": lambda v, x: v * [1, -1, 1]}).text()
    found = blame(Small("C").text(), printed(py, "hkl_frac", np.negative))
    said = {f.manner: f.hint for f in found.findings if f.is_cause}
    assert introduced(found) == {("PY", "hkl_frac")}
    assert said == {"computation": "component y has the wrong sign", "probe": "wrong in print only: the sign is wrong"}
