"""Hints that are fitted to the numbers, or need a reason other than the numbers: factors of an input, counts, units."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trace_parity.blame.attribution import blame_pair
from trace_parity.blame.from_vocabulary import domain_of
from trace_parity.blame.headline import cause_line
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.pair.vocabulary_file import load_vocabulary
from trace_parity.trace import TraceTable, read_trace_lines

from tests.harness.test_blame_causes import hint_of
from tests.harness.test_blame_culprits import as_py, printed
from tests.harness.test_blame_faults import Fault, Program, blame, introduced, sincg, single
from tests.harness.test_blame_settings import Dull, log


class Small(Program):
    oversample = 1
    sources = 1
    domains = 1


def step_times(factor: float) -> Fault:
    return lambda v, x: x["total"] + factor * (v - x["total"])


FITTED: list[tuple[str, Fault, str]] = [
    ("I_running", step_times(2.0), "what is added to the previous value is twice what it should be"),
    ("I_running", step_times(1.0002), "what is added to the previous value is 1.0002 times what it should be"),
    (
        "I_running",
        lambda v, x: x["total"] + x["step"][0] * x["step"][1] ** 2,
        "fits with the square root of F_cell",
    ),
    (
        "F_latt_a",
        lambda v, x: sincg(x["x"] * 1.0002, x["N"]),
        "fits with hkl_frac times 1.0002",
    ),
    ("F_latt_a", lambda v, x: sincg(x["x"], x["N"] - 1), "fits with N_cells decreased by one"),
    ("F_latt_b", lambda v, x: sincg(x["x"], x["N"] + 1), "fits with N_cells increased by one"),
    ("F_latt_b", lambda v, x: v * np.sin(np.pi * x["x"]), "not divided by sin(πk)"),
    ("hkl_frac", lambda v, x: v + np.array([0, 1e-3, 0]), "component y 0.001 too large throughout: something is added"),
    ("omega_pixel_sr", lambda v, x: x["no_obliquity"], "without the obliquity factor close_distance/R"),
]


@pytest.mark.parametrize(("name", "fault", "hint"), FITTED, ids=[f"{n} {h[0]}" for n, h in enumerate(FITTED)])
def test_what_is_fitted(name: str, fault: Fault, hint: str) -> None:
    found = blame(Small("C").text(), Small("PY", {name: fault}).text())
    assert introduced(found) == {("PY", name)}
    assert single(found, name).hint == hint


def test_all_three_lattice_factors_of_one_cell_less_agree_on_why() -> None:
    faults: dict[str, Fault] = {f"F_latt_{n}": lambda v, x: sincg(x["x"], x["N"] - 1) for n in "abc"}
    c, py = (log(Small, side, f, cells=(5.0, 6.0, 7.0)) for side, f in (("C", {}), ("PY", faults)))
    hints = {f.variable: f.hint for f in blame(c, py).findings if f.kind == "introduced"}
    assert hints == {f"F_latt_{n}": "fits with N_cells decreased by one" for n in "abc"}


@pytest.mark.parametrize(("name", "added"), [("N_cells", 1.0), ("phi_deg", 1.0), ("phi_deg", -1.0)])
def test_one_more_of_what_is_no_index_is_not_called_one_based(name: str, added: float) -> None:
    fault: dict[str, Fault] = {name: lambda v, x: v + added}
    hints = [f.hint for f in blame(Small("C").text(), Small("PY", fault).text()).findings if f.variable == name]
    assert hints
    assert not any("based" in hint for hint in hints)


def test_an_index_is_one_based_only_where_it_is_at_all_places() -> None:
    everywhere = hint_of("hkl_rounded", lambda v, x: v + 1)
    assert everywhere == "one too many: one-based where zero-based is meant"
    at_one: Fault = lambda v, x: v + 1 if x["keys"]["phi_tic"] == 0 else v  # noqa: E731
    assert "based" not in hint_of("hkl_rounded", at_one)


def test_a_round_number_of_the_log_is_no_factor_of_what_it_does_not_feed() -> None:
    """The distance is 0.1, and the fluence ten times too large."""
    found = blame(log(Dull, "C"), log(Dull, "PY", {"fluence_photons_per_m2": lambda v, x: v * 10}))
    hint = next(f.hint for f in found.findings if f.variable == "fluence_photons_per_m2")
    assert hint in ("PY against C: too large by a factor of 10", "PY = 10 · C: Å for nm or nm for Å")


def test_a_wavelength_in_nanometres_is_not_the_distance() -> None:
    c = log(Dull, "C", {"lambda_meters": lambda v, x: 1e-10})
    found = blame(c, printed(as_py(c), "lambda_meters", lambda v: v * 1e9))
    assert cause_line(found) == "lambda_meters of PY is printed in nm, used in m"


@pytest.mark.parametrize(
    ("n", "hint"),
    [
        (1, "half a pixel less on both axes: the corner of the pixel, not its centre"),
        (2, "half a sub-sample less on both axes: the corner of the sub-sample, not its centre"),
    ],
)
def test_the_corner_is_named_for_what_it_is_the_corner_of(n: int, hint: str) -> None:
    corner: dict[str, Any] = {"pixel_pos_meters": lambda v, x: v - x["half_f"] - x["half_s"]}
    found = blame(log(Small, "C", oversample=n), log(Small, "PY", corner, oversample=n))
    assert single(found, "pixel_pos_meters").hint == hint


ANGLE = "degrees for radians or radians for degrees"
SLIPS = [
    ("a - b * round(a / b)", "a - b * floor(a / b)", "fits with floor in place of round"),
    ("a - b * round(a / b)", "a + b * round(a / b)", "fits with the other sign before b * round(a / b)"),
    ("a + 0.5 * b * b", "a + b * b", "fits without the factor 0.5"),
    ("a + b + 3 * a * b", "a + b", "fits without the term 3 * a * b"),
    ("sin(a) * b + a", "cos(a) * b + a", "fits with cos in place of sin"),
    ("a**2 + b", "a**3 + b", "fits with 3 in place of 2"),
    ("sin(a) * b + a", "sin(57.29577951308232 * a) * b + a", f"fits with sin of its angle times 57.2958: {ANGLE}"),
    ("b + atan2(a, b)", "b + 57.29577951308232 * atan2(a, b)", f"fits with atan2 times 57.2958: {ANGLE}"),
]


@pytest.mark.parametrize(("right", "wrong", "hint"), SLIPS, ids=[hint for *_, hint in SLIPS])
def test_a_slip_in_an_expression_of_a_vocabulary(right: str, wrong: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "vocabulary.toml").write_text(
        'title = "t"\nloops = ["i"]\n[scopes]\nstep = { loops = ["i"] }\n[variables]\n'
        f'a = {{ scope = "step", size = 1 }}\nb = {{ scope = "step", size = 1 }}\n'
        f'y = {{ scope = "step", size = 1, equals = "{right}" }}\n'
    )
    vocabulary = load_vocabulary(tmp_path / "vocabulary.toml")
    domain = domain_of(vocabulary)
    assert domain is not None

    def of(side: str, expression: str) -> TraceTable:
        lines = []
        for i in range(4):
            known = {"a": 2.9 + 1.7 * i, "b": 1.9 - 0.3 * i, "round": round, "floor": math.floor}
            y = eval(expression, {"sin": math.sin, "cos": math.cos, "atan2": math.atan2, **known})
            lines += [f"TRACE_{side}[i={i}]: {n} {v!r}\n" for n, v in (("a", known["a"]), ("b", known["b"]), ("y", y))]
        return read_trace_lines(lines, side, side, vocabulary)

    alignment = align(of("C", right), of("PY", wrong), vocabulary)
    (finding,) = blame_pair(alignment, judge(alignment), domain).findings
    assert (finding.side, finding.variable, finding.hint) == ("PY", "y", hint)
