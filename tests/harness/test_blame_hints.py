"""Each hint on a number made for it, and silence where a number fits nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_parity.blame.between import between_sides
from trace_parity.blame.changes import Hint
from trace_parity.blame.equation import Domain, Equation, Evaluated, Form, Input, Outcome
from trace_parity.blame.evaluation import evaluate
from trace_parity.blame.hints import hint_for
from trace_parity.blame.log_values import LogView
from trace_parity.blame.of_pair import domain_of_pair
from trace_parity.blame.shape import CONTRAST
from trace_parity.blame.suspect import Suspect
from trace_parity.pair.find import shipped
from trace_parity.pair.vocabulary import Vocabulary
from trace_parity.trace import read_trace_lines

VOCABULARY = shipped().vocabulary
KEY = VOCABULARY.key({})
WANTED = (0.3, -1.7, 2.9)


def domain() -> Domain:
    found = domain_of_pair(shipped())
    assert found is not None
    return found


def hint(lines: str, equation: Equation) -> Hint | None:
    table = read_trace_lines(lines.splitlines(keepends=True), "C", "c", VOCABULARY)
    view = LogView(table, VOCABULARY)
    found = evaluate(equation, view)
    broken = tuple(o for o in found.outcomes.values() if not o.ok)
    assert broken
    return hint_for(Suspect(equation, found, view, domain(), broken))


def line(name: str, *numbers: float, **loops: int) -> str:
    where = f"[{' '.join(f'{k}={v}' for k, v in loops.items())}]" if loops else ""
    return f"TRACE_C{where}: {name} {' '.join(f'{x:.17g}' for x in numbers)}\n"


def said(got: tuple[float, ...], wanted: tuple[float, ...] = WANTED) -> Hint | None:
    """The hint on a vector in the place of `wanted`, with nothing else in the log."""
    copy = Equation(
        "copy", "", "", "source.incident_vec", (Input("run.polar_vec", "v"),), (Form("", lambda x: x["v"]),)
    )
    # a neighbour of another unit, so that no other variable can be the one printed there
    moved = Equation("moved", "", "", "run.a_angstroms", copy.inputs, copy.forms)
    return hint(line("polar_vec", *wanted) + line("a_angstroms", *got), moved)


@pytest.mark.parametrize(
    ("got", "kind", "says"),
    [
        ([-x for x in WANTED], "sign", "the sign is wrong"),
        ([x * 1e10 for x in WANTED], "scale", "too large by a factor of 1e+10: Å for m"),
        ([x * 1e-3 for x in WANTED], "scale", "too small by a factor of 1000: mm for m"),
        ([x * math.pi / 180 for x in WANTED], "scale", "too small by a factor of 57.2958: degrees"),
        ([x * 2 * math.pi for x in WANTED], "scale", "too large by a factor of 6.28319: 2π"),
        ([WANTED[1], WANTED[0], WANTED[2]], "axes", "swapped: y x z"),
        ([WANTED[1], WANTED[2], WANTED[0]], "axes", "cycled: y z x"),
        ([WANTED[0], -WANTED[1], WANTED[2]], "sign", "component y has the wrong sign"),
        ([float(np.float32(x)) for x in WANTED], "float32", "single precision"),
        ([x * 1.25 for x in WANTED], "length", "in the right direction, but 1.25 times too long"),
        ([WANTED[1], -WANTED[0], WANTED[2]], "axes", "swapped and with the opposite sign: y -x z"),
        ([0.6 * WANTED[0] - 0.8 * WANTED[1], 0.8 * WANTED[0] + 0.6 * WANTED[1], WANTED[2]], "turned", "but turned by"),
    ],
)
def test_what_a_vector_looks_like(got: list[float], kind: str, says: str) -> None:
    found = said((got[0], got[1], got[2]))
    assert found is not None
    assert found.kind == kind
    assert says in found.text


@settings(deadline=None)
@given(st.lists(st.floats(-10, 10).filter(lambda x: abs(x) > 0.01), min_size=3, max_size=3))
def test_nothing_is_said_by_chance(got: list[float]) -> None:
    """A number out of the blue fits none of the hypotheses, except that its length may be reported."""
    ratios = [g / w for g, w in zip(got, WANTED, strict=True)]
    odd = [round(x, 3) + 0.000123456789 for x in got]
    found = said((odd[0], odd[1], odd[2]))
    assert found is None or found.kind in ("length", "turned")
    if max(ratios) - min(ratios) > 0.1 and found is not None:
        assert abs(math.hypot(*odd) / math.hypot(*WANTED) - 1) < 1e-5


def test_nothing_is_said_of_a_residual_near_the_rounding() -> None:
    off = 1 + 0.5 * CONTRAST * 2e-15
    assert said((WANTED[0] * off, WANTED[1] * off, WANTED[2] * off)) is None


def test_a_transposed_matrix() -> None:
    c, s = math.cos(0.3), math.sin(0.3)
    m = (c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0)
    same = Equation("u", "", "", "mosaic.mosaic_umat", (Input("run.known", "v"),), (Form("", lambda x: x["v"]),))
    found = hint(line("known", *m) + line("mosaic_umat", *np.reshape(m, (3, 3)).T.ravel(), mos_tic=0), same)
    assert found is not None
    assert found.kind == "transposed"


def ticks(values: list[float], phi: list[float]) -> str:
    step = {"spixel": 1, "fpixel": 1, "thick_tic": 0, "subS": 0, "subF": 0, "source": 0, "mos_tic": 0}
    lines = [
        line("phi_deg", p, **{**step, "phi_tic": n}) + line("V_actual_A3", v, **{**step, "phi_tic": n})
        for n, (v, p) in enumerate(zip(values, phi, strict=True))
    ]
    return "".join(lines)


SQUARE = Equation(
    "square", "", "", "step.V_actual_A3", (Input("phi_deg"),), (Form("", lambda x: 1 + x["phi_deg"] ** 2),)
)


@pytest.mark.parametrize(
    ("at", "kind", "says"),
    [
        ([0, 0, 1, 2, 3], "tick", "previous phi_tic: off by one"),
        ([1, 2, 3, 4, 4], "tick", "next phi_tic: off by one"),
        ([4, 1, 2, 3, 4], "stale", "phi_tic=4: stale"),
        ([0, 1, 1, 3, 1], "stale", "phi_tic=1: stale"),
    ],
)
def test_a_loop_off_by_one_and_a_stale_value(at: list[int], kind: str, says: str) -> None:
    phi = [0.1, 0.25, 0.4, 0.55, 0.7]
    found = hint(ticks([1 + phi[n] ** 2 for n in at], phi), SQUARE)
    assert found is not None
    assert found.kind == kind
    assert says in found.text


def test_an_input_that_is_off() -> None:
    phi = [0.1, 0.25, 0.4, 0.55, 0.7]
    found = hint(ticks([1 + (p * math.pi / 180) ** 2 for p in phi], phi), SQUARE)
    assert found is not None
    assert found.text == "fits with phi_deg times 1/57.2958: degrees for radians or radians for degrees"
    found = hint(ticks([1.0 for _ in phi], phi), SQUARE)
    assert found is not None
    assert found.text == "fits without phi_deg"


def test_single_numbers_say_one_factor_throughout() -> None:
    phi = [0.1, 0.25, 0.4, 0.55, 0.7]
    found = hint(ticks([1.375 * (1 + p * p) for p in phi], phi), SQUARE)
    assert found is not None
    assert found.text == "too large by a factor of 1.375 throughout"


@pytest.mark.parametrize(
    ("c", "py", "says"),
    [
        ([1.5], [1.5e10], "PY = 1e+10 · C"),
        ([1.5], [-1.5], "the sign of one side"),
        ([1.1], [float(np.float32(1.1))], "float32"),
        ([1.0, 2.0, 4.0], [2.0, 1.0, 4.0], "y x z"),
        ([1.0, 2.0, 4.0], [2.0, 1.0, -4.0], "swapped and with the opposite sign: y x -z"),
        ([1.0, 2.0, 2.0], [2.2, 0.4, 2.0], "turned by"),
        ([1.5], [1.5 * (1 + 1e-7)], "1.7 roundings of float32"),
        ([1.5], [1.5 * (1 + 1e-6)], ""),
        ([1.0, 2, 3, 4, 5, 6, 7, 8, 9], [1.0, 4, 7, 2, 5, 8, 3, 6, 9], "transpose"),
        ([1.5], [2.25], ""),
        ([0.0], [2.25], ""),
        ([float("nan")], [2.25], ""),
    ],
)
def test_two_sides_without_an_equation(c: list[float], py: list[float], says: str) -> None:
    values = [np.array(v, dtype=np.longdouble) for v in (c, py)]
    found = between_sides(values[0], values[1], domain())
    assert says in found
    assert bool(found) == bool(says)


def test_an_infinite_residual_is_left_alone(vocabulary: Vocabulary) -> None:
    zero = np.zeros(1, dtype=np.longdouble)
    lost = Outcome(KEY, zero * np.nan, zero + 1, zero, frozenset())
    view = LogView(read_trace_lines([], "C", "c", vocabulary), vocabulary)
    assert hint_for(Suspect(SQUARE, Evaluated({KEY: lost}), view, domain(), (lost,))) is None


def test_a_number_far_too_large_is_not_of_the_wrong_sign(vocabulary: Vocabulary) -> None:
    """Its own rounding is as large as the right value."""
    equation = next(e for e in domain().equations if e.id == "thomson")
    found = hint("TRACE_C: r_e_sqr 2.8179403200000001e-15\n", equation)
    assert found is not None
    assert found.text == "its square root, not itself"
    assert vocabulary.named("r_e_sqr")


def test_what_is_made_from_a_number_is_no_hint_where_it_came_from() -> None:
    lines = line("omega_pixel_sr", 2.0123456789012345, spixel=1, fpixel=1, thick_tic=0, subS=0, subF=0)
    made = line("omega_pixel_final", 2.0123456789012345, spixel=1, fpixel=1)
    equation = Equation("o", "", "", "subsample.omega_pixel_sr", (), (Form("", lambda x: x["one"] * 1.2345),))
    assert hint(lines + made, equation) == hint(lines, equation)
