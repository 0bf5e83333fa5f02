"""Condition numbers of equations, and the operation that loses the digits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from trace_parity.blame.attribution import blame_pair
from trace_parity.blame.conditioning import Conditioning, conditioning, lines
from trace_parity.blame.equation import Domain, Equation, Form, Input
from trace_parity.blame.evaluated_log import EvaluatedLog
from trace_parity.blame.from_vocabulary import domain_of
from trace_parity.blame.torch_rounding import known, last_bit
from trace_parity.compare.align import align
from trace_parity.compare.judge import judge
from trace_parity.pair.vocabulary_file import parse_vocabulary
from trace_parity.trace import read_trace_lines

VOCABULARY = """
title = "t"
loops = ["i"]
[scopes]
row = { loops = ["i"] }
[variables]
a = { scope = "row", size = 1, description = "given" }
n = { scope = "row", integer = true, description = "given, exact" }
b = { scope = "row", size = 1, description = "difference", equals = "%s" }
"""


def of(equals: str, *rows: tuple[float, int], b: list[float]) -> list[Conditioning]:
    vocabulary = parse_vocabulary(VOCABULARY % equals, "t")
    text = [
        f"TRACE_C[i={i}]: {name} {value!r}\n"
        for i, (a, n) in enumerate(rows)
        for name, value in (("a", a), ("n", n), ("b", b[i]))
    ]
    table = read_trace_lines(text, "C", "t.log", vocabulary)
    domain = domain_of(vocabulary)
    assert domain is not None
    return list(conditioning([EvaluatedLog(table, vocabulary, domain)]))


def test_a_cancellation_is_named_with_its_digits_and_place() -> None:
    a = 7.0 + 1e-8
    (found,) = of("sin(a - n)", (3.5, 3), (a, 7), b=[math.sin(0.5), math.sin(a - 7)])
    assert found.condition == pytest.approx(7e8, rel=1e-3)
    assert found.digits == pytest.approx(8.85, abs=0.01)
    assert found.operation == "a − n"
    assert found.place == "i=1"
    assert "9 digits lost at a − n; i=1" in lines([found])[2]


def test_a_function_that_enlarges_errors_is_named() -> None:
    (found,) = of("exp(a)", (300.0, 0), b=[math.exp(300)])
    assert found.condition == pytest.approx(300, rel=1e-3)
    assert found.operation == "exp(a)"


def test_what_is_exact_loses_nothing() -> None:
    assert of("n - 3.0", (1.0, 4), b=[1.0]) == []
    (product,) = of("2 * a", (1.25, 4), b=[2.5])
    assert product.digits == pytest.approx(0, abs=1e-6)
    assert lines([product]) == []


def test_an_operation_that_loses_digits_of_nothing_is_not_named() -> None:
    a = 7.0 + 1e-8
    (found,) = of("(a - n) + 100 * a", (a, 7), b=[(a - 7) + 100 * a])
    assert found.condition == pytest.approx(1, rel=0.1)
    assert found.operation == ""


def test_an_equation_that_does_not_take_such_arrays_keeps_its_condition() -> None:
    vocabulary = parse_vocabulary(VOCABULARY % "2 * a", "t")
    table = read_trace_lines(["TRACE_C[i=0]: a 3.0\n", "TRACE_C[i=0]: b 9.0\n"], "C", "t.log", vocabulary)
    calls = []

    def square(values: Mapping[str, np.ndarray]) -> np.ndarray:
        calls.append(type(values["a"]).__name__)
        if calls[-1] == "Traced":
            raise TypeError
        return values["a"] ** 2

    domain = Domain("t", (Equation("e", "b = a^2", "", "row.b", (Input("a"),), (Form("f", square),)),))
    (found,) = conditioning([EvaluatedLog(table, vocabulary, domain)])
    assert found.condition == pytest.approx(2, rel=1e-6)
    assert found.operation == ""
    assert "Traced" in calls


ROOTS = """
title = "t"
loops = ["i"]
[scopes]
row = { loops = ["i"] }
[tolerances.bits]
rtol = 1e-18
reason = "every bit"
[variables]
a = { scope = "row", size = 1, description = "given", tolerance = "bits" }
d = { scope = "row", size = 1, description = "a function of it", tolerance = "bits", equals = "%s" }
"""


@pytest.mark.parametrize(
    ("equals", "apart", "says"),
    [
        ("sqrt(a)", 1, "PyTorch's sqrt is not correctly rounded for"),
        ("cosh(a)", 1, "changes with an element's place and the threads"),
        ("2 * a", 1, ""),
        ("sqrt(a)", 100, ""),
    ],
)
def test_a_last_bit_of_a_known_operation_is_named(equals: str, apart: int, says: str) -> None:
    vocabulary = parse_vocabulary(ROOTS % equals, "t")
    domain = domain_of(vocabulary)
    assert domain is not None
    exact = {"sqrt(a)": math.sqrt(3.0), "cosh(a)": math.cosh(3.0), "2 * a": 6.0}[equals]
    tables = [
        read_trace_lines([f"TRACE_{s}[i=0]: a 3.0000000000000000\n", f"TRACE_{s}[i=0]: d {d:.17g}\n"], s, s, vocabulary)
        for s, d in (("C", exact), ("PY", exact + apart * math.ulp(exact)))
    ]
    alignment = align(tables[0], tables[1], vocabulary)
    blame = blame_pair(alignment, judge(alignment), domain)
    hints = [finding.hint for finding in blame.findings if finding.variable == "d"]
    assert len(hints) == 1
    assert (says in hints[0] and "docs/numerics.md" in hints[0]) if says else "PyTorch" not in hints[0]


def test_functions_are_found_in_the_text_of_an_equation() -> None:
    assert "PyTorch's sqrt" in last_bit("R = |pixel_pos|")
    assert "PyTorch's atan2" in last_bit("angle = atan2(y, x)")
    assert last_bit("y = 3·x + 1") == ""
    assert set(known()["operations"]) >= {"sqrt", "sin", "sum", "pow", "hypot"}
